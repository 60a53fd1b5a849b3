//! How a program is given our authority by its environment alone, and what it must not lose by that.
//!
//! Trust only grows. A variable that adds to a store may be set always. One that replaces a store is set only where the
//! published bundle provably holds what the container trusted before; otherwise its readers go unobserved (their first
//! handshake fails, the later ones pass through) and a note says so. What the user has set is never overridden.
//! `docs/trust.md` goes through the runtimes one by one.

use std::collections::BTreeMap;

use crate::trust_files;

/// What a variable does to the store of its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It adds certificates.
    Adds,
    /// It replaces what was trusted.
    Replaces,
}

/// A variable by which programs find what to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustVariable {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub effect: Effect,
    /// The published file that it points to.
    pub file: &'static str,
    /// Who reads it, in plain words.
    pub readers: &'static str,
    /// What its readers look at as long as it is not set. If the user has set one of these, setting this one would take that
    /// away from them.
    pub instead_of: &'static [&'static str],
    /// The adding variable by which its readers come to trust us even without this one.
    pub reached_by: Option<&'static str>,
}

/// The directories of hashed names: a list, to which ours is added.
pub const SSL_CERT_DIR: &str = "SSL_CERT_DIR";
/// The one file that Node adds to its own store.
const NODE_EXTRA_CA_CERTS: &str = "NODE_EXTRA_CA_CERTS";
/// By which Node, from 22.19 or 24.6, reads [`SSL_CERT_DIR`] as well. Never set here: a Node that is started with `--use-openssl-ca` does
/// not start with it.
pub const NODE_USE_SYSTEM_CA: &str = "NODE_USE_SYSTEM_CA";
/// The file that OpenSSL and others read in place of their own.
const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
/// Options of every Java virtual machine: a list, to which ours is added.
pub const JAVA_TOOL_OPTIONS: &str = "JAVA_TOOL_OPTIONS";
/// The Java property that names the trust store.
const JAVA_TRUST_STORE: &str = "javax.net.ssl.trustStore";

const fn adds(name: &'static str, file: &'static str, readers: &'static str) -> TrustVariable {
    TrustVariable { name, effect: Effect::Adds, file, readers, instead_of: &[], reached_by: None }
}

const fn replaces(
    name: &'static str,
    readers: &'static str,
    instead_of: &'static [&'static str],
    reached_by: Option<&'static str>,
) -> TrustVariable {
    TrustVariable {
        name,
        effect: Effect::Replaces,
        file: trust_files::BUNDLE,
        readers,
        instead_of,
        reached_by,
    }
}

/// Every variable that is ever set, those that add first.
pub const ALL: [TrustVariable; 10] = [
    // Adds, since the system's own directories stand in the list too and OpenSSL and Go read their default file beside it.
    // httpx and rustls-native-certs read it *instead of* their set: hence the whole set in our directory.
    adds(
        SSL_CERT_DIR,
        trust_files::HASHED,
        "OpenSSL, Python's ssl, httpx, Go, Ruby, curl, .NET, Rust's native stores",
    ),
    // They add, but ours hide those of an image, which nobody sees here: hence the extra authorities in the file.
    adds(NODE_EXTRA_CA_CERTS, trust_files::ADDITIONS, "Node, Bun"),
    adds("DENO_CERT", trust_files::ADDITIONS, "Deno"),
    replaces(
        "SSL_CERT_FILE",
        "httpx and others that prefer it to SSL_CERT_DIR",
        &[SSL_CERT_DIR],
        Some(SSL_CERT_DIR),
    ),
    replaces("REQUESTS_CA_BUNDLE", "Python's requests", &["CURL_CA_BUNDLE"], None),
    replaces("CURL_CA_BUNDLE", "the curl program", &["SSL_CERT_FILE", SSL_CERT_DIR], Some(SSL_CERT_DIR)),
    // Python's boto looks at REQUESTS_CA_BUNDLE, the SDK for Go at what Go looks at.
    replaces(
        "AWS_CA_BUNDLE",
        "boto3 and the AWS CLI",
        &["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", SSL_CERT_DIR],
        None,
    ),
    // In Node, gRPC falls back to Node's own store.
    replaces(
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        "gRPC in Python, Ruby, PHP and C++",
        &["NODE_EXTRA_CA_CERTS"],
        None,
    ),
    replaces("GIT_SSL_CAINFO", "git", &[], None),
    TrustVariable {
        name: JAVA_TOOL_OPTIONS,
        effect: Effect::Replaces,
        file: trust_files::TRUSTSTORE_JKS,
        readers: "Java",
        // Options that win over it.
        instead_of: &["JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"],
        reached_by: None,
    },
];

