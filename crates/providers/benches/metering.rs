//! What metering costs: one event of a chat stream and of a WebSocket in the steady state, and the facts of a large request;
//! and what it costs to ask for a usage and take it out again.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compress, Compression, FlushCompress};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use outrigger_providers::dialects::openai_chat::OPENAI_CHAT;
use outrigger_providers::dialects::openai_responses::OpenAiResponses;
use outrigger_providers::framing::{Deflate, FrameReader, Messages};
use outrigger_providers::include_usage::{UsageStrip, ask};
use outrigger_providers::{Dialect, Peer, SocketMeter, TextScan, dialects};

const EVENT: &[u8] = b"data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1794830400,\"model\":\"gpt-5-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"harbour\"},\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"a\"}\n\n";

fn metering(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("metering");
    group.throughput(Throughput::Elements(1));
    let headers: HeaderMap =
        [(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))].into_iter().collect();
    let mut meter = OPENAI_CHAT.response_meter(StatusCode::OK, &headers);
    meter.chunk(EVENT);
    group.bench_function("an event of 200 bytes", |bencher| bencher.iter(|| meter.chunk(black_box(EVENT))));
    group.finish();
}

/// Per wire format an event of its own in the middle of an answer.
const EVENTS: [(&str, &str, &str); 6] = [
    (
        "openai_responses",
        "text/event-stream",
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_01\",\"output_index\":0,\"content_index\":0,\"delta\":\"harbour\",\"logprobs\":[],\"sequence_number\":17}\n\n",
    ),
    (
        "anthropic_messages",
        "text/event-stream",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"harbour\"}}\n\n",
    ),
    (
        "gemini",
        "text/event-stream",
        "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"harbour\"}],\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 900,\"candidatesTokenCount\": 12,\"totalTokenCount\": 912},\"modelVersion\": \"gemini-3.5-flash\",\"responseId\": \"abc\"}\r\n\r\n",
    ),
    (
        "gemini_interactions",
        "text/event-stream",
        "event: step.delta\ndata: {\"event_type\":\"step.delta\",\"index\":0,\"delta\":{\"type\":\"text\",\"text\":\"harbour\"},\"event_id\":\"e17\"}\n\n",
    ),
    (
        "cohere",
        "text/event-stream",
        "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"harbour\"}}}}\n\n",
    ),
    (
        "ollama",
        "application/x-ndjson",
        "{\"model\":\"gpt-oss:120b\",\"created_at\":\"2026-11-25T12:00:00.123456Z\",\"message\":{\"role\":\"assistant\",\"content\":\"harbour\"},\"done\":false}\n",
    ),
];

