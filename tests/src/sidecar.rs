//! `outrigger-sidecar` as a process on loopback, with directories that outlive it as a pod's volumes do.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use outrigger_contract::private_files;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::evidence::keep_files;
use crate::process::{Ended, Program, clean};
use crate::{DEADLINE, proxy, setting};

/// The volumes of a pod.
pub struct Volumes {
    directory: Folder,
    /// What backups are paid by: put there by the test, so no evidence of what our programs do.
    credentials: tempfile::TempDir,
    spool: PathBuf,
    /// Keeps a mount namespace, in which the spool is a disk of its own.
    mounts: Option<Program>,
}

impl Volumes {
    /// Empty ones.
    ///
    /// # Panics
    /// If no directory can be made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Volumes {
        let directory = Folder(tempfile::tempdir().expect("a temporary directory"));
        let spool = directory.path().join("spool");
        let credentials = tempfile::tempdir().expect("a temporary directory");
        Volumes { directory, credentials, spool, mounts: None }
    }

    /// Others, but for the spool, which is shared as it should not be.
    ///
    /// # Panics
    /// If no directory can be made.
    #[must_use]
    pub fn beside(other: &Volumes) -> Volumes {
        Volumes { spool: other.spool(), ..Volumes::new() }
    }

    /// With a spool on a small disk of its own, which lasts as long as they do. Needs root.
    ///
    /// # Panics
    /// If nothing can be mounted.
    #[must_use]
    pub fn with_small_spool(bytes: u32) -> Volumes {
        let volumes = Volumes::new();
        std::fs::create_dir(&volumes.spool).expect("a temporary directory");
        let mut command = Command::new("unshare");
        let script = "mount -t tmpfs -o size=\"$1\",mode=0700 spool \"$0\" && echo mounted && exec cat";
        command.args(["--mount", "/bin/sh", "-c", script]).arg(&volumes.spool).arg(bytes.to_string());
        let mounts = Program::start(command);
        mounts.output_line(|line| line == "mounted");
        Volumes { mounts: Some(mounts), ..volumes }
    }

    /// Where the issuing key is.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.directory.path().join("ca")
    }

    /// Where the public trust files are.
    #[must_use]
    pub fn trust(&self) -> PathBuf {
        self.directory.path().join("trust")
    }

    /// Where telemetry is kept while its endpoint is away.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.spool.clone()
    }

    /// The published root.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn root_pem(&self) -> String {
        std::fs::read_to_string(self.trust().join("ca.pem")).expect("a published root")
    }

    /// A file beside them, for a sidecar to read.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.directory.path().join(name);
        std::fs::write(&file, text).expect("a temporary file");
        file
    }

    /// A folder beside them.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.directory.path().join(name);
        std::fs::create_dir(&folder).expect("a temporary folder");
        folder
    }

    /// A backup's key in a file of this name; the folder of all of them.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn credential(&self, name: &str, key: &str) -> PathBuf {
        std::fs::write(self.credentials.path().join(name), key).expect("a temporary file");
        self.credentials.path().to_owned()
    }

    /// Starts a sidecar on them, with these variables, and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    #[must_use]
    pub fn sidecar(&self, variables: &[(&str, &str)]) -> Sidecar {
        // A umask that shows who relies on it.
        let mut command = match &self.mounts {
            Some(mounts) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--mount=/proc/{}/ns/mnt", mounts.id())).arg("/bin/sh");
                command
            }
            None => Command::new("/bin/sh"),
        };
        command.args(["-c", "umask 077; exec \"$0\""]).arg(setting("OUTRIGGER_SIDECAR_BIN"));
        clean(&mut command);
        for (name, value) in [
            ("OUTRIGGER_CONNECT", "127.0.0.1:0"),
            ("OUTRIGGER_BASE_URL", "127.0.0.1:0"),
            ("OUTRIGGER_TRANSPARENT_PORT", "0"),
            ("OUTRIGGER_METRICS", "127.0.0.1:0"),
        ] {
            command.env(name, value);
        }
        command.env("OUTRIGGER_CA_DIR", self.ca()).env("OUTRIGGER_TRUST_DIR", self.trust());
        command.envs(variables.iter().copied());
        let program = Program::start(command);
        let Some(ready) = program.error_line(DEADLINE, |line| line.contains(" ready ")) else {
            panic!("the sidecar is not ready: {}", program.end().errors);
        };
        let address = |name: &str| {
            let mut words = ready.split_whitespace();
            let address = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            address.and_then(|address| address.parse().ok()).expect("the line names the address")
        };
        let (connect, base_url) = (address("connect"), address("base_url"));
        Sidecar { program, connect, base_url, admin: self.ca().join(private_files::ADMIN_SOCKET) }
    }
}

