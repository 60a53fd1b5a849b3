//! Takes secrets and what points to persons out of decoded texts, before anything is cut: half a key is still half a key.

use std::borrow::Cow;
use std::fmt;

use outrigger_providers::{KEY_SHAPES, KeyShape};
use regex::{Captures, Regex, RegexBuilder};
use serde_json::{Map, Value};

/// Bytes that a pattern may take compiled.
const PATTERN: usize = 256 * 1024;
/// Base64 from this length on is no text that a person reads.
const BASE64: usize = 512;

/// What is looked for where nobody says otherwise, in this order and [`keys`] after them: what is found once is not looked at again.
const RULES: [(&str, &str); 6] = [
    (
        "private_key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    ),
    ("jwt", r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    ("aws_key", r"(?:AKIA|ASIA)[A-Z0-9]{16}|ABSK[A-Za-z0-9+/=]{40,}"),
    (
        "aws_secret",
        r#"(?i:secret_?access_?key|aws_?secret(?:_?key)?|session_?token)["'\s]{0,4}[:=]["'\s]{0,4}[A-Za-z0-9/+=]{40,}"#,
    ),
    // A word behind it that is short and has no digit is English.
    ("bearer", r"(?i:bearer)\s+(?:[A-Za-z._~+/=-]*[0-9][A-Za-z0-9._~+/=-]{7,}|[A-Za-z0-9._~+/=-]{20,})"),
    ("email", r"[\pL\pN._%+'-]+@[\pL\pN-]+(?:\.[\pL\pN-]+)+"),
];

/// Keys as their makers shape them.
fn keys() -> String {
    let shapes = KEY_SHAPES.iter().map(|KeyShape { begins, least, wide, ends_words }| {
        let follows = if *wide { "[A-Za-z0-9_-]" } else { "[A-Za-z0-9]" };
        let begins = regex::escape(begins);
        if *ends_words {
            // Behind a letter it is the end of a word, unless that is an escape's or digits follow.
            format!(r"(?:(?-u:\b)|\\[a-z]){begins}{follows}{{{least},}}|{begins}[A-Za-z_-]*[0-9]{follows}{{{least},}}")
        } else {
            format!("{begins}{follows}{{{least},}}")
        }
    });
    shapes.collect::<Vec<_>>().join("|")
}

/// Digits that may be a card's number; which ones are, their check digit says.
const CARD: &str = r"\d(?:[ -]?\d){11,}";

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern {line} is no regular expression that can be used: {why}")]
pub struct PatternError {
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// Everything that is taken out of content.
#[derive(Clone)]
pub struct Redaction {
    rules: Vec<(&'static str, Regex)>,
    card: Regex,
}

impl Redaction {
    /// The rules that always hold, and these beside: a regular expression per line.
    ///
    /// # Errors
    /// The first pattern that is none, or that is too large.
    pub fn with(patterns: &str) -> Result<Redaction, PatternError> {
        let compiled = |line: usize, pattern: &str| {
            let built = RegexBuilder::new(pattern).size_limit(PATTERN).dfa_size_limit(4 * PATTERN).build();
            built.map_err(|error| PatternError { line, why: why(&error) })
        };
        let mut rules = Vec::new();
        for (name, pattern) in RULES {
            rules.push((name, compiled(0, pattern)?));
        }
        rules.push(("key", compiled(0, &keys())?));
        let lines = patterns.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        for (line, pattern) in lines.filter(|(_, pattern)| !pattern.is_empty()) {
            rules.push(("custom", compiled(line, pattern)?));
        }
        Ok(Redaction { rules, card: compiled(0, CARD)? })
    }

    /// Takes out of every text and every name in it what must not be seen.
    pub(super) fn apply(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.clean(text) {
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.apply(item)),
            Value::Object(members) => {
                let cleaned = std::mem::take(members).into_iter().map(|(name, mut value)| {
                    self.apply(&mut value);
                    (self.clean(&name).into_owned(), value)
                });
                *members = cleaned.collect::<Map<_, _>>();
            }
            // A fraction is no number of a card, however many digits it has.
            Value::Number(number) if number.is_u64() => {
                let text = number.to_string();
                if let Cow::Owned(clean) = self.clean(&text) {
                    *value = Value::String(clean);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if text.len() >= BASE64 && is_base64(text) {
            return Cow::Owned(format!("[left out: {} bytes of base64]", text.len()));
        }
        let mut clean = Cow::Borrowed(text);
        for (name, rule) in &self.rules {
            if let Cow::Owned(cleaner) = rule.replace_all(&clean, format!("[redacted:{name}]")) {
                clean = Cow::Owned(cleaner);
            }
        }
        let card = |found: &Captures<'_>| {
            let digits = found.get(0).map_or("", |found| found.as_str());
            if holds_card(digits) { "[redacted:card]".to_owned() } else { digits.to_owned() }
        };
        if let Cow::Owned(cleaner) = self.card.replace_all(&clean, card) {
            clean = Cow::Owned(cleaner);
        }
        clean
    }
}

/// Whether groups of digits hold a card's number: 13 to 19 digits that begin as cards do, with the right check digit (Luhn).
fn holds_card(text: &str) -> bool {
    let groups: Vec<Vec<u32>> = text
        .split([' ', '-'])
        .map(|group| group.chars().filter_map(|digit| digit.to_digit(10)).collect())
        .collect();
    (0..groups.len()).any(|first| {
        let mut digits = Vec::new();
        groups.iter().skip(first).any(|group| {
            // Longer than any card: what still follows cannot make it one.
            let room = 20_usize.saturating_sub(digits.len());
            digits.extend(group.iter().take(room));
            (13..=19).contains(&digits.len())
                && matches!(digits.first(), Some(2..=6))
                && has_check_digit(&digits)
        })
    })
}

fn has_check_digit(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match at % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn is_base64(text: &str) -> bool {
    let start = text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let data = start.map_or(text, |(_, data)| data);
    data.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-\r\n".contains(&byte))
}

/// What is wrong with a pattern, in a line that does not repeat it.
fn why(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => format!("it takes more than {limit} bytes"),
        error => {
            let text = error.to_string();
            let word = text.rsplit_once("error: ").map_or("its syntax is not regex's", |(_, word)| word);
            word.to_owned()
        }
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction").field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}
