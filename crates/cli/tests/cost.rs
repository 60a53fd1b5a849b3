//! `outrigger cost …`: the arithmetic of one call from its record, the calls of recorded traffic, as text and as JSON, and what
//! is said of what cannot be read.

use serde_json::{Value, json};

use crate::support::{Ended, outrigger};

fn show(arguments: &[&str], input: &str) -> Ended {
    cost(&[&["show"], arguments].concat(), input)
}

fn cost(arguments: &[&str], input: &str) -> Ended {
    outrigger(&[&["cost"], arguments].concat(), input)
}

/// A call to a host with residency: 100,000 tokens in, 10,000 out.
fn record() -> Value {
    let count = |count: u64| json!({"count": count, "provenance": "exact"});
    json!({
        "id": "abab", "provider": "openai", "model": "gpt-6-sol", "tier": "standard", "region": "resident",
        "cost": "0.33", "price_book": "of another day",
        "times": {"started": "2026-11-16T12:00:00Z"},
        "tokens": {
            "provenance": "exact", "reason": null,
            "meters": {"input": count(100_000), "cache_read": count(0), "output": count(10_000), "reasoning": count(0)},
        },
    })
}

#[test]
fn each_line_shows_its_sum_and_the_total_its_source() {
    let ended = show(&["-"], &record().to_string());
    assert_eq!((ended.status, ended.errors.as_str()), (Some(0), ""));
    for part in [
        "abab  openai gpt-6-sol at 2026-11-16T12:00:00Z, standard tier, resident",
        "priced as openai gpt-6-sol",
        "genai-prices",
        "input   100000 × $2 / 1000000 × 11/10  = $0.22",
        "output  10000 × $10 / 1000000 × 11/10  = $0.11",
        "$0.33  exact",
        "prices of 2026-11-16",
    ] {
        assert!(ended.output.contains(part), "{part} is missing in:\n{}", ended.output);
    }
    assert!(!ended.output.contains("the record says"), "{}", ended.output);
}

#[test]
fn json_holds_the_same_and_what_the_record_said() {
    let mut record = record();
    record["cost"] = "0.3".into();
    record["tokens"]["reason"] = "the app hung up before the usage was reported".into();
    record["tokens"]["meters"]["output"]["count"] = Value::Null;
    let ended = show(&["-", "--output", "json"], &record.to_string());
    let shown: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((shown["cost"].as_str(), shown["cost_status"].as_str()), (Some("0.22"), Some("partial")));
    assert_eq!(shown["recorded_cost"], "0.3");
    assert_eq!(shown["cost_lines"][0]["factor"], "11/10");
    assert_eq!(shown["priced_as"]["model"], "gpt-6-sol");
    assert_eq!(shown["cost_reasons"].as_array().map(Vec::len), Some(4), "{shown}");
    let text = show(&["-"], &record.to_string()).output;
    assert!(
        text.contains("at least $0.22") && text.contains("the record says $0.3, with other prices"),
        "{text}"
    );
}

#[test]
fn own_prices_apply_and_faulty_ones_are_refused_with_their_places() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.json");
    let own = |den: &str| {
        format!(
            r#"{{"schema": 2, "currency": "USD", "providers": [{{"id": "openai", "factors": [{{"num": 85, "den": {den}}}]}}]}}"#
        )
    };
    std::fs::write(&path, own("100")).unwrap();
    let ended = show(&["-", "--prices", path.to_str().unwrap()], &record().to_string());
    assert!(
        ended.output.contains("$0.2805") && ended.output.contains("prices of your own"),
        "{}",
        ended.output
    );
    std::fs::write(&path, own("0")).unwrap();
    let ended = show(&["-", "--prices", path.to_str().unwrap()], &record().to_string());
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.errors.contains("own.json: providers.openai.factors[0]: the factor 85/0"),
        "{}",
        ended.errors
    );
}

