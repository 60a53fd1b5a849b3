//! The canonical form of a request as Messages (wire formats, section 1.7). Per translated request.

use outrigger_pricing::{Capability, ModelFacts};
use serde_json::{Map, Value, json};

use super::super::AnthropicMessages;
use super::super::models::Claude;
use super::form::FORM;
use crate::canonical::{
    Arguments, Body, By, CacheHint, Call, Form, Format, IdRule, Manner, Mark, Modality, NameRule, Part,
    Request, RequestWriter, Schemas, SomeTools, StrictTools, Tool, ToolChoice, Turn, turns,
};

impl RequestWriter for AnthropicMessages {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn manner(&self, model: &str, facts: Option<&ModelFacts<'_>>) -> Manner {
        // A model of another vendor behind this format: of it as little is known as of one of the newest.
        let claude = Claude::of(model).or_else(|| Claude::of("claude"));
        manner(claude, model, facts)
    }

    fn write(&self, request: &Request, _manner: &Manner) -> Value {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
        set("model", json!(request.model));
        if !request.system.is_empty() {
            set("system", system(&request.system));
        }
        set("messages", turns(&request.messages).iter().map(message).collect());
        if !request.tools.is_empty() {
            set("tools", request.tools.iter().map(tool).collect());
        }
        if let Some(choice) = tool_choice(request.tool_choice.as_ref(), request.parallel_tools) {
            set("tool_choice", choice);
        }
        let sampling = &request.sampling;
        let numbers = [
            ("max_tokens", sampling.max_tokens.map(Value::from)),
            ("temperature", sampling.temperature.map(Value::from)),
            ("top_p", sampling.top_p.map(Value::from)),
            ("top_k", sampling.top_k.map(Value::from)),
            ("stop_sequences", (!sampling.stop.is_empty()).then(|| json!(sampling.stop))),
        ];
        for (name, value) in numbers {
            if let Some(value) = value {
                set(name, value);
            }
        }
        let effort = &request.effort;
        match (effort.mode.as_deref(), effort.budget) {
            (Some("enabled"), Some(budget)) => {
                set("thinking", json!({"type": "enabled", "budget_tokens": budget}));
            }
            (Some(mode @ ("adaptive" | "disabled")), _) => {
                set("thinking", json!({"type": mode}));
            }
            _ => {}
        }
        let mut output = Map::new();
        if let Some(level) = &effort.level {
            output.insert("effort".to_owned(), level.as_str().into());
        }
        if let Some(Format::Schema { schema, .. }) = &request.format {
            output.insert("format".to_owned(), json!({"type": "json_schema", "schema": schema}));
        }
        if !output.is_empty() {
            set("output_config", output.into());
        }
        if request.stream {
            set("stream", true.into());
        }
        Value::Object(body)
    }
}

/// What one of Anthropic's models can be asked, in this format and in that of AWS.
pub(crate) fn manner(claude: Option<Claude>, model: &str, facts: Option<&ModelFacts<'_>>) -> Manner {
    let knows = |capability| facts.and_then(|facts| facts.can(capability));
    let takes = |ask: fn(Claude) -> bool| claude.is_some_and(ask);
    let most = claude.map(|claude| claude.most_tokens(model, facts));
    Manner {
        system_anywhere: false,
        user_first: true,
        prefill: claude.is_some_and(|claude| claude.continues(facts)),
        images: knows(Capability::Vision) != Some(false),
        documents: knows(Capability::Documents) != Some(false),
        audio: false,
        image_urls: true,
        document_urls: true,
        media_in_answers: true,
        empty_answers: true,
        error_flag: true,
        object_arguments: true,
        cache_hints: true,
        tools: knows(Capability::Tools) != Some(false),
        free_tools: false,
        called_history: true,
        names: NameRule { longest: 64, beside: "", letter_first: false },
        ids: IdRule::Word(64),
        strict_tools: StrictTools::Claude,
        no_call: true,
        some_tools: SomeTools::Filtered,
        forced_while_thinking: false,
        one_call: true,
        declared_history: true,
        json: false,
        schemas: if claude.is_some_and(|claude| claude.takes_schemas(facts)) {
            Schemas::Claude
        } else {
            Schemas::No
        },
        schema_with_tools: true,
        hottest: takes(Claude::takes_chances).then_some(1.0),
        top_p: takes(Claude::takes_chances),
        both_chances: false,
        chances_while_thinking: false,
        verbosity: false,
        top_k: takes(Claude::takes_chances),
        seed: false,
        penalties: false,
        stops: usize::MAX,
        blank_stops: false,
        thinking: claude.map_or(crate::canonical::Thinking::Untold, Claude::thinking),
        max_tokens_needed: most,
        max_tokens_cap: most,
        mark: Mark::Plain,
    }
}

