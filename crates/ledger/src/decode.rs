//! Content codings of a copy: decoded as the bytes come, into whoever reads them. Per frame: no allocation of ours beyond
//! the decoder's own window; what expands beyond all measure is not followed.

use std::io::{self, Write};

use brotli_decompressor::{BrotliDecoderParameter, DecompressorWriter};
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use zstd::stream::raw::DParameter;
use zstd::stream::zio;

use crate::guard::{FAULT, guarded};

/// Up to here any expansion is followed …
const ALWAYS: u64 = 4 * 1024 * 1024;
/// … beyond it only what expands less than this: text compresses 50-fold at most, a bomb a thousandfold. A chunk of
/// traffic may so cost a few milliseconds, whoever sent it.
const RATIO: u64 = 200;
const BROTLI_BUFFER: usize = 4096;
const INFLATE_BUFFER: usize = 16 * 1024;
/// 8 MiB, the largest window that HTTP allows (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;

/// Takes decoded bytes.
pub(crate) trait Consumer {
    fn take(&mut self, bytes: &[u8]);
}

/// A consumer behind a decoder, with its bound.
struct Bounded<C> {
    consumer: C,
    decoded: u64,
    encoded: u64,
}

impl<C: Consumer> Write for Bounded<C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.decoded += bytes.len() as u64;
        if self.decoded > ALWAYS && self.decoded / RATIO > self.encoded {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.consumer.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decodes a body into its consumer.
pub(crate) struct Decoder<C: Consumer> {
    coding: Coding<Bounded<C>>,
    fault: Option<&'static str>,
    /// Whether the body was whole, where somebody has asked: not every decoder can be ended twice.
    whole: Option<bool>,
}

enum Coding<W: Write> {
    Identity(W),
    Gzip(Box<MultiGzDecoder<W>>),
    /// Its two forms are told apart by the first byte; the sink is taken when it comes.
    DeflateUndecided(Option<W>),
    Deflate(Box<Inflate<W>>),
    Brotli(Box<DecompressorWriter<W>>),
    Zstd(Box<zio::Writer<W, zstd::stream::raw::Decoder<'static>>>),
}

impl<C: Consumer> Decoder<C> {
    /// A decoder for a body with these headers.
    pub(crate) fn new(headers: &HeaderMap, consumer: C) -> Decoder<C> {
        let sink = Bounded { consumer, decoded: 0, encoded: 0 };
        let mut words = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("?").split(','))
            .map(str::trim)
            .filter(|word| !word.is_empty() && !word.eq_ignore_ascii_case("identity"));
        let coding = match (words.next(), words.next()) {
            (None, _) => Ok(Coding::Identity(sink)),
            (Some(word), None) => Coding::named(&word.to_ascii_lowercase(), sink),
            (Some(_), Some(_)) => Err(sink),
        };
        match coding {
            Ok(coding) => Decoder { coding, fault: None, whole: None },
            Err(sink) => Decoder {
                coding: Coding::Identity(sink),
                fault: Some("the body has a content coding that is not read"),
                whole: None,
            },
        }
    }

    /// Decodes the next bytes. After a fault, a panic of whoever reads them included, nothing more is read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.fault.is_some() || bytes.is_empty() {
            return;
        }
        if let Some(sink) = self.coding.sink() {
            sink.encoded += bytes.len() as u64;
        }
        self.fault = match guarded(|| self.coding.push(bytes)) {
            Some(Ok(())) => None,
            Some(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
                Some("the body expands beyond all measure")
            }
            Some(Err(_)) => Some("the body's compression could not be read"),
            None => Some(FAULT),
        };
    }

    /// Whether the body, which is over, is all that its coding said it would be. Whoever cut it may have left what looks whole.
    pub(crate) fn is_whole(&mut self) -> bool {
        let whole = self.whole.unwrap_or_else(|| guarded(|| self.coding.is_whole()) == Some(true));
        self.whole = Some(whole);
        self.fault.is_none() && whole
    }

    /// Why reading stopped, if it did.
    pub(crate) const fn fault(&self) -> Option<&'static str> {
        self.fault
    }

    /// The consumer. It is there but for an instant inside [`push`](Decoder::push).
    pub(crate) fn consumer(&mut self) -> Option<&mut C> {
        Some(&mut self.coding.sink()?.consumer)
    }
}

