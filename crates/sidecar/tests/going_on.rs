//! Streams of plain text that die after their first content and are gone on with by a backup, over real sockets: the app sees one whole
//! answer, or an honest error; nothing of it happens where the rule does not say so.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use outrigger_ledger::{CallRecord, Fate, Outcome, Provenance};
use outrigger_providers::FailureClass;
use outrigger_sidecar::{HangUp, Settings};
use serde_json::Value;

use crate::support::scene::{BACKUP, CLAUDE, Ending, PATH, Says, Scene, server_error};
use crate::support::{EU, HOST, within};

const STREAM: &str = r#"{"model":"gpt-4.1","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"When is the ebb?"}]}"#;
const RULES: &str = "rules:\n  - { name: chat, match: {}, deadlines: { betweenTokens: 300ms }, failover: { to: [eu], continueCutStreams: true } }\n";
const DONE: &str = "data: [DONE]\n\n";
const ERROR: &str =
    "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":\"server_error\"}}\n\n";

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"gpt-4.1\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn says(text: &str) -> String {
    chunk(&format!("{{\"content\":\"{text}\"}}"), "null")
}

fn usage(prompt: u64, completion: u64) -> String {
    format!(
        "data: {{\"id\":\"c\",\"model\":\"gpt-4.1\",\"choices\":[],\"usage\":{{\"prompt_tokens\":{prompt},\"completion_tokens\":{completion},\"total_tokens\":{}}}}}\n\n",
        prompt + completion
    )
}

/// A whole answer; its first text begins with an E, for which a break waits.
fn whole(texts: &[&str]) -> Vec<String> {
    let role = chunk("{\"role\":\"assistant\",\"content\":\"\"}", "null");
    let mut events = vec![role];
    events.extend(texts.iter().map(|text| says(text)));
    events.extend([chunk("{}", "\"stop\""), usage(30, 3), DONE.to_owned()]);
    events
}

fn began() -> Vec<String> {
    whole(&["Ebb ", "is at "])[..3].to_vec()
}

fn stream(pieces: Vec<String>, ending: Ending) -> Says {
    Says::Stream(pieces, ending)
}

struct Got {
    bytes: String,
    in_order: bool,
}

impl Got {
    fn events(&self) -> impl Iterator<Item = Value> {
        self.bytes.split("\n\n").filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok())
    }

    fn text(&self) -> String {
        let texts = self.events();
        texts.filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned())).collect()
    }

    fn ends_well(&self) -> bool {
        self.in_order && self.bytes.ends_with(DONE) && !self.bytes.contains("\"error\"")
    }
}

async fn call(scene: &Scene, body: &str) -> Got {
    let mut sender = scene.bench.h1(HOST).await;
    let request = Request::post(PATH).header("host", HOST).header("authorization", "Bearer sk-of-the-app");
    let request = request.body(Full::<Bytes>::from(body.to_owned())).unwrap();
    let answer = within(sender.send_request(request)).await.unwrap();
    let (bytes, in_order) = scene.read(answer.into_body()).await;
    Got { bytes, in_order }
}

fn seam(record: &CallRecord) -> (u64, u64) {
    let seam = record.routed.as_ref().unwrap().seam.unwrap();
    (seam.after, seam.overlap)
}

fn why_not(record: &CallRecord) -> Option<&'static str> {
    record.routed.as_ref().unwrap().not_continued
}

