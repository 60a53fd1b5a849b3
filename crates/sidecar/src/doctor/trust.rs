//! Judges the published trust files against the authority that the sidecar uses.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use outrigger_contract::trust_files;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::doctor::checks;
use crate::doctor::finding::Finding;

/// A bundle with the public roots holds well over a hundred.
const FEW: usize = 20;
const JKS_MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
/// A DER sequence.
const P12_MAGIC: [u8; 1] = [0x30];

/// Looks at every file that programs may be given.
pub(super) fn judge(dir: &Path, ca: &CertificateDer<'_>) -> Vec<Finding> {
    let faults: Vec<Finding> = [
        pem(dir, trust_files::CA, ca, 1),
        pem(dir, trust_files::ADDITIONS, ca, 1),
        pem(dir, trust_files::BUNDLE, ca, FEW),
        store(dir, trust_files::TRUSTSTORE_JKS, &JKS_MAGIC, Some(ca)),
        // Its contents are encrypted.
        store(dir, trust_files::TRUSTSTORE_P12, &P12_MAGIC, None),
        hashed(dir, ca),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect();
    if faults.is_empty() {
        vec![
            checks::TRUST_OK
                .found(format!("the trust files in {} are whole, readable and ours", dir.display())),
        ]
    } else {
        faults
    }
}

fn pem(dir: &Path, name: &str, ca: &CertificateDer<'_>, fewest: usize) -> Result<(), Finding> {
    let file = dir.join(name);
    let bytes = read(&file)?;
    let held: Vec<_> = CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).collect();
    if !held.contains(ca) {
        return Err(checks::TRUST_DIFFERS
            .found(format!("{} does not hold the authority that the sidecar uses", file.display())));
    }
    if held.len() < fewest {
        return Err(checks::TRUST_EMPTY.found(format!(
            "{} holds {} certificates only",
            file.display(),
            held.len()
        )));
    }
    Ok(())
}

fn store(dir: &Path, name: &str, magic: &[u8], ca: Option<&CertificateDer<'_>>) -> Result<(), Finding> {
    let file = dir.join(name);
    let bytes = read(&file)?;
    if !bytes.starts_with(magic) {
        return Err(checks::TRUST_MISSING.found(format!("{} is damaged", file.display())));
    }
    if ca.is_some_and(|ca| !bytes.windows(ca.len()).any(|part| part == ca.as_ref())) {
        return Err(checks::TRUST_DIFFERS
            .found(format!("{} does not hold the authority that the sidecar uses", file.display())));
    }
    Ok(())
}

fn hashed(dir: &Path, ca: &CertificateDer<'_>) -> Result<(), Finding> {
    let hashed = dir.join(trust_files::HASHED);
    let entries = std::fs::read_dir(&hashed).map_err(|error| missing(&hashed, &error))?;
    open_to_others(&hashed, 0o005)?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    // In an app's container they lead to what its image trusts, and here nowhere.
    let is_theirs =
        |link: PathBuf| trust_files::SYSTEM_BUNDLES.iter().any(|bundle| link == Path::new(bundle));
    for file in files.filter(|file| !std::fs::read_link(file).is_ok_and(is_theirs)) {
        let bytes = read(&file)?;
        if CertificateDer::pem_slice_iter(&bytes).any(|held| held.is_ok_and(|held| held == *ca)) {
            return Ok(());
        }
    }
    Err(checks::TRUST_DIFFERS
        .found(format!("{} does not hold the authority that the sidecar uses", hashed.display())))
}

/// The bytes of a file that others may read, too.
fn read(file: &Path) -> Result<Vec<u8>, Finding> {
    let bytes = std::fs::read(file).map_err(|error| missing(file, &error))?;
    open_to_others(file, 0o004)?;
    Ok(bytes)
}

