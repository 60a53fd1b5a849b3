//! HTTP/2 by hand: frames as they stand on the wire, also such as no library would write (RFC 9113, RFC 7541).

use std::io::{Read, Write};

use crate::app::{NAME, Pod, Tls};

/// A body's piece.
pub const DATA: u8 = 0;
/// A head.
pub const HEADERS: u8 = 1;
/// What nobody heeds any more.
pub const PRIORITY: u8 = 2;
/// The end of a stream before its time.
pub const RST_STREAM: u8 = 3;
/// What a peer may expect.
pub const SETTINGS: u8 = 4;
/// Asks whether anybody is there.
pub const PING: u8 = 6;
/// The end of a connection, with its reason.
pub const GOAWAY: u8 = 7;
/// Leave to send more.
pub const WINDOW_UPDATE: u8 = 8;
/// The rest of a head.
pub const CONTINUATION: u8 = 9;
/// Flag: nothing more comes on this stream.
pub const END_STREAM: u8 = 1;
/// Flag: the head is whole.
pub const END_HEADERS: u8 = 4;
/// Flag: the answer to SETTINGS or PING.
pub const ACK: u8 = 1;
/// With what a client begins.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The first octet of a head whose status is 200.
pub const OK: u8 = 0x88;

/// A frame.
///
/// # Panics
/// If the payload is longer than a frame's may be.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame's length").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The n-th stream of a client, from 0.
#[must_use]
pub const fn stream(count: u32) -> u32 {
    1 + 2 * count
}

/// A header block: names of the static table, literal values, nothing remembered.
#[must_use]
pub fn block(method: &str, path: &str) -> Vec<u8> {
    // :method is 2, :path 4, :authority 1, authorization 23 in the static table; 0x87 is `:scheme: https`.
    [named(2, method), named(4, path), named(1, NAME), vec![0x87], named(23, "Bearer sk-hand")].concat()
}

/// The block of a POST that carries JSON.
#[must_use]
pub fn json_block(path: &str) -> Vec<u8> {
    // content-type is 31.
    [block("POST", path), named(31, "application/json")].concat()
}

fn named(index: u8, value: &str) -> Vec<u8> {
    let name = if index < 15 { vec![index] } else { vec![15, index - 15] };
    [name, vec![u8::try_from(value.len()).expect("a short value")], value.as_bytes().to_vec()].concat()
}

/// A whole GET.
#[must_use]
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block("GET", path))
}

/// Opens a connection to the provider, through the sidecar, with these settings.
///
/// # Panics
/// If it is refused.
#[must_use]
pub fn open(pod: &Pod, settings: &[u8]) -> Tls {
    let mut app = pod.h2();
    app.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).expect("it reads");
    app
}

/// The next frame: kind, flags, stream and payload.
///
/// # Errors
/// The connection ended or broke first.
pub fn next(app: &mut Tls) -> std::io::Result<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    app.read_exact(&mut head)?;
    let [a, b, c, kind, flags, stream @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    app.read_exact(&mut payload)?;
    Ok((kind, flags, u32::from_be_bytes(stream), payload))
}

/// Reads until a stream ends; the first octet of its head and how much body came.
///
/// # Panics
/// If it does not end well.
pub fn answered(app: &mut Tls, wanted: u32) -> (u8, usize) {
    let (mut status, mut bytes) = (0, 0);
    loop {
        let (kind, flags, stream, payload) = next(app).expect("an answer");
        match kind {
            HEADERS if stream == wanted => status = payload[0],
            DATA if stream == wanted => bytes += payload.len(),
            SETTINGS if flags == 0 => app.write_all(&frame(SETTINGS, ACK, 0, &[])).expect("it reads"),
            _ => {
                assert!(kind != GOAWAY && (kind, stream) != (RST_STREAM, wanted), "it was ended: {payload:?}")
            }
        }
        if stream == wanted && (kind == DATA || kind == HEADERS) && flags & END_STREAM != 0 {
            return (status, bytes);
        }
    }
}
