//! The W3C baggage (<https://www.w3.org/TR/baggage/>): `key=value;property, key=value`, values percent-encoded. Per request
//! that carries one.

use http::HeaderMap;
use outrigger_providers::Who;

use super::{Candidates, Source};

/// Entries that are looked at; the specification asks for as many.
const MOST: usize = 64;

pub(super) fn read(headers: &HeaderMap, candidates: &mut Candidates) {
    let entries = headers
        .get_all("baggage")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    for entry in entries.take(MOST) {
        let Some((key, value)) = entry.split_once('=') else { continue };
        let value = value.split(';').next().unwrap_or(value).trim();
        if let Some(who) = meaning(key.trim()) {
            let place = format!("baggage {}", key.trim());
            candidates.offer(who, Source::Baggage, place.into(), || decoded(value));
        }
    }
}

/// The keys of the OpenTelemetry conventions, of Langfuse and of our own.
fn meaning(key: &str) -> Option<Who> {
    Some(match key {
        "user.id" | "enduser.id" | "enduser.pseudo.id" | "langfuse_user_id" | "outrigger.user" => Who::User,
        "session.id" | "gen_ai.conversation.id" | "langfuse_session_id" | "outrigger.session" => Who::Session,
        "outrigger.step" | "langfuse_trace_name" => Who::Step,
        "gen_ai.agent.name" | "outrigger.agent" => Who::Agent,
        "tenant.id" | "outrigger.tenant" => Who::Tenant,
        _ => return None,
    })
}

/// The value with its `%XX` read; what is not valid stays as it is.
fn decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
