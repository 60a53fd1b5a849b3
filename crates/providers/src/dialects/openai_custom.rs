//! Tools that take free text, as OpenAI's two formats have them: the one names them in a member of their kind, the other beside it.
//! Per request that has some.

use serde_json::{Value, json};

use crate::canonical::{Fault, Fields, Grammar, Tool, ToolKind, Within};

/// The grammar that a text must follow; the older format (`nested`) has it in a member of its own. A form that is not known stays where
/// it was.
pub(crate) fn grammar(tool: &mut Fields, nested: bool) -> Result<Option<Grammar>, Fault> {
    let Some(mut format) = tool.object("format")? else { return Ok(None) };
    match format.peek("type") {
        "text" => Ok(None),
        "grammar" => read(&mut format, nested).within("format").map(Some),
        _ => {
            tool.keep("format", format.whole());
            Ok(None)
        }
    }
}

fn read(format: &mut Fields, nested: bool) -> Result<Grammar, Fault> {
    let both = |from: &mut Fields| {
        Ok(Grammar { syntax: from.needed_text("syntax")?, definition: from.needed_text("definition")? })
    };
    if nested {
        let mut grammar = format.object("grammar")?.ok_or(Fault::new("is missing")).within("grammar")?;
        return both(&mut grammar).within("grammar");
    }
    both(format)
}

/// What a tool says of itself beside its name.
pub(crate) fn told(tool: &Tool, nested: bool) -> Value {
    let mut told = json!({"name": tool.name});
    if let Some(description) = &tool.description {
        told["description"] = description.as_str().into();
    }
    if let ToolKind::Free(Some(Grammar { syntax, definition })) = &tool.kind {
        told["format"] = if nested {
            json!({"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}})
        } else {
            json!({"type": "grammar", "syntax": syntax, "definition": definition})
        };
    }
    told
}

/// The kind by which a tool of this name is ordered.
pub(crate) fn kind(tools: &[Tool], name: &str) -> &'static str {
    let free = |tool: &Tool| tool.name == name && matches!(tool.kind, ToolKind::Free(_));
    if tools.iter().any(free) { "custom" } else { "function" }
}
