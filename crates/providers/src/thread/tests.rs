//! Histories and prompts by example, and that nothing depends on how a body is cut.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn thread_of(pieces: &[&[u8]]) -> Thread {
    let mut scan = ThreadScan::new();
    for piece in pieces {
        scan.push(piece, &mut |_| {});
    }
    scan.thread()
}

fn thread(body: &Value) -> Thread {
    thread_of(&[body.to_string().as_bytes()])
}

fn chat(messages: &[Value]) -> Thread {
    thread(&json!({"model": "m", "messages": messages, "stream": true}))
}

fn turn(role: &str, text: &str) -> Value {
    json!({"role": role, "content": text})
}

#[test]
fn a_request_begins_with_the_history_of_the_one_before() {
    let mut messages = vec![turn("system", "Be brief."), turn("user", "Hi \"\\ there")];
    let first = chat(&messages);
    messages.push(turn("assistant", "Yes?"));
    messages.push(turn("user", "Again"));
    let second = chat(&messages);
    assert_eq!((first.messages, second.messages), (2, 4));
    assert_eq!(second.earlier[1], first.history.unwrap());
    assert_eq!(second.earlier[2..], first.earlier[..]);
    assert_eq!(first.prompt, second.prompt);
    messages[1] = turn("user", "Hi there");
    assert!(
        !chat(&messages).earlier.contains(&first.history.unwrap()),
        "another beginning is another history"
    );
}

