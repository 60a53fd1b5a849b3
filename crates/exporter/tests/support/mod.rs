//! What the tests over real sockets share.

pub(crate) mod calls;
pub(crate) mod certificates;
pub(crate) mod receiver;
pub(crate) mod said;
