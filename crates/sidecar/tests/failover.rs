//! Calls that a rule decides, over real sockets: what is tried again, what is moved and where, what the app gets, what the record says;
//! one sidecar and one server of the test's own that stands for two hosts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use outrigger_ledger::{CallRecord, Fate, Outcome};
use outrigger_providers::FailureClass;
use outrigger_sidecar::{Settings, UpstreamOverride};
use serde_json::{Value, json};

use crate::support::scene::{
    BACKUP, BACKUPS_KEY, PATH, PLAIN, Says, Scene, Shared, answer, error, good, server_error,
};
use crate::support::{self, EU, HOST, within};

fn classes(record: &CallRecord) -> Vec<(&str, Option<u16>, Option<FailureClass>)> {
    let told = |attempt: &outrigger_ledger::Attempt| {
        let place = if attempt.backup.is_some() { "backup" } else { "addressed" };
        (place, attempt.status, attempt.class)
    };
    record.attempts.iter().map(told).collect()
}

const BOTH: &str = "rules:\n  - { name: chat, match: { model: gpt-5.1 }, retry: { backoff: { initial: 1ms } }, failover: { to: [eu] } }\n";

#[tokio::test]
async fn a_rate_limit_is_waited_for_and_the_app_sees_an_answer() {
    let scene = Scene::new(BOTH).await;
    let limited = Says::Status(
        429,
        &[("retry-after-ms", "120")],
        json!({"error": {"code": "rate_limit_exceeded"}}).to_string(),
    );
    scene.says(HOST, [limited, Says::Well]);
    let begun = std::time::Instant::now();
    let (status, headers, body) = scene.call().await;
    assert!(begun.elapsed() >= Duration::from_millis(120), "it came back too early");
    assert_eq!((status, body), (StatusCode::OK, good(&"gpt-5.1".into())));
    assert_eq!(headers["x-outrigger-provider"], "openai");
    assert_eq!(headers["x-outrigger-attempts"], "2");
    assert_eq!(scene.asked(), (2, 0));
    assert!(scene.got().iter().all(|got| got.body == PLAIN));
    let records = scene.end().await;
    let record = &records[0];
    let limited = ("addressed", Some(429), Some(FailureClass::RateLimit));
    assert_eq!(classes(record), [limited, ("addressed", Some(200), None)]);
    assert_eq!((record.outcome, record.routed.as_ref().unwrap().serving), (Outcome::Answered, 2));
    assert!(
        record.attempts[1].started.since(record.attempts[0].ended) >= 120_000_000,
        "the wait is nobody's"
    );
}

#[tokio::test]
async fn what_fails_for_ever_is_moved_with_the_backups_key_and_nothing_of_the_apps() {
    let page = Says::Status(502, &[("content-type", "text/html")], "<html>cloudflare</html>".to_owned());
    for (says, class) in [
        (server_error(), FailureClass::ServerError),
        (error(503, "server_error", "server_is_overloaded"), FailureClass::Overloaded),
        (Says::Status(529, &[], String::new()), FailureClass::Overloaded),
        (error(429, "requests", "rate_limit_exceeded"), FailureClass::RateLimit),
        (page, FailureClass::Edge),
        (Says::Reset, FailureClass::Connect),
    ] {
        let scene = Scene::new(BOTH).await;
        scene.says(HOST, [says.clone()]);
        let request = Request::post(format!("{PATH}?key=of-the-app"));
        let (status, headers, body) = scene.call_with(request, PLAIN).await;
        assert_eq!((status, body), (StatusCode::OK, good(&"gpt-5-mini".into())), "{says:?}");
        assert_eq!(scene.asked(), (2, 1), "{says:?}");
        for (name, value) in [("provider", "openai"), ("model", "gpt-5-mini"), ("attempts", "3")] {
            assert_eq!(headers[format!("x-outrigger-{name}")], value, "{says:?}");
        }
        let got = scene.got().pop().unwrap();
        assert_eq!((got.host.as_str(), got.path.as_str()), (EU, PATH));
        assert_eq!(got.body, PLAIN.replace("gpt-5.1", "gpt-5-mini"), "only the model is another");
        assert_eq!(got.headers["authorization"], format!("Bearer {BACKUPS_KEY}"));
        let left = format!("{:?}{}", got.headers, got.body);
        assert!(!left.contains("of-the-app") && !left.contains("x-tier"), "{left}");

        let records = scene.end().await;
        let record = &records[0];
        let failed = record.attempts[0].clone();
        assert_eq!((failed.class, failed.backup.as_deref()), (Some(class), None), "{says:?}");
        assert_eq!(classes(record)[2], ("backup", Some(200), None));
        assert_eq!(record.attempts[2].model.as_deref(), Some("gpt-5-mini"));
        assert_eq!((record.facts.model.as_deref(), record.model()), (Some("gpt-5.1"), Some("gpt-5-mini")));
        // By hand: 9 × 0.25 + 4 × 2 per million.
        assert_eq!(record.cost.total.map(|total| total.to_string()).as_deref(), Some("0.00001025"));
        assert_eq!(record.key.as_ref().unwrap().ending.as_deref(), Some("x7Qa"), "the app's");
        let routed = record.routed.as_ref().unwrap();
        assert_eq!((&*routed.rule, routed.serving, record.outcome), ("chat", 3, Outcome::Answered));
    }
}

