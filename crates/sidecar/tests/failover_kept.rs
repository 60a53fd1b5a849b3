//! Answers that a backup gave and that their app goes on with by their ids, over real sockets: the call is led to the place that keeps
//! the answer, where the rule allows it, and is told in plain words where nobody keeps it.

use http::{HeaderMap, Request, StatusCode};
use outrigger_ledger::Outcome;
use serde_json::{Value, json};

use crate::support::scene::{APPS_KEY, BACKUP, BACKUPS_KEY, CLAUDE, Ending, Got, Says, Scene, server_error};
use crate::support::{EU, HOST};

const RESPONSES: &str = "/v1/responses";
/// The app's own place is asked every time that nothing else is said.
const RULE: &str = "rules:\n  - { name: chat, match: { provider: openai }, breaker: { consecutive: 100, minCalls: 10000 }, failover: { to: [eu] } }\n";
const TRANSLATED: &str = "version: 1\nmode: act\nbackups:\n  claude: { provider: anthropic, model: claude-sonnet-4-5, credential: { file: eu } }\n\
    rules:\n  - { name: chat, match: { provider: openai }, failover: { to: [claude] } }\n";

fn response(id: &str, status: &str) -> Value {
    let text = json!({"type": "output_text", "text": "At nine.", "annotations": []});
    let message = json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [text]});
    let output = if status == "completed" { json!([message]) } else { json!([]) };
    json!({"id": id, "object": "response", "created_at": 1, "status": status, "model": "gpt-5-mini", "output": output,
        "usage": {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}})
}

fn whole(id: &str) -> Says {
    Says::Status(200, &[], response(id, "completed").to_string())
}

