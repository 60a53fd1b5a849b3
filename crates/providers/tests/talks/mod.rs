//! Conversations as every format can have them, written in each by hand: what a translation is compared with.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]

mod bodies;

use outrigger_pricing::PriceBook;
use outrigger_providers::canonical::{Body, Part, Request, Role};
use outrigger_providers::translate::{App, Outgoing, Place, Refused, request};
use outrigger_providers::{Addressed, Dialect, Operation, Service, dialects, services};
use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) const NOW: i64 = 1_795_000_000;

/// One format, and who speaks it.
#[derive(Clone, Copy)]
pub(crate) struct Side {
    pub(crate) service: &'static str,
    pub(crate) dialect: &'static str,
    pub(crate) model: &'static str,
}

pub(crate) const CHAT: Side = Side { service: "openai", dialect: "openai_chat", model: "gpt-4o" };
pub(crate) const RESPONSES: Side = Side { service: "openai", dialect: "openai_responses", model: "gpt-4o" };
pub(crate) const MESSAGES: Side =
    Side { service: "anthropic", dialect: "anthropic_messages", model: "claude-sonnet-4-5" };
pub(crate) const GEMINI: Side = Side { service: "gemini", dialect: "gemini", model: "gemini-3.5-flash" };
pub(crate) const CONVERSE: Side =
    Side { service: "bedrock", dialect: "bedrock_converse", model: "eu.anthropic.claude-sonnet-4-6" };
pub(crate) const SIDES: [Side; 5] = [CHAT, RESPONSES, MESSAGES, GEMINI, CONVERSE];

/// The same with the newest models: what they refuse is refused.
pub(crate) const NEWEST: [Side; 5] = [
    Side { model: "gpt-6.1-terra", ..CHAT },
    Side { model: "gpt-6.1-terra", ..RESPONSES },
    Side { model: "claude-sonnet-5-5", ..MESSAGES },
    GEMINI,
    Side { model: "eu.anthropic.claude-sonnet-5-5", ..CONVERSE },
];

pub(crate) fn service(id: &str) -> &'static Service {
    services::ALL.into_iter().find(|service| service.id == id).unwrap()
}

pub(crate) fn dialect(name: &str) -> &'static dyn Dialect {
    dialects::ALL.into_iter().find(|dialect| dialect.name() == name).unwrap()
}

pub(crate) fn place(to: Side) -> Place<'static> {
    let facts = PriceBook::builtin().facts(to.service, to.model, NOW);
    let place = Place::at(service(to.service), dialect(to.dialect), to.model).unwrap();
    assert_eq!(place.dialect.name(), to.dialect);
    Place { facts, region: Some("europe-west4"), project: Some("tides"), ..place }
}

/// Asks for a body of one side at another.
pub(crate) fn translated(from: Side, to: Side, body: &Value, stream: bool) -> Result<Outgoing, Refused> {
    at(from, &place(to), body, stream)
}

pub(crate) fn at(from: Side, place: &Place<'_>, body: &Value, stream: bool) -> Result<Outgoing, Refused> {
    moved(service(from.service), dialect(from.dialect), place, body, stream)
}

/// Asks for an app's body at another place.
pub(crate) fn moved(
    service: &'static Service,
    dialect: &'static dyn Dialect,
    place: &Place<'_>,
    body: &Value,
    stream: bool,
) -> Result<Outgoing, Refused> {
    let in_path = matches!(dialect.name(), "gemini" | "bedrock_converse");
    let addressed = Addressed { stream: in_path.then_some(stream), ..Addressed::default() };
    let app =
        App { service, dialect, operation: Operation::Chat, addressed: &addressed, path: "/", query: None };
    request(&app, body.to_string().as_bytes(), place)
}

/// A body in the words of its format.
pub(crate) fn read(dialect: &str, body: &[u8]) -> Request {
    let reader = self::dialect(dialect).canonical().unwrap();
    outrigger_providers::canonical::request_from(reader, body).unwrap()
}

