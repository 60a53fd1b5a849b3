//! Finds the model that a response names. Per call; no allocation.
//!
//! In this order: the exact name or a pointer; its dated form; without a gateway's prefix, a version or a variant; for a
//! fine-tune the row of its base's fine-tunes and no other; then the book's clauses, longest text first. Never a bare
//! prefix: `claude-opus-4-1` also begins a future `claude-opus-4-10`.

use super::binary::{ANY, Bytes, NONE, Range, Record, Table};
use super::compile::{CONTAINS, ENDS, EQUALS, NOT, STARTS};
use crate::document::date;

/// A provider of one layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProviderRow<'a> {
    pub(super) book: Bytes<'a>,
    record: Record<'a>,
}

/// A model of one layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct ModelRow<'a> {
    pub(super) book: Bytes<'a>,
    pub(super) record: Record<'a>,
}

/// How a name led to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It is one of the model's names.
    Named,
    /// It resembles the model's name; what it adds is not known.
    Resembling,
}

impl<'a> ProviderRow<'a> {
    pub(super) fn at(book: Bytes<'a>, place: u32) -> Option<ProviderRow<'a>> {
        (place < book.count(Table::Providers))
            .then(|| ProviderRow { book, record: book.record(Table::Providers, place) })
    }

    /// The provider of an id or alias.
    pub(super) fn find(book: Bytes<'a>, name: &str) -> Option<ProviderRow<'a>> {
        let all = Range { start: 0, count: book.count(Table::ProviderNames) };
        let place = book.search(Table::ProviderNames, all, name)?;
        ProviderRow::at(book, book.record(Table::ProviderNames, place).word(8))
    }

    pub(super) fn id(self) -> &'a str {
        self.record.text(0)
    }

    fn model(self, place: u32) -> Option<ModelRow<'a>> {
        (place != NONE).then(|| ModelRow { book: self.book, record: self.book.record(Table::Models, place) })
    }

    pub(super) fn fallbacks(self) -> impl Iterator<Item = (u32, bool)> + 'a {
        self.record.range(32).places().map(move |place| {
            let record = self.book.record(Table::Fallbacks, place);
            (record.word(0), record.word(4) != 0)
        })
    }

    pub(super) fn factors(self) -> Range {
        self.record.range(40)
    }

    pub(super) fn models(self) -> impl Iterator<Item = ModelRow<'a>> {
        self.record.range(48).places().filter_map(move |place| self.model(place))
    }

    /// The model of an exact name.
    pub(super) fn exact(self, name: &str) -> Option<ModelRow<'a>> {
        let place = self.book.search(Table::Names, self.record.range(8), name)?;
        self.model(self.book.record(Table::Names, place).word(8))
    }

    /// The id of the model for which a moving name stood then.
    fn pointer(self, name: &str, at: i64) -> Option<&'a str> {
        let mut pointers =
            self.record.range(24).places().map(|place| self.book.record(Table::Pointers, place));
        pointers
            .find(|pointer| {
                pointer.raw(0) == name.as_bytes() && pointer.second(8) <= at && at < pointer.second(16)
            })
            .map(|pointer| pointer.text(24))
    }

    /// The model of the first clause that holds.
    fn clause(self, name: &str) -> Option<(ModelRow<'a>, How)> {
        self.record.range(16).places().find_map(|place| {
            let clause = self.book.record(Table::Clauses, place);
            let mut rest = clause.range(16).places();
            let holds = rest.all(|place| {
                let atom = self.book.record(Table::Atoms, place);
                let (kind, text) = (atom.byte(8), atom.text(0));
                fits(name, kind & !NOT, text).is_some() != (kind & NOT != 0)
            });
            let (kind, text) = (clause.byte(8), clause.text(0));
            let how = (holds && kind != ANY && kind & NOT == 0).then(|| fits(name, kind, text)).flatten()?;
            Some((self.model(clause.word(12))?, how))
        })
    }
}

impl<'a> ModelRow<'a> {
    pub(super) fn id(self) -> &'a str {
        self.record.text(0)
    }
}

/// What the layers of a book say of one provider.
pub(super) type Layers<'a> = [Option<ProviderRow<'a>>; 2];

