//! Reads a ClientHello to its end, within bounds, keeping every byte for a pass-through. Per connection.

use std::io;
use std::time::Duration;

use rustls::server::{Accepted, Acceptor};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// More than any client sends; post-quantum hellos are below 2 KiB.
const LONGEST: usize = 64 * 1024;
/// Most hellos come whole in one read.
const FIRST_READ: usize = 4 * 1024;
/// From the first byte to the last.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the first bytes of a connection are.
pub(crate) enum FirstBytes {
    /// A whole ClientHello.
    Hello(Box<Accepted>),
    /// Not TLS, too long, too slow, or cut short: nothing to terminate.
    Other,
    /// The peer closed without a byte.
    Nothing,
}

/// Reads until the hello is whole or known not to be one. `buffer` holds every byte read, so that nothing is lost.
pub(crate) async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<FirstBytes> {
    match tokio::time::timeout(PATIENCE, read_unhurried(stream, buffer)).await {
        Ok(read) => read,
        Err(_) => Ok(FirstBytes::Other),
    }
}

async fn read_unhurried(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<FirstBytes> {
    let mut acceptor = Acceptor::default();
    let mut seen = 0;
    buffer.reserve(FIRST_READ);
    loop {
        match examine(&mut acceptor, &buffer[seen..]) {
            Examined::Whole(hello) => return Ok(FirstBytes::Hello(hello)),
            Examined::NotTls => return Ok(FirstBytes::Other),
            Examined::More => seen = buffer.len(),
        }
        if buffer.len() >= LONGEST {
            return Ok(FirstBytes::Other);
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(if buffer.is_empty() { FirstBytes::Nothing } else { FirstBytes::Other });
        }
    }
}

enum Examined {
    Whole(Box<Accepted>),
    NotTls,
    More,
}

fn examine(acceptor: &mut Acceptor, mut fresh: &[u8]) -> Examined {
    while !fresh.is_empty() {
        if acceptor.read_tls(&mut fresh).is_err() {
            return Examined::NotTls;
        }
        match acceptor.accept() {
            Ok(Some(hello)) => return Examined::Whole(Box::new(hello)),
            Ok(None) => {}
            Err(_) => return Examined::NotTls,
        }
    }
    Examined::More
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;
    use crate::tls::provider;

    fn hello(name: &str) -> Vec<u8> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    fn name_after_cuts(bytes: &[u8], cuts: &[usize]) -> Option<String> {
        let mut acceptor = Acceptor::default();
        let mut from = 0;
        for to in cuts.iter().copied().chain([bytes.len()]) {
            match examine(&mut acceptor, &bytes[from..to]) {
                Examined::Whole(hello) => return hello.client_hello().server_name().map(str::to_owned),
                Examined::NotTls => return None,
                Examined::More => from = to,
            }
        }
        None
    }

    #[test]
    fn a_hello_cut_at_any_byte_is_read_to_its_end() {
        let bytes = hello("api.openai.com");
        for cut in 0..=bytes.len() {
            assert_eq!(name_after_cuts(&bytes, &[cut]).as_deref(), Some("api.openai.com"), "cut at {cut}");
        }
        let every: Vec<_> = (0..bytes.len()).collect();
        assert_eq!(name_after_cuts(&bytes, &every).as_deref(), Some("api.openai.com"));
    }

    #[test]
    fn a_hello_in_records_of_any_size_is_read_to_its_end() {
        let bytes = hello("api.openai.com");
        for size in [1, 2, 3, 5, 64, bytes.len()] {
            let records: Vec<u8> = bytes[5..]
                .chunks(size)
                .flat_map(|part| [&[22, 3, 1], (part.len() as u16).to_be_bytes().as_slice(), part].concat())
                .collect();
            for cut in 0..=records.len() {
                assert_eq!(
                    name_after_cuts(&records, &[cut]).as_deref(),
                    Some("api.openai.com"),
                    "records of {size}, cut at {cut}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_no_hello_is_never_taken_for_one(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(name_after_cuts(&bytes, &[]).is_none());
        }
    }
}