#[tokio::test]
async fn silence_is_moved_at_the_deadline_that_the_rule_writes() {
    let scene = Scene::new(
        "rules:\n  - { name: chat, match: {}, deadlines: { responseHead: 150ms }, failover: { to: [eu] } }\n",
    )
    .await;
    scene.says(HOST, [Says::Nothing]);
    assert_eq!(scene.call().await.0, StatusCode::OK);
    scene.says(EU, [Says::Nothing]);
    let (status, headers, body) = scene.call().await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(headers["x-outrigger-error"], "timeout");
    assert!(
        body.contains("did not answer within the responseHead of 150ms that the rule `chat` allows"),
        "{body}"
    );
    let records = scene.end().await;
    let timeout = Some(FailureClass::Timeout);
    assert_eq!(classes(&records[0]), [("addressed", None, timeout), ("backup", Some(200), None)]);
    assert_eq!(classes(&records[1]), [("addressed", None, timeout), ("backup", None, timeout)]);
    assert_eq!(records[1].routed.as_ref().unwrap().serving, 1);
    assert_eq!(records[1].cause.as_ref().unwrap().class, FailureClass::Timeout);
}

#[tokio::test]
async fn names_and_certificates_that_fail_are_moved() {
    // Nobody vouches for this one.
    let (stranger, _) = support::server(|request| answer(Shared::default(), request)).await;
    let settings = Settings {
        hosts: vec!["nowhere.invalid".to_owned()],
        upstreams: vec![UpstreamOverride { host: "jp.api.openai.com".to_owned(), address: stranger }],
        ..Settings::default()
    };
    let document = format!("{BACKUP}{}", BOTH.replace("model: gpt-5.1", ""));
    let scene = Scene::with(settings, &document).await;
    for host in ["nowhere.invalid", "jp.api.openai.com"] {
        let (status, _, body) = scene.call_at(host, Request::post(PATH), PLAIN).await;
        assert_eq!((status, body), (StatusCode::OK, good(&"gpt-5-mini".into())), "{host}");
    }
    let records = scene.end().await;
    let first = |record: &CallRecord| record.attempts[0].class;
    assert_eq!(first(&records[0]), Some(FailureClass::Dns));
    assert_eq!(first(&records[1]), Some(FailureClass::Tls));
    assert_eq!(records[1].attempts.len(), 2, "a certificate is not tried again");
}

