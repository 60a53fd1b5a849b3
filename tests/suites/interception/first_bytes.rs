//! What a connection is, found out by its first bytes: cut anywhere, slow, none at all, or the server's.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use outrigger_simulator::Config;
use outrigger_tests::netns::{ELSEWHERE, ELSEWHERE_NAME, POD, PROVIDER, RunningSidecar};
use outrigger_tests::tls::{TlsServer, client_hello};
use rustls::crypto::ring::default_provider;

use super::app::{ByteByByte, Records, accept, call, client, connect, handshake, is_read, listen};
use super::words::{TRANSPARENT, Way, speak_directly, way};
use super::{Network, redirected};

const HOST: &str = "api.openai.com";

fn pod() -> (Network, RunningSidecar) {
    let network = Network::new(&[]);
    redirected(&network, &[]);
    let sidecar = network.sidecar(TlsServer::listen("unused.example.test").ca_pem()).start();
    (network, sidecar)
}

#[test]
fn a_hello_in_pieces_is_read_like_a_whole_one() {
    let network = Network::new(&[]);
    let simulator = network.simulator(Config::default());
    redirected(&network, &[]);
    let sidecar = network.sidecar(simulator.ca_pem()).start();
    let ca = sidecar.trust().join("ca.pem");
    // Names of protocols nobody speaks make it as long as one with a post-quantum key share.
    let unknown: Vec<String> = (0..30).map(|number| format!("{number:050}")).collect();
    let long: Vec<&str> = ["http/1.1"].into_iter().chain(unknown.iter().map(String::as_str)).collect();
    for alpn in [&["http/1.1"][..], &long] {
        let config = client(default_provider(), Some(&ca), alpn);
        for to in PROVIDER {
            let mut tls = handshake(&config, HOST, ByteByByte(connect(&network, to))).expect("a handshake");
            assert!(is_read(&tls), "{to}, byte by byte");
            assert_eq!(call(&mut tls, HOST), "HTTP/1.1 200 OK");
            for most in [1, 50, 1000] {
                let stream = Records { stream: connect(&network, to), most, begun: false };
                let mut tls = handshake(&config, HOST, stream).expect("a handshake");
                assert!(is_read(&tls), "{to}, in records of {most}");
                assert_eq!(call(&mut tls, HOST), "HTTP/1.1 200 OK");
            }
        }
    }
}

#[test]
fn a_hello_that_stalls_goes_to_its_server_as_it_is() {
    let (network, _sidecar) = pod();
    let hello = client_hello(HOST);
    let (begin, rest) = hello.split_at(hello.len() / 2);
    std::thread::scope(|scope| {
        for to in PROVIDER {
            let network = &network;
            scope.spawn(move || {
                let listener = listen(network, to);
                let mut app = connect(network, to);
                app.write_all(begin).expect("it is open");
                let sent = Instant::now();
                let mut server = accept(&listener);
                let mut seen = vec![0; begin.len()];
                server.read_exact(&mut seen).expect("the beginning");
                assert_eq!(seen, begin);
                let waited = sent.elapsed();
                assert!(waited < Duration::from_secs(20), "{to}: {waited:?}");
                app.write_all(rest).expect("it is open");
                let mut seen = vec![0; rest.len()];
                server.read_exact(&mut seen).expect("the rest");
                assert_eq!(seen, rest);
            });
        }
    });
}

#[test]
fn what_is_not_tls_goes_to_its_server_at_once() {
    let (network, _sidecar) = pod();
    for to in PROVIDER {
        let listener = listen(&network, to);
        for first in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"SSH-2.0-client\r\n", b"\0", b"\x16\x03\x09\0\0"] {
            let mut app = connect(&network, to);
            app.write_all(first).expect("it is open");
            let sent = Instant::now();
            let mut server = accept(&listener);
            let mut seen = vec![0; first.len()];
            server.read_exact(&mut seen).expect("the client's bytes");
            assert_eq!(seen, first);
            assert!(sent.elapsed() < Duration::from_secs(4), "{to}: {first:?} waited {:?}", sent.elapsed());
            server.write_all(b"answer").and_then(|()| server.shutdown(Shutdown::Write)).expect("it is open");
            let mut answer = Vec::new();
            app.read_to_end(&mut answer).expect("the answer");
            assert_eq!(answer, b"answer");
        }
    }
}

