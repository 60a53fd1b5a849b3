//! Calls that are moved to a backup of the app's own wire format, over real sockets: what another provider does not take is said
//! otherwise or refused, and nothing is lost in silence; at the same provider the app's own bytes go.

use std::time::SystemTime;

use http::{Request, StatusCode};
use outrigger_pricing::PriceBook;
use outrigger_providers::translate::{self, App, Place};
use outrigger_providers::{Service, services};
use outrigger_sidecar::Settings;
use serde_json::{Value, json};

use crate::support::scene::{CLAUDE, Got, PATH, PLAIN, Says, Scene, good, server_error};
use crate::support::{AZURE, BEDROCK, EU, HOST};

const RESPONSES: &str = "/v1/responses";
const GEMINI: &str = "generativelanguage.googleapis.com";

/// A rule that moves calls which ask for it by a header, and its backup.
struct Moves {
    name: String,
    backup: String,
}

fn moves(name: &str, backup: &str) -> Moves {
    Moves { name: name.to_owned(), backup: backup.to_owned() }
}

async fn scene(all: &[Moves]) -> Scene {
    let mut document = "version: 1\nmode: act\nbackups:\n".to_owned();
    for Moves { name, backup } in all {
        document.push_str(&format!("  {name}: {{ {backup} }}\n"));
    }
    document.push_str("rules:\n");
    for Moves { name, .. } in all {
        // The app's own place is asked every time.
        let doing = format!("breaker: {{ consecutive: 100, minCalls: 10000 }}, failover: {{ to: [{name}] }}");
        let rule = format!("name: {name}, match: {{ headers: {{ x-to: {name} }} }}, {doing}");
        document.push_str(&format!("  - {{ {rule} }}\n"));
    }
    Scene::with(Settings::default(), &document).await
}

