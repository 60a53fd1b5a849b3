//! What a provider has that is added by a row alone; the contract's suite holds it, and a wire format that is as new, to all
//! the rest.

use http::{HeaderMap, Method};
use outrigger_providers::Operation;

use crate::cases::newcomers::HARBOUR;

#[test]
fn a_provider_of_a_known_format_takes_one_row() {
    let path = "/v1/chat/completions";
    assert_eq!((HARBOUR.recognise)(&Method::POST, path).operation, Operation::Chat);
    assert_eq!((HARBOUR.addressed)("api.harbour.example", path), outrigger_providers::Addressed::default());
    let headers: HeaderMap =
        [(http::header::AUTHORIZATION, "Bearer abc".parse().unwrap())].into_iter().collect();
    assert_eq!(HARBOUR.credential(&headers, None).map(|found| found.secret), Some("abc"));
}
