//! One WebSocket, many calls: from the bytes of both directions to records.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use outrigger_ledger::{
    Call, CallId, CallRecord, CallStart, End, Mode, Outcome, Provenance, Socket, Timestamp, UnderWay,
};
use outrigger_pricing::{Meter, PriceBook};
use outrigger_providers::{FailureClass, Operation, Peer, Who, services};

use crate::support::START;

const MASK: [u8; 4] = [0x5a, 0x11, 0xf3, 0x08];

/// A text message in one frame.
fn frame(from: Peer, text: &str) -> Vec<u8> {
    framed(from, 0x81, text.as_bytes())
}

fn framed(from: Peer, first: u8, payload: &[u8]) -> Vec<u8> {
    let bit = if from == Peer::Client { 0x80 } else { 0 };
    let length = u16::try_from(payload.len()).unwrap();
    let mut bytes = vec![first, bit | 126];
    bytes.extend(length.to_be_bytes());
    if from == Peer::Client {
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        bytes.extend(payload);
    }
    bytes
}

/// A socket and what it has given so far; something happens every millisecond.
struct Bench {
    socket: Option<Socket>,
    records: Vec<CallRecord>,
    now: u64,
}

impl Bench {
    fn open(path: &str, query: Option<&str>, request: &HeaderMap, response: &HeaderMap) -> Bench {
        let service = services::by_host("api.openai.com").unwrap();
        let mut call = Call::begin(CallStart {
            id: CallId([0xcd; 16]),
            service,
            recognised: (service.recognise_socket)(path).unwrap(),
            mode: Mode::Transparent,
            method: &Method::GET,
            path,
            query,
            headers: request,
            host: "api.openai.com",
            port: 443,
            http_version: "1.1",
            identity: &Arc::default(),
            at: Timestamp(START),
        });
        call.response_head(StatusCode::SWITCHING_PROTOCOLS, response, Timestamp(START));
        let socket = call
            .into_socket(query, request, response, &std::sync::Arc::new(PriceBook::builtin().clone()))
            .ok();
        assert!(socket.is_some());
        Bench { socket, records: Vec::new(), now: START }
    }

    fn plain(path: &str) -> Bench {
        Bench::open(path, Some("model=gpt-realtime"), &HeaderMap::new(), &HeaderMap::new())
    }

    fn bytes(&mut self, from: Peer, bytes: &[u8]) {
        self.now += 1_000_000;
        let records = &mut self.records;
        self.socket
            .as_mut()
            .unwrap()
            .bytes(from, bytes, Timestamp(self.now), &mut |record| records.push(record));
    }

    fn client(&mut self, text: &str) {
        self.bytes(Peer::Client, &frame(Peer::Client, text));
    }

    fn server(&mut self, text: &str) {
        self.bytes(Peer::Server, &frame(Peer::Server, text));
    }

    fn end(mut self, end: &End) -> Vec<CallRecord> {
        let (at, records) = (Timestamp(self.now + 1_000_000), &mut self.records);
        self.socket.take().unwrap().finish(end, at, &mut |record| records.push(record));
        self.records
    }
}

const CREATE: &str = r#"{"type":"response.create","model":"gpt-5-mini","input":"Hi","max_output_tokens":64,"reasoning":{"effort":"low"},"user":"u_81"}"#;
const CREATED: &str = r#"{"type":"response.created","response":{"id":"resp_1","status":"in_progress","model":"gpt-5-mini-2025-08-07","usage":null}}"#;
const DELTA: &str = r#"{"type":"response.output_text.delta","item_id":"msg_1","delta":"Gr\u00fc\u00dfe"}"#;
const COMPLETED: &str = r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","model":"gpt-5-mini-2025-08-07","service_tier":"default","output":[{"type":"message"}],"usage":{"input_tokens":3000,"input_tokens_details":{"cached_tokens":1000},"output_tokens":600,"output_tokens_details":{"reasoning_tokens":100}}}}"#;

fn of(meter: Meter, record: &CallRecord) -> Option<u64> {
    record.tokens.usage.get(meter)
}

