//! What metering costs: one event of a chat stream in the steady state, and the facts of a large request.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use outrigger_providers::Dialect;
use outrigger_providers::dialects::openai_chat::OPENAI_CHAT;

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

criterion_group!(benches, metering, facts);
criterion_main!(benches);
