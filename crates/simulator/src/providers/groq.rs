//! Groq: times in the usage, and `x_groq` in the first and the last chunk, the last one with a usage that nobody asked for.

use serde_json::{Value, json};

use crate::ask::Told;
use crate::formats::openai_chat::{Place, Style, details};
use crate::providers::{Provider, compatible};
use crate::script::Usage;

pub(super) static ROW: Provider = Provider {
    name: "groq",
    hosts: &["api.groq.com"],
    answer: |path, ask, told| compatible::answer(path, ask, told, &STYLE),
    error: |kind, _, _| compatible::nested(kind),
    headers: |serial| {
        vec![("x-request-id", format!("req_01g{serial:022x}")), ("x-groq-region", "fra".to_owned())]
    },
    ..Provider::ROW
};

static STYLE: Style = Style {
    usage: |_, used| usage(used),
    dress: |json, told, place| {
        json["system_fingerprint"] = json!("fp_71b7e3");
        let id = "req_01harbour";
        match place {
            Place::Whole => {
                json["x_groq"] = json!({"id": id});
                json["usage_breakdown"] = Value::Null;
                json["service_tier"] = json!("on_demand");
            }
            Place::First => json["x_groq"] = json!({"id": id}),
            Place::Last => json["x_groq"] = last(id, told),
            Place::Middle | Place::Usage => {}
        }
    },
    thoughts: Some("reasoning"),
    ..Style::PLAIN
};

fn last(id: &str, told: &Told) -> Value {
    match &told.usage {
        Some(used) => json!({"id": id, "usage": usage(used)}),
        None => json!({"id": id}),
    }
}

fn usage(used: &Usage) -> Value {
    let mut usage = details(used);
    for (name, seconds) in
        [("queue_time", 0.021), ("prompt_time", 0.004), ("completion_time", 0.31), ("total_time", 0.314)]
    {
        usage[name] = json!(seconds);
    }
    usage
}
