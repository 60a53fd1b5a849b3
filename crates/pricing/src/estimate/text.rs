//! Texts as an estimate sees them: how many characters of which kind. Per byte of content, sixteen at a time; no allocation,
//! nothing of the text is kept.

/// What is counted of a text. Their sum is no length: words and dense characters are counted beside their letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// ASCII letters.
    Letter,
    /// ASCII digits.
    Digit,
    /// `+`, `/`, `=`, `-` and `_`, which stand inside names, paths and base64.
    Joint,
    /// Spaces and tabs.
    Space,
    /// Ends of lines.
    Newline,
    /// All other ASCII punctuation: prose has little of it, code and JSON much.
    Symbol,
    /// Characters of two bytes in UTF-8: accented Latin, Greek, Cyrillic, Hebrew, Arabic.
    Accent,
    /// Characters of three or four bytes: Chinese, Japanese, Korean, Indic scripts, emoji.
    Wide,
    /// Runs of letters: about a token each.
    Word,
    /// Letters, digits and joints beyond the fortieth without a break: base64, hashes, keys.
    Dense,
}

/// Number of classes.
pub const CLASSES: usize = 10;

/// A run of letters, digits and joints that is longer is no word.
const LONGEST_WORD: u32 = 40;

/// Bytes that are looked at side by side: the compiler makes one instruction of sixteen additions.
const STRIPE: usize = 16;
/// Stripes whose counts fit into eight bits per place.
const STRIPES: usize = 255;
/// Longest run before a stripe with a break in it that cannot become dense there.
const SHORT_RUN: u32 = LONGEST_WORD - STRIPE as u32 + 1;

/// Characters by class, and what is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextCount {
    /// By [`Class`].
    pub classes: [u64; CLASSES],
    /// Images, recordings and files given as base64.
    pub media: u64,
    /// Characters of their base64.
    pub media_characters: u64,
}

impl TextCount {
    /// How many there are of a class.
    #[must_use]
    pub const fn of(&self, class: Class) -> u64 {
        self.classes[class as usize]
    }

    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == TextCount::default()
    }
}

/// Counts a text as it comes, cut anywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Classifier {
    counts: [u64; CLASSES],
    /// The byte before; 0 where there is none.
    last: u8,
    /// Length of the unbroken run that it stands in.
    run: u32,
}

impl Classifier {
    /// The next bytes, in UTF-8.
    pub fn push(&mut self, bytes: &[u8]) {
        self.push_as(bytes, 1);
    }

    /// The next bytes, which stand for `times` as many of their kind.
    pub fn push_as(&mut self, bytes: &[u8], times: u64) {
        let mut at = 0;
        while at < bytes.len() {
            // A stripe is compared with itself moved by one, so that there must be a byte before it.
            if at > 0 && self.run <= SHORT_RUN {
                at += self.stripes(&bytes[at - 1..], times);
            }
            let one_by_one = if at == 0 { 1 } else { (bytes.len() - at).min(STRIPE) };
            self.bytes(&bytes[at..at + one_by_one], times);
            at += one_by_one;
        }
    }

    /// Counts stripe by stripe what follows the first of these bytes, up to the first stripe without a break: only there can
    /// something be dense. Returns how many bytes.
    fn stripes(&mut self, bytes: &[u8], times: u64) -> usize {
        let mut lanes = Lanes::default();
        let (befores, (stripes, _)) = (bytes.as_chunks::<STRIPE>().0, bytes[1..].as_chunks::<STRIPE>());
        let mut counted = 0;
        for (stripe, before) in stripes.iter().zip(befores).take(STRIPES) {
            if !lanes.add(stripe, before) {
                break;
            }
            counted += STRIPE;
        }
        if counted > 0 {
            lanes.add_to(&mut self.counts, counted as u64, times);
            self.last = bytes[counted];
            // Not longer than a stripe, as each has a break.
            let run = bytes[1..=counted].iter().rev().take_while(|byte| is_unbroken(**byte)).count();
            self.run = run as u32;
        }
        counted
    }

    /// Counts byte by byte.
    fn bytes(&mut self, bytes: &[u8], times: u64) {
        for byte in bytes {
            if let Some(class) = CLASS[usize::from(*byte)] {
                self.counts[class as usize] += times;
            }
            self.counts[Class::Word as usize] += u64::from(is_letter(*byte) & !is_letter(self.last)) * times;
            self.run = if is_unbroken(*byte) { self.run.saturating_add(1) } else { 0 };
            self.counts[Class::Dense as usize] += u64::from(self.run > LONGEST_WORD) * times;
            self.last = *byte;
        }
    }

    /// Whether what was pushed since `before` has no break but the few of an address: base64 of something that is no text.
    #[must_use]
    pub fn is_unbroken_since(&self, before: &Classifier) -> bool {
        let of = |class: Class| self.counts[class as usize] - before.counts[class as usize];
        let breaks =
            [Class::Space, Class::Newline, Class::Accent, Class::Wide].into_iter().map(of).sum::<u64>();
        let signs = of(Class::Letter) + of(Class::Digit) + of(Class::Joint);
        breaks == 0 && of(Class::Symbol) < signs / 16
    }

