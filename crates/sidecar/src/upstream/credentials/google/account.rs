//! The key of a service account, and the assertion that it signs (RFC 7523). Once per token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use http::uri::Scheme;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use zeroize::Zeroizing;

/// What the tokens are good for: all that the account may do. Its roles are the place to say less.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Seconds that an assertion holds, the most that is taken.
const HOLDS: i64 = 3600;
/// The only hosts that a key's own word may send an assertion to.
const DOMAIN: &str = "googleapis.com";
const MEND: &str = "take the JSON that is downloaded when a key is added to a service account";

/// The key of a service account.
pub(crate) struct Account {
    email: String,
    key_id: Option<String>,
    key: RsaKeyPair,
    /// Where tokens are had, and to whom the assertion is made out.
    token_uri: Uri,
}

/// The file as it is downloaded. What else stands in it does not matter.
#[derive(Deserialize)]
struct File {
    r#type: String,
    client_email: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<String>,
    token_uri: Option<String>,
}

impl Account {
    /// Reads it. An error never repeats what stands there, but for the kind and the host.
    pub(crate) fn read(text: &str) -> Result<Account, String> {
        let file: File = serde_json::from_str(text).map_err(|error| {
            format!(
                "it is not the JSON of a service account (line {}, column {}); {MEND}",
                error.line(),
                error.column()
            )
        })?;
        if file.r#type != "service_account" {
            return Err(format!("it is of another type than `service_account`; {MEND}"));
        }
        let missing = |what: &str| format!("it has no `{what}`; {MEND}");
        let email = file.client_email.ok_or_else(|| missing("client_email"))?;
        let pem = file.private_key.map(Zeroizing::new).ok_or_else(|| missing("private_key"))?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).ok();
        let key = key.and_then(|key| RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok());
        let key = key.ok_or_else(|| format!("its `private_key` is no RSA key in PKCS #8; {MEND}"))?;
        let token_uri = token_uri(&file.token_uri.ok_or_else(|| missing("token_uri"))?)?;
        Ok(Account { email, key_id: file.private_key_id, key, token_uri })
    }

    /// Where tokens are had.
    pub(super) const fn token_uri(&self) -> &Uri {
        &self.token_uri
    }

    /// Claims the account for an hour from now on (seconds since 1970).
    pub(super) fn assertion(&self, now: i64) -> Option<Zeroizing<String>> {
        let coded = |part: serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let mut header = serde_json::json!({"alg": "RS256", "typ": "JWT"});
        if let Some(id) = &self.key_id {
            header["kid"] = id.as_str().into();
        }
        let claims = serde_json::json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri.to_string(),
            "iat": now,
            "exp": now.saturating_add(HOLDS),
        });
        let mut assertion = Zeroizing::new(format!("{}.{}", coded(header), coded(claims)));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), assertion.as_bytes(), &mut signature).ok()?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        assertion.reserve_exact(signature.len() + 1);
        assertion.push('.');
        assertion.push_str(&signature);
        Some(assertion)
    }
}

/// The file says where its assertion is to be sent; whoever can change the file could send it anywhere.
fn token_uri(text: &str) -> Result<Uri, String> {
    let wrong = |why: &str| {
        format!(
            "its `token_uri` {why}; it must be an https address of {DOMAIN}, so take the file as it was downloaded"
        )
    };
    let uri: Uri = text.parse().map_err(|_| wrong("is no address"))?;
    let authority = uri.authority().ok_or_else(|| wrong("is no address"))?;
    let host = authority.host();
    if uri.scheme() != Some(&Scheme::HTTPS) {
        return Err(wrong("is not https"));
    }
    // Neither a port nor a user's name stands before or behind the host.
    if authority.as_str() != host || !(host == DOMAIN || outrigger_providers::services::is_in(host, DOMAIN)) {
        return Err(wrong("leads elsewhere"));
    }
    Ok(uri)
}

#[cfg(test)]
pub(crate) mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    /// A key made for these tests; it opens nothing.
    const KEY: &str = include_str!("../../../../tests/fixtures/service-account-key.pem");

    pub(crate) fn file(token_uri: &str) -> String {
        serde_json::json!({
            "type": "service_account",
            "project_id": "harbour",
            "private_key_id": "kid-1",
            "private_key": KEY,
            "client_email": "crane@harbour.iam.gserviceaccount.com",
            "client_id": "1",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": token_uri,
            "universe_domain": "googleapis.com",
        })
        .to_string()
    }

    #[test]
    fn an_assertion_says_who_what_and_how_long_and_its_signature_holds() {
        let account = Account::read(&file("https://oauth2.googleapis.com/token")).unwrap();
        let assertion = account.assertion(1_794_830_400).unwrap();
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, account.key.public().as_ref());
        public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let parts: Vec<serde_json::Value> = signed
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"}));
        let claims = serde_json::json!({
            "iss": "crane@harbour.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": "https://oauth2.googleapis.com/token",
            "iat": 1_794_830_400,
            "exp": 1_794_834_000,
        });
        assert_eq!(parts[1], claims);
    }

    #[test]
    fn an_assertion_is_sent_to_google_only_and_over_tls_only() {
        for own in ["https://oauth2.googleapis.com/token", "https://googleapis.com/oauth2/v4/token"] {
            assert!(Account::read(&file(own)).is_ok(), "{own}");
        }
        for (elsewhere, why) in [
            ("http://oauth2.googleapis.com/token", "is not https"),
            ("https://oauth2.googleapis.com.harbour.example/token", "leads elsewhere"),
            ("https://evilgoogleapis.com/token", "leads elsewhere"),
            ("https://oauth2.googleapis.com@harbour.example/token", "leads elsewhere"),
            ("https://oauth2.googleapis.com:8443/token", "leads elsewhere"),
            ("https://127.0.0.1/token", "leads elsewhere"),
            ("/token", "is no address"),
            ("", "is no address"),
        ] {
            let error = Account::read(&file(elsewhere)).err().unwrap();
            assert!(error.starts_with(&format!("its `token_uri` {why}")), "{elsewhere}: {error}");
        }
    }

    #[test]
    fn what_is_no_service_account_is_said_without_repeating_it() {
        for (text, why) in [
            ("hushhush", "it is not the JSON of a service account (line 1, column 1)"),
            (
                r#"{"type": "external_account", "audience": "hushhush"}"#,
                "it is of another type than `service_account`",
            ),
            (r#"{"type": "service_account", "private_key": "hushhush"}"#, "it has no `client_email`"),
            (r#"{"type": "service_account", "client_email": "hushhush"}"#, "it has no `private_key`"),
            (
                r#"{"type": "service_account", "client_email": "a", "private_key": "hushhush"}"#,
                "its `private_key` is no RSA key",
            ),
        ] {
            let error = Account::read(text).err().unwrap();
            assert!(error.starts_with(why) && error.contains(MEND), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
