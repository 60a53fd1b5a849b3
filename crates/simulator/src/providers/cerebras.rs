//! Cerebras: the usage and the times in the last chunk, errors flat.

use serde_json::json;

use crate::formats::openai_chat::{Place, Style, Telling, details};
use crate::providers::{Provider, compatible};

pub(super) static ROW: Provider = Provider {
    name: "cerebras",
    hosts: &["api.cerebras.ai"],
    answer: |path, ask, told| compatible::answer(path, ask, told, &STYLE),
    error: |kind, _, _| {
        let compatible::Fault { status, word, message } = compatible::fault(kind);
        (status, json!({"message": message, "type": word, "param": null, "code": word}))
    },
    ..Provider::ROW
};

static STYLE: Style = Style {
    usage: |_, used| details(used),
    telling: Telling::LastChunk,
    dress: |json, _, place| {
        json["system_fingerprint"] = json!("fp_cb_harbour");
        if matches!(place, Place::Whole | Place::Last) {
            json["time_info"] = json!({"queue_time": 0.0001, "prompt_time": 0.002, "completion_time": 0.04, "total_time": 0.05});
        }
    },
    thoughts: Some("reasoning"),
    ..Style::PLAIN
};
