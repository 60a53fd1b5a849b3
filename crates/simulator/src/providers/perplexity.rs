//! Perplexity: the usage grows with every chunk and has its cost in it; the sources stand beside the answer.

use serde_json::json;

use crate::formats::openai_chat::{Place, Style, Telling, plain_usage};
use crate::providers::openrouter::dollars;
use crate::providers::{Provider, compatible};
use crate::script::Usage;

pub(super) static ROW: Provider = Provider {
    name: "perplexity",
    hosts: &["api.perplexity.ai"],
    answer: |path, ask, told| compatible::answer(path, ask, told, &STYLE),
    error: |kind, _, _| {
        let compatible::Fault { status, word, message } = compatible::fault(kind);
        (status, json!({"error": {"message": message, "type": word, "code": status}}))
    },
    ..Provider::ROW
};

static STYLE: Style = Style {
    id: "",
    usage: |told, used| {
        // What it thinks stands beside the completion.
        let mut usage = plain_usage(&Usage { reasoning: 0, ..*used });
        usage["search_context_size"] = json!("low");
        if used.reasoning > 0 {
            usage["reasoning_tokens"] = json!(used.reasoning);
        }
        if used.web_searches > 0 {
            usage["num_search_queries"] = json!(used.web_searches);
        }
        usage["cost"] = json!({"input_tokens_cost": 0.0001, "output_tokens_cost": 0.0002, "request_cost": 0.006,
            "total_cost": dollars(&told.cost)});
        usage
    },
    telling: Telling::EveryChunk,
    dress: |json, _, place| {
        json["citations"] = json!(["https://tides.example/kiel"]);
        json["search_results"] =
            json!([{"title": "Tides", "url": "https://tides.example/kiel", "date": null}]);
        if !matches!(place, Place::Whole | Place::Usage) {
            json["choices"][0]["message"] = json!({"role": "assistant", "content": ""});
        }
    },
    ..Style::PLAIN
};