#[test]
fn each_response_is_a_call_with_its_own_times_tokens_and_dollars() {
    let mut bench = Bench::plain("/v1/responses");
    for _ in 0..2 {
        bench.client(CREATE);
        bench.server(CREATED);
        bench.server(DELTA);
        bench.server(DELTA);
        bench.server(COMPLETED);
    }
    let records = bench.end(&End::Cancelled);
    assert_eq!(records.len(), 2);
    assert_ne!(records[0].id, records[1].id);
    assert_ne!(records[0].span.span_id, records[1].span.span_id);
    for (turn, record) in (0..).zip(&records) {
        let at = |step: u64| Timestamp(START + (turn * 5 + step) * 1_000_000);
        assert_eq!((record.outcome, record.cause.as_ref()), (Outcome::Answered, None));
        assert_eq!(record.times.started, at(1));
        assert_eq!((record.times.responded, record.times.first_content), (Some(at(2)), Some(at(3))));
        assert_eq!(record.times.ended, at(5));
        assert_eq!(record.tokens.provenance, Provenance::Exact);
        assert_eq!((of(Meter::Input, record), of(Meter::Output, record)), (Some(2000), Some(500)));
        // 2,000 × $0.25, 1,000 × $0.025 and 600 × $2, per million.
        assert_eq!(record.cost.total.unwrap().to_string(), "0.001725");
        assert_eq!(record.facts.max_tokens, Some(64));
        assert_eq!((record.facts.stream, record.identity.get(Who::User)), (true, Some("u_81")));
        assert_eq!(record.finish_reasons, ["stop"]);
        assert_eq!(record.transport.request_bytes, frame(Peer::Client, CREATE).len() as u64);
        let attempt = &record.attempts[0];
        assert_eq!((attempt.status, attempt.method.as_str()), (Some(101), "GET"));
    }
}

#[test]
fn a_response_is_under_way_from_its_beginning_to_its_end_and_only_messages_show_that_it_lives() {
    let mut bench = Bench::plain("/v1/responses");
    let under_way = |bench: &Bench| bench.socket.as_ref().unwrap().under_way();
    let at = |step: u64| Timestamp(START + step * 1_000_000);
    bench.client(CREATE);
    assert_eq!(under_way(&bench), None, "asked for, not begun");
    bench.server(CREATED);
    let begun = under_way(&bench).unwrap();
    assert_eq!((begun.provider, begun.heard), ("openai", at(2)));
    bench.server(DELTA);
    assert_eq!(under_way(&bench), Some(UnderWay { heard: at(3), ..begun }));
    // A ping is answered whatever becomes of the response, and what the app says is no sign of the provider.
    bench.bytes(Peer::Client, &framed(Peer::Client, 0x89, b"still there?"));
    bench.bytes(Peer::Server, &framed(Peer::Server, 0x8a, b"still there?"));
    bench.client(r#"{"type":"response.cancel"}"#);
    assert_eq!(under_way(&bench), Some(UnderWay { heard: at(3), ..begun }));
    // The first frame of a message is a sign of life.
    let delta = DELTA.as_bytes();
    bench.bytes(Peer::Server, &framed(Peer::Server, 0x01, &delta[..9]));
    assert_eq!(under_way(&bench), Some(UnderWay { heard: at(7), ..begun }));
    bench.bytes(Peer::Server, &framed(Peer::Server, 0x80, &delta[9..]));
    bench.server(COMPLETED);
    assert_eq!(under_way(&bench), None);
    assert_eq!(bench.records[0].id, begun.call);
    // Frames that cannot be read say nothing more.
    bench.client(CREATE);
    bench.server(CREATED);
    assert!(under_way(&bench).is_some());
    bench.bytes(Peer::Server, &[0xff; 16]);
    assert_eq!(under_way(&bench), None);
}

#[test]
fn the_handshakes_headers_name_and_place_all_its_calls() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("x-outrigger-step", "plan"), ("traceparent", parent)];
    let request = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let mut bench = Bench::open("/v1/responses", None, &request.into_iter().collect(), &HeaderMap::new());
    for _ in 0..2 {
        bench.client(CREATE);
        bench.server(COMPLETED);
    }
    let records = bench.end(&End::Cancelled);
    for record in &records {
        assert_eq!(record.identity.get(Who::Step), Some("plan"));
        assert_eq!(record.span.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
        assert!(record.span.parent_span_id.is_some());
    }
    assert_eq!(records.len(), 2);
}