#[test]
fn what_has_no_price_says_why() {
    let mut record = record();
    record["model"] = "house-9".into();
    let ended = show(&["-"], &record.to_string());
    assert_eq!(ended.status, Some(0));
    assert!(
        ended.output.contains("unpriced") && ended.output.contains("no openai model `house-9`"),
        "{}",
        ended.output
    );
}

#[test]
fn what_is_no_record_is_refused_with_its_mend() {
    for (input, says) in [("[]", "0 records"), ("{", "not JSON"), ("{}", "`tokens` is missing")] {
        let ended = show(&["-"], input);
        assert_eq!((ended.status, ended.output.as_str()), (Some(1), ""));
        assert!(ended.errors.contains(says), "{}", ended.errors);
    }
    let missing = show(&["/nowhere/record.json"], "");
    assert!(
        missing.errors.contains("/nowhere/record.json") && missing.errors.contains("standard input"),
        "{}",
        missing.errors
    );
}

#[test]
fn recorded_traffic_is_priced_entry_by_entry() {
    let answer = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-5-mini-2025-08-07",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Ahoy."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    });
    let entry = |url: &str, status: u16, answer: &Value| {
        json!({
            "startedDateTime": "2026-11-25T10:00:00Z", "time": 1500,
            "request": {"method": "POST", "url": url, "headers": [], "postData": {"text": r#"{"model":"gpt-5-mini"}"#}},
            "response": {"status": status, "headers": [], "content": {"text": answer.to_string()}},
        })
    };
    let chat = "https://api.openai.com/v1/chat/completions";
    let refused = json!({"error": {"message": "Incorrect API key", "code": "invalid_api_key"}});
    let archive = json!({"log": {"entries": [
        entry("https://shop.example/cart", 200, &json!({})), entry(chat, 200, &answer), entry(chat, 401, &refused),
    ]}})
    .to_string();

    let ended = cost(&["har", "-", "--output", "json"], &archive);
    let told: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!(told.as_array().map(Vec::len), Some(3), "{told:#}");
    assert_eq!(told[0]["ignored"], "shop.example is no LLM provider's host");
    assert_eq!((&told[0]["entry"], &told[2]["entry"]), (&json!(0), &json!(2)));
    assert_eq!((told[1]["cost"].as_str(), told[1]["ignored"].is_null()), (Some("0.00045"), true));
    assert_eq!(told[1]["tokens"]["provenance"], "exact");
    assert_eq!(told[1]["recorded"]["url"], chat);
    assert_eq!(told[2]["cause"]["class"], "authentication");
    // One of its entries is a record like any other.
    let shown = show(&["-", "--output", "json"], &told[1].to_string());
    assert_eq!(serde_json::from_str::<Value>(&shown.output).unwrap()["cost"], "0.00045", "{}", shown.errors);

    let text = cost(&["har", "-"], &archive).output;
    for part in
        ["1  openai chat gpt-5-mini-2025-08-07", "$0.00045 exact", "2 calls in 1s", "1 × shop.example is no"]
    {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    // So is an entry itself.
    for (arguments, input) in [
        (&["-"][..], &serde_json::from_str::<Value>(&archive).unwrap()["log"]["entries"][1].to_string()),
        (&["-", "--entry", "1"], &archive),
    ] {
        let shown = show(arguments, input);
        assert!(shown.output.contains("$0.00045  exact"), "{}{}", shown.output, shown.errors);
    }
    for (arguments, said) in [
        (&["-"][..], "3 entries; choose one with `--entry`"),
        (&["-", "--entry", "0"], "entry 0 is no call: shop.example is no LLM"),
        (&["-", "--entry", "3"], "no entry 3 among 3"),
    ] {
        let refused = show(arguments, &archive);
        assert!(refused.status == Some(1) && refused.errors.contains(said), "{}", refused.errors);
    }
    let ended = cost(&["har", "-"], "{}");
    assert_eq!(ended.status, Some(1));
    assert!(ended.errors.contains("log.entries"), "{}", ended.errors);
}
