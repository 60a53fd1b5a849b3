//! No secret and no content in anything that a record says.

use outrigger_ledger::{CallRecord, End, call_json};
use outrigger_providers::{FailureClass, KEY_SHAPES, REDACTED_KEY};
use proptest::prelude::*;

use crate::support::Script;
use crate::support::bodies::{self, CHAT_STREAM, chat, messages};

/// Everything that can be read of a record.
fn everything(record: &CallRecord) -> String {
    let key = record.key.as_ref().map(ToString::to_string);
    format!("{record:?} {record:#?} {} {key:?}", call_json(record))
}

/// The ways in which calls end, each with this key in the header that its provider reads.
fn calls(key: &str) -> Vec<CallRecord> {
    let refusal = format!(
        r#"{{"error":{{"message":"Incorrect API key provided: {key}. You can find it in your settings.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}}}"#
    );
    let echo = format!(
        r#"{{"type":"error","error":{{"type":"invalid_request_error","message":"header x-api-key: {key}"}}}}"#
    );
    let with = |mut script: Script, header: &str, value: &str| {
        script.request_headers.clear();
        script.request_header(header, value)
    };
    let bearer = format!("Bearer {key}");
    let openai = |script| with(script, "authorization", &bearer);
    let anthropic = |script| with(script, "x-api-key", key);
    let mut lost = openai(chat("{}"));
    lost.status = None;
    vec![
        openai(chat(CHAT_STREAM)).run(),
        openai(chat(CHAT_STREAM)).end(End::Cancelled),
        openai(chat(&CHAT_STREAM[..300])).end(End::Cut),
        openai(chat(&refusal).status(401)).run(),
        openai(chat(&refusal).status(500)).run(),
        anthropic(messages(&echo).status(400)).run(),
        with(messages(&bodies::messages_stream()), "authorization", &bearer).run(),
        lost.end(End::Failed {
            class: FailureClass::Tls,
            text: "the handshake failed".to_owned(),
            status: 502,
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_key_is_ever_told(key in "sk-(proj-|ant-api03-)?[A-Za-z0-9_-]{8,90}[A-Za-z0-9]") {
        for record in calls(&key) {
            let said = everything(&record);
            prop_assert!(!said.contains(&key), "{}", said);
            // Nor the greater part of it: the last four characters of a long key are all that may show.
            let hidden = &key[key.len() / 3..key.len() - 4];
            prop_assert!(hidden.len() < 4 || !said.contains(hidden), "{}", said);
            prop_assert!(record.key.is_some());
        }
    }

    /// A key that looks like nothing known is not repeated by what we say of it ourselves.
    #[test]
    fn no_form_of_key_is_needed_to_hide_it(key in "[!-~]{12,80}") {
        let mut script = chat(r#"{"error":{"message":"no","type":"x","param":null,"code":"invalid_api_key"}}"#).status(401);
        script.request_headers.clear();
        let record = script.request_header("authorization", &key).run();
        prop_assert!(!everything(&record).contains(&key));
    }
}

#[test]
fn a_key_that_was_typed_into_another_field_is_not_recorded() {
    for shape in KEY_SHAPES {
        let key = format!("{}{}", shape.begins, "Ab0Cd1Ef2Gh3".repeat(4));
        let body = |field: &str| format!(r#"{{"model":"gpt-5","messages":[],"{field}":"{key}"}}"#);
        let ask = |host, path, request: &str| Script::new(host, path, request, "{}");
        let chat = |field: &str| ask("api.openai.com", "/v1/chat/completions", &body(field));
        let path: &'static str = format!("/v1beta/models/{key}:generateContent").leak();
        for (script, model) in [
            (chat("model"), REDACTED_KEY),
            (chat("user"), "gpt-5"),
            (chat("service_tier"), "gpt-5"),
            (ask("generativelanguage.googleapis.com", path, "{}"), REDACTED_KEY),
            (chat("model").status(404), REDACTED_KEY),
        ] {
            let record = script.run();
            assert_eq!(record.facts.model.as_deref(), Some(model), "{key}");
            assert!(!everything(&record).contains(&key[shape.begins.len()..]), "{record:?}");
        }
    }
}

#[test]
fn the_same_key_has_the_same_fingerprint_in_either_header() {
    let prints: Vec<_> =
        calls("sk-ant-api03-abcdefgh").into_iter().map(|record| record.key.unwrap()).collect();
    assert!(prints.windows(2).all(|pair| pair[0] == pair[1]), "{prints:?}");
}

#[test]
fn no_content_is_kept() {
    for script in bodies::all() {
        let said = everything(&script.run());
        for content in ["Hello", "Grüße", "\"Hi\""] {
            assert!(!said.contains(content), "{content} in {said}");
        }
    }
}
