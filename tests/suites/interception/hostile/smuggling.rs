//! Requests whose end two readers could see in two places. The provider behind the sidecar never sees two requests where the
//! app sent one, nor one that differs from what was sent.

use std::cell::Cell;
use std::io::{Read, Write};
use std::time::Duration;

use outrigger_simulator::Config;
use outrigger_tests::app::{NAME, Pod, answer};
use outrigger_tests::h2;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, RngSeed, TestRunner};

use super::strict::{self, Request, Rest};
use super::upstream::{self, Upstream, agree};

/// Longer than a head may take: what is wrong in one that does not end is answered when its time is over.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends bytes and reads as many answers as there are whole requests, or up to the end where something was wrong. The answers'
/// statuses.
fn send(pod: &Pod, bytes: &[u8], whole: usize, to_the_end: bool) -> Vec<u16> {
    let mut app = pod.h1();
    app.sock.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    // It may be closed before everything is written.
    let _written = app.write_all(bytes).and_then(|()| app.flush());
    let mut statuses = Vec::new();
    while to_the_end || statuses.len() < whole {
        match answer(&mut app) {
            Ok((head, _)) => statuses.push(status(&head)),
            Err(error) => {
                let waiting =
                    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
                assert!(!waiting, "neither answered nor closed after {statuses:?}: {}", bytes.escape_ascii());
                break;
            }
        }
    }
    statuses
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line")
}

/// The requests that arrived for a case.
fn arrived(upstream: &Upstream, case: u32) -> Vec<Request> {
    let (in_target, in_header) = (format!("/case-{case}-"), case.to_string().into_bytes());
    let belongs = |request: &Request| {
        request.target.contains(&in_target)
            || request.headers.iter().any(|(name, value)| name == "x-case" && *value == in_header)
    };
    upstream.requests().into_iter().filter(belongs).collect()
}

/// Where every request of a named shape goes; `{}` is its case.
const BEHIND: &str = "GET /case-{}-behind HTTP/1.1\r\nHost: api.openai.com\r\n\r\n";

