//! The data set's patterns of hosts and of model names, as the plain tests that the book knows.

use outrigger_pricing::document::Clause;

use super::foreign::ForeignClause;
use crate::Failure;

/// The host of a URL pattern that names one; others are in the overlay.
pub(super) fn hosts(pattern: &str) -> Vec<String> {
    let Some(rest) = pattern.strip_prefix("https://") else { return Vec::new() };
    let host = rest.split('/').next().unwrap_or(rest).replace("(?:", "").replace("\\.", ".");
    let is_host =
        host.contains('.') && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    // Several providers behind one host are told apart by path, which hosts cannot do.
    let shared = ["router.huggingface.co", "api.cloudflare.com"].contains(&host.as_str());
    if is_host && !shared && !host.ends_with('.') { vec![host] } else { Vec::new() }
}

/// An `or` is a list of clauses; a pattern becomes plain tests.
pub(super) fn flatten(clause: &ForeignClause, place: &str, into: &mut Vec<Clause>) -> Result<(), Failure> {
    match clause {
        ForeignClause::Or(parts) => parts.iter().try_for_each(|part| flatten(part, place, into))?,
        // A fine-tune is found by the row of its base's fine-tunes.
        ForeignClause::StartsWith(text) if text.starts_with("ft:") => {}
        ForeignClause::And(parts) => {
            let mut all = Vec::new();
            parts.iter().try_for_each(|part| flatten(part, place, &mut all))?;
            into.push(Clause::All(all));
        }
        ForeignClause::Equals(text) => into.push(Clause::Equals(text.clone())),
        ForeignClause::StartsWith(text) => into.push(Clause::StartsWith(text.clone())),
        ForeignClause::EndsWith(text) => into.push(Clause::EndsWith(text.clone())),
        ForeignClause::Contains(text) => into.push(Clause::Contains(text.clone())),
        ForeignClause::Regex(pattern) => into.push(plain(pattern).ok_or_else(|| {
            Failure::Row(format!("{place}: the pattern `{pattern}` has no plain form; teach it to genai.rs"))
        })?),
    }
    Ok(())
}

/// The patterns in use are few: a name with a date (which every name may have), a name with a number, no speech.
fn plain(pattern: &str) -> Option<Clause> {
    if pattern == "^(?!.*-[tT][tT][sS](?:$|-))" {
        return Some(Clause::Not(Box::new(Clause::Contains("-tts".to_owned()))));
    }
    let body = pattern.strip_prefix('^')?;
    let literal = |text: &str| {
        let text = text.replace("\\.", ".").replace("\\[", "[").replace("\\]", "]");
        (!text.contains(['\\', '(', '*', '+', '?'])).then_some(text)
    };
    let dated = ["-\\d{8}$", "[-@]\\d{8}$", "-\\d{4}-\\d{2}-\\d{2}$"];
    if let Some(name) = dated.iter().find_map(|end| body.strip_suffix(end)) {
        return literal(name).map(Clause::Equals);
    }
    match (body.strip_suffix("\\d"), body.strip_suffix('$')) {
        (Some(name), _) => literal(name).map(Clause::StartsWith),
        (_, Some(name)) => literal(name).map(Clause::Equals),
        _ => None,
    }
}
