//! Where a place answers a conversation, and the headers that its format wants. Authorisation is not part of it. Per translated
//! request.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{App, Place};
use crate::endpoint::encoded;
use crate::{Endpoint, Operation, Service, Wanted, dialects, services};

/// Anthropic's version whose meaning is translated to.
const ANTHROPIC_VERSION: &str = "2023-06-01";
/// The same at Google's, where it stands in the body.
const VERTEX_VERSION: &str = "vertex-2023-10-16";

/// Where a place answers, and what its body names.
pub(super) struct Head {
    /// Path and query.
    pub(super) path: String,
    /// The model that the body names; `None` where the path does.
    pub(super) model: Option<String>,
    /// The version that the body names in the model's place.
    pub(super) version: Option<&'static str>,
}

/// `None` where the place does not speak its format, or a part of its address is missing.
pub(super) fn head(from: &App<'_>, to: &Place<'_>, stream: bool) -> Option<Head> {
    if to.service.id == "vertex" && to.dialect.name() == "anthropic_messages" {
        return Some(Head {
            path: claude_at_google(to, stream)?,
            model: None,
            version: Some(VERTEX_VERSION),
        });
    }
    // Paths of another format are not to be kept.
    let same = from.dialect.name() == to.dialect.name();
    let Endpoint { path_and_query, model } = to.service.endpoint(&Wanted {
        dialect: to.dialect.name(),
        from: if same { from.service } else { &services::OPERATOR_LISTED },
        path: if same { from.path } else { "" },
        query: from.query.filter(|_| same),
        model: Some(to.model),
        deployment: to.deployment,
        region: to.region,
        project: to.project,
        stream,
    })?;
    Some(Head { path: path_and_query, model, version: None })
}

/// The one format whose body names a version where it is written for another host.
fn claude_at_google(to: &Place<'_>, stream: bool) -> Option<String> {
    let (project, region, model) = (encoded(to.project?), encoded(to.region?), encoded(to.model));
    let word = if stream { "streamRawPredict" } else { "rawPredict" };
    Some(format!("/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:{word}"))
}

/// The formats in which a service answers conversations, the one to translate to first. Without a model: of any of its models.
#[must_use]
pub fn formats(service: &Service, model: Option<&str>) -> Vec<&'static str> {
    let claude = "anthropic_messages";
    let at_google = (service.id == "vertex").then_some(claude);
    let written = |name: &&str| dialects::ALL.iter().any(|it| it.name() == *name && it.requests().is_some());
    let serves = service.serves;
    let fits = move |format: &&str| model.is_none_or(|model| serves(format, model));
    let all = service.speaks.iter().map(|(name, _)| *name).chain(at_google);
    all.filter(written).filter(fits).collect()
}

/// Every format that a turn of a conversation can be said in.
pub fn all_formats() -> impl Iterator<Item = &'static str> {
    dialects::ALL.iter().filter(|dialect| dialect.requests().is_some()).map(|dialect| dialect.name())
}

/// Why no conversation of one provider's apps can go to another; `None` where some can. `asked` is the app's model, where it is
/// known, and `model` the one that is named for the other. What one request asks for is another matter.
#[must_use]
pub fn refusal(from: &Service, asked: Option<&str>, to: &Service, model: Option<&str>) -> Option<String> {
    let (apps, theirs) = (formats(from, asked), formats(to, model.or(asked)));
    let is_alone = from.id != to.id && !theirs.iter().any(|format| apps.contains(format));
    (model.is_none() && is_alone)
        .then(|| format!("the backup names no model, and {} has none of {}'s", to.id, from.id))
}

/// Headers that a translated request has beside those of its key.
pub(super) fn headers(to: &Place<'_>, version_in_body: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if to.dialect.name() == "anthropic_messages" && !version_in_body {
        headers.insert(
            HeaderName::from_static("anthropic-version"),
            HeaderValue::from_static(ANTHROPIC_VERSION),
        );
    }
    headers
}

