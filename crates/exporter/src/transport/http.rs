//! OTLP over HTTP/1.1, with bodies in protobuf or JSON.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use super::headers::Headers;
use super::{
    MEND_CREDENTIALS, MEND_ENDPOINT, MachineRoots, Reply, TlsError, USER_AGENT, chain, json, partial, quoted,
    retry_after, tls,
};
use crate::settings::{Protocol, Signal, Target};

/// Most that is read of an answer: room for a partial success and its message.
const ANSWER: usize = 64 * 1024;

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(50);

/// The way to one signal's URL.
pub(crate) struct Http {
    signal: Signal,
    client: reqwest::Client,
    url: String,
    headers: Headers,
    json: bool,
    gzip: bool,
}

impl Http {
    pub(super) fn new(signal: Signal, target: &Target, machine: &MachineRoots) -> Result<Http, TlsError> {
        let json = target.protocol == Protocol::HttpJson;
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .timeout(target.timeout)
            .connect_timeout(target.timeout)
            // The proxy variables are for the program we watch; ours point at ourselves.
            .no_proxy()
            // A redirected POST loses its body, and a redirect could carry our headers elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            // What to repeat, and when, is decided where the batch is held.
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(1)
            // Less than most servers and balancers allow, so that it is we who close.
            .pool_idle_timeout(IDLE);
        builder = if target.endpoint.is_tls() {
            builder.tls_backend_preconfigured(tls::for_http(target, machine)?)
        } else {
            // Without a connection to encrypt there is no need to load the machine's roots.
            builder.tls_backend_preconfigured(tls::none()?)
        };
        let client = builder.build().map_err(|error| TlsError::Library(chain(&error)))?;
        Ok(Http {
            signal,
            client,
            url: target.endpoint.uri().to_string(),
            headers: Headers::of(target),
            json,
            gzip: target.gzip,
        })
    }

    pub(super) async fn send(&self, body: Bytes) -> Reply {
        // What cannot be read is our own request in protobuf; the endpoint will say so.
        let json = self.json.then(|| json::of(self.signal, &body)).flatten();
        let body = json.map_or(body, Bytes::from);
        let body = if self.gzip { gzip(&body) } else { body };
        let mut headers = match self.headers.now() {
            Ok(headers) => headers,
            Err(why) => return Reply::unreached(why),
        };
        // What the body is we know best.
        let kind = if self.json { "application/json" } else { "application/x-protobuf" };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if self.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let mut response = match self.client.post(&self.url).headers(headers).body(body).send().await {
            Ok(response) => response,
            Err(error) => {
                // The URL may carry a token in its query.
                let error = error.without_url();
                let why = if error.is_timeout() { "no answer in time".to_owned() } else { chain(&error) };
                return Reply::unreached(why);
            }
        };
        let status = response.status();
        let wait = retry_after::from_header(response.headers(), SystemTime::now());
        let mut answer = Vec::new();
        // A success whose body breaks off is still a success; of a failure the body is only a courtesy.
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = ANSWER.saturating_sub(answer.len());
            answer.extend_from_slice(chunk.get(..room.min(chunk.len())).unwrap_or_default());
            if answer.len() >= ANSWER {
                break;
            }
        }
        if status.is_success() {
            return if self.json { partial::read_json(&answer) } else { partial::read(self.signal, &answer) };
        }
        let why = format!("HTTP status {}", status.as_u16());
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Reply::Later { after: wait, reached: true, why },
            StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::NOT_IMPLEMENTED => Reply::Refused { why },
            StatusCode::PAYLOAD_TOO_LARGE => Reply::TooLarge { why },
            StatusCode::UNAUTHORIZED => match self.headers.stale(&why) {
                Some(why) => Reply::Later { after: wait, reached: true, why },
                None => Reply::Rejected { why, mend: MEND_CREDENTIALS },
            },
            StatusCode::FORBIDDEN => Reply::Rejected { why, mend: MEND_CREDENTIALS },
            _ => Reply::Rejected { why: with_words(why, &answer), mend: MEND_ENDPOINT },
        }
    }
}

/// Adds the plain words of an answer, if it has any.
fn with_words(why: String, answer: &[u8]) -> String {
    // Errors come as google.rpc.Status in protobuf (its text is then readable among the bytes), JSON or plain text.
    let words: String =
        String::from_utf8_lossy(answer).chars().filter(|c| !c.is_control() && *c != '\u{fffd}').collect();
    let words = quoted(&words);
    if words.is_empty() { why } else { format!("{why}: {words}") }
}

fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to a vector cannot fail; should it ever, an empty body is refused by the endpoint and said.
    match encoder.write_all(body).and_then(|()| encoder.finish()) {
        Ok(bytes) => bytes.into(),
        Err(_) => Bytes::new(),
    }
}
