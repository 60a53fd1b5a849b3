//! Compressed messages as they pass (RFC 7692). Per read: no allocation but the decoder's own state with the first
//! compressed message, some 40 KiB; what expands beyond all measure is not followed.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Deflate, Messages};

/// What a sender leaves out at a message's end.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// Decoded at once.
const OUTPUT: usize = 4 * 1024;
/// Up to here any expansion of a message is followed …
const ALWAYS: u64 = 4 * 1024 * 1024;
/// … beyond it only what expands less than this, as with bodies.
const RATIO: u64 = 200;

const UNREADABLE: &str = "a WebSocket message's compression could not be read";

/// Decodes the messages of one direction.
#[derive(Debug)]
pub(super) struct Inflater {
    deflate: Deflate,
    decoder: Option<Box<Decompress>>,
    encoded: u64,
    decoded: u64,
}

impl Inflater {
    pub(super) const fn new(deflate: Deflate) -> Inflater {
        Inflater { deflate, decoder: None, encoded: 0, decoded: 0 }
    }

    /// Whether a message may refer to the ones before it.
    pub(super) const fn keeps_its_window(&self) -> bool {
        self.deflate.context_takeover
    }

    /// Decodes the next bytes of a message. Returns whether more of it is wanted.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        mut wanted: bool,
        to: &mut impl Messages,
    ) -> Result<bool, &'static str> {
        let window = self.deflate.window_bits;
        let decoder =
            self.decoder.get_or_insert_with(|| Box::new(Decompress::new_with_window_bits(false, window)));
        self.encoded += bytes.len() as u64;
        let mut output = [0; OUTPUT];
        loop {
            let (read, written) = (decoder.total_in(), decoder.total_out());
            let status =
                decoder.decompress(bytes, &mut output, FlushDecompress::Sync).map_err(|_| UNREADABLE)?;
            let read = usize::try_from(decoder.total_in() - read).map_err(|_| UNREADABLE)?;
            let written = usize::try_from(decoder.total_out() - written).map_err(|_| UNREADABLE)?;
            bytes = bytes.get(read..).ok_or(UNREADABLE)?;
            if written > 0 {
                self.decoded += written as u64;
                if self.decoded > ALWAYS && self.decoded / RATIO > self.encoded {
                    return Err("a WebSocket message expands beyond all measure");
                }
                wanted = wanted && to.part(output.get(..written).ok_or(UNREADABLE)?);
            }
            match status {
                // A sender may end its stream with a message (RFC 7692, 7.2.3.4); another begins.
                Status::StreamEnd => decoder.reset(false),
                // There may be more output than fitted.
                _ if written == OUTPUT => {}
                _ if bytes.is_empty() => return Ok(wanted),
                _ if read == 0 && written == 0 => return Err(UNREADABLE),
                _ => {}
            }
        }
    }

    /// The message is over.
    pub(super) fn end(&mut self, wanted: bool, to: &mut impl Messages) -> Result<(), &'static str> {
        if wanted || self.keeps_its_window() {
            self.push(&TAIL, wanted, to)?;
        }
        if let Some(decoder) = self.decoder.as_mut().filter(|_| !self.deflate.context_takeover) {
            decoder.reset(false);
        }
        (self.encoded, self.decoded) = (0, 0);
        Ok(())
    }
}
