//! An app in the pod that speaks every byte itself, its well-behaved neighbour, and a look at the sidecar's memory.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use outrigger_simulator::{Config, Simulator};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::DEADLINE;
use crate::netns::{Network, PROVIDER, RunningSidecar, Sidecar};

/// A TLS connection of an app.
pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Enough for five thousand connections with both ends in one process.
const MANY_FILES: u64 = 15_000;

/// The name that an app calls here.
pub const NAME: &str = "api.openai.com";

/// A pod whose HTTPS is redirected to its sidecar, and a provider beyond.
pub struct Pod {
    /// The sidecar; ends first.
    pub sidecar: RunningSidecar,
    /// The provider, where it is the simulator.
    pub simulator: Option<Simulator>,
    /// The namespaces.
    pub network: Network,
    tls: Arc<ClientConfig>,
    tls_h2: Arc<ClientConfig>,
}

impl Pod {
    /// With the simulator on the provider's IPv4 address.
    ///
    /// # Panics
    /// If anything of it does not start.
    #[must_use]
    pub fn before_simulator(config: Config) -> Pod {
        Pod::set(config, |sidecar| sidecar)
    }

    /// The same, with a sidecar that is set in some way.
    ///
    /// # Panics
    /// If anything of it does not start.
    #[must_use]
    pub fn set(config: Config, set: impl FnOnce(Sidecar) -> Sidecar) -> Pod {
        let network = Network::new(&[]);
        let listen = Some(SocketAddr::new(PROVIDER[0], 443));
        let simulator = network.simulator(Config { listen, ..config });
        let ca = simulator.ca_pem().to_owned();
        Pod::start(network, Some(simulator), &ca, set)
    }

    /// With a provider of the test's own, whose authority is `ca_pem`.
    ///
    /// # Panics
    /// If anything of it does not start.
    #[must_use]
    pub fn start(
        network: Network,
        simulator: Option<Simulator>,
        ca_pem: &str,
        set: impl FnOnce(Sidecar) -> Sidecar,
    ) -> Pod {
        let redirected = network.redirect(&["--failure-policy", "closed"]);
        assert!(redirected.status.success(), "{}", String::from_utf8_lossy(&redirected.stderr));
        let sidecar = set(network.sidecar(ca_pem)).start();
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(sidecar.trust().join("ca.pem")).expect("a PEM file") {
            roots.add(root.expect("a certificate")).expect("a root");
        }
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_protocol_versions(rustls::ALL_VERSIONS)
                .expect("versions")
                .with_root_certificates(roots)
                .with_no_client_auth();
        let tls = Arc::new(config.clone());
        config.alpn_protocols = vec![b"h2".to_vec()];
        Pod { sidecar, simulator, network, tls, tls_h2: Arc::new(config) }
    }

    /// Ends the sidecar in order. What it had seen, in its own words.
    ///
    /// # Panics
    /// If it does not end well, or had a fault of its own.
    #[must_use]
    pub fn drained(self) -> String {
        self.sidecar.program.signal(nix::sys::signal::Signal::SIGTERM);
        let ended = self.sidecar.program.end();
        let seen: String = ended.errors.lines().filter(|line| line.contains("drain")).collect();
        assert!(ended.status.success() && seen.contains("panics: 0"), "{}", ended.errors);
        seen
    }

    /// A plain connection to an address beyond, as an app makes it. A test whose peer falls silent fails; it does not hang.
    ///
    /// # Panics
    /// If it is refused.
    #[must_use]
    pub fn connect(&self, ip: IpAddr) -> TcpStream {
        self.network.pod.enter(|| connect(SocketAddr::new(ip, 443)).expect("the sidecar accepts"))
    }

    /// HTTP/1.1 over TLS to the provider, through the sidecar.
    ///
    /// # Panics
    /// If the connection is refused.
    #[must_use]
    pub fn h1(&self) -> Tls {
        tls(&self.tls, self.connect(PROVIDER[0]))
    }

    /// TLS to the provider over a connection that leads there.
    ///
    /// # Panics
    /// Never: the configuration is valid.
    #[must_use]
    pub fn secured(&self, stream: TcpStream) -> Tls {
        tls(&self.tls, stream)
    }

    /// HTTP/2 over TLS to the provider, through the sidecar; no preface has been sent.
    ///
    /// # Panics
    /// If the connection is refused.
    #[must_use]
    pub fn h2(&self) -> Tls {
        tls(&self.tls_h2, self.connect(PROVIDER[0]))
    }

