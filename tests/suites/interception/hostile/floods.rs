//! HTTP/2 as nobody means it. Frames are written by hand; each flood is ended by the sidecar or held back, within a bound of
//! memory, and no other connection notices.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use outrigger_simulator::{Answer, Config, Rule, Script};
use outrigger_tests::DEADLINE;
use outrigger_tests::app::{Pod, Tls};
use outrigger_tests::h2::{
    self, ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, OK, PING, PREFACE, PRIORITY,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, answered, block, frame, get, json_block, next, stream,
};
use outrigger_tests::netns::PROVIDER;

use super::upstream;
use super::{CALM, GROWTH};

/// A sender that may not write for this long is held back, which is as good as being ended.
const HELD_BACK: Duration = Duration::from_secs(3);
/// No flood goes on for longer.
const LONGEST: Duration = Duration::from_secs(20);

/// How a flood ended.
#[derive(Debug)]
enum Ended {
    /// By GOAWAY with this code.
    Away(u32),
    /// By a close without a word.
    Closed,
    /// The sidecar reads no more.
    HeldBack,
    /// Everything was taken.
    Taken,
}

/// Opens a connection that gives up writing when it is held back.
fn open(pod: &Pod, settings: &[u8]) -> Tls {
    let app = h2::open(pod, settings);
    app.sock.set_write_timeout(Some(HELD_BACK)).expect("a deadline");
    app
}

/// Writes pieces until the connection ends, or `most` bytes are through.
fn pour(mut app: Tls, most: usize, mut piece: impl FnMut(u32) -> Vec<u8>) -> Ended {
    let begun = Instant::now();
    let (mut written, mut count) = (0, 0);
    let mut said = Vec::new();
    while written < most && begun.elapsed() < LONGEST {
        let mut batch = Vec::new();
        while batch.len() < 16 * 1024 {
            batch.extend(piece(count));
            count += 1;
        }
        written += batch.len();
        if let Err(error) = app.write_all(&batch).and_then(|()| app.flush()) {
            if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) {
                return Ended::HeldBack;
            }
            break;
        }
        app.sock.set_nonblocking(true).expect("a socket");
        let open = hear(&mut app, &mut said);
        app.sock.set_nonblocking(false).expect("a socket");
        if !open {
            break;
        }
    }
    // Whoever still answers has taken everything.
    let _written = app.write_all(&frame(PING, 0, 0, b"the last")).and_then(|()| app.flush());
    app.sock.set_read_timeout(Some(HELD_BACK)).expect("a deadline");
    loop {
        let mut rest = said.as_slice();
        while let [a, b, c, kind, flags, _, _, _, _, more @ ..] = rest {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            let Some(payload) = more.get(..length) else { break };
            match *kind {
                GOAWAY => {
                    return Ended::Away(u32::from_be_bytes([payload[4], payload[5], payload[6], payload[7]]));
                }
                PING if *flags == ACK && payload == b"the last" => return Ended::Taken,
                _ => rest = &more[length..],
            }
        }
        let before = said.len() - rest.len();
        said.drain(..before);
        if !hear(&mut app, &mut said) {
            return Ended::Closed;
        }
    }
}

