//! Texts as an estimate sees them: how many characters of which kind. Per byte of content: a table look-up and an addition;
//! no allocation, nothing of the text is kept.

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

/// Classes that are those of single bytes; they come first.
const OF_BYTES: usize = 8;
/// Bytes whose counts fit into eight bits per class.
const BLOCK: usize = 255;

/// The class of each byte as a one in the eight bits of that class: a block of bytes is counted by adding these up in a
/// register. Bytes that continue a character count nothing.
const TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let class = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Some(Class::Letter),
            b'0'..=b'9' => Some(Class::Digit),
            b'+' | b'/' | b'=' | b'-' | b'_' => Some(Class::Joint),
            b' ' | b'\t' => Some(Class::Space),
            b'\n' | b'\r' => Some(Class::Newline),
            0x80..=0xbf => None,
            0xc0..=0xdf => Some(Class::Accent),
            0xe0..=0xff => Some(Class::Wide),
            _ => Some(Class::Symbol),
        };
        if let Some(class) = class {
            table[byte] = 1 << (8 * class as u64);
        }
        byte += 1;
    }
    table
};
/// What a letter has in the table, and what may stand in an unbroken run.
const LETTER: u64 = 1 << (8 * Class::Letter as u64);
const UNBROKEN: u64 = LETTER | 1 << (8 * Class::Digit as u64) | 1 << (8 * Class::Joint as u64);

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
    /// What the last byte had in the table.
    last: u64,
    /// Length of the unbroken run that the last byte stands in.
    run: u32,
}

impl Classifier {
    /// The next bytes, in UTF-8.
    pub fn push(&mut self, bytes: &[u8]) {
        self.push_as(bytes, 1);
    }

    /// The next bytes, which stand for `times` as many of their kind.
    pub fn push_as(&mut self, bytes: &[u8], times: u64) {
        let (mut last, mut run) = (self.last, self.run);
        let (mut words, mut dense) = (0, 0);
        for block in bytes.chunks(BLOCK) {
            let mut sums = 0;
            for byte in block {
                let class = TABLE[usize::from(*byte)];
                sums += class;
                words += class & !last & LETTER;
                run = if class & UNBROKEN == 0 { 0 } else { run.saturating_add(1) };
                dense += u64::from(run > LONGEST_WORD);
                last = class;
            }
            for (at, count) in self.counts[..OF_BYTES].iter_mut().enumerate() {
                *count += (sums >> (8 * at) & 0xff) * times;
            }
        }
        self.counts[Class::Word as usize] += words * times;
        self.counts[Class::Dense as usize] += dense * times;
        (self.last, self.run) = (last, run);
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