#[tokio::test]
async fn a_stream_that_dies_in_any_way_goes_on_at_the_backup_and_the_app_sees_one_answer() {
    let with = |more: &str| [began(), vec![more.to_owned()]].concat();
    for (what, pieces, ending, class) in [
        ("a break", began(), Ending::Broken, FailureClass::StreamCut),
        ("an end without its last word", began(), Ending::Clean, FailureClass::StreamCut),
        ("a half event", with("data: {\"choi"), Ending::Clean, FailureClass::StreamCut),
        ("silence", began(), Ending::Silent, FailureClass::Timeout),
        ("an error", with(ERROR), Ending::Clean, FailureClass::ServerError),
    ] {
        let scene = Scene::new(RULES).await;
        scene.says(HOST, [stream(pieces, ending)]);
        scene.says(EU, [stream(whole(&["ni", "ne."]), Ending::Clean)]);
        let got = call(&scene, STREAM).await;
        assert!(got.ends_well() && got.bytes.starts_with(&began().concat()), "{what}: {}", got.bytes);
        assert_eq!(got.text(), "Ebb is at nine.", "{what}");
        assert!(got.events().all(|event| event["id"] == "c" && event["model"] == "gpt-4.1"), "{what}");
        let roles = got.events().filter(|event| event["choices"][0]["delta"]["role"] == "assistant").count();
        assert_eq!((roles, scene.asked()), (1, (1, 1)), "{what}: it is one answer");

        let asked = scene.got().into_iter().find(|got| got.host == EU).unwrap();
        let asked: Value = serde_json::from_str(&asked.body).unwrap();
        let turns = asked["messages"].as_array().unwrap();
        let said = |at: usize| (turns[at]["role"].as_str().unwrap(), turns[at]["content"].as_str().unwrap());
        assert_eq!((turns.len(), asked["model"].as_str()), (3, Some("gpt-5-mini")), "{what}");
        assert_eq!((said(0), said(1)), (("user", "When is the ebb?"), ("assistant", "Ebb is at ")), "{what}");
        assert!(said(2).0 == "user" && said(2).1.contains("from the very next character"), "{what}");

        within(scene.bench.recorded(1)).await;
        let records = scene.end().await;
        let record = &records[0];
        let [first, second] = &*record.attempts else { panic!("{what}: {:?}", record.attempts) };
        assert_eq!((record.outcome, record.fate()), (Outcome::Answered, Some(Fate::Moved)), "{what}");
        assert_eq!((first.class, second.class, first.status), (Some(class), None, Some(200)), "{what}");
        assert_eq!((seam(record), why_not(record)), ((10, 0), None), "{what}");
        // Both are accounted: the first by what could be seen of it, the second by what it told.
        let used = first.used.as_ref().unwrap();
        assert!(used.tokens.prompt.is_some() && used.cost.total.is_some(), "{what}: {used:?}");
        assert_ne!(used.tokens.provenance, Provenance::Exact, "{what}");
        assert_eq!((record.tokens.usage.total_prompt(), second.used.is_none()), (Some(30), true), "{what}");
        let times = record.times;
        assert!(
            times.first_content.unwrap() < first.ended && times.responded < times.first_content,
            "{what}"
        );
    }
}

#[tokio::test]
async fn at_every_cut_the_app_has_the_whole_answer_or_an_error() {
    let texts = ["Ebb ", "is ", "at ", "nine."];
    let all = whole(&texts);
    let bytes = all.concat();
    let behind_text = bytes.find("\"stop\"").unwrap();
    let scene =
        Scene::new(&RULES.replace("failover", "breaker: { consecutive: 100, minCalls: 10000 }, failover"))
            .await;
    for cut in (1..bytes.len()).step_by(13) {
        let told = bytes[..cut].rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        let so_far = Got { bytes: told.to_owned(), in_order: true }.text();
        let rest = "Ebb is at nine."[so_far.len()..].to_owned();
        scene.says(HOST, [stream(vec![bytes[..cut].to_owned()], Ending::Clean)]);
        let second = if rest.is_empty() { whole(&[]) } else { whole(&[&rest]) };
        scene.says(EU, [stream(second, Ending::Clean)]);
        let got = call(&scene, STREAM).await;
        if got.ends_well() {
            assert_eq!(got.text(), "Ebb is at nine.", "cut at {cut}: {}", got.bytes);
        } else {
            assert!(cut > behind_text, "cut at {cut}: only behind the text nobody is asked: {}", got.bytes);
        }
    }
}

#[tokio::test]
async fn what_is_said_again_at_the_seam_is_left_out() {
    let scene = Scene::new(RULES).await;
    let first = ["Ebb begins when the moon has passed its height, and"];
    scene.says(HOST, [stream(whole(&first)[..2].to_vec(), Ending::Clean)]);
    scene.says(
        EU,
        [stream(whole(&["the moon has ", "passed its height, and ends", " at nine."]), Ending::Clean)],
    );
    let got = call(&scene, STREAM).await;
    assert_eq!(got.text(), format!("{} ends at nine.", first[0]));
    assert!(got.ends_well());
    within(scene.bench.recorded(1)).await;
    assert_eq!(seam(&scene.end().await[0]), (51, 35));
}

#[tokio::test]
async fn a_backup_of_another_format_goes_on_too() {
    let rules = "version: 1\nmode: act\nbackups:\n  claude: { provider: anthropic, model: claude-sonnet-4-5, credential: { file: eu } }\n\
                 rules:\n  - { name: chat, match: {}, failover: { to: [claude], continueCutStreams: true } }\n";
    let scene = Scene::with(Settings::default(), rules).await;
    scene.says(HOST, [stream(began(), Ending::Broken)]);
    let event = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        format!("event: {}\ndata: {text}\n\n", value["type"].as_str().unwrap())
    };
    let events = [
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"usage":{"input_tokens":40,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"nine."}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":4}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    scene.says(CLAUDE, [stream(events.map(event).to_vec(), Ending::Clean)]);
    let got = call(&scene, STREAM).await;
    assert!(got.ends_well(), "{}", got.bytes);
    assert_eq!(got.text(), "Ebb is at nine.");
    let told = got.events().find(|event| event["usage"]["prompt_tokens"].is_u64()).unwrap();
    assert_eq!((&told["usage"]["prompt_tokens"], &told["id"]), (&40.into(), &"c".into()));
    within(scene.bench.recorded(1)).await;
    assert_eq!((seam(&scene.end().await[0])), (10, 0));
}

