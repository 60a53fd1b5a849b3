//! WebSocket messages out of bytes cut anywhere (RFC 6455), compressed ones too (RFC 7692). Per read: no allocation, no
//! lock, no log; nothing is collected. What comes out of a compressed message is bounded; what cannot be read ends the
//! reading, for good.

mod extensions;
mod inflate;

#[cfg(test)]
mod tests;

pub use extensions::{Deflate, Extensions};

use self::inflate::Inflater;

/// Unmasked at once.
const SCRATCH: usize = 4 * 1024;
/// Longest payload of a control frame.
const CONTROL: usize = 125;
/// Longest head: two bytes, eight of length, four of mask.
const HEAD: usize = 14;

/// Takes messages as they pass.
pub trait Messages {
    /// A message begins: `text`, or binary.
    fn begin(&mut self, text: bool);
    /// Its next bytes. False when the rest of it is not wanted.
    fn part(&mut self, bytes: &[u8]) -> bool;
    /// It is whole.
    fn end(&mut self);
    /// The sender takes its leave, with this code where it gave one.
    fn close(&mut self, code: Option<u16>);
}

/// Reads the frames of one direction.
#[derive(Debug)]
pub struct FrameReader {
    /// Frames of a client are masked, those of a server are not.
    masked: bool,
    inflater: Option<Inflater>,
    state: State,
    head: [u8; HEAD],
    message: Message,
    fault: Option<&'static str>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// So many bytes of a head are there.
    Head(usize),
    Payload(Frame),
    Control(Control),
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    left: u64,
    mask: Mask,
    last: bool,
}

#[derive(Debug, Clone, Copy)]
struct Control {
    left: usize,
    mask: Mask,
    close: bool,
    code: [u8; 2],
    have: usize,
}

/// The mask and how far it is turned.
#[derive(Debug, Clone, Copy, Default)]
struct Mask {
    key: [u8; 4],
    at: usize,
}

/// The message that frames are part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    None,
    Open { compressed: bool, wanted: bool },
}

impl FrameReader {
    /// A reader of what a client sends, with what was agreed for that direction.
    #[must_use]
    pub const fn of_client(deflate: Option<Deflate>) -> FrameReader {
        FrameReader::new(true, deflate)
    }

    /// A reader of what a server sends.
    #[must_use]
    pub const fn of_server(deflate: Option<Deflate>) -> FrameReader {
        FrameReader::new(false, deflate)
    }

    const fn new(masked: bool, deflate: Option<Deflate>) -> FrameReader {
        let inflater = match deflate {
            Some(deflate) => Some(Inflater::new(deflate)),
            None => None,
        };
        FrameReader {
            masked,
            inflater,
            state: State::Head(0),
            head: [0; HEAD],
            message: Message::None,
            fault: None,
        }
    }

    /// Takes the next bytes and hands on what they hold. After a fault nothing more is read.
    pub fn push(&mut self, bytes: &[u8], to: &mut impl Messages) {
        if self.fault.is_none()
            && let Err(fault) = self.read(bytes, to)
        {
            self.fault = Some(fault);
        }
    }

