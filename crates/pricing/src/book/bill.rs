//! From a model's prices and a call's counts to the bill. Once per call; allocates the bill's lines, and words only
//! where something is missing or borrowed.

use super::binary::Table;
use super::find::{ModelRow, ProviderRow};
use super::select::{self, Card, Line, gcd};
use crate::Atto;
use crate::{Charge, Completeness, Cost, CostLine, Factor, Kind, Meter, Modality, Rate, Tier};

/// Counts beyond this are garbage, not usage: no call has a trillion tokens.
pub(super) const COUNT_LIMIT: u64 = 1_000_000_000_000;

/// What the layers of a book say of one model, the operator's own first.
pub(super) struct Found<'a> {
    pub(super) providers: [Option<ProviderRow<'a>>; 2],
    pub(super) models: [Option<ModelRow<'a>>; 2],
    /// Why the price is borrowed, if it is.
    pub(super) borrowed: Option<String>,
    /// Whether the models are another provider's, whose factors are not the seller's.
    pub(super) foreign: bool,
}

/// The cards that apply to a call, line by line the operator's own first.
pub(super) struct Cards<'a>(pub(super) [Option<Card<'a>>; 2]);

/// How a meter is priced.
#[derive(Debug, Clone, Copy)]
enum Pricing {
    /// By a line of its own, or of the meter that contains it.
    At(Rate, u64),
    /// By the line of another meter, for want of its own.
    Borrowed(Meter, Rate, u64),
    /// Not at all.
    None,
}

impl<'a> Found<'a> {
    pub(super) fn cards(&self, charge: &Charge<'_>, prompt: u64) -> Result<Cards<'a>, String> {
        if charge.tier == Tier::Unknown {
            return Err(format!("`{}` was served in a tier that this version does not know", charge.model));
        }
        let chosen = self.models.map(|model| model.map(|model| select::choose(model, charge, prompt)));
        let missing = chosen.iter().flatten().filter_map(|chosen| chosen.as_ref().err()).max().copied();
        let cards = chosen.map(|chosen| chosen.and_then(Result::ok));
        match (cards.iter().flatten().next(), missing) {
            (None, Some(missing)) => Err(missing.words(charge, prompt)),
            (None, None) => Err(format!("`{}` has no price", charge.model)),
            (Some(_), _) => Ok(Cards(cards)),
        }
    }

    /// Discounts and uplifts of every layer on one meter.
    fn factor(&self, charge: &Charge<'_>, meter: Meter) -> Option<Factor> {
        let id = self.models.iter().flatten().next().map_or("", |model| model.id());
        let mut product: Factor = if charge.tier == Tier::Provisioned { (0, 1) } else { (1, 1) };
        let of_models = self
            .models
            .iter()
            .flatten()
            .filter(|_| !self.foreign)
            .map(|model| (model.book, model.record.range(16)));
        let of_providers =
            self.providers.iter().flatten().map(|provider| (provider.book, provider.factors()));
        for (book, range) in of_models.chain(of_providers) {
            let (num, den) = select::factor(book, range, id, charge, meter)?;
            product = (product.0.checked_mul(num)?, product.1.checked_mul(den)?);
        }
        Some(product)
    }

    /// The least of a meter that is billed.
    fn minimum(&self, meter: Meter) -> u64 {
        let of_model = |model: &ModelRow<'_>| {
            let mut places = model.record.range(24).places();
            places.find_map(|place| {
                let minimum = model.book.record(Table::Minimums, place);
                (minimum.word(0) == meter as u32).then(|| minimum.long(4))
            })
        };
        self.models.iter().flatten().find_map(of_model).unwrap_or(0)
    }
}

impl Cards<'_> {
    fn own(&self, meter: Meter) -> Option<Line> {
        let line = |card: &Card<'_>| card.lines().find(|(of, _)| *of == meter).map(|(_, line)| line);
        self.0.iter().flatten().find_map(line)
    }

    fn prices_writes(&self) -> bool {
        self.0
            .iter()
            .flatten()
            .flat_map(|card| card.lines())
            .any(|(meter, _)| meter.kind() == Kind::CacheWrite)
    }

    /// A meter without a line of its own is billed as the one it is part of: reasoning and citations as output; cached
    /// and tool-made prompt parts as input; images and video in the prompt as its text; cache writes as input as long as
    /// the card prices no write at all (where one lifetime is priced, another is a product whose price we do not know).
    fn price(&self, meter: Meter) -> Pricing {
        match self.own(meter) {
            Some(Line::Price(rate, per)) => return Pricing::At(rate, per),
            Some(Line::Withheld) => return Pricing::None,
            None => {}
        }
        let text = meter.modality() == Modality::Text;
        let container = match meter.kind() {
            Kind::Reasoning | Kind::Citation if text => Meter::Output,
            Kind::Reasoning | Kind::Citation => match meter.modality() {
                Modality::Image => Meter::OutputImage,
                Modality::Video => Meter::OutputVideo,
                _ => Meter::OutputAudio,
            },
            Kind::ToolPrompt => Meter::Input,
            // A modality with a price of its own keeps it in the cache, else the cache's price covers it.
            Kind::CacheRead | Kind::CacheWrite if !text => {
                let fresh = match meter.modality() {
                    Modality::Image => Meter::InputImage,
                    Modality::Video => Meter::InputVideo,
                    _ => Meter::InputAudio,
                };
                match (self.own(fresh), meter.kind()) {
                    (Some(_), _) => fresh,
                    (None, Kind::CacheRead) => Meter::CacheRead,
                    (None, _) => Meter::CacheWrite,
                }
            }
            Kind::CacheRead => Meter::Input,
            Kind::CacheWrite => match (self.own(Meter::CacheWrite), self.prices_writes()) {
                // A price of writes without a lifetime is that of each.
                (Some(_), _) if meter != Meter::CacheWrite => Meter::CacheWrite,
                (_, false) => Meter::Input,
                // The shortest lifetime is the usual one.
                _ if meter == Meter::CacheWrite => {
                    let short = [Meter::CacheWrite5m, Meter::CacheWrite30m];
                    return short.into_iter().find_map(|short| self.borrow(short)).unwrap_or(Pricing::None);
                }
                _ => return Pricing::None,
            },
            Kind::Input if meter == Meter::InputAudio => {
                return self.borrow(Meter::Input).unwrap_or(Pricing::None);
            }
            Kind::Input if !text => Meter::Input,
            Kind::Input | Kind::Output | Kind::Fee => return Pricing::None,
        };
        self.price(container)
    }

    fn borrow(&self, meter: Meter) -> Option<Pricing> {
        match self.own(meter)? {
            Line::Price(rate, per) => Some(Pricing::Borrowed(meter, rate, per)),
            Line::Withheld => None,
        }
    }
}