#[tokio::test]
async fn where_nobody_can_go_on_the_app_is_told_and_each_attempt_has_its_row() {
    for (what, second, class) in [
        ("a refusal", server_error(), FailureClass::ServerError),
        (
            "a stream without content",
            stream(whole(&[])[..1].to_vec(), Ending::Clean),
            FailureClass::StreamCut,
        ),
    ] {
        for (ending, more, told) in [
            (Ending::Broken, Vec::new(), "broke off before its end"),
            (Ending::Clean, Vec::new(), "ended before it was complete"),
            (Ending::Silent, Vec::new(), "betweenTokens"),
            (Ending::Clean, vec![ERROR.to_owned()], "\"no\""),
        ] {
            let scene = Scene::new(RULES).await;
            scene.says(HOST, [stream([began(), more].concat(), ending)]);
            scene.says(EU, [second.clone()]);
            let got = call(&scene, STREAM).await;
            let rest = got.bytes.strip_prefix(&began().concat()).unwrap();
            assert!(rest.starts_with("data: {\"error\":") && rest.contains(told), "{what}: {rest}");
            within(scene.bench.recorded(1)).await;
            let records = scene.end().await;
            let record = &records[0];
            assert_eq!((record.outcome, record.fate()), (Outcome::Failed, Some(Fate::Exhausted)), "{what}");
            let [first, second] = &*record.attempts else { panic!("{:?}", record.attempts) };
            assert_eq!((record.serving().unwrap().number, second.class), (1, Some(class)), "{what}");
            assert!(first.used.is_none() && second.used.is_some(), "{what}: the first is the call's");
            assert!(record.tokens.prompt.is_some(), "{what}: {:?}", record.tokens);
            assert!(record.routed.as_ref().unwrap().seam.is_none(), "{what}");
        }
    }
}

#[tokio::test]
async fn a_rest_that_dies_too_is_an_error_and_no_second_seam() {
    for ending in [Ending::Clean, Ending::Silent] {
        let scene = Scene::new(RULES).await;
        scene.says(HOST, [stream(began(), Ending::Broken)]);
        scene.says(EU, [stream(whole(&["ni"])[..2].to_vec(), ending)]);
        let got = call(&scene, STREAM).await;
        assert_eq!((got.text().as_str(), scene.asked()), ("Ebb is at ni", (1, 1)));
        assert!(got.bytes.contains("\"error\"") && !got.bytes.contains(DONE), "{}", got.bytes);
        within(scene.bench.recorded(1)).await;
        let records = scene.end().await;
        assert_eq!((records[0].outcome, seam(&records[0])), (Outcome::Failed, (10, 0)));
    }
}

#[tokio::test]
async fn a_backup_that_is_silent_is_bounded_by_the_total() {
    let rules = RULES.replace("betweenTokens: 300ms", "total: 600ms");
    for second in [Says::Nothing, stream(whole(&["ni"])[..2].to_vec(), Ending::Silent)] {
        let scene = Scene::new(&rules).await;
        scene.says(HOST, [stream(began(), Ending::Broken)]);
        scene.says(EU, [second]);
        let got = call(&scene, STREAM).await;
        assert!(got.bytes.starts_with(&began().concat()) && got.bytes.contains("\"error\""), "{}", got.bytes);
        assert_eq!(scene.asked(), (1, 1));
    }
}

