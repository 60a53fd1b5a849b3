//! What a backup must be for a call: not dearer than so much, able to do this. What is not known refuses.

use outrigger_pricing::{Atto, Capability, Charge, Meter, PriceBook, Region, TokenUsage};
use outrigger_providers::services;

use super::Target;
use crate::document::Factor;

/// Tokens by which prices are compared: below every step at which long prompts become dearer.
const SAMPLE: u64 = 1_000;

/// What a target must be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// At most so many times the price of the model asked for, per token in and out, in hundredths.
    pub max_price: Option<u32>,
    /// What its model must be known to be able to do.
    pub require: Box<[Capability]>,
}

/// Price of a thousand tokens in, and out.
type Price = (Atto, Atto);

fn price(book: &PriceBook, provider: &str, host: &str, model: &str, at: i64) -> Option<Price> {
    let region = services::ALL
        .into_iter()
        .find(|service| service.id == provider)
        .map_or(Region::Global, |service| (service.addressed)(host, "/").region);
    let of = |meter: Meter| {
        let usage = TokenUsage::ZERO.with(meter, SAMPLE);
        book.cost(&Charge { region, ..Charge::standard(provider, model, at, &usage) }).total
    };
    Some((of(Meter::Input)?, of(Meter::Output)?))
}

impl Limits {
    /// Why a target is left out for a call to `provider`'s `model`; `None` where it is not. Without a model nothing of it is known.
    #[must_use]
    pub fn refusal(
        &self,
        target: &Target,
        (provider, host, model): (&str, &str, Option<&str>),
        book: &PriceBook,
        at: i64,
    ) -> Option<String> {
        if self.max_price.is_none() && self.require.is_empty() {
            return None;
        }
        let Some(answering) = target.model.as_deref().or(model) else {
            return Some("the call names no model, and limits ask for facts of one".to_owned());
        };
        if let Some(missing) = self.incapable(target, answering, book, at) {
            return Some(missing);
        }
        let most = self.max_price?;
        let unknown =
            |provider: &str, model: &str| Some(format!("the price of {provider}'s {model} is not known"));
        let Some(theirs) = price(book, target.provider.id, &target.host, answering, at) else {
            return unknown(target.provider.id, answering);
        };
        let Some(asked) = model else {
            return Some("the call names no model to compare prices with".to_owned());
        };
        let Some(ours) = price(book, provider, host, asked, at) else { return unknown(provider, asked) };
        let times = times(theirs.0, ours.0)?.max(times(theirs.1, ours.1)?);
        (times > u128::from(most)).then(|| match u32::try_from(times) {
            Ok(times) => format!(
                "{answering} costs {} what {asked} does, and {} is the most",
                Factor(times),
                Factor(most)
            ),
            Err(_) => format!("{answering} costs money and {asked} none"),
        })
    }

    /// What the model is not known to be able to do.
    pub(super) fn incapable(
        &self,
        target: &Target,
        model: &str,
        book: &PriceBook,
        at: i64,
    ) -> Option<String> {
        let facts = book.facts(target.provider.id, model, at);
        self.require.iter().find_map(|capability| {
            let word = capability.as_str();
            match facts.and_then(|facts| facts.can(*capability)) {
                Some(true) => None,
                Some(false) => Some(format!("{model} does not have {word}")),
                None => Some(format!("it is not known whether {model} has {word}")),
            }
        })
    }

    /// Whether the target's own price is known, where that is asked for.
    pub(super) fn unpriced(&self, target: &Target, model: &str, book: &PriceBook, at: i64) -> Option<String> {
        self.max_price?;
        price(book, target.provider.id, &target.host, model, at)
            .is_none()
            .then(|| format!("the price of {}'s {model} is not known", target.provider.id))
    }
}

/// How many times as much, in hundredths, rounded up.
fn times(theirs: Atto, ours: Atto) -> Option<u128> {
    let (theirs, ours) = (u128::try_from(theirs.units()).ok()?, u128::try_from(ours.units()).ok()?);
    if theirs == 0 {
        return Some(0);
    }
    // What is free has no multiple.
    Some(if ours == 0 { u128::MAX } else { (theirs * 100).div_ceil(ours) })
}
