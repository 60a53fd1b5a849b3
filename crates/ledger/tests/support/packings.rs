//! A body in every content coding that is read.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

/// Each event compressed so that it can be read when it has come.
pub(crate) struct Packed {
    pub(crate) coding: &'static str,
    pub(crate) name: &'static str,
    pub(crate) events: Vec<Vec<u8>>,
}

/// The events of a body; one that has none is cut all the same.
pub(crate) fn events(body: &[u8]) -> Vec<&[u8]> {
    if !body.windows(2).any(|pair| pair == b"\n\n") {
        return body.chunks(200).collect();
    }
    let mut rest = body;
    let mut events = Vec::new();
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\n\n") {
        let (event, after) = rest.split_at(at + 2);
        events.push(event);
        rest = after;
    }
    events.extend(Some(rest).filter(|rest| !rest.is_empty()));
    events
}

/// Compresses event by event with one writer that is flushed after each; `finish` gives the end of the format.
fn flushed<W: Write>(
    mut writer: W,
    body: &[u8],
    take: impl Fn(&mut W) -> Vec<u8>,
    finish: impl FnOnce(W) -> Vec<u8>,
) -> Vec<Vec<u8>> {
    let mut packed = Vec::new();
    for event in events(body) {
        writer.write_all(event).unwrap();
        writer.flush().unwrap();
        packed.push(take(&mut writer));
    }
    packed.push(finish(writer));
    packed
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::default());
    writer.write_all(body).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn packings(body: &[u8]) -> Vec<Packed> {
    let level = Compression::default();
    let sink = Vec::<u8>::new;
    let each = |pack: &dyn Fn(&[u8]) -> Vec<u8>| events(body).into_iter().map(pack).collect();
    let zstd = || zstd::stream::write::Encoder::new(sink(), 3).unwrap();
    let mut checked = zstd();
    checked.include_checksum(true).unwrap();
    vec![
        Packed {
            coding: "gzip",
            name: "gzip, flushed",
            events: flushed(
                GzEncoder::new(sink(), level),
                body,
                |writer| std::mem::take(writer.get_mut()),
                |writer| writer.finish().unwrap(),
            ),
        },
        Packed { coding: "X-GZIP", name: "gzip, a member per event", events: each(&gzip) },
        Packed {
            coding: "deflate",
            name: "deflate in zlib",
            events: flushed(
                ZlibEncoder::new(sink(), level),
                body,
                |writer| std::mem::take(writer.get_mut()),
                |writer| writer.finish().unwrap(),
            ),
        },
        Packed {
            coding: "deflate",
            name: "deflate, raw",
            events: flushed(
                DeflateEncoder::new(sink(), level),
                body,
                |writer| std::mem::take(writer.get_mut()),
                |writer| writer.finish().unwrap(),
            ),
        },
        Packed {
            coding: "br",
            name: "brotli",
            events: flushed(
                brotli::CompressorWriter::new(sink(), 4096, 5, 22),
                body,
                |writer| std::mem::take(writer.get_mut()),
                |writer| writer.into_inner(),
            ),
        },
        Packed {
            coding: "zstd",
            name: "zstd, one frame with a checksum",
            events: flushed(
                checked,
                body,
                |writer| std::mem::take(writer.get_mut()),
                |writer| writer.finish().unwrap(),
            ),
        },
        Packed {
            coding: "zstd",
            name: "zstd, a frame per event",
            events: each(&|event| zstd::bulk::compress(event, 3).unwrap()),
        },
        Packed { coding: "identity", name: "identity", events: each(&<[u8]>::to_vec) },
    ]
}
