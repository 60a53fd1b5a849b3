//! Gemini into the canonical form. The server takes its members in two spellings, so both are read; a whole answer is a stream of one
//! chunk.

mod answer;
mod form;
mod write;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::FILTERED;
use crate::canonical::{
    Answer, Arguments, Body, Call, Effort, Event, Fault, Fields, Fold, Format, Message, Modality, Part,
    Piece, Reader, Request, Role, Sampling, Seal, Stop, StopReason, StreamReader, Tool, ToolChoice, ToolKind,
    Within, one_or_more,
};

pub(crate) use answer::GeminiWriter;

/// Reads Gemini.
pub(crate) struct GeminiReader;

impl Reader for GeminiReader {
    fn request(&self, body: Value) -> Result<Request, Fault> {
        let mut body = Fields::of(body)?;
        let system = match either(&mut body, "systemInstruction", "system_instruction") {
            Some(value) => message(value).within("systemInstruction")?.parts,
            None => Vec::new(),
        };
        let mut request = Request {
            model: body.text("model")?,
            system,
            messages: body.each("contents", message)?,
            ..Request::default()
        };
        for (number, value) in body.list("tools")?.into_iter().enumerate() {
            tools(value, &mut request.tools).at(number).within("tools")?;
        }
        if let Some(config) = either(&mut body, "toolConfig", "tool_config") {
            let rest = orders(config, &mut request).within("toolConfig")?;
            body.keep_rest("toolConfig", rest);
        }
        if let Some(config) = either(&mut body, "generationConfig", "generation_config") {
            let rest = generation(config, &mut request).within("generationConfig")?;
            if !rest.is_empty() {
                body.keep("generationConfig", Value::Object(rest));
            }
        }
        request.rest = body.rest();
        Ok(request)
    }

    fn answer(&self, body: Value) -> Result<Answer, Fault> {
        let (mut events, mut fold) = (Vec::new(), Fold::default());
        self.stream().event("", body, &mut events)?;
        events.into_iter().for_each(|event| fold.take(event));
        Ok(fold.answer())
    }

    fn stream(&self) -> Box<dyn StreamReader> {
        Box::<GeminiStream>::default()
    }
}

fn either(fields: &mut Fields, camel: &str, snake: &str) -> Option<Value> {
    let found = fields.take(camel);
    found.or_else(|| fields.take(snake))
}

fn count(fields: &mut Fields, camel: &str, snake: &str) -> Result<Option<u64>, Fault> {
    let found = fields.count(camel)?;
    Ok(found.or(fields.count(snake)?))
}

fn float(fields: &mut Fields, camel: &str, snake: &str) -> Result<Option<f64>, Fault> {
    let found = fields.float(camel)?;
    Ok(found.or(fields.float(snake)?))
}

fn text(fields: &mut Fields, camel: &str, snake: &str) -> Result<Option<String>, Fault> {
    let found = fields.text(camel)?;
    Ok(found.or(fields.text(snake)?))
}

fn message(value: Value) -> Result<Message, Fault> {
    // A system instruction may be a bare text.
    if let Value::String(text) = value {
        return Ok(Message { role: Role::User, name: None, parts: vec![Part::text(text)], rest: Map::new() });
    }
    let mut fields = Fields::of(value)?;
    let role = fields.text("role")?.map_or(Role::User, |word| Role::of(&word));
    Ok(Message { role, name: None, parts: fields.each("parts", part)?, rest: fields.rest() })
}

