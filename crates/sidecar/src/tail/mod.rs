//! Watches calls live: reads them from a sidecar's admin socket and tells each as one line. Per call, in a process of its own.

mod line;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::admin::{CALLS, MISSED};

/// How often a sidecar that has gone is looked for.
const AGAIN: Duration = Duration::from_millis(250);
/// Far longer than a call's line is.
const LONGEST: usize = 4 * 1024 * 1024;
/// Ids are so many hexadecimal digits.
const ID: usize = 32;

/// Which calls, and how they are told.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Asked {
    /// Only calls that failed.
    #[arg(long)]
    pub failed: bool,
    /// Only the call with this id, or the first whose id begins so; ends when it has been shown. The id stands in log, span and
    /// record, and in the header `x-outrigger-call-id`.
    #[arg(long, value_name = "ID", value_parser = id)]
    pub call: Option<String>,
    /// How to tell them.
    #[arg(long, value_enum, default_value_t)]
    pub output: Form,
}

/// How calls are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Form {
    /// One line per call.
    #[default]
    Text,
    /// One record per line, as JSON.
    Json,
}

impl Asked {
    /// The same on the command line of another `tail`.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let Asked { failed, call, output } = self;
        let failed = failed.then(|| "--failed".to_owned());
        let call = call.iter().flat_map(|id| ["--call".to_owned(), id.clone()]);
        let output = (*output == Form::Json).then_some(["--output", "json"].map(str::to_owned));
        failed.into_iter().chain(call).chain(output.into_iter().flatten()).collect()
    }
}

fn id(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > ID || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!("an id is {ID} hexadecimal digits, or the first of them"));
    }
    Ok(text.to_ascii_lowercase())
}

/// One who watches a sidecar.
#[derive(Debug)]
pub struct Tail {
    /// Its admin socket.
    pub socket: PathBuf,
    /// Which calls.
    pub asked: Asked,
    /// Whether a sidecar that ends may be followed by another one at the same place, which is then watched.
    pub returns: bool,
}

/// Why nothing can be watched.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// Nobody listens there.
    #[error("no sidecar answers at {}: {reason}; is it running, and is this its `admin_socket`?", path.display())]
    Nobody {
        /// Where.
        path: PathBuf,
        /// The system's word.
        reason: io::Error,
    },
    /// Whoever listens there is no sidecar that can be watched.
    #[error("what listens at {} does not tell calls: {reason}; is it a sidecar of this version?", path.display())]
    Stranger {
        /// Where.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
    /// The system has no runtime to give.
    #[error("watching could not be started: {0}")]
    Runtime(io::Error),
}

/// Why the watching is over.
enum Over {
    /// All that was asked for has been told, or nobody reads on.
    Done,
    /// The sidecar has ended.
    Gone,
}

impl Tail {
    /// Tells calls until the one that was asked for has been told, the sidecar has ended for good, or `line` fails, since nobody reads
    /// any more. `note` takes what is not about a call.
    ///
    /// # Errors
    /// At the beginning nobody listens at the socket, or somebody else.
    pub fn run(
        &self,
        line: impl FnMut(&str) -> io::Result<()>,
        note: impl FnMut(&str),
    ) -> Result<(), TailError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(TailError::Runtime)?.block_on(self.watch(line, note))
    }

    async fn watch(
        &self,
        mut line: impl FnMut(&str) -> io::Result<()>,
        mut note: impl FnMut(&str),
    ) -> Result<(), TailError> {
        let stranger = |reason| TailError::Stranger { path: self.socket.clone(), reason };
        let stream = UnixStream::connect(&self.socket).await;
        let mut stream = stream.map_err(|reason| TailError::Nobody { path: self.socket.clone(), reason })?;
        let mut again = false;
        loop {
            let body = match self.ask(stream).await {
                Ok(body) => body,
                // It is just ending, or not ready.
                Err(_) if again => {
                    stream = returned(&self.socket).await;
                    continue;
                }
                Err(reason) => return Err(stranger(reason)),
            };
            note(&format!("watching calls at {}", self.socket.display()));
            match self.tell(body, &mut line, &mut note).await.map_err(stranger)? {
                Over::Gone if self.returns => {
                    note("the sidecar has ended; waiting for the next one");
                    stream = returned(&self.socket).await;
                    again = true;
                    note("calls that ended in between were not seen");
                }
                Over::Gone => {
                    note("the program has ended");
                    return Ok(());
                }
                Over::Done => return Ok(()),
            }
        }
    }

    /// Asks for calls from now on.
    async fn ask(&self, stream: UnixStream) -> Result<Incoming, String> {
        let fault = |error: hyper::Error| error.to_string();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(fault)?;
        tokio::spawn(connection);
        let mut query = Vec::new();
        query.extend(self.asked.failed.then(|| "failed".to_owned()));
        query.extend(self.asked.call.as_ref().map(|id| format!("call={id}")));
        let request = Request::get(format!("{CALLS}?{}", query.join("&")))
            .header(http::header::HOST, "outrigger")
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(fault)?;
        match response.status() {
            status if status.is_success() => Ok(response.into_body()),
            status => Err(format!("it answers {}", status.as_u16())),
        }
    }

    /// Tells calls for as long as they come.
    async fn tell(
        &self,
        mut body: Incoming,
        line: &mut impl FnMut(&str) -> io::Result<()>,
        note: &mut impl FnMut(&str),
    ) -> Result<Over, String> {
        let mut held = BytesMut::new();
        // One that is killed breaks off; what it had told is whole lines.
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(bytes) = frame.into_data() else { continue };
            held.extend_from_slice(&bytes);
            while let Some(end) = memchr::memchr(b'\n', &held) {
                let one = held.split_to(end + 1);
                let call: Value =
                    serde_json::from_slice(&one).map_err(|error| format!("a line is no JSON: {error}"))?;
                if let Some(missed) = call.get(MISSED).and_then(Value::as_u64) {
                    note(&format!("{missed} calls are not shown: they came faster than they are read here"));
                    continue;
                }
                let told = match self.asked.output {
                    Form::Text => line::text(&call),
                    Form::Json => call.to_string(),
                };
                if line(&format!("{told}\n")).is_err() || self.asked.call.is_some() {
                    return Ok(Over::Done);
                }
            }
            if held.len() > LONGEST {
                return Err("a line has no end".to_owned());
            }
        }
        Ok(Over::Gone)
    }
}

/// The next sidecar at this place.
async fn returned(socket: &Path) -> UnixStream {
    loop {
        tokio::time::sleep(AGAIN).await;
        if let Ok(stream) = UnixStream::connect(socket).await {
            return stream;
        }
    }
}