/// One container, or one program on a host.
#[derive(Debug, Clone, Copy)]
pub struct Container<'a> {
    /// Where it sees the published files; an absolute path without white space or `:`.
    pub trust: &'a str,
    /// Whether the bundle provably holds what it trusted before: extra authorities were given for it, or its own store was
    /// read.
    pub proven: bool,
    /// Whether Java's store is to be replaced. A choice of its own, since an image may have changed its `cacerts`.
    pub java: bool,
    /// The variables that it has already.
    pub environment: &'a BTreeMap<String, String>,
    /// Files that hold what a variable's readers trusted by the user's own setting, and our authority; by the variable's name.
    /// Empty where nobody could read the user's files.
    pub merged: &'a BTreeMap<&'static str, String>,
}

/// What to set, and what its user should know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// Variables with their values, in the order of [`ALL`].
    pub variables: Vec<(&'static str, String)>,
    /// Which runtimes go unobserved.
    pub notes: Vec<Note>,
}

/// Runtimes that may go unobserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The [`TrustVariable::readers`] that it is about.
    pub readers: Vec<&'static str>,
    /// Why, and the mend; a sentence.
    pub text: String,
    /// Whether something that the user set is the reason, not what holds for every container.
    pub theirs: bool,
}

/// The environment by which a container comes to trust us and loses nothing.
#[must_use]
pub fn for_container(container: &Container<'_>) -> Trust {
    let mut trust = Trust::default();
    let mut unproven = Vec::new();
    for variable in &ALL {
        let set = match variable.name {
            SSL_CERT_DIR => directories(container, variable),
            JAVA_TOOL_OPTIONS => java(container, variable),
            _ => path(container, variable),
        };
        match set {
            Ok(value) => trust.variables.push((variable.name, value)),
            Err(Left::Covered) => {}
            Err(Left::Unproven) => unproven.push(variable.readers),
            Err(Left::Theirs(text)) => {
                trust.notes.push(Note { readers: vec![variable.readers], text, theirs: true });
            }
            Err(Left::Unchosen) => trust.notes.push(Note {
                readers: vec![variable.readers],
                text: "Java goes unobserved: its trust store can only be replaced, which is done by explicit choice".to_owned(),
                theirs: false,
            }),
        }
    }
    if !unproven.is_empty() {
        let text = format!(
            "{} may go unobserved: their trust store can only be replaced, and nothing proves that the bundle holds everything \
             that this container trusts; give its private authorities as extra CAs",
            unproven.join(", ")
        );
        trust.notes.push(Note { readers: unproven, text, theirs: false });
    }
    trust
}

/// Why a variable is left alone.
enum Left {
    /// Its readers come to trust us by another variable.
    Covered,
    /// Nothing proves that replacing is harmless.
    Unproven,
    /// Nobody chose to have it replaced.
    Unchosen,
    /// The user's own setting rules, as said.
    Theirs(String),
}

impl Left {
    /// The user's own variable, by its name, rules there.
    fn theirs(name: &str, container: &Container<'_>, variable: &TrustVariable) -> Left {
        Left::Theirs(format!(
            "{name} is set already and is kept, so {} may go unobserved; to have them observed, point {} at a file that holds what \
             they trust and the certificate in {}",
            variable.readers,
            variable.name,
            join(container, trust_files::CA),
        ))
    }
}

/// Ours behind theirs, or before the system's own.
fn directories(container: &Container<'_>, variable: &TrustVariable) -> Result<String, Left> {
    let ours = join(container, trust_files::HASHED);
    if let Some(theirs) = get(container, SSL_CERT_DIR) {
        return Ok(format!("{theirs}:{ours}"));
    }
    // The curl program (seen in 7.88) looks at SSL_CERT_FILE only where no directories are named.
    match get(container, SSL_CERT_FILE) {
        Some(_) if container.merged.contains_key(SSL_CERT_FILE) => Err(Left::Covered),
        Some(_) => Err(Left::Theirs(format!(
            "{SSL_CERT_FILE} is set already and is kept, so {} may go unobserved; to have them observed, add the certificate in {} to \
             the file that it names",
            variable.readers,
            join(container, trust_files::CA),
        ))),
        None => Ok(format!("{ours}:{}", trust_files::SYSTEM_DIRECTORIES.join(":"))),
    }
}