/// Whether an operation is a turn of a conversation, which every format has.
#[must_use]
pub fn is_conversation(operation: Operation) -> bool {
    matches!(operation, Operation::Chat | Operation::GenerateContent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Addressed;

    fn service(id: &str) -> &'static Service {
        services::ALL.into_iter().find(|service| service.id == id).unwrap()
    }

    fn app(format: &str) -> App<'static> {
        static NOWHERE: Addressed =
            Addressed { model: None, stream: None, region: outrigger_pricing::Region::Global };
        let dialect = dialects::ALL.into_iter().find(|dialect| dialect.name() == format).unwrap();
        let (service, operation) = (&services::OPERATOR_LISTED, Operation::Chat);
        App { service, dialect, operation, addressed: &NOWHERE, path: "/elsewhere", query: Some("key=x") }
    }

    fn asked(to: &str, format: &str, model: &'static str, stream: bool) -> Option<(String, Option<String>)> {
        let app = app(format);
        let place = Place::at(service(to), app.dialect, model)?;
        let place = Place { region: Some("eu-west4"), project: Some("tides"), ..place };
        head(&app, &place, stream).map(|head| (head.path, head.model))
    }

    #[test]
    fn every_format_has_its_path() {
        let body = |path: &str, model: &str| Some((path.to_owned(), Some(model.to_owned())));
        let path = |path: &str| Some((path.to_owned(), None));
        let chat = "openai_chat";
        assert_eq!(asked("anthropic", chat, "claude-x", true), body("/v1/messages", "claude-x"));
        assert_eq!(
            asked("openai", "anthropic_messages", "gpt-6", true),
            body("/v1/chat/completions", "gpt-6")
        );
        assert_eq!(asked("openai", "openai_responses", "gpt-6", true), body("/v1/responses", "gpt-6"));
        assert_eq!(
            asked("gemini", chat, "gemini-3", true),
            path("/v1beta/models/gemini-3:streamGenerateContent?alt=sse")
        );
        assert_eq!(asked("gemini", chat, "gemini-3", false), path("/v1beta/models/gemini-3:generateContent"));
        let vertex = "/v1/projects/tides/locations/eu-west4/publishers";
        assert_eq!(
            asked("vertex", chat, "claude-x@1", true),
            path(&format!("{vertex}/anthropic/models/claude-x%401:streamRawPredict"))
        );
        assert_eq!(
            asked("vertex", chat, "gemini-3", false),
            path(&format!("{vertex}/google/models/gemini-3:generateContent"))
        );
        let model = "eu.anthropic.claude-x-v1:0";
        assert_eq!(
            asked("bedrock", chat, model, true),
            path("/model/eu.anthropic.claude-x-v1%3A0/converse-stream")
        );
        assert_eq!(asked("azure", chat, "claude-x", false), body("/anthropic/v1/messages", "claude-x"));
        assert_eq!(
            asked("cohere", "gemini", "command-a", false),
            body("/compatibility/v1/chat/completions", "command-a")
        );
        assert_eq!(
            asked("bedrock", chat, "openai.gpt-6", false),
            body("/openai/v1/chat/completions", "openai.gpt-6")
        );
    }

    #[test]
    fn a_place_without_a_part_of_its_address_has_no_path() {
        let app = app("openai_chat");
        let place = Place::at(service("vertex"), app.dialect, "gemini-3").unwrap();
        assert!(head(&app, &place, false).is_none());
        let deployed = Place {
            deployment: Some("our-gpt"),
            ..Place::at(service("azure"), app.dialect, "gpt-6").unwrap()
        };
        let head = head(&app, &deployed, false).unwrap();
        assert_eq!(
            (head.path.as_str(), head.model.as_deref()),
            ("/openai/v1/chat/completions", Some("our-gpt"))
        );
    }

    /// Whatever a path says, its service reads the same of it.
    #[test]
    fn every_service_recognises_what_it_is_asked() {
        for to in services::ALL {
            for model in ["claude-x", "gpt-6", "gemini-3"] {
                for app in formats(to, Some(model)) {
                    let (path, _) = asked(to.id, app, model, true).unwrap();
                    let path = path.split('?').next().unwrap();
                    let read = (to.recognise)(&http::Method::POST, path);
                    assert_eq!(read.dialect.name(), app, "{} {path}", to.id);
                    assert!(is_conversation(read.operation), "{} {path}", to.id);
                    assert_ne!((to.addressed)("", path).stream, Some(false), "{path}");
                }
            }
        }
    }

    #[test]
    fn what_no_call_can_do_is_known_before_there_is_one() {
        let why = |from, asked, to, model| refusal(service(from), asked, service(to), model);
        assert_eq!(why("openai", None, "anthropic", Some("claude-x")), None);
        assert_eq!(why("openai", None, "azure", None), None);
        assert_eq!(why("cohere", None, "cohere", None), None);
        assert_eq!(why("vertex", Some("claude-x"), "anthropic", None), None);
        assert_eq!(why("vertex", None, "anthropic", None), None, "it may be one of Anthropic's");
        for (from, asked, to, model, reason) in [
            (
                "openai",
                None,
                "anthropic",
                None,
                "the backup names no model, and anthropic has none of openai's",
            ),
            (
                "vertex",
                Some("gemini-3"),
                "anthropic",
                None,
                "the backup names no model, and anthropic has none of vertex's",
            ),
            (
                "bedrock",
                Some("openai.x"),
                "anthropic",
                None,
                "the backup names no model, and anthropic has none of bedrock's",
            ),
        ] {
            assert_eq!(why(from, asked, to, model).as_deref(), Some(reason));
        }
    }
}
