//! Numbers of foreign files as the decimal text they are written in. Nothing passes through a float.

/// Digits after the point that the book keeps.
const KEPT: usize = 12;

/// A number of JSON as plain decimal text, and whether that is another number than was written.
///
/// Of more digits than the book keeps, what a float left behind is rounded off (0.13999999999999999), and true twelfths
/// become fractions (0.08333333333333334 is 1/12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) text: String,
    pub(crate) rounded: bool,
}

/// Digits and the number of them after the point.
fn digits(text: &str) -> Option<(String, i32)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let after = i32::try_from(fraction.len()).ok()? - exponent;
    (all && after.abs() < 40).then_some((digits, after))
}

fn plain(digits: &str, after: i32) -> String {
    let digits = if after < 0 {
        digits.to_owned() + &"0".repeat(after.unsigned_abs() as usize)
    } else {
        digits.to_owned()
    };
    let after = usize::try_from(after).unwrap_or(0);
    let padded = format!("{}{digits}", "0".repeat((after + 1).saturating_sub(digits.len())));
    let (whole, fraction) = padded.split_at(padded.len() - after);
    let whole = whole.trim_start_matches('0');
    let (whole, fraction) = (if whole.is_empty() { "0" } else { whole }, fraction.trim_end_matches('0'));
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// Half up at the last digit kept, on text.
fn round(digits: &str, after: i32, keep: i32) -> Option<(String, i32)> {
    let cut = usize::try_from(after - keep).ok()?;
    let value: u128 = digits.parse().ok()?;
    let step = 10_u128.checked_pow(u32::try_from(cut).ok()?)?;
    Some((((value + step / 2) / step).to_string(), keep))
}

impl Decimal {
    /// Reads a number of JSON; `None` if it is negative or none.
    pub(crate) fn read(text: &str) -> Option<Decimal> {
        let (digits, after) = digits(text)?;
        let exact = plain(&digits, after);
        let fraction = exact.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        if fraction <= KEPT {
            return Some(Decimal { text: exact, rounded: false });
        }
        if let Some(twelfths) = twelfths(&digits, after) {
            return Some(Decimal { text: twelfths, rounded: true });
        }
        let (digits, after) = round(&digits, after, i32::try_from(KEPT).ok()?)?;
        Some(Decimal { text: plain(&digits, after), rounded: true })
    }

    /// The same number times a power of ten: a price per token as one per million.
    pub(crate) fn scaled(text: &str, power: i32) -> Option<String> {
        let (digits, after) = digits(text)?;
        let text = plain(&digits, after - power);
        Decimal::read(&text).map(|decimal| decimal.text)
    }
}

/// `n/12`, if twelve times the number is, but for what a float left behind, a number of at most two digits after the
/// point that is no such number itself.
fn twelfths(digits: &str, after: i32) -> Option<String> {
    let value: u128 = digits.parse().ok()?;
    let (tenfold, after) = round(&value.checked_mul(12)?.to_string(), after, 13)?;
    let (short, kept) = round(&tenfold, after, 2)?;
    let back = plain(&short, kept);
    // A short decimal with a float's residue is a twelfth of something too: 0.14 is 1.68/12.
    (plain(&tenfold, after) == back && !is_short(digits)).then(|| format!("{back}/12"))
}

/// Whether the digits are those of a short decimal with a float's residue: a run of zeros or nines behind.
fn is_short(digits: &str) -> bool {
    digits.contains("00000000") || digits.contains("99999999")
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn numbers_keep_their_digits() {
        for (written, text) in [
            ("2.5", "2.5"),
            ("0.60", "0.6"),
            ("10", "10"),
            ("0", "0"),
            ("1.25e-06", "0.00000125"),
            ("5E-8", "0.00000005"),
            ("3e2", "300"),
            ("0.111", "0.111"),
        ] {
            let expected = Decimal { text: text.to_owned(), rounded: false };
            assert_eq!(Decimal::read(written), Some(expected), "{written}");
        }
        for written in ["-1", "", "abc", "1e999", "."] {
            assert_eq!(Decimal::read(written), None, "{written}");
        }
    }

    #[test]
    fn what_a_float_left_behind_is_rounded_off_and_twelfths_stay_exact() {
        for (written, text) in [
            ("0.13999999999999999", "0.14"),
            ("1.0399999999999998", "1.04"),
            ("0.18000000000000002", "0.18"),
            ("0.08333333333333334", "1/12"),
            ("0.0833333333333333", "1/12"),
            ("0.04166666666666665", "0.5/12"),
            ("0.0416666666666667", "0.5/12"),
        ] {
            let expected = Decimal { text: text.to_owned(), rounded: true };
            assert_eq!(Decimal::read(written), Some(expected), "{written}");
        }
    }

    #[test]
    fn prices_per_token_become_prices_per_million() {
        assert_eq!(Decimal::scaled("1.25e-06", 6).as_deref(), Some("1.25"));
        assert_eq!(Decimal::scaled("0.00015", 6).as_deref(), Some("150"));
        assert_eq!(Decimal::scaled("3.0000000000000004e-07", 6).as_deref(), Some("0.3"));
    }
}
