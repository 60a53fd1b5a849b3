//! Where another place answers a call: its path, and the model that the body names there. Per attempt at a backup.

use std::ops::Range;

use crate::Service;
use crate::members::{blanks, members};

/// A call that another place of a provider is to answer.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Name of the format to be spoken.
    pub dialect: &'a str,
    /// The provider that the app addressed; its path and query count where it is the same one.
    pub from: &'a Service,
    /// The app's path.
    pub path: &'a str,
    /// The app's query.
    pub query: Option<&'a str>,
    /// The model that is to answer, in the words of its provider.
    pub model: Option<&'a str>,
    /// Azure's deployment.
    pub deployment: Option<&'a str>,
    /// The region.
    pub region: Option<&'a str>,
    /// The project that is billed.
    pub project: Option<&'a str>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
}

/// Where a place answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Path and query, for a request line.
    pub path_and_query: String,
    /// The model that the body must name; `None` where the path does, or the body's own stays.
    pub model: Option<String>,
}

/// Parameters of a query that say in which form an answer comes, and none that opens anything.
const FORMS: [&str; 2] = ["alt", "api-version"];

impl Service {
    /// Where a call is answered here; `None` where its format is not spoken, or a part of the address is not known.
    #[must_use]
    pub fn endpoint(&self, wanted: &Wanted<'_>) -> Option<Endpoint> {
        let own = self.id == wanted.from.id;
        if own && let Some(endpoint) = deployed(wanted) {
            return Some(endpoint);
        }
        let (_, written) = self.speaks.iter().find(|(dialect, _)| *dialect == wanted.dialect)?;
        let in_path = written.contains("{model}") || written.contains("{deployment}");
        let mut path = if in_path || !own {
            filled(written, wanted)?
        } else {
            // The same API at another host: its paths are the app's, a gateway's prefix included.
            wanted.path.to_owned()
        };
        let query = wanted.query.filter(|_| own).into_iter().flat_map(|query| query.split('&'));
        let kept = query.filter(|pair| pair.split_once('=').is_some_and(|(name, _)| FORMS.contains(&name)));
        for pair in kept {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(pair);
        }
        if !own && wanted.stream && path.ends_with(":streamGenerateContent") {
            path.push_str("?alt=sse");
        }
        let model = wanted.deployment.or(wanted.model).filter(|_| !in_path).map(str::to_owned);
        Some(Endpoint { path_and_query: path, model })
    }
}

/// The path of a deployment, with another one in it.
fn deployed(wanted: &Wanted<'_>) -> Option<Endpoint> {
    let rest = wanted.path.strip_prefix("/openai/deployments/")?.split_once('/')?.1;
    let mut path = format!("/openai/deployments/{}/{rest}", encoded(wanted.deployment?));
    // It has no answer without a version.
    let version = wanted.query?.split('&').find(|pair| pair.starts_with("api-version="))?;
    path.push('?');
    path.push_str(version);
    Some(Endpoint { path_and_query: path, model: None })
}

fn filled(written: &str, wanted: &Wanted<'_>) -> Option<String> {
    let mut path = String::with_capacity(written.len() + 32);
    let mut rest = written;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        path.push_str(before);
        match name {
            "model" => path.push_str(&encoded(wanted.model?)),
            "deployment" => path.push_str(&encoded(wanted.deployment?)),
            "region" => path.push_str(&encoded(wanted.region?)),
            "project" => path.push_str(&encoded(wanted.project?)),
            "method" => path.push_str(method(wanted)?),
            _ => return None,
        }
        rest = after;
    }
    path.push_str(rest);
    Some(path)
}

/// The word for what is asked: the app's own where the format is the same, else that for a turn of a conversation.
fn method<'a>(wanted: &Wanted<'a>) -> Option<&'a str> {
    let words = match wanted.dialect {
        "gemini" => (':', "generateContent", "streamGenerateContent"),
        _ => ('/', "converse", "converse-stream"),
    };
    let (mark, plain, streamed) = words;
    let own = wanted.path.rsplit_once(mark).map(|(_, word)| word);
    let known = |word: &&str| match wanted.dialect {
        "bedrock_invoke" => word.starts_with("invoke"),
        _ => [plain, streamed].contains(word) || word.ends_with("Content") || word.ends_with("Contents"),
    };
    match own.filter(known) {
        Some(word) => Some(word),
        None if wanted.dialect == "bedrock_invoke" => None,
        None => Some(if wanted.stream { streamed } else { plain }),
    }
}

