//! Which backups can take a call, in the rule's order; why others cannot, in plain words. Per call that fails, or whose place is
//! left alone.

use std::collections::VecDeque;
use std::sync::Arc;

use outrigger_pricing::PriceBook;
use outrigger_providers::translate::Place;
use outrigger_providers::{Endpoint, FailureClass, Operation, Recognised, RequestFacts, Service, Wanted};
use outrigger_rules::{Failover, Gate, Target, Translation};

/// What is asked, and where the app addressed it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) service: &'static Service,
    pub(crate) recognised: &'a Recognised,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) facts: &'a RequestFacts,
    /// Whether its body can be read and changed.
    pub(crate) readable: bool,
}

/// What the book says, and when.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) book: &'a PriceBook,
    /// Seconds since 1970.
    pub(crate) now: i64,
}

/// The backups that can take a call which failed so, or was not tried. What cannot is handed to `left_out`.
pub(crate) fn fitting(
    failover: &Failover,
    asked: &Asked<'_>,
    class: Option<FailureClass>,
    known: Known<'_>,
    mut left_out: impl FnMut(&Target, &str),
) -> VecDeque<Arc<Target>> {
    let fits = |target: &&Arc<Target>| match refusal(failover, asked, class, target, known) {
        Some(why) => {
            left_out(target, &why);
            false
        }
        None => true,
    };
    failover.to.iter().filter(fits).cloned().collect()
}

/// The model that is to answer at a backup.
fn answering<'a>(asked: &Asked<'a>, target: &'a Target) -> Option<&'a str> {
    target.model.as_deref().or(asked.facts.model.as_deref())
}

/// Where a backup answers what is asked in the app's own format; `None` where it has to be translated.
pub(crate) fn endpoint(asked: &Asked<'_>, target: &Target) -> Option<Endpoint> {
    let (format, model) = (asked.recognised.dialect.name(), answering(asked, target));
    let own = target.provider.id == asked.service.id;
    if !own && model.is_some_and(|model| !(target.provider.serves)(format, model)) {
        return None;
    }
    target.provider.endpoint(&Wanted {
        dialect: format,
        from: asked.service,
        path: asked.path,
        query: asked.query,
        model,
        deployment: target.deployment.as_deref(),
        region: target.region.as_deref(),
        project: target.project.as_deref(),
        stream: asked.facts.stream,
    })
}

fn refusal(
    failover: &Failover,
    asked: &Asked<'_>,
    class: Option<FailureClass>,
    target: &Target,
    known: Known<'_>,
) -> Option<String> {
    let model = asked.facts.model.as_deref();
    let (from, operation) = (asked.service.id, asked.recognised.operation);
    if let Some(kept) = kept_state(asked.facts) {
        return Some(format!("the request refers to what {from} keeps ({kept})"));
    }
    let unsaid = match endpoint(asked, target) {
        None => untranslatable(asked, target),
        Some(endpoint) => {
            let renamed = endpoint.model.as_deref().is_some_and(|named| Some(named) != model);
            let encoded = "the request's body is encoded, so another model cannot be named in it";
            (renamed && !asked.readable).then(|| encoded.to_owned())
        }
    };
    unsaid
        .or_else(|| Translation.refusal(from, operation, model, target))
        .or_else(|| limited(failover, asked, class, target, known))
}

/// Why a call cannot be asked in another format, as far as its place tells; what it says is seen when it is translated.
fn untranslatable(asked: &Asked<'_>, target: &Target) -> Option<String> {
    let (id, format) = (target.provider.id, asked.recognised.dialect.name());
    if !matches!(asked.recognised.operation, Operation::Chat | Operation::GenerateContent) {
        return Some(format!("{id} does not speak {format}"));
    }
    if !asked.readable {
        return Some("the request's body is encoded, so it cannot be translated".to_owned());
    }
    let Some(model) = answering(asked, target) else {
        return Some("neither the backup nor the call names a model".to_owned());
    };
    let place = Place::at(target.provider, asked.recognised.dialect, model);
    place.is_none().then(|| format!("{id} speaks no format that {format} is translated to"))
}

