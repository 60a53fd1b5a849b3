//! What metering costs: one event of a chat stream and of a WebSocket in the steady state, and the facts of a large request.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compress, Compression, FlushCompress};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use outrigger_providers::dialects::openai_chat::OPENAI_CHAT;
use outrigger_providers::dialects::openai_responses::OpenAiResponses;
use outrigger_providers::framing::{Deflate, FrameReader, Messages};
use outrigger_providers::{Dialect, Peer, SocketMeter};

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
    let mut group = criterion.benchmark_group("facts");
    group.throughput(Throughput::Bytes(request.len() as u64));
    group.bench_function("a request of 100 KiB", |bencher| {
        bencher.iter(|| {
            let mut reader = OPENAI_CHAT.request_reader();
            reader.chunk(black_box(request.as_bytes()));
            reader.finish()
        });
    });
    group.finish();
}

criterion_group!(benches, metering, socket, facts);
criterion_main!(benches);
