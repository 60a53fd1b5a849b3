//! Converse into the canonical form. A block is told by the one member that it has; a cache point belongs to what stands before it.

mod answer;
mod form;
mod stream;
mod write;

use serde_json::Value;

use crate::canonical::{
    Answer, Arguments, Body, CacheHint, Call, Choice, Effort, Fault, Fields, Format, Message, Modality, Part,
    Reader, Request, Role, Sampling, Seal, Stop, StopReason, StreamReader, Tool, ToolChoice, ToolKind,
    Within, one_or_more,
};

pub(crate) use answer::ConverseWriter;

/// Reads Converse. The model and whether the answer streams stand in the path.
pub(crate) struct ConverseReader;

impl Reader for ConverseReader {
    fn request(&self, body: Value) -> Result<Request, Fault> {
        let mut body = Fields::of(body)?;
        let mut request = Request {
            system: blocks(&mut body, "system")?,
            messages: body.each("messages", message)?,
            ..Request::default()
        };
        if let Some(mut config) = body.object("inferenceConfig")? {
            request.sampling = sampling(&mut config).within("inferenceConfig")?;
            body.keep_rest("inferenceConfig", config.rest());
        }
        if let Some(mut config) = body.object("toolConfig")? {
            request.tools = tools(&mut config).within("toolConfig")?;
            request.tool_choice = config.take("toolChoice").map(tool_choice);
            body.keep_rest("toolConfig", config.rest());
        }
        if let Some(mut config) = body.object("outputConfig")? {
            let level = config.text("effort").within("outputConfig")?;
            request.effort = Effort { level, ..Effort::default() };
            if let Some(told) = config.take("textFormat") {
                let beside = told["structure"]["jsonSchema"].get("description").cloned();
                request.format = Some(format(told));
                config.keep_rest(
                    "textFormat",
                    beside.map(|it| ("description".to_owned(), it)).into_iter().collect(),
                );
            }
            body.keep_rest("outputConfig", config.rest());
        }
        request.rest = body.rest();
        Ok(request)
    }

    fn answer(&self, body: Value) -> Result<Answer, Fault> {
        let mut body = Fields::of(body)?;
        let mut output = body.object("output")?.unwrap_or_default();
        let mut message = output.object("message").within("output")?.unwrap_or_default();
        let parts = blocks(&mut message, "content").within("message").within("output")?;
        let stop = body.said("stopReason")?.map(stop);
        Ok(Answer { id: None, model: None, choices: vec![Choice::new(parts, stop)] })
    }

    fn stream(&self) -> Box<dyn StreamReader> {
        Box::<stream::ConverseStream>::default()
    }
}

fn message(value: Value) -> Result<Message, Fault> {
    let mut fields = Fields::of(value)?;
    let role = Role::of(&fields.needed_text("role")?);
    Ok(Message { role, name: None, parts: blocks(&mut fields, "content")?, rest: fields.rest() })
}

fn sampling(config: &mut Fields) -> Result<Sampling, Fault> {
    let stop = config.take("stopSequences").map(one_or_more).transpose().within("stopSequences")?;
    Ok(Sampling {
        max_tokens: config.count("maxTokens")?,
        temperature: config.float("temperature")?,
        top_p: config.float("topP")?,
        stop: stop.unwrap_or_default(),
        ..Sampling::default()
    })
}

fn blocks(fields: &mut Fields, member: &str) -> Result<Vec<Part>, Fault> {
    let mut parts: Vec<Part> = Vec::new();
    for (number, value) in fields.list(member)?.into_iter().enumerate() {
        match (point(&value), parts.last_mut()) {
            (Some(hint), Some(before)) => before.cache = Some(hint),
            _ => parts.push(block(value).at(number).within(member)?),
        }
    }
    Ok(parts)
}

fn point(value: &Value) -> Option<CacheHint> {
    let ttl = value.get("cachePoint")?.get("ttl").and_then(Value::as_str);
    Some(CacheHint { ttl: ttl.map(str::to_owned) })
}

fn block(value: Value) -> Result<Part, Fault> {
    let mut fields = Fields::of(value)?;
    let mut seal = None;
    let body = if let Some(text) = fields.text("text")? {
        Body::Text(text)
    } else if let Some(mut call) = fields.object("toolUse")? {
        Body::ToolCall(self::call(&mut call).within("toolUse")?)
    } else if let Some(mut answer) = fields.object("toolResult")? {
        let id = answer.said("toolUseId").within("toolResult")?;
        let parts = blocks(&mut answer, "content").within("toolResult")?;
        let status = answer.text("status").within("toolResult")?;
        Body::ToolAnswer { id, name: None, parts, is_error: status.map(|word| word == "error") }
    } else if let Some(mut thought) = fields.object("reasoningContent")? {
        let thought = thought_of(&mut thought).within("reasoningContent")?;
        seal = thought.1;
        Body::Reasoning(thought.0)
    } else if let Some(body) = media(&mut fields)? {
        body
    } else {
        let value = fields.whole();
        let kind = value.as_object().and_then(|it| it.keys().next()).cloned().unwrap_or_default();
        return Ok(Part::new(Body::Generic { kind, value }));
    };
    Ok(Part { body, seal, cache: None, rest: fields.rest() })
}

