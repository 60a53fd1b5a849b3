//! The headers that concern one hop only, both ways. Per request.

use http::HeaderMap;
use http::header::{
    CONNECTION, EXPECT, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};

const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
    UPGRADE,
    TRAILER,
];

/// Learned from us, an HTTP/3 address would lead the app around us.
const ALT_SVC: HeaderName = HeaderName::from_static("alt-svc");

/// Removes from a request what is not the provider's: hop-by-hop headers and those of our own namespace.
pub(crate) fn clean_request(headers: &mut HeaderMap) {
    // Nothing but trailers may be announced by a proxy.
    let other_te = headers.get(TE).is_some_and(|value| value != "trailers");
    let named = named_in_connection(headers);
    retain(headers, |name| {
        !(HOP_BY_HOP.contains(name)
            || named.contains(name)
            // Answered here: hyper tells the app to go on as soon as the body is wanted.
            || *name == EXPECT
            || (other_te && *name == TE)
            || name.as_str().starts_with(outrigger_contract::headers::PREFIX))
    });
}

/// Removes from a response what is not the app's.
pub(crate) fn clean_response(headers: &mut HeaderMap) {
    let named = named_in_connection(headers);
    retain(headers, |name| !(HOP_BY_HOP.contains(name) || named.contains(name) || *name == ALT_SVC));
}

fn named_in_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect()
}

/// Keeps the order of what stays: front ends tell clients apart by it, and removing one by one would change it.
fn retain(headers: &mut HeaderMap, keep: impl Fn(&HeaderName) -> bool) {
    if headers.keys().all(&keep) {
        return;
    }
    let mut kept = HeaderMap::with_capacity(headers.len());
    for name in headers.keys().filter(|name| keep(name)) {
        for value in headers.get_all(name) {
            kept.append(name, value.clone());
        }
    }
    *headers = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn one_hop_headers_and_ours_stay_here() {
        let mut headers = map(&[
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "5"),
            ("te", "gzip"),
            ("expect", "100-continue"),
            ("x-outrigger-step", "plan"),
            ("authorization", "Bearer k"),
            ("anthropic-beta", "a"),
        ]);
        clean_request(&mut headers);
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["authorization", "anthropic-beta"]);
    }

    #[test]
    fn trailers_stay_announced_and_alt_svc_goes() {
        let mut headers = map(&[("te", "trailers")]);
        clean_request(&mut headers);
        assert!(headers.contains_key(TE));
        let mut headers = map(&[("alt-svc", "h3=\":443\""), ("content-type", "text/html")]);
        clean_response(&mut headers);
        assert_eq!(headers, map(&[("content-type", "text/html")]));
    }
}