fn path(container: &Container<'_>, variable: &TrustVariable) -> Result<String, Left> {
    if let Some(merged) = container.merged.get(variable.name) {
        return Ok(merged.clone());
    }
    if get(container, variable.name).is_some() {
        if variable.name == NODE_EXTRA_CA_CERTS && reads_directories(container) {
            return Err(Left::Covered);
        }
        return Err(Left::theirs(variable.name, container, variable));
    }
    let theirs = variable.instead_of.iter().find(|name| get(container, name).is_some());
    match (variable.effect, theirs, variable.reached_by) {
        (Effect::Replaces, Some(_), Some(_)) => Err(Left::Covered),
        (Effect::Replaces, Some(theirs), None) => Err(Left::theirs(theirs, container, variable)),
        (Effect::Replaces, None, _) if container.proven => Ok(join(container, variable.file)),
        (Effect::Replaces, None, Some(_)) => Err(Left::Covered),
        (Effect::Replaces, None, None) => Err(Left::Unproven),
        (Effect::Adds, ..) => Ok(join(container, variable.file)),
    }
}

/// Whether the user has Node read ours there.
fn reads_directories(container: &Container<'_>) -> bool {
    let is_ours = [SSL_CERT_DIR, SSL_CERT_FILE].iter().all(|name| get(container, name).is_none());
    is_ours && get(container, NODE_USE_SYSTEM_CA) == Some("1")
}

fn java(container: &Container<'_>, variable: &TrustVariable) -> Result<String, Left> {
    for name in std::iter::once(&JAVA_TOOL_OPTIONS).chain(variable.instead_of) {
        if get(container, name).is_some_and(|options| options.contains(JAVA_TRUST_STORE)) {
            return Err(Left::Theirs(format!(
                "{name} names a trust store already and is kept, so Java goes unobserved; to have it observed, import the \
                 certificate in {} into that store",
                join(container, trust_files::CA),
            )));
        }
    }
    if !container.java {
        return Err(Left::Unchosen);
    }
    let ours = format!("-D{JAVA_TRUST_STORE}={}", join(container, trust_files::TRUSTSTORE_JKS));
    Ok(match get(container, JAVA_TOOL_OPTIONS) {
        Some(theirs) => format!("{theirs} {ours}"),
        None => ours,
    })
}

/// A variable that is set and not empty: an empty one is as good as none to every reader.
fn get<'a>(container: &Container<'a>, name: &str) -> Option<&'a str> {
    container.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

