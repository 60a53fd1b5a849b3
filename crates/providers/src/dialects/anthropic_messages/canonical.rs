//! Messages into the canonical form. The blocks of an answer, streamed or whole, are read by what reads those of a request.

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

pub(crate) use answer::MessagesWriter;
pub(crate) use write::manner;

/// Reads Messages.
pub(crate) struct MessagesReader;

impl Reader for MessagesReader {
    fn request(&self, body: Value) -> Result<Request, Fault> {
        let mut body = Fields::of(body)?;
        let (tool_choice, parallel_tools) = tool_choice(&mut body)?;
        let (effort, format) = (effort(&mut body)?, format(&mut body)?);
        Ok(Request {
            model: body.text("model")?,
            system: content(body.take("system")).within("system")?,
            messages: body.each("messages", message)?,
            tools: body.each("tools", tool)?,
            tool_choice,
            parallel_tools,
            format,
            effort,
            verbosity: None,
            sampling: Sampling {
                max_tokens: body.count("max_tokens")?,
                temperature: body.float("temperature")?,
                top_p: body.float("top_p")?,
                top_k: body.count("top_k")?,
                stop: body
                    .take("stop_sequences")
                    .map(one_or_more)
                    .transpose()
                    .within("stop_sequences")?
                    .unwrap_or_default(),
                ..Sampling::default()
            },
            stream: body.truth("stream")?.unwrap_or(false),
            rest: body.rest(),
        })
    }

    fn answer(&self, body: Value) -> Result<Answer, Fault> {
        let mut body = Fields::of(body)?;
        let parts = body.each("content", block)?;
        let stop = stop(&mut body)?;
        Ok(Answer {
            id: body.text("id")?,
            model: body.text("model")?,
            choices: vec![Choice::new(parts, stop)],
        })
    }

    fn stream(&self) -> Box<dyn StreamReader> {
        Box::new(stream::MessagesStream)
    }
}

fn message(value: Value) -> Result<Message, Fault> {
    let mut message = Fields::of(value)?;
    Ok(Message {
        role: Role::of(&message.needed_text("role")?),
        name: None,
        parts: content(message.take("content")).within("content")?,
        rest: message.rest(),
    })
}

fn content(value: Option<Value>) -> Result<Vec<Part>, Fault> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::text(text)]),
        Some(Value::Array(list)) => {
            list.into_iter().enumerate().map(|(number, value)| block(value).at(number)).collect()
        }
        Some(_) => Err(Fault::new("is neither a text nor a list of blocks")),
    }
}

/// One block of a message, of the system prompt, of a tool's answer or of the model's.
fn block(value: Value) -> Result<Part, Fault> {
    let mut fields = Fields::of(value)?;
    let kind = fields.peek("type").to_owned();
    let mut seal = None;
    let body = match kind.as_str() {
        "text" => Body::Text(fields.needed_text("text")?),
        "thinking" => {
            seal = fields.said("signature")?.map(Seal::Signature);
            Body::Reasoning(fields.text("thinking")?.unwrap_or_default())
        }
        "redacted_thinking" => {
            seal = Some(Seal::Content(fields.needed_text("data")?));
            Body::Reasoning(String::new())
        }
        "tool_use" => Body::ToolCall(call(&mut fields)?),
        "tool_result" => Body::ToolAnswer {
            id: fields.said("tool_use_id")?,
            name: None,
            parts: content(fields.take("content")).within("content")?,
            is_error: fields.truth("is_error")?,
        },
        "server_tool_use" | "mcp_tool_use" => {
            Body::ServerToolCall { kind: kind.clone(), call: call(&mut fields)? }
        }
        "image" | "document" if is_known_source(&fields) => source(&mut fields, &kind)?,
        _ if kind.ends_with("_tool_result") => Body::ServerToolAnswer {
            kind: kind.clone(),
            id: fields.said("tool_use_id")?,
            answer: fields.take("content").unwrap_or_default(),
        },
        _ => return Ok(Part::new(Body::Generic { kind, value: fields.whole() })),
    };
    let _kind = fields.take("type");
    let cache = cache(&mut fields)?;
    Ok(Part { body, seal, cache, rest: fields.rest() })
}

fn call(fields: &mut Fields) -> Result<Call, Fault> {
    let (id, name) = (fields.said("id")?, fields.needed_text("name")?);
    Ok(Call { id, name, arguments: Arguments::of(fields.take("input")), free: false })
}

