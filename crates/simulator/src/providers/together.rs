//! Together: plain counts in the last chunk, seeds as numbers.

use serde_json::{Value, json};

use crate::formats::openai_chat::{Place, Style, Telling};
use crate::providers::{Provider, compatible};

pub(super) static ROW: Provider = Provider {
    name: "together",
    hosts: &["api.together.xyz", "api.together.ai"],
    answer: |path, ask, told| compatible::answer(path, ask, told, &STYLE),
    error: |kind, _, _| compatible::nested(kind),
    ..Provider::ROW
};

static STYLE: Style = Style {
    id: "o",
    telling: Telling::LastChunk,
    dress: |json, _, place| {
        json["warnings"] = Value::Null;
        if place == Place::Whole {
            json["prompt"] = json!([]);
            json["choices"][0]["seed"] = json!(6_021_023_314_u64);
            json["choices"][0]["logprobs"] = Value::Null;
        } else if place != Place::Usage {
            json["choices"][0]["text"] = json["choices"][0]["delta"]["content"].clone();
            json["choices"][0]["seed"] = Value::Null;
        }
    },
    ..Style::PLAIN
};
