//! What apps asked, recorded, and what could be asked, made at random: said in every other format, and from there in their own again,
//! it means what it meant. What is refused stands in a table; what is lost was said to be; nothing is left out in silence.
//!
//! Recorded are the fixtures of every dialect and service, the requests of the goldens, and `fixtures/requests`, which is what the
//! official SDKs send (`tests/clients/python/recorded.py`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use outrigger_providers::canonical::Request;
use outrigger_providers::translate::{Outgoing, Refused};
use outrigger_providers::{Dialect, Operation, Service};
use proptest::prelude::*;
use serde_json::Value;

use crate::cases;
use crate::meaning::lose;
use crate::talks::{self, NEWEST, SIDES, Side, dialect, moved, place, read, service};

/// A request as an app sent it.
#[derive(Clone)]
struct Recorded {
    name: String,
    service: &'static Service,
    dialect: &'static dyn Dialect,
    body: Value,
    stream: bool,
}

fn recorded() -> Vec<Recorded> {
    let mut all = Vec::new();
    for case in cases::cases() {
        let asks = SIDES.iter().find(|side| side.dialect == case.dialect.name());
        let Some(service) =
            case.service.or(asks.map(|side| service(side.service))).filter(|_| asks.is_some())
        else {
            continue;
        };
        let talks = |path: &str| (service.recognise)(&http::Method::POST, path).operation;
        let is_talk = |operation| matches!(operation, Operation::Chat | Operation::GenerateContent);
        if !case.expected["path_plain"].as_str().is_none_or(|path| is_talk(talks(path))) {
            continue;
        }
        let bodies = [(false, Some(&case.request_plain)), (true, case.request_stream.as_ref())];
        for (stream, body) in bodies.into_iter().filter_map(|(stream, body)| Some((stream, body?))) {
            let name = format!("{}{}", case.name, if stream { ", streamed" } else { "" });
            let body = serde_json::from_slice(body).unwrap();
            all.push(Recorded { name, service, dialect: case.dialect, body, stream });
        }
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for side in SIDES {
        let golden = tests.join("golden/translation").join(side.dialect).join("request.json");
        let sent = tests.join("fixtures/requests").join(side.dialect);
        let sent = std::fs::read_dir(sent).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = sent.chain([golden]).collect();
        paths.sort();
        for path in paths {
            let word = path.file_stem().unwrap().to_string_lossy().into_owned();
            let body = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            all.push(Recorded {
                name: format!("{}/{word}", side.dialect),
                service: service(side.service),
                dialect: dialect(side.dialect),
                body,
                stream: word.ends_with("_stream"),
            });
        }
    }
    all
}

impl Recorded {
    /// Every place of another format, with models of two generations.
    fn places(&self) -> impl Iterator<Item = (Side, Side)> + '_ {
        [SIDES, NEWEST].into_iter().flat_map(move |sides| {
            let own = sides.into_iter().find(|side| side.dialect == self.dialect.name());
            let others = sides.into_iter().filter(|side| side.dialect != self.dialect.name());
            others.map(move |to| (own.unwrap(), to))
        })
    }

    /// Without what is refused, as far as something is left; tells every reason.
    fn mended(
        mut self,
        own: Side,
        to: Side,
        told: &mut dyn FnMut(String, &'static str),
    ) -> Option<(Recorded, (Outgoing, Outgoing))> {
        loop {
            let reasons = match self.trip(own, to) {
                Ok(trip) => return Some((self, trip)),
                Err(reasons) => reasons,
            };
            let before = self.body.clone();
            for reason in reasons {
                let row = REFUSED.iter().find(|row| row.0 == self.dialect.name() && row.1 == reason);
                row.map_or(&[][..], |row| row.3).iter().for_each(|member| remove(&mut self.body, member));
                told(reason, to.dialect);
            }
            if self.body == before {
                return None;
            }
        }
    }

    /// There and back, if both are taken; else the reasons.
    fn trip(&self, own: Side, to: Side) -> Result<(Outgoing, Outgoing), Vec<String>> {
        let out = self
            .at(to)
            .map_err(|refused| refused.reasons.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let body: Value = serde_json::from_slice(&out.body).unwrap();
        let stream = request(to.dialect, &out.body, &out.path, false).stream;
        let back = moved(service(to.service), dialect(to.dialect), &place(own), &body, stream);
        let told = |refused: Refused| {
            refused
                .reasons
                .iter()
                .map(|reason| format!("on the way back, {}", reason.what))
                .collect::<Vec<_>>()
        };
        back.map(|back| (out, back)).map_err(told)
    }

    fn at(&self, to: Side) -> Result<Outgoing, Refused> {
        moved(self.service, self.dialect, &place(to), &self.body, self.stream)
    }
}

/// What is refused of what was recorded: in which format, why, where to, and the members without which it is said there. Without
/// any, nothing is left to say.
#[rustfmt::skip]
const REFUSED: &[(&str, &str, &str, &[&str])] = &[
    ("anthropic_messages", "messages: a conversation in which nobody has said anything", ALL, &[]),
    ("anthropic_messages", "messages[0].content[1]: a picture by its address", "bedrock_converse gemini", &["/messages/0/content/1"]),
    ("anthropic_messages", "on the way back, a schema with a keyword that is not taken", "gemini openai_chat openai_responses", &["/output_config/format"]),
    ("anthropic_messages", "the answer's form: a schema with a keyword that is not taken", "bedrock_converse", &["/output_config/format"]),
    ("anthropic_messages", "the texts that end the answer: a text that ends the answer, which the model does not take", "openai_responses", &["/stop_sequences"]),
    ("bedrock_converse", "guardrailConfig: a guardrail", ALL, &["/guardrailConfig"]),
    ("bedrock_converse", "the answer's form: a form of the answer that is not known here", ALL, &["/outputConfig/textFormat"]),
    ("bedrock_converse", "the texts that end the answer: a text that ends the answer, which the model does not take", "openai_responses", &["/inferenceConfig/stopSequences"]),
    ("gemini", "the texts that end the answer: a text that ends the answer, which the model does not take", "openai_responses", &["/generationConfig/stopSequences"]),
    ("openai_chat", "messages: a conversation in which nobody has said anything", ALL, &[]),
    ("openai_chat", "messages[1].content[2]: a picture by its address", "bedrock_converse gemini", &["/messages/1/content/2"]),
    ("openai_chat", "the answer's form: a schema with members of any name", "anthropic_messages bedrock_converse", &["/response_format"]),
    ("openai_chat", "the number of answers: more than one answer", ALL, &["/n"]),
    ("openai_chat", "the texts that end the answer: a text that ends the answer, which the model does not take", "openai_responses", &["/stop"]),
    ("openai_responses", "background: an answer that is fetched later", ALL, &["/background"]),
    ("openai_responses", "conversation: a conversation that the provider keeps", ALL, &["/conversation"]),
    ("openai_responses", "input[2]: a document by its address", "bedrock_converse gemini openai_chat", &["/input/2/content/1"]),
    ("openai_responses", "previous_response_id: an answer that the provider keeps", ALL, &["/previous_response_id"]),
];

/// To every other format.
const ALL: &str = "all";

fn request(dialect: &str, body: &[u8], path: &str, stream: bool) -> Request {
    let mut request = read(dialect, body);
    // Two formats say it in the path.
    request.stream = match dialect {
        "gemini" if !path.is_empty() => path.contains(":streamGenerateContent?alt=sse"),
        "bedrock_converse" if !path.is_empty() => path.ends_with("/converse-stream"),
        "gemini" | "bedrock_converse" => stream,
        _ => request.stream,
    };
    request
}

/// What a translation says must be what was asked, but for what it says is lost. What is left, for the way back.
fn same(asked: &Request, outgoing: &Outgoing, to: &str) -> Result<Request, String> {
    let mut said = request(to, &outgoing.body, &outgoing.path, false);
    let left = lose(asked, outgoing, &mut said, to);
    if left == said {
        return Ok(left);
    }
    let losses: Vec<String> = outgoing.losses.iter().map(ToString::to_string).collect();
    let body = String::from_utf8_lossy(&outgoing.body);
    Err(format!("{}lost {losses:?}\nsent {body:.1200}", differing(&left, &said)))
}

/// The lines in which two readings differ.
fn differing(asked: &Request, said: &Request) -> String {
    let (asked, said) = (format!("{asked:#?}"), format!("{said:#?}"));
    let (asked, said): (Vec<&str>, Vec<&str>) = (asked.lines().collect(), said.lines().collect());
    let first = asked.iter().zip(&said).take_while(|(asked, said)| asked == said).count();
    let last = asked[first..]
        .iter()
        .rev()
        .zip(said[first..].iter().rev())
        .take_while(|(asked, said)| asked == said)
        .count();
    let shown = |lines: &[&str]| lines[first.saturating_sub(3)..lines.len() - last].join("\n");
    format!("asked\n{}\nsaid\n{}\n", shown(&asked), shown(&said))
}

/// There and back.
fn returns(one: &Recorded, (out, back): &(Outgoing, Outgoing), own: Side, to: Side) -> Result<(), String> {
    let asked = request(one.dialect.name(), one.body.to_string().as_bytes(), "", one.stream);
    let left = same(&asked, out, to.dialect)?;
    same(&left, back, own.dialect).map(drop).map_err(|why| format!("on the way back: {why}"))
}

#[test]
fn what_was_recorded_means_the_same_in_every_other_format_and_back_or_is_refused_with_a_reason() {
    let mut refusals: BTreeMap<(&str, String), BTreeSet<&str>> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut trips = 0;
    for one in recorded() {
        let from = one.dialect.name();
        for (own, to) in one.places() {
            let mended = one.clone().mended(own, to, &mut |reason, to| {
                refusals.entry((from, reason)).or_default().insert(to);
            });
            if let Some((one, trip)) = mended {
                trips += 1;
                if let Err(why) = returns(&one, &trip, own, to) {
                    wrong.push(format!("{} to {} ({}): {why}", one.name, to.dialect, to.model));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {trips}:\n{}", wrong.len(), wrong.join("\n\n"));
    let told: Vec<_> = refusals
        .iter()
        .map(|((from, reason), to)| {
            let to = if to.len() == SIDES.len() - 1 {
                ALL.to_owned()
            } else {
                Vec::from_iter(to.iter().copied()).join(" ")
            };
            (*from, reason.as_str(), to)
        })
        .collect();
    let expected: Vec<_> = REFUSED.iter().map(|row| (row.0, row.1, row.2.to_owned())).collect();
    assert_eq!(told, expected);
}

/// Takes away what stands at a pointer.
fn remove(body: &mut Value, pointer: &str) {
    let Some((above, name)) = pointer.rsplit_once('/') else { return };
    match body.pointer_mut(above) {
        Some(Value::Object(members)) => drop(members.remove(name)),
        Some(Value::Array(list)) => {
            if let Some(at) = name.parse().ok().filter(|at| *at < list.len()) {
                list.remove(at);
            }
        }
        _ => {}
    }
}

/// Members whose absence nobody would notice anywhere, and why that is right.
#[rustfmt::skip]
const SILENT: &[(&str, &str, &str)] = &[
    ("anthropic_messages", "/anthropic_version", "the version of the meaning that is read"),
    ("anthropic_messages", "/messages/content/cache_control/type", ONLY_WORD),
    ("anthropic_messages", "/messages/content/signature", THOUGHT),
    ("anthropic_messages", "/messages/content/thinking", THOUGHT),
    ("anthropic_messages", "/messages/content/tool_use_id", PAIRED),
    ("anthropic_messages", "/model", PLACE),
    ("anthropic_messages", "/system/cache_control/type", ONLY_WORD),
    ("anthropic_messages", "/tools/cache_control/type", ONLY_WORD),
    ("bedrock_converse", "/guardrailConfig/guardrailIdentifier", "of what is refused whole"),
    ("bedrock_converse", "/guardrailConfig/guardrailVersion", "of what is refused whole"),
    ("bedrock_converse", "/messages/content/cachePoint/type", ONLY_WORD),
    ("bedrock_converse", "/messages/content/reasoningContent/reasoningText", THOUGHT),
    ("bedrock_converse", "/messages/content/reasoningContent/reasoningText/signature", THOUGHT),
    ("bedrock_converse", "/messages/content/reasoningContent/reasoningText/text", THOUGHT),
    ("bedrock_converse", "/messages/content/toolResult/toolUseId", PAIRED),
    ("bedrock_converse", "/outputConfig/textFormat/type", ONLY_WORD),
    ("bedrock_converse", "/system/cachePoint/type", ONLY_WORD),
    ("bedrock_converse", "/toolConfig/tools/cachePoint/type", ONLY_WORD),
    ("gemini", "/contents/parts/functionResponse/name", PAIRED),
    ("gemini", "/generationConfig/candidateCount", NOTHING),
    ("gemini", "/generationConfig/responseSchema/property_ordering", "a schema that is written anew has its members in alphabetical order"),
    ("gemini", "/safetySettings/category", "of filters that are off"),
    ("gemini", "/systemInstruction/role", NOTHING),
    ("gemini", "/tools/functionDeclarations/parametersJsonSchema", "a tool without one takes an object"),
    ("openai_chat", "/logprobs", NOTHING),
    ("openai_chat", "/messages/annotations", NOTHING),
    ("openai_chat", "/messages/refusal", NOTHING),
    ("openai_chat", "/messages/tool_call_id", PAIRED),
    ("openai_chat", "/messages/tool_calls/type", "what goes without saying"),
    ("openai_chat", "/model", PLACE),
    ("openai_chat", "/store", NOTHING),
    ("openai_chat", "/stream_options", "of the stream, which comes in the app's format in any case"),
    ("openai_chat", "/stream_options/include_usage", "of the stream, which comes in the app's format in any case"),
    ("openai_chat", "/tools/type", "what goes without saying"),
    ("openai_responses", "/input/content/annotations", NOTHING),
    ("openai_responses", "/input/encrypted_content", THOUGHT),
    ("openai_responses", "/input/id", "nothing is paired by it"),
    ("openai_responses", "/input/status", "whatever was said is whole"),
    ("openai_responses", "/input/summary", THOUGHT),
    ("openai_responses", "/input/summary/type", THOUGHT),
    ("openai_responses", "/model", PLACE),
    ("openai_responses", "/tool_choice/tools/type", "a tool is known by its name"),
];

const ONLY_WORD: &str = "the word is the only one there is";
const THOUGHT: &str = "of a thought that is left out whole";
const PLACE: &str = "the place names its own";
const PAIRED: &str = "a call and an answer without one are paired in order";
const NOTHING: &str = "it asks for nothing";

/// Where what stands is the app's own, not the format's.
const WITHIN: [&str; 9] = [
    "parameters",
    "parametersJsonSchema",
    "parameters_json_schema",
    "input_schema",
    "json",
    "schema",
    "arguments",
    "args",
    "response",
];

/// Every member of a body, by its pointer.
fn members(value: &Value, above: &str, each: &mut dyn FnMut(String)) {
    match value {
        Value::Object(inner) => {
            for (name, value) in inner {
                let pointer = format!("{above}/{name}");
                if !WITHIN.contains(&name.as_str()) {
                    members(value, &pointer, each);
                }
                each(pointer);
            }
        }
        Value::Array(list) => {
            for (number, value) in list.iter().enumerate() {
                members(value, &format!("{above}/{number}"), each);
            }
        }
        _ => {}
    }
}

/// A member that changes neither what is sent nor what is noted, wherever it goes, was left out in silence.
#[test]
fn no_member_of_what_was_recorded_is_left_out_in_silence() {
    let (mut all, mut noticed) = (BTreeSet::new(), BTreeSet::new());
    for one in recorded() {
        let dialect = one.dialect.name();
        for (own, to) in one.places() {
            // As it is, and as what is left of it where it is refused.
            for one in [Some(one.clone()), one.clone().mended(own, to, &mut |_, _| {}).map(|(one, _)| one)] {
                let Some(one) = one else { continue };
                let whole = one.at(to);
                let mut pointers = Vec::new();
                members(&one.body, "", &mut |pointer| pointers.push(pointer));
                for pointer in pointers {
                    let name: Vec<&str> =
                        pointer.split('/').filter(|it| it.parse::<usize>().is_err()).collect();
                    let name = (dialect, name.join("/"));
                    if !noticed.contains(&name) {
                        let mut without = one.clone();
                        remove(&mut without.body, &pointer);
                        if without.at(to) != whole {
                            noticed.insert(name.clone());
                        }
                    }
                    all.insert(name);
                }
            }
        }
    }
    let silent: Vec<_> = all.difference(&noticed).map(|(dialect, name)| (*dialect, name.as_str())).collect();
    let expected: Vec<_> = SILENT.iter().map(|(dialect, name, _)| (*dialect, *name)).collect();
    assert_eq!(silent, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_could_be_asked_means_the_same_in_every_other_format_and_back(talk in talks::talks()) {
        for from in SIDES {
            let mut talk = talk.clone();
            talk.say_what_can_be_said(from);
            let one = Recorded {
                name: format!("{talk:?}"),
                service: service(from.service),
                dialect: dialect(from.dialect),
                body: talk.said_in(from),
                stream: talk.stream,
            };
            for (own, to) in one.places() {
                let name = format!("{} to {} ({})", from.dialect, to.dialect, to.model);
                match one.trip(own, to) {
                    Ok(trip) => returns(&one, &trip, own, to).map_err(|why| TestCaseError::fail(format!("{name}: {why}")))?,
                    // What is refused on the way there, and that no more is, another test says.
                    Err(reasons) => prop_assert!(!reasons.iter().any(|it| it.starts_with("on the way back")), "{name}: {reasons:?}"),
                }
            }
        }
    }
}
