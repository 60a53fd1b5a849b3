//! Model facts from LiteLLM's map: limits, capabilities, retirement. What it does not say stays unknown.

use std::collections::BTreeMap;

use outrigger_pricing::document::{Facts, Origin};
use serde::Serialize;
use serde_json::Value;

use crate::Failure;

#[derive(Serialize)]
struct Row {
    provider: String,
    model: String,
    facts: Facts,
}

/// Our providers, and how their models are called there.
pub(crate) const PROVIDERS: [(&str, &str, &str); 9] = [
    ("openai", "openai", ""),
    ("anthropic", "anthropic", ""),
    ("google", "gemini", "gemini/"),
    ("deepseek", "deepseek", "deepseek/"),
    ("groq", "groq", "groq/"),
    ("mistral", "mistral", "mistral/"),
    ("x-ai", "xai", "xai/"),
    ("cerebras", "cerebras", "cerebras/"),
    ("perplexity", "perplexity", "perplexity/"),
];

const FLAGS: [(&str, &str); 15] = [
    ("supports_function_calling", "tools"),
    ("supports_parallel_function_calling", "parallel_tools"),
    ("supports_tool_choice", "tool_choice"),
    ("supports_response_schema", "strict_schema"),
    ("supports_system_messages", "system_message"),
    ("supports_assistant_prefill", "prefill"),
    ("supports_vision", "vision"),
    ("supports_pdf_input", "documents"),
    ("supports_audio_input", "audio_input"),
    ("supports_audio_output", "audio_output"),
    ("supports_video_input", "video_input"),
    ("supports_reasoning", "reasoning"),
    ("supports_prompt_caching", "prompt_caching"),
    ("supports_web_search", "web_search"),
    ("supports_computer_use", "computer_use"),
];

/// The text of `facts.json`, a model a line.
pub(crate) fn read(text: &str, date: &str) -> Result<String, Failure> {
    let map: BTreeMap<String, Value> = serde_json::from_str(text).map_err(Failure::foreign)?;
    let mut rows = Vec::new();
    for (provider, theirs, prefix) in PROVIDERS {
        for (name, entry) in &map {
            let Some(model) = name.strip_prefix(prefix).filter(|_| entry["litellm_provider"] == *theirs)
            else {
                continue;
            };
            let whole = |key: &str| entry[key].as_u64().filter(|limit| *limit > 0);
            let capabilities =
                FLAGS.iter().filter_map(|(flag, word)| Some(((*word).to_owned(), entry[*flag].as_bool()?)));
            let facts = Facts {
                context_window: whole("max_input_tokens"),
                output_limit: whole("max_output_tokens"),
                smallest_cacheable: whole("prompt_cache_min_tokens"),
                tokenizer: tokenizer(provider, model).map(str::to_owned),
                retires: entry["deprecation_date"].as_str().map(str::to_owned),
                capabilities: capabilities.collect(),
                origin: Origin { source: vec!["litellm".to_owned()], checked_on: date.to_owned() },
            };
            rows.push(Row { provider: provider.to_owned(), model: model.to_owned(), facts });
        }
    }
    let rows = rows.iter().map(|row| serde_json::to_string(row).map_err(Failure::foreign));
    Ok(format!("[\n{}\n]\n", rows.collect::<Result<Vec<_>, _>>()?.join(",\n")))
}

/// Families that are published or measured; gpt-6's is not confirmed, and unknown it stays.
fn tokenizer(provider: &str, model: &str) -> Option<&'static str> {
    let begins = |names: &[&str]| names.iter().any(|name| model.starts_with(name));
    match provider {
        "openai" if begins(&["gpt-4o", "gpt-4.1", "gpt-5", "o1", "o3", "o4"]) => Some("o200k"),
        "openai" if begins(&["gpt-4", "gpt-3.5", "text-embedding-3", "text-embedding-ada"]) => Some("cl100k"),
        "anthropic"
            if begins(&[
                "claude-opus-4-7",
                "claude-opus-4-8",
                "claude-opus-5",
                "claude-sonnet-5",
                "claude-fable",
                "claude-haiku-5",
            ]) =>
        {
            Some("claude-2026")
        }
        "anthropic"
            if begins(&["claude-3", "claude-opus-4", "claude-sonnet-4", "claude-haiku-4", "claude-4"]) =>
        {
            Some("claude-3")
        }
        "google" if begins(&["gemini", "gemma"]) => Some("gemini"),
        _ => None,
    }
}
