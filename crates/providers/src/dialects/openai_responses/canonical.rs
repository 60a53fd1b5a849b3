//! Responses into the canonical form. Items are messages here; those of an answer are its parts, and each knows its place.

mod answer;
mod form;
mod stream;
mod write;

use serde_json::{Map, Value};

use crate::canonical::{
    Answer, Arguments, Body, Call, Choice, Effort, Fault, Fields, Format, Message, Modality, Part, Reader,
    Request, Role, Sampling, Seal, Stop, StopReason, StreamReader, Tool, ToolChoice, ToolKind, Within,
};
use crate::dialects::{openai_custom, openai_strict};

pub(crate) use answer::ResponsesWriter;

/// Reads Responses.
pub(crate) struct ResponsesReader;

impl Reader for ResponsesReader {
    fn request(&self, body: Value) -> Result<Request, Fault> {
        let mut body = Fields::of(body)?;
        let system = content(body.take("instructions")).within("instructions")?;
        let messages = match body.take("input") {
            Some(Value::String(text)) => {
                let parts = vec![Part::text(text)];
                vec![Message { role: Role::User, name: None, parts, rest: Map::new() }]
            }
            Some(value) => {
                body.keep("input", value);
                body.each("input", item)?
            }
            None => Vec::new(),
        };
        let (mut effort, mut format, mut verbosity) = (Effort::default(), None, None);
        if let Some(mut reasoning) = body.object("reasoning")? {
            effort.level = reasoning.text("effort").within("reasoning")?;
            body.keep_rest("reasoning", reasoning.rest());
        }
        if let Some(mut text) = body.object("text")? {
            if let Some(mut told) = text.object("format").within("text")? {
                format = Some(self::format(&mut told)?);
                text.keep_rest("format", told.rest());
            }
            verbosity = text.text("verbosity").within("text")?;
            body.keep_rest("text", text.rest());
        }
        Ok(Request {
            model: body.text("model")?,
            system,
            messages,
            tools: body.each("tools", tool)?,
            tool_choice: body.take("tool_choice").map(tool_choice),
            parallel_tools: body.truth("parallel_tool_calls")?,
            format,
            effort,
            // The SDKs have it there as well.
            verbosity: verbosity.or(body.text("verbosity")?),
            sampling: Sampling {
                max_tokens: body.count("max_output_tokens")?,
                temperature: body.float("temperature")?,
                top_p: body.float("top_p")?,
                ..Sampling::default()
            },
            stream: body.truth("stream")?.unwrap_or(false),
            rest: body.rest(),
        })
    }

    fn answer(&self, body: Value) -> Result<Answer, Fault> {
        let mut body = Fields::of(body)?;
        let parts = body.each("output", said)?.into_iter().flatten().collect();
        let stop = stop(&mut body)?;
        let (id, model) = (body.text("id")?, body.text("model")?);
        Ok(Answer { id, model, choices: vec![Choice::new(parts, stop)] })
    }

    fn stream(&self) -> Box<dyn StreamReader> {
        Box::<stream::ResponsesStream>::default()
    }
}

/// The parts of one item of an answer. Its own id may change while it streams, and nothing pairs by it.
fn said(value: Value) -> Result<Vec<Part>, Fault> {
    let mut message = item(value)?;
    for part in &mut message.parts {
        for member in ["id", "status"] {
            part.rest.remove(member);
        }
        part.rest.retain(|_, value| !matches!(value, Value::Array(list) if list.is_empty()));
        if let Some(phase) = message.rest.get("phase") {
            part.rest.insert("phase".to_owned(), phase.clone());
        }
    }
    Ok(message.parts)
}

fn item(value: Value) -> Result<Message, Fault> {
    let mut fields = Fields::of(value)?;
    let kind = fields.peek("type").to_owned();
    let mut seal = None;
    let (role, body) = match kind.as_str() {
        "message" | "" => {
            let _kind = fields.take("type");
            let role = Role::of(&fields.needed_text("role")?);
            let parts = content(fields.take("content")).within("content")?;
            return Ok(Message { role, name: None, parts, rest: fields.rest() });
        }
        "function_call" | "custom_tool_call" => {
            let free = kind == "custom_tool_call";
            let given = fields.text(if free { "input" } else { "arguments" })?.unwrap_or_default();
            let (id, name) = (fields.said("call_id")?, fields.needed_text("name")?);
            let arguments = if free { Arguments::Text(given) } else { Arguments::read(given) };
            (Role::Assistant, Body::ToolCall(Call { id, name, arguments, free }))
        }
        "function_call_output" | "custom_tool_call_output" => {
            let (id, parts) = (fields.said("call_id")?, content(fields.take("output")).within("output")?);
            (Role::Tool, Body::ToolAnswer { id, name: None, parts, is_error: None })
        }
        "reasoning" => {
            seal = fields.said("encrypted_content")?.map(Seal::Content);
            let mut texts = fields.each("summary", shown)?;
            texts.extend(fields.each("content", shown)?);
            (Role::Assistant, Body::Reasoning(texts.join(BETWEEN)))
        }
        _ if kind.ends_with("_call") => {
            let (id, _kind, _status) = (fields.text("id")?, fields.take("type"), fields.take("status"));
            let arguments = Arguments::Object(fields.rest());
            let call = Call { id, name: kind.clone(), arguments, free: false };
            let parts = vec![Part::new(Body::ServerToolCall { kind, call })];
            return Ok(Message { role: Role::Assistant, name: None, parts, rest: Map::new() });
        }
        _ => {
            let role = if kind.ends_with("_output") { Role::Tool } else { Role::Assistant };
            let parts = vec![Part::new(Body::Generic { kind, value: fields.whole() })];
            return Ok(Message { role, name: None, parts, rest: Map::new() });
        }
    };
    let _kind = fields.take("type");
    let parts = vec![Part { body, seal, cache: None, rest: fields.rest() }];
    Ok(Message { role, name: None, parts, rest: Map::new() })
}