#[test]
fn a_server_that_speaks_first_is_not_kept_waiting() {
    let (network, _sidecar) = pod();
    for to in PROVIDER {
        let listener = listen(&network, to);
        let begun = Instant::now();
        let mut app = connect(&network, to);
        let mut server = accept(&listener);
        server.write_all(b"SSH-2.0-server\r\n").expect("it is open");
        let mut greeting = [0; 16];
        app.read_exact(&mut greeting).expect("a greeting");
        assert_eq!(&greeting, b"SSH-2.0-server\r\n");
        assert!(begun.elapsed() < Duration::from_secs(2), "{to}: {:?}", begun.elapsed());
        app.write_all(b"SSH-2.0-client\r\n").expect("it is open");
        let mut answer = [0; 16];
        server.read_exact(&mut answer).expect("the client's turn");
        assert_eq!(&answer, b"SSH-2.0-client\r\n");
    }
}

#[test]
fn a_client_that_says_nothing_still_hears_and_is_let_go() {
    let (network, sidecar) = pod();
    for to in PROVIDER {
        let listener = listen(&network, to);
        // It closes its half at once and waits for a greeting.
        let mut app = connect(&network, to);
        app.shutdown(Shutdown::Write).expect("it is open");
        let mut server = accept(&listener);
        let mut nothing = Vec::new();
        server.read_to_end(&mut nothing).expect("the client's end");
        assert!(nothing.is_empty());
        server.write_all(b"greeting").expect("it is open");
        drop(server);
        let mut heard = Vec::new();
        app.read_to_end(&mut heard).expect("the greeting");
        assert_eq!(heard, b"greeting");
        // It says nothing for a while and leaves.
        let app = connect(&network, to);
        let mut server = accept(&listener);
        drop(app);
        assert_eq!(server.read(&mut [0]).expect("the client's end"), 0);
    }
    lets_go(&network, &sidecar);
}

/// Waits until the sidecar holds no connection any more.
pub(crate) fn lets_go(network: &Network, sidecar: &RunningSidecar) {
    let begun = Instant::now();
    let of_the_sidecar = format!("pid={},", sidecar.program.id());
    loop {
        let open = network.pod.run("ss", &["-tnpH"]);
        if !open.contains(&of_the_sidecar) {
            return;
        }
        assert!(begun.elapsed() < outrigger_tests::DEADLINE, "left over: {open}");
    }
}

#[test]
fn the_listeners_own_ports_lead_nowhere() {
    let (network, sidecar) = pod();
    speak_directly(&network.beyond, 443);
    let to = |ip: IpAddr| -> std::io::Result<usize> {
        network.pod.enter(|| {
            let mut stream =
                TcpStream::connect_timeout(&SocketAddr::new(ip, TRANSPARENT), Duration::from_secs(5))?;
            stream.write_all(&client_hello(HOST))?;
            stream.read(&mut [0; 16])
        })
    };
    for ip in POD {
        assert_eq!(to(ip).expect_err("nobody listens there").kind(), ErrorKind::ConnectionRefused, "{ip}");
    }
    for ip in ["127.0.0.1", "127.0.0.7", "::1"] {
        let ended = to(ip.parse().expect("an address"));
        let closed = match &ended {
            Ok(read) => *read == 0,
            Err(error) => [ErrorKind::ConnectionReset, ErrorKind::ConnectionRefused, ErrorKind::BrokenPipe]
                .contains(&error.kind()),
        };
        assert!(closed, "{ip}: {ended:?}");
    }
    for to in PROVIDER {
        assert_eq!(way(&network, to), Way::Through, "it still serves");
    }
    lets_go(&network, &sidecar);
}

#[test]
fn a_name_that_passes_through_goes_where_the_app_was_going() {
    let (network, _sidecar) = pod();
    for (to, elsewhere) in PROVIDER.into_iter().zip(ELSEWHERE) {
        let listener = listen(&network, to);
        let other = listen(&network, elsewhere);
        other.set_nonblocking(true).expect("a listener");
        // The resolver would lead this name elsewhere.
        let hello = client_hello(ELSEWHERE_NAME);
        let mut app = connect(&network, to);
        app.write_all(&hello).expect("it is open");
        let mut seen = vec![0; hello.len()];
        accept(&listener).read_exact(&mut seen).expect("the hello");
        assert_eq!(seen, hello);
        assert_eq!(other.accept().expect_err("nobody came").kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn a_stack_that_shares_nothing_with_us_reaches_its_server() {
    let (network, _sidecar) = pod();
    let mut provider = default_provider();
    provider.cipher_suites = vec![rustls::crypto::ring::cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256];
    let mut tls = rustls::ClientConnection::new(
        client(provider, None, &["http/1.1"]),
        HOST.try_into().expect("a host name"),
    )
    .expect("a valid configuration");
    let mut hello = Vec::new();
    tls.write_tls(&mut hello).expect("a hello");
    for to in PROVIDER {
        let listener = listen(&network, to);
        let mut app = connect(&network, to);
        app.write_all(&hello).expect("it is open");
        let mut seen = vec![0; hello.len()];
        accept(&listener).read_exact(&mut seen).expect("the hello");
        assert_eq!(seen, hello, "{to}");
    }
}
