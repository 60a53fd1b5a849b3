//! Conversations as every format can have them, written in each by hand: what a translation is compared with.

#![allow(dead_code, reason = "several suites share this module")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]

use outrigger_pricing::PriceBook;
use outrigger_providers::canonical::{Body, Part, Request, Role};
use outrigger_providers::translate::{App, Outgoing, Place, Refused, request};
use outrigger_providers::{Addressed, Dialect, Operation, Service, dialects, services};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

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
    let in_path = matches!(from.dialect, "gemini" | "bedrock_converse");
    let addressed = Addressed { stream: in_path.then_some(stream), ..Addressed::default() };
    let (service, dialect) = (service(from.service), dialect(from.dialect));
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
const TOOLS: [&str; 3] = ["tide", "berth", "wind"];

/// A line of a conversation: who, what, and for calls and their answers which one.
pub(crate) type Line = (&'static str, String);

impl Talk {
    /// The tool that a turn's call of this number calls.
    fn tool(&self, number: usize) -> &'static str {
        TOOLS[number % self.tools.max(1)]
    }

    fn schema() -> Value {
        json!({"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"], "additionalProperties": false})
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

fn put(body: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body[name] = value.into();
    }
}

impl Talk {
    /// The body by which an app of this side asks it.
    pub(crate) fn said_in(&self, side: Side) -> Value {
        match side.dialect {
            "openai_chat" => self.chat(side.model),
            "openai_responses" => self.responses(side.model),
            "anthropic_messages" => self.messages(side.model),
            "gemini" => self.gemini(),
            "bedrock_converse" => self.converse(),
            other => panic!("{other}"),
        }
    }

    fn chat(&self, model: &str) -> Value {
        let mut messages = Vec::new();
        messages.extend(self.system.iter().map(|text| json!({"role": "system", "content": text})));
        let mut number = 0;
        for turn in &self.turns {
            match turn {
                Turn::User(said) => {
                    let part = |said: &Said| match said {
                        Said::Text(text) => json!({"type": "text", "text": text}),
                        Said::Image => {
                            json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{IMAGE}")}})
                        }
                    };
                    messages
                        .push(json!({"role": "user", "content": said.iter().map(part).collect::<Vec<_>>()}));
                }
                Turn::Model(text, calls) => {
                    let mut said = json!({"role": "assistant", "content": text});
                    let mut answers = Vec::new();
                    let mut called = Vec::new();
                    for (arguments, answer) in calls {
                        let (id, name) = (format!("call_{number}"), self.tool(number));
                        called.push(json!({"id": id, "type": "function",
                            "function": {"name": name, "arguments": arguments.to_string()}}));
                        answers.push(json!({"role": "tool", "tool_call_id": id, "content": answer.text}));
                        number += 1;
                    }
                    if !called.is_empty() {
                        said["tool_calls"] = called.into();
                    }
                    messages.push(said);
                    messages.extend(answers);
                }
            }
        }
        let tool = |number: usize| json!({"type": "function", "function": {"name": TOOLS[number], "parameters": Talk::schema()}});
        let mut body = json!({"model": model, "messages": messages, "tools": (0..self.tools).map(tool).collect::<Vec<_>>()});
        let choice = match self.choice {
            Choice::Unsaid => None,
            Choice::Auto => Some(json!("auto")),
            Choice::Required => Some(json!("required")),
            Choice::Named => Some(json!({"type": "function", "function": {"name": TOOLS[0]}})),
            Choice::None => Some(json!("none")),
        };
        put(&mut body, "tool_choice", choice);
        put(&mut body, "parallel_tool_calls", self.one_call.then_some(false));
        put(&mut body, "max_completion_tokens", self.max_tokens);
        put(&mut body, "temperature", self.temperature);
        put(&mut body, "stop", (!self.stop.is_empty()).then(|| json!(self.stop)));
        put(&mut body, "reasoning_effort", self.effort);
        let format = json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": Talk::schema()}});
        put(&mut body, "response_format", self.schema.then_some(format));
        put(&mut body, "stream", self.stream.then_some(true));
        body
    }

