//! A stream costs a call no allocation per frame, whatever its format: what is watched is looked at where it lies.

use std::sync::Arc;

use allocation_counter::measure;
use http::{HeaderMap, Method, StatusCode};
use outrigger_ledger::{Call, CallId, CallStart, End, Mode, Outcome, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::services;

use crate::support::START;
use crate::support::bodies;

/// Frames that are shown, after as many that make everything ready.
const FRAMES: usize = 10_000;

#[test]
fn a_frame_is_shown_without_an_allocation() {
    for script in bodies::streams() {
        let body = String::from_utf8(script.body()).unwrap();
        let at = body.find("Grüße").unwrap();
        // The event with the content, over and over, between what comes before and after it.
        let begin = body[..at].rfind("\n\n").unwrap() + 2;
        let end = at + body[at..].find("\n\n").unwrap() + 2;
        let service = services::by_host(script.host).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "text/event-stream".parse().unwrap());
        let call = Call::begin(CallStart {
            id: CallId([7; 16]),
            service,
            recognised: (service.recognise)(&Method::POST, script.path),
            mode: Mode::Connect,
            method: &Method::POST,
            path: script.path,
            query: None,
            headers: &HeaderMap::new(),
            host: script.host,
            port: 443,
            http_version: "2",
            identity: &Arc::default(),
            at: Timestamp(START),
        });
        // Nobody asks for content; the times between the frames are told.
        let mut call = call.with_room(None, &headers).with_chunk_times(true);
        script.request.iter().for_each(|bytes| call.request_chunk(bytes));
        call.response_head(StatusCode::OK, &headers, Timestamp(START));
        call.response_chunk(&body.as_bytes()[..begin], Timestamp(START));
        let frame = &body.as_bytes()[begin..end];
        let mut show = || (0..FRAMES).for_each(|_| call.response_chunk(frame, Timestamp(START + 1)));
        show();
        let took = measure(&mut show);
        assert_eq!(took.count_total, 0, "{}: {took:?}", script.path);
        call.response_chunk(&body.as_bytes()[end..], Timestamp(START + 2));
        let record = call.finish(End::Complete, Timestamp(START + 2), PriceBook::builtin());
        assert_eq!(record.outcome, Outcome::Answered, "{}", script.path);
        let told: usize =
            record.chunk_times.iter().flat_map(|it| it.means()).map(|(count, _)| count as usize).sum();
        assert!(told >= 2 * FRAMES, "{}: {told}", script.path);
        assert!(record.transport.response_bytes > (2 * FRAMES * frame.len()) as u64);
    }
}