fn join(container: &Container<'_>, file: &str) -> String {
    format!("{}/{file}", container.trust.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNT: &str = crate::mounts::TRUST;

    fn trust(
        proven: bool,
        java: bool,
        environment: &[(&str, &str)],
        merged: &[(&'static str, &str)],
    ) -> Trust {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let merged = merged.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        for_container(&Container { trust: MOUNT, proven, java, environment: &environment, merged: &merged })
    }

    fn names(trust: &Trust) -> Vec<&'static str> {
        trust.variables.iter().map(|(name, _)| *name).collect()
    }

    fn value<'a>(trust: &'a Trust, name: &str) -> &'a str {
        trust.variables.iter().find(|(set, _)| *set == name).map_or("", |(_, value)| value)
    }

    #[test]
    fn without_proof_only_what_adds_is_set_and_the_others_are_named() {
        let trust = trust(false, false, &[], &[]);
        assert_eq!(names(&trust), ["SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "DENO_CERT"]);
        assert_eq!(
            value(&trust, "SSL_CERT_DIR"),
            "/var/run/outrigger/trust/hashed:/etc/ssl/certs:/etc/pki/tls/certs:/etc/pki/ca-trust/extracted/pem/directory-hash"
        );
        assert_eq!(value(&trust, "NODE_EXTRA_CA_CERTS"), "/var/run/outrigger/trust/additions.pem");
        let notes: String = trust.notes.iter().map(|note| note.text.as_str()).collect();
        for runtime in ["requests", "boto3", "gRPC", "git", "Java", "extra CAs"] {
            assert!(notes.contains(runtime), "{runtime}: {notes}");
        }
        assert!(
            !notes.contains("httpx") && !notes.contains("curl program"),
            "the directories reach them: {notes}"
        );
    }

    #[test]
    fn with_proof_every_variable_is_set_and_java_by_choice() {
        let chosen = trust(true, true, &[], &[]);
        assert_eq!(names(&chosen), ALL.map(|variable| variable.name));
        assert!(chosen.notes.is_empty(), "{:?}", chosen.notes);
        for variable in ALL.iter().filter(|variable| variable.file == trust_files::BUNDLE) {
            assert_eq!(value(&chosen, variable.name), "/var/run/outrigger/trust/bundle.pem");
        }
        let unchosen = trust(true, false, &[], &[]);
        assert!(!names(&unchosen).contains(&JAVA_TOOL_OPTIONS) && unchosen.notes[0].readers == ["Java"]);
    }

    #[test]
    fn what_the_user_set_is_kept_and_said() {
        for variable in
            ALL.iter().filter(|one| one.file == trust_files::BUNDLE || one.file == trust_files::ADDITIONS)
        {
            let trust = trust(true, true, &[(variable.name, "/theirs.pem")], &[]);
            assert!(!names(&trust).contains(&variable.name), "{}", variable.name);
            let said = trust
                .notes
                .iter()
                .any(|note| note.text.contains(variable.name) && note.readers == [variable.readers]);
            assert!(said, "{}: {:?}", variable.name, trust.notes);
        }
    }

    #[test]
    fn node_reads_ours_beside_the_users_file_where_the_user_has_it_read_directories() {
        let theirs = (NODE_EXTRA_CA_CERTS, "/theirs.pem");
        let is_told = |environment: &[(&str, &str)]| {
            let trust = trust(false, false, environment, &[]);
            assert!(!names(&trust).contains(&NODE_EXTRA_CA_CERTS));
            trust.notes.iter().any(|note| note.readers == ["Node, Bun"])
        };
        assert!(!is_told(&[theirs, (NODE_USE_SYSTEM_CA, "1")]));
        assert!(is_told(&[theirs, (NODE_USE_SYSTEM_CA, "0")]));
        assert!(is_told(&[theirs, (NODE_USE_SYSTEM_CA, "1"), (SSL_CERT_DIR, "/theirs")]));
    }

    #[test]
    fn a_variable_that_would_hide_the_users_own_is_not_set() {
        for (theirs, hiding) in [
            ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
            ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"),
            ("SSL_CERT_FILE", "CURL_CA_BUNDLE"),
            ("SSL_CERT_DIR", "SSL_CERT_FILE"),
            ("SSL_CERT_FILE", "SSL_CERT_DIR"),
            ("NODE_EXTRA_CA_CERTS", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"),
        ] {
            let trust = trust(true, false, &[(theirs, "/theirs")], &[]);
            assert!(!names(&trust).contains(&hiding), "{hiding} hides {theirs}");
        }
    }

    #[test]
    fn lists_are_appended_to() {
        let theirs = [("SSL_CERT_DIR", "/a:/b"), ("JAVA_TOOL_OPTIONS", "-Xmx1g")];
        let trust = trust(false, true, &theirs, &[]);
        assert_eq!(value(&trust, SSL_CERT_DIR), "/a:/b:/var/run/outrigger/trust/hashed");
        assert_eq!(
            value(&trust, JAVA_TOOL_OPTIONS),
            "-Xmx1g -Djavax.net.ssl.trustStore=/var/run/outrigger/trust/truststore.jks"
        );
    }

    #[test]
    fn a_java_store_of_the_users_own_stays_whichever_variable_names_it() {
        for name in ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"] {
            let trust = trust(true, true, &[(name, "-Djavax.net.ssl.trustStore=/theirs.jks")], &[]);
            assert!(!names(&trust).contains(&JAVA_TOOL_OPTIONS));
            assert!(
                trust.notes.iter().any(|note| note.text.contains(name) && note.text.contains("import")),
                "{:?}",
                trust.notes
            );
        }
    }

    #[test]
    fn a_merged_file_stands_for_the_users_own() {
        let theirs = [("CURL_CA_BUNDLE", "/theirs.pem")];
        let merged = [("CURL_CA_BUNDLE", "/both.pem"), ("REQUESTS_CA_BUNDLE", "/both.pem")];
        let trust = trust(true, true, &theirs, &merged);
        assert_eq!(value(&trust, "CURL_CA_BUNDLE"), "/both.pem");
        assert_eq!(value(&trust, "REQUESTS_CA_BUNDLE"), "/both.pem");
        assert!(trust.notes.is_empty(), "{:?}", trust.notes);
    }

    #[test]
    fn an_empty_variable_is_none() {
        assert_eq!(
            trust(true, true, &[("SSL_CERT_FILE", ""), ("SSL_CERT_DIR", "")], &[]),
            trust(true, true, &[], &[])
        );
    }
}
