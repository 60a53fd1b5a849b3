//! AWS's signature (SigV4) over a request that is about to leave. Per call to a backup that is paid by AWS keys.
//!
//! The arithmetic is Amazon's own crate's. It is shown the body's digest, never the body: at the level `trace` it logs what it signs.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, request};
use ring::digest::{SHA256, digest};

use super::Keys;

const UNSIGNABLE: &str = "the request cannot be signed";

/// What a signature is good for.
pub(crate) struct Scope<'a> {
    pub(crate) host: &'a str,
    pub(crate) region: &'a str,
    /// The service's name in signatures: `bedrock`.
    pub(crate) service: &'a str,
}

/// Signs a head with its body, at a time in seconds since 1970. Its path is written as AWS reads it, since the signature covers it.
pub(crate) fn sign(
    keys: &Keys,
    scope: &Scope<'_>,
    at: i64,
    head: &mut request::Parts,
    body: &Bytes,
) -> Result<(), String> {
    encode_path(head);
    let token = keys.token.as_ref().map(|token| token.to_string());
    let identity = Credentials::new(keys.id.as_str(), keys.secret.as_str(), token, None, "mounted").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(UNIX_EPOCH + Duration::from_secs(at.max(0).unsigned_abs()))
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| UNSIGNABLE.to_owned())?
        .into();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // What something on the way may rewrite is not signed.
    let signed = [("host", Some(scope.host)), ("content-type", content_type)];
    let signed = signed.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let uri = format!("https://{}{path}", scope.host);
    let body = SignableBody::Precomputed(hex(digest(&SHA256, body).as_ref()));
    let request =
        SignableRequest::new(head.method.as_str(), uri, signed, body).map_err(|_| UNSIGNABLE.to_owned())?;
    let (instructions, _) =
        aws_sigv4::http_request::sign(request, &params).map_err(|_| UNSIGNABLE.to_owned())?.into_parts();
    for (name, value) in instructions.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| UNSIGNABLE.to_owned())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| UNSIGNABLE.to_owned())?;
        value.set_sensitive(true);
        head.headers.insert(name, value);
    }
    Ok(())
}

/// AWS reads a path, decodes it and encodes all but the unreserved, twice for the signature; so a `:` in a model's id must leave as
/// `%3A` and is signed as `%253A`. What is encoded already stays.
fn encode_path(head: &mut request::Parts) {
    let path = head.uri.path();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/%".contains(&byte);
    if path.bytes().all(plain) {
        return;
    }
    let mut encoded = String::with_capacity(path.len() + 8);
    for byte in path.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    if let Some(query) = head.uri.query() {
        encoded.push('?');
        encoded.push_str(query);
    }
    let mut parts = head.uri.clone().into_parts();
    parts.path_and_query = encoded.parse().ok();
    if let Ok(uri) = http::Uri::from_parts(parts) {
        head.uri = uri;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn keys(token: Option<&str>) -> Keys {
        let held = |text: &str| Zeroizing::new(text.to_owned());
        Keys {
            id: held("AKIDEXAMPLE"),
            secret: held("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            token: token.map(held),
            expires: None,
        }
    }

    /// 2015-08-30T12:36:00Z, as in AWS's own examples.
    const AT: i64 = 1_440_938_160;

    fn signature(
        service: &str,
        token: Option<&str>,
        request: http::request::Builder,
        body: &'static [u8],
    ) -> (String, request::Parts) {
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let host = head.uri.host().unwrap().to_owned();
        let scope = Scope { host: &host, region: "us-east-1", service };
        sign(&keys(token), &scope, AT, &mut head, &Bytes::from_static(body)).unwrap();
        let authorization = head.headers["authorization"].to_str().unwrap();
        (authorization.rsplit_once("Signature=").unwrap().1.to_owned(), head)
    }

    #[test]
    fn the_vendors_own_example_is_signed_as_it_signs_it() {
        // `get-vanilla` of AWS's test suite.
        let (signed, head) =
            signature("service", None, http::Request::get("https://example.amazonaws.com/"), b"");
        assert_eq!(signed, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        assert_eq!(head.headers["x-amz-date"], "20150830T123600Z");
        assert!(head.headers["authorization"].is_sensitive());
    }

    #[test]
    fn requests_to_bedrock_are_signed_as_amazons_own_sdk_signs_them() {
        // Expected: `SigV4Auth` of botocore 1.43.11 at the same time.
        let runtime = "https://bedrock-runtime.us-east-1.amazonaws.com";
        let mantle = "https://bedrock-mantle.us-east-1.api.aws";
        let arn = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Feu.x-v1%3A0";
        let json = |uri: String| http::Request::post(uri).header("content-type", "application/json");
        let body = b"{\"messages\":[]}";
        for path in ["anthropic.claude-sonnet-5-5-v1%3A0", "anthropic.claude-sonnet-5-5-v1:0"] {
            let (signed, head) =
                signature("bedrock", None, json(format!("{runtime}/model/{path}/converse")), body);
            assert_eq!(signed, "1332e894f45aa383f4ffb7ebb22c3abcae75aa4b5b0556429708e8bb3cd2a89c", "{path}");
            assert_eq!(head.uri.path(), "/model/anthropic.claude-sonnet-5-5-v1%3A0/converse");
        }
        let (signed, _) =
            signature("bedrock", None, json(format!("{runtime}/model/{arn}/converse-stream")), b"");
        assert_eq!(signed, "9c4aaaa16da6d3b1bc9b46a1523eb07b8505b2f19505baa1330062965c126589");
        let query = json(format!("{mantle}/v1/responses?b=2&a=1"));
        let (signed, head) = signature("bedrock-mantle", None, query, b"{}");
        assert_eq!(signed, "7b820680f5d29df282e50b9482e08953e846a19b3f96d9ce5e8a6028772a9f39");
        assert_eq!(head.uri.query(), Some("b=2&a=1"));
        let token = "AQoEXAMPLE/token+of/a/while==";
        let (signed, head) = signature(
            "bedrock",
            Some(token),
            json(format!("{runtime}/model/anthropic.claude-sonnet-5-5-v1%3A0/converse")),
            body,
        );
        assert_eq!(signed, "26c51b9343f0e2abb59a832dda4abe5ea3cb0d84982fa790d918b8fc3ed43c19");
        assert_eq!(head.headers["x-amz-security-token"], token);
        assert!(head.headers["x-amz-security-token"].is_sensitive());
    }

    #[test]
    fn only_what_nobody_rewrites_is_signed() {
        let request = http::Request::post("https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse")
            .header("content-type", "application/json")
            .header("user-agent", "app")
            .header("accept-encoding", "gzip");
        let (_, head) = signature("bedrock", None, request, b"{}");
        let authorization = head.headers["authorization"].to_str().unwrap();
        assert!(authorization.contains("SignedHeaders=content-type;host;x-amz-date,"), "{authorization}");
    }
}
