//! Cuts a list to a size and leaves it a list: strings are shortened and whole items left out of the middle, each said.

use serde_json::{Value, json};

/// Bytes of one string at most, step by step until enough fits.
const STRINGS: [usize; 5] = [usize::MAX, 2048, 512, 128, 32];

/// As much of the items as fits into so many bytes of JSON, the last and the first before the others; `None` where not even the
/// word for what is left out fits.
pub(crate) fn fit(items: &[Value], limit: usize) -> Option<Vec<Value>> {
    let ends = items.len().min(2);
    let mut best = None;
    for longest in STRINGS {
        let short: Vec<Value> = items.iter().map(|item| shortened(item, longest)).collect();
        let Some((kept, count)) = from_both_ends(short, limit) else { continue };
        let enough = count >= ends;
        best = Some(kept);
        if enough {
            break;
        }
    }
    best
}

/// The items that fit, with a word in the place of the others, and how many there are.
fn from_both_ends(items: Vec<Value>, limit: usize) -> Option<(Vec<Value>, usize)> {
    let sizes: Vec<usize> = items.iter().map(|item| size(item) + 1).collect();
    // With the brackets there is one byte more: commas are one less than items.
    if sizes.iter().sum::<usize>() < limit || items.is_empty() {
        let count = items.len();
        return (limit >= 2).then_some((items, count));
    }
    let mut left = limit.checked_sub(1 + size(&omitted(items.len())) + 1)?;
    let (mut first, mut last) = (0, items.len());
    // What was said last tells most; what stands first often says what it is about.
    for number in 0..items.len() {
        let at = if number % 2 == 0 { last - 1 } else { first };
        let Some(rest) = sizes.get(at).and_then(|size| left.checked_sub(*size)) else { break };
        left = rest;
        if number % 2 == 0 { last -= 1 } else { first += 1 }
    }
    let count = items.len() - (last - first);
    let mut kept = items;
    kept.splice(first..last, [omitted(last - first)]);
    Some((kept, count))
}

/// Stands in the place of items that are left out.
fn omitted(items: usize) -> Value {
    json!({ "role": "omitted", "parts": [{ "type": "outrigger.omitted", "items": items }] })
}

/// The same with every string cut to so many bytes, and how many are gone.
fn shortened(value: &Value, longest: usize) -> Value {
    match value {
        Value::String(text) => Value::String(short(text, longest)),
        Value::Array(items) => items.iter().map(|item| shortened(item, longest)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (short(name, longest), shortened(value, longest))).collect()
        }
        other => other.clone(),
    }
}

fn short(text: &str, longest: usize) -> String {
    match text.split_at_checked(text.floor_char_boundary(longest)) {
        Some((start, rest)) if !rest.is_empty() => format!("{start}…[{} bytes left out]", rest.len()),
        _ => text.to_owned(),
    }
}

/// Bytes as JSON.
fn size(value: &Value) -> usize {
    value.to_string().len()
}
