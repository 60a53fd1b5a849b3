//! What a program is given to trust: everything it trusted before, and our authority.
//!
//! On a host the proof that nothing is lost is at hand: the system's store and the user's own files are read, and what
//! replaces them holds them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use outrigger_contract::trust_files::SYSTEM_BUNDLES;
use outrigger_contract::trust_variables::{
    self, Container, Effect, JAVA_TOOL_OPTIONS, SSL_CERT_DIR, Trust, TrustVariable,
};
use outrigger_sidecar::{Bound, publish};

use crate::exec::environment::UserEnvironment;

/// Writes the files into `directory` and says how programs find them.
pub(crate) fn write(
    directory: &Path,
    bound: &Bound,
    extra: &[PathBuf],
    user: &UserEnvironment,
    java: bool,
) -> io::Result<Trust> {
    let mut bundles = SYSTEM_BUNDLES.iter();
    let system = bundles.find_map(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    let mut ours = String::new();
    for file in extra {
        push(&mut ours, &std::fs::read_to_string(file)?);
    }
    let mut added = system.clone();
    push(&mut added, &ours);
    publish::write(directory, bound.ca_pem(), &added)?;

    push(&mut ours, bound.ca_pem());
    let mut merged = BTreeMap::new();
    for variable in
        trust_variables::ALL.iter().filter(|one| ![SSL_CERT_DIR, JAVA_TOOL_OPTIONS].contains(&one.name))
    {
        if let Some(mut text) = theirs(variable, user, &system) {
            push(&mut text, if variable.effect == Effect::Adds { bound.ca_pem() } else { &ours });
            let file = directory.join(format!("{}.pem", variable.name.to_ascii_lowercase()));
            std::fs::write(&file, text)?;
            merged.insert(variable.name, file.to_string_lossy().into_owned());
        }
    }
    Ok(trust_variables::for_container(&Container {
        trust: &directory.to_string_lossy(),
        proven: true,
        java,
        environment: user.all(),
        merged: &merged,
    }))
}

/// What the variable's readers trust by the user's own setting of it, or of one that they turn to without it.
fn theirs(variable: &TrustVariable, user: &UserEnvironment, system: &str) -> Option<String> {
    let own = std::iter::once(variable.name);
    let (name, file) = own
        .chain(variable.instead_of.iter().copied().filter(|name| *name != SSL_CERT_DIR))
        .find_map(|name| Some((name, user.get(name)?)))?;
    let text = std::fs::read_to_string(file).ok()?;
    let adds = trust_variables::ALL.iter().any(|one| one.name == name && one.effect == Effect::Adds);
    if adds && variable.effect == Effect::Replaces {
        let mut all = publish::public_roots_pem();
        push(&mut all, system);
        push(&mut all, &text);
        return Some(all);
    }
    Some(text)
}

/// Appends PEM text on a line of its own.
fn push(text: &mut String, pem: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(pem);
}