#[test]
fn how_a_socket_ends_decides_how_open_calls_ended() {
    for (end, outcome, class) in [
        (End::Cut, Outcome::Failed, Some(FailureClass::StreamCut)),
        (End::Cancelled, Outcome::Cancelled, None),
        (End::Abandoned, Outcome::Unknown, None),
    ] {
        let mut bench = Bench::plain("/v1/responses");
        bench.client(CREATE);
        bench.server(CREATED);
        bench.server(DELTA);
        let records = bench.end(&end);
        let [record] = &records[..] else { panic!("{records:?}") };
        assert_eq!(record.outcome, outcome);
        assert_eq!(record.cause.as_ref().map(|cause| cause.class), class);
        assert_eq!(record.tokens.provenance, Provenance::Unknown);
        assert_eq!(of(Meter::Output, record), None, "unknown is not zero");
        assert_eq!(record.cost.total, None);
    }
}

#[test]
fn an_error_event_fails_its_response_and_no_other() {
    let mut bench = Bench::plain("/v1/responses");
    for lane in ["ebb", "flood"] {
        bench.client(&CREATE.replacen('{', &format!(r#"{{"stream_id":"{lane}","#), 1));
    }
    bench.server(r#"{"type":"error","status":429,"stream_id":"flood","error":{"type":"requests","code":"rate_limit_exceeded","message":"slow"}}"#);
    bench.server(&COMPLETED.replacen('{', r#"{"stream_id":"ebb","#, 1));
    let records = bench.end(&End::Cancelled);
    assert_eq!(
        records.iter().map(|record| record.outcome).collect::<Vec<_>>(),
        [Outcome::Failed, Outcome::Answered]
    );
    let cause = records[0].cause.as_ref().unwrap();
    assert_eq!((cause.class, cause.error_type.as_str()), (FailureClass::RateLimit, "rate_limit_exceeded"));
    assert!(cause.text.starts_with("openai answered rate_limit_exceeded: "), "{}", cause.text);
    // The connection's age is nobody's failure.
    let mut bench = Bench::plain("/v1/responses");
    bench.server(r#"{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"websocket_connection_limit_reached","message":"60 minutes"}}"#);
    assert!(bench.end(&End::Cut).is_empty());
}

#[test]
fn a_realtime_session_knows_its_model_and_bills_what_a_voice_cut_short() {
    let mut bench = Bench::plain("/v1/realtime");
    bench.server(r#"{"type":"session.created","event_id":"e1","session":{"model":"gpt-realtime-2025-08-28","audio":{"input":{"transcription":{"model":"gpt-4o-transcribe"}}}}}"#);
    bench.server(
        r#"{"type":"response.created","event_id":"e2","response":{"id":"resp_1","status":"in_progress"}}"#,
    );
    bench.server(r#"{"type":"conversation.item.input_audio_transcription.delta","item_id":"i","delta":"x"}"#);
    bench.server(
        r#"{"type":"response.output_audio.delta","event_id":"e3","response_id":"resp_1","delta":"UklGRg=="}"#,
    );
    bench.server(r#"{"type":"response.done","event_id":"e4","response":{"id":"resp_1","status":"cancelled","status_details":{"type":"cancelled","reason":"turn_detected"},"usage":{"input_tokens":1100,"output_tokens":650,"input_token_details":{"text_tokens":100,"audio_tokens":1000,"cached_tokens":400,"cached_tokens_details":{"text_tokens":0,"audio_tokens":400}},"output_token_details":{"text_tokens":50,"audio_tokens":600}}}}"#);
    bench.server(r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":"x","usage":{"type":"duration","seconds":3.2}}"#);
    let records = bench.end(&End::Cancelled);
    let [turn, written] = &records[..] else { panic!("{records:?}") };
    assert_eq!((turn.outcome, turn.tokens.provenance), (Outcome::Cancelled, Provenance::Exact));
    assert_eq!(turn.cost.total.unwrap().to_string(), "0.05896");
    assert_eq!(turn.served_model.as_deref(), Some("gpt-realtime-2025-08-28"));
    assert_eq!(turn.facts.model.as_deref(), Some("gpt-realtime"), "the address names it");
    assert_eq!(turn.times.first_content, Some(Timestamp(START + 4_000_000)));
    assert_eq!(turn.finish_reasons, ["turn_detected"]);
    assert_eq!(written.operation, Operation::Transcription);
    assert_eq!((written.outcome, written.cost.total), (Outcome::Answered, None));
    assert!(written.tokens.reason.unwrap().contains("second"), "{:?}", written.tokens.reason);
}

#[test]
fn errors_of_a_session_end_only_what_they_concern() {
    let mut bench = Bench::plain("/v1/realtime");
    bench.client(r#"{"type":"response.create","event_id":"ask_1"}"#);
    bench.server(r#"{"type":"error","event_id":"e","error":{"type":"invalid_request_error","code":"invalid_value","message":"no","event_id":"other"}}"#);
    bench.server(r#"{"type":"error","event_id":"e","error":{"type":"invalid_request_error","code":"invalid_value","message":"no","event_id":"ask_1"}}"#);
    bench.server(r#"{"type":"error","event_id":"e","error":{"type":"insufficient_quota","code":"insufficient_quota","message":"no more"}}"#);
    let records = bench.end(&End::Cut);
    let classes: Vec<_> = records.iter().map(|record| record.cause.as_ref().unwrap().class).collect();
    assert_eq!(classes, [FailureClass::InvalidRequest, FailureClass::Quota]);
}

#[test]
fn what_cannot_be_read_is_unknown_and_said_once() {
    let unknown = [("sec-websocket-extensions".parse().unwrap(), "x-tide".parse().unwrap())];
    let mut bench = Bench::open("/v1/responses", None, &HeaderMap::new(), &unknown.into_iter().collect());
    bench.client(CREATE);
    bench.server(COMPLETED);
    let records = bench.end(&End::Cancelled);
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.outcome, record.tokens.provenance), (Outcome::Cancelled, Provenance::Unknown));
    assert_eq!(record.tokens.reason, Some("the WebSocket uses an extension that is not known"));

    let mut bench = Bench::plain("/v1/responses");
    bench.client(CREATE);
    bench.server(CREATED);
    bench.bytes(Peer::Server, &framed(Peer::Server, 0xf1, b"strange"));
    bench.server(COMPLETED);
    let records = bench.end(&End::Cancelled);
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.tokens.reason, Some("a WebSocket frame has a bit that nobody agreed on"));
}

#[test]
fn a_socket_reads_the_same_however_it_is_cut() {
    let run = |size: usize| {
        let mut bench = Bench::plain("/v1/responses");
        for _ in 0..3 {
            for (from, texts) in
                [(Peer::Client, vec![CREATE]), (Peer::Server, vec![CREATED, DELTA, COMPLETED])]
            {
                let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(from, text)).collect();
                for piece in bytes.chunks(size) {
                    bench.bytes(from, piece);
                }
            }
        }
        let mut records = bench.end(&End::Cancelled);
        for record in &mut records {
            record.times = outrigger_ledger::Times::default();
            record.transport = outrigger_ledger::Transport::default();
            record.attempts.clear();
        }
        records
    };
    let whole = run(usize::MAX);
    assert_eq!(whole.len(), 3);
    for size in [1, 2, 3, 7, 64, 300] {
        assert_eq!(run(size), whole, "in pieces of {size}");
    }
}

#[test]
fn a_socket_may_move_between_threads() {
    const fn is_send<T: Send>() {}
    const { is_send::<Socket>() }
}
