//! Kubernetes' quantities, as far as two of them must be compared: `10m`, `24Mi`, `1.5`, `2e3`.

/// In billionths, rounded up; `None` for what is no quantity, or negative, or beyond 10^27.
pub(crate) fn nanos(text: &str) -> Option<u128> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && part.is_empty() || part.contains('.') || whole.len() + part.len() > 24 {
        return None;
    }
    let (factor, shift) = scale(suffix)?;
    let digits: u128 = format!("0{whole}{part}").parse().ok()?;
    // digits · factor · 10^(shift - places of the fraction + 9)
    let tens = shift - i32::try_from(part.len()).ok()? + 9;
    let value = digits.checked_mul(factor)?;
    let power = 10u128.checked_pow(tens.unsigned_abs())?;
    let value = if tens >= 0 { value.checked_mul(power)? } else { value.div_ceil(power) };
    (value <= 10u128.pow(36)).then_some(value)
}

/// The binary factor and the power of ten that a suffix stands for.
fn scale(suffix: &str) -> Option<(u128, i32)> {
    if let Some(power) = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter().position(|one| *one == suffix) {
        return Some((1 << (10 * (power + 1)), 0));
    }
    let tens = match suffix {
        "n" => -9,
        "u" => -6,
        "m" => -3,
        "" => 0,
        "k" => 3,
        "M" => 6,
        "G" => 9,
        "T" => 12,
        "P" => 15,
        "E" => 18,
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            (-18..=18).contains(&exponent).then_some(exponent)?
        }
    };
    Some((1, tens))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (left, right) in [
            ("1", "1000m"),
            ("0.5", "500m"),
            ("1Ki", "1024"),
            (".5Gi", "512Mi"),
            ("2e3", "2k"),
            ("1.", "+1"),
            ("1E", "1e18"),
        ] {
            assert_eq!(nanos(left), nanos(right), "{left} {right}");
            assert!(nanos(left).is_some(), "{left}");
        }
        assert!(nanos("24Mi") < nanos("128Mi") && nanos("129M") > nanos("123Mi"));
        for wrong in [
            "",
            ".",
            "-1",
            "1.2.3",
            "1 Mi",
            "1mi",
            "Mi",
            "1e99",
            "0x10",
            "1ee3",
            "99999999999999999999999999",
        ] {
            assert_eq!(nanos(wrong), None, "{wrong}");
        }
    }
}
