//! Reads what an invoked model says. Per frame: the vendor's event is taken out of its message and shown to the vendor's
//! own meter; the buffers are reused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use memchr::memmem;
use outrigger_pricing::{Meter, TokenUsage};
use serde::Deserialize;

use crate::dialects::answer::{Framing, Told};
use crate::dialects::aws_errors;
use crate::dialects::bedrock_invoke::BedrockInvoke;
use crate::framing::{EventStreamMessage, EventStreamSplitter, JsonScan, Path};
use crate::media::media;
use crate::{FailureClass, Progress, Reading, ResponseMeter, StreamEnd};

/// What AWS counts itself, of a whole answer in headers.
const COUNTS: [(&str, Meter); 4] = [
    ("x-amzn-bedrock-input-token-count", Meter::Input),
    ("x-amzn-bedrock-output-token-count", Meter::Output),
    ("x-amzn-bedrock-cache-read-input-token-count", Meter::CacheRead),
    ("x-amzn-bedrock-cache-write-input-token-count", Meter::CacheWrite5m),
];

/// Where vendors say how an answer ended.
const WHOLE: &[Path] = &[
    aws_errors::MESSAGE[0],
    aws_errors::MESSAGE[1],
    &["stopReason"],
    &["stop_reason"],
    &["results", "*", "completionReason"],
    &["outputs", "*", "stop_reason"],
    &["generations", "*", "finish_reason"],
    &["messageStop", "stopReason"],
    &["completionReason"],
];

/// Of a stream in its last event.
const METRICS: &[u8] = b"\"amazon-bedrock-invocationMetrics\"";

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    bytes: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
struct Measured {
    #[serde(rename = "amazon-bedrock-invocationMetrics")]
    metrics: Metrics,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Metrics {
    input_token_count: Option<u64>,
    output_token_count: Option<u64>,
    cache_read_input_token_count: Option<u64>,
    cache_write_input_token_count: Option<u64>,
}

/// The meter.
pub(super) struct InvokeMeter {
    form: Form,
    headers: HeaderMap,
    counted: Option<TokenUsage>,
    state: State,
}

enum Form {
    Stream(EventStreamSplitter),
    Whole(Box<JsonScan>),
    Other,
}

#[derive(Default)]
struct State {
    inner: Option<Box<dyn ResponseMeter>>,
    told: Told,
    metered: Option<TokenUsage>,
    decoded: Vec<u8>,
}

impl InvokeMeter {
    pub(super) fn new(dialect: &BedrockInvoke, status: StatusCode, headers: &HeaderMap) -> InvokeMeter {
        let form = match aws_errors::framing(media(headers)) {
            Some(Framing::Messages) => Form::Stream(EventStreamSplitter::default()),
            Some(_) => Form::Whole(Box::new(JsonScan::new(WHOLE))),
            None => Form::Other,
        };
        let kind = match form {
            Form::Stream(_) => "text/event-stream",
            Form::Whole(_) | Form::Other => "application/json",
        };
        let inner = dialect.inner.filter(|_| status.is_success()).map(|inner| {
            let kind = [(CONTENT_TYPE, HeaderValue::from_static(kind))].into_iter().collect();
            inner.response_meter(status, &kind)
        });
        InvokeMeter {
            form,
            headers: aws_errors::kept(headers),
            counted: counted(headers),
            state: State { inner, ..State::default() },
        }
    }
}

/// The counts of the headers, if the two that all models have are there.
fn counted(headers: &HeaderMap) -> Option<TokenUsage> {
    let read = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let mut usage = TokenUsage::ZERO;
    usage.set(Meter::Reasoning, None);
    read(COUNTS[0].0)?;
    for (name, meter) in COUNTS {
        usage.set(meter, Some(read(name).unwrap_or(0)));
    }
    Some(usage)
}

impl ResponseMeter for InvokeMeter {
    fn chunk(&mut self, bytes: &[u8]) -> bool {
        let state = &mut self.state;
        match &mut self.form {
            Form::Stream(splitter) => {
                splitter.push(bytes, &mut |message| state.message(&message));
                state.told.take_content()
            }
            Form::Whole(scan) => {
                scan.push(bytes);
                if let Some(inner) = &mut state.inner {
                    inner.chunk(bytes);
                }
                false
            }
            Form::Other => false,
        }
    }