#[test]
fn all_but_the_values_that_it_reads_is_handed_on() {
    let body =
        br#"{"model":"m", "messages": [{"a":"\"]"}], "metadata":{"tools":[1]},"tools":[{}] ,"input":"x" }"#;
    for size in 1..body.len() {
        let (mut scan, mut rest) = (ThreadScan::new(), Vec::new());
        for piece in body.chunks(size) {
            scan.push(piece, &mut |bytes| rest.extend_from_slice(bytes));
        }
        let rest = String::from_utf8(rest).unwrap();
        assert_eq!(rest, r#"{"model":"m", "messages": 0, "metadata":{"tools":[1]},"tools":0 ,"input":0 }"#);
    }
    let mut rest = Vec::new();
    ThreadScan::new().push(b" [1] x", &mut |bytes| rest.extend_from_slice(bytes));
    assert_eq!(rest, b" [1] x");
}

#[test]
fn blanks_and_marks_of_the_cache_have_no_part_in_it() {
    let block = |mark: bool| {
        let mut block = json!({"type": "text", "text": "Hi", "n": 1.5, "flags": [true, null, []]});
        if mark {
            block["cache_control"] = json!({"type": "ephemeral", "ttl": "5m"});
        }
        json!({"model": "m", "system": [block], "messages": [{"role": "user", "content": [block]}]})
    };
    let plain = thread(&block(false));
    assert_eq!(thread(&block(true)), plain);
    assert_eq!(thread_of(&[format!("\n {:#}\n", block(true)).as_bytes()]), plain);
    assert!(plain.prompt.is_some() && plain.history.is_some());
}

#[test]
fn ids_of_tool_calls_are_found_in_every_format() {
    for (body, ids) in [
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "call_1"}]}, {"role": "tool", "tool_call_id": "call_1"}]}),
            ["call_1", "call_1"],
        ),
        (
            json!({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "input": {"a": 1}}]}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_2"}]}]}),
            ["toolu_2", "toolu_1"],
        ),
        (
            json!({"input": [{"type": "function_call", "id": "fc_1", "call_id": "call_2"}]}),
            ["call_2", "fc_1"],
        ),
        (
            json!({"contents": [{"parts": [{"functionCall": {"id": "a"}}]}, {"parts": [{"functionResponse": {"id": "b"}}]}]}),
            ["b", "a"],
        ),
        (
            json!({"messages": [{"content": [{"toolUse": {"toolUseId": "x"}}]}, {"content": [{"toolResult": {"toolUseId": "y"}}]}]}),
            ["y", "x"],
        ),
    ] {
        // Members of an object are written in the order of their names, so ids may come before what they are ids of.
        let mut found = thread(&body).ids;
        found.sort_unstable();
        let mut expected = ids.map(|id| id_hash(id.as_bytes()));
        expected.sort_unstable();
        assert_eq!(found, expected, "{body}");
    }
    assert_eq!(chat(&[turn("user", r#"{"id":"x"}"#)]).ids, Vec::<u64>::new());
    assert_eq!(thread(&json!({"metadata": {"id": "x"}, "messages": []})).ids, Vec::<u64>::new());
}

#[test]
fn a_prompt_is_what_the_program_wrote_and_not_what_was_said() {
    let prompt = |body: Value| thread(&body).prompt;
    let tools = json!([{"type": "function", "function": {"name": "tide", "parameters": {}}}]);
    let base = json!({"messages": [turn("system", "Be brief."), turn("user", "a")], "tools": tools});
    let first = prompt(base.clone());
    assert!(first.is_some());
    let mut said = base.clone();
    said["messages"].as_array_mut().unwrap().push(turn("system", "said later"));
    said["messages"][1] = turn("user", "b");
    assert_eq!(prompt(said), first);
    let mut other = base.clone();
    other["messages"][0] = turn("system", "Be brief!");
    assert_ne!(prompt(other), first);
    let mut tooled = base;
    tooled["tools"][0]["function"]["name"] = json!("tides");
    assert_ne!(prompt(tooled), first);
    assert_eq!(prompt(json!({"messages": [turn("user", "a")]})), None);
    let order = |text: &str| thread_of(&[text.as_bytes()]).prompt;
    assert_eq!(order(r#"{"tools":[1],"system":"s"}"#), order(r#"{"system":"s","tools":[1]}"#));
    assert_ne!(order(r#"{"tools":["s"]}"#), order(r#"{"system":["s"]}"#));
    assert!(order(r#"{"instructions":"s","input":"a"}"#).is_some());
    assert!(order(r#"{"system_instruction":{"parts":[{"text":"s"}]},"contents":[]}"#).is_some());
}

/// The fingerprint stands in stores: it may not change between versions.
#[test]
fn a_fingerprint_is_the_same_for_ever() {
    let thread = thread_of(&[br#"{"system":"Be brief.","tools":[{"name":"tide"}],"messages":[]}"#]);
    assert_eq!(format!("{:016x}", thread.prompt.unwrap()), "0e18c07185d05441");
}

#[test]
fn of_what_was_not_seen_whole_nothing_is_said() {
    for body in ["", "{", r#"{"messages":[{"role":"user""#, "[1]", "7", "not json", r#""text""#] {
        assert_eq!(thread_of(&[body.as_bytes()]), Thread::default(), "{body}");
    }
    let deep = format!(r#"{{"messages":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    assert_eq!(thread_of(&[deep.as_bytes()]), Thread::default());
}

#[test]
fn a_long_history_keeps_its_end() {
    let all: Vec<Value> = (0..100).map(|number| turn("user", &number.to_string())).collect();
    let (short, long) = (chat(&all[..80]), chat(&all));
    assert_eq!((long.messages, long.earlier.len()), (100, Thread::KEPT));
    assert_eq!(long.earlier[19], short.history.unwrap());
    assert_eq!(thread(&json!({"input": "one text"})).messages, 1);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\\\\n é]{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("id".to_owned()),
        Just("role".to_owned()),
        Just("cache_control".to_owned()),
        "[a-z\"\\\\]{0,40}",
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_body_reads_the_same_however_it_is_cut(
        messages in prop::collection::vec(value(), 0..4),
        system in value(),
        size in 1usize..20,
        pretty in any::<bool>(),
    ) {
        let body = json!({"system": system, "x": {"messages": 1}, "messages": messages});
        let text = if pretty { format!("{body:#}") } else { body.to_string() };
        let whole = thread_of(&[text.as_bytes()]);
        prop_assert_eq!(&thread_of(&text.as_bytes().chunks(size).collect::<Vec<_>>()), &whole);
        prop_assert_eq!(&thread_of(&text.as_bytes().chunks(1).collect::<Vec<_>>()), &whole);
        prop_assert_eq!(&thread(&body), &whole);
        prop_assert!(whole.history.is_some() && whole.prompt.is_some());
        if let [all @ .., _] = &messages[..] && !all.is_empty() {
            let shorter = thread(&json!({"messages": all}));
            prop_assert_eq!(whole.earlier[0], shorter.history.unwrap());
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop_oneof![
        Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), Just(b','), Just(b':'), any::<u8>()], 0..200),
        beginning in prop_oneof![Just(""), Just("{\"messages\":"), Just("{\"tools\":[{")],
    ) {
        let bytes = [beginning.as_bytes(), &bytes].concat();
        prop_assert_eq!(thread_of(&[&bytes]), thread_of(&bytes.chunks(1).collect::<Vec<_>>()));
    }
}
