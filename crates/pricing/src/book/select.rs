//! Which card applies to a call: the most specific of those that do. Per call; no allocation but for words where none does.

use super::binary::{ANY, Bytes, NONE, Range, Record, Table};
use super::find::ModelRow;
use super::per::PERS;
use crate::{Atto, Charge, Meter, Rate, Tier};

/// A card of one layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Card<'a> {
    book: Bytes<'a>,
    record: Record<'a>,
}

/// What a card says of a meter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Line {
    /// So much for so many.
    Price(Rate, u64),
    /// The vendor publishes no price here.
    Withheld,
}

/// How specific a card is: conditions, then the start and the end of its prompt lengths.
type Rank = (usize, u64, u64);

impl<'a> Card<'a> {
    fn tier(self) -> u8 {
        self.record.byte(32)
    }

    fn is_dated(self, at: i64) -> bool {
        self.record.second(0) <= at && at < self.record.second(8)
    }

    /// Prompt lengths, both ends included.
    pub(super) fn lengths(self) -> (u64, u64) {
        (self.record.long(16), self.record.long(24))
    }

    fn fits(self, charge: &Charge<'_>) -> bool {
        let region = self.record.byte(33);
        (region == ANY || region == charge.region as u8)
            && self.record.allows(40, charge.route)
            && self.record.allows(48, charge.variant)
            && self.is_scheduled(charge.at)
    }

    fn is_scheduled(self, at: i64) -> bool {
        let place = self.record.word(36);
        if place == NONE {
            return true;
        }
        let form = self.book.record(Table::Schedules, place);
        let offset = i64::from(i16::from_le_bytes(form.short(2).to_le_bytes()));
        let minute = at.div_euclid(60) + offset;
        // 1970-01-01 was a Thursday, the fourth weekday.
        let weekday = (minute.div_euclid(24 * 60) + 3).rem_euclid(7);
        let of_day = minute.rem_euclid(24 * 60);
        form.short(0) & (1 << weekday) != 0
            && (i64::from(form.short(4))..i64::from(form.short(6))).contains(&of_day)
    }

    fn rank(self) -> Rank {
        let conditions = [
            self.record.byte(33) != ANY,
            self.record.has_text(40),
            self.record.has_text(48),
            self.record.word(36) != NONE,
        ];
        let (low, high) = self.lengths();
        (conditions.into_iter().filter(|set| *set).count(), low, u64::MAX - high)
    }

    /// Its lines, in the order of the meters.
    pub(super) fn lines(self) -> impl Iterator<Item = (Meter, Line)> + 'a {
        self.record.range(56).places().filter_map(move |place| {
            let line = self.book.record(Table::Lines, place);
            let meter = *Meter::ALL.get(usize::from(line.byte(0)))?;
            if line.byte(1) != 0 {
                return Some((meter, Line::Withheld));
            }
            let per = *PERS.get(usize::from(line.byte(2)))?;
            let amount = Atto::from_units(i128::from(line.long(8)) * 1_000_000);
            Some((meter, Line::Price(Rate { amount, over: line.word(4).max(1) }, per)))
        })
    }

    /// How sure it is, where it comes from, and when that was checked.
    pub(super) fn origin(self) -> (u8, &'a str, &'a str) {
        (self.record.byte(34), self.record.text(64), self.record.text(72))
    }

    /// First and last-but-one second.
    pub(super) fn dates(self) -> (i64, i64) {
        (self.record.second(0), self.record.second(8))
    }
}

/// The card of a model that applies to a call with (at least) so many prompt tokens, or why there is none.
pub(super) fn choose<'a>(model: ModelRow<'a>, charge: &Charge<'_>, prompt: u64) -> Result<Card<'a>, Missing> {
    let tier = if charge.tier == Tier::Provisioned { Tier::Standard } else { charge.tier };
    let (mut missing, mut best) = (Missing::Tier, None);
    for place in model.record.range(8).places() {
        let card = Card { book: model.book, record: model.book.record(Table::Cards, place) };
        if card.tier() != tier as u8 {
            continue;
        }
        missing = missing.max(Missing::Day);
        if !card.is_dated(charge.at) {
            continue;
        }
        missing = missing.max(Missing::Feature);
        if !card.fits(charge) {
            continue;
        }
        missing = missing.max(Missing::Length);
        let (low, high) = card.lengths();
        if (low..=high).contains(&prompt) && best.is_none_or(|best: Card<'_>| best.rank() < card.rank()) {
            best = Some(card);
        }
    }
    best.ok_or(missing)
}

/// What no card of a model covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Missing {
    Tier,
    Day,
    Feature,
    Length,
}

impl Missing {
    pub(super) fn words(self, charge: &Charge<'_>, prompt: u64) -> String {
        let (tier, model) = (charge.tier.as_str(), charge.model);
        match self {
            Missing::Tier => format!("no {tier} price is known for `{model}`"),
            Missing::Day => format!("no {tier} price is known for `{model}` on {}", day(charge.at)),
            Missing::Feature => {
                let region = charge.region.as_str();
                format!("no {tier} price is known for `{model}` by this way ({region})")
            }
            Missing::Length => {
                format!("no {tier} price is known for `{model}` with a prompt of {prompt} tokens")
            }
        }
    }
}

/// The product of all factors on a meter.
pub(super) fn factor(
    book: Bytes<'_>,
    range: Range,
    model: &str,
    charge: &Charge<'_>,
    meter: Meter,
) -> Option<(u64, u64)> {
    range.places().map(|place| book.record(Table::Factors, place)).try_fold(
        (1_u64, 1_u64),
        |product, factor| {
            let (tier, region) = (factor.byte(32), factor.byte(33));
            let applies = factor.second(0) <= charge.at
                && charge.at < factor.second(8)
                && factor.long(16) & (1 << meter as u8) != 0
                && (tier == ANY || tier == charge.tier as u8)
                && (region == ANY || region == charge.region as u8)
                && factor.allows(36, charge.route)
                && factor.allows(44, charge.variant)
                && factor.allows(52, Some(model));
            if !applies {
                return Some(product);
            }
            let (num, den) = (
                product.0.checked_mul(factor.word(24).into())?,
                product.1.checked_mul(factor.word(28).into())?,
            );
            let common = gcd(num, den).max(1);
            Some((num / common, den / common))
        },
    )
}

pub(super) const fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The UTC day of an instant, in words a person reads.
pub(super) fn day(at: i64) -> String {
    match time::OffsetDateTime::from_unix_timestamp(at) {
        Ok(instant) => instant.date().to_string(),
        Err(_) => format!("the day of Unix second {at}"),
    }
}

/// The longest prompt before other cards of the model take over, if any do.
pub(super) fn next_beginning(model: ModelRow<'_>, charge: &Charge<'_>, prompt: u64) -> Option<u64> {
    let cards = model
        .record
        .range(8)
        .places()
        .map(|place| Card { book: model.book, record: model.book.record(Table::Cards, place) });
    cards
        .filter(|card| card.tier() == charge.tier as u8 && card.is_dated(charge.at) && card.fits(charge))
        .map(|card| card.lengths().0)
        .filter(|low| *low > prompt)
        .min()
        .map(|low| low - 1)
}