/// What the rule asks of a place.
fn limited(
    failover: &Failover,
    asked: &Asked<'_>,
    class: Option<FailureClass>,
    target: &Target,
    known: Known<'_>,
) -> Option<String> {
    let (from, model) = (asked.service.id, asked.facts.model.as_deref());
    if let Some(why) = failover.limits.refusal(target, (from, asked.host, model), known.book, known.now) {
        return Some(why);
    }
    (class == Some(FailureClass::ContextLength)).then(|| smaller(asked, target, known)).flatten()
}

/// What only the provider that was asked can resolve.
const fn kept_state(facts: &RequestFacts) -> Option<&'static str> {
    if facts.previous_response_id.is_some() {
        Some("previous_response_id")
    } else if facts.prompt_template.is_some() {
        Some("a stored prompt")
    } else if facts.conversation.is_some() {
        Some("a stored conversation")
    } else {
        None
    }
}

/// A prompt that was too long needs a window that is known to be larger.
fn smaller(asked: &Asked<'_>, target: &Target, known: Known<'_>) -> Option<String> {
    let window =
        |provider: &str, model: Option<&str>| known.book.facts(provider, model?, known.now)?.context_window;
    let (ours, theirs) = (asked.facts.model.as_deref(), answering(asked, target));
    match (window(asked.service.id, ours), window(target.provider.id, theirs)) {
        (Some(ours), Some(other)) if other > ours => None,
        (Some(_), Some(_)) => Some("its window is no larger".to_owned()),
        _ => Some("it is not known that its window is larger".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use outrigger_providers::services;

    use super::super::testing;
    use super::*;

    fn left_out(rule: &str, facts: RequestFacts, class: FailureClass, readable: bool) -> Vec<String> {
        let document = format!(
            "version: 1\nmode: act\nbackups:\n  \
             eu: {{ provider: openai, host: eu.api.openai.com, credential: {{ file: a }} }}\n  \
             mini: {{ provider: openai, model: gpt-5-mini, credential: {{ file: a }} }}\n  \
             claude: {{ provider: anthropic, model: claude-sonnet-4-5, credential: {{ file: b }} }}\n\
             rules:\n  - {{ name: r, match: {{}}, failover: {{ to: [claude, eu, mini], {rule} }} }}\n"
        );
        let policy = testing::policy(&document);
        let service = services::by_host("api.openai.com").unwrap();
        let path = "/v1/chat/completions";
        let recognised = (service.recognise)(&Method::POST, path);
        let asked = Asked {
            service,
            recognised: &recognised,
            host: "api.openai.com",
            path,
            query: None,
            facts: &facts,
            readable,
        };
        let mut out = Vec::new();
        let failover = policy.rules[0].failover.as_ref().unwrap();
        let known = Known { book: PriceBook::builtin(), now: testing::NOW };
        let fit = fitting(failover, &asked, Some(class), known, |target, why| {
            out.push(format!("{}: {why}", target.name));
        });
        out.extend(fit.iter().map(|target| target.name.to_string()));
        out
    }

    fn facts() -> RequestFacts {
        RequestFacts { model: Some("gpt-5.1".to_owned()), ..RequestFacts::default() }
    }

    #[test]
    fn those_that_can_answer_stay_in_their_order() {
        let left = left_out("maxPrice: 2x", facts(), FailureClass::ServerError, true);
        assert_eq!(
            left,
            ["claude: claude-sonnet-4-5 costs 2.4x what gpt-5.1 does, and 2x is the most", "eu", "mini"]
        );
        let left = left_out("maxPrice: 3x", facts(), FailureClass::ServerError, false);
        assert_eq!(
            left[1..],
            ["mini: the request's body is encoded, so another model cannot be named in it", "eu"]
        );
        let facts = RequestFacts { previous_response_id: Some("resp_1".to_owned()), ..facts() };
        let left = left_out("maxPrice: 3x", facts, FailureClass::ServerError, true);
        assert!(left.iter().all(|why| why.ends_with("what openai keeps (previous_response_id)")), "{left:?}");
    }

    #[test]
    fn a_prompt_that_is_too_long_goes_to_a_larger_window_alone() {
        let left = left_out("when: [context_length]", facts(), FailureClass::ContextLength, true);
        assert!(left.contains(&"eu: its window is no larger".to_owned()), "{left:?}");
    }
}
