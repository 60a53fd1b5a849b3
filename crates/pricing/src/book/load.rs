//! From the file to the book: every price read exactly, everything that could misprice a call refused with its place.

use std::collections::HashMap;
use std::fmt;

use sha2::{Digest, Sha256};
use time::{Date, Month};

use super::card::Card;
use super::names::{Model, Provider};
use super::{PriceBook, file};
use crate::{Atto, Meter, Tier};

/// The dearest rate taken, and the largest part of a factor: with counts up to [`super::bill::COUNT_LIMIT`] no product
/// leaves the range of [`Atto`].
const RATE_LIMIT: Atto = Atto::from_units(1_000_000 * 10_i128.pow(18));
const FACTOR_LIMIT: u64 = 100;

/// Why a book was refused.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// Not JSON of the book's shape; the text names the line, the column and what is allowed there.
    #[error("the price book cannot be read: {0}")]
    Shape(#[from] serde_json::Error),
    /// An entry that cannot be used.
    #[error("{place}: {fault}; {mend}")]
    Entry {
        /// Provider, model, card and line.
        place: String,
        /// What is wrong.
        fault: String,
        /// What to do.
        mend: &'static str,
    },
}

/// Where in the book, for messages: built only when there is something to say.
#[derive(Clone, Copy)]
struct Place<'a> {
    provider: Option<&'a str>,
    model: Option<&'a str>,
    /// Counted from 1, with its tier.
    card: Option<(usize, &'a str)>,
}

impl Place<'_> {
    fn fault(self, fault: impl Into<String>, mend: &'static str) -> BookError {
        BookError::Entry { place: self.to_string(), fault: fault.into(), mend }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(provider) = self.provider else { return f.write_str("the price book's head") };
        write!(f, "provider `{provider}`")?;
        if let Some(model) = self.model {
            write!(f, ", model `{model}`")?;
        }
        if let Some((number, tier)) = self.card {
            write!(f, ", card {number} ({tier})")?;
        }
        Ok(())
    }
}

