//! Asks the sidecar of this container what a kubelet asks, for one that cannot ask over the pod's network. Once per process.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use clap::ValueEnum;

/// How long an answer may take; `/healthz` waits for three seconds for the traffic thread.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Probe {
    /// `/readyz`: whether new connections are taken.
    Ready,
    /// `/healthz`: whether traffic passes.
    Alive,
}

impl Probe {
    /// Asks at the metrics port, on loopback: no mesh comes between.
    ///
    /// # Errors
    /// Nobody answers, or the answer is not 200; with its first line.
    pub fn ask(self, port: u16) -> io::Result<()> {
        let path = match self {
            Probe::Ready => "/readyz",
            Probe::Alive => "/healthz",
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer)?;
        let first = answer.lines().next().unwrap_or("nothing");
        match first.split(' ').nth(1) {
            Some("200") => Ok(()),
            _ => Err(io::Error::other(format!("{path} answers: {first}"))),
        }
    }
}
