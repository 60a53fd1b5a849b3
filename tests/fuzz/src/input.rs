//! What targets make of an input: long runs from one byte, cuts from the last ones, AWS's framing with checksums that fit.

/// Stands for a run of text that is too long to be held.
const RUN: u8 = 0xff;
const RUN_LENGTH: usize = 17_000;
/// No input stands for more runs than these.
const RUNS: usize = 4;

/// The input with its runs written out.
pub(crate) fn expanded(input: &[u8]) -> Vec<u8> {
    let mut expanded = Vec::with_capacity(input.len());
    let mut runs = 0;
    for byte in input {
        if *byte == RUN && runs < RUNS {
            runs += 1;
            expanded.resize(expanded.len() + RUN_LENGTH, b'x');
        } else {
            expanded.push(*byte);
        }
    }
    expanded
}

/// The bytes cut into pieces, whose lengths follow from the bytes themselves: short and long ones, empty ones too.
pub(crate) fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    let mut state =
        bytes.iter().fold(0x9e37_79b9_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = match state >> 30 {
            0 => (state >> 8) % 3,
            1 | 2 => (state >> 8) % 40,
            _ => (state >> 8) % 20_000,
        };
        let (piece, after) = rest.split_at((length as usize).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// AWS's messages with checksums that fit, as far as their lengths do. Else nothing would ever get behind them.
pub(crate) fn with_checksums(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let mut at = 0;
    while let Some(message) = bytes.get_mut(at..).filter(|rest| rest.len() >= 16) {
        let total = u32::from_be_bytes([message[0], message[1], message[2], message[3]]) as usize;
        let prelude = crc32fast::hash(&message[..8]).to_be_bytes();
        message[8..12].copy_from_slice(&prelude);
        if total < 16 || total > message.len() {
            break;
        }
        let whole = crc32fast::hash(&message[..total - 4]).to_be_bytes();
        message[total - 4..total].copy_from_slice(&whole);
        at += total;
    }
    bytes
}