/// A document's source may be blocks of text: such a one stays whole.
fn is_known_source(fields: &Fields) -> bool {
    matches!(fields.nested("source", "type"), "base64" | "url" | "file" | "text")
}

fn source(fields: &mut Fields, kind: &str) -> Result<Body, Fault> {
    let modality = if kind == "image" { Modality::Image } else { Modality::Document };
    let mut source = fields.object("source")?.unwrap_or_default();
    let read = |source: &mut Fields| {
        let mime = source.text("media_type")?;
        Ok(match source.peek("type") {
            "base64" => Body::Blob { modality, mime, data: source.needed_text("data")? },
            "url" => Body::Uri { modality, mime, uri: source.needed_text("url")? },
            "file" => Body::File { modality, id: source.needed_text("file_id")? },
            // Plain text given as a document.
            _ => Body::Text(source.needed_text("data")?),
        })
    };
    read(&mut source).within("source")
}

fn cache(fields: &mut Fields) -> Result<Option<CacheHint>, Fault> {
    let Some(mut hint) = fields.object("cache_control")? else { return Ok(None) };
    Ok(Some(CacheHint { ttl: hint.text("ttl").within("cache_control")? }))
}

fn tool(value: Value) -> Result<Tool, Fault> {
    let mut fields = Fields::of(value)?;
    let kind = match fields.text("type")? {
        None => ToolKind::Function,
        Some(word) if word == "custom" => ToolKind::Function,
        Some(word) => ToolKind::Provider(word),
    };
    Ok(Tool {
        name: fields.text("name")?.unwrap_or_else(|| kind.as_str().to_owned()),
        description: fields.text("description")?,
        schema: fields.take("input_schema"),
        strict: fields.truth("strict")?,
        cache: cache(&mut fields)?,
        kind,
        rest: fields.rest(),
    })
}

/// What must be called, and whether several may be at once.
fn tool_choice(body: &mut Fields) -> Result<(Option<ToolChoice>, Option<bool>), Fault> {
    let Some(mut fields) = body.object("tool_choice")? else { return Ok((None, None)) };
    let one = fields.truth("disable_parallel_tool_use").within("tool_choice")?;
    let choice = match fields.peek("type") {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(fields.needed_text("name").within("tool_choice")?),
        _ => ToolChoice::Other(fields.whole()),
    };
    Ok((Some(choice), one.map(|one| !one)))
}

fn effort(body: &mut Fields) -> Result<Effort, Fault> {
    let mut effort = Effort::default();
    if let Some(mut thinking) = body.object("thinking")? {
        effort.mode = thinking.text("type").within("thinking")?;
        effort.budget = thinking.count("budget_tokens").within("thinking")?;
        body.keep_rest("thinking", thinking.rest());
    }
    if let Some(mut output) = body.object("output_config")? {
        effort.level = output.text("effort").within("output_config")?;
        body.keep_rest("output_config", output.rest());
    }
    Ok(effort)
}

/// After [`effort`], which leaves the rest of `output_config` where it was.
fn format(body: &mut Fields) -> Result<Option<Format>, Fault> {
    let Some(mut output) = body.object("output_config")? else { return Ok(None) };
    let format = output.object("format").within("output_config")?;
    body.keep_rest("output_config", output.rest());
    Ok(format.map(|mut format| {
        if format.peek("type") == "json_schema" {
            Format::Schema { name: None, schema: format.take("schema").unwrap_or_default(), strict: None }
        } else {
            Format::Other(format.whole())
        }
    }))
}

/// Why the answer ended, from what holds `stop_reason` and what came up beside it.
fn stop(fields: &mut Fields) -> Result<Option<Stop>, Fault> {
    let sequence = fields.text("stop_sequence")?;
    let Some(word) = fields.said("stop_reason")? else { return Ok(None) };
    let reason = match word.as_str() {
        "end_turn" => StopReason::End,
        "stop_sequence" => StopReason::Sequence(sequence),
        "max_tokens" => StopReason::Length,
        "model_context_window_exceeded" => StopReason::Window,
        "tool_use" => StopReason::ToolCalls,
        "refusal" => StopReason::Filtered,
        "pause_turn" | "compaction" => StopReason::Paused,
        _ => StopReason::Unknown,
    };
    Ok(Some(Stop { reason, word }))
}