    /// Starts an app that makes well-formed calls, one after the other, on connections of its own, and waits for its first: it
    /// has shown then that it trusts the sidecar, whatever others of its kind do after it.
    ///
    /// # Panics
    /// If it makes none in time.
    #[must_use]
    pub fn neighbour(&self) -> Neighbour {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, config) = (Arc::clone(&stop), Arc::clone(&self.tls));
        let (began, begun) = channel();
        let thread = self.network.pod.enter(|| {
            // A thread begins in the namespace of the one that starts it.
            std::thread::spawn(move || calls(&config, &stopped, &began))
        });
        begun.recv_timeout(DEADLINE).expect("the neighbour makes a call");
        Neighbour { stop, thread }
    }

    /// Resident memory of the sidecar's own, KiB.
    ///
    /// # Panics
    /// If it has ended.
    #[must_use]
    pub fn resident(&self) -> u64 {
        resident(self.sidecar.program.id())
    }

    /// How many files the sidecar holds open.
    ///
    /// # Panics
    /// If it has ended.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.sidecar.program.id());
        std::fs::read_dir(folder).expect("the sidecar runs").count()
    }
}

/// Allows this process, and those that it starts from here on, as many open files as the system lets it have.
///
/// # Panics
/// If those are too few for a crowd.
pub fn raise_descriptor_limit() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    assert!(most >= MANY_FILES, "at most {most} files may be open here; {MANY_FILES} are needed (ulimit -n)");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("up to there anybody may raise it");
}

/// Resident memory of a process's own, KiB: without the pages of its program file, which the system takes back as it likes.
///
/// # Panics
/// If it has ended.
#[must_use]
pub fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("it has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}

/// A connection from the namespace of the thread that asks for it.
///
/// # Errors
/// The system's.
pub fn connect(to: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn tls(config: &Arc<ClientConfig>, stream: TcpStream) -> Tls {
    let name = ServerName::try_from(NAME).expect("a host name");
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).expect("a valid configuration"), stream)
}

/// A well-behaved app beside a hostile one.
pub struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Calm>,
}

/// What the neighbour saw.
#[derive(Debug, Default)]
pub struct Calm {
    /// Calls answered with 200.
    pub answered: u64,
    /// The slowest of them, handshake included where one was made.
    pub slowest: Duration,
    /// What went wrong.
    pub faults: Vec<String>,
}

impl Neighbour {
    /// Ends it.
    ///
    /// # Panics
    /// If a call failed, or one took longer than `bound`, or none was made.
    pub fn was_calm(self, bound: Duration) -> Calm {
        self.stop.store(true, Relaxed);
        let calm = self.thread.join().expect("the neighbour does not panic");
        assert!(calm.faults.is_empty(), "a neighbour's call failed: {:?}", calm.faults);
        assert!(calm.answered > 0, "the neighbour made no call");
        assert!(calm.slowest < bound, "a neighbour's call took {:?} of {bound:?}", calm.slowest);
        calm
    }
}

/// Every tenth call opens a connection of its own.
fn calls(config: &Arc<ClientConfig>, stop: &AtomicBool, began: &Sender<()>) -> Calm {
    let mut calm = Calm::default();
    let mut open = None;
    while !stop.load(Relaxed) || calm.answered == 0 {
        if calm.answered.is_multiple_of(10) {
            open = None;
        }
        let before = Instant::now();
        let mut called = || {
            let stream = match open.take() {
                Some(stream) => stream,
                None => tls(config, connect(SocketAddr::new(PROVIDER[0], 443))?),
            };
            one_call(stream)
        };
        let called = called();
        // Nobody listens after the first.
        let _told = began.send(());
        match called {
            Ok(stream) => {
                open = Some(stream);
                calm.answered += 1;
                calm.slowest = calm.slowest.max(before.elapsed());
            }
            Err(error) => {
                calm.faults.push(error.to_string());
                return calm;
            }
        }
    }
    calm
}

fn one_call(mut stream: Tls) -> std::io::Result<Tls> {
    let body = r#"{"model":"gpt-5-mini","messages":[{"role":"user","content":"hello"}]}"#;
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer sk-calm\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let (head, _) = answer(&mut stream)?;
    if head.starts_with("HTTP/1.1 200 ") { Ok(stream) } else { Err(std::io::Error::other(head)) }
}

/// Reads one HTTP/1.1 answer whose body has a length: its head and its body.
///
/// # Errors
/// The connection ended or broke first.
pub fn answer(stream: &mut impl Read) -> std::io::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((head, body))
}
