//! The composition root: bind first, return the addresses, serve later, drain in order.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use outrigger_exporter::{About, CountsReader};
use outrigger_ledger::{IdentityRules, Recorder};
use outrigger_pricing::PriceBook;
use outrigger_providers::services;
use tokio::sync::{mpsc, oneshot};

use crate::diagnostician::Verdicts;
use crate::downstream::classify::Classifier;
use crate::downstream::connection::{Edge, serve_base_url, serve_connect, serve_transparent};
use crate::downstream::learned::Learned;
use crate::downstream::transparent::Transparent;
use crate::downstream::{listener, transparent};
use crate::exchange::Shared;
use crate::exchange::hang_up::HangUps;
use crate::exchange::include_usage::IncludeUsage;
use crate::exchange::pulse::Pulses;
use crate::exchange::watch::Records;
use crate::failover::Failovers;
use crate::policy::{Policies, Source, Watching};
use crate::prices;
use crate::seen::{Counters, Seen};
use crate::settings::deployments;
use crate::status::{self, Listeners, Observer, QUESTIONS, Question};
use crate::tls::accept::TlsAcceptor;
use crate::tls::custody::{self, Custody};
use crate::tls::leaf::Leaves;
use crate::upstream::client::Client;
use crate::upstream::credentials::{Credentials, Sources};
use crate::upstream::dial::Dialer;
use crate::upstream::proxy::UpstreamProxy;
use crate::upstream::reach::Reach;
use crate::upstream::resolve::Resolver;
use crate::upstream::tls::Connector;
use crate::{Settings, StartError, drain, identity, tls};

/// How often idle connections to providers are looked through.
const SWEEP: Duration = Duration::from_secs(30);

/// Everything is in place, nothing is served yet.
pub struct Bound {
    transparent: Vec<TcpListener>,
    connect: TcpListener,
    base_url: TcpListener,
    connect_address: SocketAddr,
    base_url_address: SocketAddr,
    leaves: Arc<Leaves>,
    custody: Custody,
    acceptor: TlsAcceptor,
    settings: Settings,
    identity: Arc<IdentityRules>,
    book: Arc<PriceBook>,
    policies: Arc<Policies>,
    dialer: Dialer,
    connector: Connector,
    telemetry: Option<CountsReader>,
    metrics: Option<SocketAddr>,
    verdicts: Verdicts,
    service: Option<Arc<str>>,
}

/// Binds the listeners, makes or takes up the certificate authority and publishes the trust files. Touches no network beyond
/// that.
///
/// # Errors
/// An address is taken, or a setting cannot be used; see [`StartError`].
pub fn bind(settings: &Settings) -> Result<Bound, StartError> {
    let provider = tls::provider();
    settings.check()?;
    let proxy = settings.upstream_proxy.as_deref().map(UpstreamProxy::parse).transpose()?;
    let connector = Connector::new(settings, Arc::clone(&provider))?;
    let identity = Arc::new(identity::rules(settings)?);
    let hosts: Vec<String> = services::names().map(str::to_owned).chain(settings.added_hosts()).collect();
    let (leaves, custody) = custody::open(settings, &hosts, &provider)?;
    let leaves = Arc::new(leaves);
    let acceptor = TlsAcceptor::new(Arc::clone(&leaves), provider)?;
    let (connect, connect_address) = listen(settings.connect, "the CONNECT proxy", "connect")?;
    let (base_url, base_url_address) = listen(settings.base_url, "base URLs", "base_url")?;
    let book = prices::book(settings.prices.as_deref());
    let policies = Policies::open(rules(settings), Arc::clone(&book));
    Ok(Bound {
        transparent: settings.transparent_port.map_or_else(|| Ok(Vec::new()), listen_transparent)?,
        connect,
        base_url,
        connect_address,
        base_url_address,
        leaves,
        custody,
        acceptor,
        settings: settings.clone(),
        identity,
        book,
        policies,
        dialer: Dialer {
            resolver: Resolver::new(&settings.upstreams),
            proxy,
            reach: Reach::new(settings.connect_to_local),
        },
        connector,
        telemetry: None,
        metrics: None,
        verdicts: Verdicts::default(),
        service: None,
    })
}

/// What is wrong with the rules as they are now, and with what their backups are paid by. Keeps nothing of them.
#[must_use]
pub fn rules_faults(settings: &Settings) -> Vec<String> {
    let settings = Settings { ca_dir: None, ..settings.clone() };
    let policies = Policies::open(rules(&settings), prices::book(settings.prices.as_deref()));
    let Some(status) = policies.status() else { return Vec::new() };
    // Those of a document that was taken are doubts.
    let faults = if policies.is_current() { Vec::new() } else { status.faults };
    faults.into_iter().chain(status.unpaid).collect()
}

/// Where the rules are, where some are asked for.
fn rules(settings: &Settings) -> Option<Source> {
    Some(Source {
        path: settings.rules.clone()?,
        private: settings.ca_dir.clone(),
        allowed_providers: settings.allowed_providers.clone(),
        // Set by kubelet in every container.
        in_cluster: std::env::var_os("KUBERNETES_SERVICE_HOST").is_some(),
        payable: {
            let settings = settings.clone();
            Box::new(move |target| Sources::of(&settings).examine(target).map_err(|unpaid| unpaid.text))
        },
    })
}

