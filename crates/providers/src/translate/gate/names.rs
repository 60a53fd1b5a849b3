//! Names of tools and ids of calls where the other place's rules are narrower: shortened by a hash, the same way every time, so that a
//! prompt's prefix stays what it was.

use std::collections::{BTreeMap, BTreeSet};

use twox_hash::XxHash3_64;

use super::{At, Notes};
use crate::canonical::{Body, IdRule, Manner, NameRule, Request, ToolChoice};

/// What tools are called at the other place, for the way back: by the name that was sent, the app's own; only those that differ.
pub(crate) type ToolNames = BTreeMap<String, String>;

/// Renames the request's tools, wherever they are named, as far as it must be.
pub(super) fn fitted(request: &mut Request, manner: &Manner, notes: &mut Notes) -> ToolNames {
    let mut known: BTreeSet<String> = request.tools.iter().map(|tool| tool.name.clone()).collect();
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        match &part.body {
            Body::ToolCall(call) => known.insert(call.name.clone()),
            Body::ToolAnswer { name: Some(name), .. } => known.insert(name.clone()),
            _ => false,
        };
    }
    let mut sent = BTreeMap::new();
    let mut names = ToolNames::new();
    for name in &known {
        let mut fitting = name_for(name, manner.names, 0);
        let mut turn = 0;
        while fitting != *name && (known.contains(&fitting) || names.contains_key(&fitting)) {
            turn += 1;
            fitting = name_for(name, manner.names, turn);
        }
        if fitting != *name {
            names.insert(fitting.clone(), name.clone());
            sent.insert(name.clone(), fitting);
        }
    }
    if names.is_empty() {
        return names;
    }
    notes.approximate(At::Member("tools"), "a tool's name, shortened on the way there");
    let rename = |name: &mut String| {
        if let Some(fitting) = sent.get(name) {
            name.clone_from(fitting);
        }
    };
    request.tools.iter_mut().for_each(|tool| rename(&mut tool.name));
    match &mut request.tool_choice {
        Some(ToolChoice::Named(name)) => rename(name),
        Some(ToolChoice::Allowed { names, .. }) => names.iter_mut().for_each(rename),
        _ => {}
    }
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        match &mut part.body {
            Body::ToolCall(call) => rename(&mut call.name),
            Body::ToolAnswer { name: Some(name), .. } => rename(name),
            _ => {}
        }
    }
    names
}

fn name_for(name: &str, rule: NameRule, turn: u8) -> String {
    let fits = |letter: char| {
        letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-') || rule.beside.contains(letter)
    };
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if turn == 0
        && !name.is_empty()
        && name.len() <= rule.longest
        && name.chars().all(fits)
        && (begins || !rule.letter_first)
    {
        return name.to_owned();
    }
    let hash = hashed(name, u64::from(turn));
    let kept = name.chars().map(|letter| if fits(letter) { letter } else { '_' });
    let first = if rule.letter_first && !begins { "t" } else { "" };
    let kept: String = first.chars().chain(kept).take(rule.longest.saturating_sub(9)).collect();
    format!("{kept}_{:08x}", hash & 0xffff_ffff)
}

/// An id that the other place takes.
pub(super) fn id_for(id: &str, rule: IdRule) -> String {
    match rule {
        _ if rule.fits(id) => id.to_owned(),
        IdRule::Word(_) => format!("call_{:016x}", hashed(id, 0)),
        IdRule::Exactly(length) => {
            let mut rest = hashed(id, 0);
            let digit = |rest: &mut u64| {
                let digit = char::from_digit((*rest % 36) as u32, 36);
                *rest /= 36;
                digit.unwrap_or('0')
            };
            (0..length).map(|_| digit(&mut rest)).collect()
        }
    }
}

fn hashed(text: &str, seed: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, text.as_bytes())
}
