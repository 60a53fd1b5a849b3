//! vLLM, a server of one's own: it tells the usage of a stream if asked, and with every chunk if asked for that.

use serde_json::{Value, json};

use crate::formats::openai_chat::{Place, Style, Telling, plain_usage};
use crate::providers::{Provider, compatible};

pub(super) static ROW: Provider = Provider {
    name: "vllm",
    hosts: &["vllm.example.test"],
    answer: |path, ask, told| compatible::answer(path, ask, told, &STYLE),
    error: |kind, _, _| {
        let compatible::Fault { status, word, message } = compatible::fault(kind);
        (status, json!({"error": {"message": message, "type": word, "param": null, "code": status}}))
    },
    ..Provider::ROW
};

static STYLE: Style = Style {
    usage: |_, used| {
        let mut usage = plain_usage(used);
        // The details take a switch of the server's.
        usage["prompt_tokens_details"] = Value::Null;
        usage
    },
    telling: Telling::Continuous,
    dress: |json, _, place| match place {
        Place::Whole => {
            json["prompt_logprobs"] = Value::Null;
            json["kv_transfer_params"] = Value::Null;
            json["choices"][0]["stop_reason"] = Value::Null;
            json["choices"][0]["message"]["tool_calls"] = json!([]);
            json["choices"][0]["message"]["reasoning_content"] = Value::Null;
        }
        Place::Middle | Place::Last => {
            json["choices"][0]["stop_reason"] = Value::Null;
            json["choices"][0]["delta"]["tool_calls"] = json!([]);
        }
        Place::First | Place::Usage => {}
    },
    thoughts: Some("reasoning"),
    ..Style::PLAIN
};
