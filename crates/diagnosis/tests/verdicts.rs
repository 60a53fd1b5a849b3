//! Faults and the verdicts on them, from records that the ledger made of providers' answers.

use outrigger_diagnosis::{Change, Kind, Verdict};
use outrigger_ledger::Timestamp;
use outrigger_providers::FailureClass;

use crate::support::{Answer, App, BAD_KEY, GOOD_KEY, SECOND, error};

fn began(changes: &[Change]) -> &Verdict {
    match changes {
        [Change::Began(verdict)] => verdict,
        other => panic!("{other:?}"),
    }
}

fn ended(changes: &[Change]) -> Kind {
    match changes {
        [Change::Ended(verdict, _)] => verdict.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mistyped_key_is_named_at_once_with_the_one_that_works_and_is_said_once() {
    let mut app = App::new();
    assert_eq!(app.call(&Answer::Good), []);
    app.key = BAD_KEY;
    let refused = error("invalid_api_key");
    let changes = app.call(&Answer::Error(401, &refused));
    let verdict = began(&changes);
    assert_eq!((verdict.kind, verdict.provider), (Kind::MistypedKey, Some("openai")));
    let line = verdict.to_string();
    for part in
        ["ending …x7Qa", "OPENAI_API_KEY", "ending …k2Pb", "works", "401 invalid_api_key", "call 0000"]
    {
        assert!(line.contains(part), "{part} is missing in: {line}");
    }
    assert!(!line.contains("0123456789abcdef"), "{line}");
    for _ in 0..5 {
        assert_eq!(app.call(&Answer::Error(401, &refused)), []);
    }
    assert_eq!(app.diagnosis.active().next().unwrap().calls, 6);
    app.key = GOOD_KEY;
    assert_eq!(app.call(&Answer::Good), [], "another key says nothing of this one");
    app.key = BAD_KEY;
    assert_eq!(ended(&app.call(&Answer::Good)), Kind::MistypedKey);
    assert_eq!(app.holds(), []);
    // From now on it is known to have worked.
    assert_eq!(began(&app.call(&Answer::Error(401, &refused))).kind, Kind::RevokedKey);
}

#[test]
fn what_is_certain_is_named_by_the_first_call() {
    for (status, code, kind, part) in [
        (403, "model_not_allowed", Kind::Permission, "does not allow"),
        (404, "model_not_found", Kind::ModelNotFound, "gpt-5-mini"),
        (429, "insufficient_quota", Kind::QuotaExhausted, "waiting does not help"),
        (400, "context_length_exceeded", Kind::ContextOverflow, "larger window"),
        (413, "x", Kind::TooLarge, "upload files"),
    ] {
        let mut app = App::new();
        app.model = "gpt-5-mimi";
        let changes = app.call(&Answer::Error(status, &error(code)));
        let verdict = began(&changes);
        assert_eq!(verdict.kind, kind, "{code}");
        assert!(verdict.to_string().contains(part), "{verdict}");
        assert_eq!(app.call(&Answer::Error(status, &error(code))), [], "{code}");
    }
    let mut app = App::new();
    app.key = "";
    assert_eq!(began(&app.call(&Answer::Error(401, &error("missing")))).kind, Kind::MissingKey);
    app.key = GOOD_KEY;
    assert_eq!(ended(&app.call(&Answer::Good)), Kind::MissingKey);
    assert_eq!(began(&app.call(&Answer::Lost(FailureClass::Tls))).kind, Kind::ProviderTls);
    assert_eq!(ended(&app.call(&Answer::Good)), Kind::ProviderTls);
}

#[test]
fn failures_that_may_be_chance_are_named_when_there_are_too_many_of_them() {
    let server = error("server_error");
    for (answer, kind) in [
        (Answer::Error(500, server.as_str()), Kind::Outage),
        (Answer::Error(503, "<html>"), Kind::Outage),
        (
            Answer::Error(429, r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#),
            Kind::RateLimited,
        ),
        (
            Answer::Error(400, r#"{"error":{"message":"no","code":"unknown_parameter"}}"#),
            Kind::InvalidRequests,
        ),
        (Answer::Lost(FailureClass::Dns), Kind::Unreachable),
        (Answer::Lost(FailureClass::Connect), Kind::Unreachable),
        (Answer::Cut, Kind::BrokenStreams),
        (Answer::Finished("length"), Kind::Truncated),
    ] {
        let mut app = App::new();
        for _ in 0..20 {
            assert_eq!(app.call(&Answer::Good), []);
        }
        assert_eq!(app.call(&answer), [], "{kind:?}");
        assert_eq!(app.call(&answer), [], "{kind:?}");
        let changes = app.call(&answer);
        assert_eq!(began(&changes).kind, kind);
        assert_eq!(app.holds(), [kind]);
        let begun = app.said.len();
        for _ in 0..30 {
            app.call(&Answer::Good);
        }
        assert_eq!(ended(&app.said[begun..]), kind, "said once");
    }
}

#[test]
fn half_of_the_calls_failing_is_a_partial_outage() {
    let mut app = App::new();
    let server = error("server_error");
    for number in 0..40 {
        app.call(&if number % 2 == 0 { Answer::Good } else { Answer::Error(500, &server) });
    }
    let verdict = began(&app.said);
    assert_eq!(verdict.kind, Kind::PartialOutage);
    assert!(verdict.evidence.contains("4 of the last 7 calls"), "{verdict}");
    assert!(app.diagnosis.active().next().unwrap().calls > 10);
}

#[test]
fn where_nobody_can_be_reached_the_fault_is_on_this_side() {
    let mut app = App::new();
    for _ in 0..3 {
        app.call(&Answer::Lost(FailureClass::Connect));
    }
    app.host = "api.anthropic.com";
    for _ in 0..3 {
        app.call(&Answer::Lost(FailureClass::Connect));
    }
    let Some(Change::Began(verdict)) = app.said.last() else { panic!("{:?}", app.said) };
    assert_eq!((verdict.kind, verdict.provider), (Kind::OwnNetwork, None));
}

#[test]
fn slowness_is_judged_by_what_was_usual_and_by_a_limit() {
    let mut app = App::new();
    app.took = 3 * SECOND;
    for _ in 0..20 {
        app.call(&Answer::Stream(1));
    }
    assert_eq!(app.said, []);
    app.took = 12 * SECOND;
    for _ in 0..3 {
        app.call(&Answer::Stream(10));
    }
    assert_eq!(began(&app.said).kind, Kind::SlowFirstToken);

    let mut app = App::new();
    app.took = 31 * SECOND;
    for _ in 0..3 {
        app.call(&Answer::Good);
    }
    assert_eq!(began(&app.said).kind, Kind::SlowCalls);
}

#[test]
fn what_nobody_sees_any_more_ends_by_itself() {
    let mut app = App::new();
    app.call(&Answer::Error(400, &error("context_length_exceeded")));
    for _ in 0..3 {
        app.call(&Answer::Lost(FailureClass::Dns));
    }
    let last = app.at + app.took;
    assert_eq!(app.diagnosis.time(Timestamp(last + 290 * SECOND)), [] as [Change; 0]);
    let over = app.diagnosis.time(Timestamp(last + 300 * SECOND));
    assert_eq!(over.len(), 2, "{over:?}");
    assert_eq!(app.holds(), []);
    assert_eq!(app.diagnosis.time(Timestamp(last + 900 * SECOND)), [] as [Change; 0]);
}

#[test]
fn names_that_resemble_the_wrong_one_are_offered() {
    let mut app = App::new();
    app.model = "gpt-5-mimi";
    let changes = app.call(&Answer::Error(404, &error("model_not_found")));
    assert!(began(&changes).next_step.contains("gpt-5-mini"), "{changes:?}");
}

#[test]
fn a_crowd_of_names_takes_no_more_than_its_bound() {
    let mut app = App::new();
    for number in 0..2000 {
        app.model = Box::leak(format!("made-up-{number}").into_boxed_str());
        app.call(&Answer::Error(404, &error("model_not_found")));
        app.call(&Answer::Error(429, r#"{"error":{"code":"rate_limit_exceeded"}}"#));
    }
    assert!(app.holds().len() <= 512, "{}", app.holds().len());
}

#[test]
fn a_key_of_another_provider_is_named_by_the_first_call() {
    let mut app = App::new();
    app.key = "sk-ant-api03-0123456789abcdefx7Qa";
    let refused = error("invalid_api_key");
    let verdict = began(&app.call(&Answer::Error(401, &refused))).clone();
    assert_eq!(verdict.kind, Kind::KeyOfAnotherProvider);
    let line = verdict.to_string();
    assert!(line.contains("a key of anthropic") && line.contains("OPENAI_API_KEY"), "{line}");
    assert!(!line.contains("0123456789abcdef"), "{line}");
    assert_eq!(app.call(&Answer::Error(401, &refused)), []);
    // A gateway may take it after all.
    assert_eq!(ended(&app.call(&Answer::Good)), Kind::KeyOfAnotherProvider);
}

#[test]
fn a_revoked_key_stays_one_however_often_it_is_refused() {
    let mut app = App::new();
    app.call(&Answer::Good);
    let refused = error("invalid_api_key");
    assert_eq!(began(&app.call(&Answer::Error(401, &refused))).kind, Kind::RevokedKey);
    for _ in 0..5 {
        assert_eq!(app.call(&Answer::Error(401, &refused)), []);
    }
    let record = app.record(&Answer::Error(401, &refused));
    assert_eq!(app.diagnosis.shown_by(&record), [Kind::RevokedKey]);
    app.key = BAD_KEY;
    let changes = app.call(&Answer::Error(401, &refused));
    assert!(!began(&changes).to_string().contains("k2Pb"), "it works no more: {changes:?}");
}

#[test]
fn a_limit_is_said_with_the_time_at_which_it_resets() {
    let limited = r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#;
    let quota = error("insufficient_quota");
    for (status, body, calls, kind) in
        [(429, limited, 3, Kind::RateLimited), (429, quota.as_str(), 1, Kind::QuotaExhausted)]
    {
        let mut app = App::new();
        app.retry_after = Some(90);
        for _ in 0..calls {
            app.call(&Answer::Error(status, body));
        }
        let verdict = began(&app.said);
        assert_eq!(verdict.kind, kind);
        let until = format!("until 2026-11-25T08:01:3{calls}Z (90 s)");
        assert!(verdict.next_step.contains(&until), "{until} is missing in: {verdict}");
        assert_eq!(verdict.resets.unwrap().since(verdict.last), 90_000_000_000);
    }
}

#[test]
fn a_name_that_is_not_found_while_others_are_is_a_wrong_host() {
    let mut app = App::new();
    app.call(&Answer::Good);
    app.host = "api.mistral.ai";
    for _ in 0..3 {
        app.call(&Answer::Lost(FailureClass::Dns));
    }
    let verdict = began(&app.said);
    assert_eq!((verdict.kind, verdict.provider), (Kind::WrongHost, Some("mistral")));
    assert!(verdict.cause.contains("api.mistral.ai"), "{verdict}");
    for _ in 0..12 {
        app.call(&Answer::Good);
    }
    assert_eq!(app.holds(), [], "it is found");
    // What was reached once is no wrong name.
    for _ in 0..3 {
        app.call(&Answer::Lost(FailureClass::Dns));
    }
    assert_eq!(app.holds(), [Kind::Unreachable]);
}

#[test]
fn where_a_host_knows_one_region_or_customer_alone_the_model_may_be_in_another() {
    for (host, word) in [("team-a.openai.azure.com", "another resource"), ("api.openai.com", "")] {
        let mut app = App::new();
        app.host = host;
        let changes = app.call(&Answer::Error(404, &error("DeploymentNotFound")));
        let verdict = began(&changes);
        assert_eq!(verdict.kind, Kind::ModelNotFound);
        assert_eq!(verdict.next_step.contains("another resource"), !word.is_empty(), "{verdict}");
    }
}

#[test]
fn places_that_nothing_is_heard_of_make_room() {
    let mut app = App::new();
    let limited = Answer::Error(429, r#"{"error":{"code":"rate_limit_exceeded"}}"#);
    for number in 0..300 {
        app.model = Box::leak(format!("made-up-{number}").into_boxed_str());
        app.call(&limited);
    }
    app.at += 300 * SECOND;
    app.model = "gpt-5-mini";
    for _ in 0..3 {
        app.call(&limited);
    }
    assert_eq!(app.holds(), [Kind::RateLimited]);
}