/// One call that fails where it is addressed: what the app has, and what the backup was asked, if it was.
async fn moved(
    scene: &Scene,
    (host, path): (&'static str, &str),
    to: &str,
    body: &str,
) -> (StatusCode, String, Option<Got>) {
    let before = scene.got().len();
    scene.says(host, [server_error(), Says::Well]);
    let request = Request::post(path).header("x-to", to);
    let (status, _, answer) = scene.call_at(host, request, body.to_owned()).await;
    let mut got = scene.got().split_off(before).into_iter();
    let first = got.next().unwrap();
    assert_eq!(
        (first.host.as_str(), first.body.as_str()),
        (host, body),
        "the app's own place gets its bytes"
    );
    (status, answer, got.next())
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn what_a_provider_does_not_take_of_the_apps_format_is_said_otherwise_and_told() {
    let key = "credential: { file: eu }";
    let mistral = format!("provider: mistral, model: mistral-large-4, {key}");
    let perplexity = format!("provider: perplexity, model: sonar, {key}");
    let deepseek = format!("provider: deepseek, model: deepseek-chat, {key}");
    let all = [moves("mistral", &mistral), moves("perplexity", &perplexity), moves("deepseek", &deepseek)];
    let scene = scene(&all).await;
    let id = "call_7f3a0c5e9b1d4286a0c5e9b1";
    let tool = json!({"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}});
    let call = json!({"id": id, "type": "function", "function": {"name": "tide", "arguments": "{}"}});
    let body = json!({
        "model": "gpt-5.1", "max_completion_tokens": 64, "seed": 7, "parallel_tool_calls": false, "user": "u-1", "tools": [tool],
        "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Ebb?"},
            {"role": "assistant", "content": null, "refusal": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": id, "content": "nine"}],
    })
    .to_string();
    let (status, answer, got) = moved(&scene, (HOST, PATH), "mistral", &body).await;
    let (answer, got) = (parsed(&answer), got.unwrap());
    assert_eq!((status, got.host.as_str()), (StatusCode::OK, "api.mistral.ai"));
    assert_eq!(answer["choices"][0]["message"]["content"], "Ebb at nine.");
    let sent = parsed(&got.body);
    assert_eq!((&sent["model"], &sent["max_tokens"]), (&json!("mistral-large-4"), &json!(64)));
    assert_eq!((&sent["random_seed"], &sent["parallel_tool_calls"]), (&json!(7), &json!(false)));
    assert_eq!(sent["messages"][0], json!({"role": "system", "content": "Be brief."}));
    let called = sent["messages"][2]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(called.len() == 9 && sent["messages"][3]["tool_call_id"] == called, "{sent}");
    for unknown in ["developer", "max_completion_tokens", "\"seed\"", "\"user\":\"u-1\"", "refusal", id] {
        assert!(!got.body.contains(unknown), "{unknown}: {}", got.body);
    }

    let (status, _, got) = moved(&scene, (HOST, PATH), "perplexity", &body).await;
    assert!(status.is_server_error() && got.is_none(), "it calls no tools, and none are sent: {got:?}");
    let schema = json!({"type": "json_schema", "json_schema": {"name": "t", "strict": true, "schema": {"type": "object", "properties": {}}}});
    let body = json!({"model": "gpt-5.1", "response_format": schema, "messages": [{"role": "user", "content": "Ebb?"}]});
    let (status, _, got) = moved(&scene, (HOST, PATH), "deepseek", &body.to_string()).await;
    assert!(status.is_server_error() && got.is_none(), "it keeps to no schema, and none is sent: {got:?}");

    let records = scene.end().await;
    let routed: Vec<_> = records.iter().map(|record| record.routed.as_ref().unwrap()).collect();
    assert!(routed[0].losses.iter().any(|loss| loss.contains("user")), "{:?}", routed[0].losses);
    assert!(routed[1].passed_over[0].contains("tools"), "{:?}", routed[1].passed_over);
    assert!(routed[2].passed_over[0].contains("schema"), "{:?}", routed[2].passed_over);
}

#[tokio::test]
async fn thoughts_that_are_sealed_for_one_account_reach_no_other() {
    let azure = format!(
        "provider: azure, host: {AZURE}, deployment: ours, model: gpt-5.1, credential: {{ file: eu }}"
    );
    let scene = scene(&[moves("azure", &azure)]).await;
    let body = json!({"model": "gpt-5.1", "input": [
        {"role": "user", "content": "Ebb?"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "SEALED"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "At nine.", "annotations": []}]},
        {"role": "user", "content": "And the flood?"}]});
    let (_, _, got) = moved(&scene, (HOST, RESPONSES), "azure", &body.to_string()).await;
    let got = got.unwrap();
    assert_eq!((got.host.as_str(), got.path.as_str()), (AZURE, "/openai/v1/responses"));
    assert!(!got.body.contains("SEALED") && !got.body.contains("rs_1"), "{}", got.body);
    assert_eq!(parsed(&got.body)["model"], "ours");

    let files = json!({"type": "input_file", "file_id": "file-1"});
    let body = json!({"model": "gpt-5.1", "input": [{"role": "user", "content": [files]}]});
    let (status, _, got) = moved(&scene, (HOST, RESPONSES), "azure", &body.to_string()).await;
    assert!(status.is_server_error() && got.is_none());
    let records = scene.end().await;
    let losses = &records[0].routed.as_ref().unwrap().losses;
    assert!(losses.iter().any(|loss| loss.contains("what the model thought")), "{losses:?}");
    let over = &records[1].routed.as_ref().unwrap().passed_over;
    assert_eq!(*over, ["azure: input[0]: a file that the provider keeps"]);
}

/// An app of one format.
struct AppSide {
    format: &'static str,
    service: &'static str,
    at: (&'static str, &'static str),
    bodies: Vec<String>,
}

fn chat_tools() -> Value {
    let id = "call_7f3a0c5e9b1d4286a0c5e9b1";
    let tool = json!({"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}});
    let call = json!({"id": id, "type": "function", "function": {"name": "tide", "arguments": "{\"at\": \"Kiel\"}"}});
    let answer = json!({"role": "tool", "tool_call_id": id, "content": "nine"});
    json!({"model": "gpt-5.1", "tools": [tool], "messages": [{"role": "user", "content": "Ebb?"},
        {"role": "assistant", "content": null, "tool_calls": [call]}, answer]})
}

fn sides() -> Vec<AppSide> {
    let user = |content: Value| json!({"role": "user", "content": content});
    let chat = |more: Value| {
        let mut body = json!({"model": "gpt-5.1", "messages": [user(json!("Ebb?"))]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    let format = json!({"type": "json_schema", "json_schema": {"name": "t", "strict": true,
        "schema": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}}});
    let file = json!({"type": "file", "file": {"file_id": "file-1"}});
    let plain = json!({"role": "user", "content": "Ebb?"});
    let converse = json!([{"role": "user", "content": [{"text": "Ebb?"}]}]);
    vec![
        AppSide {
            format: "openai_chat",
            service: "openai",
            at: (HOST, PATH),
            bodies: vec![
                PLAIN.to_owned(),
                chat_tools().to_string(),
                chat(json!({"max_completion_tokens": 9, "seed": 7, "parallel_tool_calls": false})),
                chat(json!({"messages": [{"role": "developer", "content": "Brief."}, plain]})),
                chat(json!({"messages": [{"role": "system", "content": "Brief."}, {"role": "system", "content": "Kind."}, plain, plain]})),
                chat(json!({"messages": [plain, {"role": "assistant", "content": "At nine.", "refusal": null}, plain]})),
                chat(json!({"messages": [user(json!([file]))]})),
                chat(json!({"response_format": format, "top_k": 4, "user": "u"})),
                chat(json!({"odd": 1, "stop": ["a", "b"]})),
            ],
        },
        AppSide {
            format: "openai_responses",
            service: "openai",
            at: (HOST, RESPONSES),
            bodies: vec![
                r#"{ "input":"Ebb?","model" : "gpt-5.1"}"#.to_owned(),
                json!({"model": "gpt-5.1", "input": [plain, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "S"}, plain]})
                    .to_string(),
                json!({"model": "gpt-5.1", "input": "Ebb?", "tools": [{"type": "web_search"}]}).to_string(),
            ],
        },
        AppSide {
            format: "anthropic_messages",
            service: "anthropic",
            at: (CLAUDE, "/v1/messages"),
            bodies: vec![
                r#"{"model":"claude-sonnet-4-5", "max_tokens":9,"messages":[{"role":"user","content":"Ebb?"}]}"#.to_owned(),
                json!({"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [plain], "container": "c_1"}).to_string(),
                json!({"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [plain],
                    "tools": [{"type": "web_search_20260101", "name": "web_search"}]})
                .to_string(),
            ],
        },
        AppSide {
            format: "gemini",
            service: "gemini",
            at: (GEMINI, "/v1beta/models/gemini-3.5-flash:generateContent"),
            bodies: vec![
                r#"{"contents" : [{"role":"user","parts":[{"text":"Ebb?"}]}]}"#.to_owned(),
                json!({"contents": [{"parts": [{"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/1"}}]}]})
                    .to_string(),
            ],
        },
        AppSide {
            format: "bedrock_converse",
            service: "bedrock",
            at: (BEDROCK, "/model/anthropic.claude-sonnet-4-5/converse"),
            bodies: vec![
                json!({"messages": converse}).to_string(),
                json!({"messages": [{"role": "user", "content": [{"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/v"}}}}]}]})
                    .to_string(),
            ],
        },
    ]
}

fn service(id: &str) -> &'static Service {
    services::ALL.into_iter().find(|service| service.id == id).unwrap()
}

/// A model that is asked for in this format at a service.
fn model(format: &str, service: &str) -> &'static str {
    match (format, service) {
        ("anthropic_messages", _) => "claude-sonnet-4-5",
        ("gemini", _) => "gemini-3.5-pro",
        ("bedrock_converse", _) => "eu.anthropic.claude-sonnet-4-5",
        (_, "bedrock") => "openai.gpt-oss-120b",
        _ => "large-4",
    }
}

/// A backup of this format at a service.
fn backup(format: &str, service: &str) -> Moves {
    let more = match service {
        "azure" => format!("host: {AZURE}, deployment: ours, "),
        "bedrock" => "region: us-east-1, ".to_owned(),
        "vertex" => "region: europe-west4, host: aiplatform.googleapis.com, project: tides, ".to_owned(),
        _ => String::new(),
    };
    let kind = if matches!(service, "bedrock" | "vertex") { ", kind: bearer" } else { "" };
    let model = model(format, service);
    let backup = format!("provider: {service}, {more}model: {model}, credential: {{ file: eu{kind} }}");
    Moves { name: format!("{service}-{format}").replace('_', "-"), backup }
}

/// What the translation says of it.
fn expected(app: &AppSide, to: &'static Service, body: &str) -> Result<(String, String), String> {
    let (host, path) = app.at;
    let from = service(app.service);
    let recognised = (from.recognise)(&http::Method::POST, path);
    let addressed = (from.addressed)(host, path);
    let (dialect, operation) = (recognised.dialect, recognised.operation);
    let asked = App { service: from, dialect, operation, addressed: &addressed, path, query: None };
    let model = model(app.format, to.id);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let facts = PriceBook::builtin().facts(to.id, model, now.try_into().unwrap());
    let (deployment, region) = ((to.id == "azure").then_some("ours"), Some("europe-west4"));
    let place = Place::at(to, dialect, model).unwrap();
    assert_eq!(place.dialect.name(), app.format, "{}", to.id);
    let place = Place { deployment, region, project: Some("tides"), facts, ..place };
    let outgoing =
        translate::request(&asked, body.as_bytes(), &place).map_err(|refused| refused.to_string())?;
    Ok((outgoing.path, String::from_utf8(outgoing.body.to_vec()).unwrap()))
}

/// The services that speak an app's format.
fn speak(format: &'static str) -> impl Iterator<Item = &'static Service> {
    let claude = "anthropic_messages";
    let speaks = move |service: &&Service| {
        let written = service.speaks.iter().any(|(spoken, _)| *spoken == format);
        let at_google = service.id == "vertex" && format == claude;
        (written || at_google) && (service.serves)(format, model(format, service.id))
    };
    services::ALL.into_iter().filter(speaks)
}

#[tokio::test]
async fn every_service_that_speaks_the_apps_format_is_asked_as_the_translation_says() {
    let (mut sent_on, mut refused) = (0, 0);
    for app in sides() {
        let backups: Vec<Moves> = speak(app.format).map(|to| backup(app.format, to.id)).collect();
        for body in &app.bodies {
            let scene = scene(&backups).await;
            let mut told = Vec::new();
            for (to, Moves { name, .. }) in speak(app.format).zip(&backups) {
                let (_, _, got) = moved(&scene, app.at, name, body).await;
                let expected = expected(&app, to, body);
                let sent = got.map(|got| (got.path, got.body));
                assert_eq!(sent.as_ref(), expected.as_ref().ok(), "{name}: {body}\n{expected:?}");
                told.push(expected.err().map(|why| format!("{name}: {why}")));
            }
            let records = scene.end().await;
            assert_eq!(records.len(), told.len());
            for (record, told) in records.iter().zip(told) {
                *if told.is_some() { &mut refused } else { &mut sent_on } += 1;
                assert_eq!(record.routed.as_ref().unwrap().passed_over, Vec::from_iter(told));
            }
        }
    }
    assert!(sent_on > 100 && refused > 30, "{sent_on} {refused}");
}

#[tokio::test]
async fn the_same_provider_gets_the_apps_bytes_but_for_the_model() {
    let key = "credential: { file: eu }";
    let all = [
        moves("region", &format!("provider: openai, host: {EU}, {key}")),
        moves("model", &format!("provider: openai, host: {EU}, model: gpt-5-mini, {key}")),
        moves("claude", &format!("provider: anthropic, {key}")),
        moves("gemini", &format!("provider: gemini, {key}")),
        moves("groq", &format!("provider: groq, {key}")),
    ];
    let scene = scene(&all).await;
    let odd = r#"{ "odd":{"x":null}, "model" :"gpt-5.1","seed":7,"messages":[{"role":"developer","content":"Ebb?"}],"max_completion_tokens":9 }"#;
    let (_, answer, got) = moved(&scene, (HOST, PATH), "region", odd).await;
    assert_eq!((got.unwrap().body.as_str(), answer), (odd, good(&"gpt-5.1".into())));
    let (_, answer, got) = moved(&scene, (HOST, PATH), "model", odd).await;
    assert_eq!(
        (got.unwrap().body, answer),
        (odd.replace("gpt-5.1", "gpt-5-mini"), good(&"gpt-5-mini".into()))
    );
    let groq = r#"{"model":"m", "messages":[{"role":"user","content":"Ebb?"}],"reasoning_format":"hidden", "search_settings":null}"#;
    let (_, _, got) = moved(&scene, ("api.groq.com", "/openai/v1/chat/completions"), "groq", groq).await;
    assert_eq!(got.unwrap().body, groq, "members of its own are its own");
    let claude =
        r#"{"model":"claude-x", "max_tokens":9,"messages":[{"role":"user","content":"Ebb?"}], "newest":1}"#;
    let (_, _, got) = moved(&scene, (CLAUDE, "/v1/messages"), "claude", claude).await;
    assert_eq!(got.unwrap().body, claude);
    let gemini = r#"{"contents":[{"parts":[{"text":"Ebb?"}]}], "newest":1}"#;
    let path = "/v1beta/models/gemini-3.5-flash:streamGenerateContent";
    let (_, _, got) =
        moved(&scene, (GEMINI, &format!("{path}?alt=sse&key=of-the-app")), "gemini", gemini).await;
    let got = got.unwrap();
    assert_eq!((got.path.as_str(), got.body.as_str()), (path, gemini));
    for record in scene.end().await {
        let routed = record.routed.as_ref().unwrap();
        assert!(routed.losses.is_empty() && routed.passed_over.is_empty(), "{routed:?}");
    }
}
