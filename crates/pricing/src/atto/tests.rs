use proptest::prelude::*;

use super::{Atto, AttoError};

const DOLLAR: i128 = 1_000_000_000_000_000_000;

fn atto(text: &str) -> Atto {
    Atto::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

#[test]
fn text_is_read_to_the_last_digit() {
    assert_eq!(atto("0.0125").units(), 12_500_000_000_000_000);
    assert_eq!(atto("-1.5").units(), -3 * DOLLAR / 2);
    assert_eq!(atto("0.000000000000000001").units(), 1);
    assert_eq!(atto("170141183460469231731.687303715884105727").units(), i128::MAX);
    assert_eq!(atto("-170141183460469231731.687303715884105728").units(), i128::MIN);
    assert_eq!(atto("-0"), Atto::ZERO);
    assert_eq!(atto("007.50"), atto("7.5"));
}

#[test]
fn what_is_not_plain_decimal_is_refused() {
    for text in [
        "", "-", ".", "1.", ".5", "-.5", "+1", "--1", "1e3", "1E-3", " 1", "1 ", "1,5", "1_000", "0x1", "$1",
        "1.2.3", "1.-2", "NaN", "inf", "١",
    ] {
        assert_eq!(Atto::parse(text), Err(AttoError::NotDecimal), "{text:?}");
    }
    assert_eq!(Atto::parse("0.0000000000000000001"), Err(AttoError::TooFine));
    assert_eq!(Atto::parse("170141183460469231731.687303715884105728"), Err(AttoError::OutOfRange));
    assert_eq!(Atto::parse(&"9".repeat(60)), Err(AttoError::OutOfRange));
}

#[test]
fn it_prints_plain_decimal_without_trailing_zeros() {
    for (units, text) in [
        (0, "0"),
        (1, "0.000000000000000001"),
        (-DOLLAR / 2, "-0.5"),
        (12_500_000_000_000_000, "0.0125"),
        (100 * DOLLAR, "100"),
        (-10 * DOLLAR, "-10"),
        (i128::MIN, "-170141183460469231731.687303715884105728"),
    ] {
        assert_eq!(Atto::from_units(units).to_string(), text);
    }
    assert_eq!(
        format!("[{:>8}] [{:<6}] [{:+}]", atto("0.5"), atto("-2"), atto("3")),
        "[     0.5] [-2    ] [+3]"
    );
}

#[test]
fn serde_carries_text_and_takes_no_numbers() {
    assert_eq!(serde_json::to_string(&atto("0.0125")).unwrap(), "\"0.0125\"");
    assert_eq!(serde_json::from_str::<Atto>("\"0.0125\"").unwrap(), atto("0.0125"));
    assert!(serde_json::from_str::<Atto>("0.0125").is_err());
    let fault = serde_json::from_str::<Atto>("\"1e3\"").unwrap_err().to_string();
    assert!(fault.contains("`1e3`") && fault.contains("plain decimal"), "{fault}");
}

#[test]
fn halves_go_to_the_even_neighbour() {
    for (units, numerator, denominator, expected) in [
        (1, 1, 2, 0),
        (3, 1, 2, 2),
        (5, 1, 2, 2),
        (7, 1, 2, 4),
        (-1, 1, 2, 0),
        (-3, 1, 2, -2),
        (-5, 1, 2, -2),
        (2, 1, 3, 1),
        (1, 1, 3, 0),
        (-2, 1, 3, -1),
        (i128::MAX, 1, 1, i128::MAX),
    ] {
        let rounded = Atto::from_units(units).checked_ratio(numerator, denominator);
        assert_eq!(rounded, Some(Atto::from_units(expected)), "{units} × {numerator} / {denominator}");
    }
}

#[test]
fn nothing_leaves_the_range_silently() {
    let (most, least, one) = (Atto::from_units(i128::MAX), Atto::from_units(i128::MIN), Atto::from_units(1));
    assert_eq!(most.checked_add(one), None);
    assert_eq!(least.checked_sub(one), None);
    assert_eq!(most.checked_mul(2), None);
    assert_eq!(most.checked_ratio(2, 2), None);
    assert_eq!(one.checked_ratio(1, 0), None);
    assert_eq!(Atto::checked_sum([most, one]), None);
    assert_eq!(most.rounded(0), None);
}

#[test]
fn display_rounding_keeps_the_asked_places() {
    assert_eq!(atto("0.0125").rounded(3), Some(atto("0.012")));
    assert_eq!(atto("0.0135").rounded(3), Some(atto("0.014")));
    assert_eq!(atto("0.9996").rounded(3), Some(atto("1")));
    assert_eq!(atto("2.5").rounded(0), Some(atto("2")));
    assert_eq!(atto("0.5").rounded(18), Some(atto("0.5")));
    assert_eq!(atto("0.5").rounded(u32::MAX), Some(atto("0.5")));
}

#[test]
fn the_float_for_telemetry_is_close() {
    for text in ["0", "0.013284", "-0.5", "45606.232544", "123456789.000000000000000001"] {
        let exact: f64 = text.parse().unwrap();
        let float = atto(text).to_f64();
        assert!((float - exact).abs() <= 2.0 * f64::EPSILON * exact.abs(), "{text}: {float}");
    }
}

proptest! {
    #[test]
    fn text_and_back_is_the_same_amount(units in any::<i128>()) {
        let amount = Atto::from_units(units);
        let text = amount.to_string();
        prop_assert_eq!(Atto::parse(&text), Ok(amount));
        prop_assert!(!text.contains('.') || !text.ends_with('0'), "{}", text);
    }

    #[test]
    fn hostile_text_is_refused_or_means_itself(text in "\\PC{0,50}") {
        if let Ok(amount) = Atto::parse(&text) {
            prop_assert_eq!(Atto::parse(&amount.to_string()), Ok(amount));
        }
    }

    #[test]
    fn sums_are_the_same_in_every_order(
        (amounts, shuffled) in prop::collection::vec(0..=i128::MAX, 0..8)
            .prop_flat_map(|amounts| (Just(amounts.clone()), Just(amounts).prop_shuffle()))
    ) {
        let sum = |amounts: Vec<i128>| Atto::checked_sum(amounts.into_iter().map(Atto::from_units));
        prop_assert_eq!(sum(amounts), sum(shuffled));
    }

    #[test]
    fn a_ratio_is_the_nearest_amount(units in -(1_i128 << 63)..1_i128 << 63, numerator: u64, denominator in 1..=u64::MAX) {
        // |product| < 2^127, so the test's own arithmetic is exact.
        let rounded = Atto::from_units(units).checked_ratio(numerator, denominator).unwrap().units();
        let (product, denominator) = (units * i128::from(numerator), i128::from(denominator));
        let floor = product.div_euclid(denominator);
        let rest = product.rem_euclid(denominator);
        let nearest = match (rest * 2).cmp(&denominator) {
            std::cmp::Ordering::Less => floor,
            std::cmp::Ordering::Greater => floor + 1,
            std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
        };
        prop_assert_eq!(rounded, nearest);
    }
}
