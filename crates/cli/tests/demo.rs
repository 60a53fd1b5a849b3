//! `outrigger demo --once`: ends by itself, and its JSON adds up.

use std::process::Command;

use serde_json::Value;

/// Exit code, what it printed, and what it said beside.
fn outrigger(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_outrigger"))
        .args(arguments)
        .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Decimal dollars as whole units of 1e-18.
fn units(text: &str) -> i128 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{decimals:0<18}").parse().unwrap()
}

#[test]
fn one_object_with_every_call_and_a_bill_that_adds_up() {
    let (status, output, _) = outrigger(&["demo", "--once", "--output", "json"]);
    assert_eq!(status, Some(0));
    let whole: Value = serde_json::from_str(&output).unwrap();
    let calls = whole["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 11);
    for call in calls {
        for member in ["provider", "model", "outcome", "cause", "tokens", "cost", "times", "attempts"] {
            assert!(call.get(member).is_some(), "{member} is missing in {call}");
        }
        assert_eq!(call["tokens"]["provenance"], "exact", "{call}");
        assert_eq!(call["attempts"].as_array().map(Vec::len), Some(1), "{call}");
        assert_eq!(call["cause"].is_null(), call["outcome"] == "answered", "{call}");
    }
    let sum: i128 = calls.iter().map(|call| units(call["cost"].as_str().unwrap())).sum();
    assert!(sum > 0);
    assert_eq!(units(whole["summary"]["total"]["cost"].as_str().unwrap()), sum);
    let failed = |class: &str| calls.iter().filter(|call| call["cause"]["class"] == class).count();
    assert_eq!((failed("authentication"), failed("server_error")), (1, 2));
    let refused = calls.iter().find(|call| call["cause"]["class"] == "authentication").unwrap();
    assert_eq!(refused["cause"]["status"], 401);
    assert!(refused["cause"]["message"].as_str().unwrap().contains("ending …4171"));
    assert_eq!(whole["price_book"]["hash"].as_str().map(str::len), Some(64));
}

#[test]
fn text_shows_every_call_and_the_bill() {
    let (status, output, said) = outrigger(&["demo", "--once"]);
    assert_eq!(status, Some(0));
    let count = |word: &str| output.lines().filter(|line| line.trim_start().starts_with(word)).count();
    assert_eq!((count("answered "), count("failed ")), (8, 3), "{output}");
    assert!(output.contains("11 calls") && output.contains("2 × openai 500 server_error"), "{output}");
    assert!(said.contains("mistyped_key"), "the fault is named: {said}");
    assert!(output.contains("it is mistyped, or of another account"), "and again under the bill: {output}");
}

#[test]
fn version_and_completions_answer() {
    let (status, version, _) = outrigger(&["version"]);
    assert_eq!(status, Some(0));
    assert!(version.starts_with("outrigger ") && version.contains("prices of 20"), "{version}");
    let (status, script, _) = outrigger(&["completions", "bash"]);
    assert_eq!(status, Some(0));
    assert!(script.contains("demo"));
}