fn part(value: Value) -> Result<Part, Fault> {
    let mut fields = Fields::of(value)?;
    let seal = text(&mut fields, "thoughtSignature", "thought_signature")?;
    let seal = seal.filter(|text| !text.is_empty()).map(Seal::Signature);
    let thought = fields.truth("thought")?.unwrap_or(false);
    let body = if let Some(text) = fields.text("text")? {
        if thought { Body::Reasoning(text) } else { Body::Text(text) }
    } else if let Some(call) = either(&mut fields, "functionCall", "function_call") {
        let mut call = Fields::of(call).within("functionCall")?;
        let id = call.said("id").within("functionCall")?;
        let name = call.needed_text("name").within("functionCall")?;
        let arguments = Arguments::of(call.take("args"));
        fields.keep_rest("functionCall", call.rest());
        Body::ToolCall(Call { id, name, arguments, free: false })
    } else if let Some(answer) = either(&mut fields, "functionResponse", "function_response") {
        let (body, rest) = answered(answer).within("functionResponse")?;
        fields.keep_rest("functionResponse", rest);
        body
    } else if let Some(data) = either(&mut fields, "inlineData", "inline_data") {
        let mut data = Fields::of(data).within("inlineData")?;
        let mime = text(&mut data, "mimeType", "mime_type").within("inlineData")?;
        let modality = mime.as_deref().map_or(Modality::Document, Modality::of);
        let text = data.needed_text("data").within("inlineData")?;
        fields.keep_rest("inlineData", data.rest());
        Body::Blob { modality, mime, data: text }
    } else if let Some(file) = either(&mut fields, "fileData", "file_data") {
        let mut file = Fields::of(file).within("fileData")?;
        let mime = text(&mut file, "mimeType", "mime_type").within("fileData")?;
        let modality = mime.as_deref().map_or(Modality::Document, Modality::of);
        let uri = text(&mut file, "fileUri", "file_uri").within("fileData")?;
        fields.keep_rest("fileData", file.rest());
        Body::Uri { modality, mime, uri: uri.ok_or(Fault::new("is missing")).within("fileData.fileUri")? }
    } else {
        let value = fields.whole();
        let kind = value.as_object().and_then(|it| it.keys().next()).cloned().unwrap_or_default();
        return Ok(Part { seal, ..Part::new(Body::Generic { kind, value }) });
    };
    Ok(Part { body, seal, cache: None, rest: fields.rest() })
}

/// What a tool answered: an object, and beside it what it shows; and what has no place.
fn answered(value: Value) -> Result<(Body, Map<String, Value>), Fault> {
    let mut fields = Fields::of(value)?;
    let (id, name) = (fields.said("id")?, fields.said("name")?);
    let response = fields.take("response").unwrap_or_default();
    let is_error = response.get("error").map(|_| true);
    let mut parts = vec![Part::new(Body::Generic { kind: "response".to_owned(), value: response })];
    parts.extend(fields.each("parts", part)?);
    Ok((Body::ToolAnswer { id, name, parts, is_error }, fields.rest()))
}

/// One entry declares any number of functions, or is a tool of the provider's by its only member.
fn tools(value: Value, all: &mut Vec<Tool>) -> Result<(), Fault> {
    let mut fields = Fields::of(value)?;
    if let Some(Value::Array(list)) = either(&mut fields, "functionDeclarations", "function_declarations") {
        for (number, value) in list.into_iter().enumerate() {
            all.push(function(value).at(number).within("functionDeclarations")?);
        }
    }
    all.extend(fields.rest().into_iter().map(|(word, value)| Tool {
        kind: ToolKind::Provider(word.clone()),
        rest: Map::from_iter([(word.clone(), value)]),
        name: word,
        description: None,
        schema: None,
        strict: None,
        cache: None,
    }));
    Ok(())
}

fn function(value: Value) -> Result<Tool, Fault> {
    let mut fields = Fields::of(value)?;
    let schema = either(&mut fields, "parametersJsonSchema", "parameters_json_schema");
    Ok(Tool {
        kind: ToolKind::Function,
        name: fields.needed_text("name")?,
        description: fields.text("description")?,
        schema: schema.or_else(|| fields.take("parameters")),
        strict: None,
        cache: None,
        rest: fields.rest(),
    })
}

