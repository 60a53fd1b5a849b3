//! Stores of trusted certificates on this machine: the system's, a runtime's own, and whether `exec` keeps what they hold.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use outrigger_sidecar::doctor::finding::Finding;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::doctor::checks;
use crate::exec::environment::UserEnvironment;

const DAY: Duration = Duration::from_secs(86_400);
/// Two years: authorities are added and removed several times in that time.
const OLD: Duration = DAY.saturating_mul(730);

/// The certificates that `exec` gives in place of a program's own, by the variable that names their file.
#[derive(Debug, Default)]
pub(super) struct Bundles(BTreeMap<String, HashSet<CertificateDer<'static>>>);

impl Bundles {
    /// Reads the files among what is set. Where the user had set the variable, the runtime's own store was out of use before.
    pub(super) fn read(set: &BTreeMap<String, OsString>, user: &UserEnvironment) -> Bundles {
        let set = set.iter().filter(|(name, _)| user.get(name).is_none());
        let files = set.map(|(name, value)| (name, PathBuf::from(value))).filter(|(_, file)| file.is_file());
        Bundles(files.map(|(name, file)| (name.clone(), certificates(&file).into_iter().collect())).collect())
    }

    /// Whether a runtime that reads these variables, the first that is set, keeps all that its own store holds. Nothing is
    /// found where it has no such store, or nothing takes its place.
    pub(super) fn judge(&self, reader: &str, store: &Path, variables: &[&str]) -> Option<Finding> {
        let bundle = variables.iter().find_map(|name| self.0.get(*name))?;
        let held = certificates(store);
        if held.is_empty() {
            return None;
        }
        let lost = held.iter().filter(|one| !bundle.contains(*one)).count();
        let place = format!("{reader}: {}", store.display());
        Some(if lost == 0 {
            checks::CERTAIN
                .found(format!("{place}: all {} certificates stay trusted under `exec`", held.len()))
        } else {
            checks::LOST.found_with(
                format!("{place}: {lost} of {} certificates would not be trusted under `exec`", held.len()),
                format!("if they are meant: `outrigger exec --extra-ca {}`", store.display()),
            )
        })
    }
}

/// What a PEM file holds; nothing where it cannot be read.
fn certificates(file: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file)
        .map(|found| found.filter_map(Result::ok).collect())
        .unwrap_or_default()
}

/// The first of these stores that is there.
pub(super) fn system(stores: &[&str], now: SystemTime) -> Finding {
    let found = stores.iter().map(PathBuf::from).find_map(|file| {
        let held = certificates(&file).len();
        (held > 0).then_some((file, held))
    });
    let Some((file, held)) = found else {
        return checks::SYSTEM_STORE_NONE.found("no trust store of the system was found");
    };
    let changed = std::fs::metadata(&file).and_then(|found| found.modified()).ok();
    let age = changed.and_then(|changed| now.duration_since(changed).ok()).unwrap_or_default();
    let check = if age > OLD { &checks::SYSTEM_STORE_OLD } else { &checks::SYSTEM_STORE };
    let days = age.as_secs() / DAY.as_secs();
    check.found(format!("the system trusts the {held} certificates of {}, {days} days old", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(from: usize, count: usize) -> tempfile::NamedTempFile {
        let all = outrigger_sidecar::publish::public_roots_pem();
        let mut text = String::new();
        for part in all.split_inclusive("-----END CERTIFICATE-----\n").skip(from).take(count) {
            text.push_str(part);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn what_the_bundle_lacks_is_counted() {
        let (theirs, bundle) = (store(0, 3), store(1, 5));
        let given = |file: &tempfile::NamedTempFile| {
            Bundles::read(
                &[("GIT_SSL_CAINFO".to_owned(), file.path().as_os_str().to_owned())].into(),
                &UserEnvironment::default(),
            )
        };
        let judge = |file: &Path, bundles: &Bundles| bundles.judge("git", file, &["GIT_SSL_CAINFO"]);
        let finding = judge(theirs.path(), &given(&bundle)).unwrap();
        assert_eq!(finding.id, "authority-lost-to-exec");
        assert!(finding.text.contains("1 of 3") && finding.mend.unwrap().contains("--extra-ca"));
        assert_eq!(judge(theirs.path(), &given(&theirs)).unwrap().id, "authorities-kept");
        assert_eq!(judge(Path::new("/nowhere"), &given(&theirs)), None);
        // Nothing takes the store's place, so nothing of it is lost.
        assert_eq!(judge(theirs.path(), &Bundles::default()), None);
    }

    #[test]
    fn the_systems_store_is_told_with_its_age() {
        let file = store(0, 4);
        let path = file.path().to_str().unwrap();
        let now = SystemTime::now();
        let finding = system(&["/nowhere.pem", path], now + DAY + DAY);
        assert!(finding.id == "system-store" && finding.text.contains("4 certificates"), "{finding:?}");
        assert!(finding.text.contains("2 days old"), "{finding:?}");
        assert_eq!(system(&[path], now + OLD + DAY).id, "system-store-old");
        assert_eq!(system(&["/nowhere.pem"], now).id, "system-store-none");
    }
}
