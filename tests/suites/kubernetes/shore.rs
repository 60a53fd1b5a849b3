//! A second node, without Outrigger, for tests that bring it themselves or only ask the API server; one test after another.

use std::io::Write as _;
use std::ops::Deref;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use outrigger_tests::node::Node;

/// The one of this process. It ends with it.
static SHORE: LazyLock<Mutex<Node>> = LazyLock::new(|| Mutex::new(Node::start()));

/// What a release and the quickstart bring that is in no namespace, and the namespaces themselves.
const KINDS: [&str; 7] = [
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "validatingadmissionpolicybindings",
    "validatingadmissionpolicies",
    "clusterrolebindings",
    "clusterroles",
    "namespaces",
];

/// The node, for one test. One that fails leaves nothing of Outrigger behind either.
pub(crate) struct Shore(MutexGuard<'static, Node>);

/// The node, as soon as no other test has it.
pub(crate) fn shore() -> Shore {
    Shore(SHORE.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Deref for Shore {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.0
    }
}

impl Drop for Shore {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for left in KINDS.iter().flat_map(|kind| left(self, kind)) {
            if let Err(told) = self.ask(&["delete", &left]) {
                // A second panic would end the process.
                let _unheard = writeln!(std::io::stderr(), "{left} is left behind: {told}");
            }
        }
    }
}

/// What is there of a kind, by names that kubectl takes.
fn left(node: &Node, kind: &str) -> Vec<String> {
    let all = node.ask(&["get", kind, "--output=name"]).unwrap_or_default();
    all.lines().filter(|name| name.contains("outrigger")).map(str::to_owned).collect()
}

/// Of Outrigger nothing is there.
pub(crate) fn nothing_is_left(node: &Node) {
    for kind in KINDS {
        assert_eq!(left(node, kind), [""; 0], "of {kind}");
    }
}
