//! Streams of Chat's as a test's server says them, and what an app has of them.

use http::{Request, StatusCode};
use http_body_util::Full;
use outrigger_ledger::CallRecord;
use outrigger_providers::FailureClass;

use crate::support::scene::{Ending, PATH, Says, Scene};
use crate::support::{HOST, within};

pub(crate) const STREAM: &str =
    r#"{"model":"gpt-5.1","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
pub(crate) const ROLE: &str = "data: {\"id\":\"c\",\"model\":\"gpt-5.1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
pub(crate) const EBB: &str = "data: {\"id\":\"c\",\"model\":\"gpt-5.1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Ebb\"},\"finish_reason\":null}]}\n\n";
pub(crate) const FINISH: &str = "data: {\"id\":\"c\",\"model\":\"gpt-5.1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
pub(crate) const USAGE: &str = "data: {\"id\":\"c\",\"model\":\"gpt-5.1\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}\n\n";
pub(crate) const DONE: &str = "data: [DONE]\n\n";
pub(crate) const WHOLE: [&str; 6] = [ROLE, EBB, EBB, FINISH, USAGE, DONE];

pub(crate) const MOVED: &str = "rules:\n  - { name: chat, match: {}, failover: { to: [eu] } }\n";

pub(crate) fn stream(pieces: &[&str], ending: Ending) -> Says {
    Says::Stream(pieces.iter().map(|piece| (*piece).to_owned()).collect(), ending)
}

/// What the app has of a stream, and whether it ended in order.
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    pub(crate) in_order: bool,
}

pub(crate) async fn call(scene: &Scene) -> Got {
    let mut sender = scene.bench.h1(HOST).await;
    let request = Request::post(PATH)
        .header("host", HOST)
        .header("authorization", "Bearer sk-of-the-app")
        .body(Full::<bytes::Bytes>::from(STREAM))
        .unwrap();
    let response = within(sender.send_request(request)).await.unwrap();
    let status = response.status();
    let (text, in_order) = scene.read(response.into_body()).await;
    Got { status, text, in_order }
}

pub(crate) fn classes(record: &CallRecord) -> Vec<Option<FailureClass>> {
    record.attempts.iter().map(|attempt| attempt.class).collect()
}
