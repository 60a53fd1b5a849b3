//! Money as a whole number of attodollars: exact, and the same in whatever order it is added up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const DECIMALS: u32 = 18;
const PER_DOLLAR: i128 = 10_i128.pow(DECIMALS);

/// An amount of US dollars in units of 1e-18. The range is about ±1.7e20 dollars.
///
/// There is no way in from a float, and no `+`: every operation that could leave the range says so by returning
/// `None`. In text, and through serde, an amount is a plain decimal string such as `0.013284`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Atto(i128);

impl Atto {
    /// No money.
    pub const ZERO: Atto = Atto(0);

    /// An amount given in attodollars.
    #[must_use]
    pub const fn from_units(units: i128) -> Atto {
        Atto(units)
    }

    /// The amount in attodollars.
    #[must_use]
    pub const fn units(self) -> i128 {
        self.0
    }

    /// Reads a plain decimal: an optional `-`, digits, and optionally a point with 1 to 18 more digits.
    ///
    /// # Errors
    /// Exponents, signs other than a leading `-`, blanks, missing digits on either side of the point, digits past the
    /// 18th, and amounts out of range are refused rather than bent.
    pub fn parse(text: &str) -> Result<Atto, AttoError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(AttoError::NotDecimal),
            Some(parts) => parts,
            None => (digits, ""),
        };
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(AttoError::NotDecimal);
        }
        if fraction.len() > DECIMALS as usize {
            return Err(AttoError::TooFine);
        }
        let padding = DECIMALS as usize - fraction.len();
        let digits = whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', padding));
        // Built with its sign, because the lowest value has no positive counterpart.
        let mut units = 0_i128;
        for byte in digits {
            let digit = i128::from(byte - b'0');
            let digit = if negative { -digit } else { digit };
            units = units
                .checked_mul(10)
                .and_then(|units| units.checked_add(digit))
                .ok_or(AttoError::OutOfRange)?;
        }
        Ok(Atto(units))
    }

    /// The sum, `None` if it is out of range.
    #[must_use]
    pub fn checked_add(self, other: Atto) -> Option<Atto> {
        self.0.checked_add(other.0).map(Atto)
    }

    /// The difference, `None` if it is out of range.
    #[must_use]
    pub fn checked_sub(self, other: Atto) -> Option<Atto> {
        self.0.checked_sub(other.0).map(Atto)
    }

    /// The amount taken `times` times, `None` if that is out of range.
    #[must_use]
    pub fn checked_mul(self, times: u64) -> Option<Atto> {
        self.0.checked_mul(i128::from(times)).map(Atto)
    }

    /// The sum of many amounts, `None` if it (or a partial sum on the way) is out of range. Amounts of one sign give
    /// the same answer in every order.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Atto>) -> Option<Atto> {
        amounts.into_iter().try_fold(Atto::ZERO, Atto::checked_add)
    }

    /// `self × numerator / denominator`, rounded half to even at the last place. `None` if the denominator is zero or
    /// the product out of range.
    #[must_use]
    pub fn checked_ratio(self, numerator: u64, denominator: u64) -> Option<Atto> {
        // Nearly every price divides evenly, and 64 bits divide much faster than 128.
        if let Ok(units) = u64::try_from(self.0)
            && units.checked_rem(denominator) == Some(0)
        {
            return i128::from(units / denominator).checked_mul(i128::from(numerator)).map(Atto);
        }
        let product = self.0.checked_mul(i128::from(numerator))?;
        let denominator = i128::from(denominator);
        let quotient = product.checked_div_euclid(denominator)?;
        let remainder = product.checked_rem_euclid(denominator)?;
        // Twice a remainder below 2^64 always fits.
        let up = match (2 * remainder).cmp(&denominator) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => quotient % 2 != 0,
            std::cmp::Ordering::Greater => true,
        };
        quotient.checked_add(i128::from(up)).map(Atto)
    }

    /// The amount rounded half to even to `decimals` places: for display only, a total is never rounded.
    /// `None` if rounding up leaves the range; 18 places and more change nothing.
    #[must_use]
    pub fn rounded(self, decimals: u32) -> Option<Atto> {
        let Some(step) = DECIMALS.checked_sub(decimals).and_then(|places| 10_u64.checked_pow(places)) else {
            return Some(self);
        };
        self.checked_ratio(1, step)?.checked_mul(step)
    }

    /// A float within two units of its last place, because OTel attributes and metrics of this kind are doubles. Never
    /// read back into money.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "telemetry wants a double; the exact text travels beside it"
    )]
    pub fn to_f64(self) -> f64 {
        // Split, so that dollars stay exact where they are whole.
        let whole = (self.0 / PER_DOLLAR) as f64;
        let fraction = (self.0 % PER_DOLLAR) as f64;
        whole + fraction / PER_DOLLAR as f64
    }
}

/// The plain decimal without trailing zeros: `0.0125`, `3`, `-0.5`, `0`. Width, fill and `+` are honoured.
impl fmt::Display for Atto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.0.unsigned_abs();
        let per_dollar = PER_DOLLAR.unsigned_abs();
        let (whole, fraction) = (units / per_dollar, units % per_dollar);
        let text = if fraction == 0 { whole.to_string() } else { format!("{whole}.{fraction:018}") };
        let text = if fraction == 0 { text.as_str() } else { text.trim_end_matches('0') };
        f.pad_integral(self.0 >= 0, "", text)
    }
}

impl FromStr for Atto {
    type Err = AttoError;

    fn from_str(text: &str) -> Result<Atto, AttoError> {
        Atto::parse(text)
    }
}

impl Serialize for Atto {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From a string only: a JSON number has usually been a float somewhere.
impl<'de> Deserialize<'de> for Atto {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Atto, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = Atto;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount as decimal text, such as \"0.0125\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Atto, E> {
                Atto::parse(text).map_err(|fault| E::custom(format_args!("`{text}`: {fault}")))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// Why a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttoError {
    /// Not a plain decimal.
    #[error("not a plain decimal; write it like 0.0125, without exponent, blanks or currency sign")]
    NotDecimal,
    /// More than 18 digits after the point.
    #[error("more than 18 digits after the point, which is finer than an attodollar; round it first")]
    TooFine,
    /// Beyond about ±1.7e20 dollars.
    #[error("out of range, amounts reach about 1.7e20 dollars in either direction")]
    OutOfRange,
}

#[cfg(test)]
mod tests;