/// What is asked, as all formats can say it.
#[derive(Debug, Clone)]
pub(crate) struct Talk {
    pub(crate) system: Option<String>,
    pub(crate) turns: Vec<Turn>,
    pub(crate) tools: usize,
    pub(crate) choice: Choice,
    pub(crate) one_call: bool,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) temperature: Option<f64>,
    pub(crate) stop: Vec<String>,
    pub(crate) schema: bool,
    pub(crate) effort: Option<&'static str>,
    pub(crate) stream: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Unsaid,
    Auto,
    Required,
    Named,
    None,
}

#[derive(Debug, Clone)]
pub(crate) enum Turn {
    User(Vec<Said>),
    /// What the model says, what it calls with what, and what is answered.
    Model(Option<String>, Vec<(Value, Answer)>),
}

#[derive(Debug, Clone)]
pub(crate) enum Said {
    Text(String),
    Image,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) failed: bool,
}

pub(crate) const IMAGE: &str = "aGk=";
pub(crate) const TOOLS: [&str; 3] = ["tide", "berth", "wind"];

/// A line of a conversation: who, what, and for calls and their answers which one.
pub(crate) type Line = (&'static str, String);

impl Talk {
    /// The tool that a turn's call of this number calls.
    pub(crate) fn tool(&self, number: usize) -> &'static str {
        TOOLS[number % self.tools.max(1)]
    }

    pub(crate) fn schema() -> Value {
        json!({"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"], "additionalProperties": false})
    }

    /// Leaves out what a format has no word for.
    pub(crate) fn say_what_can_be_said(&mut self, side: Side) {
        if matches!(side.dialect, "openai_chat" | "openai_responses") {
            for turn in &mut self.turns {
                if let Turn::Model(_, calls) = turn {
                    calls.iter_mut().for_each(|(_, answer)| answer.failed = false);
                }
            }
        }
        match side.dialect {
            "openai_responses" => self.stop.clear(),
            "gemini" => self.one_call = false,
            "bedrock_converse" => {
                self.one_call = false;
                if self.choice == Choice::None {
                    self.choice = Choice::Unsaid;
                }
            }
            "anthropic_messages" => {
                // That calls come one at a time stands beside it.
                if self.one_call && self.choice == Choice::Unsaid {
                    self.choice = Choice::Auto;
                }
                let _present = self.max_tokens.get_or_insert(64_000);
            }
            _ => {}
        }
    }

    pub(crate) fn has_calls(&self) -> bool {
        self.turns.iter().any(|turn| matches!(turn, Turn::Model(_, calls) if !calls.is_empty()))
    }

    /// What is said, line by line.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.system.iter().map(|text| ("system", text.clone())).collect();
        let mut call = 0;
        for turn in &self.turns {
            match turn {
                Turn::User(said) => lines.extend(said.iter().map(|said| match said {
                    Said::Text(text) => ("user", text.clone()),
                    Said::Image => ("image", IMAGE.to_owned()),
                })),
                Turn::Model(text, calls) => {
                    lines.extend(text.iter().map(|text| ("model", text.clone())));
                    let numbers = call..call + calls.len();
                    call += calls.len();
                    for (number, (arguments, _)) in numbers.clone().zip(calls) {
                        lines.push(("call", format!("{number} {} {arguments}", self.tool(number))));
                    }
                    for (number, (_, answer)) in numbers.zip(calls) {
                        let failed = if answer.failed { "failed" } else { "" };
                        lines.push(("answer", format!("{number} {failed} {}", answer.text)));
                    }
                }
            }
        }
        lines
    }

    /// The same of a request that was read.
    pub(crate) fn lines_of(request: &Request) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let mut ids: Vec<Option<String>> = Vec::new();
        let mut answered: Vec<usize> = Vec::new();
        let text = |part: &Part| match &part.body {
            Body::Text(text) => text.clone(),
            Body::Generic { value, .. } => {
                let texts = ["output", "error"].iter().find_map(|name| value[*name].as_str());
                texts.unwrap_or_default().to_owned()
            }
            other => panic!("no text: {other:?}"),
        };
        lines.extend(request.system.iter().map(|part| ("system", text(part))));
        for message in &request.messages {
            for part in &message.parts {
                lines.push(match &part.body {
                    Body::Text(text) => match message.role {
                        Role::Assistant => ("model", text.clone()),
                        Role::System | Role::Developer => ("system", text.clone()),
                        _ => ("user", text.clone()),
                    },
                    Body::Blob { data, .. } => ("image", data.clone()),
                    Body::ToolCall(call) => {
                        ids.push(call.id.clone());
                        let arguments = match &call.arguments {
                            outrigger_providers::canonical::Arguments::Object(members) => {
                                Value::Object(members.clone())
                            }
                            other => panic!("{other:?}"),
                        };
                        ("call", format!("{} {} {arguments}", ids.len() - 1, call.name))
                    }
                    Body::ToolAnswer { id, parts, is_error, .. } => {
                        let open = |at: &usize| !answered.contains(at) && ids[*at] == *id;
                        let number = (0..ids.len()).find(open).unwrap();
                        answered.push(number);
                        let failed = if *is_error == Some(true) { "failed" } else { "" };
                        let texts: String = parts.iter().map(text).collect();
                        ("answer", format!("{number} {failed} {texts}"))
                    }
                    other => panic!("{other:?}"),
                });
            }
        }
        lines
    }
}

