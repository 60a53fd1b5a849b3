//! What a request means, whatever the format it was read from: what formats say in ways of their own is made alike, by the list
//! below. What is not on it has to be the same. What a translation loses is in `losses`.

mod losses;

use outrigger_providers::canonical::{
    Body, Effort, Format, Message, Part, Request, Role, Tool, ToolChoice, ToolKind,
};
use serde_json::{Map, Value};

pub(crate) use losses::lose;

/// Between texts that one format has apart and another as one.
const BETWEEN: &str = "\n\n";

/// Makes alike what two formats say differently and means the same.
pub(crate) fn plain(mut request: Request) -> Request {
    // A place names a model of its own.
    request.model = None;
    // Members without a place in the canonical form are another test's: none of them may be left out in silence.
    request.rest.clear();
    instructions(&mut request);
    turns(&mut request);
    calls(&mut request);
    request.tools.iter_mut().for_each(tool);
    orders(&mut request);
    request.format = request.format.and_then(format);
    request.effort = effort(request.effort);
    // One answer is what is given where nothing is said.
    request.sampling.choices = request.sampling.choices.filter(|choices| *choices > 1);
    // No penalty is what there is where nothing is said.
    for penalty in [&mut request.sampling.frequency_penalty, &mut request.sampling.presence_penalty] {
        *penalty = penalty.filter(|penalty| *penalty != 0.0);
    }
    request
}

/// Instructions that come first stand in a place of their own, or first among the messages; under one role or another.
fn instructions(request: &mut Request) {
    let is_system = |message: &Message| matches!(message.role, Role::System | Role::Developer);
    let leading = request.messages.iter().take_while(|message| is_system(message)).count();
    for message in request.messages.drain(..leading) {
        request.system.extend(message.parts);
    }
    request.system = parts(std::mem::take(&mut request.system));
}

/// Messages of one side that follow one another are one turn, in which what tools answered comes first.
fn turns(request: &mut Request) {
    let mut turns: Vec<Message> = Vec::new();
    for mut message in std::mem::take(&mut request.messages) {
        message.role = match message.role {
            Role::Developer => Role::System,
            Role::Tool => Role::User,
            role => role,
        };
        message.rest.clear();
        match turns.last_mut() {
            Some(turn) if turn.role == message.role && turn.name == message.name => {
                turn.parts.extend(message.parts);
            }
            _ => turns.push(message),
        }
    }
    for turn in &mut turns {
        turn.parts.sort_by_key(|part| !matches!(part.body, Body::ToolAnswer { .. }));
        turn.parts = parts(std::mem::take(&mut turn.parts));
    }
    turns.retain(|turn| !turn.parts.is_empty());
    request.messages = turns;
}

/// Texts that follow one another are one, blank ones are none, and an answer that is an object is its text.
fn parts(all: Vec<Part>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for mut part in all {
        part.rest.clear();
        if let Body::ToolAnswer { parts: inner, is_error, .. } = &mut part.body {
            *inner = self::parts(std::mem::take(inner).into_iter().map(object).collect());
            // Not to have failed is what goes without saying.
            *is_error = is_error.filter(|failed| *failed);
        }
        let blank = matches!(&part.body, Body::Text(text) if text.trim().is_empty());
        match (parts.last_mut(), &part.body) {
            _ if blank => {}
            (Some(Part { body: Body::Text(before), cache: cache @ None, .. }), Body::Text(text)) => {
                before.push_str(BETWEEN);
                before.push_str(text);
                *cache = part.cache;
            }
            _ => parts.push(part),
        }
    }
    parts
}

/// Gemini and Converse have objects where others have texts.
fn object(mut part: Part) -> Part {
    if let Body::Generic { kind, value } = &part.body
        && matches!(kind.as_str(), "response" | "json")
    {
        let value = value.get("json").unwrap_or(value);
        let only = value.as_object().filter(|members| members.len() == 1);
        let text =
            only.and_then(|it| ["output", "result", "error"].iter().find_map(|name| it.get(*name)?.as_str()));
        part.body = Body::Text(text.map_or_else(|| value.to_string(), str::to_owned));
    }
    part
}

