//! Estimates hold what they promise: their bounds cover the truth as often as they say, before and after calls were
//! reported, and what is remembered is bounded.

use outrigger_pricing::estimate::{CONFIDENCE, Calibration, Class, Classifier, Estimate, Side, TextCount};
use proptest::prelude::*;

/// Texts, and how many tokens o200k makes of each.
const KNOWN: &[(&str, u64)] = &[
    (
        "The harbour lay quiet in the early light, and nobody on the quay had yet noticed that the ship was gone.",
        23,
    ),
    (
        "Sure! Here is a short summary of the three papers you sent. The first one argues that caching prompts pays off once a prefix is reused more than twice; the second disagrees.",
        37,
    ),
    (
        "fn main() {\n    let total: u64 = items.iter().map(|item| item.price * item.count).sum();\n    println!(\"{total}\");\n}\n",
        32,
    ),
    (
        "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Lisbon\", \"unit\": \"celsius\", \"days\": 3}}",
        30,
    ),
    ("def mean(values):\n    if not values:\n        return 0.0\n    return sum(values) / len(values)\n", 25),
    ("人工智能正在改变我们的工作方式，但是它的成本并不总是透明的。", 18),
    ("港は静かで、船がいなくなったことに誰も気づいていなかった。", 23),
    ("Гавань была тиха, и никто на пристани ещё не заметил, что корабля больше нет.", 23),
    ("1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072", 30),
    ("Yes.", 2),
];

fn counted<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> TextCount {
    let (mut classifier, mut count) = (Classifier::default(), TextCount::default());
    pieces.into_iter().for_each(|piece| classifier.push(piece));
    classifier.add_to(&mut count);
    count
}

/// A text of about so many tokens.
fn prose(tokens: u64) -> TextCount {
    let mut count = counted([KNOWN[0].0.as_bytes()]);
    count.classes.iter_mut().for_each(|class| *class = *class * tokens / 23);
    count
}

#[test]
fn known_texts_lie_within_their_bounds() {
    for (text, tokens) in KNOWN {
        let count = counted([text.as_bytes()]);
        let estimate = Calibration::default().estimate(Side::Answer, Some("o200k"), "gpt-4.1", &count);
        assert!((estimate.low..=estimate.high).contains(tokens), "{tokens} tokens, {estimate:?}: {text:?}");
    }
}

#[test]
fn characters_fall_into_their_classes() {
    let count = counted(["fn größe(x: u64) -> 大小 {\n\t12;".as_bytes(), &[b'x'; 50]]);
    let of = |class| count.of(class);
    assert_eq!((of(Class::Letter), of(Class::Word)), (2 + 3 + 1 + 1 + 50, 6));
    assert_eq!((of(Class::Digit), of(Class::Space), of(Class::Newline)), (4, 6, 1));
    assert_eq!((of(Class::Joint), of(Class::Symbol)), (1, 6));
    assert_eq!((of(Class::Accent), of(Class::Wide), of(Class::Dense)), (2, 2, 10));
}

/// What o200k makes of [`prose`] of a thousand, as far as the estimate knows.
fn thousand() -> f64 {
    let estimate = Calibration::default().estimate(Side::Answer, Some("o200k"), "m", &prose(1_000));
    estimate.tokens as f64
}

/// Numbers between 0 and 1, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Of a normal distribution.
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.next()).ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos()
    }
}

/// How often the truth lies within the bounds, and their mean width over the truth, where this many calls were reported
/// before: each model makes of a token of o200k what its family usually does, give or take, and each text of a model
/// likewise.
fn coverage(family: (&str, f64, f64), learned: usize, per_text: f64) -> (f64, f64) {
    let (name, ratio, spread) = family;
    let mut numbers = Numbers(7 + learned as u64);
    let (mut within, mut width, thousand) = (0, 0.0, thousand());
    const MODELS: usize = 400;
    const TEXTS: usize = 25;
    for _ in 0..MODELS {
        let of_model: f64 = ratio.ln() + numbers.normal() * spread;
        let mut draw = || (of_model + numbers.normal() * per_text).exp() * thousand;
        let mut calibration = Calibration::default();
        for _ in 0..learned {
            let truth = draw();
            calibration.learn(Side::Answer, Some(name), "model", &prose(1_000), truth.round() as u64);
        }
        let Estimate { low, high, .. } =
            calibration.estimate(Side::Answer, Some(name), "model", &prose(1_000));
        for _ in 0..TEXTS {
            let truth = draw();
            within += usize::from((low..=high).contains(&(truth.round() as u64)));
            width += (high - low) as f64 / truth;
        }
    }
    (within as f64 / (MODELS * TEXTS) as f64, width / (MODELS * TEXTS) as f64)
}

#[test]
fn bounds_cover_the_truth_as_often_as_they_say() {
    let promised = f64::from(CONFIDENCE) / 100.0;
    for family in [("o200k", 1.0, 0.1), ("claude-2026", 1.5, 0.15), ("a house's own", 1.15, 0.2)] {
        for per_text in [0.05, 0.12] {
            for learned in [0, 1, 2, 3, 5, 10, 50, 400] {
                let (covered, width) = coverage(family, learned, per_text);
                assert!(
                    covered >= promised - 0.02,
                    "{family:?}, {per_text}, {learned} calls: {covered}, {width}"
                );
            }
        }
    }
}

