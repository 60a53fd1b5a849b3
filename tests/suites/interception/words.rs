//! Servers that say one word, and clients that listen for it: which way a connection takes, without TLS.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use outrigger_tests::netns::{Namespace, Network};
use socket2::SockRef;

/// The port on which a listener meets redirected connections.
pub(crate) const TRANSPARENT: u16 = outrigger_contract::ports::TRANSPARENT;
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Says a word on every connection to an address of a namespace, until the process ends.
pub(crate) fn speak(
    namespace: &Namespace,
    address: SocketAddr,
    word: impl Fn(&TcpStream) -> String + Send + 'static,
) {
    let listener = namespace.enter(|| TcpListener::bind(address)).expect("a free port");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever asked may have left.
            let _said = writeln!(&stream, "{}", word(&stream));
        }
    });
}

/// Every address of a namespace says `direct` and the port that the connection came from.
pub(crate) fn speak_directly(namespace: &Namespace, port: u16) {
    speak(namespace, (Ipv6Addr::UNSPECIFIED, port).into(), |stream| {
        format!("direct {}", stream.peer_addr().map_or(0, |peer| peer.port()))
    });
}

/// In the sidecar's place: says `captured` and where the connection was going.
pub(crate) fn stand_in(network: &Network) {
    for ip in LOOPBACK {
        speak(&network.pod, (ip, TRANSPARENT).into(), |stream| {
            let socket = SockRef::from(stream);
            let v4 = stream.local_addr().is_ok_and(|own| own.is_ipv4());
            let original = if v4 { socket.original_dst_v4() } else { socket.original_dst_v6() };
            format!("captured {}", original.ok().and_then(|to| to.as_socket()).expect("it was redirected"))
        });
    }
}

/// What a user of the pod hears at an address.
pub(crate) fn heard(network: &Network, uid: u32, address: &str, port: u16) -> String {
    let script = r#"exec 3<>"/dev/tcp/$0/$1" && read -r -t 30 line <&3 && echo "$line""#;
    let mut command = network.pod.command(uid, "bash");
    let output = command.args(["-c", script, address, &port.to_string()]).output().expect("bash can be run");
    let text = if output.status.success() { output.stdout } else { output.stderr };
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// The way of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It went where it was meant to.
    Direct,
    /// Somebody else made it anew.
    Through,
    /// Nobody listens, or who listened left.
    Refused,
    /// Accepted, and nothing came.
    Silent,
}

/// Makes a connection to one of [`speak_directly`] from the pod.
pub(crate) fn way(network: &Network, to: IpAddr) -> Way {
    network.pod.enter(|| {
        let Ok(stream) = TcpStream::connect_timeout(&(to, 443).into(), Duration::from_secs(5)) else {
            return Way::Refused;
        };
        stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a deadline");
        let own = stream.local_addr().expect("it is connected").port();
        let mut line = String::new();
        match BufReader::new(&stream).read_line(&mut line) {
            Ok(0) => Way::Refused,
            Ok(_) if line.trim() == format!("direct {own}") => Way::Direct,
            Ok(_) => Way::Through,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Way::Silent,
            Err(_) => Way::Refused,
        }
    })
}