    fn responses(&self, model: &str) -> Value {
        let mut items = Vec::new();
        let mut number = 0;
        for turn in &self.turns {
            match turn {
                Turn::User(said) => {
                    let part = |said: &Said| match said {
                        Said::Text(text) => json!({"type": "input_text", "text": text}),
                        Said::Image => {
                            json!({"type": "input_image", "image_url": format!("data:image/png;base64,{IMAGE}")})
                        }
                    };
                    items.push(json!({"role": "user", "content": said.iter().map(part).collect::<Vec<_>>()}));
                }
                Turn::Model(text, calls) => {
                    items.extend(text.iter().map(|text| {
                        json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
                            "content": [{"type": "output_text", "text": text, "annotations": []}]})
                    }));
                    let first = number;
                    for (arguments, _) in calls {
                        items.push(json!({"type": "function_call", "id": format!("fc_{number}"), "call_id": format!("call_{number}"),
                            "name": self.tool(number), "arguments": arguments.to_string()}));
                        number += 1;
                    }
                    for (number, (_, answer)) in (first..).zip(calls) {
                        items.push(json!({"type": "function_call_output", "call_id": format!("call_{number}"), "output": answer.text}));
                    }
                }
            }
        }
        let tool = |number: usize| json!({"type": "function", "name": TOOLS[number], "parameters": Talk::schema(), "strict": false});
        let mut body =
            json!({"model": model, "input": items, "tools": (0..self.tools).map(tool).collect::<Vec<_>>()});
        let choice = match self.choice {
            Choice::Unsaid => None,
            Choice::Auto => Some(json!("auto")),
            Choice::Required => Some(json!("required")),
            Choice::Named => Some(json!({"type": "function", "name": TOOLS[0]})),
            Choice::None => Some(json!("none")),
        };
        put(&mut body, "instructions", self.system.clone());
        put(&mut body, "tool_choice", choice);
        put(&mut body, "parallel_tool_calls", self.one_call.then_some(false));
        put(&mut body, "max_output_tokens", self.max_tokens);
        put(&mut body, "temperature", self.temperature);
        put(&mut body, "reasoning", self.effort.map(|effort| json!({"effort": effort})));
        let format = json!({"format": {"type": "json_schema", "name": "answer", "strict": true, "schema": Talk::schema()}});
        put(&mut body, "text", self.schema.then_some(format));
        put(&mut body, "stream", self.stream.then_some(true));
        body
    }

    fn messages(&self, model: &str) -> Value {
        let mut messages: Vec<Value> = Vec::new();
        let mut number = 0;
        // Answers stand before what the user says next.
        let mut waiting: Vec<Value> = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::User(said) => {
                    let part = |said: &Said| match said {
                        Said::Text(text) => json!({"type": "text", "text": text}),
                        Said::Image => {
                            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}})
                        }
                    };
                    waiting.extend(said.iter().map(part));
                    messages.push(json!({"role": "user", "content": std::mem::take(&mut waiting)}));
                }
                Turn::Model(text, calls) => {
                    let mut content: Vec<Value> =
                        text.iter().map(|text| json!({"type": "text", "text": text})).collect();
                    for (arguments, answer) in calls {
                        let id = format!("toolu_{number}");
                        content.push(json!({"type": "tool_use", "id": id, "name": self.tool(number), "input": arguments}));
                        waiting.push(json!({"type": "tool_result", "tool_use_id": id, "content": answer.text, "is_error": answer.failed}));
                        number += 1;
                    }
                    messages.push(json!({"role": "assistant", "content": content}));
                }
            }
        }
        let tool = |number: usize| json!({"name": TOOLS[number], "input_schema": Talk::schema()});
        let mut body = json!({"model": model, "max_tokens": self.max_tokens.unwrap_or(64000), "messages": messages,
            "tools": (0..self.tools).map(tool).collect::<Vec<_>>()});
        let choice = match self.choice {
            Choice::Unsaid => None,
            Choice::Auto => Some(json!({"type": "auto"})),
            Choice::Required => Some(json!({"type": "any"})),
            Choice::Named => Some(json!({"type": "tool", "name": TOOLS[0]})),
            Choice::None => Some(json!({"type": "none"})),
        };
        let choice = match (choice, self.one_call) {
            (choice, false) => choice,
            (choice, true) => {
                let mut choice = choice.unwrap_or(json!({"type": "auto"}));
                choice["disable_parallel_tool_use"] = true.into();
                Some(choice)
            }
        };
        put(&mut body, "tool_choice", choice);
        put(&mut body, "system", self.system.clone());
        put(&mut body, "temperature", self.temperature);
        put(&mut body, "stop_sequences", (!self.stop.is_empty()).then(|| json!(self.stop)));
        let mut output = Map::new();
        if let Some(effort) = self.effort {
            output.insert("effort".to_owned(), effort.into());
        }
        if self.schema {
            output.insert("format".to_owned(), json!({"type": "json_schema", "schema": Talk::schema()}));
        }
        put(&mut body, "output_config", (!output.is_empty()).then_some(output));
        put(&mut body, "stream", self.stream.then_some(true));
        body
    }

    fn gemini(&self) -> Value {
        let mut contents: Vec<Value> = Vec::new();
        let mut number = 0;
        let mut waiting: Vec<Value> = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::User(said) => {
                    let part = |said: &Said| match said {
                        Said::Text(text) => json!({"text": text}),
                        Said::Image => json!({"inlineData": {"mimeType": "image/png", "data": IMAGE}}),
                    };
                    waiting.extend(said.iter().map(part));
                    contents.push(json!({"role": "user", "parts": std::mem::take(&mut waiting)}));
                }
                Turn::Model(text, calls) => {
                    let mut parts: Vec<Value> = text.iter().map(|text| json!({"text": text})).collect();
                    for (arguments, answer) in calls {
                        let name = self.tool(number);
                        parts.push(json!({"functionCall": {"name": name, "args": arguments}}));
                        let under = if answer.failed { "error" } else { "output" };
                        waiting.push(
                            json!({"functionResponse": {"name": name, "response": {under: answer.text}}}),
                        );
                        number += 1;
                    }
                    contents.push(json!({"role": "model", "parts": parts}));
                }
            }
        }
        let tool = |number: usize| json!({"name": TOOLS[number], "parametersJsonSchema": Talk::schema()});
        let functions: Vec<_> = (0..self.tools).map(tool).collect();
        let mut body = json!({"contents": contents, "tools": [{"functionDeclarations": functions}]});
        let choice = match self.choice {
            Choice::Unsaid => None,
            Choice::Auto => Some(json!({"mode": "AUTO"})),
            Choice::Required => Some(json!({"mode": "ANY"})),
            Choice::Named => Some(json!({"mode": "ANY", "allowedFunctionNames": [TOOLS[0]]})),
            Choice::None => Some(json!({"mode": "NONE"})),
        };
        put(&mut body, "toolConfig", choice.map(|choice| json!({"functionCallingConfig": choice})));
        put(
            &mut body,
            "systemInstruction",
            self.system.as_ref().map(|text| json!({"parts": [{"text": text}]})),
        );
        let mut config = json!({});
        put(&mut config, "maxOutputTokens", self.max_tokens);
        put(&mut config, "temperature", self.temperature);
        put(&mut config, "stopSequences", (!self.stop.is_empty()).then(|| json!(self.stop)));
        put(&mut config, "thinkingConfig", self.effort.map(|effort| json!({"thinkingLevel": effort})));
        if self.schema {
            config["responseMimeType"] = "application/json".into();
            config["responseJsonSchema"] = Talk::schema();
        }
        body["generationConfig"] = config;
        body
    }

    fn converse(&self) -> Value {
        let mut messages: Vec<Value> = Vec::new();
        let mut number = 0;
        let mut waiting: Vec<Value> = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::User(said) => {
                    let part = |said: &Said| match said {
                        Said::Text(text) => json!({"text": text}),
                        Said::Image => json!({"image": {"format": "png", "source": {"bytes": IMAGE}}}),
                    };
                    waiting.extend(said.iter().map(part));
                    messages.push(json!({"role": "user", "content": std::mem::take(&mut waiting)}));
                }
                Turn::Model(text, calls) => {
                    let mut content: Vec<Value> = text.iter().map(|text| json!({"text": text})).collect();
                    for (arguments, answer) in calls {
                        let id = format!("tooluse_{number}");
                        content.push(json!({"toolUse": {"toolUseId": id, "name": self.tool(number), "input": arguments}}));
                        let status = if answer.failed { "error" } else { "success" };
                        waiting.push(json!({"toolResult": {"toolUseId": id, "status": status, "content": [{"text": answer.text}]}}));
                        number += 1;
                    }
                    messages.push(json!({"role": "assistant", "content": content}));
                }
            }
        }
        let tool = |number: usize| json!({"toolSpec": {"name": TOOLS[number], "inputSchema": {"json": Talk::schema()}}});
        let mut config = json!({"tools": (0..self.tools).map(tool).collect::<Vec<_>>()});
        let choice = match self.choice {
            Choice::Unsaid | Choice::None => None,
            Choice::Auto => Some(json!({"auto": {}})),
            Choice::Required => Some(json!({"any": {}})),
            Choice::Named => Some(json!({"tool": {"name": TOOLS[0]}})),
        };
        put(&mut config, "toolChoice", choice);
        let mut body = json!({"messages": messages, "toolConfig": config});
        put(&mut body, "system", self.system.as_ref().map(|text| json!([{"text": text}])));
        let mut config = json!({});
        put(&mut config, "maxTokens", self.max_tokens);
        put(&mut config, "temperature", self.temperature);
        put(&mut config, "stopSequences", (!self.stop.is_empty()).then(|| json!(self.stop)));
        body["inferenceConfig"] = config;
        let mut output = Map::new();
        if let Some(effort) = self.effort {
            output.insert("effort".to_owned(), effort.into());
        }
        if self.schema {
            let told = json!({"name": "answer", "schema": Talk::schema().to_string()});
            let format = json!({"type": "json_schema", "structure": {"jsonSchema": told}});
            output.insert("textFormat".to_owned(), format);
        }
        put(&mut body, "outputConfig", (!output.is_empty()).then_some(output));
        body
    }
}