/// What must be called, and whether arguments are held to their schemas; returns what has no place.
fn orders(value: Value, request: &mut Request) -> Result<Map<String, Value>, Fault> {
    let mut fields = Fields::of(value)?;
    let Some(value) = either(&mut fields, "functionCallingConfig", "function_calling_config") else {
        return Ok(fields.rest());
    };
    let mut config = Fields::of(value.clone()).within("functionCallingConfig")?;
    let mode = config.text("mode").within("functionCallingConfig")?;
    let names = either(&mut config, "allowedFunctionNames", "allowed_function_names");
    let names = names.map(one_or_more).transpose().within("allowedFunctionNames");
    let mut names = names.within("functionCallingConfig")?.unwrap_or_default();
    fields.keep_rest("functionCallingConfig", config.rest());
    if mode.as_deref() == Some("VALIDATED") {
        let functions = request.tools.iter_mut().filter(|tool| tool.kind == ToolKind::Function);
        functions.for_each(|tool| tool.strict = Some(true));
    }
    let choice = match (mode.as_deref().unwrap_or("AUTO"), names.len()) {
        ("AUTO" | "VALIDATED", 0) => ToolChoice::Auto,
        ("NONE", _) => ToolChoice::None,
        ("ANY", 0) => ToolChoice::Required,
        ("ANY", 1) => ToolChoice::Named(names.remove(0)),
        ("ANY", _) => ToolChoice::Allowed { names, required: true },
        ("VALIDATED", 1..) => ToolChoice::Allowed { names, required: false },
        _ => ToolChoice::Other(value),
    };
    request.tool_choice = Some(choice);
    Ok(fields.rest())
}

/// What bounds and shapes the answer; returns what has no place.
fn generation(value: Value, request: &mut Request) -> Result<Map<String, Value>, Fault> {
    let mut config = Fields::of(value)?;
    let stop = either(&mut config, "stopSequences", "stop_sequences");
    request.sampling = Sampling {
        max_tokens: count(&mut config, "maxOutputTokens", "max_output_tokens")?,
        temperature: config.float("temperature")?,
        top_p: float(&mut config, "topP", "top_p")?,
        // Sent as 40.0 by some clients.
        top_k: float(&mut config, "topK", "top_k")?.filter(|it| *it >= 0.0).map(whole_part),
        stop: stop.map(one_or_more).transpose().within("stopSequences")?.unwrap_or_default(),
        seed: config.int("seed")?,
        frequency_penalty: float(&mut config, "frequencyPenalty", "frequency_penalty")?,
        presence_penalty: float(&mut config, "presencePenalty", "presence_penalty")?,
        choices: count(&mut config, "candidateCount", "candidate_count")?,
    };
    if let Some(thinking) = either(&mut config, "thinkingConfig", "thinking_config") {
        let mut thinking = Fields::of(thinking).within("thinkingConfig")?;
        let level = text(&mut thinking, "thinkingLevel", "thinking_level").within("thinkingConfig")?;
        let budget = either(&mut thinking, "thinkingBudget", "thinking_budget");
        // -1 leaves it to the model.
        request.effort = Effort { level, budget: budget.and_then(|it| it.as_u64()), mode: None };
        let rest = thinking.rest();
        if !rest.is_empty() {
            config.keep("thinkingConfig", Value::Object(rest));
        }
    }
    let mime = text(&mut config, "responseMimeType", "response_mime_type")?;
    let schema = either(&mut config, "responseJsonSchema", "response_json_schema");
    let schema = schema.or_else(|| either(&mut config, "responseSchema", "response_schema"));
    request.format = match (mime.as_deref(), schema) {
        (Some("application/json") | None, Some(schema)) => {
            Some(Format::Schema { name: None, schema, strict: None })
        }
        (Some("application/json"), None) => Some(Format::Json),
        (Some("text/plain"), None) => Some(Format::Text),
        (Some(other), _) => Some(Format::Other(other.into())),
        (None, None) => None,
    };
    Ok(config.rest())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative; a cast to an integer saturates"
)]
fn whole_part(number: f64) -> u64 {
    number as u64
}

/// One answer. Texts of one kind that follow one another are one part.
#[derive(Default)]
struct GeminiStream {
    told: Option<(Option<String>, Option<String>)>,
    choices: BTreeMap<u64, Said>,
}

#[derive(Default)]
struct Said {
    parts: usize,
    /// Whether the last part is a text that may grow: of thought (`true`) or of speech.
    open: Option<bool>,
    /// Ids of the calls so far: some servers repeat them.
    calls: Vec<String>,
}

