//! AWS keys, and the signature that they make.

mod keys;
mod sign;

pub(super) use keys::Keys;
pub(super) use sign::{Scope, sign};