#[test]
fn reported_calls_narrow_the_bounds() {
    let width = |learned| coverage(("claude-2026", 1.5, 0.15), learned, 0.05).1;
    let (before, after) = (width(0), width(50));
    assert!(after < before / 2.0, "{before} to {after}");
}

#[test]
fn a_model_without_calls_of_its_own_is_estimated_by_its_family_and_a_side_by_itself() {
    let mut calibration = Calibration::default();
    for _ in 0..20 {
        let reported = (thousand() * 1.4).round() as u64;
        calibration.learn(Side::Answer, Some("gemini"), "gemini-4-argon", &prose(1_000), reported);
    }
    let of = |side, model: &str| {
        calibration.estimate(side, Some("gemini"), model, &prose(1_000)).tokens as f64 / thousand()
    };
    assert!((1.37..1.41).contains(&of(Side::Answer, "gemini-4-argon")));
    assert!((1.37..1.41).contains(&of(Side::Answer, "gemini-4-hydrogen")), "its family");
    assert!((1.17..1.19).contains(&of(Side::Prompt, "gemini-4-argon")), "the other side is untouched");
}

#[test]
fn what_cannot_be_the_tokenizer_is_not_learned() {
    let untouched = Calibration::default();
    let mut calibration = Calibration::default();
    for _ in 0..10 {
        // Hidden reasoning, a word, a picture.
        calibration.learn(Side::Answer, Some("o200k"), "o3", &prose(1_000), 9_000);
        calibration.learn(Side::Answer, Some("o200k"), "o3", &prose(10), 12);
        let picture = TextCount { media: 1, ..prose(1_000) };
        calibration.learn(Side::Answer, Some("o200k"), "o3", &picture, 1_200);
    }
    let of =
        |calibration: &Calibration| calibration.estimate(Side::Answer, Some("o200k"), "o3", &prose(1_000));
    assert_eq!(of(&calibration), of(&untouched));
}

#[test]
fn an_app_that_makes_up_models_is_remembered_only_so_far() {
    let mut calibration = Calibration::default();
    for model in 0..5_000 {
        for _ in 0..5 {
            calibration.learn(Side::Answer, Some("o200k"), &format!("m{model}"), &prose(1_000), 1_200);
        }
    }
    let width = |model: &str| {
        let estimate = calibration.estimate(Side::Answer, Some("o200k"), model, &prose(1_000));
        estimate.high - estimate.low
    };
    // The last has what its family has, no more.
    assert_eq!(width("m4999"), width("never seen"));
    assert!(width("m0") != width("never seen"));
}

#[test]
fn that_a_model_never_reasons_takes_some_calls_to_know_and_one_to_refute() {
    let mut calibration = Calibration::default();
    for _ in 0..3 {
        assert!(!calibration.never_reasons("gpt-4.1"));
        calibration.learn_reasoning("gpt-4.1", 0);
    }
    assert!(calibration.never_reasons("gpt-4.1"));
    calibration.learn_reasoning("gpt-4.1", 64);
    calibration.learn_reasoning("gpt-4.1", 0);
    assert!(!calibration.never_reasons("gpt-4.1"));
}

#[test]
fn a_picture_is_between_the_smallest_and_what_its_size_allows() {
    let none = Calibration::default();
    let picture = |characters| TextCount { media: 1, media_characters: characters, ..TextCount::default() };
    let of = |characters| none.estimate(Side::Prompt, None, "m", &picture(characters));
    assert_eq!(of(20_000), Estimate { tokens: 1_100, low: 85, high: 4_000 });
    assert_eq!(of(1_200_000).high, 100_000);
}

proptest! {
    /// However a text is cut, its count is the same.
    #[test]
    fn cuts_do_not_count(text in ".{0,300}", cuts in proptest::collection::vec(0usize..1200, 0..8)) {
        let bytes = text.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        pieces.push(&bytes[from..]);
        prop_assert_eq!(counted(pieces), counted([bytes]));
    }

    /// Whatever was learned and whatever is asked, the bounds are around the estimate.
    #[test]
    fn bounds_are_in_order(
        learned in proptest::collection::vec((any::<u32>(), any::<u32>(), 0u8..4), 0..60),
        asked in any::<[u32; 3]>(),
    ) {
        let mut calibration = Calibration::default();
        for (tokens, reported, model) in learned {
            let count = prose(u64::from(tokens));
            calibration.learn(Side::Prompt, None, &model.to_string(), &count, u64::from(reported));
        }
        let media = u64::from(asked[1] % 50);
        let count = TextCount { media, media_characters: media * u64::from(asked[2]), ..prose(u64::from(asked[0])) };
        let Estimate { tokens, low, high } = calibration.estimate(Side::Prompt, None, "1", &count);
        prop_assert!(low <= tokens && tokens <= high, "{low} {tokens} {high}");
    }
}
