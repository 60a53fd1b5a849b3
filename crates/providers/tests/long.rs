//! Nothing that comes before a usage, and no length of the event that carries it, may cost the usage.

use std::fmt::Write as _;

use http::StatusCode;
use outrigger_pricing::Meter;
use outrigger_providers::{Dialect, Reading, StreamEnd, dialects};

use crate::cases::{Answer, cases, content_type};

/// The answer with a long member at the beginning of each event, as an image or a list of tokens may stand there.
fn with_long_events(answer: &Answer) -> Option<Vec<u8>> {
    let member = format!("{{\"padding\":\"{}\",", "iVBORw0KGgo".repeat(2000));
    let text = std::str::from_utf8(&answer.bytes).ok()?;
    let long = match answer.kind {
        "text/event-stream" => text
            .replace("data: {\"", &format!("data: {member}\""))
            .replace("data: {}", &format!("data: {{{}}}", member.trim_matches(['{', ',']))),
        "application/x-ndjson" => {
            text.lines().fold(String::new(), |text, line| text + &line.replacen('{', &member, 1) + "\n")
        }
        "application/json" if text.starts_with('[') => {
            let chunks: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(text).unwrap();
            let mut long = String::new();
            for chunk in chunks {
                let chunk = serde_json::to_string(&chunk).unwrap();
                write!(long, ",{}", chunk.replacen('{', &member, 1)).unwrap();
            }
            format!("[{}]", &long[1..])
        }
        _ => return None,
    };
    Some(long.into_bytes())
}

#[test]
fn an_answer_whose_events_are_all_long_reads_as_any_other() {
    let mut long_answers = 0;
    for case in &cases() {
        for answer in case.answers.iter().filter(|answer| answer.streams) {
            let Some(bytes) = with_long_events(answer) else { continue };
            assert!(bytes.len() > answer.bytes.len() + 20_000, "{}, {}", case.name, answer.file);
            let expected = case.meter(answer, &[&answer.bytes]);
            for size in [bytes.len(), 30_000, 1000, 7] {
                let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
                assert_eq!(case.meter(answer, &pieces), expected, "{}, {} by {size}", case.name, answer.file);
            }
            long_answers += 1;
        }
    }
    assert!(long_answers > 20, "{long_answers} were tried");
}

fn read(dialect: &str, kind: &str, body: &str) -> Reading {
    let dialect: &'static dyn Dialect =
        dialects::ALL.into_iter().find(|known| known.name() == dialect).unwrap();
    let mut meter = dialect.response_meter(StatusCode::OK, &content_type(kind));
    for piece in body.as_bytes().chunks(10_000) {
        meter.chunk(piece);
    }
    meter.finish()
}

#[test]
fn a_response_of_many_items_keeps_its_usage() {
    let items = r#"{"type":"reasoning","id":"rs_1"},"#.repeat(5000);
    let response = format!(
        r#"{{"id":"resp_1","status":"completed","model":"gpt-5","output":[{items}{{"type":"message"}}],"usage":{{"input_tokens":7,"output_tokens":5}}}}"#
    );
    let event = format!(
        "event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{response}}}\n\n"
    );
    for reading in [
        read("openai_responses", "application/json", &response),
        read("openai_responses", "text/event-stream", &event),
    ] {
        assert_eq!((reading.usage_final, reading.usage.get(Meter::Input)), (true, Some(7)), "{reading:?}");
        assert_eq!((reading.end, reading.stumbled), (StreamEnd::Complete, None));
    }
}