fn open_to_others(path: &Path, needed: u32) -> Result<(), Finding> {
    let mode = std::fs::metadata(path).map_err(|error| missing(path, &error))?.permissions().mode();
    if mode & needed == needed {
        return Ok(());
    }
    Err(checks::TRUST_CLOSED.found(format!("{} has mode {:03o}", path.display(), mode & 0o777)))
}

fn missing(path: &Path, error: &io::Error) -> Finding {
    // The first link on the way that leads nowhere, not only the last name: the whole directory may be behind one.
    let broken = path.ancestors().find(|part| part.is_symlink() && !part.exists());
    match (broken, error.kind()) {
        (Some(link), _) => checks::TRUST_LINK.found(format!("{} leads nowhere", link.display())),
        (None, io::ErrorKind::NotFound) => {
            checks::TRUST_MISSING.found(format!("{} is missing", path.display()))
        }
        (None, _) => checks::TRUST_MISSING.found(format!("{} cannot be read: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::tls::authority::Authority;
    use crate::tls::publish;

    fn authority() -> (String, CertificateDer<'static>) {
        let pem = Authority::generate(std::iter::once("api.openai.com")).unwrap().root_pem().to_owned();
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        (pem, der)
    }

    /// What is found after `harm` was done to published files.
    fn found(harm: impl FnOnce(&Path)) -> Vec<&'static str> {
        let dir = tempfile::tempdir().unwrap();
        let (pem, ca) = authority();
        publish::write(dir.path(), &pem, "").unwrap();
        harm(dir.path());
        judge(dir.path(), &ca).into_iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn what_was_published_is_in_order() {
        assert_eq!(found(|_| ()), ["trust-ok"]);
    }

    #[test]
    fn each_harm_has_its_finding() {
        let (foreign, _) = authority();
        let bundle = |dir: &Path| dir.join(trust_files::BUNDLE);
        // What is opened by name is a link; nothing behind it is written to.
        let replace = |dir: &Path, name: &str, text: &str| {
            std::fs::remove_file(dir.join(name)).unwrap();
            std::fs::write(dir.join(name), text).unwrap();
        };
        assert_eq!(found(|dir| std::fs::remove_file(bundle(dir)).unwrap()), ["trust-missing"]);
        for name in [trust_files::CA, trust_files::ADDITIONS, trust_files::BUNDLE] {
            assert_eq!(found(|dir| replace(dir, name, &foreign)), ["trust-ca-differs"], "{name}");
        }
        let thin = |dir: &Path| {
            let ca = std::fs::read_to_string(dir.join(trust_files::CA)).unwrap();
            replace(dir, trust_files::BUNDLE, &ca);
        };
        assert_eq!(found(thin), ["trust-bundle-thin"]);
        let cut = |dir: &Path| replace(dir, trust_files::TRUSTSTORE_JKS, "");
        assert_eq!(found(cut), ["trust-missing"]);
        let without = |dir: &Path| {
            let magic = JKS_MAGIC;
            std::fs::remove_file(dir.join(trust_files::TRUSTSTORE_JKS)).unwrap();
            std::fs::write(dir.join(trust_files::TRUSTSTORE_JKS), magic).unwrap();
        };
        assert_eq!(found(without), ["trust-ca-differs"]);
        let unhashed = |dir: &Path| {
            std::fs::remove_file(dir.join(trust_files::HASHED)).unwrap();
            std::fs::create_dir(dir.join(trust_files::HASHED)).unwrap();
        };
        assert_eq!(found(unhashed), ["trust-ca-differs"]);
        let closed =
            |dir: &Path| std::fs::set_permissions(bundle(dir), Permissions::from_mode(0o600)).unwrap();
        assert_eq!(found(closed), ["trust-unreadable"]);
        let dangling = |dir: &Path| {
            std::fs::remove_file(bundle(dir)).unwrap();
            symlink("nowhere", bundle(dir)).unwrap();
        };
        assert_eq!(found(dangling), ["trust-link-broken"]);
        assert_eq!(found(|dir| std::fs::remove_dir_all(dir).unwrap())[0], "trust-missing");
    }
}
