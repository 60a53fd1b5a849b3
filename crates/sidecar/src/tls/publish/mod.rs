//! The public trust files: what an app needs to accept our leaves and everything it accepted before, in every form that
//! runtimes read. Once per start, before anything is served.
//!
//! All forms are written into a fresh directory and appear by one rename of one link, so a reader sees the old set or the
//! new one. What it opens by name are links that never change:
//!
//! ```text
//! ca.pem -> ..data/ca.pem        hashed -> ..data/hashed        ..data -> ..1a2b3c4d
//! ```
//!
//! Nothing waits for the disk: what a crash of the machine tears is published anew before any program starts again, and is
//! known by its boot to be of no use.

mod hashed;
mod jks;
pub(crate) mod pem;
mod pkcs12;

use std::collections::HashSet;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use outrigger_contract::trust_files;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::tls::der::Certificate;

/// The link that is switched.
const CURRENT: &str = "..data";
/// What the aliases of public authorities begin with.
const PUBLIC: &str = "public";
/// In each version, during which boot of the machine it was published, and by which version of ours.
const ORIGIN: &str = "origin";
/// Everyone reads them, whatever the umask says.
const FILE_MODE: u32 = 0o444;
const DIRECTORY_MODE: u32 = 0o755;

/// The public certificate authorities (Mozilla's set, compiled in) as PEM text.
#[must_use]
pub fn public_roots_pem() -> String {
    let mut text = String::with_capacity(256 * 1024);
    for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        pem::push(&mut text, root);
    }
    text
}

/// Publishes the trust files in `dir`: `ca.pem` holds `root_pem` alone, `additions.pem` that and `extra_pem`, all other forms the public roots
/// as well. Both are PEM text with any number of certificates.
///
/// # Errors
/// The system's, when the directory cannot be made or written. What was published before stays in place then.
pub fn write(dir: &Path, root_pem: &str, extra_pem: &str) -> io::Result<()> {
    let ours = parse(root_pem);
    let extra = parse(extra_pem);
    let anchors = Anchors::new(&ours, &extra);
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(dir)?;
    // The mount point of a volume may belong to somebody else; it is readable then by the volume's own rules.
    let _theirs = std::fs::set_permissions(dir, Permissions::from_mode(DIRECTORY_MODE));
    let forms = anchors.forms(&ours);
    if let Some(current) =
        std::fs::read_link(dir.join(CURRENT)).ok().filter(|_| forms.are_in(&dir.join(CURRENT)))
    {
        return switch(dir, &current.to_string_lossy());
    }
    let version = format!("..{:08x}", random()?);
    let written = anchors.write(&dir.join(&version), &forms).and_then(|()| switch(dir, &version));
    // On success every version but this one, else this one.
    tidy(dir);
    written
}

/// The root that programs may have read by now: what `ca.pem` held when it was published during this boot. After a boot every
/// program has started anew, too.
pub(crate) fn published_root(dir: &Path) -> Option<Vec<u8>> {
    let root = std::fs::read(dir.join(trust_files::CA)).ok()?;
    match std::fs::read_to_string(dir.join(CURRENT).join(ORIGIN)) {
        Ok(then) if boot().is_some_and(|now| !then.starts_with(&now)) => None,
        _ => Some(root),
    }
}

fn origin() -> String {
    format!("{}{}\n", boot().unwrap_or_default(), outrigger_contract::VERSION)
}

/// Which boot of the machine this is.
fn boot() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()
}

fn parse(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect()
}

fn random() -> io::Result<u32> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u32::from_ne_bytes(bytes))
}

/// Everything that is trusted, each once.
struct Anchors<'a>(Vec<(String, &'a [u8], Certificate<'a>)>);

