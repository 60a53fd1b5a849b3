//! Whether an answer in one piece is well, by a look at its outermost members: it need not wait until all that it tells has been read.
//! Per answer of a call that a rule decides: one pass over the places of its members, no allocation.

use crate::Dialect;
use crate::members::members;

/// Members of a whole answer that may tell a failure, each with its values (as JSON texts) that tell none.
pub type FailureMembers = &'static [(&'static str, &'static [&'static str])];

/// Whether the whole body of a successful answer is one JSON object that tells no failure, by its format's
/// [members that could](crate::Dialect::failure_members). If not, only who reads all of it knows what it means.
#[must_use]
pub fn is_plain_answer(dialect: &dyn Dialect, body: &[u8]) -> bool {
    let Some(tell) = dialect.failure_members() else { return false };
    let mut is_plain = true;
    let end = members(body, |member| {
        let telling = tell.iter().find(|(name, _)| name.as_bytes() == member.key);
        is_plain &= telling.is_none_or(|(_, harmless)| {
            harmless.iter().any(|harmless| *harmless.as_bytes() == body[member.value.clone()])
        });
    });
    is_plain && end.is_some()
}