/// A folder whose files are looked at once more before they go.
struct Folder(tempfile::TempDir);

impl Folder {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        keep_files(self.path());
    }
}

/// A running sidecar.
pub struct Sidecar {
    program: Program,
    connect: SocketAddr,
    base_url: SocketAddr,
    admin: PathBuf,
}

impl Sidecar {
    /// A TLS connection to `host` by CONNECT, as by a client that trusts `root_pem` alone. The certificates it was shown.
    ///
    /// # Errors
    /// The handshake failed.
    ///
    /// # Panics
    /// If the tunnel does.
    pub fn handshake(&self, host: &str, root_pem: &str) -> std::io::Result<Vec<CertificateDer<'static>>> {
        use std::io::Write;
        let mut stream = TcpStream::connect(self.connect).expect("the sidecar listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        write!(stream, "CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n").expect("the sidecar reads");
        let head = proxy::head(&mut stream).expect("the sidecar answers");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let mut tls = StreamOwned::new(client(host, root_pem), stream);
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        Ok(tls.conn.peer_certificates().unwrap_or_default().to_vec())
    }

    /// Where programs call it by base URL, in plain HTTP.
    #[must_use]
    pub const fn base_url(&self) -> SocketAddr {
        self.base_url
    }

    /// The next line of its log that `wanted` accepts, within `deadline`.
    pub fn error_line(&self, deadline: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        self.program.error_line(deadline, wanted)
    }

    /// What it tells of itself.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn status(&self) -> serde_json::Value {
        use std::io::{Read, Write};
        let mut stream = UnixStream::connect(&self.admin).expect("an admin socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        stream.write_all(b"GET /status HTTP/1.0\r\nHost: sidecar\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).expect("the status is JSON")
    }

    /// Resident memory of its own, KiB.
    ///
    /// # Panics
    /// If it has ended.
    #[must_use]
    pub fn resident(&self) -> u64 {
        crate::app::resident(self.program.id())
    }

    /// Ends it without a chance to do anything: `kill -9`.
    #[must_use]
    pub fn kill(self) -> Ended {
        self.program.signal(Signal::SIGKILL);
        self.program.end()
    }

    /// Ends it as a kubelet does.
    #[must_use]
    pub fn end(self) -> Ended {
        self.program.signal(Signal::SIGTERM);
        self.program.end()
    }
}

/// A client of `host` that trusts `root_pem` alone.
///
/// # Panics
/// If it is no certificate.
#[must_use]
pub fn client(host: &str, root_pem: &str) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(root_pem.as_bytes()).expect("a certificate");
    roots.add(root).expect("an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).expect("a host name or an address");
    ClientConnection::new(Arc::new(config), name).expect("a valid configuration")
}

/// Writes a certificate as PEM, for tools that read files.
///
/// # Panics
/// If the file cannot be written.
pub fn write_pem(file: &Path, certificate: &CertificateDer<'_>) {
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-inform", "DER", "-out"]).arg(file);
    let mut child = openssl.stdin(std::process::Stdio::piped()).spawn().expect("openssl is installed");
    std::io::Write::write_all(&mut child.stdin.take().expect("stdin is piped"), certificate)
        .expect("it reads");
    assert!(child.wait().expect("it ends").success(), "openssl reads the certificate");
}