impl<'a> Anchors<'a> {
    fn new(ours: &'a [CertificateDer<'_>], extra: &'a [CertificateDer<'_>]) -> Anchors<'a> {
        let mut known = HashSet::new();
        let mut anchors = Vec::new();
        let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(AsRef::as_ref);
        let sources: [(&str, Vec<&'a [u8]>); 3] = [
            (PUBLIC, public.collect()),
            ("extra", extra.iter().map(AsRef::as_ref).collect()),
            ("outrigger", ours.iter().map(AsRef::as_ref).collect()),
        ];
        for (source, certificates) in sources {
            for (number, der) in certificates.into_iter().enumerate().filter(|(_, der)| known.insert(*der)) {
                match Certificate::parse(der) {
                    Some(certificate) => anchors.push((format!("{source}-{}", number + 1), der, certificate)),
                    None => tracing::warn!(
                        number = number + 1,
                        "one of the {source} authorities is no certificate; it is left out of the trust files"
                    ),
                }
            }
        }
        Anchors(anchors)
    }

    fn forms(&self, ours: &[CertificateDer<'_>]) -> Forms {
        let each: Vec<String> = self.0.iter().map(|(_, der, _)| pem::text(der)).collect();
        let is_added = |alias: &str| !alias.starts_with(PUBLIC);
        Forms {
            additions: self
                .0
                .iter()
                .filter(|(alias, ..)| is_added(alias))
                .map(|(_, der, _)| pem::text(der))
                .collect(),
            ca: ours.iter().map(|der| pem::text(der)).collect(),
            bundle: each.concat(),
            each,
            origin: origin(),
        }
    }

    fn write(&self, version: &Path, forms: &Forms) -> io::Result<()> {
        make_directory(version)?;
        let entries: Vec<(String, &[u8])> =
            self.0.iter().map(|(alias, der, _)| (alias.clone(), *der)).collect();
        for (name, bytes) in [
            (trust_files::CA, forms.ca.as_bytes()),
            (trust_files::ADDITIONS, forms.additions.as_bytes()),
            (trust_files::BUNDLE, forms.bundle.as_bytes()),
            (trust_files::TRUSTSTORE_JKS, &jks::store(&entries)),
            (trust_files::TRUSTSTORE_P12, &pkcs12::store(&entries)?),
            (ORIGIN, forms.origin.as_bytes()),
        ] {
            write_file(&version.join(name), bytes)?;
        }
        let directory = version.join(trust_files::HASHED);
        make_directory(&directory)?;
        let mut names = hashed::Names::default();
        for ((_, _, certificate), text) in self.0.iter().zip(&forms.each) {
            write_file(&directory.join(names.next(certificate)), text.as_bytes())?;
        }
        // They lead nowhere here, and in an app's container to what its image trusts.
        for bundle in trust_files::SYSTEM_BUNDLES {
            symlink(bundle, directory.join(names.nobodys()))?;
        }
        make_unsplit_list(version)
    }
}

/// The texts from which everything else follows.
struct Forms {
    ca: String,
    /// Of the bundle, those that are not public.
    additions: String,
    bundle: String,
    /// Of the bundle, one by one.
    each: Vec<String>,
    origin: String,
}

impl Forms {
    /// Whether a version holds them already. It does after most restarts, and some two hundred files need not be written.
    fn are_in(&self, version: &Path) -> bool {
        [(trust_files::CA, &self.ca), (trust_files::BUNDLE, &self.bundle), (ORIGIN, &self.origin)]
            .into_iter()
            .all(|(name, text)| std::fs::read(version.join(name)).is_ok_and(|there| there == text.as_bytes()))
    }
}

/// Some readers take `SSL_CERT_DIR` for one directory and not for a list, and would trust nothing at all. The list, read as one
/// path, leads to our directory too.
fn make_unsplit_list(version: &Path) -> io::Result<()> {
    let list = unsplit_list();
    let (parents, last) = list.rsplit_once('/').unwrap_or(("", &list));
    let mut directory = version.to_owned();
    let mut back = String::new();
    for part in parents.split('/') {
        directory.push(part);
        make_directory(&directory)?;
        back.push_str("../");
    }
    symlink(format!("{back}{}", trust_files::HASHED), directory.join(last))
}

/// `hashed:/etc/ssl/certs:…`, a path below the trust directory.
fn unsplit_list() -> String {
    format!("{}:{}", trust_files::HASHED, trust_files::SYSTEM_DIRECTORIES.join(":"))
}

fn make_directory(directory: &Path) -> io::Result<()> {
    std::fs::create_dir(directory)?;
    std::fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    file.write_all(bytes)
}

/// The moment at which everything appears.
fn switch(dir: &Path, version: &str) -> io::Result<()> {
    let list = format!("{}:", trust_files::HASHED);
    for name in [
        trust_files::CA,
        trust_files::ADDITIONS,
        trust_files::BUNDLE,
        trust_files::TRUSTSTORE_JKS,
        trust_files::TRUSTSTORE_P12,
        trust_files::HASHED,
        &list,
    ] {
        link(dir, name, &format!("{CURRENT}/{name}"))?;
    }
    link(dir, CURRENT, version)
}

/// Makes `name` a link to `target`, in one step where it exists.
fn link(dir: &Path, name: &str, target: &str) -> io::Result<()> {
    let place = dir.join(name);
    if std::fs::read_link(&place).is_ok_and(|now| now == Path::new(target)) {
        return Ok(());
    }
    let fresh = dir.join("..link");
    // Left over from a start that was broken off.
    let _none = std::fs::remove_file(&fresh);
    symlink(target, &fresh)?;
    std::fs::rename(fresh, place)
}

