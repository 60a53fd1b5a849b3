//! Properties of every bill, against arithmetic that shares nothing with the crate's: numbers as lists of decimal digits.

use std::cmp::Ordering;

use outrigger_pricing::{Atto, Charge, Completeness, Meter, PriceBook, Region, Tier, TokenUsage};
use proptest::prelude::*;

/// A natural number, least significant decimal digit first, without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Digits(Vec<u8>);

impl Digits {
    fn read(text: &str) -> Digits {
        Digits(text.bytes().rev().map(|byte| byte - b'0').collect()).trimmed()
    }

    fn trimmed(mut self) -> Digits {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    fn times(&self, factor: u64) -> Digits {
        let factor = Digits::read(&factor.to_string());
        let mut product = vec![0_u32; self.0.len() + factor.0.len() + 1];
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in factor.0.iter().enumerate() {
                product[i + j] += u32::from(*a) * u32::from(*b);
            }
        }
        let mut carry = 0;
        let digits = product.into_iter().map(|digit| {
            carry += digit;
            let digit = u8::try_from(carry % 10).unwrap();
            carry /= 10;
            digit
        });
        Digits(digits.collect()).trimmed()
    }

    fn compare(&self, other: &Digits) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    fn minus(&self, other: &Digits) -> Digits {
        let mut borrow = 0_i16;
        let digits = self.0.iter().enumerate().map(|(i, digit)| {
            let mut digit = i16::from(*digit) - i16::from(other.0.get(i).copied().unwrap_or(0)) - borrow;
            borrow = i16::from(digit < 0);
            digit += borrow * 10;
            u8::try_from(digit).unwrap()
        });
        Digits(digits.collect()).trimmed()
    }

    /// Long division, rounded half to even.
    fn divided(&self, divisor: &Digits) -> String {
        let (mut quotient, mut rest) = (String::from("0"), Digits(Vec::new()));
        for digit in self.0.iter().rev() {
            rest.0.insert(0, *digit);
            rest = rest.trimmed();
            let mut count = 0;
            while rest.compare(divisor) != Ordering::Less {
                rest = rest.minus(divisor);
                count += 1;
            }
            quotient.push(char::from(b'0' + count));
        }
        let odd = quotient.ends_with(['1', '3', '5', '7', '9']);
        let up = match rest.times(2).compare(divisor) {
            Ordering::Less => false,
            Ordering::Equal => odd,
            Ordering::Greater => true,
        };
        let mut digits: Vec<u8> = quotient.into_bytes();
        if up {
            let last = digits.iter().rposition(|digit| *digit != b'9').unwrap();
            digits[last] += 1;
            digits[last + 1..].fill(b'0');
        }
        let text = String::from_utf8(digits).unwrap();
        let text = text.trim_start_matches('0');
        if text.is_empty() { "0".to_owned() } else { text.to_owned() }
    }
}

#[test]
fn the_oracle_itself_can_divide() {
    for (number, divisor, expected) in [
        ("7", "2", "4"),
        ("5", "2", "2"),
        ("199", "2", "100"),
        ("1999", "20", "100"),
        ("0", "3", "0"),
        ("22", "7", "3"),
    ] {
        assert_eq!(Digits::read(number).divided(&Digits::read(divisor)), expected, "{number} / {divisor}");
    }
}

const COUNT_LIMIT: u64 = 1_000_000_000_000;

/// A book with one model whose input, output and searches cost what the test says.
fn book(input: &str, output: &str, search: &str, (num, den): (u64, u64)) -> PriceBook {
    PriceBook::parse(&format!(
        r#"{{"schema": 2, "version": "1", "date": "2026-11-16", "currency": "USD", "license": "MIT", "sources": {{"t": "t"}},
        "providers": [{{"id": "p", "models": [{{"id": "m",
        "factors": [{{"when": {{"region": "resident"}}, "num": {num}, "den": {den}, "source": ["t"], "checked_on": "2026-11-16"}}],
        "cards": [{{"lines": {{"input": "{input}", "output": "{output}", "web_search": "{search}"}},
        "source": ["t"], "checked_on": "2026-11-16"}}]}}]}}]}}"#
    ))
    .unwrap()
}

/// Rates of any fineness, up to the dearest that a book may hold.
fn rate() -> impl Strategy<Value = Atto> {
    prop_oneof![
        (0..=10_i128.pow(18)).prop_map(|pico| Atto::from_units(pico * 1_000_000)),
        (0..=10_i128.pow(7)).prop_map(|pico| Atto::from_units(pico * 1_000_000)),
        Just(Atto::from_units(10_i128.pow(24))),
    ]
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0..=COUNT_LIMIT, 0..=200_000_u64, Just(COUNT_LIMIT)]
}

fn usage() -> impl Strategy<Value = TokenUsage> {
    prop::collection::vec(prop::option::weighted(0.9, count()), Meter::ALL.len()).prop_map(|counts| {
        let mut usage = TokenUsage::UNKNOWN;
        for (meter, count) in Meter::ALL.into_iter().zip(counts) {
            usage.set(meter, count);
        }
        usage
    })
}

