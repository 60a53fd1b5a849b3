//! Who a call is for and which step it is, by the app's own words, with where each was found; and what it takes to put
//! anybody's words into a record: cut to a length, and cleaned. All of it is the app's input: nothing is authorised by it.
//! Per request.

mod baggage;
mod carriers;
mod rules;

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderMap;
use outrigger_providers::{Names, RequestFacts, Who, without_keys};

pub use self::rules::{Hashing, IdentityRules, Source, hashing_key};
use crate::ids::hex;
use crate::{Propagators, SpanContext};

/// Bytes that a name may have.
const LONGEST: usize = 128;

/// A name, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name: cleaned, cut to 128 bytes, hashed where the rules say so.
    pub text: String,
    /// The kind of place it stood in.
    pub source: Source,
    /// The place itself: a header, a member of the body, an entry of the baggage.
    pub place: Cow<'static, str>,
    /// Whether `text` is the keyed hash of what stood there.
    pub hashed: bool,
}

/// Who and what a call is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity([Option<Named>; Who::ALL.len()]);

impl Identity {
    /// A name, if the app gave one.
    #[must_use]
    pub fn get(&self, who: Who) -> Option<&str> {
        Some(self.named(who)?.text.as_str())
    }

    /// A name with how it is known.
    #[must_use]
    pub fn named(&self, who: Who) -> Option<&Named> {
        self.0[who as usize].as_ref()
    }

    /// Sets or removes a name.
    pub fn set(&mut self, who: Who, named: Option<Named>) {
        self.0[who as usize] = named;
    }

    /// Those that are known.
    pub fn known(&self) -> impl Iterator<Item = (Who, &Named)> {
        Who::ALL.into_iter().filter_map(|who| Some((who, self.named(who)?)))
    }
}

/// What the head of a request names, until its body has been read.
#[derive(Clone)]
pub(crate) struct Candidates {
    rules: Arc<IdentityRules>,
    /// The best so far, with its rank.
    best: [Option<(usize, Named)>; Who::ALL.len()],
}

impl Candidates {
    /// Reads the headers.
    pub(crate) fn of_head(headers: &HeaderMap, span: &SpanContext, rules: &Arc<IdentityRules>) -> Candidates {
        let mut candidates = Candidates { rules: Arc::clone(rules), best: Default::default() };
        carriers::read(headers, &mut candidates);
        if span.parent_span_id.is_some() {
            let place =
                ["traceparent", "b3", "x-b3-traceid"].into_iter().find(|name| headers.contains_key(*name));
            let place = place.unwrap_or("traceparent").into();
            candidates.offer(Who::Session, Source::Trace, place, || hex(&span.trace_id));
        }
        candidates
    }

    /// Which headers say where a call belongs.
    pub(crate) fn propagators(&self) -> Propagators {
        self.rules.propagators()
    }

    /// Notes a name, unless what is known stands above it. Of two of the same rank the first stands.
    fn offer(&mut self, who: Who, source: Source, place: Cow<'static, str>, text: impl FnOnce() -> String) {
        let Some(rank) = self.rules.rank(source) else { return };
        let slot = &mut self.best[who as usize];
        if slot.as_ref().is_some_and(|(known, _)| *known <= rank) {
            return;
        }
        if let Some(text) = tidy(text()) {
            *slot = Some((rank, Named { text, source, place, hashed: false }));
        }
    }

    fn offer_names(&mut self, names: &Names, source: Source) {
        for who in Who::ALL {
            if let Some(name) = names.get(who) {
                // The place may hold a key that the app made up.
                let place = tidy(name.place.clone()).unwrap_or_default();
                self.offer(who, source, place.into(), || name.text.clone());
            }
        }
    }

    /// The identity, once the body has been read. What the body says is taken out of its facts: it stands in the identity, as
    /// far as it may be kept.
    pub(crate) fn with_body(&self, facts: &mut RequestFacts) -> Identity {
        let mut all = self.clone();
        let names = std::mem::take(&mut facts.names);
        if let Some(conversation) = &facts.conversation {
            all.offer(Who::Session, Source::Body, "conversation".into(), || conversation.clone());
        }
        all.offer_names(&names, Source::Body);
        if let Some(key) = names.cache_key {
            all.offer(Who::Session, Source::CacheKey, "prompt_cache_key".into(), || key);
        }
        facts.conversation =
            facts.conversation.take().map(|text| all.rules.shown(Who::Session, Source::Body, text).0);
        let mut identity = Identity::default();
        for (who, best) in Who::ALL.into_iter().zip(all.best) {
            let Some((_, named)) = best else { continue };
            let (text, hashed) = all.rules.shown(who, named.source, named.text);
            identity.set(who, Some(Named { text, hashed, ..named }));
        }
        identity
    }
}

/// The text without control characters, outer blanks and keys, at most 128 bytes long; `None` if nothing is left.
pub(crate) fn tidy(mut text: String) -> Option<String> {
    text.retain(|c| !c.is_control() && !is_unseen(c));
    if let Cow::Owned(clean) = without_keys(&text) {
        text = clean;
    }
    let kept = text.trim();
    let mut end = kept.len().min(LONGEST);
    while !kept.is_char_boundary(end) {
        end -= 1;
    }
    match &kept[..end] {
        "" => None,
        whole if whole.len() == text.len() => Some(text),
        part => Some(part.to_owned()),
    }
}

/// Whether a character shows nothing but changes how others are shown: a name could pass for another by it.
const fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
