//! The canonical form of a request as Gemini's (wire formats, section 1.8). The model stands in the path, and whether the answer is
//! streamed. Per translated request.

use outrigger_pricing::{Capability, ModelFacts};
use serde_json::{Map, Value, json};

use super::super::Gemini;
use super::super::models::Model;
use super::form::FORM;
use crate::canonical::{
    Arguments, Body, By, Call, Effort, Form, Format, IdRule, Manner, Mark, NameRule, Part, Request,
    RequestWriter, Schemas, SomeTools, StrictTools, Tool, ToolChoice, Turn, joined, turns,
};

/// Taken in the place of a signature for calls of another provider's model.
const SENTINEL: &str = "skip_thought_signature_validator";

impl RequestWriter for Gemini {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn turn(&self, role: &'static str, text: &str) -> Value {
        let role = if role == "assistant" { "model" } else { role };
        json!({"role": role, "parts": [{"text": text}]})
    }

    fn manner(&self, model: &str, facts: Option<&ModelFacts<'_>>) -> Manner {
        let knows = |capability| facts.and_then(|facts| facts.can(capability));
        let gemini = Model::of(model);
        Manner {
            system_anywhere: false,
            user_first: true,
            prefill: false,
            images: knows(Capability::Vision) != Some(false),
            documents: knows(Capability::Documents) != Some(false),
            audio: knows(Capability::AudioInput) != Some(false),
            image_urls: false,
            document_urls: false,
            media_in_answers: gemini.wants_signatures(),
            empty_answers: true,
            error_flag: true,
            object_arguments: true,
            cache_hints: false,
            tools: knows(Capability::Tools) != Some(false),
            free_tools: false,
            called_history: true,
            names: NameRule { longest: 64, beside: ".:", letter_first: true },
            ids: IdRule::Word(64),
            strict_tools: StrictTools::Mode,
            no_call: true,
            some_tools: SomeTools::Mode,
            forced_while_thinking: true,
            one_call: false,
            declared_history: false,
            json: true,
            schemas: match knows(Capability::StrictSchema) {
                Some(false) => Schemas::No,
                _ => Schemas::Any,
            },
            schema_with_tools: gemini.takes_schema_with_tools(),
            hottest: Some(2.0),
            top_p: true,
            both_chances: true,
            chances_while_thinking: true,
            verbosity: false,
            top_k: true,
            seed: true,
            penalties: true,
            stops: 5,
            blank_stops: true,
            thinking: gemini.thinking(),
            max_tokens_needed: None,
            max_tokens_cap: facts.and_then(|facts| facts.output_limit),
            mark: if gemini.wants_signatures() { Mark::Sentinel } else { Mark::Plain },
        }
    }

    fn write(&self, request: &Request, manner: &Manner) -> Value {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
        if !request.system.is_empty() {
            set("systemInstruction", json!({"parts": [{"text": joined(&request.system, "\n\n")}]}));
        }
        let sentinel = manner.mark == Mark::Sentinel;
        set("contents", turns(&request.messages).iter().map(|turn| content(turn, sentinel)).collect());
        if !request.tools.is_empty() {
            let functions: Vec<Value> = request.tools.iter().map(function).collect();
            set("tools", json!([{"functionDeclarations": functions}]));
            if let Some(config) = calling(request) {
                set("toolConfig", json!({"functionCallingConfig": config}));
            }
        }
        let config = generation(request);
        if !config.is_empty() {
            set("generationConfig", config.into());
        }
        Value::Object(body)
    }
}

fn content(turn: &Turn<'_>, sentinel: bool) -> Value {
    let role = if turn.by == By::Assistant { "model" } else { "user" };
    let mut parts: Vec<Value> = turn.answers().chain(turn.others()).filter_map(part).collect();
    // The first of a group of calls vouches for all of them.
    if sentinel && let Some(call) = parts.iter_mut().find(|part| part.get("functionCall").is_some()) {
        call["thoughtSignature"] = SENTINEL.into();
    }
    json!({"role": role, "parts": parts})
}

fn part(part: &Part) -> Option<Value> {
    Some(match &part.body {
        Body::Text(text) => json!({"text": text}),
        Body::Blob { mime, data, .. } => json!({"inlineData": {"mimeType": mime, "data": data}}),
        Body::ToolCall(Call { id, name, arguments, .. }) => {
            let Arguments::Object(members) = arguments else { return None };
            json!({"functionCall": {"id": id, "name": name, "args": members}})
        }
        Body::ToolAnswer { id, name, parts, is_error } => {
            let texts = joined(parts, "\n\n");
            let under = if *is_error == Some(true) { "error" } else { "output" };
            let mut answer = json!({"id": id, "name": name, "response": {under: texts}});
            let shown: Vec<Value> = parts
                .iter()
                .filter(|part| !matches!(part.body, Body::Text(_)))
                .filter_map(self::part)
                .collect();
            if !shown.is_empty() {
                answer["parts"] = shown.into();
            }
            json!({"functionResponse": answer})
        }
        _ => return None,
    })
}

fn function(tool: &Tool) -> Value {
    let mut told = json!({"name": tool.name, "parametersJsonSchema": tool.schema});
    if let Some(description) = &tool.description {
        told["description"] = description.as_str().into();
    }
    told
}

/// What must be called; arguments are held to their schemas by a mode.
fn calling(request: &Request) -> Option<Value> {
    let is_strict = request.tools.iter().any(|tool| tool.strict == Some(true));
    Some(match &request.tool_choice {
        None | Some(ToolChoice::Auto) if is_strict => json!({"mode": "VALIDATED"}),
        Some(ToolChoice::Auto) => json!({"mode": "AUTO"}),
        Some(ToolChoice::None) => json!({"mode": "NONE"}),
        Some(ToolChoice::Required) => json!({"mode": "ANY"}),
        Some(ToolChoice::Named(name)) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        Some(ToolChoice::Allowed { names, required }) => {
            let mode = if *required { "ANY" } else { "VALIDATED" };
            json!({"mode": mode, "allowedFunctionNames": names})
        }
        None | Some(ToolChoice::Other(_)) => return None,
    })
}

fn generation(request: &Request) -> Map<String, Value> {
    let sampling = &request.sampling;
    let members = [
        ("maxOutputTokens", sampling.max_tokens.map(Value::from)),
        ("temperature", sampling.temperature.map(Value::from)),
        ("topP", sampling.top_p.map(Value::from)),
        ("topK", sampling.top_k.map(Value::from)),
        ("seed", sampling.seed.map(Value::from)),
        ("frequencyPenalty", sampling.frequency_penalty.map(Value::from)),
        ("presencePenalty", sampling.presence_penalty.map(Value::from)),
        ("stopSequences", (!sampling.stop.is_empty()).then(|| json!(sampling.stop))),
        ("thinkingConfig", thinking(&request.effort)),
    ];
    let mut config: Map<String, Value> =
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    match &request.format {
        Some(Format::Json) => {
            config.insert("responseMimeType".to_owned(), "application/json".into());
        }
        Some(Format::Schema { schema, .. }) => {
            config.insert("responseMimeType".to_owned(), "application/json".into());
            config.insert("responseJsonSchema".to_owned(), schema.clone());
        }
        _ => {}
    }
    config
}

fn thinking(effort: &Effort) -> Option<Value> {
    match (&effort.level, effort.budget) {
        (Some(level), _) => Some(json!({"thinkingLevel": level})),
        (None, Some(budget)) => Some(json!({"thinkingBudget": budget})),
        (None, None) => None,
    }
}
