//! Streams that a rule decides, over real sockets: moved before their first content without the app seeing it, never taken for
//! complete when they were cut, ended by their deadlines; one sidecar and one server of the test's own that stands for two hosts.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use outrigger_ledger::{Outcome, Provenance};
use outrigger_pricing::Atto;
use outrigger_providers::FailureClass;
use outrigger_sidecar::{HangUp, Settings};

use crate::support::scene::{self, BACKUP, Ending, PATH, Says, Scene};
use crate::support::streams::{DONE, EBB, FINISH, MOVED, ROLE, STREAM, USAGE, WHOLE, call, classes, stream};
use crate::support::{EU, HOST, within};

#[tokio::test]
async fn a_stream_that_fails_before_its_first_content_is_moved_and_the_app_sees_one_whole_stream() {
    let refusal =
        "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":\"server_error\"}}\n\n";
    let document = |body: &str| Says::Status(200, &[], body.to_owned());
    let page = Says::Status(200, &[("content-type", "text/html")], "<html>".to_owned());
    for (what, says, class) in [
        ("nothing at all", stream(&[], Ending::Clean), FailureClass::StreamCut),
        ("only its role", stream(&[ROLE], Ending::Clean), FailureClass::StreamCut),
        ("a break", stream(&[": ping\n\n", ROLE], Ending::Broken), FailureClass::StreamCut),
        ("an error as its first event", stream(&[refusal], Ending::Clean), FailureClass::ServerError),
        ("an error as its second", stream(&[ROLE, refusal], Ending::Clean), FailureClass::ServerError),
        (
            "content and an error at once",
            stream(&[&format!("{EBB}{refusal}")], Ending::Clean),
            FailureClass::ServerError,
        ),
        ("no JSON", stream(&["data: {\"id\":\n\n"], Ending::Clean), FailureClass::Malformed),
        (
            "an error in a document",
            document(r#"{"error":{"code":"server_error","message":"no"}}"#),
            FailureClass::ServerError,
        ),
        ("a page", page, FailureClass::Edge),
    ] {
        let scene = Scene::new(MOVED).await;
        scene.says(HOST, [says]);
        scene.says(EU, [stream(&WHOLE, Ending::Clean)]);
        let got = call(&scene).await;
        assert_eq!((got.status, got.text, got.in_order), (StatusCode::OK, WHOLE.concat(), true), "{what}");
        let records = scene.end().await;
        assert_eq!(classes(&records[0]), [Some(class), None], "{what}");
        assert_eq!(
            (records[0].outcome, records[0].attempts[0].status),
            (Outcome::Answered, Some(200)),
            "{what}"
        );
        assert!(records[0].times.first_content.is_some());
    }
}

#[tokio::test]
async fn where_all_fail_before_content_the_app_gets_a_real_error_of_its_class() {
    let told = |code: &str| {
        format!("data: {{\"error\":{{\"message\":\"no\",\"type\":\"t\",\"code\":\"{code}\"}}}}\n\n")
    };
    for (pieces, status, class) in [
        (ROLE.to_owned(), 502, "stream_cut"),
        (told("rate_limit_exceeded"), 429, "rate_limit"),
        (told("server_is_overloaded"), 503, "overloaded"),
        (told("server_error"), 500, "server_error"),
    ] {
        let scene = Scene::new(MOVED).await;
        scene.says(HOST, [stream(&[&pieces], Ending::Clean)]);
        scene.says(EU, [stream(&[ROLE], Ending::Clean)]);
        let (got, headers, text) = scene.call_with(Request::post(PATH), STREAM).await;
        assert_eq!((got.as_u16(), headers["x-outrigger-error"].to_str().unwrap()), (status, class));
        assert_eq!(headers["x-should-retry"], "false", "{class}");
        assert!(
            text.starts_with(r#"{"error":{"#) && text.contains("failed before the first content"),
            "{text}"
        );
        let records = scene.end().await;
        assert_eq!(records[0].cause.as_ref().unwrap().status, Some(status), "{class}");
    }
}

#[tokio::test]
async fn what_was_cut_after_its_first_content_never_looks_complete() {
    // Cut in order behind every event, and in the middle of every one.
    for at in 2..WHOLE.len() {
        let whole = [&WHOLE[..at], &[]].concat();
        let half = &WHOLE[at][..20.min(WHOLE[at].len() - 3)];
        let halved = [&WHOLE[..at], &[half]].concat();
        for (pieces, is_half) in [(whole, false), (halved, true)] {
            let scene = Scene::new(MOVED).await;
            scene.says(HOST, [stream(&pieces, Ending::Clean)]);
            let got = call(&scene).await;
            let sent = pieces.concat();
            assert!(got.text.starts_with(&sent), "{at}: {}", got.text);
            let told = &got.text[sent.len()..];
            if pieces.contains(&FINISH) && !is_half {
                // By its format it is whole.
                assert_eq!((told, got.in_order), ("", true), "{at}");
            } else if is_half {
                assert!(
                    pieces.contains(&FINISH) || !got.in_order,
                    "{at}: in the middle of an event only a break is certain"
                );
            } else {
                assert!(told.starts_with("data: {\"error\":") && told.ends_with("\n\n"), "{at}: {told}");
                assert!(
                    told.contains("outrigger: the provider's answer ended before it was complete"),
                    "{told}"
                );
            }
            assert!(!got.text.contains("[DONE]") || pieces.contains(&DONE), "{at}");
            assert_eq!(scene.asked(), (1, 0), "what was shown is not moved");
        }
    }
}

#[tokio::test]
async fn a_break_after_content_is_told_in_the_apps_format() {
    let scene = Scene::new(MOVED).await;
    scene.says(HOST, [stream(&[ROLE, EBB], Ending::Broken)]);
    let got = call(&scene).await;
    let told = got.text.strip_prefix(&[ROLE, EBB].concat()).unwrap();
    assert!(told.starts_with("data: {\"error\":") && told.contains("broke off before its end"), "{told}");
    assert!(got.in_order);
    let records = scene.end().await;
    assert_eq!(
        (records[0].outcome, classes(&records[0])),
        (Outcome::Failed, vec![Some(FailureClass::StreamCut)])
    );
}

#[tokio::test]
async fn streams_keep_their_deadlines_where_a_rule_writes_them() {
    let first =
        "rules:\n  - { name: chat, match: {}, deadlines: { firstToken: 150ms }, failover: { to: [eu] } }\n";
    let scene = Scene::new(first).await;
    scene.says(HOST, [stream(&[ROLE], Ending::Silent)]);
    scene.says(EU, [stream(&WHOLE, Ending::Clean)]);
    assert_eq!(call(&scene).await.text, WHOLE.concat());
    assert_eq!(classes(&scene.end().await[0]), [Some(FailureClass::Timeout), None]);

    for (part, deadlines) in [("betweenTokens", "betweenTokens: 150ms"), ("total", "total: 300ms")] {
        let scene = Scene::new(&first.replace("firstToken: 150ms", deadlines)).await;
        scene.says(HOST, [stream(&[ROLE, EBB], Ending::Silent)]);
        let got = call(&scene).await;
        let told = got.text.strip_prefix(&[ROLE, EBB].concat()).unwrap().to_owned();
        assert!(told.contains(&format!("the {part} of ")) && told.starts_with("data: {\"error\":"), "{told}");
        let records = scene.end().await;
        let cause = records[0].cause.as_ref().unwrap();
        assert_eq!((cause.class, cause.status), (FailureClass::Timeout, Some(200)), "{part}");
    }
}

#[tokio::test]
async fn deadlines_that_only_report_cut_nothing_and_are_told() {
    let report = "rules:\n  - { name: other, match: { model: o3 } }\n  - { name: chat, match: {}, deadlines: { firstToken: 10ms, betweenTokens: 10ms, total: 20ms, onExceeded: report }, failover: { to: [eu] } }\n";
    let acts = report.replace(", onExceeded: report", "");
    let documents = [
        format!("{BACKUP}{report}"),
        // Nothing is held for a rule that does nothing else.
        format!("{BACKUP}{}", report.replace(", failover: { to: [eu] }", "")),
        format!("{BACKUP}{acts}").replace("mode: act", "mode: observe"),
    ];
    for document in documents {
        let scene = Scene::with(Settings::default(), &document).await;
        scene.says(HOST, [stream(&[ROLE, EBB], Ending::Late(WHOLE[2..].concat()))]);
        let got = call(&scene).await;
        assert_eq!((got.text, got.in_order), (WHOLE.concat(), true));
        let records = scene.end().await;
        let routed = records[0].routed.as_ref().unwrap();
        assert_eq!((&*routed.rule, routed.serving, routed.requested_provider), ("chat", 1, "openai"));
        let told = &routed.exceeded;
        assert!(told.contains(&"betweenTokens") && told.contains(&"total"), "{document}{told:?}");
        assert!(!told.contains(&"connect") && !told.contains(&"responseHead"), "{told:?}");
    }
}

#[tokio::test]
async fn what_was_told_of_an_attempt_that_failed_in_its_answer_is_counted() {
    let refusal =
        "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":\"server_error\"}}\n\n";
    let early = USAGE
        .replace("\"completion_tokens\":3,\"total_tokens\":12", "\"completion_tokens\":0,\"total_tokens\":9");
    let scene = Scene::new(MOVED).await;
    scene.says(HOST, [stream(&[ROLE, &early, refusal], Ending::Clean)]);
    scene.says(EU, [stream(&WHOLE, Ending::Clean)]);
    let got = call(&scene).await;
    assert_eq!((got.text, got.in_order), (WHOLE.concat(), true));
    let records = scene.end().await;
    let [first, second] = &*records[0].attempts else { panic!("{:?}", records[0].attempts) };
    let used = first.used.as_ref().unwrap();
    assert_eq!(used.tokens.usage.total_prompt(), Some(9), "{used:?}");
    assert!(used.tokens.provenance != Provenance::Exact && used.cost.total.is_some(), "{used:?}");
    assert!(second.used.is_none(), "its own stands in the record");
    assert_eq!(records[0].tokens.usage.total_prompt(), Some(9));

    // Of all that failed the app has the first; it is counted once.
    let scene = Scene::new(MOVED).await;
    scene.says(HOST, [stream(&[ROLE, &early, refusal], Ending::Clean)]);
    scene.says(EU, [Says::Status(503, &[], String::new())]);
    assert_eq!(call(&scene).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    let records = scene.end().await;
    let record = &records[0];
    assert_eq!((record.serving().unwrap().number, record.tokens.usage.total_prompt()), (1, Some(9)));
    assert!(record.attempts[0].used.is_none());
    let refused = record.attempts[1].used.as_ref().unwrap();
    assert_eq!((refused.tokens.provenance, refused.cost.total), (Provenance::Exact, Some(Atto::ZERO)));
}

#[tokio::test]
async fn without_a_rule_that_acts_bytes_and_ends_are_the_providers() {
    for (mode, rules) in [("observe", MOVED), ("act", "rules: []\n")] {
        let document = format!("{BACKUP}{rules}").replace("mode: act", &format!("mode: {mode}"));
        let scene = Scene::with(Settings::default(), &document).await;
        for (pieces, ending, in_order) in [
            (&[][..], Ending::Clean, true),
            (&[ROLE, EBB][..], Ending::Clean, true),
            (&[ROLE, EBB][..], Ending::Broken, false),
        ] {
            scene.says(HOST, [stream(pieces, ending)]);
            let got = call(&scene).await;
            assert_eq!((got.text, got.in_order), (pieces.concat(), in_order), "{mode}");
        }
        assert_eq!(scene.asked(), (3, 0));
    }
}

#[tokio::test]
async fn a_stream_keeps_the_rules_under_which_it_began() {
    let scene = Scene::new(MOVED).await;
    for mode in ["observe", "passthrough"] {
        scene.says(HOST, [stream(&[ROLE, EBB], Ending::CleanWhenTold)]);
        let mut sender = scene.bench.h1(HOST).await;
        let request =
            Request::post(PATH).header("host", HOST).body(Full::<bytes::Bytes>::from(STREAM)).unwrap();
        let mut body = within(sender.send_request(request)).await.unwrap().into_body();
        let mut text = String::new();
        while !text.ends_with(EBB) {
            let frame = within(body.frame()).await.unwrap().unwrap();
            text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
        scene.rules(&format!("{BACKUP}{MOVED}").replace("mode: act", &format!("mode: {mode}"))).await;
        scene.goes_on(&text);
        let rest = within(body.collect()).await.unwrap().to_bytes();
        assert!(rest.starts_with(b"data: {\"error\":"), "{mode}: {rest:?}");
        if mode == "observe" {
            scene.says(HOST, [stream(&[ROLE], Ending::Clean)]);
            assert_eq!(call(&scene).await.text, ROLE, "the next call keeps the new ones");
        }
        scene.rules(&format!("{BACKUP}{MOVED}")).await;
    }
    assert_eq!(scene.asked().1, 0);
}

#[tokio::test]
async fn an_answer_in_one_piece_that_breaks_off_is_asked_for_again() {
    let scene =
        Scene::new("rules:\n  - { name: chat, match: {}, retry: { backoff: { initial: 1ms } } }\n").await;
    scene.says(HOST, [Says::Cut("{\"id\":".to_owned()), Says::Well]);
    let (status, headers, body) = scene.call().await;
    assert_eq!((status, body), (StatusCode::OK, scene::good(&"gpt-5.1".into())));
    assert_eq!(headers["x-outrigger-attempts"], "2");
    within(scene.bench.recorded(1)).await;
    assert_eq!(classes(&scene.end().await[0]), [Some(FailureClass::StreamCut), None]);
}

#[tokio::test]
async fn the_usage_that_the_app_did_not_ask_for_is_taken_out_of_a_backups_stream_too() {
    let scene = Scene::new(MOVED).await;
    scene.says(HOST, [stream(&[ROLE], Ending::Clean)]);
    scene.says(EU, [stream(&WHOLE, Ending::Clean)]);
    let unasked = STREAM.replace(r#""stream_options":{"include_usage":true},"#, "");
    let (_, _, body) = scene.call_with(Request::post(PATH), unasked).await;
    assert_eq!(body, WHOLE.concat().replace(USAGE, ""));
    let asked = scene.got().into_iter().filter(|got| got.body.contains("include_usage")).count();
    assert_eq!(asked, 2);
    tokio::time::timeout(Duration::from_secs(60), scene.bench.recorded(1)).await.unwrap();
    assert_eq!(scene.end().await[0].tokens.usage.total_prompt(), Some(9));
}

#[tokio::test]
async fn streams_that_die_after_their_first_content_leave_their_place_alone() {
    let refusal =
        "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":\"server_error\"}}\n\n";
    for (what, pieces, ending) in [
        ("an end without its last word", &[ROLE, EBB][..], Ending::Clean),
        ("a break", &[ROLE, EBB], Ending::Broken),
        ("silence", &[ROLE, EBB], Ending::Silent),
        ("an error", &[ROLE, EBB, refusal], Ending::Clean),
    ] {
        let rules = MOVED.replace("failover", "deadlines: { betweenTokens: 100ms }, failover");
        let scene = Scene::new(&rules).await;
        scene.says(HOST, [stream(pieces, ending)]);
        scene.says(EU, [stream(&WHOLE, Ending::Clean)]);
        for _ in 0..3 {
            assert!(call(&scene).await.text.starts_with(&[ROLE, EBB].concat()), "{what}");
        }
        assert_eq!(call(&scene).await.text, WHOLE.concat(), "{what}");
        assert_eq!(scene.asked(), (3, 1), "{what}");
    }
}

#[tokio::test]
async fn an_app_that_hangs_up_says_nothing_against_the_place() {
    let document = format!("{BACKUP}{MOVED}");
    let scene = Scene::with(Settings { hang_up: HangUp::Cancel, ..Settings::default() }, &document).await;
    scene.says(HOST, [stream(&[ROLE, EBB], Ending::Silent)]);
    for number in 1..=4 {
        let mut sender = scene.bench.h1(HOST).await;
        let request =
            Request::post(PATH).header("host", HOST).body(Full::<bytes::Bytes>::from(STREAM)).unwrap();
        let mut body = within(sender.send_request(request)).await.unwrap().into_body();
        within(body.frame()).await.unwrap().unwrap();
        drop((body, sender));
        within(scene.bench.recorded(number)).await;
    }
    scene.says(HOST, [stream(&WHOLE, Ending::Clean)]);
    assert_eq!(call(&scene).await.text, WHOLE.concat());
    assert_eq!(scene.asked(), (5, 0));
    assert!(scene.end().await[..4].iter().all(|record| record.outcome == Outcome::Cancelled));
}

#[tokio::test]
async fn an_answer_in_one_piece_that_is_passed_on_before_its_end_keeps_the_total_too() {
    let rules = "rules:\n  - { name: chat, match: {}, deadlines: { total: 1s, betweenTokens: 10ms }, failover: { to: [eu] } }\n";
    let scene = Scene::new(rules).await;
    // Longer than what is held.
    let long = format!("{{\"id\":\"{}", "a".repeat(2 * 1024 * 1024));
    scene.says(HOST, [Says::Stalled(long)]);
    let mut sender = scene.bench.h1(HOST).await;
    let request =
        Request::post(PATH).header("host", HOST).body(Full::<bytes::Bytes>::from(scene::PLAIN)).unwrap();
    let body = within(sender.send_request(request)).await.unwrap().into_body();
    assert!(within(body.collect()).await.is_err(), "it is broken, not ended");
    assert_eq!(scene.asked(), (1, 0));
    let records = scene.end().await;
    let cause = records[0].cause.as_ref().unwrap();
    assert_eq!((cause.class, cause.status), (FailureClass::Timeout, Some(200)));
}