/// The prompt's known length, if anything at all is known of the usage.
pub(super) fn prompt(charge: &Charge<'_>) -> Result<u64, String> {
    let (mut known, mut prompt) = (false, 0);
    for meter in Meter::ALL {
        let Some(count) = charge.usage.get(meter) else { continue };
        if count > COUNT_LIMIT {
            return Err(format!("the {} count {count} is beyond belief", meter.as_str()));
        }
        known = true;
        if meter.is_prompt() {
            prompt += count;
        }
    }
    if known { Ok(prompt) } else { Err("usage unknown".to_owned()) }
}

/// The bill, or the reason why there is none.
///
/// Every meter that was counted is priced by the rules of [`Cards::price`]. An unknown count leaves the bill partial
/// where a card has a line for it. Without a line it adds nothing unknown: it is then contained in another meter
/// (reasoning in output, cached prompt parts in input), or is not sold with the model (audio of a text model).
pub(super) fn bill(found: Found<'_>, charge: &Charge<'_>) -> Result<Cost, String> {
    let prompt = prompt(charge)?;
    let cards = found.cards(charge, prompt)?;
    let mut lines = Vec::with_capacity(4);
    let (mut reasons, mut borrowed, mut prompt_unknown) = (Vec::new(), Vec::new(), false);
    for meter in Meter::ALL {
        match charge.usage.get(meter) {
            Some(0) => {}
            Some(count) => match cards.price(meter) {
                Pricing::At(rate, per) => lines.push(line(&found, charge, meter, count, rate, per)?),
                Pricing::Borrowed(from, rate, per) => {
                    borrowed.push(format!(
                        "{} billed as {}: no price of its own is known",
                        meter.as_str(),
                        from.as_str()
                    ));
                    lines.push(line(&found, charge, meter, count, rate, per)?);
                }
                Pricing::None => {
                    reasons.push(format!(
                        "{count} {} of `{}` have no known price",
                        meter.as_str(),
                        charge.model
                    ));
                }
            },
            None if matches!(cards.own(meter), Some(Line::Price(..))) => {
                reasons.push(format!("the {} count is unknown", meter.as_str()));
                prompt_unknown |= meter.is_prompt();
            }
            None => {}
        }
    }
    let longest = cards.0.iter().flatten().map(|card| card.lengths().1).min().unwrap_or(u64::MAX);
    if prompt_unknown && let Some(next) = next_threshold(&found, charge, prompt, longest) {
        reasons.push(format!("other prices apply if the prompt has more than {next} tokens"));
    }
    // A lower bound of nothing would read as free.
    if lines.is_empty() && !reasons.is_empty() {
        return Err(reasons.join("; "));
    }
    let total = Atto::checked_sum(lines.iter().map(|line| line.amount)).ok_or_else(out_of_range)?;
    let completeness = match (reasons.is_empty(), borrowed.is_empty() && found.borrowed.is_none()) {
        (true, true) => Completeness::Exact,
        (true, false) => Completeness::Fallback,
        (false, _) => Completeness::Partial,
    };
    reasons.extend(borrowed);
    reasons.extend(found.borrowed);
    Ok(Cost { total: Some(total), lines, completeness, reasons })
}

/// The longest prompt to which the same cards apply, if there is one: their own end, or the beginning of other cards.
fn next_threshold(found: &Found<'_>, charge: &Charge<'_>, prompt: u64, longest: u64) -> Option<u64> {
    let begins =
        found.models.iter().flatten().filter_map(|model| select::next_beginning(*model, charge, prompt));
    begins.chain((longest != u64::MAX).then_some(longest)).min()
}

/// One line. The factors are applied before its one rounding.
fn line(
    found: &Found<'_>,
    charge: &Charge<'_>,
    meter: Meter,
    count: u64,
    rate: Rate,
    per: u64,
) -> Result<CostLine, String> {
    let quantity = count.max(found.minimum(meter));
    let factor = found.factor(charge, meter).ok_or_else(out_of_range)?;
    let exact = || {
        let numerator = quantity.checked_mul(factor.0)?;
        let denominator = factor.1.checked_mul(per)?.checked_mul(rate.over.into())?;
        let common = gcd(numerator, denominator).max(1);
        rate.amount.checked_ratio(numerator / common, denominator / common)
    };
    let amount = exact().ok_or_else(out_of_range)?;
    Ok(CostLine { meter, quantity, rate, per, factor, amount })
}

/// The limits on rates, factors and counts exclude it for every sane book; the arithmetic is checked all the same.
fn out_of_range() -> String {
    "the amount is out of range".to_owned()
}