#[tokio::test]
async fn when_all_fail_the_app_gets_its_own_providers_answer_and_is_calmed() {
    let scene = Scene::new(BOTH).await;
    let body = json!({"error": {"message": "its own words", "code": "server_is_overloaded"}}).to_string();
    scene.says(HOST, [Says::Status(503, &[("retry-after", "3600")], body.clone())]);
    scene.says(EU, [error(401, "invalid_request_error", "invalid_api_key")]);
    let (status, headers, got) = scene.call().await;
    assert_eq!((status, got), (StatusCode::SERVICE_UNAVAILABLE, body));
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!((header("x-should-retry"), header("retry-after")), (Some("false"), Some("60")));
    assert_eq!(scene.asked(), (1, 1), "an hour is not waited for");
    scene.says(HOST, [Says::Status(502, &[("content-type", "text/html")], "<html>".to_owned())]);
    let (status, _, body) = scene.call().await;
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(
        told["error"]["message"].as_str().unwrap().starts_with("outrigger: api.openai.com answered 502"),
        "{told}"
    );
    let records = scene.end().await;
    for record in &records {
        assert_eq!((record.outcome, record.provider), (Outcome::Failed, "openai"));
        let serving = record.serving().unwrap();
        assert_eq!((serving.host.as_str(), serving.backup.as_deref()), (HOST, None));
        assert_eq!(record.attempts.last().unwrap().class, Some(FailureClass::Authentication));
        assert_eq!(record.cost.total.map(|total| total.to_string()).as_deref(), Some("0"));
    }
    assert!(records.iter().all(|record| record.fate() == Some(Fate::Exhausted)));
    let cause = records[0].cause.as_ref().unwrap();
    assert_eq!((cause.class, cause.status), (FailureClass::Overloaded, Some(503)));
    assert_eq!(records[1].cause.as_ref().unwrap().status, Some(502));
}

#[tokio::test]
async fn an_sdk_is_calmed_after_one_attempt_too_where_the_rule_has_nothing_left() {
    let retry = "rules:\n  - { name: chat, match: {}, retry: { attempts: 2, backoff: { initial: 1ms, max: 1ms } } }\n";
    let moved = "rules:\n  - { name: chat, match: {}, failover: { to: [eu] } }\n";
    let overloaded = Says::Status(503, &[("retry-after", "3600")], String::new());
    // An hour is longer than anybody waits; the backup cannot be paid.
    for rules in [retry, moved] {
        let scene = Scene::new(rules).await;
        std::fs::remove_file(scene.folder.path().join("credentials/eu")).unwrap();
        scene.says(HOST, [overloaded.clone()]);
        let (status, headers, _) = scene.call().await;
        assert_eq!((status, scene.asked()), (StatusCode::SERVICE_UNAVAILABLE, (1, 0)), "{rules}");
        assert_eq!([&headers["x-should-retry"], &headers["retry-after"]], ["false", "60"], "{rules}");
        assert!(!headers.contains_key("x-outrigger-attempts"), "it went where the app sent it, once");
    }
    // What no rule does anything about is the app's own.
    let scene = Scene::new("rules:\n  - { name: chat, match: {}, retry: { when: [timeout] } }\n").await;
    scene.says(HOST, [overloaded]);
    let (_, headers, _) = scene.call().await;
    assert!(!headers.contains_key("x-should-retry") && headers["retry-after"] == "3600");
}

