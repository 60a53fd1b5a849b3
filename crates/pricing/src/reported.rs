//! What providers say a call cost. Their figure is the charge; ours is the check beside it.

use crate::Atto;

/// xAI's `cost_in_usd_ticks`: units of 1e-10 dollars.
#[must_use]
pub fn xai_ticks(ticks: u64) -> Atto {
    Atto::from_units(i128::from(ticks) * 10_i128.pow(8))
}

/// OpenRouter's `usage.cost`; under a key of one's own that is the fee alone, and `upstream_inference_cost` the rest. `None`
/// if the sum is out of range.
#[must_use]
pub fn openrouter(cost: Atto, upstream: Option<Atto>) -> Option<Atto> {
    cost.checked_add(upstream.unwrap_or(Atto::ZERO))
}

/// Whether two figures of one call are further apart than a hundredth of the reported one, or than a millionth of a dollar
/// where that is more.
#[must_use]
pub fn differs(ours: Atto, reported: Atto) -> bool {
    let allowed = reported.units().unsigned_abs() / 100;
    ours.units().abs_diff(reported.units()) > allowed.max(10_u128.pow(12))
}