#[test]
fn an_answer_of_many_choices_keeps_its_usage_and_every_finish_reason() {
    let choices = r#"{"index":0,"message":{"content":"a"},"finish_reason":"stop"},"#.repeat(127);
    let body = format!(
        r#"{{"id":"c","choices":[{choices}{{"finish_reason":"length"}}],"usage":{{"prompt_tokens":7,"completion_tokens":5}}}}"#
    );
    let reading = read("openai_chat", "application/json", &body);
    assert_eq!((reading.usage_final, reading.usage.get(Meter::Output)), (true, Some(5)));
    assert_eq!((reading.finish_reasons.len(), &*reading.finish_reasons[127]), (128, "length"));
    let candidates = r#"{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"},"#.repeat(127);
    let body = format!(
        r#"{{"candidates":[{candidates}{{"finishReason":"MAX_TOKENS"}}],"usageMetadata":{{"promptTokenCount":7,"candidatesTokenCount":5}}}}"#
    );
    let reading = read("gemini", "application/json", &body);
    assert_eq!((reading.usage_final, reading.usage.get(Meter::Output)), (true, Some(5)));
    assert_eq!((reading.finish_reasons.len(), &*reading.finish_reasons[127]), (128, "MAX_TOKENS"));
}

#[test]
fn embeddings_of_many_texts_are_counted_text_by_text() {
    let texts = r#"{"embeddings":{"values":[0.1],"statistics":{"token_count":3.0}}},"#.repeat(249);
    let body = format!(r#"{{"predictions":[{texts}{{"embeddings":{{"statistics":{{"token_count":4}}}}}}]}}"#);
    let reading = read("gemini", "application/json", &body);
    assert_eq!((reading.usage_fault, reading.usage.get(Meter::Input)), (None, Some(249 * 3 + 4)));
}

/// A stream of Gemini's: candidates and usage of each chunk.
fn chunks(chunks: &[(&str, &str)]) -> Reading {
    let events: String = chunks
        .iter()
        .map(|(candidates, usage)| {
            format!("data: {{\"candidates\":[{candidates}],{usage}\"modelVersion\":\"m\"}}\n\n")
        })
        .collect();
    read("gemini", "text/event-stream", &events)
}

const TEXT: &str = r#"{"content":{"parts":[{"text":"a"}]},"index":0}"#;
const STOP: &str = r#"{"content":{"parts":[{"text":""}]},"finishReason":"STOP","index":0}"#;

#[test]
fn what_a_later_chunk_leaves_out_of_the_usage_was_told_by_an_earlier_one() {
    let reading = chunks(&[
        (TEXT, r#""usageMetadata":{"promptTokenCount":10,"totalTokenCount":10},"#),
        (TEXT, r#""usageMetadata":{"promptTokenCount":10,"thoughtsTokenCount":30,"totalTokenCount":40},"#),
        (TEXT, r#""usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"totalTokenCount":43},"#),
        (TEXT, r#""usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":45},"#),
        (TEXT, ""),
        (STOP, ""),
    ]);
    assert_eq!((reading.usage_final, reading.usage_fault), (true, None), "{reading:?}");
    let counts = [Meter::Input, Meter::Output, Meter::Reasoning].map(|meter| reading.usage.get(meter));
    assert_eq!(counts, [Some(10), Some(5), Some(30)]);
    assert_eq!((reading.end, &reading.finish_reasons[..]), (StreamEnd::Complete, &["STOP".to_owned()][..]));
}

#[test]
fn a_stream_is_over_when_each_of_its_candidates_is() {
    let second = |finish: &str| format!(r#"{{"content":{{"parts":[{{"text":"b"}}]}}{finish},"index":1}}"#);
    let (open, ended) = (second(""), second(r#","finishReason":"MAX_TOKENS""#));
    // The second is heard of only in the middle, and between chunks of the first.
    let reading = chunks(&[(TEXT, ""), (TEXT, ""), (&open, ""), (TEXT, ""), (STOP, ""), (TEXT, "")]);
    assert_eq!((reading.end, reading.finish_reasons.len()), (StreamEnd::Open, 2), "{reading:?}");
    let reading = chunks(&[(TEXT, ""), (&open, ""), (STOP, ""), (&ended, "")]);
    assert_eq!(reading.end, StreamEnd::Complete);
    assert_eq!(reading.finish_reasons, ["STOP", "MAX_TOKENS"]);
}
