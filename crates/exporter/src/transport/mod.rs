//! One request to an OTLP endpoint, and what its answer means for what was in it.

mod console;
mod grpc;
mod headers;
mod http;
mod json;
mod partial;
mod retry_after;
mod tls;

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use crate::settings::{Protocol, Signal, Target};

use console::Console;
pub(crate) use headers::read as read_headers;
pub(crate) use tls::{MachineRoots, TlsError};

/// What an endpoint made of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It took everything.
    Taken,
    /// It took all but some items, for good.
    Partly {
        /// Items it did not take.
        lost: u64,
        /// Its words.
        why: String,
    },
    /// Not now; the same request may be taken later.
    Later {
        /// How long it asks us to wait.
        after: Option<Duration>,
        /// Whether it answered at all.
        reached: bool,
        /// What happened.
        why: String,
    },
    /// It does not take this signal: trying again with other content is no use.
    Refused {
        /// What it said.
        why: String,
    },
    /// The request is larger than it takes; smaller ones may pass.
    TooLarge {
        /// What it said.
        why: String,
    },
    /// It will never take this request.
    Rejected {
        /// What it said.
        why: String,
        /// What a person can do about it.
        mend: &'static str,
    },
}

/// What carries encoded requests of one signal.
pub(crate) trait Wire {
    /// Sends one encoded `Export…ServiceRequest`. Ends within the configured timeout.
    fn send(&self, body: Bytes) -> impl Future<Output = Reply>;
}

/// A connection to the endpoint of one signal, made when first used.
pub(crate) struct Transport {
    way: Way,
    /// Shows what the endpoint took.
    console: Option<Console>,
}

enum Way {
    Grpc(grpc::Grpc),
    Http(http::Http),
    /// To the console alone.
    Nowhere,
}

impl Transport {
    /// Prepares the way to a target. Needs the context of a tokio runtime; opens no connection.
    pub(crate) fn new(
        signal: Signal,
        target: &Target,
        machine: &MachineRoots,
    ) -> Result<Transport, TlsError> {
        let way = match target.protocol {
            Protocol::Grpc => Way::Grpc(grpc::Grpc::new(signal, target, machine)?),
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                Way::Http(http::Http::new(signal, target, machine)?)
            }
            Protocol::Console => Way::Nowhere,
        };
        Ok(Transport { way, console: target.console.then(|| Console::new(signal)) })
    }
}

impl Wire for Transport {
    async fn send(&self, body: Bytes) -> Reply {
        let shown = self.console.as_ref().map(|console| (console, body.clone()));
        let reply = match &self.way {
            Way::Grpc(grpc) => grpc.send(body).await,
            Way::Http(http) => http.send(body).await,
            Way::Nowhere => Reply::Taken,
        };
        // Once per request: one that is tried again is not shown again.
        if let (Reply::Taken | Reply::Partly { .. }, Some((console, body))) = (&reply, shown) {
            console.show(&body);
        }
        reply
    }
}

/// How we name ourselves.
const USER_AGENT: &str = concat!("outrigger/", env!("CARGO_PKG_VERSION"));

impl Reply {
    /// Nobody was asked, or nobody answered, for a reason that may pass.
    fn unreached(why: String) -> Reply {
        Reply::Later { after: None, reached: false, why }
    }
}

/// What a person can do when the endpoint does not accept our credentials.
const MEND_CREDENTIALS: &str = "put the endpoint's credentials in OTEL_EXPORTER_OTLP_HEADERS, or in a file that OUTRIGGER_OTLP_HEADERS_FILE names";
/// What a person can do when the endpoint calls the request wrong.
const MEND_ENDPOINT: &str =
    "check that OTEL_EXPORTER_OTLP_ENDPOINT is an OTLP endpoint that takes this protocol";

/// Foreign words for one line of a log: printable, and short.
fn quoted(words: &str) -> String {
    const MOST: usize = 200;
    words
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MOST)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// An error and what lies beneath it, each said once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    quoted(&text)
}