#[tokio::test]
async fn an_app_that_leaves_meanwhile_ends_the_backups_call() {
    let scene =
        Scene::with(Settings { hang_up: HangUp::Cancel, ..Settings::default() }, &format!("{BACKUP}{RULES}"))
            .await;
    scene.says(HOST, [stream(began(), Ending::Clean)]);
    scene.says(EU, [Says::Nothing]);
    let mut sender = scene.bench.h1(HOST).await;
    let request = Request::post(PATH).header("host", HOST).body(Full::<Bytes>::from(STREAM)).unwrap();
    let mut body = within(sender.send_request(request)).await.unwrap().into_body();
    let mut has = String::new();
    while has != began().concat() {
        let frame = within(body.frame()).await.unwrap().unwrap();
        has.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    // The backup is asked while the app waits.
    let asked = async {
        while scene.asked().1 == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = within(asked) => {}
        frame = body.frame() => panic!("{frame:?}"),
    }
    drop((body, sender));
    within(scene.bench.recorded(1)).await;
    let records = scene.end().await;
    assert_eq!((records[0].outcome, records[0].attempts.len()), (Outcome::Cancelled, 2));
    assert_eq!(records[0].serving().unwrap().number, 1);
}

#[tokio::test]
async fn only_a_stream_that_may_be_gone_on_with_is_asked_for_without_encoding() {
    let plain = STREAM.replace("true", "false");
    let bare = RULES.replace(", continueCutStreams: true", "");
    for (what, rules, body, credential, asked) in [
        ("a stream", RULES, STREAM, "Bearer sk-of-the-app", "identity"),
        ("an answer in one piece", RULES, &*plain, "Bearer sk-of-the-app", "gzip, br"),
        ("a signed stream", RULES, STREAM, "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE", "gzip, br"),
        ("without the rule's word", &*bare, STREAM, "Bearer sk-of-the-app", "gzip, br"),
    ] {
        let scene = Scene::new(rules).await;
        scene.says(HOST, [stream(whole(&["Ebb."]), Ending::Clean)]);
        let mut sender = scene.bench.h1(HOST).await;
        let request = Request::post(PATH).header("host", HOST).header("authorization", credential);
        let request =
            request.header("accept-encoding", "gzip, br").body(Full::<Bytes>::from(body.to_owned()));
        let answer = within(sender.send_request(request.unwrap())).await.unwrap();
        within(answer.into_body().collect()).await.unwrap();
        assert_eq!(scene.got()[0].headers["accept-encoding"], asked, "{what}");
    }
}

#[tokio::test]
async fn without_the_rules_word_and_for_more_than_plain_text_it_stays_as_it_was() {
    let more = |more: &str| STREAM.replace("\"stream\":true", &format!("\"stream\":true,{more}"));
    let other =
        [whole(&["Ebb "])[..2].to_vec(), vec![chunk("{\"reasoning_content\":\"Hm\"}", "null")]].concat();
    let off = RULES.replace("continueCutStreams: true", "continueCutStreams: false");
    let elsewhere =
        RULES.replace("continueCutStreams: true", "when: [server_error], continueCutStreams: true");
    for (what, rules, body, pieces, why) in [
        ("it is off", &*off, STREAM.to_owned(), began(), None),
        (
            "it is off by default",
            "rules:\n  - { name: chat, match: {}, failover: { to: [eu] } }\n",
            STREAM.to_owned(),
            began(),
            None,
        ),
        (
            "tools",
            RULES,
            more(r#""tools":[{"type":"function","function":{"name":"f"}}]"#),
            began(),
            Some("it offers tools"),
        ),
        (
            "JSON",
            RULES,
            more(r#""response_format":{"type":"json_object"}"#),
            began(),
            Some("it asks for an answer of a certain form"),
        ),
        ("two answers", RULES, more(r#""n":2"#), began(), Some("it asks for more than one answer")),
        ("thoughts", RULES, STREAM.to_owned(), other, Some("it is more than one plain text")),
        (
            "another class",
            &elsewhere,
            STREAM.to_owned(),
            began(),
            Some("its rule does not fail over for what it died of"),
        ),
    ] {
        let scene = Scene::new(rules).await;
        scene.says(HOST, [stream(pieces.clone(), Ending::Clean)]);
        scene.says(EU, [stream(whole(&["nine."]), Ending::Clean)]);
        let got = call(&scene, &body).await;
        let rest =
            got.bytes.strip_prefix(&pieces.concat()).unwrap_or_else(|| panic!("{what}: {}", got.bytes));
        assert!(
            rest.starts_with("data: {\"error\":") && rest.contains("ended before it was complete"),
            "{what}: {rest}"
        );
        assert_eq!(scene.asked(), (1, 0), "{what}");
        within(scene.bench.recorded(1)).await;
        let records = scene.end().await;
        assert_eq!((records[0].outcome, why_not(&records[0])), (Outcome::Failed, why), "{what}");
    }
    // And what does not die is the provider's own, to the byte, and nothing is said of it.
    let scene = Scene::new(RULES).await;
    let all = whole(&["Ebb ", "is at ", "nine."]);
    for body in [STREAM.to_owned(), more(r#""tools":[{"type":"function","function":{"name":"f"}}]"#)] {
        for pieces in [all.clone(), vec![all.concat()], all.concat().chars().map(String::from).collect()] {
            scene.says(HOST, [stream(pieces, Ending::Clean)]);
            let got = call(&scene, &body).await;
            assert_eq!((got.bytes, got.in_order), (all.concat(), true));
        }
    }
    within(scene.bench.recorded(6)).await;
    assert!(
        scene
            .end()
            .await
            .iter()
            .all(|record| why_not(record).is_none() && record.outcome == Outcome::Answered)
    );
}
