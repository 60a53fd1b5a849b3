//! Fake providers over TLS, in the providers' own wire formats, scripted call by call.
//!
//! It stands in for what a test cannot reach, so it is written from templates of its own: it shares no code with the
//! crates that read these formats, and a misreading in one cannot hide in the other.

mod answer;
mod ask;
mod authority;
mod body;
mod formats;
mod google_tokens;
mod other;
pub mod presets;
mod providers;
mod received;
mod script;
mod server;
mod sigv4;
mod socket;

pub use authority::Certificate;
pub use received::{Received, Reported};
pub use script::{Answer, Cut, ErrorKind, Refused, Rule, Script, Usage};

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use crate::received::Log;
use crate::server::Shared;

/// The hosts that it stands in for, exact names.
pub fn hosts() -> impl Iterator<Item = &'static str> {
    let all = providers::ALL.into_iter().flat_map(|provider| provider.hosts);
    all.copied().filter(|host| !host.starts_with('*'))
}

/// How the simulator is set up.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Where to listen; loopback and a free port by default.
    pub listen: Option<SocketAddr>,
    /// Keys that are accepted; with none any key is.
    pub valid_keys: Vec<String>,
    /// AWS access keys, ids with their secrets: what is signed with one of them is verified.
    pub aws_keys: Vec<(String, String)>,
    /// Keys of Google's service accounts, as they are downloaded: who signs with one of them is given a token at Google's endpoint, which
    /// is then a key that is accepted.
    pub service_accounts: Vec<String>,
    /// What to answer; a good answer where nothing matches.
    pub script: Script,
    /// Names served beside the providers' own.
    pub extra_names: Vec<String>,
    /// Names at which every provider's API is served, told apart by path, as a company's own gateway does.
    pub gateways: Vec<String>,
    /// The name of the authority that vouches for it, where two simulators must not be taken for one.
    pub authority: Option<String>,
    /// What certificate to show.
    pub certificate: Certificate,
}

/// A running simulator; ends when dropped.
pub struct Simulator {
    address: SocketAddr,
    ca_pem: String,
    log: Arc<Log>,
    gate: Arc<Semaphore>,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Simulator {
    /// Starts on a thread of its own.
    ///
    /// # Errors
    /// The address is taken, or certificates or the thread could not be made.
    pub fn start(config: Config) -> io::Result<Simulator> {
        let authority = authority::Authority::new(&config).map_err(io::Error::other)?;
        let listen = config.listen.unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
        let listener = std::net::TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let ca_pem = authority.ca_pem().to_owned();
        let log = Arc::new(Log::default());
        let gate = Arc::new(Semaphore::new(0));
        let shared = Arc::new(Shared::new(config, Arc::clone(&log), Arc::clone(&gate)));
        let (stop, stopped) = oneshot::channel();
        let kept = Arc::clone(&shared);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("simulator".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = server::serve(listener, &authority, shared) => {}
                    // A dropped sender asks for the same.
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Simulator { address, ca_pem, log, gate, shared: kept, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority that vouches for its certificates, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Everything received so far, in the order of arrival.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.log.snapshot()
    }

    /// Bytes of application data that reached it over TLS, whether or not they made a request.
    #[must_use]
    pub fn bytes_received(&self) -> u64 {
        self.log.bytes()
    }

    /// Waits until `enough` holds for what was received. False when the deadline came first.
    pub fn wait_for(&self, deadline: Duration, enough: impl Fn(&[Received]) -> bool) -> bool {
        self.log.wait_for(deadline, enough)
    }

    /// Follows another script from now on, its counts begun anew.
    pub fn follow(&self, script: Script) {
        self.shared.follow(script);
    }

    /// Lets a gated stream send this many more events.
    pub fn release(&self, events: usize) {
        self.gate.add_permits(events);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server has been printed by its thread already.
            let _ended = thread.join();
        }
    }
}