impl StreamReader for GeminiStream {
    fn event(&mut self, _name: &str, data: Value, out: &mut Vec<Event>) -> Result<(), Fault> {
        let mut chunk = Fields::of(data)?;
        if chunk.has("error") {
            out.push(Event::Failed(chunk.whole()));
            return Ok(());
        }
        let id = text(&mut chunk, "responseId", "response_id")?;
        let told = (id, text(&mut chunk, "modelVersion", "model_version")?);
        if self.told.as_ref() != Some(&told) {
            self.told = Some(told.clone());
            out.push(Event::Start { id: told.0, model: told.1 });
        }
        for (number, candidate) in chunk.list("candidates")?.into_iter().enumerate() {
            self.candidate(candidate, out).at(number).within("candidates")?;
        }
        // A prompt that was blocked has no candidate.
        let feedback = either(&mut chunk, "promptFeedback", "prompt_feedback");
        let blocked =
            feedback.as_ref().and_then(|it| it.get("blockReason").or_else(|| it.get("block_reason")));
        if let Some(word) = blocked.and_then(Value::as_str) {
            let stop = Stop { reason: StopReason::Filtered, word: word.to_owned() };
            out.push(Event::Stop { choice: 0, stop });
        }
        Ok(())
    }
}

impl GeminiStream {
    fn candidate(&mut self, value: Value, out: &mut Vec<Event>) -> Result<(), Fault> {
        let mut fields = Fields::of(value)?;
        let index = fields.count("index")?.unwrap_or(0);
        let choice = usize::try_from(index).unwrap_or(usize::MAX);
        let said = self.choices.entry(index).or_default();
        if let Some(mut content) = fields.object("content")? {
            for (number, value) in content.list("parts").within("content")?.into_iter().enumerate() {
                let part = part(value).at(number).within("parts").within("content")?;
                said.part(choice, part, out);
            }
        }
        if let Some(word) = text(&mut fields, "finishReason", "finish_reason")? {
            out.push(Event::Stop { choice, stop: stop(word) });
        }
        Ok(())
    }
}

impl Said {
    fn part(&mut self, choice: usize, part: Part, out: &mut Vec<Event>) {
        let kind = match &part.body {
            Body::Text(_) => Some(false),
            Body::Reasoning(_) => Some(true),
            _ => None,
        };
        if let Body::ToolCall(Call { id: Some(id), .. }) = &part.body {
            if self.calls.contains(id) {
                return;
            }
            self.calls.push(id.clone());
        }
        let Part { body: Body::Text(text) | Body::Reasoning(text), seal, .. } = &part else {
            self.open = None;
            out.push(Event::Open { choice, part: self.parts, begun: part });
            out.push(Event::Close { choice, part: self.parts });
            self.parts += 1;
            return;
        };
        let signature = match seal {
            Some(Seal::Signature(signature)) => Some(signature.clone()),
            _ => None,
        };
        if text.is_empty() && signature.is_none() {
            return;
        }
        // A signature alone belongs to what stands before it.
        let goes_on = self.open == kind || (text.is_empty() && self.open.is_some());
        if goes_on {
            let grow = |piece| Event::Grow { choice, part: self.parts - 1, piece };
            out.extend(Some(text.clone()).filter(|it| !it.is_empty()).map(|it| grow(Piece::Text(it))));
            out.extend(signature.map(|it| grow(Piece::Signature(it))));
        } else {
            self.open = kind;
            out.push(Event::Open { choice, part: self.parts, begun: part });
            self.parts += 1;
        }
    }
}

fn stop(word: String) -> Stop {
    let reason = match word.as_str() {
        "STOP" => StopReason::End,
        "MAX_TOKENS" => StopReason::Length,
        word if FILTERED.contains(&word) => StopReason::Filtered,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" => {
            StopReason::MalformedCall
        }
        "CONTINUATION" => StopReason::Paused,
        _ => StopReason::Unknown,
    };
    Stop { reason, word }
}