#[tokio::test]
async fn refusals_of_the_request_are_the_apps_byte_for_byte() {
    let scene = Scene::new(BOTH).await;
    for (says, kind) in [
        (error(400, "invalid_request_error", "content_policy_violation"), "content"),
        (error(400, "invalid_request_error", "invalid_value"), "invalid"),
        (error(400, "invalid_request_error", "context_length_exceeded"), "window"),
        (error(401, "invalid_request_error", "invalid_api_key"), "key"),
        (error(404, "invalid_request_error", "model_not_found"), "model"),
        (Says::Status(413, &[], "too large".to_owned()), "length"),
        (Says::Status(307, &[("location", "https://elsewhere.example/")], String::new()), "redirection"),
    ] {
        let Says::Status(expected, _, expected_body) = says.clone() else { unreachable!() };
        scene.says(HOST, [says]);
        let (status, headers, body) = scene.call().await;
        assert_eq!((status.as_u16(), body), (expected, expected_body), "{kind}");
        assert!(headers.keys().all(|name| !name.as_str().starts_with("x-outrigger")), "{kind}: {headers:?}");
        assert!(!headers.contains_key("x-should-retry"), "{kind}");
    }
    assert_eq!(scene.asked(), (7, 0));
    assert!(
        scene.end().await.iter().all(|record| record.fate() == Some(Fate::Direct)),
        "nothing was to be done"
    );
    let opted = BOTH.replace("to: [eu]", "to: [eu], when: [authentication]");
    let scene = Scene::new(&opted).await;
    scene.says(HOST, [error(401, "invalid_request_error", "invalid_api_key")]);
    assert_eq!(scene.call().await.0, StatusCode::OK);
    assert_eq!(scene.asked(), (1, 1));
    // What a backup redirects to is not followed, nor shown to the app.
    scene.says(EU, [Says::Status(307, &[("location", "https://elsewhere.example/")], String::new())]);
    assert_eq!(scene.call().await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(scene.asked(), (2, 2));
}

#[tokio::test]
async fn what_is_too_long_to_be_held_passes_and_says_so() {
    let scene = Scene::new(BOTH).await;
    scene.says(HOST, [server_error()]);
    let long = format!(
        r#"{{"model":"gpt-5.1","messages":[{{"role":"user","content":"{}"}}]}}"#,
        "x".repeat(5 << 20)
    );
    let (status, headers, _) = scene.call_with(Request::post(PATH), long.clone()).await;
    assert_eq!((status, headers.get("x-should-retry")), (StatusCode::INTERNAL_SERVER_ERROR, None));
    let got = scene.got();
    assert!(got.len() == 1 && got[0].body == long);
    let records = scene.end().await;
    let routed = records[0].routed.as_ref().unwrap();
    assert!(routed.hindrance.unwrap().contains("too long to be held"), "{routed:?}");
}

#[tokio::test]
async fn calls_that_no_rule_decides_pass_as_without_rules() {
    let scene = Scene::new(BOTH).await;
    scene.says(HOST, [server_error()]);
    let other = PLAIN.replace("gpt-5.1", "gpt-5-nano");
    let (status, headers, _) = scene.call_with(Request::post(PATH), other.clone()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!headers.contains_key("x-outrigger-attempts") && !headers.contains_key("x-should-retry"));
    scene.rules(&format!("{BACKUP}{BOTH}").replace("mode: act", "mode: observe")).await;
    assert_eq!(scene.call().await.0, StatusCode::INTERNAL_SERVER_ERROR, "observe watches only");
    let got = scene.got();
    assert_eq!(got.iter().map(|got| got.body.as_str()).collect::<Vec<_>>(), [other.as_str(), PLAIN]);
    assert!(scene.end().await.iter().all(|record| record.routed.is_none()));
}

#[tokio::test]
async fn a_place_that_fails_is_left_alone_and_asked_again_when_it_may_have_recovered() {
    let rules = BOTH
        .replace("failover:", "breaker: { probeEvery: 200ms }, failover:")
        .replace("initial: 1ms", "initial: 1ms, max: 1ms");
    let scene = Scene::new(&rules).await;
    scene.says(HOST, [server_error()]);
    for _ in 0..4 {
        assert_eq!(scene.call().await.0, StatusCode::OK);
    }
    assert_eq!(scene.asked(), (3, 4), "three in a row are enough");
    scene.says(HOST, [Says::Well]);
    let recovered = within(async {
        loop {
            let (_, headers, body) = scene.call().await;
            if body == good(&"gpt-5.1".into()) {
                break headers;
            }
        }
    })
    .await;
    assert!(
        !recovered.contains_key("x-outrigger-attempts"),
        "a probe that is answered is a call like any other"
    );
    scene.says(HOST, [server_error()]);
    scene.says(EU, [server_error()]);
    assert_eq!(scene.call().await.0, StatusCode::INTERNAL_SERVER_ERROR);
    let records = scene.end().await;
    let left_alone = &records[3];
    assert_eq!(classes(left_alone), [("backup", Some(200), None)]);
    assert_eq!((left_alone.fate(), left_alone.moved_for()), (Some(Fate::Moved), Some("left_alone")));
    let last = records.last().unwrap();
    assert!(
        last.attempts.iter().any(|attempt| attempt.backup.is_none()),
        "with nowhere else to go it is asked all the same"
    );
}

#[tokio::test]
async fn retries_past_the_rules_share_are_left_out_and_told() {
    let rules = "rules:\n  - { name: chat, match: {}, retry: { backoff: { initial: 1ms, max: 1ms } } }\n";
    let scene = Scene::new(rules).await;
    scene.says(HOST, [server_error()]);
    for _ in 0..5 {
        assert_eq!(scene.call().await.0, StatusCode::INTERNAL_SERVER_ERROR);
    }
    // Three in any case.
    assert_eq!(scene.asked(), (8, 0));
    let records = scene.end().await;
    let denied: Vec<bool> =
        records.iter().map(|record| record.routed.as_ref().unwrap().retry_denied).collect();
    assert_eq!(denied, [false, false, false, true, true]);
    assert!(records.iter().all(|record| record.fate() == Some(Fate::Exhausted)));
}

#[tokio::test]
async fn a_backup_without_its_credential_is_passed_over_and_told() {
    let scene = Scene::new(BOTH).await;
    std::fs::remove_file(scene.folder.path().join("credentials/eu")).unwrap();
    scene.says(HOST, [server_error()]);
    assert_eq!(scene.call().await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(scene.asked(), (2, 0));
    std::fs::write(scene.folder.path().join("credentials/eu"), "sk-new").unwrap();
    // What was seen of a file is believed for a second.
    within(async { while scene.call().await.0 != StatusCode::OK {} }).await;
    assert_eq!(scene.got().last().unwrap().headers["authorization"], "Bearer sk-new");
    let records = scene.end().await;
    let over = &records[0].routed.as_ref().unwrap().passed_over;
    assert!(over.len() == 1 && over[0].starts_with("eu: ") && over[0].contains("credentials/eu"), "{over:?}");
}

#[tokio::test]
async fn a_backup_that_keeps_failing_is_left_alone_too_and_told() {
    let scene = Scene::new("rules:\n  - { name: chat, match: {}, failover: { to: [eu] } }\n").await;
    scene.says(HOST, [server_error()]);
    scene.says(EU, [server_error()]);
    for _ in 0..4 {
        assert_eq!(scene.call().await.0, StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(scene.asked(), (4, 3), "with nowhere else to go its own place is asked all the same");
    let records = scene.end().await;
    let left_alone: Vec<Vec<&str>> = records
        .iter()
        .map(|record| record.routed.as_ref().unwrap().left_alone.iter().map(|name| &**name).collect())
        .collect();
    assert_eq!(left_alone, [vec![], vec![], vec![], vec!["eu"]]);
    let over = &records[3].routed.as_ref().unwrap().passed_over;
    assert_eq!(over[..], ["eu: it is left alone for a while, since it failed of late"]);
}

/// Half of all calls answer 500: every call is answered, and the primary bears no more than the budget.
#[tokio::test]
async fn thousands_of_calls_survive_a_partial_outage_within_the_budget() {
    const CALLS: usize = 3_000;
    const AT_ONCE: usize = 64;
    let rules = BOTH.replace("failover:", "breaker: { opensAt: 100%, consecutive: 100 }, failover:");
    let scene = Arc::new(Scene::new(&rules).await);
    scene.says(HOST, (0..CALLS * 2).map(|at| if at % 2 == 0 { server_error() } else { Says::Well }));
    let mut workers = Vec::new();
    for _ in 0..AT_ONCE {
        let scene = Arc::clone(&scene);
        workers.push(tokio::spawn(async move {
            let mut sender = scene.bench.h1(HOST).await;
            let mut good = 0;
            for _ in 0..CALLS / AT_ONCE {
                let request = Request::post(PATH)
                    .header("host", HOST)
                    .header("authorization", "Bearer sk")
                    .body(Full::<Bytes>::from(PLAIN))
                    .unwrap();
                sender.ready().await.unwrap();
                let response = sender.send_request(request).await.unwrap();
                good += usize::from(response.status() == StatusCode::OK);
                response.into_body().collect().await.unwrap();
            }
            good
        }));
    }
    let mut good = 0;
    for worker in workers {
        good += within(worker).await.unwrap();
    }
    let calls = CALLS / AT_ONCE * AT_ONCE;
    assert_eq!(good, calls);
    let (primary, _) = scene.asked();
    assert!(primary > calls && primary - calls <= calls / 5 + 64, "{primary} requests for {calls} calls");
}