/// Removes every version that is not the current one. What cannot be removed is in nobody's way.
fn tidy(dir: &Path) {
    let current = std::fs::read_link(dir.join(CURRENT)).ok();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_version =
            name.as_encoded_bytes().starts_with(b"..") && entry.path().is_dir() && name != CURRENT;
        if is_version && current.as_deref() != Some(Path::new(&name)) {
            let _kept = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn root(number: usize) -> String {
        pem::text(&webpki_root_certs::TLS_SERVER_ROOT_CERTS[number])
    }

    fn ours() -> String {
        let authority =
            crate::tls::authority::Authority::generate(std::iter::once("api.openai.com")).unwrap();
        authority.root_pem().to_owned()
    }

    fn count(file: PathBuf) -> usize {
        CertificateDer::pem_file_iter(file).unwrap().map(Result::unwrap).count()
    }

    #[test]
    fn every_form_holds_the_public_roots_the_extras_and_ours_once() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, extra) = (ours(), ours());
        write(dir.path(), &ours, &format!("{extra}{}", root(0))).unwrap();
        let all = webpki_root_certs::TLS_SERVER_ROOT_CERTS.len() + 2;
        assert_eq!(count(dir.path().join(trust_files::CA)), 1);
        assert_eq!(
            count(dir.path().join(trust_files::ADDITIONS)),
            2,
            "the extra that is public is among those"
        );
        assert_eq!(count(dir.path().join(trust_files::BUNDLE)), all);
        let hashed = dir.path().join(trust_files::HASHED);
        let is_link = |entry: &std::fs::DirEntry| entry.file_type().unwrap().is_symlink();
        let (links, files): (Vec<_>, Vec<_>) =
            std::fs::read_dir(&hashed).unwrap().map(Result::unwrap).partition(is_link);
        assert_eq!(files.len(), all);
        let mut bundles: Vec<PathBuf> =
            links.iter().map(|entry| std::fs::read_link(entry.path()).unwrap()).collect();
        bundles.sort();
        let mut expected = trust_files::SYSTEM_BUNDLES.map(PathBuf::from);
        expected.sort();
        assert_eq!(bundles, expected);
        // As one path, the whole list leads there too.
        let unsplit = PathBuf::from(format!("{}/{}", dir.path().display(), unsplit_list()));
        assert_eq!(unsplit.canonicalize().unwrap(), hashed.canonicalize().unwrap());
    }

    #[test]
    fn a_second_publishing_leaves_one_version_under_the_same_names() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, extra) = (ours(), ours());
        let bundle = dir.path().join(trust_files::BUNDLE);
        write(dir.path(), &ours, "").unwrap();
        let (first, before) = (bundle.canonicalize().unwrap(), count(bundle.clone()));
        write(dir.path(), &ours, &extra).unwrap();
        assert_eq!(count(bundle.clone()), before + 1);
        assert!(!first.exists(), "the old version is gone");
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            9,
            "seven names, the switch and one version"
        );
    }

    #[test]
    fn what_has_not_changed_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let ours = ours();
        let current = || std::fs::read_link(dir.path().join(CURRENT)).unwrap();
        write(dir.path(), &ours, "").unwrap();
        let first = current();
        std::fs::remove_file(dir.path().join(trust_files::CA)).unwrap();
        write(dir.path(), &ours, "").unwrap();
        assert_eq!(current(), first);
        assert_eq!(count(dir.path().join(trust_files::CA)), 1, "its name is there again");
        // Another boot, or another version of ours, may have written less.
        let origin = dir.path().join(CURRENT).join(ORIGIN);
        std::fs::remove_file(&origin).unwrap();
        std::fs::write(&origin, "another\n").unwrap();
        write(dir.path(), &ours, "").unwrap();
        assert_ne!(current(), first);
    }

    #[test]
    fn modes_do_not_follow_the_umask() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &ours(), "").unwrap();
        let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(dir.path().to_owned()), DIRECTORY_MODE);
        assert_eq!(mode(dir.path().join(trust_files::HASHED)), DIRECTORY_MODE);
        assert_eq!(mode(dir.path().join(CURRENT)), DIRECTORY_MODE);
        for name in [
            trust_files::CA,
            trust_files::ADDITIONS,
            trust_files::BUNDLE,
            trust_files::TRUSTSTORE_JKS,
            trust_files::TRUSTSTORE_P12,
        ] {
            assert_eq!(mode(dir.path().join(name)), FILE_MODE, "{name}");
        }
        for file in std::fs::read_dir(dir.path().join(trust_files::HASHED)).unwrap() {
            let path = file.unwrap().path();
            assert!(path.is_symlink() || mode(path) == FILE_MODE);
        }
    }

    #[test]
    fn a_publishing_that_fails_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &ours(), "").unwrap();
        let before = std::fs::read(dir.path().join(trust_files::BUNDLE)).unwrap();
        // Nothing can be renamed over a directory that is not empty.
        let ca = dir.path().join(trust_files::CA);
        std::fs::remove_file(&ca).unwrap();
        std::fs::create_dir(&ca).unwrap();
        std::fs::write(ca.join("in-the-way"), "").unwrap();
        write(dir.path(), &ours(), &ours()).unwrap_err();
        assert_eq!(std::fs::read(dir.path().join(trust_files::BUNDLE)).unwrap(), before);
    }

    #[test]
    fn what_is_no_certificate_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &ours(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        let all = webpki_root_certs::TLS_SERVER_ROOT_CERTS.len() + 1;
        assert_eq!(count(dir.path().join(trust_files::BUNDLE)), all);
    }
}