/// Shapes by name: what is sent behind `POST /case-{}-first HTTP/1.1\r\nHost: api.openai.com\r\n` unless it begins with a method.
const SHAPES: [(&str, &str); 46] = [
    ("CL.TE", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("CL.TE of no length", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("two codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{BEHIND}"),
    (
        "two codings, the other way",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{BEHIND}",
    ),
    ("chunked twice", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("another coding first", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("chunked not last", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("almost chunked", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("chunked with a parameter", "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("chunked in quotes", "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("chunked behind a vertical tab", "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("chunked behind a NUL", "Transfer-Encoding: \0chunked\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("no coding at all", "Transfer-Encoding:\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("a space before the colon", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("a tab before the colon", "Content-Length\t: 4\r\n\r\nabcd{BEHIND}"),
    ("a folded coding", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("a folded header", "A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{BEHIND}"),
    (
        "a header line that begins with a space",
        " Transfer-Encoding: chunked\r\nA: b\r\n\r\n0\r\n\r\n{BEHIND}",
    ),
    ("a name with a CR", "A: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("a bare LF in the head", "A: b\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{BEHIND}"),
    ("a head that ends in bare LFs", "Content-Length: 4\n\nabcd{BEHIND}"),
    ("a head that ends in LF CR", "Content-Length: 4\r\n\n\rabcd{BEHIND}"),
    ("two lengths", "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde{BEHIND}"),
    ("a list of lengths", "Content-Length: 4, 4\r\n\r\nabcd{BEHIND}"),
    ("a signed length", "Content-Length: +4\r\n\r\nabcd{BEHIND}"),
    ("a negative length", "Content-Length: -4\r\n\r\nabcd{BEHIND}"),
    ("a hexadecimal length", "Content-Length: 0x4\r\n\r\nabcd{BEHIND}"),
    ("a length with a space", "Content-Length: 4 0\r\n\r\nabcd{BEHIND}"),
    ("a length beyond all numbers", "Content-Length: 18446744073709551620\r\n\r\nabcd{BEHIND}"),
    ("an empty length", "Content-Length:\r\n\r\n{BEHIND}"),
    (
        "a hexadecimal mark in a chunk's size",
        "Transfer-Encoding: chunked\r\n\r\n0x4\r\nabcd\r\n0\r\n\r\n{BEHIND}",
    ),
    ("a negative chunk", "Transfer-Encoding: chunked\r\n\r\n-4\r\nabcd\r\n0\r\n\r\n{BEHIND}"),
    (
        "a chunk's size beyond all numbers",
        "Transfer-Encoding: chunked\r\n\r\n10000000000000004\r\nabcd\r\n0\r\n\r\n{BEHIND}",
    ),
    (
        "a chunk's size with a space behind",
        "Transfer-Encoding: chunked\r\n\r\n4 \r\nabcd\r\n0\r\n\r\n{BEHIND}",
    ),
    ("a bare LF behind a chunk's size", "Transfer-Encoding: chunked\r\n\r\n4\nabcd\r\n0\r\n\r\n{BEHIND}"),
    (
        "a bare LF in a chunk's extension",
        "Transfer-Encoding: chunked\r\n\r\n4;a\nb\r\nabcd\r\n0\r\n\r\n{BEHIND}",
    ),
    ("a chunk longer than it says", "Transfer-Encoding: chunked\r\n\r\n4\r\nabcdef\r\n0\r\n\r\n{BEHIND}"),
    ("a bare LF behind a chunk", "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\n0\r\n\r\n{BEHIND}"),
    ("a bare LF in the trailers", "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n{BEHIND}"),
    (
        "HTTP/1.0 with a coding",
        "POST /case-{}-first HTTP/1.0\r\nHost: api.openai.com\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{BEHIND}",
    ),
    ("HTTP/0.9", "GET /case-{}-first\r\n\r\n{BEHIND}"),
    ("HTTP/2 in the clear", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{BEHIND}"),
    ("another version", "POST /case-{}-first HTTP/1.2\r\nHost: api.openai.com\r\n\r\n{BEHIND}"),
    ("a request line with a tab", "POST\t/case-{}-first HTTP/1.1\r\nHost: api.openai.com\r\n\r\n{BEHIND}"),
    (
        "a request line with a bare CR",
        "POST /case-{}-first\rHTTP/1.1\r\nHost: api.openai.com\r\n\r\n{BEHIND}",
    ),
];

#[test]
fn a_request_of_uncertain_end_is_refused_and_nothing_behind_it_is_a_request() {
    let (pod, upstream) = upstream::pod(agree);
    for (case, (name, shape)) in (1..).zip(SHAPES) {
        let head = if shape.contains(" HTTP/") || shape.starts_with("GET") || shape.starts_with("POST") {
            ""
        } else {
            "POST /case-{}-first HTTP/1.1\r\nHost: api.openai.com\r\n"
        };
        let text = format!("{head}{shape}").replace("{BEHIND}", BEHIND).replace("{}", &case.to_string());
        let (found, rest) = strict::requests(text.as_bytes());
        assert!(found.is_empty() && rest == Rest::Wrong, "{name}: the strict reader of this test takes it");
        let statuses = send(&pod, text.as_bytes(), 0, true);
        assert!(matches!(statuses[..], [] | [400..500]), "{name}: {statuses:?}");
        assert_eq!(arrived(&upstream, case), [], "{name}");
    }
    assert!(upstream.wrong().is_empty());
    let seen = pod.drained();
    assert!(seen.contains("requests: "), "{seen}");
}

#[test]
fn a_request_for_another_place_is_misdirected() {
    let (pod, upstream) = upstream::pod(agree);
    for (name, text) in [
        ("another host", "GET /a HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n"),
        (
            "another host in the target",
            "GET https://api.anthropic.com/a HTTP/1.1\r\nHost: api.openai.com\r\n\r\n",
        ),
        (
            "another host beside the target's",
            "GET https://api.openai.com/a HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n",
        ),
        ("two hosts", "GET /a HTTP/1.1\r\nHost: api.openai.com\r\nHost: api.anthropic.com\r\n\r\n"),
        (
            "two hosts, the other way",
            "GET /a HTTP/1.1\r\nHost: api.anthropic.com\r\nHost: api.openai.com\r\n\r\n",
        ),
        ("the same host twice", "GET /a HTTP/1.1\r\nHost: api.openai.com\r\nHost: api.openai.com\r\n\r\n"),
        ("no host", "GET /a HTTP/1.1\r\nA: b\r\n\r\n"),
        ("an empty host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n"),
        ("a user before the host", "GET /a HTTP/1.1\r\nHost: api.openai.com@evil.example\r\n\r\n"),
        ("another port", "GET /a HTTP/1.1\r\nHost: api.openai.com:8443\r\n\r\n"),
        ("CONNECT", "CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com\r\n\r\n"),
    ] {
        let statuses = send(&pod, text.as_bytes(), 1, false);
        assert!(matches!(statuses[..], [400..500]), "{name}: {statuses:?}");
    }
    assert_eq!(upstream.requests(), []);
    // The host of the connection itself, in its other spellings.
    for text in [
        "GET /a HTTP/1.1\r\nHost: API.OpenAI.com:443\r\n\r\n",
        "GET https://api.openai.com/a HTTP/1.1\r\nHost: api.openai.com\r\n\r\n",
    ] {
        assert_eq!(send(&pod, text.as_bytes(), 1, false), [200], "{text}");
    }
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn a_tunnel_is_not_made_before_its_time() {
    fn declines(request: &Request, app: &mut upstream::Accepted) -> std::io::Result<()> {
        if request.target.contains("socket") {
            return app.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
        agree(request, app)
    }
    let (pod, upstream) = upstream::pod(declines);
    // What follows a declined upgrade is a request of its own, judged like any other.
    let socket = "GET /case-1-socket HTTP/1.1\r\nHost: api.openai.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let hidden = "GET /case-1-hidden HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n";
    let statuses = send(&pod, format!("{socket}{hidden}").as_bytes(), 2, false);
    assert!(matches!(statuses[..], [404] | [404, 400..500]), "{statuses:?}");
    let frames = format!("{socket}\u{1}\u{2}not a request\r\n\r\n");
    let statuses = send(&pod, frames.as_bytes(), 1, true);
    assert!(matches!(statuses[..], [404] | [404, 400..500]), "{statuses:?}");
    let targets: Vec<_> = upstream.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/case-1-socket", "/case-1-socket"]);
}

#[test]
fn an_answer_before_the_end_of_its_request_ends_the_connection_to_the_provider() {
    let network = outrigger_tests::netns::Network::new(&[]);
    let server = upstream::listen(&network, &[]);
    let ca = server.ca_pem().to_owned();
    let provider = std::thread::spawn(move || {
        // The first connection is answered as soon as its head is there; whatever else comes on it is kept.
        let mut first = server.accept();
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            let read = first.read(&mut buffer).expect("a head");
            bytes.extend(&buffer[..read]);
        }
        first
            .write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge")
            .expect("an open connection");
        let mut second = server.accept();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let read = second.read(&mut buffer).expect("a head");
            head.extend(&buffer[..read]);
        }
        second.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond").expect("an open connection");
        // Its end comes, since it may not be used again.
        let _end = first.read_to_end(&mut bytes);
        (String::from_utf8_lossy(&bytes).into_owned(), String::from_utf8_lossy(&head).into_owned())
    });
    let pod = Pod::start(network, None, &ca, |sidecar| sidecar);
    let mut app = pod.h1();
    write!(app, "POST /large HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 100000\r\n\r\nbegun")
        .expect("it reads");
    let (head, body) = answer(&mut app).expect("an answer");
    assert_eq!((status(&head), body), (413, b"large".to_vec()));
    // The rest of the body looks like a request, for whoever lost count.
    let inner = format!("GET /smuggled HTTP/1.1\r\nHost: {NAME}\r\n\r\n");
    let mut rest = inner.repeat(100_000 / inner.len()).into_bytes();
    rest.resize(100_000 - "begun".len(), b'x');
    // The app's connection may have been closed; then the next request needs one of its own.
    let next = format!("GET /next HTTP/1.1\r\nHost: {NAME}\r\n\r\n");
    let on_the_same = app
        .write_all(&rest)
        .and_then(|()| app.write_all(next.as_bytes()))
        .and_then(|()| answer(&mut app).map(|(head, _)| status(&head)));
    if on_the_same.is_err() {
        let mut app = pod.h1();
        app.write_all(next.as_bytes()).expect("it reads");
        assert_eq!(answer(&mut app).map(|(_, body)| body).ok(), Some(b"second".to_vec()));
    } else {
        assert_eq!(on_the_same.ok(), Some(200));
    }
    let (first, second) = provider.join().expect("the provider does not panic");
    assert!(first.starts_with("POST /large ") && !first.contains("/next"), "{first}");
    assert!(second.starts_with("GET /next ") && !second.contains("/smuggled"), "{second}");
}

/// How a line of a head may be written.
fn line_end() -> impl Strategy<Value = &'static str> {
    prop_oneof![60 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r"), 1 => Just("\r\r\n"), 1 => Just("\n\r"), 1 => Just("\r\n ")]
}

fn framing_header(length: usize) -> impl Strategy<Value = String> {
    let values = vec![
        format!("Content-Length: {length}"),
        format!("content-length:{length}"),
        format!("Content-Length: {}", length + 1),
        format!("Content-Length: {}", length.saturating_sub(1)),
        format!("Content-Length: 0{length}"),
        format!("Content-Length: +{length}"),
        format!("Content-Length: {length}, {length}"),
        format!("Content-Length : {length}"),
        format!("Content_Length: {length}"),
        "Content-Length: 0".to_owned(),
        "Transfer-Encoding: chunked".to_owned(),
        "transfer-encoding:\tCHUNKED".to_owned(),
        "Transfer-Encoding: chunked, chunked".to_owned(),
        "Transfer-Encoding: gzip, chunked".to_owned(),
        "Transfer-Encoding: identity".to_owned(),
        "Transfer-Encoding : chunked".to_owned(),
        "Transfer-Encoding:".to_owned(),
        "Transfer_Encoding: chunked".to_owned(),
        "X: y\n Transfer-Encoding: chunked".to_owned(),
        "Trailer: a".to_owned(),
        "TE: trailers".to_owned(),
        "Connection: content-length".to_owned(),
        "Connection: transfer-encoding".to_owned(),
    ];
    prop::sample::select(values)
}

fn chunks(body: &[u8], size: usize, extension: &str, trailer: &str) -> Vec<u8> {
    let mut all = Vec::new();
    for chunk in body.chunks(size) {
        all.extend(format!("{:x}{extension}\r\n", chunk.len()).bytes());
        all.extend(chunk);
        all.extend(b"\r\n");
    }
    all.extend(format!("0\r\n{trailer}\r\n").bytes());
    all
}

/// One request or what looks like one; `{}` in it is its case.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 1..40),
        Just(b"0\r\n\r\nGET /case-{}-inner HTTP/1.1\r\nHost: api.openai.com\r\n\r\n".to_vec()),
    ];
    let wrapped = (
        body,
        any::<bool>(),
        1usize..20,
        prop::sample::select(vec!["", ";a=b", " ;a", " ", ";\n"]),
        prop::sample::select(vec!["", "A: b\r\n", "A: b\n", " c\r\n"]),
    )
        .prop_map(|(body, chunked, size, extension, trailer)| {
            if chunked { (body.len(), chunks(&body, size, extension, trailer)) } else { (body.len(), body) }
        });
    let version = prop_oneof![12 => Just("HTTP/1.1"), 1 => Just("HTTP/1.0")];
    (wrapped, version)
        .prop_flat_map(|((length, body), version)| {
            let headers = prop::collection::vec((framing_header(length), line_end()), 0..3);
            (headers, line_end(), line_end(), Just(body), Just(version))
        })
        .prop_map(|(headers, first, last, body, version)| {
            let mut all =
                format!("POST /case-{{}}-outer {version}{first}Host: api.openai.com\r\nX-Case: {{}}\r\n")
                    .into_bytes();
            for (header, end) in headers {
                all.extend(format!("{header}{end}").bytes());
            }
            all.extend(last.bytes());
            all.extend(body);
            all
        })
}

/// Puts a case of two digits in place of every `{}`, so that lengths stay right.
fn filled_in(text: &[u8], case: u32) -> Vec<u8> {
    let mut filled = text.to_vec();
    for at in 0..filled.len().saturating_sub(1) {
        if &filled[at..at + 2] == b"{}" {
            filled[at..at + 2].copy_from_slice(case.to_string().as_bytes());
        }
    }
    filled
}

#[test]
fn what_arrives_is_what_a_strict_reader_reads() {
    let (pod, upstream) = upstream::pod(agree);
    // Two digits: the cases count round, and everything of the last round has arrived long before.
    let count = Cell::new(0u32);
    let strategy = (
        prop::collection::vec(request(), 1..4),
        prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>())),
    );
    let cases = Cases::default();
    let mut runner = TestRunner::new(Cases {
        cases: 400,
        failure_persistence: None,
        max_shrink_iters: 100,
        // The same cases in every run, unless PROPTEST_RNG_SEED asks for others.
        rng_seed: match cases.rng_seed {
            RngSeed::Random => RngSeed::Fixed(46),
            asked_for => asked_for,
        },
        ..cases
    });
    let (answered, refused) = (Cell::new(0), Cell::new(0));
    let run = runner.run(&strategy, |(parts, flaw)| {
        let number = count.get();
        count.set(number + 1);
        let case = 10 + number % 90;
        let before = arrived(&upstream, case).len();
        let mut bytes = filled_in(&parts.concat(), case);
        if let Some((at, byte)) = flaw {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let (expected, rest) = strict::requests(&bytes);
        let statuses = send(&pod, &bytes, expected.len(), rest == Rest::Wrong);
        let got = arrived(&upstream, case).split_off(before);
        // In order, each as it was sent; one may be missing only where the sidecar itself refused it or had closed.
        let mut sent = expected.iter();
        for one in &got {
            prop_assert!(
                sent.any(|(request, _)| request.essence() == one.essence()),
                "{} arrived as {one:?}",
                bytes.escape_ascii()
            );
        }
        prop_assert_eq!(statuses.iter().filter(|status| **status == 200).count(), got.len());
        answered.set(answered.get() + got.len());
        refused.set(refused.get() + usize::from(got.len() < expected.len() || rest == Rest::Wrong));
        Ok(())
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(upstream.wrong().len(), 0);
    // Both kinds occurred often.
    assert!(
        answered.get() > 50 && refused.get() > 50,
        "{} answered, {} refused",
        answered.get(),
        refused.get()
    );
}

#[test]
fn well_framed_requests_in_one_go_all_arrive() {
    let (pod, upstream) = upstream::pod(agree);
    let one = |case: u32, size: usize| {
        let body: Vec<u8> = (0..size).map(|at| (at * 7) as u8).collect();
        let head = format!("POST /case-{case}-x HTTP/1.1\r\nHost: {NAME}\r\nX-Case: {case}\r\n");
        match case % 3 {
            0 => [format!("{head}Content-Length: {size}\r\n\r\n").into_bytes(), body].concat(),
            1 => [
                format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes(),
                chunks(&body, 1000, ";x=\"y\"", ""),
            ]
            .concat(),
            _ => [
                format!("\r\n{head}Content-Length: {size}\r\ncontent-length: {size}\r\n\r\n").into_bytes(),
                body,
            ]
            .concat(),
        }
    };
    let all: Vec<u8> = (0..30).flat_map(|case| one(case, case as usize * 333)).collect();
    assert_eq!(send(&pod, &all, 30, false), [200; 30]);
    let (expected, rest) = strict::requests(&all);
    assert_eq!(rest, Rest::Nothing);
    let got = upstream.requests();
    assert_eq!(got.len(), 30);
    for ((sent, _), got) in expected.iter().zip(&got) {
        assert_eq!(sent.essence(), got.essence());
    }
}

/// No target has a fragment. Over HTTP/1 one is refused; the reader of HTTP/2 below us cuts it off before we see it, as docs/limits.md
/// says, so that at least nothing else is changed by it.
#[test]
fn a_fragment_over_http2_is_cut_off_and_what_stands_before_it_arrives() {
    let pod = Pod::before_simulator(Config::default());
    let mut app = h2::open(&pod, &[]);
    let targets = ["/v1/models#a", "/v1/models?limit=2#a?b", "/v1/models"];
    for (count, target) in (0..).zip(targets) {
        app.write_all(&h2::get(h2::stream(count), target)).expect("it reads");
        assert_eq!(h2::answered(&mut app, h2::stream(count)).0, h2::OK);
    }
    let received = pod.simulator.as_ref().expect("a simulator").received();
    let paths: Vec<&str> = received.iter().map(|received| received.path.as_str()).collect();
    assert_eq!(paths, ["/v1/models", "/v1/models?limit=2", "/v1/models"]);
}
