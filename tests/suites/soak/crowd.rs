//! Thousands of connections of every kind at once, then none: no descriptor, task or conntrack entry is left of them, and
//! their memory goes back.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use outrigger_contract::ports;
use outrigger_simulator::{Answer, Config, Rule, Script};
use outrigger_tests::app::{self, NAME, Pod, Tls};
use outrigger_tests::h2::{self, END_HEADERS, END_STREAM, HEADERS, RST_STREAM};
use outrigger_tests::netns::{ELSEWHERE, ELSEWHERE_NAME, Network, PROVIDER};
use outrigger_tests::{DEADLINE, tls};
use socket2::SockRef;

const IDLE: usize = 5000;
const FEW: usize = 100;
/// What a crowd may need, KiB: some 9 for a connection that passes through, 60 for a stream.
const CROWD: u64 = 96 * 1024;
/// What a second crowd like the first may need beyond it, KiB.
const AGAIN: u64 = 8 * 1024;
/// What may stay when it is gone, KiB: leaves that were made, series of metrics, buffers of the threads, the allocator's own tables,
/// pages held in part. 3 to 6 MiB were seen, as connections and what outlives them come to lie among each other.
const STAYS: u64 = 8 * 1024;
const H2_CONNECTIONS: u32 = 10;
const STREAMS: u32 = 50;
/// Unused connections to providers are kept for a minute and looked through every half.
const ALL_GONE: Duration = Duration::from_secs(120);

/// Accepts beyond the pod and does something with every connection, each on a thread of its own.
fn serve(network: &Network, ip: IpAddr, act: fn(TcpStream) -> std::io::Result<()>) {
    let listener = network.beyond.enter(|| TcpListener::bind(SocketAddr::new(ip, 443)).expect("a free port"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The app may leave as it likes.
            std::thread::spawn(move || drop(act(stream)));
        }
    });
}

/// Takes connections and lets none go before its peer does.
fn hold(network: &Network, ip: IpAddr) -> Receiver<()> {
    let listener = network.beyond.enter(|| TcpListener::bind(SocketAddr::new(ip, 443)).expect("a free port"));
    let (arrived, arrivals) = channel();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            // What makes it a connection of somebody else's has come.
            if stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                held.push(stream);
                if held.len() == IDLE {
                    std::thread::spawn(|| {
                        held.into_iter().for_each(|mut stream| drop(stream.read(&mut [0; 1])))
                    });
                    held = Vec::new();
                }
                if arrived.send(()).is_err() {
                    return;
                }
            }
        }
    });
    arrivals
}

fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    std::io::copy(&mut stream.try_clone()?, &mut stream)?;
    stream.shutdown(Shutdown::Write)
}

/// Speaks first, ends its half first, and listens until the app ends, too.
fn speak(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"SSH-2.0-beyond\r\n")?;
    stream.shutdown(Shutdown::Write)?;
    std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
}

/// Connections while they are open.
#[derive(Default)]
struct Crowd {
    plain: Vec<TcpStream>,
    secure: Vec<Tls>,
}

/// A connection to a loopback port of the pod.
fn local(pod: &Pod, port: u16) -> TcpStream {
    pod.network.pod.enter(|| app::connect((Ipv4Addr::LOCALHOST, port).into()).expect("the sidecar listens"))
}

fn call(stream: &mut (impl Read + Write), host: &str, path: &str) {
    let body = r#"{"model":"gpt-5-mini","messages":[{"role":"user","content":"hello"}]}"#;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer sk-crowd\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it reads");
    let (head, _) = app::answer(stream).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

/// Passes through, is used, and ends with the app's half.
fn use_echo(mut stream: TcpStream, hello: &[u8]) {
    let sent = [hello, &[7; 64 * 1024]].concat();
    stream.write_all(&sent).expect("it reads");
    stream.shutdown(Shutdown::Write).expect("an open connection");
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).expect("it answers");
    assert!(heard == sent, "{} of {} bytes came back", heard.len(), sent.len());
}

fn connect_through(pod: &Pod, to: &str) -> TcpStream {
    let mut stream = local(pod, ports::CONNECT);
    write!(stream, "CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n").expect("it reads");
    let (head, _) = app::answer(&mut stream).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    stream
}