/// Ids pair calls with answers, and mean nothing else; some formats name the tool beside the answer, or in its place.
fn calls(request: &mut Request) {
    let mut open: Vec<(Option<String>, String, String)> = Vec::new();
    let mut made = 0;
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        match &mut part.body {
            Body::ToolCall(call) => {
                let number = format!("call {made}");
                made += 1;
                open.push((call.id.replace(number.clone()), call.name.clone(), number));
            }
            Body::ToolAnswer { id, name, .. } => {
                let of = open.iter().position(|(asked, called, _)| match (&*id, &*name) {
                    (None, Some(name)) => called == name,
                    (id, _) => asked == id,
                });
                if let Some(of) = of {
                    let (_, called, number) = open.remove(of);
                    (*id, *name) = (Some(number), Some(called));
                }
            }
            _ => {}
        }
    }
}

fn tool(tool: &mut Tool) {
    tool.rest.clear();
    // Arguments are held to their schema only where that is said.
    tool.strict = tool.strict.filter(|strict| *strict);
    if tool.kind == ToolKind::Function {
        // A tool without a schema takes an object.
        let schema = tool.schema.take().unwrap_or_else(|| Value::Object(Map::new()));
        tool.schema = Some(shape(schema));
    }
}

/// A schema as far as it decides which values fit. Formats add and take away what says nothing, and Gemini has a spelling of its own.
fn shape(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            members.retain(|name, value| match name.as_str() {
                "$schema" | "propertyOrdering" | "property_ordering" => false,
                // An answer without further members fits a schema that allows them.
                "additionalProperties" => *value != Value::Bool(false),
                _ => true,
            });
            if let Some(Value::String(kind)) = members.get_mut("type") {
                *kind = kind.to_ascii_lowercase();
            }
            if members.remove("nullable") == Some(Value::Bool(true)) {
                let kind = members.remove("type");
                members.insert(
                    "type".to_owned(),
                    Value::Array(kind.into_iter().chain(["null".into()]).collect()),
                );
            }
            members.values_mut().for_each(|value| *value = shape(value.take()));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| *value = shape(value.take())),
        _ => {}
    }
    schema
}

/// Where nothing can be called there is nothing to order, and to leave it to the model goes without saying.
fn orders(request: &mut Request) {
    if request.parallel_tools == Some(true) || request.tools.is_empty() {
        request.parallel_tools = None;
    }
    request.tool_choice = match request.tool_choice.take() {
        _ if request.tools.is_empty() => None,
        Some(ToolChoice::Auto) => None,
        // Gemini has one word for both.
        Some(ToolChoice::Allowed { mut names, required: true }) if names.len() == 1 => {
            names.pop().map(ToolChoice::Named)
        }
        choice => choice,
    };
    // Nothing can be called one at a time where nothing may be.
    if request.tool_choice == Some(ToolChoice::None) {
        request.parallel_tools = None;
    }
}

/// Text is what is answered where nothing is said; the name of a schema decides nothing.
fn format(format: Format) -> Option<Format> {
    match format {
        Format::Text => None,
        Format::Schema { schema, strict, .. } => {
            // A format that cannot say it holds answers to their schema.
            Some(Format::Schema { name: None, schema: shape(schema), strict: Some(strict.unwrap_or(true)) })
        }
        other => Some(other),
    }
}

/// Not to think has three names, and a step may stand beside the word that there is one.
fn effort(effort: Effort) -> Effort {
    let step = effort.level.map(|level| level.to_ascii_lowercase());
    let none = effort.mode.as_deref() == Some("disabled")
        || effort.budget == Some(0)
        || step.as_deref() == Some("none");
    if none {
        return Effort { level: Some("none".to_owned()), ..Effort::default() };
    }
    let mode = if step.is_some() || effort.budget.is_some() { None } else { effort.mode };
    Effort { level: step, budget: effort.budget, mode }
}
