//! Which backups can take a call, in the rule's order; why others cannot, in plain words. Per call that fails, or whose place is
//! left alone.

use std::collections::VecDeque;
use std::sync::Arc;

use outrigger_pricing::PriceBook;
use outrigger_providers::translate::{self, Place};
use outrigger_providers::{Endpoint, FailureClass, Recognised, RequestFacts, Service, Wanted};
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

/// How a backup is asked.
pub(crate) enum Way<'a> {
    /// In the app's own bytes, but for the model: what no translation reads.
    AsItIs(Endpoint),
    /// As its place is to have it, which may be the app's own bytes too.
    Said(Place<'a>),
}

/// Whether the call is a turn of a conversation in a format that is translated.
fn is_read(asked: &Asked<'_>) -> bool {
    translate::is_said_anew(asked.recognised.dialect, asked.recognised.operation)
}

/// The format in which a conversation is asked there, where the backup says another one than the app's.
fn other_format(asked: &Asked<'_>, target: &Target) -> Option<&'static str> {
    let Recognised { dialect, operation } = asked.recognised;
    target.format.filter(|wished| *wished != dialect.name() && translate::is_conversation(*operation))
}

/// How a backup is asked, as far as its place tells; what the call says is seen when it is said there. Why it cannot be asked, in
/// plain words.
pub(crate) fn way<'a>(asked: &Asked<'a>, target: &'a Target) -> Result<Way<'a>, String> {
    let (id, format) = (target.provider.id, asked.recognised.dialect.name());
    let (model, own) = (answering(asked, target), target.provider.id == asked.service.id);
    let other = other_format(asked, target);
    if let Some(model) = model.filter(|_| is_read(asked) && asked.readable) {
        let dialect = asked.recognised.dialect;
        let kin = (own && target.model.is_none() && other.is_none())
            .then(|| Place::kin(target.provider, dialect, model));
        let place = kin.flatten().or_else(|| match target.format {
            Some(wished) => Place::in_format(target.provider, wished, model),
            None => Place::at(target.provider, dialect, model),
        });
        let place = place.ok_or_else(|| match target.format {
            Some(wished) => format!("{id} does not answer {model} in {wished}"),
            None => format!("{id} speaks no format that {format} is translated to"),
        })?;
        let (deployment, region) = (target.deployment.as_deref(), target.region.as_deref());
        return Ok(Way::Said(Place { deployment, region, project: target.project.as_deref(), ..place }));
    }
    as_it_is(asked, target).map(Way::AsItIs)
}

/// Where a backup is asked in the app's own bytes, but for the model. Why it cannot be, in plain words.
pub(crate) fn as_it_is(asked: &Asked<'_>, target: &Target) -> Result<Endpoint, String> {
    let (id, format) = (target.provider.id, asked.recognised.dialect.name());
    let (model, own) = (answering(asked, target), target.provider.id == asked.service.id);
    let other = other_format(asked, target);
    let served = own || model.is_none_or(|model| (target.provider.serves)(format, model));
    let endpoint = target.provider.endpoint(&Wanted {
        dialect: format,
        from: asked.service,
        path: asked.path,
        query: asked.query,
        model,
        deployment: target.deployment.as_deref(),
        region: target.region.as_deref(),
        project: target.project.as_deref(),
        stream: asked.facts.stream,
    });
    match endpoint.filter(|_| served && other.is_none()) {
        Some(endpoint) => {
            let named = endpoint.model.as_deref();
            if !asked.readable && named.is_some() && named != asked.facts.model.as_deref() {
                return Err(
                    "the request's body is encoded, so another model cannot be named in it".to_owned()
                );
            }
            Ok(endpoint)
        }
        None if !is_read(asked) => Err(match other {
            Some(wished) => format!("the backup is asked in {wished}, and {format} is not translated"),
            None => format!("{id} does not speak {format}"),
        }),
        None if !asked.readable => {
            Err("the request's body is encoded, so it cannot be translated".to_owned())
        }
        None => Err(match (other, model) {
            (_, None) => "neither the backup nor the call names a model".to_owned(),
            (Some(wished), _) => format!("the backup is asked in {wished}, and not in {format}"),
            (None, Some(model)) => format!("{id} does not answer {model} in {format}"),
        }),
    }
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
    way(asked, target)
        .err()
        .or_else(|| Translation.refusal(from, operation, model, target))
        .or_else(|| limited(failover, asked, class, target, known))
}

/// Why a call cannot be led to the backup that keeps the answer it goes on with, in plain words.
pub(crate) fn unled(
    failover: &Failover,
    asked: &Asked<'_>,
    target: &Target,
    known: Known<'_>,
) -> Option<String> {
    let from = asked.service.id;
    let also = RequestFacts { previous_response_id: None, ..asked.facts.clone() };
    kept_state(&also)
        .map(|kept| format!("it also refers to what {from} keeps ({kept})"))
        .or_else(|| as_it_is(asked, target).err())
        .or_else(|| limited(failover, asked, None, target, known))
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
        let asked = ("api.openai.com", "/v1/chat/completions", &facts, readable);
        with(asked, |asked| {
            let mut out = Vec::new();
            let failover = policy.rules[0].failover.as_ref().unwrap();
            let known = Known { book: PriceBook::builtin(), now: testing::NOW };
            let fit = fitting(failover, &asked, Some(class), known, |target, why| {
                out.push(format!("{}: {why}", target.name));
            });
            out.extend(fit.iter().map(|target| target.name.to_string()));
            out
        })
    }

    /// What is asked of a host at a path.
    fn with<T>(
        (host, path, facts, readable): (&str, &str, &RequestFacts, bool),
        then: impl FnOnce(Asked<'_>) -> T,
    ) -> T {
        let service = services::by_host(host).unwrap();
        let recognised = (service.recognise)(&Method::POST, path);
        then(Asked { service, recognised: &recognised, host, path, query: None, facts, readable })
    }

    /// How a backup is asked: in which format, or as the app said it.
    fn asked_in(backup: &str, app: (&str, &str, &RequestFacts, bool)) -> String {
        let document = format!(
            "version: 1\nmode: act\nbackups:\n  b: {{ {backup}, credential: {{ file: a }} }}\n\
             rules:\n  - {{ name: r, match: {{}}, failover: {{ to: [b] }} }}\n"
        );
        let policy = testing::policy(&document);
        with(app, |asked| match way(&asked, &policy.targets[0]) {
            Ok(Way::Said(place)) => place.dialect.name().to_owned(),
            Ok(Way::AsItIs(endpoint)) => endpoint.path_and_query,
            Err(why) => why,
        })
    }

    #[test]
    fn a_backup_is_asked_in_the_format_that_it_says_else_in_the_apps_or_its_own() {
        let named = facts();
        let nameless = RequestFacts::default();
        let (openai, claude) = ("api.openai.com", "api.anthropic.com");
        let (chat, responses) = ("/v1/chat/completions", "/v1/responses");
        let chosen = "provider: openai, model: gpt-4.1, format: openai_responses";
        let kin = "provider: openai, format: openai_responses";
        for (backup, app, way) in [
            ("provider: openai, model: gpt-4.1", (openai, chat, &named, true), "openai_chat"),
            ("provider: openai, model: gpt-4.1", (claude, "/v1/messages", &named, true), "openai_chat"),
            (chosen, (openai, chat, &named, true), "openai_responses"),
            (chosen, (openai, responses, &named, true), "openai_responses"),
            (chosen, (claude, "/v1/messages", &named, true), "openai_responses"),
            (kin, (openai, chat, &named, true), "openai_responses"),
            (kin, (openai, responses, &named, false), "/v1/responses"),
            (kin, (openai, chat, &named, false), "the request's body is encoded, so it cannot be translated"),
            (kin, (openai, chat, &nameless, true), "neither the backup nor the call names a model"),
            // What is no conversation has one format everywhere.
            (chosen, (openai, "/v1/embeddings", &named, true), "/v1/embeddings"),
            (
                "provider: cohere, model: command-a, format: openai_chat",
                ("api.cohere.com", "/v2/chat", &named, true),
                "the backup is asked in openai_chat, and cohere is not translated",
            ),
            (
                "provider: bedrock, region: us-east-1, format: openai_chat",
                (openai, chat, &named, true),
                "bedrock does not answer gpt-5.1 in openai_chat",
            ),
        ] {
            assert_eq!(asked_in(backup, app), way, "{backup}");
        }
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