/// Streams that go on until their app leaves; some leave one by one, the others with their connection.
fn streams(pod: &Pod) -> Vec<Tls> {
    let body = r#"{"model":"endless","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
    (0..H2_CONNECTIONS)
        .map(|_| {
            let mut app = h2::open(pod, &[]);
            let mut all = Vec::new();
            for count in 0..STREAMS {
                all.extend(h2::frame(
                    HEADERS,
                    END_HEADERS,
                    h2::stream(count),
                    &h2::json_block("/v1/chat/completions"),
                ));
                all.extend(h2::frame(h2::DATA, END_STREAM, h2::stream(count), body.as_bytes()));
            }
            app.write_all(&all).expect("it reads");
            let mut begun = 0;
            while begun < STREAMS {
                let (kind, _, _, payload) = h2::next(&mut app).expect("it goes on");
                if kind == HEADERS {
                    assert_eq!(payload[0], h2::OK);
                    begun += 1;
                }
            }
            app
        })
        .collect()
}

/// Everything at once.
fn gather(pod: &Pod, arrivals: &Receiver<()>) -> Crowd {
    let mut crowd = Crowd::default();
    let foreign = tls::client_hello(ELSEWHERE_NAME);
    for _ in 0..IDLE {
        let mut stream = pod.connect(ELSEWHERE[0]);
        stream.write_all(&foreign).expect("it reads");
        crowd.plain.push(stream);
    }
    for _ in 0..IDLE {
        arrivals.recv_timeout(DEADLINE).expect("it passes through");
    }
    crowd.secure.extend(streams(pod));
    for number in 0..FEW {
        // Kept alive between requests.
        let mut stream = pod.h1();
        for _ in 0..3 {
            call(&mut stream, NAME, "/v1/chat/completions");
        }
        crowd.secure.push(stream);
        let mut stream = pod.secured(connect_through(pod, &format!("{NAME}:443")));
        call(&mut stream, NAME, "/v1/chat/completions");
        crowd.secure.push(stream);
        let mut stream = local(pod, ports::BASE_URL);
        call(&mut stream, &format!("127.0.0.1:{}", ports::BASE_URL), "/openai/v1/chat/completions");
        crowd.plain.push(stream);

        use_echo(pod.connect(ELSEWHERE[1]), &foreign);
        use_echo(connect_through(pod, &format!("[{}]:443", ELSEWHERE[1])), &foreign);
        // The server's half ends first, and the app has a last word.
        let mut stream = pod.connect(PROVIDER[1]);
        let mut heard = String::new();
        stream.read_to_string(&mut heard).expect("it speaks");
        assert_eq!(heard, "SSH-2.0-beyond\r\n");
        stream.write_all(b"good-bye").expect("its half is open");

        // Gone with a reset: before a byte, in a hello, passing through, in a handshake.
        for bytes in [&[][..], &foreign[..20], &foreign, &tls::client_hello(NAME)] {
            let ip = if number % 2 == 0 { ELSEWHERE[1] } else { PROVIDER[0] };
            let mut stream = pod.connect(ip);
            stream.write_all(bytes).expect("it reads");
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket");
        }
        // A call whose app does not wait for the answer, and one that is never sent whole.
        let mut stream = pod.h1();
        write!(
            stream,
            "POST /v1/chat/completions HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 10\r\n\r\n{{}}"
        )
        .expect("it reads");
        drop(stream);
        let mut stream = pod.h1();
        write!(stream, "GET /v1/models HTTP/1.1\r\nHost: {NAME}\r\n\r\n").expect("it reads");
        drop(stream);
    }
    // Half of the streams leave by themselves, in the midst of it.
    for stream in crowd.secure.iter_mut().take(H2_CONNECTIONS as usize) {
        let resets: Vec<u8> = (0..STREAMS)
            .step_by(2)
            .flat_map(|count| h2::frame(RST_STREAM, 0, h2::stream(count), &[0, 0, 0, 8]))
            .collect();
        stream.write_all(&resets).expect("it reads");
    }
    crowd
}

