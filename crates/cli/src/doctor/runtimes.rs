//! How each runtime finds its proxy and whom it trusts: one row each. Pure: what was probed in, findings out.

use std::collections::BTreeMap;
use std::ffi::OsString;

use outrigger_sidecar::doctor::finding::Finding;

use crate::doctor::checks;

/// When a runtime honours `HTTPS_PROXY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// Always.
    Reads,
    /// From these versions on, one per line of releases (major, minor); later lines too.
    Since(&'static [(u32, u32)]),
    /// Where the program's own code asks for it, in these words.
    Asked(&'static str),
    /// Never.
    Ignores,
}

impl std::fmt::Display for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Proxy::Reads => f.write_str("reads it"),
            Proxy::Since(lines) => {
                let lines: Vec<String> =
                    lines.iter().map(|(major, minor)| format!("{major}.{minor}")).collect();
                write!(f, "from {}", lines.join(" and "))
            }
            Proxy::Asked(words) => write!(f, "only with `{words}` in the code"),
            Proxy::Ignores => f.write_str("ignores it"),
        }
    }
}

/// A runtime, or a library with ways of its own.
#[derive(Debug)]
pub(crate) struct Runtime {
    pub(crate) name: &'static str,
    /// The program on PATH and the arguments that print its version; none for a library.
    pub(crate) program: &'static [&'static str],
    pub(crate) proxy: Proxy,
    /// Variables by which it comes to trust more, the first that is set wins.
    pub(crate) trust: &'static [&'static str],
    /// Arguments that print the file of its own store, which a variable would replace; empty where variables only add.
    pub(crate) store: &'static [&'static str],
    /// Whether its LLM SDKs read base-URL variables.
    pub(crate) base_url: bool,
    /// What holds besides.
    pub(crate) caveat: &'static str,
}

const OPENSSL: &[&str] = &["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Programs on PATH.
pub(crate) const PROGRAMS: [Runtime; 10] = [
    Runtime {
        name: "Node",
        program: &["node", "--version"],
        proxy: Proxy::Since(&[(22, 21), (24, 0)]),
        trust: &["NODE_EXTRA_CA_CERTS"],
        store: &[],
        base_url: true,
        caveat: "its https module honours the proxy from 24.5 only; code that passes `ca:` of its own is not observed",
    },
    Runtime {
        name: "Deno",
        program: &["deno", "--version"],
        proxy: Proxy::Reads,
        trust: &["DENO_CERT"],
        store: &[],
        base_url: true,
        caveat: "",
    },
    Runtime {
        name: "Bun",
        program: &["bun", "--version"],
        proxy: Proxy::Reads,
        trust: &["NODE_EXTRA_CA_CERTS"],
        store: &[],
        base_url: true,
        caveat: "",
    },
    Runtime {
        name: "Go",
        program: &["go", "version"],
        proxy: Proxy::Reads,
        trust: OPENSSL,
        store: &[],
        base_url: true,
        caveat: "programs with roots built in are not observed",
    },
    Runtime {
        name: "Java",
        program: &["java", "-version"],
        proxy: Proxy::Ignores,
        trust: &["JAVA_TOOL_OPTIONS"],
        store: &[],
        base_url: true,
        caveat: "",
    },
    Runtime {
        name: "curl",
        program: &["curl", "--version"],
        proxy: Proxy::Reads,
        trust: &["CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"],
        store: &[],
        base_url: false,
        caveat: "",
    },
    Runtime {
        name: "git",
        program: &["git", "--version"],
        proxy: Proxy::Reads,
        trust: &["GIT_SSL_CAINFO"],
        store: &["config", "--get", "http.sslCAInfo"],
        base_url: false,
        caveat: "",
    },
    Runtime {
        name: "Ruby",
        program: &["ruby", "--version"],
        proxy: Proxy::Reads,
        trust: OPENSSL,
        store: &["-ropenssl", "-e", "puts OpenSSL::X509::DEFAULT_CERT_FILE"],
        base_url: true,
        caveat: "",
    },
    Runtime {
        name: "PHP",
        program: &["php", "--version"],
        proxy: Proxy::Reads,
        trust: OPENSSL,
        store: &["-r", "echo ini_get('curl.cainfo') ?: openssl_get_cert_locations()['default_cert_file'];"],
        base_url: false,
        caveat: "`curl.cainfo` and `openssl.cafile` of php.ini win over the variables",
    },
    Runtime {
        name: ".NET",
        program: &["dotnet", "--version"],
        proxy: Proxy::Reads,
        trust: OPENSSL,
        store: &[],
        base_url: false,
        caveat: "",
    },
];

/// Libraries of Python, by the module that shows them; the interpreter's own `ssl` first.
pub(crate) const PYTHON: [(&str, Runtime); 7] = [
    ("ssl", library("Python urllib and ssl", Proxy::Reads, OPENSSL, "")),
    ("httpx", library("Python httpx", Proxy::Reads, OPENSSL, "")),
    ("httpx2", library("Python httpx2", Proxy::Reads, OPENSSL, "")),
    ("requests", library("Python requests", Proxy::Reads, &["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"], "")),
    (
        "aiohttp",
        library("Python aiohttp", Proxy::Asked("trust_env=True"), OPENSSL, "it reads the store at import"),
    ),
    ("grpc", library("Python grpcio", Proxy::Reads, &["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"], "")),
    ("botocore", library("Python boto3", Proxy::Reads, &["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"], "")),
];

const fn library(
    name: &'static str,
    proxy: Proxy,
    trust: &'static [&'static str],
    caveat: &'static str,
) -> Runtime {
    Runtime { name, program: &[], proxy, trust, store: &[], base_url: true, caveat }
}

