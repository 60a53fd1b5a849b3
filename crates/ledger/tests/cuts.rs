//! Answers that break off, anywhere: never taken for complete, never counted beyond what was told.

use outrigger_ledger::{CallRecord, End, Outcome, Provenance};
use outrigger_pricing::{Completeness, Meter};
use outrigger_providers::FailureClass;

use crate::support::bodies::{self, CHAT_PLAIN, CHAT_STREAM, MESSAGES_START, chat, messages};

/// Nothing passes for a report of the provider's that is none.
fn assert_not_reported(record: &CallRecord, place: &str) {
    assert!(!record.tokens.provenance.is_reported(), "{place}");
    assert!(record.tokens.reported().get(Meter::Output).is_none(), "{place}");
    match record.tokens.of(Meter::Output) {
        Provenance::Estimated => assert!(record.tokens.answer.is_some(), "{place}"),
        other => assert_eq!((other, record.tokens.usage.get(Meter::Output)), (Provenance::Unknown, None)),
    }
}

#[test]
fn wherever_an_answer_breaks_off_it_is_failed_and_its_tokens_unknown() {
    for script in bodies::all() {
        let body = script.body();
        // The blank lines after the terminal event are all that may be missing.
        let needed = body.trim_ascii_end().len();
        for at in 0..needed {
            let record = script.clone().response(vec![body[..at].to_vec()]).end(End::Cut);
            let place = format!("{} at {at} of {needed}", script.path);
            assert_eq!(record.outcome, Outcome::Failed, "{place}");
            let cause = record.cause.as_ref().unwrap();
            assert_eq!(cause.class, FailureClass::StreamCut, "{place}");
            assert_eq!(
                (cause.error_type.as_str(), cause.status),
                ("stream_interrupted", Some(200)),
                "{place}"
            );
            assert!(record.tokens.reason.is_some(), "{place}");
            assert_ne!(record.cost.completeness, Completeness::Exact, "{place}");
            assert_not_reported(&record, &place);
        }
    }
}

#[test]
fn a_stream_that_ends_orderly_without_its_terminal_event_was_cut() {
    for script in bodies::streams() {
        let body = script.body();
        // Everything but the terminal event.
        let at = body.trim_ascii_end().windows(2).rposition(|pair| pair == b"\n\n").unwrap() + 2;
        let record = script.response(vec![body[..at].to_vec()]).run();
        let cause = record.cause.as_ref().unwrap();
        assert_eq!((record.outcome, cause.class), (Outcome::Failed, FailureClass::StreamCut));
        assert_eq!(cause.error_type, "stream_incomplete");
        assert!(cause.text.contains("the stream ended without its terminal event"), "{}", cause.text);
        assert_not_reported(&record, "");
    }
}

#[test]
fn running_counts_are_not_the_final_ones() {
    // Some servers tell the usage so far with every chunk.
    let running = r#"data: {"id":"chatcmpl-1","model":"gpt-5.1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":{"prompt_tokens":100,"completion_tokens":1,"total_tokens":101}}"#;
    for end in [End::Cut, End::Cancelled, End::Complete] {
        let record = chat(&format!("{running}\n\n")).end(end);
        assert_not_reported(&record, "");
        assert_eq!(record.tokens.usage.get(Meter::Input), Some(100));
        assert_eq!(record.tokens.of(Meter::Input), Provenance::Exact);
        assert_eq!(record.cost.completeness, Completeness::Partial);
    }
}

#[test]
fn the_input_of_a_cut_message_is_known_and_priced_as_a_lower_bound() {
    for end in [End::Cut, End::Cancelled] {
        let record = messages(MESSAGES_START).end(end);
        assert_eq!(record.tokens.usage.total_prompt(), Some(1234));
        assert_not_reported(&record, "");
        assert_eq!((record.tokens.prompt, record.tokens.of(Meter::Input)), (None, Provenance::Exact));
        assert_eq!(record.cost.completeness, Completeness::Estimated);
        // 210 × 3 + 1024 × 0.3 per million, and what the answer may have been.
        let (low, high) = record.cost_between.unwrap();
        assert_eq!(low.to_string(), "0.0009372", "nothing, at the least");
        assert!(record.cost.total.is_some_and(|total| (low..=high).contains(&total)) && low < high);
        assert_eq!(record.finish_reasons, ["error"]);
    }
}

#[test]
fn an_app_that_hangs_up_has_not_failed() {
    for script in bodies::all() {
        let half = script.body()[..script.body().len() / 2].to_vec();
        let record = script.response(vec![half]).end(End::Cancelled);
        assert_eq!((record.outcome, &record.cause), (Outcome::Cancelled, &None));
        assert_eq!(record.attempts[0].error_type, None);
        assert_not_reported(&record, "");
    }
    let mut script = chat(CHAT_STREAM);
    script.status = None;
    let record = script.end(End::Cancelled);
    assert_eq!((record.outcome, record.cause, record.times.responded), (Outcome::Cancelled, None, None));
    assert_eq!(record.cost.completeness, Completeness::Unpriced);
}

#[test]
fn a_call_that_we_give_up_is_unknown() {
    let record = chat(CHAT_STREAM).response(Vec::new()).end(End::Abandoned);
    assert_eq!((record.outcome, record.cause), (Outcome::Unknown, None));
    assert_eq!(record.tokens.provenance, Provenance::Unknown);
}

#[test]
fn garbage_is_unknown_and_never_an_error_that_nobody_told() {
    let garbage = |body: &str| chat(CHAT_PLAIN).response(vec![body.as_bytes().to_vec()]);
    let html = "<html><body>It works!</body></html>";
    for script in [
        garbage("{\"id\": \"chatcmpl-1\", \"usage\": {\"prompt_tokens\": 3"),
        garbage("{not json at all}"),
        garbage(""),
        garbage(html).response_header("content-type", "text/html"),
        chat(&CHAT_STREAM.replacen("data: {", "data: }{", 1)),
    ] {
        let record = script.run();
        assert_eq!((record.outcome, record.cause), (Outcome::Unknown, None), "{:?}", script.body());
        assert_eq!(record.tokens.provenance, Provenance::Unknown);
        assert_ne!(record.cost.completeness, Completeness::Exact);
        assert!(record.tokens.reason.is_some());
    }
}

#[test]
fn usage_that_was_not_asked_for_is_unknown_and_says_so() {
    let mut script = chat(&CHAT_STREAM.replace("\"choices\":[],\"usage\":{", "\"choices\":[],\"other\":{"));
    script.request = vec![br#"{"model":"gpt-5.1","stream":true,"messages":[]}"#.to_vec()];
    let record = script.run();
    assert_eq!(record.outcome, Outcome::Answered);
    assert_not_reported(&record, "");
    assert!(record.tokens.reason.is_some_and(|reason| reason.contains("stream_options.include_usage")));
    assert_eq!(record.cost.completeness, Completeness::Partial, "a model that reasons: at least its texts");
}