/// Every way to be billed that the checked-in book knows, and some that it does not.
fn call() -> impl Strategy<Value = (&'static str, &'static str, i64, Tier, Region)> {
    let model = prop::sample::select(vec![
        ("openai", "gpt-5"),
        ("openai", "gpt-5.4"),
        ("openai", "gpt-6-astra"),
        ("openai", "gpt-5.6-luna"),
        ("openai", "gpt-audio"),
        ("openai", "o1-pro"),
        ("openai", "ft:gpt-4.1-2025-04-14:a::b"),
        ("anthropic", "claude-haiku-5-5"),
        ("anthropic", "claude-opus-4-6"),
        ("anthropic", "claude-unheard-of"),
        ("google", "gemini-2.5-pro"),
        ("deepseek", "deepseek-v4-pro"),
        ("xai", "grok-4.7"),
        ("azure", "gpt-5.1"),
        ("openrouter", "google/gemini-2.5-flash"),
    ]);
    let tier = prop::sample::select([Tier::SOLD.as_slice(), &[Tier::Unknown]].concat());
    let region = prop::sample::select(Region::ALL.to_vec());
    let at = prop_oneof![1 => any::<i64>(), 9 => 1_700_000_000..1_900_000_000_i64];
    (model, at, tier, region)
        .prop_map(|((provider, model), at, tier, region)| (provider, model, at, tier, region))
}

proptest! {
    #[test]
    fn each_line_is_rounded_once_and_half_to_even(
        rates in (rate(), rate(), rate()), factor in (1..=100_u64, 1..=100_u64), counts in (count(), count(), count())
    ) {
        let book = book(&rates.0.to_string(), &rates.1.to_string(), &rates.2.to_string(), factor);
        let usage = TokenUsage::ZERO
            .with(Meter::Input, counts.0)
            .with(Meter::Reasoning, counts.1)
            .with(Meter::WebSearch, counts.2);
        let charge = Charge {
            region: Region::Resident, ..Charge::standard("p", "m", 0, &usage)
        };
        let cost = book.cost(&charge);
        prop_assert_eq!(cost.completeness, Completeness::Exact);
        for line in &cost.lines {
            // The searches stand outside the factor.
            let ((num, den), rate, per) = match line.meter {
                Meter::Input => (factor, rates.0, 1_000_000),
                Meter::Reasoning => (factor, rates.1, 1_000_000),
                Meter::WebSearch => ((1, 1), rates.2, 1_000),
                other => return Err(TestCaseError::fail(format!("a line for {}", other.as_str()))),
            };
            let product = Digits::read(&rate.units().to_string()).times(line.quantity).times(num);
            let divisor = Digits::read(&den.to_string()).times(per);
            prop_assert_eq!(line.amount.units().to_string(), product.divided(&divisor));
        }
        prop_assert_eq!(cost.lines.len(), [counts.0, counts.1, counts.2].iter().filter(|count| **count > 0).count());
    }

    #[test]
    fn a_bill_is_whole_or_says_why_not((provider, model, at, tier, region) in call(), usage in usage()) {
        let cost = PriceBook::builtin().cost(&Charge { tier, region, ..Charge::standard(provider, model, at, &usage) });
        prop_assert_eq!(cost.reasons.is_empty(), cost.completeness == Completeness::Exact);
        prop_assert_eq!(cost.total.is_none(), cost.completeness == Completeness::Unpriced);
        prop_assert!(cost.total.is_some() || cost.lines.is_empty());
        if let Some(total) = cost.total {
            let mut backwards = cost.lines.clone();
            backwards.reverse();
            prop_assert_eq!(Atto::checked_sum(cost.lines.iter().map(|line| line.amount)), Some(total));
            prop_assert_eq!(Atto::checked_sum(backwards.iter().map(|line| line.amount)), Some(total));
            for line in &cost.lines {
                prop_assert_eq!(Some(line.quantity), usage.get(line.meter));
                prop_assert!(line.amount >= Atto::ZERO);
            }
            // The lines are the counts that are not zero, less those that a reason names.
            for meter in Meter::ALL {
                let shown = cost.lines.iter().any(|line| line.meter == meter);
                let excused = cost.reasons.iter().any(|reason| reason.contains(meter.as_str()));
                prop_assert!(usage.get(meter).unwrap_or(0) == 0 || shown || excused, "{}: {:?}", meter.as_str(), cost);
            }
        }
    }

    #[test]
    fn more_tokens_never_cost_less(
        (provider, model, at, tier, region) in call(), usage in usage(), place in 0..Meter::ALL.len(), more in 1..1_000_000_u64
    ) {
        let book = PriceBook::builtin();
        let meter = Meter::ALL[place];
        let Some(larger) = usage.get(meter).map(|count| count + more) else { return Ok(()) };
        let larger = usage.with(meter, larger);
        let cost = |usage: &TokenUsage| book.cost(&Charge { tier, region, ..Charge::standard(provider, model, at, usage) }).total;
        if let (Some(before), Some(after)) = (cost(&usage), cost(&larger)) {
            prop_assert!(after >= before, "{} < {}", after, before);
        }
    }

    #[test]
    fn hostile_model_names_have_no_price(name in "\\PC{0,40}") {
        let usage = TokenUsage::ZERO.with(Meter::Input, 1);
        let cost = PriceBook::builtin().cost(&Charge::standard("openai", &name, 0, &usage));
        prop_assert_eq!(cost.completeness, Completeness::Unpriced);
    }
}
