//! Dollars as a provider writes them: a JSON number, with or without an exponent. Per call.

use outrigger_pricing::Atto;
use serde_json::value::RawValue;

/// Decimal places that are kept.
const PLACES: i32 = 18;

/// The exact amount, rounded at the last place that is kept; `None` where it is no number or out of range.
pub(super) fn dollars(raw: &RawValue) -> Option<Atto> {
    let text = raw.get().trim_matches('"');
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let places = i32::try_from(fraction.len()).ok()?;
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let shift = PLACES.checked_add(exponent)?.checked_sub(places)?;
    let power = 10i128.checked_pow(shift.unsigned_abs());
    let units = match (shift >= 0, power) {
        (true, Some(power)) => digits.checked_mul(power)?,
        (true, None) => return (digits == 0).then_some(Atto::ZERO),
        // Half of the last place is nobody's money.
        (false, Some(power)) => (digits + digits.signum() * (power / 2)) / power,
        (false, None) => 0,
    };
    Some(Atto::from_units(units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_in_every_form() {
        for (text, expected) in [
            ("0.00012", Some("0.00012")),
            ("1.2E-05", Some("0.000012")),
            ("19", Some("19")),
            ("1e3", Some("1000")),
            ("0.12345678901234567891", Some("0.123456789012345679")),
            ("1e-40", Some("0")),
            ("0", Some("0")),
            ("0e99", Some("0")),
            ("1e99", None),
            ("null", None),
            ("[1]", None),
        ] {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            assert_eq!(dollars(&raw).map(|amount| amount.to_string()).as_deref(), expected, "{text}");
        }
    }
}
