//! What the unit tests share: an endpoint that answers as told, and what was said.

#[path = "../tests/support/calls.rs"]
pub(crate) mod calls;
#[path = "../tests/support/said.rs"]
pub(crate) mod said;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use outrigger_diagnosis::{Change, Diagnosis};
use outrigger_pricing::PriceBook;
use outrigger_providers::FailureClass;
use tokio::time::Instant;

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

/// Listens to what is said on this thread while it is held.
pub(crate) struct Said {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Said {
    pub(crate) fn listen() -> Said {
        let text = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer(Arc::clone(&text));
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .with_max_level(tracing::Level::INFO)
            .finish();
        Said { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines so far that contain these words.
    pub(crate) fn lines(&self, words: &str) -> Vec<String> {
        let text = String::from_utf8(self.text.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }
}

#[derive(Clone)]
struct Writer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
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
