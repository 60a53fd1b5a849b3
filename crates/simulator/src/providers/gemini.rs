//! The Gemini API. The key may stand in the query; OpenAI's format is spoken under a prefix.

use crate::formats::gemini::{self, errors};
use crate::formats::gemini_interactions;
use crate::formats::openai_chat::{Style, Telling, details};
use crate::providers::{Provider, bearer, compatible, of_body, text};

pub(super) static ROW: Provider = Provider {
    name: "gemini",
    hosts: &["generativelanguage.googleapis.com"],
    on_gateway: |path| gemini::target(path).is_some() || path.ends_with("/interactions"),
    asked: |path, body| match gemini::target(path) {
        Some((model, method)) => (model.to_owned(), method == "streamGenerateContent"),
        None => of_body(body),
    },
    key: |headers, uri| {
        text(headers, "x-goog-api-key")
            .or_else(|| bearer(headers))
            .or_else(|| uri.query()?.split('&').find_map(|pair| pair.strip_prefix("key=")))
    },
    answer: |path, ask, told| match gemini::target(path) {
        Some((_, method)) => gemini::answer(method, ask, told),
        None if path.ends_with("/interactions") => Some(gemini_interactions::answer(ask, told)),
        None if path.contains("/openai/") => compatible::answer(path, ask, told, &STYLE),
        None => None,
    },
    error: |kind, _, _| errors::error(kind),
    error_headers: |_| Vec::new(),
    error_event: |_, _, body, _| gemini::event(body),
    headers: |_| gemini::headers(),
};

/// OpenAI's format as Google speaks it: the usage so far in every chunk.
static STYLE: Style =
    Style { id: "", usage: |_, used| details(used), telling: Telling::EveryChunk, ..Style::PLAIN };
