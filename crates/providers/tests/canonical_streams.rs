//! A stream is read into what the whole answer is read into, a cut stream into a beginning of it, and no body makes a reader fall.

use outrigger_providers::canonical::{
    Answer, Arguments, Body, Event, Fold, Framed, Part, Reader, Seal, answer_from,
};
use outrigger_providers::dialects;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::events::{chat, converse, gemini, messages, responses};
use crate::said::any_said;

fn readers() -> impl Iterator<Item = &'static dyn Reader> {
    dialects::ALL.into_iter().filter_map(|dialect| dialect.canonical())
}

fn seal(part: &Part) -> &str {
    match &part.seal {
        Some(Seal::Signature(text) | Seal::Content(text)) => text,
        None => "",
    }
}

/// Whether one part is a beginning of another.
fn begins(cut: &Part, whole: &Part) -> bool {
    let body = match (&cut.body, &whole.body) {
        (Body::Text(cut), Body::Text(whole)) | (Body::Reasoning(cut), Body::Reasoning(whole)) => {
            whole.starts_with(cut)
        }
        (Body::ToolCall(cut), Body::ToolCall(whole)) => {
            let arguments = match (&cut.arguments, &whole.arguments) {
                (Arguments::Text(cut), Arguments::Object(whole)) => {
                    Value::Object(whole.clone()).to_string().starts_with(cut)
                }
                (cut, whole) => *cut == Arguments::Object(Map::new()) || cut == whole,
            };
            cut.name == whole.name && cut.id == whole.id && arguments
        }
        _ => false,
    };
    body && seal(whole).starts_with(seal(cut))
}

/// `ends`: whether the format has a last word.
fn check(
    reader: &dyn Reader,
    framed: Framed,
    ends: bool,
    (whole, body): (Value, Vec<u8>),
    cut: usize,
) -> Result<(), TestCaseError> {
    let whole: Answer = reader.answer(whole).unwrap();
    let streamed = answer_from(reader, framed, &body);
    prop_assert_eq!((&streamed.answer, streamed.ended, &streamed.fault), (&whole, ends, &None));
    let cut = cut % body.len();
    let broken = answer_from(reader, framed, &body[..cut]);
    prop_assert_eq!(&broken.fault, &None);
    let none = Vec::new();
    let (came, all) = (broken.answer.choices.first().map_or(&none, |it| &it.parts), &whole.choices[0].parts);
    prop_assert!(came.len() <= all.len());
    for (came, all) in came.iter().zip(all) {
        prop_assert!(begins(came, all), "{:?} does not begin {:?}", came, all);
    }
    Ok(())
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = "type|role|content|text|choices|delta|tool_calls|function|name|index|id|messages|tools|source|error|content_block|\
        message|message_start|content_block_start|content_block_delta|tool_use|tool_result|base64|input_json_delta|user|tool";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(words, inner, 0..6)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_stream_says_what_the_whole_says_and_a_cut_one_a_beginning_of_it(said in any_said(), cut in any::<usize>()) {
        let sse = Framed::Events;
        check(chat(), sse, true, said.chat(), cut)?;
        check(messages(), sse, true, said.messages(), cut)?;
        check(responses(), sse, true, said.responses(false), cut)?;
        check(responses(), sse, true, said.responses(true), cut)?;
        check(gemini(), sse, false, said.gemini(), cut)?;
        check(converse(), Framed::AwsMessages, true, said.converse(), cut)?;
    }

    /// Hostile bodies are read or refused; the memory that an answer takes does not grow with the numbers it names.
    #[test]
    fn nothing_that_a_body_holds_makes_a_reader_fall(body in any_json(), events in proptest::collection::vec(any_json(), 0..8)) {
        for reader in readers() {
            let _read = reader.request(body.clone());
            let _read = reader.answer(body.clone());
            let mut stream = reader.stream();
            let mut said = Vec::new();
            let mut fold = Fold::default();
            for event in &events {
                let _read = stream.event("", event.clone(), &mut said);
            }
            prop_assert!(said.len() <= 200, "{} events out of {}", said.len(), events.len());
            said.drain(..).for_each(|event: Event| fold.take(event));
            prop_assert!(fold.answer().choices.len() <= 200);
        }
    }
}
