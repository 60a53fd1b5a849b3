use std::sync::{Arc, LazyLock};

use outrigger_ledger::{OF_ONE_CALL, Room};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::said::call;

const LIMIT: usize = 2047;

fn redaction() -> &'static Redaction {
    static RULES: LazyLock<Redaction> = LazyLock::new(|| Redaction::with("").unwrap());
    &RULES
}

/// Content of these two bodies.
fn captured(request: &Value, answer: &Value) -> Arc<Captured> {
    let room = Arc::new(Room::new(1 << 20));
    call(request.to_string().as_bytes(), answer.to_string().as_bytes(), &room).content.unwrap()
}

fn asked(content: &Value) -> Value {
    json!({ "model": "gpt-5", "messages": [{ "role": "user", "content": content }] })
}

fn answered(message: &Value) -> Value {
    json!({ "id": "c", "model": "gpt-5", "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] })
}

/// Secrets and persons, each as nobody would want to read it.
const SECRETS: [&str; 13] = [
    "sk-proj-Abcdefghijklmnop0123456789",
    "sk-ant-api03-Zyxwvutsrqponm_9876543210-AA",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "gsk_abcdefghij0123456789ABCDEFGHIJ",
    "xai-abcdefghij0123456789ABCDEFGHIJ",
    "ghp_abcdefghij0123456789ABCDEFGHIJ",
    "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "Bearer abcdefgh.12345678",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    "ada.lovelace+x@analytical.example.org",
    "4111 1111 1111 1111",
];

/// What of a secret must not be seen: without what stands around it for a person to know it by.
fn core(secret: &str) -> &str {
    ["aws_secret_access_key = ", "Bearer ", "-----BEGIN RSA PRIVATE KEY-----\n"]
        .iter()
        .find_map(|start| secret.strip_prefix(start))
        .map_or(secret, |rest| rest.lines().next().unwrap())
}

#[test]
fn messages_have_the_conventions_form() {
    let request = json!({
        "model": "gpt-5",
        "messages": [
            { "role": "developer", "content": "Be brief." },
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
            ] },
            { "role": "assistant", "tool_calls": [
                { "id": "call_1", "type": "function", "function": { "name": "look", "arguments": "{\"at\":1}" } },
            ] },
            { "role": "tool", "tool_call_id": "call_1", "content": "a cat" },
        ],
        "tools": [{ "type": "function", "function": {
            "name": "look", "description": "Looks", "parameters": { "type": "object" },
        } }],
    });
    let told = Told::of(
        &captured(&request, &answered(&json!({ "role": "assistant", "content": "A cat." }))),
        redaction(),
    );
    assert_eq!(
        Value::Array(told.input),
        json!([
            { "role": "system", "parts": [{ "type": "text", "content": "Be brief." }] },
            { "role": "user", "parts": [
                { "type": "text", "content": "What is this?" },
                { "type": "blob", "modality": "image", "mime_type": "image/png",
                  "content": "[left out: 4 bytes of base64]" },
            ] },
            { "role": "assistant", "parts": [
                { "type": "tool_call", "id": "call_1", "name": "look", "arguments": { "at": 1 } },
            ] },
            { "role": "tool", "parts": [
                { "type": "tool_call_response", "id": "call_1", "response": "a cat" },
            ] },
        ])
    );
    assert_eq!(
        Value::Array(told.output),
        json!([{ "role": "assistant", "parts": [{ "type": "text", "content": "A cat." }], "finish_reason": "stop" }])
    );
    assert_eq!(Value::Array(told.tools), json!([{ "type": "function", "name": "look" }]));
    assert!(told.lacks.is_empty() && told.system.is_empty());
}

#[test]
fn what_was_not_kept_is_said() {
    let long = asked(&json!("x".repeat(OF_ONE_CALL))).to_string();
    let answer = answered(&json!({ "role": "assistant", "content": "Hi" })).to_string();
    let told = |request: &str, room: usize| {
        let room = Arc::new(Room::new(room));
        let record = call(request.as_bytes(), answer.as_bytes(), &room);
        let told = Told::of(record.content.as_ref().unwrap(), redaction());
        drop(record);
        assert_eq!(room.used(), 0, "what was taken is given back");
        (told.lacks, told.input.len(), told.output.len())
    };
    let short = asked(&json!("Hello")).to_string();
    assert_eq!(told(&short, 1 << 20), (vec![], 1, 1));
    assert_eq!(told(&long, 1 << 20), (vec!["request too_long"], 0, 1));
    assert_eq!(told(&short, 4096), (vec!["response no_room"], 1, 0));
    assert_eq!(told("{\"model\":", 1 << 20), (vec!["request unread"], 0, 1));
}

#[test]
fn what_is_no_secret_stays() {
    for plain in [
        "at 3 of 14 in 2026-01-02T03:04:05Z, call 1732588800000",
        "a task-list, sk- alone, user@host and 4111 1111 1111 1112",
        "order 978-3-16-148410-0",
        "a risk-management-for-companies that asks the bearer politely",
    ] {
        let mut value = json!(plain);
        redaction().apply(&mut value);
        assert_eq!(value, json!(plain));
    }
}

