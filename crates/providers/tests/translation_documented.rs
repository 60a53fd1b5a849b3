//! `docs/translation.md` says what the gate does: its table is written of it. Write it anew with
//! `OUTRIGGER_WRITE_GOLDENS=1 cargo test -p outrigger-providers --test integration translation_documented::`.

use std::path::Path;

use outrigger_providers::translate::Lost;
use serde_json::{Value, json};

use crate::talks::{CHAT, CONVERSE, GEMINI, MESSAGES, NEWEST, RESPONSES, Side, translated};

const BEGIN: &str = "<!-- generated: what can be said -->\n\n";
const END: &str = "<!-- end -->\n";

fn chat(more: Value) -> (Side, Value) {
    (CHAT, with(json!({"model": "m", "messages": [{"role": "user", "content": "When?"}]}), more))
}

fn messages(more: Value) -> (Side, Value) {
    (
        MESSAGES,
        with(
            json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "When?"}]}),
            more,
        ),
    )
}

fn responses(more: Value) -> (Side, Value) {
    (RESPONSES, with(json!({"model": "m", "input": "When?"}), more))
}

fn gemini(more: Value) -> (Side, Value) {
    (GEMINI, with(json!({"contents": [{"role": "user", "parts": [{"text": "When?"}]}]}), more))
}

fn converse(more: Value) -> (Side, Value) {
    let base = json!({"messages": [{"role": "user", "content": [{"text": "When?"}]}], "inferenceConfig": {"maxTokens": 9}});
    (CONVERSE, with(base, more))
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// A part of a user's message.
fn chat_part(part: Value) -> (Side, Value) {
    chat(json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "Look"}, part]}]}))
}

fn block(part: Value) -> (Side, Value) {
    messages(json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "Look"}, part]}]}))
}

fn tools(more: Value) -> (Side, Value) {
    let tool = json!({"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}});
    chat(with(json!({"tools": [tool]}), more))
}

fn history(result: Value) -> (Side, Value) {
    messages(
        json!({"tools": [{"name": "tide", "input_schema": {"type": "object", "properties": {}}}], "messages": [
        {"role": "user", "content": "When?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "tide", "input": {}}]},
        {"role": "user", "content": [with(json!({"type": "tool_result", "tool_use_id": "toolu_1"}), result)]}]}),
    )
}

fn format(schema: Value) -> (Side, Value) {
    chat(
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "t", "strict": true, "schema": schema}}}),
    )
}