    fn progress(&self) -> Progress {
        let state = &self.state;
        let inner = state.inner.as_ref().map_or(Progress::Lifecycle, |inner| inner.progress());
        match (&self.form, state.told.progress(), inner) {
            (Form::Stream(splitter), ..) if splitter.broken().is_some() => {
                Progress::Failed(FailureClass::Malformed)
            }
            (_, failed @ Progress::Failed(_), _) | (_, _, failed @ Progress::Failed(_)) => failed,
            (Form::Stream(_), ..) if state.metered.is_some() => Progress::Ended,
            // The vendor's last word is not AWS's.
            (Form::Stream(_), told, inner) if told == Progress::Content || inner != Progress::Lifecycle => {
                Progress::Content
            }
            (Form::Other, ..) => Progress::Content,
            _ => Progress::Lifecycle,
        }
    }

    fn finish(&mut self) -> Reading {
        let state = &mut self.state;
        let mut reading = std::mem::take(&mut state.told.reading);
        if let Some(inner) = &mut state.inner {
            let vendors = inner.finish();
            reading = Reading {
                failure: reading.failure.or(vendors.failure),
                failure_message: reading.failure_message.or(vendors.failure_message),
                stumbled: reading.stumbled.or(vendors.stumbled),
                // The vendor's name for it is not the one by which AWS sells it.
                model: None,
                ..vendors
            };
        }
        match &self.form {
            Form::Stream(splitter) => {
                if splitter.skipped() > 0 && !reading.usage_final {
                    reading.stumbled.get_or_insert("a message was too long to read");
                }
                reading.stumbled = splitter.broken().or(reading.stumbled);
                if state.metered.is_some() {
                    reading.end = StreamEnd::Complete;
                }
            }
            Form::Whole(scan) => {
                if state.inner.is_none() {
                    reading.finish_reasons = endings(scan);
                    aws_errors::note_body(&mut reading, scan, &self.headers);
                }
                if scan.is_whole() {
                    reading.end = StreamEnd::Complete;
                } else {
                    reading.stumbled = Some("the body is not whole JSON");
                }
            }
            Form::Other => reading.stumbled = Some("the body is not of the API's type"),
        }
        // The vendor's own report knows more: lifetimes, reasoning.
        if !reading.usage_final
            && let Some(usage) = state.metered.or(self.counted)
        {
            reading.usage = usage;
            reading.usage_final = true;
            reading.usage_fault = None;
        }
        reading
    }
}

/// The bytes of a chunk where they stand as they always do; no letter of base64 needs an escape.
fn encoded(payload: &[u8]) -> Option<&[u8]> {
    let rest = payload.strip_prefix(b"{\"bytes\":\"")?;
    rest.get(..memchr::memchr2(b'"', b'\\', rest)?)
}

/// How an answer ended, in its vendor's words.
fn endings(scan: &JsonScan) -> Vec<String> {
    let found = WHOLE[2..].iter().flat_map(|path| scan.values(path));
    found.filter_map(|raw| serde_json::from_slice(raw).ok()).collect()
}

impl State {
    fn message(&mut self, message: &EventStreamMessage<'_>) {
        if message.header(":event-type") != Some("chunk") {
            if message.header(":event-type").is_none() {
                aws_errors::note_exception(message, &mut self.told);
            }
            return;
        }
        const DATA: &[u8] = b"data: ";
        self.decoded.clear();
        self.decoded.extend_from_slice(DATA);
        let decoded = match encoded(message.payload) {
            Some(bytes) => STANDARD.decode_vec(bytes, &mut self.decoded).is_ok(),
            None => serde_json::from_slice::<Chunk<'_>>(message.payload)
                .is_ok_and(|chunk| STANDARD.decode_vec(chunk.bytes.as_bytes(), &mut self.decoded).is_ok()),
        };
        if !decoded {
            self.told.stumble("a chunk could not be read");
            return;
        }
        if memmem::find(&self.decoded, METRICS).is_some()
            && let Ok(measured) = serde_json::from_slice::<Measured>(&self.decoded[DATA.len()..])
        {
            self.metered = Some(measured.metrics.usage());
        }
        self.decoded.extend_from_slice(b"\n\n");
        match &mut self.inner {
            Some(inner) => {
                if inner.chunk(&self.decoded) {
                    self.told.content();
                }
            }
            None => {
                let mut scan = JsonScan::new(WHOLE);
                scan.push(&self.decoded[DATA.len()..]);
                let words = endings(&scan);
                if !words.is_empty() {
                    self.told.reading.finish_reasons = words;
                }
                self.told.content();
            }
        }
    }
}

impl Metrics {
    fn usage(&self) -> TokenUsage {
        let mut usage = TokenUsage::ZERO
            .with(Meter::CacheRead, self.cache_read_input_token_count.unwrap_or(0))
            .with(Meter::CacheWrite5m, self.cache_write_input_token_count.unwrap_or(0));
        usage.set(Meter::Input, self.input_token_count);
        usage.set(Meter::Output, self.output_token_count);
        usage.set(Meter::Reasoning, None);
        usage
    }
}
