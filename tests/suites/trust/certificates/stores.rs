//! Every published form, read by what reads it in earnest.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use outrigger_tests::file;
use outrigger_tests::sidecar::Volumes;

use super::{Chain, HOST, ask, openssl, say, text};

fn published() -> Volumes {
    let volumes = Volumes::new();
    assert!(volumes.sidecar(&[]).end().status.success());
    volumes
}

/// Certificates in PEM text.
fn count(text: &str) -> usize {
    text.matches("BEGIN CERTIFICATE").count()
}

fn bundled(volumes: &Volumes) -> usize {
    let count = count(&fs::read_to_string(volumes.trust().join("bundle.pem")).expect("a bundle"));
    assert!(count > 100, "the public authorities: {count}");
    count
}

/// How many authorities a store holds for Java.
fn java(kind: &str, store: &Path, password: Option<&str>) -> usize {
    let mut command = Command::new("java");
    command.arg(file("clients/certificate/Stores.java")).arg(kind).arg(store).args(password);
    let said = say(&mut command);
    said.text.trim().parse().unwrap_or_else(|_| panic!("{}", said.text))
}

#[test]
fn java_reads_every_authority_from_its_stores() {
    let volumes = published();
    let all = bundled(&volumes);
    let (jks, p12) = (volumes.trust().join("truststore.jks"), volumes.trust().join("truststore.p12"));
    assert_eq!(java("JKS", &jks, Some("changeit")), all);
    assert_eq!(java("JKS", &jks, None), all, "javax.net.ssl.trustStore without a password");
    // As Java opens it that is told nothing of its kind.
    assert_eq!(java("PKCS12", &jks, Some("changeit")), all);
    assert_eq!(java("PKCS12", &p12, Some("changeit")), all);
    for store in [&jks, &p12] {
        let listed =
            ask(Command::new("keytool").args(["-list", "-storepass", "changeit", "-keystore"]).arg(store));
        assert_eq!(listed.matches("trustedCertEntry").count(), all, "{listed}");
    }
    let wrong =
        say(Command::new("keytool").args(["-list", "-storepass", "wrong-one", "-keystore"]).arg(&p12));
    assert!(!wrong.success, "the password is checked");
}

#[test]
fn openssl_reads_the_pkcs12_store() {
    let volumes = published();
    let store = volumes.trust().join("truststore.p12");
    let info = ask(openssl(&["pkcs12", "-nokeys", "-info", "-passin", "pass:changeit", "-in"]).arg(&store));
    assert_eq!(count(&info), bundled(&volumes));
    assert!(info.contains("PBES2") && info.contains("sha256"), "{}", &info[..info.len().min(600)]);
}

#[test]
fn the_directory_has_the_names_that_openssl_gives() {
    let volumes = published();
    let hashed = volumes.trust().join("hashed");
    let names = |directory: &Path| -> BTreeSet<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        // Ours lead to the system's own bundles as well.
        let entries = entries.map(|entry| entry.expect("an entry").path());
        let entries = entries.filter(|path| !fs::read_link(path).is_ok_and(|target| target.is_absolute()));
        let names = entries.filter_map(|path| path.file_name().map(|name| text(Path::new(name))));
        names.filter(|name| !name.contains("pem")).collect()
    };
    let ours = names(&hashed);
    assert_eq!(ours.len(), bundled(&volumes));
    let theirs = tempfile::tempdir().expect("a temporary directory");
    for (number, name) in ours.iter().enumerate() {
        fs::copy(hashed.join(name), theirs.path().join(format!("{number}.pem"))).expect("a copy");
    }
    ask(openssl(&["rehash"]).arg(theirs.path()));
    assert_eq!(ours, names(theirs.path()));
}

#[test]
fn the_directory_alone_is_enough_and_so_is_the_list_read_as_one_path() {
    let volumes = Volumes::new();
    let sidecar = volumes.sidecar(&[]);
    let shown = sidecar.handshake(HOST, &volumes.root_pem()).expect("a trusted certificate");
    let chain = Chain::shown(&volumes, &shown);
    let list = outrigger_contract::trust_files::SYSTEM_DIRECTORIES.join(":");
    let directory = text(&volumes.trust().join("hashed"));
    assert!(
        Path::new(&format!("{directory}:{list}")).join("..").is_dir(),
        "a reader that does not split the list"
    );
    for arguments in [["-CApath", directory.as_str()], ["-CApath", &format!("{directory}:{list}")]] {
        ask(openssl(&["verify", "-x509_strict", "-no-CAfile"])
            .args(arguments)
            .arg("-untrusted")
            .arg(chain.file("issuing"))
            .arg(chain.file("leaf")));
    }
}

#[test]
fn a_changed_extra_authority_appears_at_a_restart_under_the_same_root() {
    let volumes = published();
    let (root, before) = (volumes.root_pem(), bundled(&volumes));
    let extra = tempfile::NamedTempFile::new().expect("a temporary file");
    let other = outrigger_tests::tls::TlsServer::listen("intranet.example.test");
    fs::write(extra.path(), other.ca_pem()).expect("a temporary file");
    let sidecar = volumes.sidecar(&[("OUTRIGGER_EXTRA_CAS", &text(extra.path()))]);
    assert_eq!((bundled(&volumes), volumes.root_pem()), (before + 1, root.clone()));
    sidecar.handshake(HOST, &root).expect("the same authority");
    let versions = fs::read_dir(volumes.trust()).expect("a directory").count();
    assert_eq!(versions, 9, "seven names, the switch and one version");
}