/// One listener per family. A machine without IPv6 redirects nothing there, so nothing is missing.
fn listen_transparent(port: u16) -> Result<Vec<TcpListener>, StartError> {
    let mut listeners = Vec::new();
    for ip in transparent::LOOPBACK {
        match listen(SocketAddr::new(ip, port), "redirected connections", "transparent_port") {
            Ok((listener, _)) => listeners.push(listener),
            Err(StartError::Listen { source, .. }) if ip.is_ipv6() && is_no_ipv6(&source) => {
                tracing::info!(
                    "this machine has no IPv6 on loopback; only IPv4 connections are redirected here"
                );
            }
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

fn is_no_ipv6(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::AddrNotAvailable || error.kind() == std::io::ErrorKind::Unsupported
        // EAFNOSUPPORT has no kind of its own.
        || error.raw_os_error() == Some(97)
}

fn listen(
    address: SocketAddr,
    purpose: &'static str,
    setting: &'static str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let open = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    open().map_err(|source| StartError::Listen { address, purpose, setting, source })
}

impl Bound {
    /// Where the CONNECT proxy listens.
    #[must_use]
    pub const fn connect_address(&self) -> SocketAddr {
        self.connect_address
    }

    /// Where the base-URL listener listens.
    #[must_use]
    pub const fn base_url_address(&self) -> SocketAddr {
        self.base_url_address
    }

    /// The certificate that the app must trust, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.leaves.root_pem()
    }

    /// What became of the certificate authority.
    #[must_use]
    pub const fn custody(&self) -> &Custody {
        &self.custody
    }

    /// Lets the status tell what became of telemetry, by these counts.
    #[must_use]
    pub fn with_telemetry(self, counts: CountsReader) -> Bound {
        Bound { telemetry: Some(counts), ..self }
    }

    /// What became of the rules; `None` where none are asked for.
    #[must_use]
    pub fn rules(&self) -> Option<status::Rules> {
        self.policies.status()
    }

    /// Lets metrics tell which rules hold, and of which were refused.
    #[must_use]
    pub fn with_about(self, about: About) -> Bound {
        self.policies.tell(about);
        self
    }

    /// Lets the status tell where metrics and probes are.
    #[must_use]
    pub fn with_metrics_at(self, address: SocketAddr) -> Bound {
        Bound { metrics: Some(address), ..self }
    }

    /// The last second of the authority's life, since the epoch.
    #[must_use]
    pub fn authority_until(&self) -> Option<u64> {
        self.leaves.root_not_after()
    }

    /// Lets rules ask for the app by its `service.name`.
    #[must_use]
    pub fn with_service(self, name: &str) -> Bound {
        Bound { service: Some(name.into()), ..self }
    }

    /// Lets the status tell what is wrong.
    #[must_use]
    pub fn with_verdicts(self, verdicts: Verdicts) -> Bound {
        Bound { verdicts, ..self }
    }

    /// Starts serving on a thread of its own; from its return on redirected connections come here. Every finished call goes
    /// to `recorder`.
    ///
    /// # Errors
    /// The thread or its runtime could not be started.
    pub fn serve(self, recorder: Arc<dyn Recorder>) -> Result<Running, StartError> {
        let counters = Arc::new(Counters::new(self.custody.clone()));
        let (stop, stopped) = oneshot::channel();
        let (started, start) = std::sync::mpsc::sync_channel(1);
        let learned = Arc::new(Learned::default());
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let observer = Arc::new(Observer {
            counters: Arc::clone(&counters),
            learned: Arc::clone(&learned),
            leaves: Arc::clone(&self.leaves),
            started: Instant::now(),
            listeners: Listeners {
                transparent: self.transparent.iter().filter_map(|one| one.local_addr().ok()).collect(),
                connect: self.connect_address,
                base_url: self.base_url_address,
                metrics: self.metrics,
            },
            settings: self.settings.clone(),
            telemetry: self.telemetry.clone(),
            verdicts: self.verdicts.clone(),
            policies: Arc::clone(&self.policies),
            alive: AtomicBool::new(true),
            questions,
            draining: AtomicBool::new(false),
        });
        let living = Living(Arc::clone(&observer));
        let watching = self.policies.watch();
        let seen = Arc::clone(&counters);
        let thread = std::thread::Builder::new()
            .name("outrigger-traffic".to_owned())
            .spawn(move || {
                let _living = living;
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build_local(tokio::runtime::LocalOptions::default());
                match runtime {
                    Ok(runtime) => {
                        runtime.block_on(self.run(recorder, seen, learned, started, (stopped, asked)))
                    }
                    Err(error) => {
                        let _heard = started.send(Err(error));
                    }
                }
            })
            .map_err(StartError::Runtime)?;
        start
            .recv()
            .unwrap_or_else(|_| Err(std::io::Error::other("it ended at once")))
            .map_err(StartError::Runtime)?;
        Ok(Running { observer, stop, thread, watching })
    }

    async fn run(
        self,
        recorder: Arc<dyn Recorder>,
        counters: Arc<Counters>,
        learned: Arc<Learned>,
        started: SyncSender<std::io::Result<()>>,
        (stopped, mut asked): (oneshot::Receiver<Duration>, mpsc::Receiver<Question>),
    ) {
        let deployments = Arc::new(deployments::table(&self.settings.deployments));
        let records =
            Rc::new(Records::new(recorder, self.book, deployments, self.identity, Arc::clone(&counters)));
        let (dialer, connector) = (Rc::new(self.dialer), Rc::new(self.connector));
        let leaving = Rc::clone(&records);
        let flushed = Rc::new(move || leaving.left());
        let client = Rc::new(Client::new(Rc::clone(&dialer), Rc::clone(&connector), flushed));
        let pulses = Rc::new(Pulses::default());
        let shared = Rc::new(Shared {
            client: Rc::clone(&client),
            records: Rc::clone(&records),
            include_usage: IncludeUsage::new(self.settings.include_usage),
            hang_ups: Rc::new(HangUps::new(&self.settings)),
            pulses: Rc::clone(&pulses),
            policies: Arc::clone(&self.policies),
            credentials: Credentials::open(&self.settings, dialer, connector),
            failovers: Failovers::default(),
            service: self.service,
        });
        let leaves = self.leaves;
        let classifier = Classifier::new(
            &self.settings,
            learned,
            Box::new(move |host| leaves.covers(host)),
            self.policies,
        );
        let edge =
            Rc::new(Edge { shared, acceptor: self.acceptor, classifier, counters: Arc::clone(&counters) });
        let (drain, token) = drain::new();

        for (listener, base_url) in [(self.connect, false), (self.base_url, true)] {
            let listener = match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::error!(%error, "a listener could not be served");
                    continue;
                }
            };
            let (edge, token) = (Rc::clone(&edge), token.clone());
            let port = self.base_url_address.port();
            tokio::task::spawn_local(listener::accept(listener, token, move |stream, token| {
                let edge = Rc::clone(&edge);
                async move {
                    if base_url {
                        serve_base_url(edge, stream, port, token).await;
                    } else {
                        serve_connect(edge, stream, token).await;
                    }
                }
            }));
        }
        for listener in self.transparent {
            let listener = match Transparent::begin(listener, Arc::clone(&counters)) {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::error!(%error, "the transparent listener could not be served");
                    continue;
                }
            };
            let edge = Rc::clone(&edge);
            tokio::task::spawn_local(listener.accept(token.clone(), move |stream, to, token| {
                serve_transparent(Rc::clone(&edge), stream, to, token)
            }));
        }
        // The receiver waits for exactly this one message.
        let _heard = started.send(Ok(()));
        tokio::task::spawn_local(async move {
            let mut tick = tokio::time::interval(SWEEP);
            loop {
                tick.tick().await;
                client.sweep();
            }
        });
        tokio::task::spawn_local(async move {
            while let Some(question) = asked.recv().await {
                // Who asked may have left.
                let _heard = question.send(());
            }
        });
        let silence = Rc::clone(&records);
        tokio::task::spawn_local(async move { silence.watch_for_silence(&pulses).await });
        drop(token);
        // A dropped handle asks for an end without grace.
        let grace = stopped.await.unwrap_or_default();
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        tracing::info!(tasks, grace_seconds = grace.as_secs(), "draining");
        if !drain.finish(grace).await {
            tracing::warn!(
                grace_seconds = grace.as_secs(),
                "connections were still open at the end of the grace period; they are closed"
            );
        }
        records.end();
    }
}

/// Held by the traffic thread: whatever ends it, it is known.
struct Living(Arc<Observer>);

impl Drop for Living {
    fn drop(&mut self) {
        self.0.alive.store(false, Ordering::Release);
    }
}

/// A sidecar that serves.
pub struct Running {
    observer: Arc<Observer>,
    stop: oneshot::Sender<Duration>,
    thread: JoinHandle<()>,
    /// Held: rules are read again when they change.
    watching: Option<Watching>,
}

impl Running {
    /// What has passed so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.observer.counters.snapshot()
    }

    /// Tells its whole state, also while it drains.
    #[must_use]
    pub fn observer(&self) -> Arc<Observer> {
        Arc::clone(&self.observer)
    }

    /// Refuses new connections, lets what is under way finish for up to `grace`, then closes the rest.
    /// Blocks until the traffic thread has ended; call it outside an asynchronous context.
    #[must_use]
    pub fn drain(self, grace: Duration) -> Seen {
        self.observer.draining.store(true, Ordering::Release);
        drop(self.watching);
        // Refused only when the thread has ended already.
        let _ended = self.stop.send(grace);
        if self.thread.join().is_err() {
            Counters::count(&self.observer.counters.panics);
        }
        self.observer.counters.snapshot()
    }
}
