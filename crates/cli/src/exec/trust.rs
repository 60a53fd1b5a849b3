//! Files that a program is given to trust: everything it trusted before, and our authority.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use outrigger_sidecar::{Bound, publish};

use crate::exec::environment::UserEnvironment;

/// Variables whose file replaces what their readers trust.
pub(crate) const REPLACING: [&str; 6] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "GIT_SSL_CAINFO",
];
/// Variables whose file is added to it.
const ADDING: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];
/// Where Linux systems keep what they trust.
pub(crate) const SYSTEM_STORES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The files, by the variable that names them.
pub(crate) struct Trust {
    pub(crate) variables: BTreeMap<&'static str, PathBuf>,
}

/// Writes the files into `directory`.
pub(crate) fn write(
    directory: &Path,
    bound: &Bound,
    extra: &[PathBuf],
    user: &UserEnvironment,
) -> io::Result<Trust> {
    let mut ours = String::new();
    for file in extra {
        push(&mut ours, &std::fs::read_to_string(file)?);
    }
    push(&mut ours, bound.ca_pem());
    let mut variables = BTreeMap::new();
    // Without a file of its own a program trusts its system's store, or the public set that it ships.
    let shared = write_file(directory, "bundle", &everything_public(), &ours)?;
    for variable in REPLACING {
        let file = match user.get(variable).map(std::fs::read_to_string) {
            Some(Ok(theirs)) => write_file(directory, variable, &theirs, &ours)?,
            Some(Err(_)) | None => shared.clone(),
        };
        variables.insert(variable, file);
    }
    for variable in ADDING {
        let theirs =
            user.get(variable).and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        variables.insert(variable, write_file(directory, variable, &theirs, bound.ca_pem())?);
    }
    Ok(Trust { variables })
}

fn everything_public() -> String {
    let system = SYSTEM_STORES.iter().find_map(|file| std::fs::read_to_string(file).ok());
    let mut all = publish::public_roots_pem();
    push(&mut all, &system.unwrap_or_default());
    all
}

fn write_file(directory: &Path, name: &str, theirs: &str, ours: &str) -> io::Result<PathBuf> {
    let file = directory.join(format!("{}.pem", name.to_ascii_lowercase()));
    let mut text = theirs.to_owned();
    push(&mut text, ours);
    std::fs::write(&file, text)?;
    Ok(file)
}

/// Appends PEM text on a line of its own.
fn push(text: &mut String, pem: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(pem);
}
