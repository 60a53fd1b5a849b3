//! From a model's prices and a call's counts to the bill. Once per call; allocates the bill's lines, and words only
//! where something is missing.

use super::card::{self, Rate};
use super::names::Model;
use crate::{Atto, Charge, Completeness, Cost, CostLine, Kind, Meter, Region};

/// Counts beyond this are garbage, not usage: no call has a trillion tokens.
pub(super) const COUNT_LIMIT: u64 = 1_000_000_000_000;

/// The bill, or the reason why there is none.
///
/// Every meter that was counted is priced by [`Card::rate`](card::Card::rate). An unknown count leaves the bill partial
/// where the card has a line for it. Without a line it adds nothing unknown: it is then contained in another meter
/// (reasoning in output, cached prompt parts in input), or is not sold with the model (audio of a text model).
pub(super) fn bill(model: &Model, charge: &Charge<'_>) -> Result<Cost, String> {
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
    if !known {
        return Err("usage unknown".to_owned());
    }
    let card = card::choose(&model.cards, charge, prompt)?;

    let mut lines = Vec::with_capacity(4);
    let mut reasons = Vec::new();
    let mut prompt_unknown = false;
    for meter in Meter::ALL {
        match (charge.usage.get(meter), card.rate(meter)) {
            (Some(0), _) | (None, Rate::Contained(_) | Rate::None) => {}
            (Some(quantity), Rate::Own(rate) | Rate::Contained(rate)) => {
                lines.push(line(model, charge.region, meter, quantity, rate)?);
            }
            (Some(quantity), Rate::None) => {
                reasons.push(format!(
                    "{quantity} {} of `{}` have no known price",
                    meter.as_str(),
                    charge.model
                ));
            }
            (None, Rate::Own(_)) => {
                reasons.push(format!("the {} count is unknown", meter.as_str()));
                prompt_unknown |= meter.is_prompt();
            }
        }
    }
    if prompt_unknown && *card.prompt.end() != u64::MAX {
        reasons.push(format!("other prices apply if the prompt has more than {} tokens", card.prompt.end()));
    }
    // A lower bound of nothing would read as free.
    if lines.is_empty() && !reasons.is_empty() {
        return Err(reasons.join("; "));
    }
    let total = Atto::checked_sum(lines.iter().map(|line| line.amount)).ok_or_else(out_of_range)?;
    let completeness = if reasons.is_empty() { Completeness::Exact } else { Completeness::Partial };
    Ok(Cost { total: Some(total), lines, completeness, reasons })
}

/// One line. The factors are applied before its one rounding; web searches are requests and stand outside them.
fn line(model: &Model, region: Region, meter: Meter, quantity: u64, rate: Atto) -> Result<CostLine, String> {
    let (per, (num, den)) = match (meter, region) {
        (meter, _) if meter.kind() == Kind::Fee => (1_000, (1, 1)),
        (_, Region::Global) => (1_000_000, (1, 1)),
        (_, Region::Resident) => (1_000_000, model.residency.unwrap_or((1, 1))),
    };
    let numerator = quantity.checked_mul(num).ok_or_else(out_of_range)?;
    let denominator = den.checked_mul(per).ok_or_else(out_of_range)?;
    let amount = rate.checked_ratio(numerator, denominator).ok_or_else(out_of_range)?;
    Ok(CostLine { meter, quantity, rate, per, amount })
}

/// The limits on rates, factors and counts exclude it; the arithmetic is checked all the same.
fn out_of_range() -> String {
    "the amount is out of range".to_owned()
}
