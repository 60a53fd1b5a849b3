//! WebSocket frames (RFC 6455) and their compression (RFC 7692), as a server writes and reads them.

use std::io;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use tokio::io::{AsyncRead, AsyncReadExt};

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// What a client sent.
pub(super) enum Message {
    Text(Vec<u8>),
    Ping(Vec<u8>),
    Close(Vec<u8>),
    Other,
}

/// Reads a client's messages.
pub(super) struct Reader<R> {
    io: R,
    inflate: Option<Decompress>,
    context: bool,
}

/// Writes a server's messages as bytes.
pub(super) struct Writer {
    deflate: Option<Compress>,
    context: bool,
    /// A message is sent in frames of at most so many bytes.
    frame: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(io: R, compressed: bool, context: bool) -> Reader<R> {
        Reader { io, inflate: compressed.then(|| Decompress::new(false)), context }
    }

    /// The next message; control frames come between the pieces of another.
    pub(super) async fn next(&mut self, open: &mut Option<(bool, bool, Vec<u8>)>) -> io::Result<Message> {
        loop {
            let mut head = [0; 2];
            self.io.read_exact(&mut head).await?;
            let length = match head[1] & 0x7f {
                126 => u64::from(self.io.read_u16().await?),
                127 => self.io.read_u64().await?,
                short => u64::from(short),
            };
            let length = usize::try_from(length).ok().filter(|length| *length < 64 << 20);
            let (Some(length), true) = (length, head[1] & 0x80 != 0) else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            let mut mask = [0; 4];
            self.io.read_exact(&mut mask).await?;
            let mut payload = vec![0; length];
            self.io.read_exact(&mut payload).await?;
            for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
                *byte ^= key;
            }
            match head[0] & 0x0f {
                8 => return Ok(Message::Close(payload)),
                9 => return Ok(Message::Ping(payload)),
                10 => return Ok(Message::Other),
                0 => match open {
                    Some((_, _, whole)) => whole.extend(payload),
                    None => return Err(io::ErrorKind::InvalidData.into()),
                },
                kind => *open = Some((kind == 1, head[0] & 0x40 != 0, payload)),
            }
            if head[0] & 0x80 == 0 {
                continue;
            }
            let Some((text, compressed, whole)) = open.take() else { continue };
            let whole = if compressed { self.inflated(whole)? } else { whole };
            return Ok(if text { Message::Text(whole) } else { Message::Other });
        }
    }

    fn inflated(&mut self, mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let inflate = self.inflate.as_mut().ok_or(io::ErrorKind::InvalidData)?;
        if !self.context {
            inflate.reset(false);
        }
        bytes.extend(TAIL);
        let begun = inflate.total_in();
        let mut out = Vec::with_capacity(bytes.len() * 4 + 1024);
        loop {
            let read = usize::try_from(inflate.total_in() - begun).unwrap_or(usize::MAX);
            let rest = bytes.get(read..).unwrap_or_default();
            inflate.decompress_vec(rest, &mut out, FlushDecompress::Sync).map_err(io::Error::other)?;
            if out.len() < out.capacity() {
                return Ok(out);
            }
            out.reserve(out.len());
        }
    }
}

impl Writer {
    pub(super) fn new(compressed: bool, context: bool, frame: Option<usize>) -> Writer {
        Writer {
            deflate: compressed.then(|| Compress::new(Compression::fast(), false)),
            context,
            frame: frame.unwrap_or(usize::MAX).max(1),
        }
    }

    /// A text message.
    pub(super) fn text(&mut self, text: &str) -> Vec<u8> {
        let (bits, payload) = match &mut self.deflate {
            None => (0x01, text.as_bytes().to_vec()),
            Some(deflate) => {
                if !self.context {
                    deflate.reset();
                }
                let mut out = Vec::with_capacity(text.len() * 2 + 1024);
                // There is room for all of it.
                let _deflated = deflate.compress_vec(text.as_bytes(), &mut out, FlushCompress::Sync);
                out.truncate(out.len().saturating_sub(TAIL.len()));
                (0x41, out)
            }
        };
        let count = payload.len().div_ceil(self.frame).max(1);
        let mut bytes = Vec::new();
        for at in 0..count {
            let from = at * self.frame.min(payload.len());
            let piece = &payload[from..payload.len().min(from.saturating_add(self.frame))];
            let last = if at + 1 == count { 0x80 } else { 0 };
            bytes.extend(frame(last | if at == 0 { bits } else { 0 }, piece));
        }
        bytes
    }
}

/// One frame.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => bytes.push(length),
        (_, Ok(length)) => {
            bytes.push(126);
            bytes.extend(length.to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}
