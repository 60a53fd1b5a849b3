//! Calls of every wire format and service as their apps send them and their providers answer, from the fixtures of `providers`.

use crate::cases::{self, Answer, Case};
use crate::support::wire::{Framing, Message};

/// How an app asks for the usage of its stream.
const OPTIONS: &str = r#","stream_options":{"include_usage":true}"#;

/// What is sent, on the way there and back.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) request: Message,
    pub(crate) answer: Message,
    pub(crate) h2: bool,
}

/// A case's place: what its folder tells, or where its format is at home.
fn place(case: &Case, streams: bool) -> (String, String) {
    let told = case.expected[if streams { "path_stream" } else { "path_plain" }].as_str();
    let (host, path) = match case.name.as_str() {
        "openai_chat" => ("api.openai.com", "/v1/chat/completions"),
        "openai_responses" => ("api.openai.com", "/v1/responses"),
        "openai_completions" => ("api.openai.com", "/v1/completions"),
        "openai_embeddings" => ("api.openai.com", "/v1/embeddings"),
        "openai_media" => ("api.openai.com", "/v1/images/generations"),
        "anthropic_messages" => ("api.anthropic.com", "/v1/messages"),
        "gemini_interactions" => ("generativelanguage.googleapis.com", "/v1beta/interactions"),
        "cohere" => ("api.cohere.com", "/v2/chat"),
        "ollama" => ("ollama.com", "/api/chat"),
        name => {
            let service = case.service.unwrap_or_else(|| panic!("where is {name} spoken?"));
            (
                service.hosts.first().copied().unwrap_or_default(),
                told.unwrap_or_else(|| panic!("{name} has no path")),
            )
        }
    };
    let host = case.expected["host"].as_str().unwrap_or(host);
    (host.to_owned(), told.unwrap_or(path).to_owned())
}

fn request(case: &Case, answer: &Answer, body: &[u8]) -> (String, Message) {
    let (host, mut path) = place(case, answer.streams);
    if answer.kind == "text/event-stream" && path.contains(":stream") {
        path.push_str("?alt=sse&key=a%2Fb");
    }
    let signed = "AWS4-HMAC-SHA256 Credential=AKIA/20261126/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=ab";
    let key = if host.starts_with("bedrock") { signed } else { "Bearer sk-harbour-0123456789" };
    let fields = [
        ("host", host.as_str()),
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "gzip"),
        ("Accept-Encoding", "gzip, br"),
        ("authorization", key),
        ("Content-Type", "application/json"),
        ("X-Stainless-Lang", "python"),
        ("x-outrigger-step", "plan"),
        ("Idempotency-Key", "a"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    (host.clone(), Message::new(&format!("POST {path} HTTP/1.1"), &fields, Framing::Length, body))
}

fn reply(answer: &Answer, body: &[u8]) -> Message {
    let framing = if answer.streams { Framing::Chunked } else { Framing::Length };
    let fields = [
        ("Date", "Thu, 26 Nov 2026 10:00:00 GMT"),
        ("content-type", answer.kind),
        ("Connection", "keep-alive"),
        ("Keep-Alive", "timeout=5"),
        ("alt-svc", "h3=\":443\"; ma=86400"),
        ("X-Request-ID", "req_1"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
    ];
    Message::new("HTTP/1.1 200 OK", &fields, framing, body)
}

/// As HTTP/2 may say it: nothing in it is about one hop.
fn framed(exchange: &Exchange) -> Exchange {
    let mut other = exchange.clone();
    let path = exchange.request.start.split(' ').nth(1).unwrap();
    other.request = exchange.request.clone().lower();
    other.request.start = format!("POST https://{}{path}", exchange.host);
    other.answer = exchange.answer.clone().lower();
    other.answer.start = "200".to_owned();
    for message in [&mut other.request, &mut other.answer] {
        let hop = ["host", "connection", "keep-alive", "x-hop", "te"];
        message.fields.retain(|(name, _)| !hop.contains(&name.as_str()));
    }
    other.h2 = true;
    other
}

/// Every case in every form.
pub(crate) fn exchanges() -> Vec<Exchange> {
    let mut all = Vec::new();
    // What nobody has registered is not listed.
    for case in cases::cases().iter().filter(|case| !case.name.starts_with("newcomers") && !is_newcomer(case))
    {
        for answer in &case.answers {
            let body =
                if answer.streams { case.request_stream.as_deref().unwrap() } else { &case.request_plain };
            let mut bodies = vec![body.to_vec()];
            let text = String::from_utf8_lossy(body);
            if text.contains(OPTIONS) {
                // The same from apps that do not ask, or ask for something else.
                for other in [
                    "",
                    r#","stream_options":{"include_usage":false}"#,
                    r#","stream_options":{"include_usage":null}"#,
                    r#","stream_options":{"chunk":1}"#,
                ] {
                    bodies.push(text.replace(OPTIONS, other).into_bytes());
                }
            }
            for body in bodies {
                let (host, request) = request(case, answer, &body);
                let name = format!("{}, {}", case.name, answer.file);
                let h1 = Exchange { name, host, request, answer: reply(answer, &answer.bytes), h2: false };
                all.push(framed(&h1));
                all.push(h1);
            }
        }
    }
    let first = all.iter().find(|one| !one.h2 && one.name == "openai_chat, answer_plain.json").unwrap();
    let mut waits = Exchange { name: "an app that waits to be asked".to_owned(), ..first.clone() };
    waits.request.fields.push(("Expect".to_owned(), "100-continue".to_owned()));
    let mut old = Exchange { name: "an old provider".to_owned(), ..first.clone() };
    old.answer.start = "HTTP/1.0 200 OK".to_owned();
    old.answer.framing = Framing::Close;
    old.answer
        .fields
        .retain(|(name, _)| !["Content-Length", "Connection", "Keep-Alive"].contains(&name.as_str()));
    let asking = all.iter().find(|one| !one.h2 && is_asked(one)).unwrap();
    let mut digested = Exchange { name: "a stream with a digest".to_owned(), ..asking.clone() };
    digested.answer = reply_with_digest(&digested.answer);
    let mut spelled = Exchange { name: "odd spelling".to_owned(), ..first.clone() };
    for message in [&mut spelled.request, &mut spelled.answer] {
        let odd = [("X-Odd", "  a "), ("X-Twice", "1"), ("X-Other", "2"), ("x-twice", "3"), ("X-Empty", "")];
        message.fields.extend(odd.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    spelled.answer.start = "HTTP/1.1 200 Very Well".to_owned();
    all.extend([waits, old, digested, spelled]);
    all
}

fn reply_with_digest(answer: &Message) -> Message {
    let mut fields = answer.fields.clone();
    fields.push(("Content-Digest".to_owned(), "sha-256=:YWJj:".to_owned()));
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Message::new(&answer.start, &fields, Framing::Length, &answer.body)
}

/// A stream of Chat Completions or Completions whose app does not ask for the usage.
fn is_asked(exchange: &Exchange) -> bool {
    let text = String::from_utf8_lossy(&exchange.request.body);
    exchange.name == "openai_chat, answer_stream.sse" && !text.contains("stream_options")
}

fn is_newcomer(case: &Case) -> bool {
    cases::newcomers::DIALECTS.iter().any(|dialect| dialect.name() == case.dialect.name())
        || case
            .service
            .is_some_and(|service| cases::newcomers::SERVICES.iter().any(|one| one.id == service.id))
}
