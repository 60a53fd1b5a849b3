//! Takes the app's own credentials out of a request that goes to another host. Per call that moves.

use http::request;
use http::uri::PathAndQuery;
use outrigger_providers::account;

/// Takes out every header and parameter that proves or names the app's account.
pub(super) fn strip(head: &mut request::Parts) {
    let of_account = |name: &&http::HeaderName| account::is_account_header(name.as_str());
    let names: Vec<_> = head.headers.keys().filter(of_account).cloned().collect();
    for name in names {
        head.headers.remove(name);
    }
    let path = head.uri.path_and_query().map(PathAndQuery::as_str);
    let Some(kept) = path.and_then(account::without_account_parameters) else { return };
    let mut parts = head.uri.clone().into_parts();
    // A part of what was one is one.
    parts.path_and_query = PathAndQuery::try_from(kept).ok();
    head.uri = http::Uri::from_parts(parts).unwrap_or_default();
}
