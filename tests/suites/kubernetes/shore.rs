//! A second node, without Outrigger, for tests that bring it themselves or only ask the API server; one test after another.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use outrigger_tests::node::Node;

/// The one of this process. It ends with it.
static SHORE: LazyLock<Mutex<Node>> = LazyLock::new(|| Mutex::new(Node::start()));

/// The node, as soon as no other test has it. Who had it has left nothing of Outrigger behind.
pub(crate) fn shore() -> MutexGuard<'static, Node> {
    SHORE.lock().unwrap_or_else(PoisonError::into_inner)
}