/// As one segment of a path.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The bytes that go out of a JSON body, and those that come in their place, so that it names this model; all others stay. `None`
/// where it is no object, or names a model twice.
#[must_use]
pub fn with_model(body: &[u8], model: &str) -> Option<(Range<usize>, Vec<u8>)> {
    let (mut found, mut twice, mut empty, mut plain) = (None, false, true, true);
    members(body, |member| {
        empty = false;
        plain &= !member.key.contains(&b'\\');
        if member.key == b"model" {
            twice |= found.is_some();
            found = Some(member.value.clone());
        }
    })?;
    if twice || !plain {
        return None;
    }
    let name = serde_json::to_vec(model).ok()?;
    match found {
        Some(value) => Some((value, name)),
        None => {
            let first = blanks(body, 0) + 1;
            let comma: &[u8] = if empty { b"" } else { b"," };
            Some((first..first, [b"\"model\":", &*name, comma].concat()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Operation, services};

    fn service(id: &str) -> &'static Service {
        services::ALL.into_iter().find(|service| service.id == id).unwrap()
    }

    fn wanted(from: &str, dialect: &'static str, path: &'static str) -> Wanted<'static> {
        Wanted {
            dialect,
            from: service(from),
            path,
            query: None,
            model: Some("m:1"),
            deployment: None,
            region: Some("eu-west4"),
            project: Some("tides"),
            stream: false,
        }
    }

    #[test]
    fn another_place_has_its_own_path_and_the_same_api_the_apps() {
        let found = |to: &str, wanted: Wanted<'_>| {
            let endpoint = service(to).endpoint(&wanted)?;
            Some((endpoint.path_and_query, endpoint.model))
        };
        let body = |path: &str| Some((path.to_owned(), Some("m:1".to_owned())));
        let path = |path: &str| Some((path.to_owned(), None));
        let chat = wanted("openai", "openai_chat", "/v1/chat/completions");
        assert_eq!(found("groq", chat), body("/openai/v1/chat/completions"));
        let secret = Wanted { query: Some("key=sk&x=1"), path: "/gateway/v1/chat/completions", ..chat };
        assert_eq!(found("openai", secret), body("/gateway/v1/chat/completions"));
        assert_eq!(found("anthropic", chat), None, "its format is another");
        let azure = Wanted { deployment: Some("our gpt"), ..chat };
        let deployment = ("/openai/v1/chat/completions".to_owned(), Some("our gpt".to_owned()));
        assert_eq!(found("azure", azure), Some(deployment));
        let classic = Wanted {
            from: service("azure"),
            path: "/openai/deployments/old/chat/completions",
            query: Some("x=1&api-version=2026-01-01"),
            ..azure
        };
        assert_eq!(
            found("azure", classic),
            path("/openai/deployments/our%20gpt/chat/completions?api-version=2026-01-01")
        );
        let gemini = wanted("gemini", "gemini", "/v1beta/models/x:streamGenerateContent");
        let gemini = Wanted { query: Some("alt=sse&key=AIza"), stream: true, ..gemini };
        assert_eq!(found("gemini", gemini), path("/v1beta/models/m%3A1:streamGenerateContent?alt=sse"));
        assert_eq!(
            found("vertex", gemini),
            path(
                "/v1/projects/tides/locations/eu-west4/publishers/google/models/m%3A1:streamGenerateContent?alt=sse"
            )
        );
        assert_eq!(found("vertex", Wanted { project: None, ..gemini }), None);
        let converse = wanted("bedrock", "bedrock_converse", "/model/a/converse-stream");
        assert_eq!(found("bedrock", converse), path("/model/m%3A1/converse-stream"));
    }

    /// What stands in a row leads to what is read there.
    #[test]
    fn every_path_is_recognised_as_what_it_speaks() {
        for service in services::ALL {
            for (dialect, _) in service.speaks {
                let app = if *dialect == "bedrock_invoke" { "/model/x/invoke" } else { "/" };
                let from = &services::OPERATOR_LISTED;
                let wanted =
                    Wanted { model: Some("anthropic.claude"), from, ..wanted("openai", dialect, app) };
                let Some(endpoint) = service.endpoint(&wanted) else { panic!("{} {dialect}", service.id) };
                let path = endpoint.path_and_query.split('?').next().unwrap().to_owned();
                let read = (service.recognise)(&http::Method::POST, &path);
                assert_eq!(read.dialect.name(), *dialect, "{} {path}", service.id);
                assert!(read.operation.is_inference() && read.operation != Operation::Other, "{path}");
            }
        }
    }

    #[test]
    fn a_body_names_another_model_and_keeps_all_other_bytes() {
        let edited = |body: &str| {
            let (out, within) = with_model(body.as_bytes(), "a\"b")?;
            Some([&body.as_bytes()[..out.start], &within, &body.as_bytes()[out.end..]].concat())
        };
        for (body, expected) in [
            (
                r#"{"n":1.0, "model" : "x","m":{"model":"y"}}"#,
                r#"{"n":1.0, "model" : "a\"b","m":{"model":"y"}}"#,
            ),
            (r#" {"n":1}"#, r#" {"model":"a\"b","n":1}"#),
            ("{}", r#"{"model":"a\"b"}"#),
        ] {
            assert_eq!(edited(body).as_deref(), Some(expected.as_bytes()), "{body}");
        }
        for body in ["", "[]", r#"{"model":1,"model":2}"#, r#"{"mo\u0064el":"x"}"#] {
            assert_eq!(edited(body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn a_body_means_the_same_but_for_its_model(text in "[ -~é]{0,20}", model in "[ -~]{1,20}", named: bool) {
            let mut body = json!({"messages": [{"content": text}], "n": 1});
            if named {
                body["model"] = "x".into();
            }
            let bytes = body.to_string().into_bytes();
            let (out, within) = with_model(&bytes, &model).unwrap();
            let edited = [&bytes[..out.start], &within, &bytes[out.end..]].concat();
            body["model"] = model.into();
            prop_assert_eq!(serde_json::from_slice::<Value>(&edited).unwrap(), body);
        }
    }
}
