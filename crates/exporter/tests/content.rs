//! Prompts and answers between calls and the endpoint: none where nobody asked, none on the disk unless that is asked for too, and
//! never more than the room for them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use outrigger_exporter::{Exporter, Settings, Signal, SpoolSettings};
use serde_json::json;

use crate::support::receiver::{Receiver, Speech};
use crate::support::said::call;

const QUESTION: &str = "When does the tide turn?";
const ANSWER: &str = "It turns at six.";
const CAPTURE: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
const LONG: Duration = Duration::from_secs(20);

fn settings(endpoint: &str, capture: &str) -> Settings {
    let get = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_PROTOCOL" => Some("http/protobuf".to_owned()),
        CAPTURE => Some(capture.to_owned()),
        _ => None,
    };
    Settings::from_env(Some(endpoint), get).unwrap().unwrap()
}

/// Hands over a call that asks and answers so.
fn say(exporter: &Exporter, question: &str, answer: &str) {
    let room = exporter.recorder().wants().room.expect("content is asked for");
    let request = json!({ "model": "gpt-5", "messages": [{ "role": "user", "content": question }] });
    let answer = json!({ "id": "c", "choices": [{ "index": 0, "message": { "role": "assistant", "content": answer } }] });
    let record = call(request.to_string().as_bytes(), answer.to_string().as_bytes(), &room);
    exporter.recorder().try_record(Arc::new(record));
}

/// Whether any file below a directory holds a text.
fn holds(directory: &Path, text: &str) -> bool {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return holds(&path, text);
        }
        std::fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn there_is_no_room_for_bodies_unless_content_is_asked_for_where_something_is_sent() {
    let receiver = Receiver::start(Speech::Http);
    let endpoint = format!("http://{}", receiver.address);
    let room = |settings| {
        let exporter = Exporter::start(settings).unwrap();
        let room = exporter.recorder().wants().room.is_some();
        let _counts = exporter.shutdown(LONG);
        room
    };
    assert!(!room(settings(&endpoint, "NO_CONTENT")));
    assert!(!room(Settings { traces: None, ..settings(&endpoint, "SPAN_ONLY") }));
    assert!(!room(Settings { logs: None, ..settings(&endpoint, "EVENT_ONLY") }));
    assert!(room(Settings { traces: None, ..settings(&endpoint, "SPAN_AND_EVENT") }));
}

#[test]
fn content_goes_to_the_disk_only_where_that_is_asked_for_as_well() {
    for content in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        // Nobody listens on the port of somebody who has gone.
        let nobody = Receiver::start(Speech::Http).address;
        let spool = SpoolSettings { directory: directory.path().to_owned(), bytes: None, age: LONG, content };
        let settings = settings(&format!("http://{nobody}"), "SPAN_AND_EVENT").with_spool(Some(spool));
        let exporter = Exporter::start(settings).unwrap();
        say(&exporter, QUESTION, ANSWER);
        let counts = exporter.shutdown(LONG);
        // Its record and the event of its details; its own span and that of its attempt.
        assert_eq!(
            (counts.calls.spooled, counts.logs.spooled, counts.traces.spooled),
            (1, 2, 2),
            "{counts:?}"
        );
        assert_eq!([QUESTION, ANSWER].map(|text| holds(directory.path(), text)), [content; 2]);
        assert_eq!(holds(directory.path(), "export spooled"), !content, "what is missing is said");
    }
}

#[test]
fn a_long_body_is_kept_and_sent_within_its_bounds() {
    const LONG_BODY: usize = 2 * 1024 * 1024;
    let receiver = Receiver::start(Speech::Http);
    let exporter =
        Exporter::start(settings(&format!("http://{}", receiver.address), "SPAN_AND_EVENT")).unwrap();
    let room = exporter.recorder().wants().room.unwrap();
    say(&exporter, &"question ".repeat(LONG_BODY / 9), &"answer ".repeat(LONG_BODY / 7));
    assert!(room.used() <= outrigger_ledger::OF_ONE_CALL, "{}", room.used());
    let (traces, logs) = (receiver.expect(Signal::Traces), receiver.expect(Signal::Logs));
    for text in [format!("{:?}", traces.spans()), format!("{:?}", logs.logs())] {
        assert!(text.contains("request too_long") && text.contains("response too_long"), "{text}");
        assert!(text.len() < 64 * 1024, "{}", text.len());
    }
    let _counts = exporter.shutdown(LONG);
    assert_eq!(room.used(), 0);
}
