//! The canonical form of a request as Converse (wire formats, section 1.9). The model stands in the path, and whether the answer is
//! streamed. Per translated request.

use outrigger_pricing::{Capability, ModelFacts};
use serde_json::{Map, Value, json};

use super::super::BedrockConverse;
use super::form::FORM;
use crate::canonical::{
    Arguments, Body, By, CacheHint, Call, Form, Format, Manner, Modality, Part, Request, RequestWriter,
    Schemas, StrictTools, Thinking, Tool, ToolChoice, Turn, turns,
};
use crate::dialects::anthropic_messages::manner as of_claude;
use crate::dialects::anthropic_messages::models::Claude;

/// The bound on an answer's tokens where nothing tells a model's own. Left out, the model's most counts against the quota.
const BOUND: u64 = 8_192;

impl RequestWriter for BedrockConverse {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn turn(&self, role: &'static str, text: &str) -> Value {
        json!({"role": role, "content": [{"text": text}]})
    }

    fn manner(&self, model: &str, facts: Option<&ModelFacts<'_>>) -> Manner {
        let claude = Claude::of(model);
        let other = claude.is_none();
        let most = facts.and_then(|facts| facts.output_limit).unwrap_or(BOUND);
        let knows = |capability| facts.and_then(|facts| facts.can(capability));
        let of_claude = of_claude(claude, model, facts);
        Manner {
            image_urls: false,
            document_urls: false,
            empty_answers: false,
            no_call: false,
            one_call: false,
            top_k: false,
            stops: 4,
            strict_tools: if other { StrictTools::No } else { StrictTools::Claude },
            schemas: match (other, knows(Capability::StrictSchema)) {
                (true, Some(true)) => Schemas::Any,
                (true, _) => Schemas::No,
                (false, _) => of_claude.schemas,
            },
            hottest: if other { Some(1.0) } else { of_claude.hottest },
            top_p: other || of_claude.top_p,
            both_chances: other,
            cache_hints: !other && knows(Capability::PromptCaching) != Some(false),
            // Steps alone: whether to think has no place of its own.
            thinking: match of_claude.thinking {
                Thinking::Adaptive(steps) => Thinking::Steps(steps),
                _ => Thinking::Untold,
            },
            max_tokens_needed: of_claude.max_tokens_needed.or(Some(most)),
            max_tokens_cap: of_claude.max_tokens_cap.or_else(|| facts.and_then(|facts| facts.output_limit)),
            ..of_claude
        }
    }

    fn write(&self, request: &Request, _manner: &Manner) -> Value {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
        if !request.system.is_empty() {
            set("system", blocks(request.system.iter()).into());
        }
        set("messages", turns(&request.messages).iter().map(message).collect());
        if !request.tools.is_empty() {
            let mut config = json!({"tools": tools(&request.tools)});
            if let Some(choice) = request.tool_choice.as_ref().and_then(tool_choice) {
                config["toolChoice"] = choice;
            }
            set("toolConfig", config);
        }
        let sampling = &request.sampling;
        let members = [
            ("maxTokens", sampling.max_tokens.map(Value::from)),
            ("temperature", sampling.temperature.map(Value::from)),
            ("topP", sampling.top_p.map(Value::from)),
            ("stopSequences", (!sampling.stop.is_empty()).then(|| json!(sampling.stop))),
        ];
        let config: Map<String, Value> =
            members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        if !config.is_empty() {
            set("inferenceConfig", config.into());
        }
        let mut output = Map::new();
        if let Some(level) = &request.effort.level {
            output.insert("effort".to_owned(), level.as_str().into());
        }
        if let Some(Format::Schema { name, schema, .. }) = &request.format {
            let told = json!({"name": name.as_deref().unwrap_or("answer"), "schema": schema.to_string()});
            let format = json!({"type": "json_schema", "structure": {"jsonSchema": told}});
            output.insert("textFormat".to_owned(), format);
        }
        if !output.is_empty() {
            set("outputConfig", output.into());
        }
        Value::Object(body)
    }
}

fn message(turn: &Turn<'_>) -> Value {
    let role = if turn.by == By::Assistant { "assistant" } else { "user" };
    let mut content = blocks(turn.answers().chain(turn.others()));
    let is_document = |block: &Value| block.get("document").is_some();
    let mut documents = 0;
    for block in content.iter_mut().filter(|block| is_document(block)) {
        documents += 1;
        block["document"]["name"] = format!("document {documents}").into();
    }
    // A document is not taken without a text beside it.
    if documents > 0 && !content.iter().any(|block| block.get("text").is_some()) {
        content.push(json!({"text": "[The document is above.]"}));
    }
    json!({"role": role, "content": content})
}

/// Blocks, and after each where a prompt may be cached up to it.
fn blocks<'a>(parts: impl Iterator<Item = &'a Part>) -> Vec<Value> {
    let mut blocks = Vec::new();
    for part in parts {
        blocks.extend(block(part));
        blocks.extend(part.cache.as_ref().map(point));
    }
    blocks
}

fn point(hint: &CacheHint) -> Value {
    let mut point = json!({"type": "default"});
    if let Some(ttl) = &hint.ttl {
        point["ttl"] = ttl.as_str().into();
    }
    json!({"cachePoint": point})
}

fn block(part: &Part) -> Option<Value> {
    Some(match &part.body {
        Body::Text(text) => json!({"text": text}),
        Body::ToolCall(Call { id, name, arguments, .. }) => {
            let Arguments::Object(members) = arguments else { return None };
            json!({"toolUse": {"toolUseId": id, "name": name, "input": members}})
        }
        Body::ToolAnswer { id, parts, is_error, .. } => {
            let mut answer = json!({"toolUseId": id, "content": blocks(parts.iter())});
            if *is_error == Some(true) {
                answer["status"] = "error".into();
            }
            json!({"toolResult": answer})
        }
        Body::Blob { modality, mime, data } => {
            let kind = if *modality == Modality::Image { "image" } else { "document" };
            let format = mime.as_deref().and_then(|mime| mime.split_once('/')).map_or("", |(_, it)| it);
            let mut block = json!({kind: {"format": format, "source": {"bytes": data}}});
            if kind == "document" {
                block[kind]["name"] = "document".into();
            }
            block
        }
        _ => return None,
    })
}

fn tools(tools: &[Tool]) -> Vec<Value> {
    let mut told = Vec::new();
    for tool in tools {
        let mut spec = json!({"name": tool.name, "inputSchema": {"json": tool.schema}});
        if let Some(description) = &tool.description {
            spec["description"] = description.as_str().into();
        }
        if let Some(strict) = tool.strict {
            spec["strict"] = strict.into();
        }
        told.push(json!({"toolSpec": spec}));
        told.extend(tool.cache.as_ref().map(point));
    }
    told
}

fn tool_choice(choice: &ToolChoice) -> Option<Value> {
    match choice {
        ToolChoice::Auto => Some(json!({"auto": {}})),
        ToolChoice::Required => Some(json!({"any": {}})),
        ToolChoice::Named(name) => Some(json!({"tool": {"name": name}})),
        ToolChoice::None | ToolChoice::Allowed { .. } | ToolChoice::Other(_) => None,
    }
}
