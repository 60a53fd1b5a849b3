//! The headers by which apps, gateways and coding agents name users, sessions and steps (wire formats, section 4). Per
//! request: one walk over its headers, no allocation but for a name that is found.

use http::{HeaderMap, HeaderValue};
use outrigger_contract::headers::{AGENT, SESSION, STEP, TENANT, USER};
use outrigger_providers::{Names, Who};

use super::{Candidates, Source, baggage};

/// Told last: the project within it says more.
const ORGANIZATION: &str = "openai-organization";

pub(super) fn read(headers: &HeaderMap, candidates: &mut Candidates) {
    for (who, name) in candidates.rules.headers().to_vec() {
        if let Some(value) = headers.get(&name) {
            candidates.offer(who, Source::Header, name.to_string().into(), || text(value));
        }
    }
    let mut carries_baggage = false;
    for (name, value) in headers {
        let name = name.as_str();
        if let Some((source, who)) = carrier(name) {
            candidates.offer(who, source, name.to_owned().into(), || text(value));
        } else if let Some(tag) = name.strip_prefix("helicone-property-") {
            if let Some(who) = Who::of_tag(tag) {
                candidates.offer(who, Source::Product, name.to_owned().into(), || text(value));
            }
        } else if matches!(name, "x-portkey-metadata" | "x-amzn-bedrock-request-metadata") {
            let mut names = Names::default();
            names.offer_tags(value.as_bytes(), name);
            candidates.offer_names(&names, Source::Product);
        } else if name == "baggage" {
            carries_baggage = true;
        } else if is_session_of_some_vendor(name, value) {
            candidates.offer(Who::Session, Source::Agent, name.to_owned().into(), || text(value));
        }
    }
    if let Some(value) = headers.get(ORGANIZATION) {
        candidates.offer(Who::Tenant, Source::Product, ORGANIZATION.into(), || text(value));
    }
    if carries_baggage && candidates.propagators().baggage {
        baggage::read(headers, candidates);
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// What a header names, if it is one that is known.
fn carrier(name: &str) -> Option<(Source, Who)> {
    Some(match name {
        USER => (Source::Header, Who::User),
        SESSION => (Source::Header, Who::Session),
        STEP => (Source::Header, Who::Step),
        AGENT => (Source::Header, Who::Agent),
        TENANT => (Source::Header, Who::Tenant),
        "helicone-user-id" | "anthropic-user-profile-id" => (Source::Product, Who::User),
        "helicone-session-id" | "x-portkey-trace-id" | "x-litellm-session-id" | "x-litellm-trace-id" => {
            (Source::Product, Who::Session)
        }
        "helicone-session-path" | "x-portkey-span-name" => (Source::Product, Who::Step),
        "x-litellm-agent-id" => (Source::Product, Who::Agent),
        "anthropic-workspace-id" | "openai-project" | "x-goog-user-project" => (Source::Product, Who::Tenant),
        // Claude Code's; two generations of Codex's; opencode's.
        "x-claude-code-session-id"
        | "session-id"
        | "thread-id"
        | "session_id"
        | "conversation_id"
        | "x-opencode-session"
        | "x-session-id" => (Source::Agent, Who::Session),
        "x-claude-code-agent-id" | "x-openai-subagent" => (Source::Agent, Who::Agent),
        _ => return None,
    })
}

/// `x-{vendor}-session-id` with a value that could be an id: at least eight plain characters.
fn is_session_of_some_vendor(name: &str, value: &HeaderValue) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    name.starts_with("x-")
        && name.ends_with("-session-id")
        && !name.ends_with("-parent-session-id")
        && value.len() >= 8
        && value.as_bytes().iter().all(plain)
}
