//! Verifies AWS Signature Version 4 from what arrived, so that a test can show that nothing signed was changed on the way.

use http::{HeaderMap, Method, Uri};
use sha2::{Digest, Sha256};

const BLOCK: usize = 64;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 2104, with SHA-256.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

/// Encodes all but the unreserved; a path's slashes stay. What the client has encoded is encoded once more.
fn encoded(text: &str, keep_slash: bool) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            b'/' if keep_slash => "/".to_owned(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// The parts of an `Authorization` header.
struct Signed<'a> {
    id: &'a str,
    scope: &'a str,
    headers: &'a str,
    signature: &'a str,
}

fn signed(authorization: &str) -> Option<Signed<'_>> {
    let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let part =
        |name: &str| rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let (id, scope) = part("Credential")?.split_once('/')?;
    Some(Signed { id, scope, headers: part("SignedHeaders")?, signature: part("Signature")? })
}

/// The access key's id in a signature.
pub(crate) fn access_key(authorization: &str) -> Option<&str> {
    signed(authorization).map(|signed| signed.id)
}

/// Whether a request's signature holds under the secret of its access key. `None` when it has none, or one of a key that
/// is not among `keys` (pairs of id and secret).
pub(crate) fn holds(
    keys: &[(String, String)],
    method: &Method,
    uri: &Uri,
    authority: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<bool> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signed = signed(text("authorization")?)?;
    let (_, secret) = keys.iter().find(|(id, _)| id == signed.id)?;
    let mut query: Vec<&str> =
        uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    let mut canonical = format!("{method}\n{}\n{}\n", encoded(uri.path(), true), query.join("&"));
    for name in signed.headers.split(';') {
        let value = match name {
            "host" => authority.to_owned(),
            name => {
                let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
                let trimmed = values.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "));
                trimmed.collect::<Vec<_>>().join(",")
            }
        };
        canonical.push_str(&format!("{name}:{value}\n"));
    }
    let payload = text("x-amz-content-sha256").map_or_else(|| hex(&Sha256::digest(body)), str::to_owned);
    canonical.push_str(&format!("\n{}\n{payload}", signed.headers));
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{}\n{}",
        text("x-amz-date")?,
        signed.scope,
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let key = signed
        .scope
        .split('/')
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part.as_bytes()).to_vec());
    let body_holds = payload == "UNSIGNED-PAYLOAD" || payload == hex(&Sha256::digest(body));
    Some(body_holds && hex(&hmac(&key, to_sign.as_bytes())) == signed.signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's own example (`get-vanilla` of its test suite).
    fn example(authority: &str, body: &[u8]) -> Option<bool> {
        let keys = [("AKIDEXAMPLE".to_owned(), "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned())];
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-date", "20150830T123600Z".parse().unwrap());
        let signature = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                         SignedHeaders=host;x-amz-date, \
                         Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        headers.insert("authorization", signature.parse().unwrap());
        holds(&keys, &Method::GET, &"/".parse().unwrap(), authority, &headers, body)
    }

    #[test]
    fn the_vendors_example_holds_and_what_was_changed_does_not() {
        assert_eq!(example("example.amazonaws.com", b""), Some(true));
        assert_eq!(example("127.0.0.1:19003", b""), Some(false));
        assert_eq!(example("example.amazonaws.com", b"{}"), Some(false));
    }

    #[test]
    fn the_access_keys_id_is_read_out_of_a_signature() {
        let signed = "AWS4-HMAC-SHA256 Credential=AKIAHARBOUR/20261116/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=ab";
        assert_eq!(access_key(signed), Some("AKIAHARBOUR"));
        assert_eq!(access_key("Bearer abc"), None);
    }

    #[test]
    fn a_request_without_a_signature_is_told_apart() {
        let holds = holds(&[], &Method::GET, &"/".parse().unwrap(), "a", &HeaderMap::new(), b"");
        assert_eq!(holds, None);
    }
}
