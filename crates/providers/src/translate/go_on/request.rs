//! The request by which another place is asked to go on. Per answer that died.

use bytes::Bytes;
use serde_json::Value;

use crate::Dialect;
use crate::canonical::{Format, request_from};
use crate::members::members;

/// What the place is asked for. A bidding and no text to be completed: newer models refuse an answer that was begun for them.
const BIDDING: &str = "The connection broke while you were writing your last message, so it ends in the middle. \
Go on with it from the very next character, as if it had never broken. Write nothing but the rest: repeat nothing of it, \
begin nothing anew, and say nothing of the break or of this request. If nothing is left to be said, end at once.";

/// Members that make more of an answer than plain text, though they have no place in the canonical form.
const MORE: [&str; 10] = [
    "audio",
    "background",
    "function_call",
    "functions",
    "include",
    "logprobs",
    "modalities",
    "responseLogprobs",
    "responseModalities",
    "top_logprobs",
];

/// Whether an answer to a request of this (decoded) body can be plain text and nothing else.
///
/// # Errors
/// It can be more, in plain words.
pub fn continuable(dialect: &'static dyn Dialect, body: &[u8]) -> Result<(), &'static str> {
    let (Some(reader), Some(_), Some(_)) = (dialect.canonical(), dialect.answers(), dialect.requests())
    else {
        return Err("its format has no translation");
    };
    let request = request_from(reader, body).map_err(|_| "its request could not be read")?;
    if !request.tools.is_empty() {
        return Err("it offers tools");
    }
    if !matches!(request.format, None | Some(Format::Text)) {
        return Err("it asks for an answer of a certain form");
    }
    if request.sampling.choices.is_some_and(|choices| choices != 1) {
        return Err("it asks for more than one answer");
    }
    let has = |name: &str| {
        let nested = request.rest.get("generationConfig").and_then(|it| it.get(name));
        request.rest.get(name).or(nested).is_some_and(is_more)
    };
    if MORE.into_iter().any(has) {
        return Err("it asks for more than plain text");
    }
    Ok(())
}

/// Whether a member asks for something beside text.
fn is_more(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(number) => number.as_u64() != Some(0),
        // Of some providers' own parts, and of what is sealed for the next turn, there is none in a plain text.
        Value::Array(list) => list.iter().any(|one| {
            let word = one.as_str().unwrap_or_default();
            !word.eq_ignore_ascii_case("text") && word != "reasoning.encrypted_content"
        }),
        _ => true,
    }
}

