//! What becomes of the authority when the sidecar's container restarts.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use outrigger_tests::sidecar::Volumes;
use outrigger_tests::tls::TlsServer;

use super::{HOST, text};

#[test]
fn a_restarted_sidecar_is_trusted_by_who_trusted_the_first() {
    let volumes = Volumes::new();
    let first = volumes.sidecar(&[]);
    let root = volumes.root_pem();
    let shown = first.handshake(HOST, &root).expect("a trusted certificate");
    assert!(first.end().status.success());

    let second = volumes.sidecar(&[]);
    let again =
        second.handshake(HOST, &root).expect("a program that read the old root trusts the new process");
    assert_eq!(again[1], shown[1], "the same issuing certificate");
    assert_ne!(again[0], shown[0], "another leaf");
    assert_eq!(volumes.root_pem(), root);
    assert!(second.end().errors.contains("ca=\"kept\""));
}

#[test]
fn a_killed_sidecar_is_no_different() {
    let volumes = Volumes::new();
    let first = volumes.sidecar(&[]);
    let root = volumes.root_pem();
    // Dropping kills it.
    drop(first);
    volumes.sidecar(&[]).handshake(HOST, &root).expect("the same authority");
}

#[test]
fn the_issuing_key_is_the_sidecars_alone_and_everyone_reads_the_rest() {
    let volumes = Volumes::new();
    let _sidecar = volumes.sidecar(&[]);
    let mode = |path: std::path::PathBuf| {
        fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode()
            & 0o777
    };
    assert_eq!(mode(volumes.ca()), 0o700);
    assert_eq!(mode(volumes.ca().join("authority.pem")), 0o400);
    assert_eq!(mode(volumes.trust()), 0o755);
    for name in ["ca.pem", "bundle.pem", "truststore.jks", "truststore.p12"] {
        assert_eq!(mode(volumes.trust().join(name)), 0o444, "{name}");
    }
    assert_eq!(mode(volumes.trust().join("hashed")), 0o755);
}

#[test]
fn a_lost_authority_is_not_replaced_and_everything_passes_through() {
    let volumes = Volumes::new();
    assert!(volumes.sidecar(&[]).end().status.success());
    let root = volumes.root_pem();
    fs::remove_dir_all(volumes.ca()).expect("it is there");

    let provider = TlsServer::listen(HOST);
    let upstream = format!("{HOST}={}", provider.address());
    let sidecar = volumes.sidecar(&[("OUTRIGGER_UPSTREAMS", &upstream)]);
    let shown = std::thread::scope(|scope| {
        let served = scope.spawn(|| {
            let mut connection = provider.accept();
            while connection.conn.is_handshaking() {
                connection.conn.complete_io(&mut connection.sock).expect("a handshake");
            }
        });
        let shown = sidecar.handshake(HOST, provider.ca_pem()).expect("the provider's own certificate");
        served.join().expect("served");
        shown
    });
    assert_eq!(shown.len(), 1, "the provider's own chain, not ours");
    assert_eq!(volumes.root_pem(), root, "what programs are told to trust stays");
    let errors = sidecar.end().errors;
    assert!(
        errors.contains("ERROR") && errors.contains("is lost") && errors.contains("restart the pod"),
        "{errors}"
    );
}

#[test]
fn a_host_listed_later_waits_for_the_next_pod() {
    let volumes = Volumes::new();
    assert!(volumes.sidecar(&[]).end().status.success());
    let sidecar = volumes.sidecar(&[("OUTRIGGER_HOSTS", "gateway.example.test")]);
    sidecar.handshake(HOST, &volumes.root_pem()).expect("the others are read");
    let errors = sidecar.end().errors;
    assert!(
        errors.contains("gateway.example.test") && errors.contains("from the next pod start"),
        "{errors}"
    );
}

#[test]
fn an_unwritable_volume_stops_nothing_unless_that_is_asked_for() {
    let volumes = Volumes::new();
    fs::write(volumes.ca(), "").expect("a file in the place of the directory");
    let errors = volumes.sidecar(&[]).end().errors;
    assert!(errors.contains("cannot be stored") && errors.contains(&text(&volumes.ca())), "{errors}");

    let mut command = std::process::Command::new(outrigger_tests::setting("OUTRIGGER_SIDECAR_BIN"));
    command.env("OUTRIGGER_CA_DIR", volumes.ca()).env("OUTRIGGER_TRUST_DIR", volumes.trust());
    command.env("OUTRIGGER_FAILURE_POLICY", "closed").env("OUTRIGGER_CONNECT", "127.0.0.1:0");
    let ended = outrigger_tests::process::Program::start(command).end();
    assert!(!ended.status.success() && ended.errors.contains("certificate authority"), "{}", ended.errors);
}