/// The connections that the pod's kernel knows of.
fn tracked(pod: &Pod) -> Vec<String> {
    let listed = pod.network.pod.run("conntrack", &["--dump", "--proto", "tcp"]);
    let listed =
        listed + &pod.network.pod.run("conntrack", &["--dump", "--family", "ipv6", "--proto", "tcp"]);
    listed.lines().map(str::to_owned).collect()
}

/// Waits until something holds. True when it did.
fn wait_for(pod: &Pod, deadline: Duration, holds: impl Fn() -> bool) -> bool {
    let until = Instant::now() + deadline;
    while !holds() {
        if Instant::now() > until {
            return false;
        }
        // Nothing tells when; the sidecar's log is quiet, so this only paces.
        pod.sidecar.program.error_line(Duration::from_millis(200), |_| false);
    }
    true
}

/// The tasks that the sidecar still had when it began to drain.
fn tasks(seen: &str) -> u32 {
    let (_, rest) = seen.split_once("tasks=").expect("it tells them");
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

fn pod() -> Pod {
    let endless = Answer { endless: true, pace_ms: 200, ..Answer::default() };
    Pod::before_simulator(Config {
        script: Script(vec![Rule { model: Some("endless".to_owned()), answer: endless, ..Rule::default() }]),
        ..Config::default()
    })
}

#[test]
fn a_crowd_leaves_nothing_behind() {
    app::raise_descriptor_limit();
    let quiet = tasks(&pod().drained());
    let pod = pod();
    for timer in ["time_wait", "close", "close_wait", "fin_wait", "last_ack"] {
        let setting = format!("net.netfilter.nf_conntrack_tcp_timeout_{timer}=1");
        pod.network.pod.run("sysctl", &["--write", &setting]);
    }
    // Three rounds of connections and of the sidecar's own, all of which the kernel remembers for a minute.
    pod.network.pod.run("sysctl", &["--write", "net.ipv4.ip_local_port_range=20000 65000"]);
    let arrivals = hold(&pod.network, ELSEWHERE[0]);
    serve(&pod.network, ELSEWHERE[1], echo);
    serve(&pod.network, PROVIDER[1], speak);
    let (descriptors, resident) = (pod.descriptors(), pod.resident());
    let mut rounds = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        let crowd = gather(&pod, &arrivals);
        let open = pod.descriptors();
        assert!(open > descriptors + 2 * IDLE, "only {open} descriptors: it was no crowd");
        let peak = pod.resident();
        let gathered = begun.elapsed();
        drop(crowd);
        // Kept for reuse: connections to the provider.
        let gone = wait_for(&pod, ALL_GONE, || pod.descriptors() < descriptors + FEW);
        assert!(gone, "{} descriptors, {descriptors} at the start", pod.descriptors());
        rounds.push((peak, pod.resident()));
        println!(
            "gathered in {gathered:?}, gone after {:?}: {open} descriptors, {peak} KiB, then {} KiB",
            begun.elapsed(),
            pod.resident()
        );
    }
    let same = wait_for(&pod, ALL_GONE, || pod.descriptors() == descriptors);
    assert!(same, "{} descriptors, {descriptors} at the start", pod.descriptors());
    let forgotten = wait_for(&pod, DEADLINE, || tracked(&pod).is_empty());
    assert!(forgotten, "conntrack: {:#?}", tracked(&pod).iter().take(10).collect::<Vec<_>>());
    let returned = wait_for(&pod, DEADLINE, || pod.resident() < resident + STAYS);
    let end = pod.resident();
    println!("memory: {resident} KiB at the start, {rounds:?} in each round, {end} KiB at the end");
    let first = rounds[0].0;
    assert!(first < resident + CROWD, "{resident} KiB, then {first} KiB");
    assert!(rounds.iter().all(|(peak, _)| *peak < first + AGAIN), "it grows from round to round: {rounds:?}");
    assert!(returned, "{resident} KiB at the start, {end} KiB at the end");
    let drained = Instant::now();
    let seen = pod.drained();
    assert!(
        drained.elapsed() < Duration::from_secs(2),
        "it took {:?} to end with nothing to do",
        drained.elapsed()
    );
    assert_eq!(tasks(&seen), quiet, "{seen}");
}