/// SHA-256 in hex.
pub(super) fn hash(text: &str) -> String {
    use fmt::Write;

    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Reads and checks a book.
pub(super) fn load(text: &str) -> Result<PriceBook, BookError> {
    let file: file::File = serde_json::from_str(text)?;
    let head = Place { provider: None, model: None, card: None };
    if file.schema != 1 {
        return Err(head.fault(format!("schema {} is not known", file.schema), "this version reads schema 1"));
    }
    if file.currency != "USD" {
        return Err(head.fault(
            format!("currency `{}` is not supported", file.currency),
            "give prices in US dollars and write USD",
        ));
    }
    if file.version.is_empty() || file.license.is_empty() {
        return Err(
            head.fault("version or license is empty", "say which prices these are and who may use them")
        );
    }
    midnight(head, "date", &file.date)?;

    let mut providers: Vec<Provider> = Vec::with_capacity(file.providers.len());
    for provider in &file.providers {
        let place = Place { provider: Some(&provider.id), ..head };
        if providers.iter().any(|earlier| earlier.id == provider.id) {
            return Err(place.fault("the provider stands twice", "put its models into one entry"));
        }
        providers.push(self::provider(place, provider, &file)?);
    }
    Ok(PriceBook { hash: hash(text), date: file.date, providers })
}

fn provider(place: Place<'_>, provider: &file::Provider, file: &file::File) -> Result<Provider, BookError> {
    let mut models = Vec::with_capacity(provider.models.len());
    let mut names = HashMap::with_capacity(provider.models.len() * 2);
    for (index, model) in provider.models.iter().enumerate() {
        let place = Place { model: Some(&model.id), ..place };
        for name in std::iter::once(&model.id).chain(&model.also) {
            if names.insert(name.clone(), index).is_some() {
                return Err(place.fault(
                    format!("the name `{name}` stands twice"),
                    "let each name belong to one model, and list it once",
                ));
            }
        }
        models.push(self::model(place, model, file)?);
    }
    Ok(Provider { id: provider.id.clone(), models, names })
}

fn model(place: Place<'_>, model: &file::Model, file: &file::File) -> Result<Model, BookError> {
    let residency = match &model.residency {
        None => None,
        Some(factor) => {
            provenance(place, file, &factor.source, &factor.checked_on)?;
            let parts = 1..=FACTOR_LIMIT;
            if !parts.contains(&factor.num) || !parts.contains(&factor.den) {
                return Err(place.fault(
                    format!("the residency factor {}/{} is out of range", factor.num, factor.den),
                    "write both parts as whole numbers from 1 to 100",
                ));
            }
            Some((factor.num, factor.den))
        }
    };
    let mut cards: Vec<Card> = Vec::with_capacity(model.cards.len());
    for (index, row) in model.cards.iter().enumerate() {
        let place = Place { card: Some((index + 1, &row.tier)), ..place };
        provenance(place, file, &row.source, &row.checked_on)?;
        let card = self::card(place, row)?;
        if let Some(earlier) = cards.iter().position(|earlier| earlier.overlaps(&card)) {
            return Err(place.fault(
                format!("it and card {} can apply to the same call", earlier + 1),
                "keep their tiers, dates or prompt lengths apart",
            ));
        }
        cards.push(card);
    }
    if cards.is_empty() {
        return Err(place.fault("the model has no card", "give it one, or leave the model out"));
    }
    Ok(Model { residency, cards })
}

fn card(place: Place<'_>, row: &file::Card) -> Result<Card, BookError> {
    let tier = Tier::SOLD.into_iter().find(|tier| tier.as_str() == row.tier).ok_or_else(|| {
        place.fault(
            format!("the tier `{}` is not known", row.tier),
            "write one of standard, flex, priority, ultrafast, batch",
        )
    })?;
    let from = row.valid_from.as_deref().map_or(Ok(i64::MIN), |day| midnight(place, "valid_from", day))?;
    let until = row.valid_until.as_deref().map_or(Ok(i64::MAX), |day| midnight(place, "valid_until", day))?;
    if from >= until {
        return Err(place.fault(
            "it ends before it begins",
            "write valid_until as the first day on which the price no longer applies",
        ));
    }
    let prompt = match row.prompt {
        None => 0..=u64::MAX,
        Some(file::Prompt::Le(limit)) => 0..=limit,
        Some(file::Prompt::Gt(limit)) => {
            let first = limit.checked_add(1).ok_or_else(|| {
                place
                    .fault("no prompt is longer than its threshold", "write the vendor's threshold in tokens")
            })?;
            first..=u64::MAX
        }
    };
    let mut lines = [None; Meter::ALL.len()];
    for (meter, text) in &row.lines.0 {
        let at_line = |fault: String, mend| BookError::Entry {
            place: format!("{place}, line `{}`", meter.as_str()),
            fault,
            mend,
        };
        let rate = Atto::parse(text)
            .map_err(|fault| at_line(format!("the price `{text}` is {fault}"), "copy the vendor's figure"))?;
        if rate < Atto::ZERO || rate > RATE_LIMIT {
            return Err(at_line(
                format!("the price {rate} is out of range"),
                "write dollars per million tokens (web_search: per thousand), from 0 to 1000000",
            ));
        }
        if let Some(slot) = lines.get_mut(*meter as usize)
            && slot.replace(rate).is_some()
        {
            return Err(at_line("it stands twice".to_owned(), "keep one"));
        }
    }
    let card = Card { tier, from, until, prompt, lines };
    if !row.lines.0.iter().any(|(meter, _)| *meter == Meter::Input) {
        return Err(place.fault("it has no line `input`", "every card prices input"));
    }
    Ok(card)
}

/// A row without a source, or that nobody checked, is refused.
fn provenance(
    place: Place<'_>,
    file: &file::File,
    source: &[String],
    checked_on: &str,
) -> Result<(), BookError> {
    if source.is_empty() {
        return Err(place.fault("it has no source", "name at least one of the book's sources"));
    }
    if let Some(unknown) = source.iter().find(|name| !file.sources.contains_key(*name)) {
        return Err(place.fault(
            format!("the source `{unknown}` is not among the book's sources"),
            "add it at the head of the book or correct the name",
        ));
    }
    midnight(place, "checked_on", checked_on).map(|_| ())
}

/// The first second of a `YYYY-MM-DD` day in UTC.
fn midnight(place: Place<'_>, key: &str, day: &str) -> Result<i64, BookError> {
    let parts = day.split_once('-').and_then(|(year, rest)| {
        let (month, day) = rest.split_once('-')?;
        date(year, month, day)
    });
    match parts {
        Some(date) => Ok(date.midnight().assume_utc().unix_timestamp()),
        None => Err(place.fault(format!("{key} `{day}` is not a day"), "write it as YYYY-MM-DD")),
    }
}

/// A day from its written parts: four, two and two digits.
pub(super) fn date(year: &str, month: &str, day: &str) -> Option<Date> {
    let number = |text: &str, digits: usize| -> Option<u16> {
        (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let month = Month::try_from(u8::try_from(number(month, 2)?).ok()?).ok()?;
    Date::from_calendar_date(i32::from(number(year, 4)?), month, u8::try_from(number(day, 2)?).ok()?).ok()
}