/// The request by which a place that speaks its format is asked to go on behind `text`: its own bytes, and two turns more. `None` where
/// its conversation cannot be found.
#[must_use]
pub fn continued(dialect: &'static dyn Dialect, body: &[u8], text: &str) -> Option<Bytes> {
    let writer = dialect.requests()?;
    let mut found = Vec::new();
    members(body, |member| {
        if member.key == writer.form().messages.as_bytes() {
            found.push(member.value.clone());
        }
    })?;
    let [turns] = &found[..] else { return None };
    let more = format!("{},{}", writer.turn("assistant", text), writer.turn("user", BIDDING));
    let said = &body[turns.clone()];
    let within = match said {
        [b'[', said @ .., b']'] if said.trim_ascii().is_empty() => format!("[{more}]"),
        [said @ .., b']'] => format!("{},{more}]", std::str::from_utf8(said).ok()?),
        // Responses take a text for a conversation of one turn.
        [b'"', ..] => {
            let text: String = serde_json::from_slice(said).ok()?;
            format!("[{},{more}]", writer.turn("user", &text))
        }
        _ => return None,
    };
    Some([&body[..turns.start], within.as_bytes(), &body[turns.end..]].concat().into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialects::{self, ALL};

    fn dialect(name: &str) -> &'static dyn Dialect {
        ALL.into_iter().find(|dialect| dialect.name() == name).unwrap()
    }

    #[test]
    fn the_apps_bytes_stay_and_two_turns_follow_them() {
        for (name, body, text) in [
            (
                "openai_chat",
                r#"{"seed":1234567890123456789, "messages" : [{"role":"user","content":"é"}] }"#,
                true,
            ),
            ("anthropic_messages", r#"{"messages":[{"role":"user","content":"a"}],"max_tokens":9}"#, true),
            ("openai_responses", r#"{"input":[{"role":"user","content":"a"}]}"#, true),
            ("gemini", r#"{"contents":[{"role":"user","parts":[{"text":"a"}]}]}"#, false),
            ("bedrock_converse", r#"{"messages":[{"role":"user","content":[{"text":"a"}]}]}"#, false),
        ] {
            let dialect = dialect(name);
            let asked = continued(dialect, body.as_bytes(), "so \"far\"").unwrap();
            let (before, after) = body.split_once(']').map_or((body, ""), |(before, after)| (before, after));
            let whole = std::str::from_utf8(&asked).unwrap();
            if text {
                assert!(whole.starts_with(before) && whole.ends_with(&format!("]{after}")), "{whole}");
            }
            let request = request_from(dialect.canonical().unwrap(), &asked).unwrap();
            let [.., said, bidding] = &request.messages[..] else { panic!("{request:?}") };
            assert_eq!((said.role.as_str(), bidding.role.as_str()), ("assistant", "user"), "{name}");
            assert_eq!(said.parts, [crate::canonical::Part::text("so \"far\"")], "{name}");
            assert_eq!(bidding.parts, [crate::canonical::Part::text(BIDDING)], "{name}");
            assert_eq!(request.messages.len(), 3, "{name}");
        }
    }

    #[test]
    fn a_conversation_that_is_one_text_becomes_turns() {
        let responses = &dialects::openai_responses::OpenAiResponses;
        let asked = continued(responses, br#"{"input":"Ebb\n?"}"#, "At").unwrap();
        let asked: Value = serde_json::from_slice(&asked).unwrap();
        assert_eq!(asked["input"][0], json!({"role": "user", "content": "Ebb\n?"}));
        assert_eq!(asked["input"][1], json!({"role": "assistant", "content": "At"}));
        for body in ["", "{}", r#"{"input":7}"#, r#"{"input":[],"input":[]}"#] {
            assert_eq!(continued(responses, body.as_bytes(), "At"), None, "{body}");
        }
    }

    #[test]
    fn only_answers_that_are_plain_text_are_gone_on_with() {
        let chat = |more: &str| {
            let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}}]{more}}}"#);
            continuable(&dialects::openai_chat::OPENAI_CHAT, body.as_bytes()).err()
        };
        for well in ["", r#","n":1,"logprobs":false,"response_format":{"type":"text"},"tools":[]"#] {
            assert_eq!(chat(well), None, "{well}");
        }
        for (more, why) in [
            (r#","tools":[{"type":"function","function":{"name":"f"}}]"#, "it offers tools"),
            (r#","response_format":{"type":"json_object"}"#, "it asks for an answer of a certain form"),
            (r#","n":2"#, "it asks for more than one answer"),
            (r#","logprobs":true"#, "it asks for more than plain text"),
            (r#","functions":[{"name":"f"}]"#, "it asks for more than plain text"),
            (r#","messages":7"#, "its request could not be read"),
        ] {
            assert_eq!(chat(more), Some(why), "{more}");
        }
        let gemini = |config: &str| {
            let body = format!(r#"{{"contents":[],"generationConfig":{config}}}"#);
            continuable(&dialects::gemini::Gemini, body.as_bytes()).err()
        };
        assert_eq!(gemini(r#"{"responseLogprobs":true}"#), Some("it asks for more than plain text"));
        assert_eq!(
            gemini(r#"{"responseMimeType":"application/json"}"#),
            Some("it asks for an answer of a certain form")
        );
        assert_eq!(gemini(r#"{"candidateCount":1}"#), None);
    }
}
