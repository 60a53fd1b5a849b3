//! Every runtime in a pod: who is observed, who works unobserved, and that nobody loses anything.

mod cells;
mod clients;
mod image;
mod lost;
mod table;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use nix::sys::signal::Signal;
use outrigger_contract::trust_variables::{Container, for_container};
use outrigger_tests::netns::RunningSidecar;

/// Hosts that these clients call beside the built-in ones.
const ADDED_HOSTS: [&str; 2] =
    ["generativelanguage.googleapis.com", "bedrock-runtime.us-east-1.amazonaws.com"];

/// Clients that run at a time; each has a pod of its own.
const WORKERS: usize = 3;

/// Does `act` for every item, a few at a time, each worker with what `prepare` makes for it. Results in the items' order.
fn in_pods<Pod, Item: Sync, Found: Send>(
    items: &[Item],
    prepare: impl Fn() -> Pod + Sync,
    act: impl Fn(&Pod, &Item) -> Found + Sync,
) -> Vec<Found> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(items.len()) {
            scope.spawn(|| {
                let pod = prepare();
                loop {
                    let at = next.fetch_add(1, Relaxed);
                    let Some(item) = items.get(at) else { return };
                    let one = act(&pod, item);
                    found.lock().expect("nobody panics with it").push((at, one));
                }
            });
        }
    });
    let mut found = found.into_inner().expect("nobody panics with it");
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, one)| one).collect()
}

/// The variables that a container gets which has `theirs`.
fn injected(
    sidecar: &RunningSidecar,
    theirs: &BTreeMap<String, String>,
    proven: bool,
) -> Vec<(&'static str, String)> {
    let trust = sidecar.trust().display().to_string();
    let container =
        Container { trust: &trust, proven, java: proven, environment: theirs, merged: &BTreeMap::new() };
    for_container(&container).variables
}

/// What a sidecar counted, told at its end.
struct Counted(String);

impl Counted {
    fn by(sidecar: RunningSidecar) -> Counted {
        sidecar.program.signal(Signal::SIGTERM);
        Counted(sidecar.program.end().errors)
    }

    /// A number of its last line.
    fn number(&self, name: &str) -> u64 {
        let line =
            self.0.lines().find(|line| line.contains("drained")).unwrap_or_else(|| panic!("{}", self.0));
        let Some((_, rest)) = line.split_once(&format!("{name}: ")) else { return 0 };
        rest.split(|letter: char| !letter.is_ascii_digit())
            .next()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    }
}
