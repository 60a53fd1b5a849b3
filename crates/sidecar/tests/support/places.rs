//! Providers that write their answers byte by byte, each host in its turn, and break off or fall silent where they are told to.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::wire::{Framing, Message};
use crate::support::{certified, within};

/// What a host does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Answers so; an answer whose framing is `Broken` ends where the connection breaks.
    Answers(Message),
    /// Begins to answer so, of which the first bytes come, and falls silent until it is told to go on.
    Pauses(Message, usize),
    /// Nothing.
    Nothing,
}

#[derive(Default)]
struct Script {
    does: HashMap<String, VecDeque<Does>>,
    got: Vec<Message>,
}

/// All of them.
pub(crate) struct Places {
    pub(crate) address: SocketAddr,
    pub(crate) authority: String,
    script: Arc<Mutex<Script>>,
    begun: watch::Receiver<usize>,
    goes_on: watch::Sender<bool>,
}

impl Places {
    pub(crate) async fn of(hosts: &[String]) -> Places {
        let (acceptor, authority) = certified(hosts);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let (began, begun) = watch::channel(0);
        let (goes_on, told) = watch::channel(false);
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, script) = (acceptor.clone(), Arc::clone(&shared));
                let (began, mut told) = (began.clone(), told.clone());
                tokio::spawn(async move {
                    // The other end may leave as it likes.
                    let Ok(mut tls) = acceptor.accept(stream).await else { return };
                    let mut first = [0];
                    while tls.read_exact(&mut first).await.is_ok() {
                        began.send_modify(|count| *count += 1);
                        let got = Message::read(&mut (&first[..]).chain(&mut tls)).await;
                        let does = script.lock().unwrap().next(got);
                        let (answer, first) = match &does {
                            Does::Nothing => return std::future::pending().await,
                            Does::Answers(answer) => (answer, usize::MAX),
                            Does::Pauses(answer, first) => (answer, *first),
                        };
                        let bytes = answer.bytes();
                        let (now, later) = bytes.split_at(first.min(bytes.len()));
                        if tls.write_all(now).await.is_err() {
                            return;
                        }
                        if !later.is_empty() {
                            drop(told.wait_for(|told| *told).await);
                            // Whoever has waited for long may be gone.
                            let _gone = tls.write_all(later).await;
                        }
                        if answer.framing == Framing::Broken {
                            return;
                        }
                    }
                });
            }
        });
        Places { address, authority, script, begun, goes_on }
    }

    /// What a host does with the next requests.
    pub(crate) fn says(&self, host: &str, does: impl IntoIterator<Item = Does>) {
        self.script.lock().unwrap().does.insert(host.to_owned(), does.into_iter().collect());
        self.goes_on.send_replace(false);
    }

    /// What has paused goes on.
    pub(crate) fn goes_on(&self) {
        self.goes_on.send_replace(true);
    }

    /// What reached them since they were asked last.
    pub(crate) fn got(&self) -> Vec<Message> {
        std::mem::take(&mut self.script.lock().unwrap().got)
    }

    /// Requests of which the first byte has come.
    pub(crate) fn begun(&self) -> usize {
        *self.begun.borrow()
    }

    /// Waits for the first byte of so many.
    pub(crate) async fn have_begun(&self, count: usize) {
        let mut begun = self.begun.clone();
        within(begun.wait_for(|begun| *begun >= count)).await.unwrap();
    }
}

impl Script {
    fn next(&mut self, got: Message) -> Does {
        let host = got.field("host").unwrap().to_owned();
        self.got.push(got);
        let does = self.does.get_mut(&host).and_then(VecDeque::pop_front);
        does.unwrap_or_else(|| panic!("{host} was not to be asked"))
    }
}
