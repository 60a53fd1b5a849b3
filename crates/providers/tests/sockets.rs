//! What every wire format that is spoken over WebSockets must do, whatever it is: run over the registry, naming none.

use http::Method;
use outrigger_providers::{Peer, SocketEvent, SocketMeter, dialects, services};
use proptest::prelude::*;

/// Shows a message in pieces of `size`.
fn show(meter: &mut dyn SocketMeter, from: Peer, text: &str, size: usize) -> Vec<SocketEvent> {
    let mut events = Vec::new();
    meter.begin(from, true);
    for piece in text.as_bytes().chunks(size) {
        if !meter.part(from, piece) {
            break;
        }
    }
    meter.end(from, &mut |event| events.push(event));
    events
}

fn finish(meter: &mut dyn SocketMeter) -> Vec<SocketEvent> {
    let mut events = Vec::new();
    meter.finish(&mut |event| events.push(event));
    events
}

const ASK: &str = r#"{"type":"response.create","response":{}}"#;
const BEGUN: &str = r#"{"type":"response.created","response":{"id":"resp_1"}}"#;

#[test]
fn a_response_that_is_asked_for_ends_once_even_if_nothing_more_is_seen() {
    for dialect in dialects::SOCKETS {
        let name = dialect.name();
        let mut meter = dialect.socket_meter(None).unwrap();
        assert_eq!(show(&mut *meter, Peer::Client, ASK, 7), [SocketEvent::Asked(1)], "{name}");
        assert_eq!(show(&mut *meter, Peer::Server, BEGUN, 7), [SocketEvent::Begun(1)], "{name}");
        let [SocketEvent::Ended(ended)] = &finish(&mut *meter)[..] else { panic!("{name}") };
        assert_eq!((ended.number, ended.reading.usage_final), (1, false), "{name}");
        assert!(finish(&mut *meter).is_empty(), "{name}");
    }
}

#[test]
fn what_is_under_way_is_bounded_and_none_is_lost() {
    for dialect in dialects::SOCKETS {
        let mut meter = dialect.socket_meter(None).unwrap();
        let mut ended = 0;
        for _ in 0..1_000 {
            let events = show(&mut *meter, Peer::Client, ASK, 100);
            ended += events.iter().filter(|event| matches!(event, SocketEvent::Ended(_))).count();
        }
        assert!(ended > 900, "{}: {ended} were given up", dialect.name());
        assert_eq!(ended + finish(&mut *meter).len(), 1_000, "{}", dialect.name());
    }
}

#[test]
fn long_messages_and_binary_ones_are_stepped_over() {
    for dialect in dialects::SOCKETS {
        let mut meter = dialect.socket_meter(None).unwrap();
        meter.begin(Peer::Client, true);
        let mut wanted = meter.part(Peer::Client, br#"{"type":"input_audio_buffer.append","audio":""#);
        assert!(!wanted, "{}: sound is not looked at", dialect.name());
        meter.begin(Peer::Server, false);
        wanted = meter.part(Peer::Server, b"\x00\x01");
        assert!(!wanted, "{}", dialect.name());
        meter.end(Peer::Server, &mut |event| panic!("{event:?}"));
        // A request of 50 MB whose model stands at its end.
        meter.begin(Peer::Client, true);
        assert!(meter.part(Peer::Client, br#"{"type":"response.create","input":""#));
        for _ in 0..50 {
            assert!(meter.part(Peer::Client, &[b'x'; 1_000_000]));
        }
        meter.part(Peer::Client, br#"","model":"last"}"#);
        let mut asked = 0;
        meter.end(Peer::Client, &mut |_| asked += 1);
        assert_eq!(asked, 1, "{}", dialect.name());
    }
}

#[test]
fn sockets_are_recognised_and_lead_to_registered_formats() {
    for service in services::ALL {
        assert!((service.recognise_socket)("/v1/unheard-of").is_none(), "{}", service.id);
        for path in ["/v1/responses", "/v1/realtime"] {
            let Some(recognised) = (service.recognise_socket)(path) else { continue };
            assert!(dialects::SOCKETS.iter().any(|known| known.name() == recognised.dialect.name()));
            assert!(recognised.operation.is_inference());
            // What is no WebSocket is what it was.
            assert!(!(service.recognise)(&Method::GET, path).operation.is_inference());
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_is_said_makes_it_panic_and_every_end_was_asked(
        said in prop::collection::vec((any::<bool>(), prop_oneof![
            Just(ASK.to_owned()), Just(BEGUN.to_owned()),
            Just(r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed"}}"#.to_owned()),
            Just(r#"{"type":"response.done","response":{"id":"resp_1","status":"cancelled","usage":{"input_tokens":-1}}}"#.to_owned()),
            Just(r#"{"type":"error","error":"tide"}"#.to_owned()),
            Just(r#"{"type":"response.output_text.delta","delta":"x"}"#.to_owned()),
            "[{}\\[\\]\":,a-z]{0,40}",
        ]), 0..30), size in 1usize..60,
    ) {
        for dialect in dialects::SOCKETS {
            let mut meter = dialect.socket_meter(Some("model=m&x")).unwrap();
            let (mut asked, mut ended) = (Vec::new(), Vec::new());
            let mut count = |events: Vec<SocketEvent>| for event in events {
                match event {
                    SocketEvent::Asked(number) => asked.push(number),
                    SocketEvent::Ended(one) => ended.push(one.number),
                    SocketEvent::Begun(_) | SocketEvent::Content(_) => {}
                }
            };
            for (client, text) in &said {
                let from = if *client { Peer::Client } else { Peer::Server };
                count(show(&mut *meter, from, text, size));
            }
            count(finish(&mut *meter));
            ended.sort_unstable();
            prop_assert_eq!(ended, asked);
        }
    }
}