/// The model of a name, and how it was found. Each way is tried in every layer before the next way.
pub(super) fn find<'a>(layers: Layers<'a>, name: &str, at: i64) -> Option<(ModelRow<'a>, How)> {
    let listed = |name: &str| layers.iter().flatten().find_map(|layer| layer.exact(name));
    let exact = |name: &str| {
        listed(name).or_else(|| listed(layers.iter().flatten().find_map(|layer| layer.pointer(name, at))?))
    };
    let named = |name: &str| exact(name).or_else(|| exact(undated(name)?)).map(|model| (model, How::Named));
    if name.starts_with("ft:") {
        // `ft:BASE:org::id` has prices of its own, listed as `ft:BASE`; those of BASE would be wrong.
        let end = name.match_indices(':').nth(1).map_or(name.len(), |(at, _)| at);
        return exact(name.get(..end)?).map(|model| (model, How::Named));
    }
    let bare = name.rsplit_once('/').map_or(name, |(_, bare)| bare);
    let forms = [name, bare];
    forms
        .into_iter()
        .find_map(named)
        .or_else(|| forms.into_iter().filter_map(unversioned).find_map(named))
        .or_else(|| {
            let plain = forms.into_iter().filter_map(|form| form.rsplit_once(':')).map(|(plain, _)| plain);
            plain.into_iter().find_map(named).map(|(model, _)| (model, How::Resembling))
        })
        .or_else(|| layers.iter().flatten().find_map(|layer| layer.clause(name)))
}

/// The name without its `-YYYYMMDD`, `-YYYY-MM-DD` or `@date`, if it has one and that is a day.
fn undated(name: &str) -> Option<&str> {
    if let Some((base, "default")) = name.rsplit_once('@') {
        return Some(base).filter(|base| !base.is_empty());
    }
    [("-YYYYMMDD".len(), false), ("-YYYY-MM-DD".len(), true)].into_iter().find_map(|(length, dashes)| {
        let (base, date) = name.split_at_checked(name.len().checked_sub(length)?)?;
        let date = date.strip_prefix(['-', '@'])?;
        let (year, month, day) = if dashes {
            let (year, rest) = date.split_once('-')?;
            let (month, day) = rest.split_once('-')?;
            (year, month, day)
        } else {
            (date.get(..4)?, date.get(4..6)?, date.get(6..)?)
        };
        (!base.is_empty() && is_day(year, month, day)).then_some(base)
    })
}

fn is_day(year: &str, month: &str, day: &str) -> bool {
    date(year, month, day).is_some_and(|date| (2020..2100).contains(&date.year()))
}

