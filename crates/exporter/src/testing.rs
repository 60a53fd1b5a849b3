//! What the unit tests share: an endpoint that answers as told, and what was said.

#[path = "../tests/support/calls.rs"]
pub(crate) mod calls;
#[path = "../tests/support/said.rs"]
pub(crate) mod said;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Once};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_sdk::trace::SdkTracer;
use outrigger_diagnosis::{Change, Diagnosis};
use outrigger_pricing::PriceBook;
use outrigger_providers::FailureClass;
use tokio::time::Instant;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::transport::{Reply, Wire};

/// An endpoint that answers as told; without words left it takes everything. Shared by its clones.
#[derive(Clone, Default)]
pub(crate) struct Script(Rc<Stage>);

#[derive(Default)]
struct Stage {
    replies: RefCell<VecDeque<(Duration, Reply)>>,
    sent: RefCell<Vec<(Instant, Bytes)>>,
    taken: RefCell<Vec<(Bytes, u64)>>,
}

impl Script {
    /// What it answers next, and how long it takes for that.
    pub(crate) fn then(self, after: Duration, reply: Reply) -> Script {
        self.0.replies.borrow_mut().push_back((after, reply));
        self
    }

    /// What it answers next, at once.
    pub(crate) fn reply(self, reply: Reply) -> Script {
        self.then(Duration::ZERO, reply)
    }

    /// When requests came, and their bodies.
    pub(crate) fn sent(&self) -> Vec<(Instant, Bytes)> {
        self.0.sent.borrow().clone()
    }

    /// What it took, and how many items of each request it left out.
    pub(crate) fn taken(&self) -> Vec<(Bytes, u64)> {
        self.0.taken.borrow().clone()
    }

    /// Only the bodies.
    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        self.sent().into_iter().map(|(_, body)| body).collect()
    }
}

impl Wire for Script {
    async fn send(&self, body: Bytes) -> Reply {
        self.0.sent.borrow_mut().push((Instant::now(), body.clone()));
        let next = self.0.replies.borrow_mut().pop_front();
        let (after, reply) = next.unwrap_or((Duration::ZERO, Reply::Taken));
        tokio::time::sleep(after).await;
        match &reply {
            Reply::Taken => self.0.taken.borrow_mut().push((body, 0)),
            Reply::Partly { lost, .. } => self.0.taken.borrow_mut().push((body, *lost)),
            _ => {}
        }
        reply
    }
}

/// A reply of an endpoint that is not there.
pub(crate) fn unreachable() -> Reply {
    Reply::Later { after: None, reached: false, why: "connection refused".to_owned() }
}

/// A reply of an endpoint that is busy.
pub(crate) fn busy(after: Option<Duration>) -> Reply {
    Reply::Later { after, reached: true, why: "HTTP status 503".to_owned() }
}

/// A reply of an endpoint that does not take the signal.
pub(crate) fn refused() -> Reply {
    Reply::Refused { why: "HTTP status 404".to_owned() }
}

thread_local! {
    /// What was said on this thread, while somebody listens.
    static HEARD: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Makes one subscriber for all threads, once. Were a test's own the only one, a line or span that another thread came to first would
/// be held for one that nobody wants, for the life of the process.
fn subscribe() {
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_writer(|| Ear)
            .with_ansi(false)
            .without_time()
            .with_max_level(tracing::Level::INFO)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        tracing::callsite::rebuild_interest_cache();
    });
}

/// Hands this thread's spans to a tracer while the guard is held.
pub(crate) fn trace(tracer: SdkTracer) -> tracing::subscriber::DefaultGuard {
    subscribe();
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}

/// Listens to what is said on this thread while it is held.
pub(crate) struct Said(());

impl Said {
    pub(crate) fn listen() -> Said {
        subscribe();
        HEARD.set(Some(Vec::new()));
        Said(())
    }

    /// The lines so far that contain these words.
    pub(crate) fn lines(&self, words: &str) -> Vec<String> {
        let text = String::from_utf8(HEARD.with_borrow(Clone::clone).unwrap()).unwrap();
        text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        HEARD.take();
    }
}

struct Ear;

impl io::Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        HEARD.with_borrow_mut(|heard| heard.iter_mut().for_each(|text| text.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The key of a failed call is refused.
pub(crate) fn began() -> Change {
    let mut refused = calls::failed();
    if let Some(cause) = &mut refused.cause {
        cause.class = FailureClass::Authentication;
    }
    Diagnosis::new(Arc::new(PriceBook::builtin().clone())).call(&refused).remove(0)
}

#[test]
fn what_is_said_is_heard_though_another_thread_came_to_the_line_first() {
    let say = || tracing::info!("a line of two threads");
    let said = Said::listen();
    std::thread::spawn(say).join().unwrap();
    assert_eq!(said.lines("of two threads").len(), 0, "that was another thread");
    say();
    assert_eq!(said.lines("of two threads").len(), 1);
}
