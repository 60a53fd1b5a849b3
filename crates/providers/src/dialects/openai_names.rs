//! Who and what a call is for, in the members of OpenAI's bodies and of those who speak its formats (wire formats, section 4).

use crate::dialects::facts::names;
use crate::framing::{JsonScan, Path};
use crate::{Names, Who};

/// `session_id` and `trace` are OpenRouter's, `litellm_session_id` is LiteLLM's.
const PLAIN: &[(Who, Path)] = &[
    (Who::User, &["safety_identifier"]),
    (Who::User, &["user"]),
    (Who::Session, &["session_id"]),
    (Who::Session, &["litellm_session_id"]),
    (Who::Step, &["trace", "span_name"]),
];

/// Reads what a body's dialect looks for; what it does not look for is not there.
pub(crate) fn read(scan: &JsonScan) -> Names {
    let mut names = names(scan, PLAIN, &[&["metadata"], &["client_metadata"]]);
    names.cache_key = scan.read(&["prompt_cache_key"]);
    names
}