/// Takes in what is there. False when nothing more can come. Not through the stream itself: that would write first, and what
/// the peer said before it closed would be lost.
fn hear(app: &mut Tls, said: &mut Vec<u8>) -> bool {
    let read = app.conn.read_tls(&mut app.sock);
    let whole = app.conn.process_new_packets().is_ok();
    let mut buffer = [0; 16 * 1024];
    while let Ok(more @ 1..) = app.conn.reader().read(&mut buffer) {
        said.extend(&buffer[..more]);
    }
    match read {
        Ok(0) => false,
        Ok(_) => whole,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

fn post(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &block("POST", "/v1/files"))
}

#[test]
fn every_flood_is_ended_or_held_back_in_bounded_memory() {
    type Flood = (&'static str, bool, fn(&Pod) -> Ended);
    let floods: [Flood; 15] = [
        ("rapid reset", true, |pod| {
            pour(open(pod, &[]), 1 << 23, |count| {
                [get(stream(count), "/v1/models"), frame(RST_STREAM, 0, stream(count), &[0, 0, 0, 8])]
                    .concat()
            })
        }),
        ("rapid reset by a wrong frame", true, |pod| {
            // A window that overflows makes the sidecar reset the stream itself.
            pour(open(pod, &[]), 1 << 23, |count| {
                let overflow = frame(WINDOW_UPDATE, 0, stream(count), &[0x7f, 0xff, 0xff, 0xff]);
                [post(stream(count)), overflow].concat()
            })
        }),
        ("CONTINUATION without end", true, |pod| {
            let mut app = open(pod, &[]);
            app.write_all(&frame(HEADERS, END_STREAM, 1, &block("GET", "/v1/models"))).expect("it reads");
            // A literal header, again and again.
            let headers = [&[0, 1, b'a', 100], [b'b'; 100].as_slice()].concat().repeat(150);
            pour(app, 1 << 26, move |_| frame(CONTINUATION, 0, 1, &headers))
        }),
        ("CONTINUATION of nothing", true, |pod| {
            let mut app = open(pod, &[]);
            app.write_all(&frame(HEADERS, END_STREAM, 1, &block("GET", "/v1/models"))).expect("it reads");
            pour(app, 1 << 22, |_| frame(CONTINUATION, 0, 1, &[]))
        }),
        ("SETTINGS", false, |pod| {
            pour(open(pod, &[]), 1 << 22, |_| frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]))
        }),
        ("SETTINGS of a table", false, |pod| {
            pour(open(pod, &[]), 1 << 22, |count| {
                frame(SETTINGS, 0, 0, &[0, 1, 0, 0, if count % 2 == 0 { 0 } else { 16 }, 0])
            })
        }),
        ("PING", false, |pod| pour(open(pod, &[]), 1 << 22, |_| frame(PING, 0, 0, &[0; 8]))),
        ("DATA of nothing", false, |pod| {
            let mut app = open(pod, &[]);
            app.write_all(&post(1)).expect("it reads");
            pour(app, 1 << 22, |_| frame(DATA, 0, 1, &[]))
        }),
        ("DATA on no stream", true, |pod| {
            pour(open(pod, &[]), 1 << 22, |count| frame(DATA, 0, stream(count), &[0; 100]))
        }),
        ("HEADERS of nothing", true, |pod| {
            pour(open(pod, &[]), 1 << 23, |count| frame(HEADERS, END_HEADERS, stream(count), &[]))
        }),
        ("PRIORITY", false, |pod| {
            pour(open(pod, &[]), 1 << 22, |count| frame(PRIORITY, 0, stream(count), &[0, 0, 0, 0, 16]))
        }),
        ("WINDOW_UPDATE", true, |pod| {
            pour(open(pod, &[]), 1 << 22, |_| frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0]))
        }),
        ("WINDOW_UPDATE of one", false, |pod| {
            pour(open(pod, &[]), 1 << 22, |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]))
        }),
        ("frames of no kind", false, |pod| {
            pour(open(pod, &[]), 1 << 25, |_| frame(0xee, 0xff, 0, &[0; 8000]))
        }),
        ("garbage", true, |pod| {
            pour(open(pod, &[]), 1 << 22, |count| (count.wrapping_mul(2_654_435_761)).to_be_bytes().to_vec())
        }),
    ];
    let pod = Pod::before_simulator(Config::default());
    let neighbour = pod.neighbour();
    // The first connections warm the pools.
    let mut app = open(&pod, &[]);
    app.write_all(&get(1, "/v1/models")).expect("it reads");
    answered(&mut app, 1);
    drop(app);
    let before = pod.resident();
    for (what, must_end, flood) in floods {
        let begun = Instant::now();
        let ended = flood(&pod);
        let (took, resident) = (begun.elapsed(), pod.resident());
        println!("{what}: {ended:?} in {took:?}, {before} -> {resident} KiB");
        assert!(took < LONGEST + HELD_BACK * 2, "{what} went on for {took:?}");
        assert!(!must_end || matches!(ended, Ended::Away(1..) | Ended::Closed), "{what}: {ended:?}");
        assert!(resident < before + GROWTH, "{what}: {before} KiB before, {resident} KiB after");
    }
    neighbour.was_calm(CALM);
    let mut app = open(&pod, &[]);
    app.write_all(&get(1, "/v1/models")).expect("it reads");
    assert_eq!(answered(&mut app, 1).0, OK);
    drop(app);
    let _seen = pod.drained();
}

#[test]
fn a_header_list_that_unpacks_without_end_is_refused() {
    let pod = Pod::before_simulator(Config::default());
    let mut app = open(&pod, &[]);
    // One entry of some 4,000 bytes in the dynamic table, then named by one octet 16,000 times: 64 MB.
    let mut bomb = block("GET", "/v1/models");
    bomb.extend([0x40, 1, b'a', 0x7f, 0xa1, 0x1e]);
    bomb.extend([b'b'; 0x7f + 0x21 + (0x1e << 7)]);
    let first = bomb.len();
    bomb.extend([0xbe].repeat(16_000 - first));
    let before = pod.resident();
    app.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb)).expect("it reads");
    // 431, a reset or the end of the connection; then it goes on as usual, where it goes on.
    let ended = next_of(&mut app, 1);
    assert!(matches!(ended, None | Some((HEADERS | RST_STREAM, _))), "{ended:?}");
    if let Some((HEADERS, payload)) = ended {
        assert!(payload.windows(3).any(|three| three == b"431") || payload[0] != OK, "{payload:?}");
    }
    let after = pod.resident();
    assert!(after < before + GROWTH, "{before} KiB before, {after} KiB after");
    assert!(pod.simulator.as_ref().expect("a simulator").received().is_empty());
}

