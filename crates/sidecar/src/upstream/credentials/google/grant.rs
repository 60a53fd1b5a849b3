//! Asks Google for a token, over a connection of its own whose certificate is verified. Once per token, which lives for an hour.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use outrigger_providers::FailureClass;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Account;
use crate::upstream::DialError;
use crate::upstream::credentials::clock::Clocks;
use crate::upstream::credentials::secret::Secret;
use crate::upstream::dial::Dialer;
use crate::upstream::tls::{Connector, Offer};

/// For connection, question and answer together.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer.
const LONGEST: usize = 64 * 1024;
/// What is asked for (RFC 7523), as it stands in a form.
const GRANT: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
/// A token is good for an hour; less than this is no use, and more is not believed.
const LIFETIMES: std::ops::RangeInclusive<u64> = 60..=12 * 3600;

/// Asks for tokens, by the ways that calls take: the same names, the same proxy, the same trust.
pub(crate) struct TokenClient {
    pub(crate) dialer: Rc<Dialer>,
    pub(crate) connector: Rc<Connector>,
    pub(crate) clocks: Rc<Clocks>,
}

/// A token, and how long it lives.
pub(crate) struct Granted {
    pub(crate) token: Secret,
    pub(crate) lives: Duration,
}

/// Why there is no token.
#[derive(Debug, Clone)]
pub(crate) struct Ungranted {
    pub(crate) class: FailureClass,
    pub(crate) text: String,
}

/// What is answered; only what is asked for is read.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl TokenClient {
    /// A token for an account. Asks once more where the clock here turns out to be off.
    pub(crate) async fn token(&self, account: &Account) -> Result<Granted, Ungranted> {
        let first = self.once(account).await;
        match first {
            Err((refused, true)) if refused.class == FailureClass::Authentication => {
                self.once(account).await.map_err(|(refused, _)| refused)
            }
            other => other.map_err(|(refused, _)| refused),
        }
    }

    /// The failure says whether the clock was put right by the answer.
    async fn once(&self, account: &Account) -> Result<Granted, (Ungranted, bool)> {
        let host = account.token_uri().host().unwrap_or_default();
        let asked = tokio::time::timeout(PATIENCE, self.ask(account, host)).await.unwrap_or_else(|_| {
            let text = format!("{host} gave no token within {} s", PATIENCE.as_secs());
            Err(Ungranted { class: FailureClass::Timeout, text })
        });
        let (status, headers, body) = asked.map_err(|failed| (failed, false))?;
        let put_right = self.clocks.compare(host, &headers);
        read(host, status, &body).map_err(|refused| (refused, put_right))
    }

    async fn ask(
        &self,
        account: &Account,
        host: &str,
    ) -> Result<(StatusCode, HeaderMap, Zeroizing<Vec<u8>>), Ungranted> {
        let failed = |error: DialError| Ungranted { class: error.class, text: error.text };
        let broken = |error: hyper::Error| Ungranted {
            class: FailureClass::Connect,
            text: format!("the exchange with {host} broke off ({error})"),
        };
        let unsigned =
            || Ungranted { class: FailureClass::Other, text: "the assertion could not be signed".to_owned() };
        let stream = self.dialer.dial(host, 443).await.map_err(failed)?;
        // Nothing is signed before the other end has proven its name.
        let (tls, _) = self.connector.connect(stream, host, Offer::H1).await.map_err(failed)?;
        let assertion = account.assertion(self.clocks.now(host)).ok_or_else(unsigned)?;
        let form = Bytes::from(format!("{GRANT}{}", *assertion));
        let path = account.token_uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, host)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(form))
            .map_err(|_| unsigned())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await.map_err(broken)?;
        let driven = tokio::task::spawn_local(connection);
        let response = sender.send_request(request).await.map_err(broken)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|_| Ungranted {
            class: FailureClass::Malformed,
            text: format!("the answer of {host} broke off, or is longer than {LONGEST} bytes"),
        })?;
        driven.abort();
        Ok((head.status, head.headers, Zeroizing::new(body.to_bytes().to_vec())))
    }
}

