//! A second node, without Outrigger, for tests that bring it themselves or only ask the API server; one test after another.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use outrigger_tests::node::Node;

/// The one of this process. It ends with it.
static SHORE: LazyLock<Mutex<Node>> = LazyLock::new(|| Mutex::new(Node::start()));

/// The node, as soon as no other test has it. Who had it has left nothing of Outrigger behind.
pub(crate) fn shore() -> MutexGuard<'static, Node> {
    SHORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Of Outrigger nothing is there.
pub(crate) fn nothing_is_left(node: &Node) {
    for kind in ["namespaces", "clusterroles", "clusterrolebindings", "mutatingwebhookconfigurations"] {
        let left = node.kubectl(&["get", kind, "--output=name"]);
        assert!(!left.contains("outrigger"), "{left}");
    }
}
