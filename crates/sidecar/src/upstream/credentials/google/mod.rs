//! Google's service accounts: a key that signs, and the tokens that are had for its signature.

mod account;
mod grant;
mod tokens;

pub(super) use account::Account;
pub(super) use grant::{TokenClient, Ungranted};
pub(super) use tokens::Tokens;

#[cfg(test)]
pub(super) use account::tests::file as test_file;