#[test]
fn a_secret_is_seen_within_words_and_escapes_as_well() {
    for (text, clean) in [
        (r#"{\"key\":\"x\nsk-Abcdefghijklmnop0123456789\"}"#, r#"{\"key\":\"x[redacted:key]\"}"#),
        ("密钥sk-abcdefghijklmnopqrstuvwxyz", "密钥[redacted:key]"),
        ("OPENAI_API_KEY=sk-abcdefghijklmnopqrstuvwxyz", "OPENAI_API_KEY=[redacted:key]"),
        ("\\u000ask-proj-0bcdefghijklmnopqrstuvwxyz", "\\u000a[redacted:key]"),
        ("authorization: bearer 0a1b2c3d4e", "authorization: [redacted:bearer]"),
    ] {
        let mut value = json!(text);
        redaction().apply(&mut value);
        assert_eq!(value, json!(clean));
    }
}

#[test]
fn patterns_of_ones_own_hold_beside_the_others_and_a_bad_one_is_named() {
    let own = Redaction::with("PAT-\\d+\n\n(?i)project nightingale").unwrap();
    let mut value = json!({ "PAT-77": ["Project Nightingale for ada@example.org"] });
    own.apply(&mut value);
    assert_eq!(value, json!({ "[redacted:custom]": ["[redacted:custom] for [redacted:email]"] }));
    let error = Redaction::with("fine\n(open").unwrap_err();
    assert_eq!(error.line, 2);
    assert_eq!(error.to_string(), "pattern 2 is no regular expression that can be used: unclosed group");
    let huge = Redaction::with("\\w{5000}{50}").unwrap_err();
    assert_eq!((huge.line, huge.why.as_str()), (1, "it takes more than 262144 bytes"));
}

#[test]
fn the_last_and_the_first_message_outlive_those_between() {
    let say = |text: &str| json!({ "role": "user", "parts": [{ "type": "text", "content": text }] });
    let mut items: Vec<Value> = (0..100).map(|number| say(&format!("message {number}"))).collect();
    items.push(say("the end"));
    let kept = fit(&items, 600).unwrap();
    assert_eq!((&kept[0], kept.last().unwrap()), (&items[0], &items[100]));
    assert!(kept.iter().any(|item| item["parts"][0]["type"] == "outrigger.omitted"));
    let long = fit(&[say(&"é".repeat(5000))], LIMIT).unwrap();
    let text = long[0]["parts"][0]["content"].as_str().unwrap();
    assert!(text.starts_with('é') && text.ends_with("bytes left out]"), "{text}");
    assert_eq!(fit(&items, 1), None);
}

/// Any JSON, with texts of any length.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,60}".prop_map(Value::from),
        (1_usize..6000, "[a-é\"\\\\ ]").prop_map(|(times, text)| Value::from(text.repeat(times))),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec(("\\PC{0,12}", inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_cut_is_a_list_within_the_limit(
        items in prop::collection::vec(json_value(), 0..12),
        limit in 0_usize..8000,
    ) {
        if let Some(kept) = fit(&items, limit) {
            let text = Value::Array(kept).to_string();
            prop_assert!(text.len() <= limit);
            prop_assert!(serde_json::from_str::<Vec<Value>>(&text).is_ok());
        } else {
            prop_assert!(limit < 100 || items.iter().any(|item| item.to_string().len() > 32));
        }
    }

    #[test]
    fn no_secret_is_seen_wherever_it_stands(
        secret in prop::sample::select(&SECRETS[..]),
        before in "[a-z äß,.:;(\"'\\n-]{0,3000}[ (\"\\n]",
        after in "[ )\"\\n,;][a-z ]{0,80}",
        place in 0_usize..5,
        limit in 200_usize..5000,
    ) {
        let text = format!("{before}{secret}{after}");
        let tool_call = |arguments: Value| json!({ "role": "assistant", "content": null, "tool_calls": [
            { "id": "c", "type": "function", "function": { "name": "f", "arguments": arguments.to_string() } },
        ] });
        let (request, message) = match place {
            0 => (asked(&json!(text)), json!({ "role": "assistant", "content": "Hi" })),
            1 => (asked(&json!("Hi")), json!({ "role": "assistant", "content": text })),
            2 => (asked(&json!([{ "type": "text", "text": text }])), json!({ "role": "assistant", "content": "Hi" })),
            3 => (asked(&json!("Hi")), tool_call(json!({ "deep": [{ "in": text }] }))),
            _ => (asked(&json!("Hi")), tool_call(json!({ text.as_str(): 1 }))),
        };
        let told = Told::of(&captured(&request, &answered(&message)), redaction());
        for items in [&told.input, &told.output] {
            for shown in [Value::Array(items.clone()), fit(items, limit).map(Value::Array).unwrap_or_default()] {
                prop_assert!(!shown.to_string().contains(core(secret)), "{shown}");
            }
        }
    }
}