impl<C: Consumer> Coding<Bounded<C>> {
    fn named(word: &str, sink: Bounded<C>) -> Result<Self, Bounded<C>> {
        Ok(match word {
            "gzip" | "x-gzip" => Coding::Gzip(Box::new(MultiGzDecoder::new(sink))),
            "deflate" => Coding::DeflateUndecided(Some(sink)),
            "br" => {
                let mut decoder = DecompressorWriter::new(sink, BROTLI_BUFFER);
                // Not part of the coding (RFC 7932), and a window could then have a gigabyte.
                decoder.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
                Coding::Brotli(Box::new(decoder))
            }
            "zstd" => {
                // Making a context fails only where memory has run out; the body is then not read.
                let Ok(mut context) = zstd::stream::raw::Decoder::new() else { return Err(sink) };
                if context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).is_err() {
                    return Err(sink);
                }
                Coding::Zstd(Box::new(zio::Writer::new(sink, context)))
            }
            _ => return Err(sink),
        })
    }

    fn sink(&mut self) -> Option<&mut Bounded<C>> {
        Some(match self {
            Coding::Identity(sink) => sink,
            Coding::Gzip(decoder) => decoder.get_mut(),
            Coding::DeflateUndecided(sink) => return sink.as_mut(),
            Coding::Deflate(decoder) => &mut decoder.sink,
            Coding::Brotli(decoder) => decoder.get_mut(),
            Coding::Zstd(decoder) => decoder.writer_mut(),
        })
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Coding::DeflateUndecided(sink) = self
            && let (Some(sink), Some(first)) = (sink.take(), bytes.first())
        {
            // RFC 1950: the method in the low half is 8, the window in the high half at most 7.
            let is_zlib = first & 0x0f == 8 && first >> 4 <= 7;
            *self = Coding::Deflate(Box::new(Inflate::new(sink, is_zlib)));
        }
        match self {
            Coding::Identity(sink) => sink.write_all(bytes),
            Coding::Gzip(decoder) => through(decoder, bytes),
            Coding::Deflate(decoder) => decoder.push(bytes),
            Coding::Brotli(decoder) => through(decoder, bytes),
            Coding::Zstd(decoder) => through(decoder, bytes),
            Coding::DeflateUndecided(_) => Ok(()),
        }
    }

    fn is_whole(&mut self) -> bool {
        if self.sink().is_some_and(|sink| sink.encoded == 0) {
            return true;
        }
        match self {
            Coding::Identity(_) | Coding::DeflateUndecided(_) => true,
            Coding::Gzip(decoder) => decoder.try_finish().is_ok(),
            Coding::Deflate(decoder) => decoder.ended,
            Coding::Brotli(decoder) => decoder.close().is_ok(),
            Coding::Zstd(decoder) => decoder.finish().is_ok(),
        }
    }
}

/// Decodes deflate. The library's own writer does not tell whether a stream came to its end.
struct Inflate<W> {
    sink: W,
    state: Decompress,
    buffer: Box<[u8]>,
    ended: bool,
}

impl<W: Write> Inflate<W> {
    fn new(sink: W, is_zlib: bool) -> Inflate<W> {
        let buffer = vec![0; INFLATE_BUFFER].into_boxed_slice();
        Inflate { sink, state: Decompress::new(is_zlib), buffer, ended: false }
    }

    fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            if self.ended {
                return if bytes.is_empty() { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) };
            }
            let (read, written) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(bytes, &mut self.buffer, FlushDecompress::Sync)?;
            // What one step moves is no longer than the slices it was given.
            let moved = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
            let written = moved(self.state.total_out(), written);
            bytes = bytes.get(moved(self.state.total_in(), read)..).unwrap_or_default();
            self.sink.write_all(self.buffer.get(..written).unwrap_or_default())?;
            self.ended = status == Status::StreamEnd;
            if !self.ended && written < self.buffer.len() {
                return if bytes.is_empty() { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) };
            }
        }
    }
}

/// What has been decoded so far must come out now: an event waits for nobody.
fn through(decoder: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    decoder.write_all(bytes)?;
    decoder.flush()
}
