//! Answers that are malformed, endless or not alone. The app gets a bounded answer or an end, and the next answer is its own.

use std::io::{Read, Write};
use std::time::Duration;

use outrigger_tests::app::{NAME, answer};

use super::strict::Request;
use super::upstream::{self, Accepted, agree};
use super::{GROWTH, until_closed};

/// What a provider sends, by the last part of the path, before it ends the connection.
const SHAPES: [(&str, &str); 22] = [
    ("CL.TE", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("TE.CL", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 50\r\n\r\n0\r\n\r\n"),
    ("another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked not last", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"),
    ("a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabcde"),
    ("no number", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabcde"),
    ("a length beyond all numbers", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551620\r\n\r\nabcde"),
    ("HTTP/1.0 with a coding", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a folded header", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n"),
    ("a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nabcde"),
    ("a NUL in a header", "HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 0\r\n\r\n"),
    ("no status", "HTTP/1.1\r\n\r\n"),
    ("a status beyond all statuses", "HTTP/1.1 20000 OK\r\nContent-Length: 0\r\n\r\n"),
    ("HTTP/0.9", "<html></html>"),
    ("HTTP/2", "\0\0\0\x04\0\0\0\0\0"),
    ("nothing", ""),
    ("half a head", "HTTP/1.1 200 OK\r\nContent-Le"),
    (
        "a 101 nobody asked for",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nframes",
    ),
    ("only a promise", "HTTP/1.1 100 Continue\r\n\r\n"),
    ("too many headers", "HTTP/1.1 200 OK\r\n{HEADERS}Content-Length: 0\r\n\r\n"),
    ("too long a header", "HTTP/1.1 200 OK\r\nA: {LONG}\r\nContent-Length: 0\r\n\r\n"),
];

fn ask(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {NAME}\r\n\r\n")
}

fn shaped(request: &Request, app: &mut Accepted) -> std::io::Result<()> {
    let Some(shape) = request.target.strip_prefix("/shape/").and_then(|number| number.parse::<usize>().ok())
    else {
        return agree(request, app);
    };
    let text = SHAPES[shape]
        .1
        .replace("{HEADERS}", &"A: b\r\n".repeat(5000))
        .replace("{LONG}", &"b".repeat(1024 * 1024));
    app.write_all(text.as_bytes())?;
    app.flush()?;
    Err(std::io::Error::other("the answer has been given"))
}

#[test]
fn a_malformed_answer_is_an_error_and_the_next_one_is_its_own() {
    let (pod, upstream) = upstream::pod(shaped);
    let mut app = pod.h1();
    for (number, (name, _)) in SHAPES.iter().enumerate() {
        app.write_all(ask(&format!("/shape/{number}")).as_bytes()).expect("it reads");
        let (head, _) = answer(&mut app).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(head.starts_with("HTTP/1.1 502 ") && head.contains("x-outrigger-error"), "{name}: {head}");
        // The same connection of the app goes on.
        app.write_all(ask("/good").as_bytes()).expect("it reads");
        let (head, body) = answer(&mut app).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(head.starts_with("HTTP/1.1 200 ") && body == b"/good", "{name}: {head}");
    }
    assert_eq!(upstream.requests().len(), SHAPES.len() * 2, "nothing was asked twice");
}

#[test]
fn bytes_behind_an_answer_are_nobodys_answer() {
    fn too_much(request: &Request, app: &mut Accepted) -> std::io::Result<()> {
        let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";
        let head = match request.target.as_str() {
            "/long" => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "/twice" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "/empty" => "HTTP/1.1 204 No Content\r\nContent-Length: 45\r\n\r\n",
            "/unchanged" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 45\r\n\r\n",
            _ => return agree(request, app),
        };
        // In one piece: bytes that come later could as well be the next answer, come early.
        app.write_all(format!("{head}{smuggled}").as_bytes())?;
        app.flush()
    }
    let (pod, _upstream) = upstream::pod(too_much);
    let mut app = pod.h1();
    for path in ["/long", "/twice", "/empty", "/unchanged"] {
        write!(app, "{}", ask(path)).expect("it reads");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            app.read_exact(&mut byte).unwrap_or_else(|error| panic!("{path}: {error}"));
            head.push(byte[0]);
        }
        match path {
            "/long" => app.read_exact(&mut [0; 2]).expect("its body"),
            "/twice" => app.read_exact(&mut [0; b"2\r\nok\r\n0\r\n\r\n".len()]).expect("its body"),
            _ => {}
        }
        write!(app, "{}", ask("/good")).expect("it reads");
        let (head, body) = answer(&mut app).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(
            head.starts_with("HTTP/1.1 200 ") && body == b"/good",
            "{path}: {head} {}",
            body.escape_ascii()
        );
    }
}

#[test]
fn a_body_that_breaks_off_or_lies_is_cut_for_the_app_too() {
    fn broken(request: &Request, app: &mut Accepted) -> std::io::Result<()> {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        match request.target.as_str() {
            "/short" => write!(app, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"),
            "/chunk" => write!(app, "{chunked}5\r\nabc"),
            "/chunks" => write!(app, "{chunked}3\r\nabc\r\n"),
            "/size" => write!(app, "{chunked}3\r\nabc\r\nFFFFFFFFFFFFFFFFF\r\n"),
            "/sign" => write!(app, "{chunked}3\r\nabc\r\n-1\r\n"),
            "/longer" => write!(app, "{chunked}3\r\nabcdef\r\n0\r\n\r\n"),
            "/extension" => write!(app, "{chunked}3\r\nabc\r\n3;{}", "x".repeat(1024 * 1024)),
            _ => write!(app, "{chunked}3\r\nabc\r\n0\r\n{}", "A: b\r\n".repeat(100_000)),
        }?;
        app.flush()?;
        Err(std::io::Error::other("the answer has been given"))
    }
    let (pod, _upstream) = upstream::pod(broken);
    for path in ["/short", "/chunk", "/chunks", "/size", "/sign", "/longer", "/extension", "/trailers"] {
        let mut app = pod.h1();
        write!(app, "{}", ask(path)).expect("it reads");
        let mut all = Vec::new();
        // Whether it ends with TLS's good-bye or without, it is not the end that its framing promised.
        let _end = app.read_to_end(&mut all);
        let text = String::from_utf8_lossy(&all);
        assert!(text.starts_with("HTTP/1.1 200 "), "{path}: {text}");
        assert!(!text.ends_with("0\r\n\r\n") && all.len() < 1000, "{path}: {text}");
    }
}

#[test]
fn an_endless_head_ends_and_endless_promises_hold_nobody_up() {
    fn endless(request: &Request, app: &mut Accepted) -> std::io::Result<()> {
        let piece = match request.target.as_str() {
            "/headers" => "A: 0123456789012345678901234567890123456789\r\n",
            "/line" => "0123456789012345678901234567890123456789",
            "/promises" => "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            _ => return agree(request, app),
        };
        let start = if piece.starts_with("HTTP") { "" } else { "HTTP/1.1 200 OK\r\nA: " };
        app.write_all(start.as_bytes())?;
        let block = piece.repeat(1000);
        loop {
            app.write_all(block.as_bytes())?;
        }
    }
    let (pod, _upstream) = upstream::pod(endless);
    let before = pod.resident();
    for path in ["/headers", "/line"] {
        let mut app = pod.h1();
        write!(app, "{}", ask(path)).expect("it reads");
        let (head, _) = answer(&mut app).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(head.starts_with("HTTP/1.1 502 "), "{path}: {head}");
    }
    // As long as promises come the app waits, as it would without us; nobody else does.
    let mut waiting = pod.h1();
    write!(waiting, "{}", ask("/promises")).expect("it reads");
    let mut app = pod.h1();
    for _ in 0..200 {
        write!(app, "{}", ask("/good")).expect("it reads");
        assert_eq!(answer(&mut app).expect("an answer").1, b"/good");
    }
    waiting.sock.set_read_timeout(Some(Duration::from_millis(1))).expect("a deadline");
    assert!(answer(&mut waiting).is_err(), "no answer has come");
    drop(waiting);
    let after = pod.resident();
    assert!(after < before + GROWTH, "{before} KiB before, {after} KiB after");
}

#[test]
fn an_app_that_does_not_read_holds_only_its_own_provider_back() {
    fn pours(request: &Request, app: &mut Accepted) -> std::io::Result<()> {
        if request.target != "/pour" {
            return agree(request, app);
        }
        app.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000)).into_bytes();
        for _ in 0..1024 {
            app.write_all(&chunk)?;
        }
        app.write_all(b"0\r\n\r\n")
    }
    let (pod, _upstream) = upstream::pod(pours);
    let before = pod.resident();
    let mut lazy: Vec<_> = (0..8)
        .map(|_| {
            let mut app = pod.h1();
            write!(app, "{}", ask("/pour")).expect("it reads");
            // Its head shows that it has begun.
            app.read_exact(&mut [0; 100]).expect("a head");
            app
        })
        .collect();
    let mut app = pod.h1();
    for _ in 0..50 {
        write!(app, "{}", ask("/good")).expect("it reads");
        assert_eq!(answer(&mut app).expect("an answer").1, b"/good");
    }
    let meanwhile = pod.resident();
    assert!(meanwhile < before + GROWTH, "{before} KiB, then {meanwhile} KiB for eight answers of 64 MiB");
    // One changes its mind, and loses nothing.
    let mut late = lazy.remove(0);
    write!(late, "{}", ask("/good")).expect("it reads");
    let mut bytes = 0;
    let mut buffer = vec![0; 256 * 1024];
    while bytes < 64 * 1024 * 1024 {
        let read = late.read(&mut buffer).expect("more of it");
        assert!(read > 0, "it was cut");
        bytes += read;
    }
    drop(lazy);
    drop(late);
    let mut last = pod.h1();
    write!(last, "GET /good HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n").expect("it reads");
    assert!(until_closed(&mut last) > 0);
}