fn system(parts: &[Part]) -> Value {
    match parts {
        [Part { body: Body::Text(text), cache: None, .. }] => text.as_str().into(),
        parts => parts.iter().filter_map(block).collect(),
    }
}

fn message(turn: &Turn<'_>) -> Value {
    let role = if turn.by == By::Assistant { "assistant" } else { "user" };
    let content = match &turn.parts[..] {
        [Part { body: Body::Text(text), cache: None, .. }] => Value::from(trimmed(text, turn.by)),
        // What tools answered comes first.
        _ => turn.answers().chain(turn.others()).filter_map(block).collect(),
    };
    json!({"role": role, "content": content})
}

/// An answer that was begun may not end with blanks.
fn trimmed(text: &str, by: By) -> &str {
    if by == By::Assistant { text.trim_end() } else { text }
}

fn block(part: &Part) -> Option<Value> {
    let mut block = match &part.body {
        Body::Text(text) => json!({"type": "text", "text": text}),
        Body::ToolCall(Call { id, name, arguments, .. }) => {
            let input = match arguments {
                Arguments::Object(members) => Value::Object(members.clone()),
                Arguments::Text(_) => return None,
            };
            json!({"type": "tool_use", "id": id, "name": name, "input": input})
        }
        Body::ToolAnswer { id, parts, is_error, .. } => {
            let mut answer = json!({"type": "tool_result", "tool_use_id": id});
            match &parts[..] {
                [] => {}
                [Part { body: Body::Text(text), cache: None, .. }] => {
                    answer["content"] = text.as_str().into()
                }
                parts => answer["content"] = parts.iter().filter_map(self::block).collect(),
            }
            if *is_error == Some(true) {
                answer["is_error"] = true.into();
            }
            answer
        }
        Body::Blob { modality, mime, data } => {
            let source = json!({"type": "base64", "media_type": mime, "data": data});
            json!({"type": kind(*modality), "source": source})
        }
        Body::Uri { modality, uri, .. } => {
            json!({"type": kind(*modality), "source": {"type": "url", "url": uri}})
        }
        _ => return None,
    };
    hint(&mut block, part.cache.as_ref());
    Some(block)
}

fn kind(modality: Modality) -> &'static str {
    if modality == Modality::Image { "image" } else { "document" }
}

fn hint(value: &mut Value, cache: Option<&CacheHint>) {
    if let Some(CacheHint { ttl }) = cache {
        let mut hint = json!({"type": "ephemeral"});
        if let Some(ttl) = ttl {
            hint["ttl"] = ttl.as_str().into();
        }
        value["cache_control"] = hint;
    }
}

fn tool(tool: &Tool) -> Value {
    let mut told = json!({"name": tool.name, "input_schema": tool.schema});
    if let Some(description) = &tool.description {
        told["description"] = description.as_str().into();
    }
    if let Some(strict) = tool.strict {
        told["strict"] = strict.into();
    }
    hint(&mut told, tool.cache.as_ref());
    told
}

/// That calls come one at a time stands beside what must be called.
fn tool_choice(choice: Option<&ToolChoice>, parallel: Option<bool>) -> Option<Value> {
    let one = parallel == Some(false);
    let mut told = match choice {
        None if one => json!({"type": "auto"}),
        Some(ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::Required) => json!({"type": "any"}),
        Some(ToolChoice::Named(name)) => json!({"type": "tool", "name": name}),
        Some(ToolChoice::None) => return Some(json!({"type": "none"})),
        None | Some(ToolChoice::Allowed { .. } | ToolChoice::Other(_)) => return None,
    };
    if one {
        told["disable_parallel_tool_use"] = true.into();
    }
    Some(told)
}