    /// Why reading stopped, if it did.
    #[must_use]
    pub const fn fault(&self) -> Option<&'static str> {
        self.fault
    }

    /// Whether the bytes so far end between two messages.
    #[must_use]
    pub fn is_between(&self) -> bool {
        matches!(self.state, State::Head(0)) && self.message == Message::None
    }

    fn read(&mut self, mut bytes: &[u8], to: &mut impl Messages) -> Result<(), &'static str> {
        while !bytes.is_empty() {
            match self.state {
                State::Head(have) => {
                    let have = self.take_head(have, &mut bytes);
                    self.state = State::Head(have);
                    if have >= 2 && have == self.head_length() {
                        self.begin_frame(to)?;
                    }
                }
                State::Payload(mut frame) => {
                    let here = usize::try_from(frame.left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    let (now, rest) = bytes.split_at(here);
                    bytes = rest;
                    frame.left -= here as u64;
                    self.payload(now, &mut frame.mask, to)?;
                    self.state = State::Payload(frame);
                    self.end_frame(frame, to)?;
                }
                State::Control(mut control) => {
                    let (now, rest) = bytes.split_at(control.left.min(bytes.len()));
                    bytes = rest;
                    control.take(now);
                    self.state = State::Control(control);
                    self.end_control(control, to);
                }
            }
        }
        Ok(())
    }

    fn take_head(&mut self, mut have: usize, bytes: &mut &[u8]) -> usize {
        loop {
            let wanted = if have < 2 { 2 } else { self.head_length() };
            let take = (wanted - have).min(bytes.len());
            self.head[have..have + take].copy_from_slice(&bytes[..take]);
            *bytes = &bytes[take..];
            have += take;
            if have < wanted || wanted > 2 || self.head_length() == 2 {
                return have;
            }
        }
    }

    /// Bytes that this head has, known once two are there.
    const fn head_length(&self) -> usize {
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        mask + match self.head[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    fn begin_frame(&mut self, to: &mut impl Messages) -> Result<(), &'static str> {
        let [first, second, ..] = self.head;
        let (last, compressed, code) = (first & 0x80 != 0, first & 0x40 != 0, first & 0x0f);
        if first & 0x30 != 0 {
            return Err("a WebSocket frame has a bit that nobody agreed on");
        }
        if (second & 0x80 != 0) != self.masked {
            return Err("a WebSocket frame is masked on the wrong side");
        }
        let length = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([self.head[2], self.head[3]])),
            127 => {
                let mut length = [0; 8];
                length.copy_from_slice(&self.head[2..10]);
                u64::from_be_bytes(length)
            }
            short => u64::from(short),
        };
        if length >> 63 != 0 {
            return Err("a WebSocket frame has an impossible length");
        }
        let mut mask = Mask::default();
        if self.masked {
            let end = self.head_length();
            mask.key.copy_from_slice(&self.head[end - 4..end]);
        }
        if code >= 8 {
            if !last || compressed || length > CONTROL as u64 || code > 10 {
                return Err("a WebSocket control frame is malformed");
            }
            let control = Control {
                left: usize::try_from(length).unwrap_or(CONTROL),
                mask,
                close: code == 8,
                code: [0; 2],
                have: 0,
            };
            self.state = State::Control(control);
            self.end_control(control, to);
            return Ok(());
        }
        match (code, self.message) {
            (0, Message::Open { .. }) if !compressed => {}
            (1 | 2, Message::None) => {
                if compressed && self.inflater.is_none() {
                    return Err("a WebSocket message is compressed in a way that is not known");
                }
                to.begin(code == 1);
                self.message = Message::Open { compressed, wanted: true };
            }
            _ => return Err("a WebSocket frame is out of order"),
        }
        let frame = Frame { left: length, mask, last };
        self.state = State::Payload(frame);
        self.end_frame(frame, to)
    }

    fn payload(&mut self, bytes: &[u8], mask: &mut Mask, to: &mut impl Messages) -> Result<(), &'static str> {
        let Message::Open { compressed, mut wanted } = self.message else { return Ok(()) };
        // A compressed message whose window the next one needs is decoded to its end, wanted or not.
        let needed = compressed && self.inflater.as_ref().is_some_and(Inflater::keeps_its_window);
        if !wanted && !needed {
            mask.turn(bytes.len());
            return Ok(());
        }
        if self.masked {
            let mut scratch = [0; SCRATCH];
            for piece in bytes.chunks(SCRATCH) {
                let clear = &mut scratch[..piece.len()];
                clear.copy_from_slice(piece);
                mask.apply(clear);
                wanted = self.clear(clear, compressed, wanted, to)?;
            }
        } else {
            wanted = self.clear(bytes, compressed, wanted, to)?;
        }
        self.message = Message::Open { compressed, wanted };
        Ok(())
    }

    /// Unmasked bytes of a message. Returns whether more of it is wanted.
    fn clear(
        &mut self,
        bytes: &[u8],
        compressed: bool,
        wanted: bool,
        to: &mut impl Messages,
    ) -> Result<bool, &'static str> {
        match &mut self.inflater {
            Some(inflater) if compressed => inflater.push(bytes, wanted, to),
            _ => Ok(wanted && to.part(bytes)),
        }
    }

    fn end_frame(&mut self, frame: Frame, to: &mut impl Messages) -> Result<(), &'static str> {
        if frame.left > 0 {
            return Ok(());
        }
        self.state = State::Head(0);
        if let (true, Message::Open { compressed, wanted }) = (frame.last, self.message) {
            self.message = Message::None;
            if let Some(inflater) = self.inflater.as_mut().filter(|_| compressed) {
                inflater.end(wanted, to)?;
            }
            to.end();
        }
        Ok(())
    }

    fn end_control(&mut self, control: Control, to: &mut impl Messages) {
        if control.left == 0 {
            self.state = State::Head(0);
            if control.close {
                to.close((control.have == 2).then_some(u16::from_be_bytes(control.code)));
            }
        }
    }
}

impl Control {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(slot) = self.code.get_mut(self.have) {
                *slot = byte ^ self.mask.key[self.mask.at];
                self.have += 1;
            }
            self.mask.turn(1);
        }
        self.left -= bytes.len();
    }
}

impl Mask {
    fn apply(&mut self, bytes: &mut [u8]) {
        let mut key = self.key;
        key.rotate_left(self.at);
        let word = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
        let mut words = bytes.chunks_exact_mut(8);
        for chunk in &mut words {
            let mut clear = [0; 8];
            clear.copy_from_slice(chunk);
            chunk.copy_from_slice(&(u64::from_ne_bytes(clear) ^ word).to_ne_bytes());
        }
        for (byte, key) in words.into_remainder().iter_mut().zip(key.into_iter().cycle()) {
            *byte ^= key;
        }
        self.turn(bytes.len());
    }

    const fn turn(&mut self, bytes: usize) {
        self.at = (self.at + bytes) % 4;
    }
}
