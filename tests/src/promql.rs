//! Which metrics and labels an expression of PromQL names.

use std::collections::{BTreeMap, BTreeSet};

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Metrics, each with the labels that its selectors match.
    pub metrics: BTreeMap<String, BTreeSet<String>>,
    /// Labels by which it groups or joins.
    pub grouping: BTreeSet<String>,
}

/// Words that are followed by a list of labels.
const LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Words that stand where a metric could, and are none.
const WORDS: [&str; 17] = [
    "and", "or", "unless", "offset", "bool", "sum", "count", "min", "max", "avg", "topk", "bottomk",
    "quantile", "stddev", "group", "inf", "nan",
];

/// Reads an expression.
///
/// # Panics
/// If a bracket or a text is not closed.
#[must_use]
pub fn named(expression: &str) -> Named {
    let mut named = Named::default();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        match first {
            '"' | '\'' => rest = after_text(rest),
            '[' => rest = rest.split_once(']').expect("a closed range").1,
            '0'..='9' => rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.'),
            _ if is_word(first) => {
                let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                rest = after.trim_start();
                if LISTS.contains(&word) {
                    // `group_left` may stand alone.
                    if let Some(list) = rest.strip_prefix('(') {
                        let (labels, after) = list.split_once(')').expect("a closed list");
                        let labels = labels.split(',').map(str::trim).filter(|label| !label.is_empty());
                        named.grouping.extend(labels.map(str::to_owned));
                        rest = after;
                    }
                } else if !rest.starts_with('(') && !WORDS.contains(&word.to_ascii_lowercase().as_str()) {
                    let labels = named.metrics.entry(word.to_owned()).or_default();
                    if let Some(matchers) = rest.strip_prefix('{') {
                        rest = matched(matchers, labels);
                    }
                }
            }
            _ => rest = &rest[first.len_utf8()..],
        }
        rest = rest.trim_start();
    }
    named
}

/// Reads matchers up to their closing brace.
fn matched<'a>(mut rest: &'a str, labels: &mut BTreeSet<String>) -> &'a str {
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        if let Some(after) = rest.strip_prefix('}') {
            return after;
        }
        let end = rest.find(|c: char| !is_word(c)).expect("a matcher");
        labels.insert(rest[..end].to_owned());
        let value = rest.find(['"', '\'']).expect("a quoted value");
        rest = after_text(&rest[value..]);
    }
}

/// What follows a quoted text.
fn after_text(quoted: &str) -> &str {
    let mut characters = quoted.char_indices();
    let quote = characters.next().map(|(_, quote)| quote);
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if Some(character) == quote {
            return &quoted[at + 1..];
        }
    }
    panic!("an open text: {quoted}");
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == ':'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_and_labels_are_told_apart_from_functions_and_words() {
        let named = named(
            r#"sum by (provider, le) (rate(a_total{cause=~"x|}y", model!="\"}"}[5m])) / on (job) group_left
               ns:b:sum > 1.5 and label_replace(c offset 10m, "d", "$1", "e", "(.*)")"#,
        );
        let labels = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect::<BTreeSet<_>>();
        let metrics = [
            ("a_total".to_owned(), labels(&["cause", "model"])),
            ("ns:b:sum".to_owned(), labels(&[])),
            ("c".to_owned(), labels(&[])),
        ];
        assert_eq!(named, Named { metrics: metrics.into(), grouping: labels(&["provider", "le", "job"]) });
    }
}