    /// One text is over; the next does not continue its last word.
    pub const fn end(&mut self) {
        self.last = 0;
        self.run = 0;
    }

    /// Adds what was counted.
    pub fn add_to(&self, count: &mut TextCount) {
        for (sum, counted) in count.classes.iter_mut().zip(self.counts) {
            *sum += counted;
        }
    }
}

/// What stands at each place of the stripes so far.
#[derive(Default)]
struct Lanes {
    letters: [u8; STRIPE],
    digits: [u8; STRIPE],
    joints: [u8; STRIPE],
    spaces: [u8; STRIPE],
    newlines: [u8; STRIPE],
    continued: [u8; STRIPE],
    accents: [u8; STRIPE],
    wide: [u8; STRIPE],
    words: [u8; STRIPE],
}

impl Lanes {
    /// Adds a stripe, if there is a break in it; `before` has the byte before each. Without branches, so that its places are counted side by side.
    fn add(&mut self, stripe: &[u8; STRIPE], before: &[u8; STRIPE]) -> bool {
        let mut unbroken = [0; STRIPE];
        for at in 0..STRIPE {
            unbroken[at] = u8::from(is_unbroken(stripe[at]));
        }
        if unbroken == [1; STRIPE] {
            return false;
        }
        for at in 0..STRIPE {
            let byte = stripe[at];
            self.letters[at] += u8::from(is_letter(byte));
            self.digits[at] += u8::from(byte.is_ascii_digit());
            self.joints[at] += u8::from(is_joint(byte));
            self.spaces[at] += u8::from((byte == b' ') | (byte == b'\t'));
            self.newlines[at] += u8::from((byte == b'\n') | (byte == b'\r'));
            self.continued[at] += u8::from(byte & 0xc0 == 0x80);
            self.accents[at] += u8::from(byte & 0xe0 == 0xc0);
            self.wide[at] += u8::from(byte >= 0xe0);
            self.words[at] += u8::from(is_letter(byte) & !is_letter(before[at]));
        }
        true
    }

    /// Adds what was counted of so many bytes.
    fn add_to(&self, counts: &mut [u64; CLASSES], bytes: u64, times: u64) {
        let mut symbols = bytes - sum(&self.continued);
        for (class, lane) in [
            (Class::Letter, &self.letters),
            (Class::Digit, &self.digits),
            (Class::Joint, &self.joints),
            (Class::Space, &self.spaces),
            (Class::Newline, &self.newlines),
            (Class::Accent, &self.accents),
            (Class::Wide, &self.wide),
        ] {
            let counted = sum(lane);
            counts[class as usize] += counted * times;
            symbols -= counted;
        }
        counts[Class::Symbol as usize] += symbols * times;
        counts[Class::Word as usize] += sum(&self.words) * times;
    }
}

fn sum(lane: &[u8; STRIPE]) -> u64 {
    lane.iter().map(|count| u64::from(*count)).sum()
}

const fn is_letter(byte: u8) -> bool {
    (byte | 0x20).wrapping_sub(b'a') < 26
}

// No short cuts: each would be a branch.
const fn is_joint(byte: u8) -> bool {
    (byte == b'+') | (byte == b'/') | (byte == b'=') | (byte == b'-') | (byte == b'_')
}

/// Whether it may stand in an unbroken run.
const fn is_unbroken(byte: u8) -> bool {
    is_letter(byte) | byte.is_ascii_digit() | is_joint(byte)
}

/// [`class`] of every byte.
const CLASS: [Option<Class>; 256] = {
    let mut classes = [None; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = class(byte as u8);
        byte += 1;
    }
    classes
};

/// What a byte counts as. Bytes that continue a character count nothing.
const fn class(byte: u8) -> Option<Class> {
    Some(match byte {
        b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
        b'0'..=b'9' => Class::Digit,
        b'+' | b'/' | b'=' | b'-' | b'_' => Class::Joint,
        b' ' | b'\t' => Class::Space,
        b'\n' | b'\r' => Class::Newline,
        0x80..=0xbf => return None,
        0xc0..=0xdf => Class::Accent,
        0xe0..=0xff => Class::Wide,
        _ => Class::Symbol,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn side_by_side_counts_as_one_by_one_wherever_it_is_cut(
            pieces in proptest::collection::vec(
                prop_oneof!["[a-zA-Z0-9+/=_-]{0,90}", "[ -~\t\n\r]{0,60}", "\\PC{0,30}"], 0..6,
            ),
            cuts in proptest::collection::vec(0..400_usize, 0..4),
        ) {
            let text = pieces.concat();
            let mut expected = Classifier::default();
            expected.bytes(text.as_bytes(), 3);
            let (mut counted, mut rest) = (Classifier::default(), text.as_bytes());
            for cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                counted.push_as(now, 3);
                rest = later;
            }
            counted.push_as(rest, 3);
            prop_assert_eq!(counted.counts, expected.counts);
            prop_assert_eq!((counted.last, counted.run), (expected.last, expected.run));
        }
    }
}