/// Between the texts of one thought.
const BETWEEN: &str = "\n\n";

fn shown(value: Value) -> Result<String, Fault> {
    Fields::of(value)?.needed_text("text")
}

fn content(value: Option<Value>) -> Result<Vec<Part>, Fault> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::text(text)]),
        Some(Value::Array(list)) => {
            list.into_iter().enumerate().map(|(number, value)| part(value).at(number)).collect()
        }
        Some(_) => Err(Fault::new("is neither a text nor a list of parts")),
    }
}

fn part(value: Value) -> Result<Part, Fault> {
    let mut fields = Fields::of(value)?;
    let kind = fields.peek("type").to_owned();
    let body = match kind.as_str() {
        "input_text" | "output_text" | "text" => Body::Text(fields.needed_text("text")?),
        "refusal" => Body::Refusal(fields.needed_text("refusal")?),
        "input_image" => match fields.text("file_id")? {
            Some(id) => Body::File { modality: Modality::Image, id },
            None => Body::at(fields.needed_text("image_url")?, Modality::Image),
        },
        "input_file" => match (fields.text("file_id")?, fields.text("file_data")?) {
            (Some(id), _) => Body::File { modality: Modality::Document, id },
            (None, Some(data)) => Body::at(data, Modality::Document),
            (None, None) => Body::at(fields.needed_text("file_url")?, Modality::Document),
        },
        _ => return Ok(Part::new(Body::Generic { kind, value: fields.whole() })),
    };
    let _kind = fields.take("type");
    Ok(Part { rest: fields.rest(), ..Part::new(body) })
}

fn tool(value: Value) -> Result<Tool, Fault> {
    let mut fields = Fields::of(value)?;
    let word = fields.needed_text("type")?;
    let name = fields.text("name")?.unwrap_or_else(|| word.clone());
    let (mut description, mut schema, mut strict) = (None, None, None);
    let kind = match word.as_str() {
        "function" => {
            schema = fields.take("parameters");
            // What is not said to be strict is made so here, where its schema can be held to.
            let held = schema.as_ref().is_some_and(openai_strict::is_strict);
            strict = fields.truth("strict")?.or(held.then_some(true));
            ToolKind::Function
        }
        "custom" => ToolKind::Free(openai_custom::grammar(&mut fields, false)?),
        _ => ToolKind::Provider(word),
    };
    if !matches!(kind, ToolKind::Provider(_)) {
        description = fields.text("description")?;
    }
    Ok(Tool { kind, name, description, schema, strict, cache: None, rest: fields.rest() })
}

fn tool_choice(value: Value) -> ToolChoice {
    let word = value.as_str().or_else(|| value["type"].as_str()).unwrap_or_default();
    let name = |tool: &Value| tool["name"].as_str().map(str::to_owned);
    let choice = match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Required),
        "function" | "custom" => name(&value).map(ToolChoice::Named),
        "allowed_tools" => {
            let names = value["tools"].as_array().and_then(|tools| tools.iter().map(name).collect());
            names.map(|names| ToolChoice::Allowed { names, required: value["mode"] == "required" })
        }
        _ => None,
    };
    choice.unwrap_or(ToolChoice::Other(value))
}

/// Leaves what has no place.
fn format(fields: &mut Fields) -> Result<Format, Fault> {
    let known = matches!(fields.peek("type"), "text" | "json_object" | "json_schema");
    if !known {
        return Ok(Format::Other(std::mem::take(fields).whole()));
    }
    let kind = fields.text("type")?;
    Ok(match kind.as_deref() {
        Some("json_schema") => Format::Schema {
            name: fields.text("name").within("format").within("text")?,
            schema: fields.take("schema").unwrap_or_default(),
            // Not to be is what goes without saying here.
            strict: fields.truth("strict").within("format").within("text")?.or(Some(false)),
        },
        Some("json_object") => Format::Json,
        _ => Format::Text,
    })
}

/// Why a response ended. While it is under way there is no reason, and of one that failed none is made up.
fn stop(body: &mut Fields) -> Result<Option<Stop>, Fault> {
    let status = body.text("status")?;
    let why = body.object("incomplete_details")?.and_then(|mut it| it.text("reason").transpose()).transpose();
    let why = why.within("incomplete_details")?;
    let (reason, word) = match (status.as_deref(), why) {
        (Some("completed"), _) => (StopReason::End, "completed".to_owned()),
        (Some("incomplete"), why) => {
            let word = why.unwrap_or_else(|| "incomplete".to_owned());
            let reason = match word.as_str() {
                "max_output_tokens" => StopReason::Length,
                "content_filter" => StopReason::Filtered,
                _ => StopReason::Unknown,
            };
            (reason, word)
        }
        _ => return Ok(None),
    };
    Ok(Some(Stop { reason, word }))
}
