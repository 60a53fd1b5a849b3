//! Nothing lost: what a program reached by a private authority of its own, it still reaches after injection.

use std::collections::BTreeMap;
use std::path::Path;

use outrigger_simulator::{Config, Simulator};
use outrigger_tests::netns::{ELSEWHERE, ELSEWHERE_NAME, Network};

use super::clients::{ALL, Callee, Client, Outcome, named};
use super::image::Image;
use super::{ADDED_HOSTS, in_pods, injected};

/// How a container comes to trust its company's authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    /// It is in the image's stores.
    Store,
    /// A variable names a file that holds it alone.
    File(&'static str),
    /// A variable names a directory that holds it under its hashed name.
    Directory(&'static str),
    /// Java is told of a trust store.
    JavaStore(&'static str),
    /// PHP reads one more ini file.
    Ini,
}

/// By which variables which clients are told of an authority.
const TOLD: [(&str, &str, Own); 36] = [
    ("Python", "openai", Own::File("SSL_CERT_FILE")),
    ("Python", "openai", Own::Directory("SSL_CERT_DIR")),
    ("Python", "anthropic (async)", Own::File("SSL_CERT_FILE")),
    ("Python", "google-genai", Own::File("SSL_CERT_FILE")),
    ("Python", "google-genai (async)", Own::File("SSL_CERT_FILE")),
    ("Python", "urllib", Own::File("SSL_CERT_FILE")),
    ("Python", "urllib", Own::Directory("SSL_CERT_DIR")),
    ("Python", "httpx", Own::File("SSL_CERT_FILE")),
    ("Python", "httpx", Own::Directory("SSL_CERT_DIR")),
    ("Python", "aiohttp", Own::File("SSL_CERT_FILE")),
    ("Python", "requests", Own::File("REQUESTS_CA_BUNDLE")),
    ("Python", "requests", Own::File("CURL_CA_BUNDLE")),
    ("Python", "boto3", Own::File("AWS_CA_BUNDLE")),
    ("Python", "boto3", Own::File("REQUESTS_CA_BUNDLE")),
    ("Python", "grpcio", Own::File("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")),
    ("Node", "openai", Own::File("NODE_EXTRA_CA_CERTS")),
    ("Node", "fetch", Own::File("NODE_EXTRA_CA_CERTS")),
    ("Node", "https", Own::File("NODE_EXTRA_CA_CERTS")),
    ("Node", "@grpc/grpc-js", Own::File("NODE_EXTRA_CA_CERTS")),
    ("Node", "@grpc/grpc-js", Own::File("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")),
    ("Deno", "fetch", Own::File("DENO_CERT")),
    ("Bun", "fetch", Own::File("NODE_EXTRA_CA_CERTS")),
    ("Go", "net/http", Own::File("SSL_CERT_FILE")),
    ("Go", "net/http", Own::Directory("SSL_CERT_DIR")),
    ("Java", "HttpClient", Own::JavaStore("JAVA_TOOL_OPTIONS")),
    ("Java", "openai-java", Own::JavaStore("JDK_JAVA_OPTIONS")),
    ("Rust", "reqwest", Own::File("SSL_CERT_FILE")),
    ("Rust", "reqwest", Own::Directory("SSL_CERT_DIR")),
    ("Ruby", "net/http", Own::File("SSL_CERT_FILE")),
    ("Ruby", "net/http", Own::Directory("SSL_CERT_DIR")),
    ("PHP", "streams", Own::File("SSL_CERT_FILE")),
    ("PHP", "curl", Own::Ini),
    ("curl", "curl", Own::File("CURL_CA_BUNDLE")),
    ("curl", "curl", Own::File("SSL_CERT_FILE")),
    ("curl", "curl", Own::Directory("SSL_CERT_DIR")),
    ("git", "git", Own::File("GIT_SSL_CAINFO")),
];

/// Runtimes whose public roots are compiled in: nothing can be in a store of theirs.
const COMPILED_IN: [&str; 3] = ["Node", "Deno", "Bun"];

fn cases() -> Vec<(Client, Own)> {
    let stores = ALL
        .into_iter()
        .filter(|client| !COMPILED_IN.contains(&client.runtime) && client.library != "pinned roots")
        .map(|client| (client, Own::Store));
    let told = TOLD.into_iter().map(|(runtime, library, own)| (named(runtime, library), own));
    stores.chain(told).collect()
}

struct Pod {
    network: Network,
    /// Without the company's authority, and with it.
    plain: Image,
    private: Image,
    provider: Simulator,
    company: Simulator,
}

impl Pod {
    fn new() -> Pod {
        let network = Network::new(&[]);
        let mut hosts = "127.0.0.1 localhost\n".to_owned();
        hosts.push_str(&format!("{} {ELSEWHERE_NAME}\n", ELSEWHERE[0]));
        network.hosts(&hosts);
        let provider = network.beyond.enter(|| Simulator::start(Config::default())).expect("a simulator");
        let company = network.simulator(Config {
            listen: Some((ELSEWHERE[0], 443).into()),
            gateways: vec![ELSEWHERE_NAME.to_owned()],
            authority: Some("company authority".to_owned()),
            ..Config::default()
        });
        let plain = Image::trusting(&[provider.ca_pem()]);
        let private = Image::trusting(&[provider.ca_pem(), company.ca_pem()]);
        Pod { network, plain, private, provider, company }
    }

    fn environment(&self, own: Own) -> BTreeMap<String, String> {
        let pem = self.company.ca_pem();
        let shown = |path: &Path| path.display().to_string();
        let pair = match own {
            Own::Store => return BTreeMap::new(),
            Own::File(name) => (name, shown(&self.plain.write("company.pem", pem))),
            Own::Directory(name) => (name, shown(&self.plain.hashed(pem))),
            Own::JavaStore(name) => {
                (name, format!("-Djavax.net.ssl.trustStore={}", shown(&self.plain.java_store_of(pem))))
            }
            Own::Ini => {
                let file = self.plain.write("company.pem", pem);
                let ini = self.plain.write("company.ini", &format!("curl.cainfo={}\n", shown(&file)));
                // An empty part stands for the usual folder.
                ("PHP_INI_SCAN_DIR", format!(":{}", shown(ini.parent().expect("a folder"))))
            }
        };
        BTreeMap::from([(pair.0.to_owned(), pair.1)])
    }

    /// What is lost, if anything is.
    fn lost(&self, client: &Client, own: Own) -> Vec<String> {
        let image = if own == Own::Store { &self.private } else { &self.plain };
        let theirs = self.environment(own);
        let call = |environment: &BTreeMap<String, String>| -> Outcome {
            client.call(&self.network, image, Callee::Internal, environment)
        };
        let mut lost = Vec::new();
        let before = call(&theirs);
        if !before.answered {
            lost.push(format!("before injection: {}", before.said));
        }
        let output = self.network.redirect(&["--on-proxy-down", "closed", "--failure-policy", "closed"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // The operator who gives the company's authority as an extra CA has the proof.
        for (proven, authorities) in [
            (false, self.provider.ca_pem().to_owned()),
            (true, format!("{}{}", self.provider.ca_pem(), self.company.ca_pem())),
        ] {
            let sidecar =
                self.network.sidecar(&authorities).variable("OUTRIGGER_HOSTS", ADDED_HOSTS.join(",")).start();
            let mut environment = theirs.clone();
            environment.extend(
                injected(&sidecar, &theirs, proven).into_iter().map(|(name, value)| (name.to_owned(), value)),
            );
            let after = call(&environment);
            if !after.answered {
                lost.push(format!(
                    "after injection (proven: {proven}): {}; with {environment:?}",
                    after.said
                ));
            }
        }
        let output = self.network.redirect(&["--undo"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lost
    }
}

#[test]
fn what_a_private_authority_opened_before_stays_open() {
    let cases = cases();
    let found = in_pods(&cases, Pod::new, |pod, (client, own)| pod.lost(client, *own));
    let lost: Vec<String> = cases
        .iter()
        .zip(found)
        .flat_map(|((client, own), lost)| {
            lost.into_iter().map(move |what| format!("{} {} {own:?}: {what}", client.runtime, client.library))
        })
        .collect();
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