pub(crate) fn talks() -> impl Strategy<Value = Talk> {
    let text = || "[a-z]{1,8}( [a-z]{1,8}){0,2}";
    let said = prop_oneof![3 => text().prop_map(Said::Text), 1 => Just(Said::Image)];
    let user = prop::collection::vec(said, 1..3).prop_map(Turn::User);
    let arguments =
        prop_oneof![Just(json!({})), text().prop_map(|it| json!({"at": it, "n": [1, {"x": null}]}))];
    let answer = (text(), prop::bool::weighted(0.2)).prop_map(|(text, failed)| Answer { text, failed });
    let calls = prop::collection::vec((arguments, answer), 0..3);
    let model = (prop::option::of(text()), calls)
        .prop_filter("says something", |(text, calls)| text.is_some() || !calls.is_empty())
        .prop_map(|(text, calls)| Turn::Model(text, calls));
    let turns = (prop::collection::vec((user.clone(), model), 0..3), user).prop_map(|(pairs, last)| {
        let mut turns: Vec<Turn> = pairs.into_iter().flat_map(|(user, model)| [user, model]).collect();
        turns.push(last);
        turns
    });
    let choice = prop_oneof![
        3 => Just(Choice::Unsaid),
        1 => Just(Choice::Auto),
        1 => Just(Choice::Required),
        1 => Just(Choice::Named),
        1 => Just(Choice::None)
    ];
    let parameters = (
        prop::option::of(1u64..5000),
        prop::option::weighted(0.3, (0u32..20).prop_map(|tenths| f64::from(tenths) / 10.0)),
        prop::collection::vec("[A-Z]{2,5}", 0..2),
        prop::bool::weighted(0.2),
        prop::option::weighted(0.3, prop::sample::select(vec!["low", "medium", "high"])),
        any::<bool>(),
    );
    (prop::option::of(text()), turns, 1usize..4, choice, prop::bool::weighted(0.2), parameters).prop_map(
        |(
            system,
            turns,
            tools,
            choice,
            one_call,
            (max_tokens, temperature, stop, schema, effort, stream),
        )| {
            Talk {
                system,
                turns,
                tools,
                choice,
                one_call,
                max_tokens,
                temperature,
                stop,
                schema,
                effort,
                stream,
            }
        },
    )
}