fn call(fields: &mut Fields) -> Result<Call, Fault> {
    let (id, name) = (fields.said("toolUseId")?, fields.needed_text("name")?);
    Ok(Call { id, name, arguments: Arguments::of(fields.take("input")), free: false })
}

fn thought_of(fields: &mut Fields) -> Result<(String, Option<Seal>), Fault> {
    if let Some(hidden) = fields.text("redactedContent")? {
        return Ok((String::new(), Some(Seal::Content(hidden))));
    }
    let mut shown = fields.object("reasoningText")?.unwrap_or_default();
    let seal = shown.said("signature").within("reasoningText")?.map(Seal::Signature);
    Ok((shown.text("text").within("reasoningText")?.unwrap_or_default(), seal))
}

/// Media whose bytes stand in the body or in a bucket; of other sources the block stays whole.
fn media(fields: &mut Fields) -> Result<Option<Body>, Fault> {
    let kinds = [
        ("image", Modality::Image),
        ("audio", Modality::Audio),
        ("video", Modality::Video),
        ("document", Modality::Document),
    ];
    for (member, modality) in kinds {
        let Some(value) = fields.take(member) else { continue };
        let source = &value["source"];
        let mime = value["format"].as_str().map(|format| match modality {
            Modality::Document => format!("application/{format}"),
            other => format!("{}/{format}", other.as_str()),
        });
        let body = match (source["bytes"].as_str(), source["s3Location"]["uri"].as_str()) {
            (Some(data), _) => Body::Blob { modality, mime, data: data.to_owned() },
            (None, Some(uri)) => Body::Uri { modality, mime, uri: uri.to_owned() },
            (None, None) => return Ok(Some(Body::Generic { kind: member.to_owned(), value })),
        };
        let mut beside = Fields::of(value).within(member)?;
        let (_format, _source) = (beside.take("format"), beside.take("source"));
        fields.keep_rest(member, beside.rest());
        return Ok(Some(body));
    }
    Ok(None)
}

fn tools(config: &mut Fields) -> Result<Vec<Tool>, Fault> {
    let mut tools: Vec<Tool> = Vec::new();
    for (number, value) in config.list("tools")?.into_iter().enumerate() {
        match (point(&value), tools.last_mut()) {
            (Some(hint), Some(before)) => before.cache = Some(hint),
            _ => tools.push(tool(value).at(number).within("tools")?),
        }
    }
    Ok(tools)
}

fn tool(value: Value) -> Result<Tool, Fault> {
    let mut fields = Fields::of(value)?;
    let (strict, cache) = (None, None);
    let Some(mut told) = fields.object("toolSpec")? else {
        let rest = fields.rest();
        let word = rest.keys().next().cloned().unwrap_or_default();
        let (name, kind) = (word.clone(), ToolKind::Provider(word));
        return Ok(Tool { kind, name, description: None, schema: None, strict, cache, rest });
    };
    let name = told.needed_text("name").within("toolSpec")?;
    let description = told.text("description").within("toolSpec")?;
    let schema = told.object("inputSchema").within("toolSpec")?.and_then(|mut schema| schema.take("json"));
    let strict = told.truth("strict").within("toolSpec")?;
    Ok(Tool { kind: ToolKind::Function, name, description, schema, strict, cache, rest: told.rest() })
}

fn tool_choice(value: Value) -> ToolChoice {
    let has = |member: &str| value.get(member).is_some_and(|it| !it.is_null());
    match value["tool"]["name"].as_str() {
        Some(name) => ToolChoice::Named(name.to_owned()),
        None if has("auto") => ToolChoice::Auto,
        None if has("any") => ToolChoice::Required,
        None => ToolChoice::Other(value),
    }
}

/// A schema is sent as text here.
fn format(value: Value) -> Format {
    let told = &value["structure"]["jsonSchema"];
    let schema = match &told["schema"] {
        Value::String(text) => serde_json::from_str(text).ok(),
        Value::Null => None,
        other => Some(other.clone()),
    };
    let name = told["name"].as_str().map(str::to_owned);
    match schema {
        Some(schema) => Format::Schema { name, schema, strict: None },
        None => Format::Other(value),
    }
}

fn stop(word: String) -> Stop {
    let reason = match word.as_str() {
        "end_turn" => StopReason::End,
        "stop_sequence" => StopReason::Sequence(None),
        "max_tokens" => StopReason::Length,
        "model_context_window_exceeded" => StopReason::Window,
        "tool_use" => StopReason::ToolCalls,
        "guardrail_intervened" | "content_filtered" => StopReason::Filtered,
        "malformed_tool_use" => StopReason::MalformedCall,
        _ => StopReason::Unknown,
    };
    Stop { reason, word }
}
