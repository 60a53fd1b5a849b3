//! Chat Completions into the canonical form. Reasoning and a refusal stand beside the text here, so parts have a fixed order:
//! thought, said, refused, called.

mod answer;
mod form;
mod stream;
mod takes;
mod write;

use serde_json::{Map, Value};

use crate::canonical::{
    Answer, Arguments, Body, CacheHint, Call, Choice, Effort, Fault, Fields, Format, Message, Modality, Part,
    Reader, Request, Role, Sampling, Stop, StopReason, StreamReader, Tool, ToolChoice, ToolKind, Within,
    one_or_more,
};
use crate::dialects::openai_custom;

pub(crate) use answer::ChatWriter;
pub(crate) use takes::{Effort as TakenEffort, Takes};
pub(crate) use write::{address, written};

/// Reads Chat Completions.
pub(crate) struct ChatReader;

impl Reader for ChatReader {
    fn request(&self, body: Value) -> Result<Request, Fault> {
        let mut body = Fields::of(body)?;
        let newer = body.count("max_completion_tokens")?;
        let older = body.count("max_tokens")?;
        let format = format(&mut body).within("response_format")?;
        Ok(Request {
            model: body.text("model")?,
            system: Vec::new(),
            messages: body.each("messages", message)?,
            tools: body.each("tools", tool)?,
            tool_choice: body.take("tool_choice").map(tool_choice).transpose().within("tool_choice")?,
            parallel_tools: body.truth("parallel_tool_calls")?,
            format,
            effort: Effort { level: body.text("reasoning_effort")?, ..Effort::default() },
            verbosity: body.text("verbosity")?,
            sampling: Sampling {
                max_tokens: newer.or(older),
                temperature: body.float("temperature")?,
                top_p: body.float("top_p")?,
                top_k: body.count("top_k")?,
                stop: body.take("stop").map(one_or_more).transpose().within("stop")?.unwrap_or_default(),
                seed: body.int("seed")?,
                frequency_penalty: body.float("frequency_penalty")?,
                presence_penalty: body.float("presence_penalty")?,
                choices: body.count("n")?,
            },
            stream: body.truth("stream")?.unwrap_or(false),
            rest: body.rest(),
        })
    }

    fn answer(&self, body: Value) -> Result<Answer, Fault> {
        let mut body = Fields::of(body)?;
        let mut choices = body.each("choices", |value| {
            let mut choice = Fields::of(value)?;
            let index = choice.count("index")?;
            let stop = choice.said("finish_reason")?.map(stop);
            let mut parts = Vec::new();
            if let Some(mut message) = choice.object("message")? {
                let _role = message.take("role");
                parts = said(&mut message).within("message")?;
                parts.extend(beside(message.rest()));
            }
            Ok((index, Choice::new(parts, stop)))
        })?;
        choices.sort_by_key(|(index, _)| *index);
        Ok(Answer {
            id: body.text("id")?,
            model: body.text("model")?,
            choices: choices.into_iter().map(|(_, choice)| choice).collect(),
        })
    }

    fn stream(&self) -> Box<dyn StreamReader> {
        Box::<stream::ChatStream>::default()
    }
}

fn message(value: Value) -> Result<Message, Fault> {
    let mut message = Fields::of(value)?;
    let role = Role::of(&message.needed_text("role")?);
    let name = message.text("name")?;
    if role == Role::Tool {
        let answer = Body::ToolAnswer {
            id: message.said("tool_call_id")?,
            name: name.clone(),
            parts: content(message.take("content")).within("content")?,
            is_error: None,
        };
        return Ok(Message { role, name: None, parts: vec![Part::new(answer)], rest: message.rest() });
    }
    let parts = said(&mut message)?;
    Ok(Message { role, name, parts, rest: message.rest() })
}

/// What a message says, in the order of its parts.
fn said(message: &mut Fields) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    for member in THOUGHT {
        parts.extend(message.said(member)?.map(|text| Part::new(Body::Reasoning(text))));
    }
    // Both names in one message say the same twice.
    parts.truncate(1);
    parts.extend(content(message.take("content")).within("content")?);
    parts.extend(message.said("refusal")?.map(|text| Part::new(Body::Refusal(text))));
    parts.extend(message.each("tool_calls", tool_call)?);
    Ok(parts)
}

/// Where servers that imitate OpenAI show what the model thought.
const THOUGHT: [&str; 2] = ["reasoning_content", "reasoning"];

/// Members that have no place, as parts: an answer has no other.
fn beside(rest: Map<String, Value>) -> impl Iterator<Item = Part> {
    let says = |value: &Value| !matches!(value, Value::Array(list) if list.is_empty());
    let members = rest.into_iter().filter(move |(_, value)| says(value));
    members.map(|(kind, value)| Part::new(Body::Generic { kind, value }))
}

fn content(value: Option<Value>) -> Result<Vec<Part>, Fault> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
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
        "text" => Body::Text(fields.needed_text("text")?),
        "refusal" => Body::Refusal(fields.needed_text("refusal")?),
        "image_url" => inside(&mut fields, "image_url", |image| {
            Ok(Body::at(image.needed_text("url")?, Modality::Image))
        })?,
        "input_audio" => inside(&mut fields, "input_audio", |audio| {
            let mime = audio.text("format")?.map(|format| format!("audio/{format}"));
            Ok(Body::Blob { modality: Modality::Audio, mime, data: audio.needed_text("data")? })
        })?,
        "file" => inside(&mut fields, "file", |file| {
            Ok(match file.text("file_id")? {
                Some(id) => Body::File { modality: Modality::Document, id },
                None => Body::at(file.needed_text("file_data")?, Modality::Document),
            })
        })?,
        _ => return Ok(Part::new(Body::Generic { kind, value: fields.whole() })),
    };
    let _kind = fields.take("type");
    let cache = cache(&mut fields)?;
    Ok(Part { cache, rest: fields.rest(), ..Part::new(body) })
}

