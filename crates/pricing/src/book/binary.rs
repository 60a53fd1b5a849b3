//! The compiled form: tables of fixed-size records and one pool of texts, little-endian, read where they lie. Per call:
//! no allocation, no parsing. A place outside the bytes reads as zero, so damaged bytes give wrong words, never a panic.

/// First bytes of every compiled book; the last two digits are the version of the form.
pub(super) const MAGIC: &[u8; 8] = b"ORPRICE2";

/// The tables, in the order of the header.
#[derive(Debug, Clone, Copy)]
#[repr(usize)]
pub(super) enum Table {
    Texts,
    ProviderNames,
    Hosts,
    Providers,
    Fallbacks,
    Names,
    Clauses,
    Atoms,
    Pointers,
    Models,
    Cards,
    Lines,
    Factors,
    Minimums,
    Allowances,
    Facts,
    Schedules,
}

pub(super) const TABLES: usize = Table::Schedules as usize + 1;
/// Bytes of one record of each table.
pub(super) const SIZES: [usize; TABLES] = [1, 12, 12, 56, 8, 12, 24, 12, 32, 44, 84, 16, 68, 12, 28, 72, 8];
/// Magic, hash in hex, day, two bytes of padding, then offset and count of each table.
pub(super) const HASH: usize = 8;
pub(super) const DATE: usize = HASH + 64;
pub(super) const DIRECTORY: usize = DATE + 12;
pub(super) const HEADER: usize = DIRECTORY + 8 * TABLES;

/// "Any" where a byte holds a choice, "none" where four hold a place.
pub(super) const ANY: u8 = 255;
pub(super) const NONE: u32 = u32::MAX;

/// A stretch of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Range {
    pub(super) start: u32,
    pub(super) count: u32,
}

impl Range {
    pub(super) fn places(self) -> std::ops::Range<u32> {
        self.start..self.start.saturating_add(self.count)
    }
}

/// Compiled bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

/// One record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    book: Bytes<'a>,
    at: usize,
}

impl<'a> Bytes<'a> {
    fn array<const N: usize>(self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
    }

    fn word(self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    /// Where a table lies.
    fn table(self, table: Table) -> Range {
        let at = DIRECTORY + 8 * table as usize;
        Range { start: self.word(at), count: self.word(at + 4) }
    }

    pub(super) fn count(self, table: Table) -> u32 {
        self.table(table).count
    }

    pub(super) fn record(self, table: Table, place: u32) -> Record<'a> {
        let size = SIZES.get(table as usize).copied().unwrap_or(0);
        let at = self.table(table).start as usize + place as usize * size;
        Record { book: self, at }
    }

    /// A text of the header.
    pub(super) fn head(self, at: usize, length: usize) -> &'a str {
        self.0.get(at..at + length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }

    /// Whether these bytes begin as a book and hold the tables they speak of.
    pub(super) fn is_book(self) -> bool {
        let whole = |table: usize| {
            let (start, count) = (self.word(DIRECTORY + 8 * table), self.word(DIRECTORY + 8 * table + 4));
            let size = SIZES.get(table).copied().unwrap_or(0);
            start as usize + count as usize * size <= self.0.len()
        };
        self.0.starts_with(MAGIC) && self.0.len() >= HEADER && (0..TABLES).all(whole)
    }

    fn raw(self, start: u32, length: u32) -> &'a [u8] {
        let at = self.table(Table::Texts).start as usize + start as usize;
        self.0.get(at..at + length as usize).unwrap_or(&[])
    }

    /// The place of a text in a stretch of records that begin with a text and are sorted by it.
    pub(super) fn search(self, table: Table, range: Range, text: &str) -> Option<u32> {
        let mut places = range.places();
        while !places.is_empty() {
            let middle = places.start + (places.end - places.start) / 2;
            match self.record(table, middle).raw(0).cmp(text.as_bytes()) {
                std::cmp::Ordering::Less => places.start = middle + 1,
                std::cmp::Ordering::Greater => places.end = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }
}

impl<'a> Record<'a> {
    pub(super) fn byte(self, at: usize) -> u8 {
        u8::from_le_bytes(self.book.array(self.at + at))
    }

    pub(super) fn short(self, at: usize) -> u16 {
        u16::from_le_bytes(self.book.array(self.at + at))
    }

    pub(super) fn word(self, at: usize) -> u32 {
        self.book.word(self.at + at)
    }

    pub(super) fn long(self, at: usize) -> u64 {
        u64::from_le_bytes(self.book.array(self.at + at))
    }

    pub(super) fn second(self, at: usize) -> i64 {
        i64::from_le_bytes(self.book.array(self.at + at))
    }

    pub(super) fn range(self, at: usize) -> Range {
        Range { start: self.word(at), count: self.word(at + 4) }
    }

    pub(super) fn text(self, at: usize) -> &'a str {
        std::str::from_utf8(self.raw(at)).unwrap_or("")
    }

    /// A text that is only compared need not be proven to be one.
    pub(super) fn raw(self, at: usize) -> &'a [u8] {
        self.book.raw(self.word(at), self.word(at + 4))
    }

    pub(super) fn has_text(self, at: usize) -> bool {
        self.word(at + 4) != 0
    }

    /// Whether a condition on a feature holds: it asks for none, or for this one.
    pub(super) fn allows(self, at: usize, given: Option<&str>) -> bool {
        !self.has_text(at) || given.is_some_and(|given| given.as_bytes() == self.raw(at))
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn damaged_bytes_are_refused_or_read_as_nothing() {
        for length in [0, 7, 8, 100, 300] {
            let bytes = vec![0xff; length];
            assert!(!Bytes(&bytes).is_book());
            assert_eq!(Bytes(&bytes).record(super::Table::Cards, 7).long(3), 0);
        }
    }
}