/// The name without its `-v1:0` or `-v1`.
fn unversioned(name: &str) -> Option<&str> {
    let (base, version) = name.rsplit_once("-v")?;
    let (major, minor) = version.split_once(':').unwrap_or((version, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (!base.is_empty() && digits(major) && digits(minor)).then_some(base)
}

/// How a text fits a name by a clause's kind. Where the text ends inside the name, what follows must be a date or a
/// version, or at least begin a new word; a digit that continues a number is another model.
fn fits(name: &str, kind: u8, text: &str) -> Option<How> {
    if text.is_empty() {
        return None;
    }
    match kind {
        EQUALS => (name == text).then_some(How::Named),
        STARTS => follows(text, name.strip_prefix(text)?),
        ENDS => name.ends_with(text).then_some(How::Named),
        CONTAINS => follows(text, name.split_once(text)?.1),
        _ => None,
    }
}

fn follows(text: &str, rest: &str) -> Option<How> {
    let ended = text.ends_with(|last: char| !last.is_ascii_alphanumeric());
    if rest.is_empty() || is_version(rest, ended) {
        return Some(How::Named);
    }
    let mut next = rest.chars();
    let first = if ended {
        next.next()
    } else {
        next.next().filter(|first| "-_:@./[".contains(*first)).and(next.next())
    };
    // `-9` after `…-4`, `.5` after `…-3`, `0` after `…-1`: another model.
    first.filter(|first| !first.is_ascii_digit()).map(|_| How::Resembling)
}

/// Dates, build numbers of three digits and more, `-v1:0`, `:0`.
fn is_version(rest: &str, ended: bool) -> bool {
    let mut rest = rest;
    let mut ended = ended;
    while !rest.is_empty() {
        let body = match rest.strip_prefix(['-', '@', ':']) {
            Some(body) => body,
            None if ended => rest,
            None => return false,
        };
        let colon = rest.starts_with(':');
        let (v, number) = match body.strip_prefix('v') {
            Some(number) => (true, number),
            None => (false, body),
        };
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        let in_date = ended_date(number);
        let is_build = matches!(digits, 3 | 4 | 6) || (digits == 8 && undated_digits(number));
        if digits == 0 || !(v || colon || is_build || in_date) {
            return false;
        }
        rest = number.get(digits..).unwrap_or("");
        // The rest of a dated form has parts of two digits.
        if digits == 4 && rest.len() >= 6 && ended_date(number) {
            rest = rest.get(6..).unwrap_or("");
        }
        ended = false;
    }
    true
}

/// Whether a text begins with `YYYYMMDD`.
fn undated_digits(text: &str) -> bool {
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or("");
    is_day(part(0, 4), part(4, 6), part(6, 8))
}

/// Whether a text begins with `YYYY-MM-DD`.
fn ended_date(text: &str) -> bool {
    text.get(..10).is_some_and(|day| {
        let mut parts = day.split('-');
        matches!((parts.next(), parts.next(), parts.next(), parts.next()), (Some(y), Some(m), Some(d), None) if is_day(y, m, d))
    })
}

#[cfg(test)]
mod tests {
    use super::{CONTAINS, ENDS, EQUALS, How, STARTS, fits, undated, unversioned};

    #[test]
    fn dated_forms_are_taken_off() {
        assert_eq!(undated("claude-opus-4-1-20250805"), Some("claude-opus-4-1"));
        assert_eq!(undated("claude-opus-4-1@20250805"), Some("claude-opus-4-1"));
        assert_eq!(undated("claude-opus-5-5@default"), Some("claude-opus-5-5"));
        assert_eq!(undated("gpt-4.1-2025-04-14"), Some("gpt-4.1"));
    }

    #[test]
    fn what_only_looks_like_a_date_stays() {
        for name in [
            "gpt-4-0613",
            "claude-opus-4-1",
            "claude-opus-4-10",
            "x-20251301",
            "x-2025-02-30",
            "x-19991231",
            "x-2025-4-014",
            "x-+2025-4-14",
            "x-2025_04_14",
            "-20250805",
            "@default",
            "20250805",
            "",
            "é-2025041",
            "日本語日本語日",
        ] {
            assert_eq!(undated(name), None, "{name}");
        }
    }

    #[test]
    fn versions_are_taken_off() {
        assert_eq!(unversioned("us.amazon.nova-lite-v1:0"), Some("us.amazon.nova-lite"));
        assert_eq!(unversioned("anthropic.claude-opus-5-v1"), Some("anthropic.claude-opus-5"));
        for name in ["deepseek-v3-chat", "-v1", "x-v", "x-v1:", "x-v1:0b"] {
            assert_eq!(unversioned(name), None, "{name}");
        }
    }

    #[test]
    fn a_clause_fits_versions_exactly_words_by_resemblance_and_other_numbers_never() {
        let (named, resembling) = (Some(How::Named), Some(How::Resembling));
        for (name, kind, text, how) in [
            ("us.amazon.nova-lite-v1:0", CONTAINS, "amazon.nova-lite", named),
            ("nova-lite", EQUALS, "nova-lite", named),
            ("eu.anthropic.claude-opus-5", ENDS, "anthropic.claude-opus-5", named),
            ("claude-sonnet-4-5-20250929-v1:0", STARTS, "claude-sonnet-4-5", named),
            ("gpt-5.4-2026-03-05", STARTS, "gpt-5.4", named),
            ("gemini-3.5-flash-001", STARTS, "gemini-3.5-flash", named),
            ("magistral-small-2509", STARTS, "magistral-small-", named),
            ("magistral-medium-latest", STARTS, "magistral-medium", resembling),
            ("gpt-5-turbo", STARTS, "gpt-5", resembling),
            ("claude-opus-4-10", STARTS, "claude-opus-4-1", None),
            ("claude-opus-4-1-2025080", STARTS, "claude-opus-4-1", None),
            ("claude-opus-4-9", STARTS, "claude-opus-4", None),
            ("gpt-5.1", STARTS, "gpt-5", None),
            ("gpt-55", STARTS, "gpt-5", None),
            ("gpt-5turbo", STARTS, "gpt-5", None),
            ("anything", CONTAINS, "", None),
        ] {
            assert_eq!(fits(name, kind, text), how, "{name} {text}");
        }
    }
}
