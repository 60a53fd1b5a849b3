//! A price card: the rates of one model in one tier, for a span of time and of prompt lengths; and the choice among them.

use std::ops::RangeInclusive;

use crate::{Atto, Charge, Kind, Meter, Modality, Tier};

/// The rates that apply together.
#[derive(Debug)]
pub(super) struct Card {
    /// The tier that must have been served.
    pub(super) tier: Tier,
    /// First second at which the card applies.
    pub(super) from: i64,
    /// First second at which it applies no more.
    pub(super) until: i64,
    /// Lengths of the whole prompt, cached parts included, to which it applies. Past a threshold another card prices
    /// *every* token of the call.
    pub(super) prompt: RangeInclusive<u64>,
    /// Published price per million tokens (web searches: per thousand), by meter.
    pub(super) lines: [Option<Atto>; Meter::ALL.len()],
}

/// How a meter is priced on a card.
pub(super) enum Rate {
    /// By a line of its own.
    Own(Atto),
    /// By the line of the meter that contains it.
    Contained(Atto),
    /// Not at all: the vendor publishes no price.
    None,
}

impl Card {
    /// The published line of a meter.
    fn line(&self, meter: Meter) -> Option<Atto> {
        self.lines.get(meter as usize).copied().flatten()
    }

    /// The rate of a meter. Where the vendor publishes none, some meters are billed as the one they are part of:
    /// reasoning as output, cache reads as input (of audio as audio), and cache writes as input as long as the card prices no cache write
    /// at all (where one lifetime is priced, the other is another product whose price we do not know).
    pub(super) fn rate(&self, meter: Meter) -> Rate {
        if let Some(own) = self.line(meter) {
            return Rate::Own(own);
        }
        let container = match meter {
            Meter::Reasoning => Some(Meter::Output),
            Meter::CacheRead => Some(Meter::Input),
            Meter::CacheReadAudio => Some(Meter::InputAudio),
            meter if meter.kind() == Kind::CacheWrite => {
                let is_write = |meter: &Meter| meter.kind() == Kind::CacheWrite;
                let writes_priced =
                    Meter::ALL.into_iter().filter(is_write).any(|meter| self.line(meter).is_some());
                (!writes_priced && meter.modality() == Modality::Text).then_some(Meter::Input)
            }
            _ => None,
        };
        container.and_then(|meter| self.line(meter)).map_or(Rate::None, Rate::Contained)
    }

    /// Whether the two could both apply to one call.
    pub(super) fn overlaps(&self, other: &Card) -> bool {
        self.tier == other.tier
            && self.from < other.until
            && other.from < self.until
            && self.prompt.start() <= other.prompt.end()
            && other.prompt.start() <= self.prompt.end()
    }
}

/// The card that applies to a call with (at least) so many prompt tokens, or why there is none. Loading saw to it that
/// at most one applies.
pub(super) fn choose<'a>(cards: &'a [Card], charge: &Charge<'_>, prompt: u64) -> Result<&'a Card, String> {
    let (tier, model) = (charge.tier.as_str(), charge.model);
    if charge.tier == Tier::Unknown {
        return Err(format!("`{model}` was served in a tier that this version does not know"));
    }
    let (mut tier_sold, mut then_sold) = (false, false);
    for card in cards.iter().filter(|card| card.tier == charge.tier) {
        tier_sold = true;
        if charge.at < card.from || charge.at >= card.until {
            continue;
        }
        then_sold = true;
        if card.prompt.contains(&prompt) {
            return Ok(card);
        }
    }
    Err(if then_sold {
        format!("no {tier} price is known for `{model}` with a prompt of {prompt} tokens")
    } else if tier_sold {
        format!("no {tier} price is known for `{model}` on {}", day(charge.at))
    } else {
        format!("no {tier} price is known for `{model}`")
    })
}

/// The UTC day of an instant, in words a person reads.
fn day(at: i64) -> String {
    match time::OffsetDateTime::from_unix_timestamp(at) {
        Ok(instant) => instant.date().to_string(),
        Err(_) => format!("the day of Unix second {at}"),
    }
}