/// What a runtime of this version will do with what `exec` sets.
pub(crate) fn judge(runtime: &Runtime, version: &str, set: &BTreeMap<String, OsString>) -> Finding {
    let by = runtime.trust.iter().find(|name| set.contains_key(**name));
    let caveat = if runtime.caveat.is_empty() { String::new() } else { format!(" ({})", runtime.caveat) };
    let place = format!("{} {version}", runtime.name);
    let missing = match (proxy_honoured(runtime.proxy, version), by) {
        (Ok(()), Some(by)) => {
            return checks::OBSERVED.found(format!(
                "{place}: observed; it reads HTTPS_PROXY, and trusts Outrigger by {by}{caveat}"
            ));
        }
        (Err(why), _) => why,
        (Ok(()), None) => format!(
            "its trust store would have to be replaced ({}), which `exec` does not do",
            runtime.trust.first().unwrap_or(&"no variable")
        ),
    };
    if runtime.base_url {
        checks::LIMITED.found(format!("{place}: {missing}, so it is observed only by base URL{caveat}"))
    } else {
        checks::UNOBSERVABLE.found(format!("{place}: {missing}, and it has no base-URL variable{caveat}"))
    }
}

fn proxy_honoured(proxy: Proxy, version: &str) -> Result<(), String> {
    match proxy {
        Proxy::Reads => Ok(()),
        Proxy::Since(lines) if since(lines, version) => Ok(()),
        Proxy::Since(lines) => {
            let lines: Vec<String> = lines.iter().map(|(major, minor)| format!("{major}.{minor}")).collect();
            Err(format!("it ignores HTTPS_PROXY before {}", lines.join(" and ")))
        }
        Proxy::Asked(words) => Err(format!("it reads HTTPS_PROXY only where its code says {words}")),
        Proxy::Ignores => Err("it ignores HTTPS_PROXY".to_owned()),
    }
}

fn since(lines: &[(u32, u32)], version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let last = lines.iter().map(|(major, _)| *major).max().unwrap_or(0);
    major > last || lines.iter().any(|(line, from)| *line == major && minor >= *from)
}

/// The first thing in a program's words that looks like a version: `1.2`, `20.20.2`.
pub(crate) fn version(words: &str) -> Option<&str> {
    words.split(|one: char| !(one.is_ascii_digit() || one == '.')).find(|part| {
        part.contains('.') && part.starts_with(|one: char| one.is_ascii_digit()) && !part.ends_with('.')
    })
}

#[cfg(test)]
mod tests {
    use outrigger_sidecar::doctor::finding::Level;

    use super::*;

    fn set(names: &[&str]) -> BTreeMap<String, OsString> {
        names.iter().map(|name| ((*name).to_owned(), OsString::new())).collect()
    }

    fn runtime(name: &str) -> &'static Runtime {
        const { &PROGRAMS }.iter().find(|one| one.name == name).unwrap()
    }

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (words, expected) in [
            ("v20.20.2\n", "20.20.2"),
            ("go version go1.26.8 linux/amd64", "1.26.8"),
            ("openjdk version \"17.0.15\" 2025-04-15", "17.0.15"),
            ("curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1", "7.88.1"),
            ("git version 2.39.5", "2.39.5"),
            ("ruby 3.1.2p20 (2022-04-12 revision 4491bb740a)", "3.1.2"),
        ] {
            assert_eq!(version(words), Some(expected), "{words}");
        }
        assert_eq!(version("no such thing. 7"), None);
    }

    #[test]
    fn node_honours_the_proxy_from_the_release_that_learned_it() {
        let set = set(&["NODE_EXTRA_CA_CERTS"]);
        for (version, id) in [
            ("20.20.2", "runtime-limited"),
            ("22.20.0", "runtime-limited"),
            ("22.21.0", "runtime-observed"),
            ("23.11.0", "runtime-limited"),
            ("24.0.0", "runtime-observed"),
            ("26.1.0", "runtime-observed"),
        ] {
            assert_eq!(judge(runtime("Node"), version, &set).id, id, "{version}");
        }
        let finding = judge(runtime("Node"), "20.20.2", &set);
        assert!(finding.text.contains("ignores HTTPS_PROXY before 22.21 and 24.0"), "{finding:?}");
        assert!(finding.mend.unwrap().contains("--mode base-url"));
    }

    #[test]
    fn trust_that_is_not_set_is_trust_that_is_not_there() {
        assert_eq!(judge(runtime("Go"), "1.26", &set(&["SSL_CERT_DIR"])).id, "runtime-observed");
        let finding = judge(runtime("Go"), "1.26", &set(&[]));
        assert!(finding.id == "runtime-limited" && finding.text.contains("SSL_CERT_FILE"), "{finding:?}");
        assert_eq!(judge(runtime("curl"), "8", &set(&[])).id, "runtime-unobservable");
        assert_eq!(judge(runtime("Java"), "21", &set(&["JAVA_TOOL_OPTIONS"])).level, Level::Note);
    }
}