fn rows() -> Vec<(&'static str, (Side, Value))> {
    let closed = |member: Value| json!({"type": "object", "additionalProperties": false, "required": ["a"], "properties": {"a": member}});
    let audio = json!({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}});
    let file = |data: &str| json!({"type": "file", "file": {"file_data": data}});
    let image =
        |mime: &str| json!({"type": "image_url", "image_url": {"url": format!("data:{mime};base64,aGk=")}});
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    let strict = json!({"type": "function", "function": {"name": "tide", "strict": true, "parameters": closed(json!({"type": "string"}))}});
    vec![
        ("texts of the user and the model", chat(json!({}))),
        (
            "a system prompt",
            chat(
                json!({"messages": [{"role": "system", "content": "Brief."}, {"role": "user", "content": "When?"}]}),
            ),
        ),
        (
            "an instruction among the messages",
            chat(
                json!({"messages": [{"role": "user", "content": "When?"}, {"role": "system", "content": "Brief."}, {"role": "user", "content": "Well?"}]}),
            ),
        ),
        (
            "a conversation that the model begins",
            chat(
                json!({"messages": [{"role": "assistant", "content": "Hi"}, {"role": "user", "content": "When?"}]}),
            ),
        ),
        (
            "an answer that was begun for the model",
            messages(
                json!({"messages": [{"role": "user", "content": "When?"}, {"role": "assistant", "content": "At"}]}),
            ),
        ),
        (
            "a speaker's name",
            chat(json!({"messages": [{"role": "user", "name": "ann", "content": "When?"}]})),
        ),
        (
            "a refusal in the history",
            chat(
                json!({"messages": [{"role": "user", "content": "When?"}, {"role": "assistant", "refusal": "No."}, {"role": "user", "content": "Why?"}]}),
            ),
        ),
        (
            "where the prompt may be cached (Messages)",
            block(json!({"type": "text", "text": "Long", "cache_control": {"type": "ephemeral"}})),
        ),
        ("a picture in the body (png, jpeg, webp, gif)", chat_part(image("image/png"))),
        ("a picture of another kind", chat_part(image("image/tiff"))),
        (
            "a picture by its address",
            chat_part(json!({"type": "image_url", "image_url": {"url": "https://x.example/a.png"}})),
        ),
        (
            "how closely a picture is looked at",
            chat_part(
                json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}}),
            ),
        ),
        ("a PDF document in the body", chat_part(file("data:application/pdf;base64,aGk="))),
        (
            "a PDF document by its address",
            block(json!({"type": "document", "source": {"type": "url", "url": "https://x.example/a.pdf"}})),
        ),
        ("a document of plain text", chat_part(file("data:text/plain;base64,aGk="))),
        ("sound", chat_part(audio)),
        (
            "a video",
            gemini(
                json!({"contents": [{"parts": [{"inlineData": {"mimeType": "video/mp4", "data": "aGk="}}]}]}),
            ),
        ),
        ("a file that the provider keeps", chat_part(json!({"type": "file", "file": {"file_id": "file-1"}}))),
        ("tools and their calls", tools(json!({}))),
        ("a tool's answer", history(json!({"content": "six"}))),
        ("that a tool failed", history(json!({"content": "no such place", "is_error": true}))),
        (
            "a picture in a tool's answer",
            history(
                json!({"content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]}),
            ),
        ),
        ("arguments held to their schema (strict)", tools(json!({"tools": [strict]}))),
        ("a call is ordered (any, or one by name)", tools(json!({"tool_choice": named("tide")}))),
        ("nothing may be called", tools(json!({"tool_choice": "none"}))),
        (
            "only some tools may be called",
            tools(
                json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [named("tide")]}}}),
            ),
        ),
        ("one call at a time", tools(json!({"parallel_tool_calls": false}))),
        ("a name that others do not take", tools(json!({"tools": [named("mcp.tide/berth")]}))),
        (
            "a tool that takes free text",
            tools(json!({"tools": [{"type": "custom", "custom": {"name": "sql"}}]})),
        ),
        (
            "a tool that takes free text (Responses)",
            responses(json!({"tools": [{"type": "custom", "name": "sql"}]})),
        ),
        (
            "a tool that the provider runs",
            messages(json!({"tools": [{"type": "web_search_20260101", "name": "web_search"}]})),
        ),
        (
            "a call without an answer",
            messages(json!({"messages": [{"role": "user", "content": "When?"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "tide", "input": {}}]}, {"role": "user", "content": "Well?"}]})),
        ),
        (
            "an answer of any JSON",
            chat(
                json!({"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "As JSON"}]}),
            ),
        ),
        ("an answer after a schema", format(closed(json!({"type": "string"})))),
        (
            "the same with limits of numbers and lengths",
            format(closed(json!({"type": "string", "minLength": 3}))),
        ),
        (
            "the same with members of any name",
            format(json!({"type": "object", "additionalProperties": {"type": "string"}})),
        ),
        ("the most tokens of the answer", chat(json!({"max_completion_tokens": 9}))),
        ("more tokens than the model ever answers with", chat(json!({"max_completion_tokens": 9_000_000}))),
        ("a temperature", chat(json!({"temperature": 0.5}))),
        ("nucleus sampling (top_p)", chat(json!({"top_p": 0.5}))),
        ("top-k sampling", messages(json!({"top_k": 5}))),
        ("texts that end the answer, up to four", chat(json!({"stop": ["END"]}))),
        ("more of them", messages(json!({"stop_sequences": ["a", "b", "c", "d", "e", "f"]}))),
        ("a seed", chat(json!({"seed": 7}))),
        ("penalties for repetition", chat(json!({"frequency_penalty": 0.5}))),
        ("how much to think, by a step", chat(json!({"reasoning_effort": "high"}))),
        (
            "how much to think, by tokens",
            messages(json!({"max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 3000}})),
        ),
        ("not to think", messages(json!({"thinking": {"type": "disabled"}}))),
        ("that the model decides how much to think", messages(json!({"thinking": {"type": "adaptive"}}))),
        (
            "what the model thought, in the history",
            messages(json!({"messages": [{"role": "user", "content": "When?"},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Six."}]}, {"role": "user", "content": "Well?"}]})),
        ),
        ("more than one answer (n)", chat(json!({"n": 2}))),
        ("chances of tokens, a bias on them", chat(json!({"logprobs": true}))),
        ("an answer that is spoken or drawn", chat(json!({"modalities": ["text", "audio"]}))),
        ("a prediction of the answer", chat(json!({"prediction": {"type": "content", "content": "Six."}}))),
        ("how wordy the answer is to be", chat(json!({"verbosity": "low"}))),
        ("who the user is, labels, the tier of service", chat(json!({"user": "u1"}))),
        ("that the provider keeps the answer (store)", responses(json!({"store": true}))),
        (
            "an answer, conversation, prompt or cache that the provider keeps",
            responses(json!({"previous_response_id": "resp_1"})),
        ),
        ("an answer that is fetched later", responses(json!({"background": true}))),
        (
            "citations of a document",
            block(
                json!({"type": "document", "citations": {"enabled": true}, "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}}),
            ),
        ),
        ("where the call may be processed", messages(json!({"inference_geo": "eu"}))),
        ("a guardrail", converse(json!({"guardrailConfig": {"guardrailIdentifier": "g"}}))),
        (
            "a filter stricter than the provider's own",
            gemini(json!({"safetySettings": [{"category": "c", "threshold": "BLOCK_LOW_AND_ABOVE"}]})),
        ),
        ("a member that is not known here", chat(json!({"hologram": {"depth": 3}}))),
    ]
}

fn word(from: Side, to: Side, body: &Value) -> &'static str {
    if from.dialect == to.dialect {
        return "·";
    }
    match translated(from, to, body, false) {
        Err(_) => "refused",
        Ok(outgoing) => {
            match outgoing.losses.iter().map(|loss| loss.lost).max_by_key(|lost| *lost == Lost::Dropped) {
                None => "exact",
                Some(Lost::Approximated) => "approximated",
                Some(Lost::Dropped) => "dropped",
            }
        }
    }
}

fn table() -> String {
    let mut table = String::from(
        "| what the app asks | to Chat | to Responses | to Messages | to Gemini | to Converse |\n|---|---|---|---|---|---|\n",
    );
    for (name, (from, body)) in rows() {
        let words: Vec<_> = NEWEST.into_iter().map(|to| word(from, to, &body)).collect();
        table.push_str(&format!("| {name} | {} |\n", words.join(" | ")));
    }
    table
}

#[test]
fn the_table_says_what_the_gate_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/translation.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{BEGIN}{}\n{END}{after}", table());
    if std::env::var_os("OUTRIGGER_WRITE_GOLDENS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == expected,
        "docs/translation.md is stale; the first line of this file says how to write it anew"
    );
}
