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

/// The table's word for bytes that continue a character.
const TAIL: u8 = 10;
/// A run of letters, digits and joints that is longer is no word.
const LONGEST_WORD: u32 = 40;

/// The class of each byte.
const TABLE: [u8; 256] = {
    let mut table = [Class::Symbol as u8; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter as u8,
            b'0'..=b'9' => Class::Digit as u8,
            b'+' | b'/' | b'=' | b'-' | b'_' => Class::Joint as u8,
            b' ' | b'\t' => Class::Space as u8,
            b'\n' | b'\r' => Class::Newline as u8,
            0x80..=0xbf => TAIL,
            0xc0..=0xdf => Class::Accent as u8,
            0xe0..=0xff => Class::Wide as u8,
            _ => Class::Symbol as u8,
        };
        byte += 1;
    }
    table
};

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
#[derive(Debug, Clone, Copy)]
pub struct Classifier {
    counts: [u64; CLASSES + 1],
    last: u8,
    run: u32,
}

impl Default for Classifier {
    fn default() -> Classifier {
        Classifier { counts: [0; CLASSES + 1], last: TAIL, run: 0 }
    }
}

impl Classifier {
    /// The next bytes, in UTF-8.
    pub fn push(&mut self, bytes: &[u8]) {
        self.push_as(bytes, 1);
    }

    /// The next bytes, which stand for `times` as many of their kind.
    pub fn push_as(&mut self, bytes: &[u8], times: u64) {
        let (mut last, mut run) = (self.last, self.run);
        for byte in bytes {
            let class = TABLE[usize::from(*byte)];
            self.counts[usize::from(class)] += times;
            let letter = class == Class::Letter as u8;
            self.counts[Class::Word as usize] += if letter && last != class { times } else { 0 };
            run = if class <= Class::Joint as u8 { run.saturating_add(1) } else { 0 };
            self.counts[Class::Dense as usize] += if run > LONGEST_WORD { times } else { 0 };
            last = class;
        }
        (self.last, self.run) = (last, run);
    }

    /// Letters, digits and joints since the last break: base64 has many, prose few.
    #[must_use]
    pub const fn run(&self) -> u32 {
        self.run
    }

    /// One text is over; the next does not continue its last word.
    pub const fn end(&mut self) {
        self.last = TAIL;
        self.run = 0;
    }

    /// Adds what was counted.
    pub fn add_to(&self, count: &mut TextCount) {
        for (sum, counted) in count.classes.iter_mut().zip(self.counts) {
            *sum += counted;
        }
    }
}