fn streamed(id: &str) -> Says {
    let event = |kind: &str, mut data: Value| {
        data["type"] = kind.into();
        format!("event: {kind}\ndata: {data}\n\n")
    };
    let begun = event("response.created", json!({"response": response(id, "in_progress")}));
    let text = json!({"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "At nine."});
    let ended = event("response.completed", json!({"response": response(id, "completed")}));
    Says::Stream(vec![begun, event("response.output_text.delta", text), ended], Ending::Clean)
}

fn body(before: Option<&str>, stream: bool) -> String {
    let mut body = json!({"model": "gpt-5.1", "input": "And the flood?", "stream": stream});
    if let Some(before) = before {
        body["previous_response_id"] = before.into();
    }
    body.to_string()
}

async fn ask(scene: &Scene, before: Option<&str>, stream: bool) -> (StatusCode, HeaderMap, String) {
    scene.call_with(Request::post(RESPONSES), body(before, stream)).await
}

/// Who was asked since then.
fn since(scene: &Scene, before: usize) -> Vec<Got> {
    scene.got().split_off(before)
}

fn hosts(got: &[Got]) -> Vec<&str> {
    got.iter().map(|got| got.host.as_str()).collect()
}

fn told<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().unwrap()
}

fn message(text: &str) -> String {
    let body: Value = serde_json::from_str(text).unwrap();
    body["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_call_that_goes_on_with_a_backups_answer_is_led_to_that_backup() {
    for stream in [false, true] {
        let scene = Scene::new(RULE).await;
        let says = |id: &str| if stream { streamed(id) } else { whole(id) };
        scene.says(HOST, [server_error(), whole("resp_of_home")]);
        scene.says(EU, [says("resp_of_eu"), says("resp_more")]);
        let (status, _, text) = ask(&scene, None, stream).await;
        assert!(status.is_success() && text.contains("resp_of_eu"), "{text}");

        // The app's own place is well again, and does not know that answer.
        for (before, id) in [("resp_of_eu", "resp_more"), ("resp_more", "resp_more")] {
            let asked = scene.got().len();
            let (status, headers, text) = ask(&scene, Some(before), stream).await;
            assert!(status.is_success() && text.contains(id), "{text}");
            assert_eq!(
                (told(&headers, "x-outrigger-attempts"), told(&headers, "x-outrigger-model")),
                ("1", "gpt-5-mini")
            );
            let got = since(&scene, asked);
            assert_eq!(hosts(&got), [EU], "stream {stream}, {before}");
            assert_eq!(got[0].body, body(Some(before), stream).replace("gpt-5.1", "gpt-5-mini"));
            let sent = format!("{:?}", got[0].headers);
            assert!(sent.contains(BACKUPS_KEY) && !sent.contains(APPS_KEY), "{sent}");
        }
        // What it gave itself it is asked about.
        let asked = scene.got().len();
        let (status, headers, _) = ask(&scene, Some("resp_of_home"), stream).await;
        assert_eq!((status, hosts(&since(&scene, asked))), (StatusCode::OK, vec![HOST]));
        assert!(!headers.contains_key("x-outrigger-attempts"), "{headers:?}");

        let records = scene.end().await;
        let told: Vec<_> = records.iter().map(|record| (record.outcome, record.moved_for())).collect();
        let led = (Outcome::Answered, Some("kept_elsewhere"));
        assert_eq!(told, [(Outcome::Answered, Some("server_error")), led, led, (Outcome::Answered, None)]);
        let routed = records[1].routed.as_ref().unwrap();
        assert!(routed.hindrance.unwrap().contains("which no other place knows"), "{routed:?}");
        assert_eq!((records[1].attempts.len(), &*records[1].attempts[0].host), (1, EU));
    }
}

#[tokio::test]
async fn where_that_backup_fails_the_app_is_told_and_nobody_else_is_asked() {
    let scene = Scene::new(RULE).await;
    scene.says(HOST, [server_error(), whole("resp_of_home")]);
    scene.says(EU, [whole("resp_of_eu"), server_error()]);
    ask(&scene, None, false).await;
    let asked = scene.got().len();
    let (status, headers, text) = ask(&scene, Some("resp_of_eu"), false).await;
    assert_eq!((status, told(&headers, "x-should-retry")), (StatusCode::INTERNAL_SERVER_ERROR, "false"));
    let said = message(&text);
    assert!(
        said.contains("an answer that the backup eu (openai) gave, and it failed there: server_error"),
        "{said}"
    );
    assert_eq!(hosts(&since(&scene, asked)), [EU]);
    let records = scene.end().await;
    let (led, routed) = (&records[1], records[1].routed.as_ref().unwrap());
    assert_eq!(
        (led.outcome, led.attempts.len(), routed.exhausted, routed.serving),
        (Outcome::Failed, 1, true, 1)
    );
}

#[tokio::test]
async fn an_answer_that_nobody_keeps_is_refused_in_plain_words_and_nobody_is_asked() {
    let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_sequence": null,
        "content": [{"type": "text", "text": "At nine."}], "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 4}});
    let scene = Scene::with(outrigger_sidecar::Settings::default(), TRANSLATED).await;
    scene.says(HOST, [server_error(), whole("resp_of_home")]);
    scene.says(CLAUDE, [Says::Status(200, &[], answer.to_string())]);
    let (_, _, text) = ask(&scene, None, false).await;
    let ours: Value = serde_json::from_str(&text).unwrap();
    let id = ours["id"].as_str().unwrap();
    let asked = scene.got().len();
    for stream in [false, true] {
        let (status, headers, text) = ask(&scene, Some(id), stream).await;
        assert_eq!(
            (status, told(&headers, "x-outrigger-error")),
            (StatusCode::BAD_REQUEST, "invalid_request")
        );
        let said = message(&text);
        for part in
            ["the backup claude (anthropic) gave", "nobody keeps it", "send the conversation so far as input"]
        {
            assert!(said.contains(part), "{said}");
        }
    }
    assert_eq!(hosts(&since(&scene, asked)), [""; 0]);

    // While only watching, nothing is refused: the provider says what it knows.
    scene.rules(&TRANSLATED.replace("mode: act", "mode: observe")).await;
    let (status, _, _) = ask(&scene, Some(id), false).await;
    assert_eq!((status, hosts(&since(&scene, asked))), (StatusCode::OK, vec![HOST]));
    let records = scene.end().await;
    assert_eq!(records[1].outcome, Outcome::Failed);
    assert!(records[1].routed.as_ref().unwrap().hindrance.is_some());
}

#[tokio::test]
async fn a_place_that_the_rule_no_longer_allows_is_not_asked() {
    let scene = Scene::new(RULE).await;
    scene.says(HOST, [server_error()]);
    scene.says(EU, [whole("resp_of_eu")]);
    ask(&scene, None, false).await;
    let asked = scene.got().len();
    let other = BACKUP.replace("eu:", "us:").replace("eu.api", "us.api").to_string();
    scene.rules(&format!("{other}{}", RULE.replace("[eu]", "[us]"))).await;
    let (status, _, text) = ask(&scene, Some("resp_of_eu"), false).await;
    assert_eq!((status, hosts(&since(&scene, asked))), (StatusCode::BAD_REQUEST, vec![]));
    let said = message(&text);
    assert!(said.contains("the backup eu (openai) gave: the rule chat lets no call go there"), "{said}");

    // There it would be asked in another format, which has no such answers.
    let chat = BACKUP.replace("model: gpt-5-mini", "model: gpt-5-mini, format: openai_chat");
    scene.rules(&format!("{chat}{RULE}")).await;
    let (status, _, text) = ask(&scene, Some("resp_of_eu"), false).await;
    assert_eq!((status, hosts(&since(&scene, asked))), (StatusCode::BAD_REQUEST, vec![]));
    let said = message(&text);
    assert!(said.contains("the backup is asked in openai_chat, and not in openai_responses"), "{said}");

    // What it refers to besides is kept by another.
    scene.rules(&format!("{BACKUP}{RULE}")).await;
    let prompt = json!({"model": "gpt-5.1", "input": "x", "previous_response_id": "resp_of_eu", "prompt": {"id": "pmpt_1"}});
    let (status, _, text) = scene.call_with(Request::post(RESPONSES), prompt.to_string()).await;
    assert_eq!((status, hosts(&since(&scene, asked))), (StatusCode::BAD_REQUEST, vec![]));
    assert!(message(&text).contains("it also refers to what openai keeps (a stored prompt)"), "{text}");
    scene.end().await;
}
