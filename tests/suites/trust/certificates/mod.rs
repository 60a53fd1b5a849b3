//! The certificates themselves, by tools that others wrote: their form, their life over restarts, the stores they are
//! published in, and that nobody accepts a name outside the constraint.

mod form;
mod life;
mod runtimes;
mod stores;

use std::path::{Path, PathBuf};
use std::process::Command;

use outrigger_tests::sidecar::{Volumes, write_pem};
use rustls::pki_types::CertificateDer;

/// A listed host.
const HOST: &str = "api.openai.com";
/// Listed hosts of every provider.
const HOSTS: [&str; 8] = [
    "api.openai.com",
    "us.api.openai.com",
    "eu.api.openai.com",
    "ae.api.openai.com",
    "au.api.openai.com",
    "in.api.openai.com",
    "jp.api.openai.com",
    "api.anthropic.com",
];

/// What a tool printed, both streams, and whether it was content.
struct Said {
    success: bool,
    text: String,
}

fn say(command: &mut Command) -> Said {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    Said { success: output.status.success(), text: String::from_utf8_lossy(&text).into_owned() }
}

/// What a tool printed that must be content.
fn ask(command: &mut Command) -> String {
    let said = say(command);
    assert!(said.success, "{command:?}: {}", said.text);
    said.text
}

fn openssl(arguments: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.args(arguments);
    outrigger_tests::process::clean(&mut command);
    command
}

/// A chain as a client was shown it, as files.
struct Chain {
    directory: tempfile::TempDir,
}

impl Chain {
    fn shown(volumes: &Volumes, chain: &[CertificateDer<'_>]) -> Chain {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let [leaf, issuing] = chain else { panic!("leaf and issuing certificate: {}", chain.len()) };
        write_pem(&directory.path().join("leaf.pem"), leaf);
        write_pem(&directory.path().join("issuing.pem"), issuing);
        std::fs::write(directory.path().join("root.pem"), volumes.root_pem()).expect("a temporary file");
        Chain { directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.pem"))
    }

    /// One line about one of its certificates.
    fn field(&self, name: &str, fields: &[&str]) -> String {
        ask(openssl(&["x509", "-noout"]).args(fields).arg("-in").arg(self.file(name)))
    }

    fn verify(&self, arguments: &[&str]) -> Said {
        say(openssl(&["verify", "-x509_strict", "-CAfile"])
            .arg(self.file("root"))
            .arg("-untrusted")
            .arg(self.file("issuing"))
            .args(arguments)
            .arg(self.file("leaf")))
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