fn read(host: &str, status: StatusCode, body: &[u8]) -> Result<Granted, Ungranted> {
    if status != StatusCode::OK {
        return Err(refused(host, status, body));
    }
    let malformed = |why: &str| Ungranted {
        class: FailureClass::Malformed,
        text: format!("the answer of {host} holds no token ({why})"),
    };
    let answer: Answer = serde_json::from_slice(body).map_err(|_| malformed("it cannot be read"))?;
    let token = Zeroizing::new(answer.access_token);
    if token.is_empty() || !LIFETIMES.contains(&answer.expires_in) {
        return Err(malformed("it is empty, or lives for no sensible time"));
    }
    Ok(Granted { token: Secret::new(token), lives: Duration::from_secs(answer.expires_in) })
}

/// Google's word for it is told where it is one word; what else it says may name the account.
fn refused(host: &str, status: StatusCode, body: &[u8]) -> Ungranted {
    let word = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.error).unwrap_or_default();
    let word = Some(word).filter(|word| {
        (1..40).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    });
    let (class, mend) = match status.as_u16() {
        400 | 401 => (
            FailureClass::Authentication,
            "; the key is deleted or disabled, its account is, or the clock here is off: make a new key",
        ),
        403 => (
            FailureClass::Permission,
            "; the account may not have tokens: look at its roles and its organisation's policy",
        ),
        429 => (FailureClass::RateLimit, ""),
        500.. => (FailureClass::ServerError, ""),
        300..400 => (FailureClass::Other, "; a redirect is not followed with a key"),
        _ => (FailureClass::Other, ""),
    };
    let word = word.map(|word| format!(" {word}")).unwrap_or_default();
    Ungranted { class, text: format!("{host} gave no token ({}{word}){mend}", status.as_u16()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> (FailureClass, String) {
        let refused = read("oauth2.googleapis.com", StatusCode::from_u16(status).unwrap(), body.as_bytes())
            .err()
            .unwrap();
        (refused.class, refused.text)
    }

    #[test]
    fn a_token_is_read_and_shows_nothing_of_itself() {
        let body =
            br#"{"access_token": "ya29.harbour-0123456789", "expires_in": 3599, "token_type": "Bearer"}"#;
        let granted = read("oauth2.googleapis.com", StatusCode::OK, body).unwrap();
        assert_eq!((granted.token.expose(), granted.lives.as_secs()), ("ya29.harbour-0123456789", 3599));
        assert!(!format!("{:?}", granted.token).contains("harbour"));
    }

    #[test]
    fn a_refusal_has_its_class_and_tells_no_more_than_a_word() {
        let grant = r#"{"error": "invalid_grant", "error_description": "Invalid grant: account crane@harbour not found"}"#;
        let (class, text) = told(400, grant);
        assert_eq!(class, FailureClass::Authentication);
        assert!(
            text.starts_with("oauth2.googleapis.com gave no token (400 invalid_grant); the key is deleted"),
            "{text}"
        );
        assert!(!text.contains("crane"), "{text}");
        for (status, body, class) in [
            (401, "", FailureClass::Authentication),
            (403, "{}", FailureClass::Permission),
            (429, "{}", FailureClass::RateLimit),
            (500, "<html>", FailureClass::ServerError),
            (503, "", FailureClass::ServerError),
            (302, "", FailureClass::Other),
            (404, "", FailureClass::Other),
            (200, "<html>", FailureClass::Malformed),
            (200, r#"{"access_token": "", "expires_in": 3600}"#, FailureClass::Malformed),
            (200, r#"{"access_token": "hush", "expires_in": 0}"#, FailureClass::Malformed),
            (200, r#"{"access_token": "hush", "expires_in": -1}"#, FailureClass::Malformed),
            (200, r#"{"id_token": "hush"}"#, FailureClass::Malformed),
        ] {
            let (is, text) = told(status, body);
            assert_eq!(is, class, "{status} {body}");
            assert!(!text.contains("hush"), "{text}");
        }
        let (_, text) = told(400, r#"{"error": "Bearer hush"}"#);
        assert!(!text.contains("hush"), "{text}");
    }
}