/// A message of AWS's framing.
fn aws_message(event: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [(":event-type", event), (":message-type", "event")] {
        headers.push(u8::try_from(name.len()).unwrap_or_default());
        headers.extend(name.bytes());
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        headers.extend(value.bytes());
    }
    let length = |length: usize| u32::try_from(length).unwrap_or_default().to_be_bytes();
    let mut bytes = length(12 + headers.len() + payload.len() + 4).to_vec();
    bytes.extend(length(headers.len()));
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(headers);
    bytes.extend(payload.bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

fn formats(criterion: &mut Criterion) {
    let delta = r#"{"contentBlockIndex":0,"delta":{"text":"harbour"},"p":"abcdefghijklmnopqrstuvwxyz"}"#;
    // {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"harbour"}}
    let chunk = r#"{"bytes":"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImluZGV4IjowLCJkZWx0YSI6eyJ0eXBlIjoidGV4dF9kZWx0YSIsInRleHQiOiJoYXJib3VyIn19","p":"abcdef"}"#;
    let aws = "application/vnd.amazon.eventstream";
    let framed = [
        ("bedrock_converse", aws, aws_message("contentBlockDelta", delta)),
        ("bedrock_invoke", aws, aws_message("chunk", chunk)),
    ];
    let mut group = criterion.benchmark_group("an event of");
    group.throughput(Throughput::Elements(1));
    let events = EVENTS.into_iter().map(|(name, kind, event)| (name, kind, event.as_bytes().to_vec()));
    for (name, kind, event) in events.chain(framed) {
        let Some(dialect) = dialects::ALL.into_iter().find(|dialect| dialect.name() == name) else {
            continue;
        };
        let headers: HeaderMap = [(CONTENT_TYPE, HeaderValue::from_static(kind))].into_iter().collect();
        let mut meter = dialect.response_meter(StatusCode::OK, &headers);
        meter.chunk(&event);
        group.bench_function(name, |bencher| bencher.iter(|| meter.chunk(black_box(&event))));
    }
    group.finish();
}

const MESSAGE: &[u8] = b"{\"type\":\"response.output_text.delta\",\"item_id\":\"msg_00000000000000000000000000000001\",\"output_index\":0,\"content_index\":0,\"delta\":\"harbour\",\"logprobs\":[],\"obfuscation\":\"padding000\",\"sequence_number\":17}";

/// The server's messages, shown to their meter.
struct Shown(Box<dyn SocketMeter>);

impl Messages for Shown {
    fn begin(&mut self, text: bool) {
        self.0.begin(Peer::Server, text);
    }

    fn part(&mut self, bytes: &[u8]) -> bool {
        self.0.part(Peer::Server, bytes)
    }

    fn end(&mut self) {
        self.0.end(Peer::Server, &mut |event| drop(black_box(event)));
    }

    fn close(&mut self, _code: Option<u16>) {}
}

fn socket(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("websocket");
    group.throughput(Throughput::Elements(1));
    let frame = |first: u8, payload: &[u8]| {
        let mut bytes = vec![first, 126];
        bytes.extend(u16::try_from(payload.len()).unwrap_or_default().to_be_bytes());
        bytes.extend(payload);
        bytes
    };
    let plain = frame(0x81, MESSAGE);
    let mut deflated = Vec::with_capacity(1024);
    let mut compress = Compress::new(Compression::fast(), false);
    // There is room for all of it.
    let _written = compress.compress_vec(MESSAGE, &mut deflated, FlushCompress::Sync);
    deflated.truncate(deflated.len() - 4);
    let deflated = frame(0xc1, &deflated);
    let deflate = Deflate { context_takeover: true, window_bits: 15 };
    for (name, bytes, deflate) in
        [("an event of 200 bytes", &plain, None), ("the same, compressed", &deflated, Some(deflate))]
    {
        let Some(meter) = OpenAiResponses.socket_meter(None) else { continue };
        let (mut reader, mut shown) = (FrameReader::of_server(deflate), Shown(meter));
        group.bench_function(name, |bencher| bencher.iter(|| reader.push(black_box(bytes), &mut shown)));
    }
    group.finish();
}

fn facts(criterion: &mut Criterion) {
    let request = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{}"}}}}]}}],"model":"gpt-5-mini","stream":true}}"#,
        "QUJD".repeat(25 * 1024)
    );
    // A long conversation with tools: code full of escapes, results that are JSON in a text.
    let code =
        r#"fn tide(port: &str) -> Tide {\n    let place = \"Kiel\";\n    read(port, place)\n}\n"#.repeat(6);
    let turn = format!(
        r#"{{"role":"assistant","content":null,"tool_calls":[{{"id":"call_1","type":"function","function":{{"name":"tide","arguments":"{{\"place\":\"Kiel\"}}"}}}}]}},{{"role":"tool","tool_call_id":"call_1","content":"{code}"}},{{"role":"user","content":"And then? {}"}}"#,
        "The tide turns at six. ".repeat(20)
    );
    let turns = vec![turn.as_str(); 100 * 1024 / turn.len()].join(",");
    let conversation = format!(
        r#"{{"messages":[{{"role":"system","content":"Be brief."}},{turns}],"model":"gpt-5-mini","stream":true}}"#
    );
    let mut group = criterion.benchmark_group("facts");
    for (name, request) in [("a request of 100 KiB", &request), ("a conversation of 100 KiB", &conversation)]
    {
        group.throughput(Throughput::Bytes(request.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut reader = OPENAI_CHAT.request_reader();
                reader.chunk(black_box(request.as_bytes()));
                reader.finish()
            });
        });
    }
    group.finish();
}

/// What a stream pays whose app did not ask for the usage: each event's `"usage":null` taken out, and before, the question
/// put into its request.
fn unasked(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("unasked");
    let event = Bytes::from_static(EVENT);
    let plain = Bytes::from(String::from_utf8_lossy(EVENT).replace(",\"usage\":null", ""));
    for (name, event) in [("an event of 200 bytes", &event), ("the same, with nothing to take out", &plain)] {
        let mut strip = UsageStrip::default();
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bencher| bencher.iter(|| strip.push(black_box(event).clone())));
    }
    let words = "The tide turns at six. ".repeat(100 * 1024 / 23);
    let request = format!(
        r#"{{"model":"gpt-5-mini","stream":true,"messages":[{{"role":"user","content":"{words}"}}]}}"#
    );
    group.throughput(Throughput::Bytes(request.len() as u64));
    group.bench_function("a request of 100 KiB", |bencher| {
        bencher.iter(|| ask(black_box(request.as_bytes())))
    });
    group.finish();
}

/// What counting the texts adds, for estimates where no usage comes.
fn texts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("texts");
    let mut answer = TextScan::of_answer(OPENAI_CHAT.answer_texts(true));
    group
        .bench_function("of an event of 200 bytes", |bencher| bencher.iter(|| answer.push(black_box(EVENT))));
    let prose =
        "The harbour lay quiet in the early light, and nobody had yet noticed that the ship was gone. ";
    let message = format!(r#"{{"role":"user","content":"{}"}}"#, prose.repeat(6));
    let many = format!(r#"{{"model":"gpt-5-mini","messages":[{}]}}"#, vec![message; 170].join(","));
    let long = format!(r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#, prose.repeat(1100));
    for (name, request) in [("of a request of 100 KiB in 170 messages", many), ("in one message", long)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut scan = TextScan::of_request();
                scan.push(black_box(request.as_bytes()));
                scan.count()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, texts, metering, formats, socket, facts, unasked);
criterion_main!(benches);