/// The next frame of a stream, unless the connection ends first.
fn next_of(app: &mut Tls, wanted: u32) -> Option<(u8, Vec<u8>)> {
    loop {
        match next(app) {
            Ok((kind, _, stream, payload)) if stream == wanted => return Some((kind, payload)),
            Ok((GOAWAY, ..)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

#[test]
fn more_streams_than_allowed_are_refused_one_by_one() {
    let pod = Pod::before_simulator(Config {
        script: Script(vec![Rule { answer: Answer { gated: true, ..Answer::default() }, ..Rule::default() }]),
        ..Config::default()
    });
    let mut app = open(&pod, &[]);
    let chat = r#"{"model":"gpt-5-mini","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
    let mut all = Vec::new();
    for count in 0..300 {
        let head = json_block("/v1/chat/completions");
        all.extend(frame(HEADERS, END_HEADERS, stream(count), &head));
        all.extend(frame(DATA, END_STREAM, stream(count), chat.as_bytes()));
    }
    app.write_all(&all).expect("it reads");
    // The 257th and those behind it; the peer has seen the limit by then.
    let mut refused = 0;
    while refused < 300 - 256 {
        match next(&mut app).expect("the connection stays") {
            (RST_STREAM, _, stream, code) => {
                assert!(stream > 2 * 256 && code == [0, 0, 0, 7], "{stream}: {code:?}");
                refused += 1;
            }
            (GOAWAY, _, _, why) => panic!("{why:?}"),
            _ => {}
        }
    }
}

#[test]
fn streams_that_nobody_reads_hold_back_nobody_else() {
    const LARGE: usize = 8 * 1024 * 1024;
    let pod = Pod::before_simulator(Config {
        script: Script(vec![Rule {
            path: Some("/v1/large".to_owned()),
            answer: Answer { raw_body: Some("x".repeat(LARGE)), status: Some(200), ..Answer::default() },
            ..Rule::default()
        }]),
        ..Config::default()
    });
    let before = pod.resident();
    let neighbour = pod.neighbour();
    // No window for any stream: every answer stays where it is.
    let mut lazy = open(&pod, &[0, 4, 0, 0, 0, 0]);
    let many: Vec<u8> = (0..64).flat_map(|count| get(stream(count), "/v1/large")).collect();
    lazy.write_all(&many).expect("it reads");
    let mut heads = 0;
    while heads < 64 {
        if next(&mut lazy).expect("heads come").0 == HEADERS {
            heads += 1;
        }
    }
    // All of it came over one connection to the provider, as it would without us.
    let connections = pod.network.pod.run("ss", &["-Htnp", "state", "established"]);
    let to_provider =
        |line: &&str| line.contains(&format!(" {}:443", PROVIDER[0])) && line.contains("outrigger-sidec");
    let over = connections.lines().filter(to_provider).count();
    assert!((1..=3).contains(&over), "one, and the neighbour's: {connections}");
    // Another connection gets the same answers whole.
    for _ in 0..2 {
        let mut app = open(&pod, &[0, 4, 0x7f, 0xff, 0xff, 0xff]);
        app.write_all(&frame(WINDOW_UPDATE, 0, 0, &[0x3f, 0xff, 0xff, 0xff])).expect("it reads");
        for count in 0..3 {
            app.write_all(&get(stream(count), "/v1/large")).expect("it reads");
            assert_eq!(answered(&mut app, stream(count)), (OK, LARGE));
        }
    }
    let meanwhile = pod.resident();
    // The window of one connection to the provider, and what is on its way through.
    assert!(meanwhile < before + GROWTH + 24 * 1024, "{before} KiB, then {meanwhile} KiB");
    neighbour.was_calm(CALM);
}

#[test]
fn tiny_frames_towards_a_provider_that_does_not_read_are_bounded() {
    let network = outrigger_tests::netns::Network::new(&[]);
    let server = upstream::listen(&network, &[b"h2"]);
    let ca = server.ca_pem().to_owned();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let provider = std::thread::spawn(move || {
        let mut app = server.accept();
        app.read_exact(&mut [0; PREFACE.len()]).expect("a preface");
        // Its settings, with no window for any stream, and nothing more until the test is over.
        app.write_all(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])).expect("it reads");
        app.flush().expect("it reads");
        ready.send(()).expect("the test waits");
        let _over = held.recv();
    });
    let pod = Pod::start(network, None, &ca, |sidecar| sidecar);
    let before = pod.resident();
    let mut app = open(&pod, &[]);
    app.write_all(&post(1)).expect("it reads");
    is_ready.recv_timeout(DEADLINE).expect("the request goes to the provider");
    let ended = pour(app, 1 << 26, |_| frame(DATA, 0, 1, b"x"));
    let after = pod.resident();
    println!("{ended:?}, {before} -> {after} KiB");
    assert!(after < before + 4 * GROWTH, "{before} KiB before, {after} KiB after: {ended:?}");
    drop(hold);
    provider.join().expect("the provider does not panic");
}