/// Reads what stands in an object of its own; what is left of that object is kept.
fn inside<T>(
    fields: &mut Fields,
    member: &str,
    read: impl FnOnce(&mut Fields) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut inner = fields.object(member)?.ok_or(Fault::new("is missing")).within(member)?;
    let body = read(&mut inner).within(member)?;
    let rest = inner.rest();
    if !rest.is_empty() {
        fields.keep(member, Value::Object(rest));
    }
    Ok(body)
}

/// Gateways that serve Claude take its hint here.
fn cache(fields: &mut Fields) -> Result<Option<CacheHint>, Fault> {
    let Some(mut hint) = fields.object("cache_control")? else { return Ok(None) };
    Ok(Some(CacheHint { ttl: hint.text("ttl").within("cache_control")? }))
}

fn tool_call(value: Value) -> Result<Part, Fault> {
    let mut fields = Fields::of(value)?;
    let kind = fields.peek("type").to_owned();
    let free = match kind.as_str() {
        "function" | "" => false,
        "custom" => true,
        _ => return Ok(Part::new(Body::Generic { kind, value: fields.whole() })),
    };
    let (member, given) = if free { ("custom", "input") } else { ("function", "arguments") };
    let (name, arguments) = inside(&mut fields, member, |called| {
        Ok((called.needed_text("name")?, arguments(called.take(given), free)))
    })?;
    let id = fields.said("id")?;
    let (_kind, _index) = (fields.take("type"), fields.take("index"));
    let call = Body::ToolCall(Call { id, name, arguments, free });
    Ok(Part { rest: fields.rest(), ..Part::new(call) })
}

fn arguments(value: Option<Value>, free: bool) -> Arguments {
    match value {
        Some(Value::String(text)) if !free => Arguments::read(text),
        other => Arguments::of(other),
    }
}

fn tool(value: Value) -> Result<Tool, Fault> {
    let mut fields = Fields::of(value)?;
    let word = fields.text("type")?.unwrap_or_else(|| "function".to_owned());
    let (kind, member) = match word.as_str() {
        "function" => (ToolKind::Function, "function"),
        "custom" => (ToolKind::Free(None), "custom"),
        _ => {
            let name = fields.text("name")?.unwrap_or_else(|| word.clone());
            let (description, schema, strict) = (None, None, None);
            let kind = ToolKind::Provider(word);
            return Ok(Tool { kind, name, description, schema, strict, cache: None, rest: fields.rest() });
        }
    };
    let (name, description, schema, strict, grammar) = inside(&mut fields, member, |told| {
        let (name, schema) = (told.needed_text("name")?, told.take("parameters"));
        let grammar = if member == "custom" { openai_custom::grammar(told, true)? } else { None };
        Ok((name, told.text("description")?, schema, told.truth("strict")?, grammar))
    })?;
    let kind = if member == "custom" { ToolKind::Free(grammar) } else { kind };
    let cache = cache(&mut fields)?;
    Ok(Tool { kind, name, description, schema, strict, cache, rest: fields.rest() })
}

fn tool_choice(value: Value) -> Result<ToolChoice, Fault> {
    let word = value.as_str().or_else(|| value["type"].as_str()).unwrap_or_default();
    let named = |kind: &str| value[kind]["name"].as_str().map(str::to_owned);
    Ok(match word {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "required" => ToolChoice::Required,
        "function" | "custom" => {
            ToolChoice::Named(named(word).ok_or(Fault::new("is missing")).within("name").within(word)?)
        }
        "allowed_tools" => {
            let allowed = &value["allowed_tools"];
            let tools = allowed["tools"].as_array().ok_or(Fault::new("is no list")).within("tools")?;
            let name = |tool: &Value| {
                let kind = tool["type"].as_str().unwrap_or("function");
                tool[kind]["name"].as_str().map(str::to_owned)
            };
            match tools.iter().map(name).collect() {
                Some(names) => ToolChoice::Allowed { names, required: allowed["mode"] == "required" },
                None => ToolChoice::Other(value),
            }
        }
        _ => ToolChoice::Other(value),
    })
}

/// Leaves what has no place in the body.
fn format(body: &mut Fields) -> Result<Option<Format>, Fault> {
    let Some(value) = body.take("response_format") else { return Ok(None) };
    let mut fields = Fields::of(value)?;
    Ok(Some(match fields.peek("type") {
        "text" => Format::Text,
        "json_object" => Format::Json,
        "json_schema" => {
            let mut told = fields.object("json_schema")?.unwrap_or_default();
            let format = Format::Schema {
                name: told.text("name").within("json_schema")?,
                schema: told.take("schema").unwrap_or_default(),
                // Not to be is what goes without saying here.
                strict: told.truth("strict").within("json_schema")?.or(Some(false)),
            };
            let rest = told.rest();
            if !rest.is_empty() {
                let rest = Map::from_iter([("json_schema".to_owned(), Value::Object(rest))]);
                body.keep("response_format", Value::Object(rest));
            }
            format
        }
        _ => Format::Other(fields.whole()),
    }))
}

fn stop(word: String) -> Stop {
    let reason = match word.as_str() {
        "stop" => StopReason::End,
        "length" => StopReason::Length,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        "content_filter" => StopReason::Filtered,
        _ => StopReason::Unknown,
    };
    Stop { reason, word }
}
