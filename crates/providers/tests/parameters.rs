//! What a request says of how it is to be answered, per wire format, however it is cut.

use outrigger_providers::{RequestFacts, dialects};

use crate::cases::facts;

fn of(dialect: &str, pieces: &[&[u8]]) -> RequestFacts {
    let dialect = dialects::ALL.into_iter().find(|one| one.name() == dialect).unwrap();
    facts(dialect, pieces)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn every_format_tells_what_ends_its_answers() {
    for (dialect, body, expected) in [
        ("openai_chat", r#"{"messages":[{"stop":"no"}],"stop":"END"}"#, &["END"][..]),
        ("openai_chat", r#"{"stop":["\n\n","Ebb"]}"#, &["\n\n", "Ebb"]),
        ("openai_chat", r#"{"stop":null}"#, &[]),
        ("openai_chat", r#"{"stop":[1,2]}"#, &[]),
        ("openai_completions", r#"{"stop":["END"]}"#, &["END"]),
        ("anthropic_messages", r#"{"stop_sequences":["END"],"messages":[]}"#, &["END"]),
        ("gemini", r#"{"generationConfig":{"stopSequences":["a","b"]}}"#, &["a", "b"]),
        ("gemini", r#"{"generation_config":{"stop_sequences":["a"]}}"#, &["a"]),
        ("bedrock_converse", r#"{"inferenceConfig":{"stopSequences":["END"]}}"#, &["END"]),
        ("cohere", r#"{"stop_sequences":["END"]}"#, &["END"]),
        ("ollama", r#"{"options":{"stop":["END"]}}"#, &["END"]),
    ] {
        for cut in 0..body.len() {
            let (first, second) = body.as_bytes().split_at(cut);
            let told = of(dialect, &[first, second]).stop_sequences;
            assert_eq!(told, texts(expected), "{dialect}: {body} cut at {cut}");
        }
    }
}

#[test]
fn embeddings_tell_their_dimensions_and_forms() {
    for (dialect, body, dimensions, forms) in [
        (
            "openai_embeddings",
            r#"{"input":"a","dimensions":256,"encoding_format":"base64"}"#,
            Some(256),
            &["base64"][..],
        ),
        ("openai_embeddings", r#"{"input":["dimensions"]}"#, None, &[]),
        (
            "cohere",
            r#"{"output_dimension":512,"embedding_types":["float","int8"]}"#,
            Some(512),
            &["float", "int8"],
        ),
        ("gemini", r#"{"outputDimensionality":768}"#, Some(768), &[]),
        ("ollama", r#"{"input":"a","dimensions":64}"#, Some(64), &[]),
    ] {
        let told = of(dialect, &[body.as_bytes()]);
        assert_eq!((told.dimensions, told.encoding_formats), (dimensions, texts(forms)), "{dialect}: {body}");
    }
}

#[test]
fn a_kept_prompt_and_a_guardrail_are_told_by_their_ids() {
    let kept =
        of("openai_responses", &[br#"{"prompt":{"id":"pmpt_1","version":"3","variables":{"id":"no"}}}"#]);
    assert_eq!(kept.prompt_template, Some(("pmpt_1".to_owned(), Some("3".to_owned()))));
    assert_eq!(of("openai_responses", &[br#"{"prompt":{"version":"3"}}"#]).prompt_template, None);
    let guarded = of(
        "bedrock_converse",
        &[br#"{"guardrailConfig":{"guardrailIdentifier":"gr-1","guardrailVersion":"1"}}"#],
    );
    assert_eq!(guarded.guardrail.as_deref(), Some("gr-1"));
}
