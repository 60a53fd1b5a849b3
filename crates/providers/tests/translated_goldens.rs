//! Every pair's answer, whole and streamed, as the app gets it: `fixtures/translated/FROM/TO.txt`. Write them anew with
//! `OUTRIGGER_WRITE_GOLDENS=1 cargo test -p outrigger-providers --test integration translated_goldens::`.

use std::fmt::Write as _;
use std::path::PathBuf;

use http::StatusCode;
use outrigger_providers::canonical::Asked;
use outrigger_providers::framing::{EventStreamMessage, EventStreamSplitter};
use outrigger_providers::translate::{Stream, answer};
use serde_json::{Value, json};

use crate::events::content_type;
use crate::said::{Ending, Said, Usage, formats};

fn said() -> Said {
    let call = |at: &str| json!({"at": at}).as_object().unwrap().clone();
    Said {
        thought: Some("Hm.".into()),
        text: Some("Let me look.".into()),
        calls: vec![call("Brest"), call("Cork")],
        step: 6,
        ending: Ending::Natural,
        usage: Usage { fresh: 20, read: 8, written: 4, visible: 11, reasoning: 6 },
    }
}

/// The text of a stream; of AWS's messages what they are called and carry.
fn shown(kind: &str, stream: &[u8]) -> String {
    if kind == "text/event-stream" {
        return String::from_utf8(stream.to_vec()).unwrap();
    }
    let mut text = String::new();
    EventStreamSplitter::default().push(stream, &mut |message: EventStreamMessage<'_>| {
        let name = message.header(":event-type").unwrap_or("none");
        writeln!(text, "{name} {}", String::from_utf8_lossy(message.payload)).unwrap();
    });
    text
}

#[test]
fn every_pairs_answer_is_written_as_it_was_looked_at() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/translated");
    let request = br#"{"model": "ours", "stream": true, "stream_options": {"include_usage": true}}"#;
    let asked = Asked::of(request, Some("alt=sse"), "call-1", 1_760_000_000);
    for from in formats().iter().take(5) {
        let (whole, events) = (from.write)(&said());
        for to in formats().iter().take(5).filter(|to| to.name != from.name) {
            let head = content_type("application/json");
            let whole = whole.to_string();
            let whole =
                answer(from.dialect, to.dialect, StatusCode::OK, &head, whole.as_bytes(), &asked).unwrap();
            let whole: Value = serde_json::from_slice(&whole.body).unwrap();
            let mut stream =
                Stream::new(from.dialect, to.dialect, &content_type(from.kind), asked.clone()).unwrap();
            let mut bytes = stream.push(&events).to_vec();
            bytes.extend_from_slice(&stream.end().bytes);
            let text = format!("{whole:#}\n\n{}\n", shown(to.kind, &bytes).trim_end());
            let file = folder.join(from.name).join(format!("{}.txt", to.name));
            if std::env::var_os("OUTRIGGER_WRITE_GOLDENS").is_some() {
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(&file, &text).unwrap();
            }
            let golden =
                std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert_eq!(text, golden, "{}", file.display());
        }
    }
}
