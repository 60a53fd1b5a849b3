//! A call as one line for a person, from its record's JSON. Nothing that an app or a provider chose can break the line, or speak to
//! the terminal.

use std::fmt::Write as _;

use outrigger_pricing::Atto;
use serde_json::Value;

/// Decimals of a dollar that are shown.
const SHOWN: u32 = 6;

/// The line, without its end.
pub(super) fn text(call: &Value) -> String {
    let mut line = format!("{}  {:<30}  {:<16}", time(call), place(call), outcome(call));
    let mut part = |text: String| {
        // A string takes everything.
        let _written = write!(line, "  {text}");
    };
    part(seconds(&call["times"]["duration_ms"]).unwrap_or_default());
    if let Some(first) = seconds(&call["times"]["first_content_ms"]) {
        part(format!("first token {first}"));
    }
    part(tokens(&call["tokens"]));
    part(cost(call));
    for who in ["step", "user"] {
        if let Some(name) = call[who].as_str() {
            part(format!("{who}={name}"));
        }
    }
    let attempts = call["attempts"].as_array().map_or(&[][..], Vec::as_slice);
    if attempts.len() > 1 {
        let each: Vec<String> = attempts.iter().map(attempt).collect();
        part(format!("attempts: {}", each.join(", ")));
    }
    let left_out = call["route"]["passed_over"].as_array().map_or(&[][..], Vec::as_slice);
    if !left_out.is_empty() {
        let each: Vec<&str> = left_out.iter().filter_map(Value::as_str).collect();
        part(format!("left out: {}", each.join("; ")));
    }
    part(format!("id={}", word(&call["id"])));
    if let Some(message) = call["cause"]["message"].as_str() {
        part(message.to_owned());
    }
    line.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// When it ended, UTC.
fn time(call: &Value) -> String {
    format!("{}Z", word(&call["times"]["ended"]).get(11..19).unwrap_or("??:??:??"))
}

/// Provider and model; where it was moved, what the app asked for before them.
fn place(call: &Value) -> String {
    let answered = format!("{} {}", word(&call["provider"]), word(&call["model"]));
    let route = &call["route"];
    let serving = route["serving"].as_u64();
    let attempt =
        call["attempts"].as_array().and_then(|all| all.iter().find(|it| it["number"].as_u64() == serving));
    match attempt.and_then(|attempt| attempt["backup"].as_str()) {
        Some(backup) => {
            let asked = format!("{} {}", word(&route["requested_provider"]), word(&call["requested_model"]));
            format!("{asked} → {backup}: {answered}")
        }
        None => answered,
    }
}

/// How it ended, with the status of what the app got, and why it failed.
fn outcome(call: &Value) -> String {
    let mut text = word(&call["outcome"]).to_owned();
    let serving = call["route"]["serving"].as_u64();
    let attempts = call["attempts"].as_array().map_or(&[][..], Vec::as_slice);
    let named = attempts.iter().find(|attempt| serving.is_some() && attempt["number"].as_u64() == serving);
    if let Some(status) = named.or(attempts.last()).and_then(|attempt| attempt["status"].as_u64()) {
        let _written = write!(text, " {status}");
    }
    if let Some(class) = call["cause"]["class"].as_str() {
        let _written = write!(text, " {class}");
    }
    text
}

/// One request: the place, and what became of it.
fn attempt(attempt: &Value) -> String {
    let place = attempt["backup"].as_str().unwrap_or_else(|| word(&attempt["provider"]));
    let status = attempt["status"].as_u64().map(|status| status.to_string());
    let class = attempt["class"].as_str().map(str::to_owned);
    let became: Vec<String> = status.into_iter().chain(class).collect();
    format!("{place} {}", if became.is_empty() { "?".to_owned() } else { became.join(" ") })
}

fn seconds(milliseconds: &Value) -> Option<String> {
    Some(format!("{:.2} s", milliseconds.as_f64()? / 1000.0))
}

/// What went in and what came out; `~` where it is estimated, `?` where it is unknown.
fn tokens(tokens: &Value) -> String {
    let mark = if tokens["estimate"].is_null() { "" } else { "~" };
    let count = |key: &str| {
        tokens[key].as_u64().map_or_else(|| "?".to_owned(), |count| format!("{mark}{}", grouped(count)))
    };
    format!("{} → {} tokens", count("input_total"), count("output_total"))
}

/// Dollars, `~` where they are estimated and `≥` where something is not counted.
fn cost(call: &Value) -> String {
    let amount = call["cost"].as_str().and_then(|cost| Atto::parse(cost).ok());
    let Some(amount) = amount else { return "unpriced".to_owned() };
    let mark = match call["cost_status"].as_str() {
        Some("estimated") => "~",
        Some("partial") => "≥",
        _ => "",
    };
    let shown = amount.rounded(SHOWN).unwrap_or(amount).to_string();
    let (whole, decimals) = shown.split_once('.').unwrap_or((&shown, ""));
    format!("{mark}${whole}.{decimals:0<6}")
}

/// 61204 as 61,204.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_tells_who_what_how_long_how_much_and_where_it_went() {
        let mut call = json!({
            "id": "01c3fe8e0000000000000000000000aa", "provider": "anthropic", "model": "claude-sonnet-5-5",
            "requested_model": "gpt-5.1", "outcome": "answered", "cause": null, "step": "plan", "user": "u_81",
            "times": {"ended": "2026-11-26T14:02:11.566Z", "duration_ms": 1234.5, "first_content_ms": 410.0},
            "tokens": {"input_total": 61204, "output_total": 190, "estimate": null},
            "cost": "0.0021024", "cost_status": "exact",
            "route": {"serving": 2, "requested_provider": "openai", "passed_over": ["eu: it is left alone for a while", "us: too dear"]},
            "attempts": [
                {"number": 1, "provider": "openai", "backup": null, "status": 503, "class": "overloaded"},
                {"number": 2, "provider": "anthropic", "backup": "claude", "status": 200, "class": null},
            ],
        });
        assert_eq!(
            text(&call),
            "14:02:11Z  openai gpt-5.1 → claude: anthropic claude-sonnet-5-5  answered 200      1.23 s  first token 0.41 s  \
             61,204 → 190 tokens  $0.002102  step=plan  user=u_81  attempts: openai 503 overloaded, claude 200  \
             left out: eu: it is left alone for a while; us: too dear  id=01c3fe8e0000000000000000000000aa"
        );
        call["attempts"] = json!([{"number": 1, "provider": "openai", "status": null, "class": "dns"}]);
        call["route"] = Value::Null;
        (call["outcome"], call["cause"]) =
            (json!("failed"), json!({"class": "dns", "message": "no such name"}));
        (call["cost"], call["tokens"]) = (Value::Null, json!({"estimate": null}));
        // Nobody else's word can end the line or reach the terminal.
        (call["step"], call["user"]) = (json!("a\nb\u{1b}[2J"), Value::Null);
        assert_eq!(
            text(&call),
            "14:02:11Z  anthropic claude-sonnet-5-5     failed dns        1.23 s  first token 0.41 s  ? → ? tokens  unpriced  \
             step=a\u{fffd}b\u{fffd}[2J  id=01c3fe8e0000000000000000000000aa  no such name"
        );
    }
}
