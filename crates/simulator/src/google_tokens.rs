//! Google's token endpoint: checks what a service account signs (RFC 7515, RFC 7523), and gives tokens for it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::HeaderName;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::answer::whole;
use crate::body::Sent;
use crate::script::Asked;
use crate::server::Shared;

/// Where Google gives tokens.
pub(crate) const HOST: &str = "oauth2.googleapis.com";
/// Its word in scripts.
const NAME: &str = "google_tokens";
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// Seconds that an assertion may hold.
const LONGEST: i64 = 3600;
/// Seconds that a clock may be off.
const OFF: i64 = 300;

/// The accounts that are known, and the tokens given so far.
#[derive(Default)]
pub(crate) struct Desk {
    accounts: Vec<Account>,
    given: Mutex<Vec<String>>,
}

struct Account {
    email: String,
    key_id: String,
    public: Vec<u8>,
}

impl Desk {
    /// Of the keys as Google gives them out.
    pub(crate) fn new(keys: &[String]) -> Desk {
        Desk { accounts: keys.iter().filter_map(|key| Account::read(key)).collect(), given: Mutex::default() }
    }

    /// Whether a token was given here.
    pub(crate) fn gave(&self, token: &str) -> bool {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|given| given == token)
    }

    fn give(&self) -> String {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let token = format!("ya29.harbour-0123456789-{}", given.len());
        given.push(token.clone());
        token
    }

    /// What is wrong with a form; nothing where it asks as it must.
    fn refusal(&self, form: &str, now: i64) -> Option<&'static str> {
        let value = |name: &str| {
            form.split('&')
                .find_map(|pair| pair.split_once('=').filter(|(is, _)| *is == name))
                .map(|(_, value)| value)
        };
        if value("grant_type") != Some("urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer") {
            return Some("unsupported_grant_type");
        }
        let holds = value("assertion").is_some_and(|assertion| self.holds(assertion, now).is_some());
        (!holds).then_some("invalid_grant")
    }

    fn holds(&self, assertion: &str, now: i64) -> Option<()> {
        let (signed, signature) = assertion.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let (header, claims) = (read(header)?, read(claims)?);
        let account = self.accounts.iter().find(|account| claims["iss"] == *account.email)?;
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &account.public);
        public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        let (issued, ends) = (claims["iat"].as_i64()?, claims["exp"].as_i64()?);
        let right = header["alg"] == "RS256"
            && header["kid"] == *account.key_id
            && claims["aud"] == AUDIENCE
            && claims["scope"].as_str().is_some_and(|scope| !scope.is_empty())
            && (1..=LONGEST).contains(&(ends - issued))
            && issued <= now + OFF
            && ends > now - OFF;
        right.then_some(())
    }
}

impl Account {
    fn read(key: &str) -> Option<Account> {
        let json: Value = serde_json::from_str(key).ok()?;
        let pem: String =
            json["private_key"].as_str()?.lines().filter(|line| !line.starts_with('-')).collect();
        let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(pem).ok()?).ok()?;
        Some(Account {
            email: json["client_email"].as_str()?.to_owned(),
            key_id: json["private_key_id"].as_str()?.to_owned(),
            public: pair.public().as_ref().to_vec(),
        })
    }
}

/// Answers a request for a token, unless the script has another answer.
pub(crate) async fn respond(shared: &Shared, at: usize, request: Request<Incoming>) -> Response<Sent> {
    let path = request.uri().path().to_owned();
    let asked = Asked { provider: NAME, path: &path, model: "", stream: false, handshake: false };
    let answer = shared.answer(&asked);
    let form = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    shared.log.change(at, |received| received.body = form.to_vec());
    tokio::time::sleep(Duration::from_millis(answer.delay_ms)).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let refusal =
        shared.desk.refusal(&String::from_utf8_lossy(&form), i64::try_from(now).unwrap_or(i64::MAX));
    let (status, body) = match (&answer.raw_body, path.as_str(), refusal) {
        (Some(raw), ..) => (200, raw.clone()),
        (None, "/token", None) => {
            let token =
                json!({"access_token": shared.desk.give(), "expires_in": 3599, "token_type": "Bearer"});
            (200, token.to_string())
        }
        (None, "/token", Some(word)) => {
            (400, json!({"error": word, "error_description": "Invalid JWT Signature."}).to_string())
        }
        (None, ..) => (404, "{}".to_owned()),
    };
    let status = answer.status.unwrap_or(status);
    let mut response = whole(shared, at, status, "application/json", body.into_bytes(), false);
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
