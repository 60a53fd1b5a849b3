//! Documents that come, change, break and go, and a restart in between.

use std::collections::HashMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// For any change to be noticed: far longer than it takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// A sidecar's rules, where ConfigMap and private directory lie in one folder.
struct Pod {
    folder: TempDir,
}

impl Pod {
    fn new() -> Pod {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        Pod { folder }
    }

    fn rules(&self) -> PathBuf {
        self.folder.path().join("rules")
    }

    fn write(&self, document: &[u8]) {
        std::fs::write(self.rules().join(DOCUMENT), document).unwrap();
    }

    /// As kubelet does: a new folder, and one rename of the link to it.
    fn mount(&self, number: usize, document: &str) {
        let rules = self.rules();
        let data = rules.join(format!("..{number}"));
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join(DOCUMENT), document).unwrap();
        symlink(format!("..{number}"), rules.join("..data_tmp")).unwrap();
        std::fs::rename(rules.join("..data_tmp"), rules.join("..data")).unwrap();
        if number == 0 {
            symlink("..data/rules.yaml", rules.join(DOCUMENT)).unwrap();
        } else {
            std::fs::remove_dir_all(rules.join(format!("..{}", number - 1))).unwrap();
        }
    }

    fn start(&self) -> Arc<Policies> {
        self.start_at(self.rules())
    }

    fn start_at(&self, path: PathBuf) -> Arc<Policies> {
        let source = Source {
            path,
            private: Some(self.folder.path().join("private")),
            allowed_providers: None,
            in_cluster: true,
            payable: Box::new(|target| Err(format!("{} has no key", target.name))),
        };
        Policies::open(Some(source), Arc::new(PriceBook::builtin().clone()))
    }

    fn kept(&self) -> PathBuf {
        self.folder.path().join("private/rules.last-good")
    }
}

fn document(number: usize) -> String {
    let rules: String =
        (0..number % 7).map(|at| format!("  - {{ name: rule-{number}-{at}, match: {{}} }}\n")).collect();
    format!(
        "version: 1\nmode: observe\nrules:\n  - {{ name: first-{number}, match: {{ model: m }} }}\n{rules}"
    )
}

fn told(policies: &Policies) -> (String, String, u64, u64) {
    let status = policies.status().unwrap();
    (status.state, status.mode, status.accepted, status.rejected)
}

/// Waits for a state, as it is told whenever the file was looked at.
fn until(policies: &Policies, holds: impl Fn(&Policy, &Told) -> bool) {
    let told = policies.told();
    let (_told, ended) = policies
        .heard
        .wait_timeout_while(told, DEADLINE, |told| !holds(&policies.current.load(), told))
        .unwrap();
    assert!(!ended.timed_out());
}

const ACT: &str = "version: 1\nmode: act\nrules:\n  - { name: all, match: {}, deadlines: { total: 9s } }\n";

#[test]
fn without_a_document_calls_are_watched_and_nothing_else() {
    let none = Policies::open(None, Arc::new(PriceBook::builtin().clone()));
    assert_eq!((none.mode(), none.status()), (Mode::Observe, None));
    assert!(none.watch().is_none());
    let pod = Pod::new();
    let policies = pod.start();
    assert_eq!(told(&policies), ("none".to_owned(), "observe".to_owned(), 0, 0));
    assert!(policies.status().unwrap().faults.is_empty());
}

#[test]
fn a_document_holds_and_is_kept_and_one_that_is_taken_away_holds_no_more() {
    let pod = Pod::new();
    pod.write(ACT.as_bytes());
    let policies = pod.start();
    assert_eq!(told(&policies), ("current".to_owned(), "act".to_owned(), 1, 0));
    policies.reload();
    assert_eq!(told(&policies).2, 1, "what it held before is no news");
    std::fs::remove_file(pod.rules().join(DOCUMENT)).unwrap();
    policies.reload();
    assert_eq!(told(&policies), ("none".to_owned(), "observe".to_owned(), 1, 0));
    assert!(!pod.kept().exists(), "a restart would bring it back");
}

#[test]
fn a_refused_document_keeps_the_last_good_one_over_a_restart_too() {
    let pod = Pod::new();
    pod.write(ACT.as_bytes());
    drop(pod.start());
    let policies = pod.start();
    let hash = policies.current.load().hash.clone();
    pod.write(b"version: 1\nmode: act\nrule: []\n");
    policies.reload();
    policies.reload();
    assert_eq!(told(&policies), ("kept".to_owned(), "act".to_owned(), 1, 1));
    let fault = &policies.status().unwrap().faults[0];
    assert_eq!(fault, "3:1: rule: there is no key `rule` here; did you mean `rules`?");

    let restarted = pod.start();
    assert_eq!(told(&restarted), ("kept".to_owned(), "act".to_owned(), 0, 1));
    assert_eq!(restarted.current.load().hash, hash);
    // A mount that fails is no document that was taken away.
    std::fs::rename(pod.rules(), pod.folder.path().join("elsewhere")).unwrap();
    for path in [pod.rules(), pod.rules().join(DOCUMENT)] {
        assert_eq!(told(&pod.start_at(path)), ("kept".to_owned(), "act".to_owned(), 0, 1));
    }
    std::fs::rename(pod.folder.path().join("elsewhere"), pod.rules()).unwrap();

    pod.write(document(1).as_bytes());
    restarted.reload();
    assert_eq!(told(&restarted), ("current".to_owned(), "observe".to_owned(), 1, 1));
    assert!(restarted.status().unwrap().faults.is_empty());
}

#[test]
fn what_was_kept_and_is_damaged_holds_no_more() {
    let pod = Pod::new();
    pod.write(ACT.as_bytes());
    drop(pod.start());
    pod.write(b"- broken");
    let whole = std::fs::read(pod.kept()).unwrap();
    for at in [0, 40, 64, 66, whole.len() - 2] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(pod.kept(), &damaged).unwrap();
        assert_eq!(told(&pod.start()), ("none".to_owned(), "observe".to_owned(), 0, 1), "at {at}");
    }
    std::fs::write(pod.kept(), &whole[..whole.len() - 3]).unwrap();
    assert_eq!(told(&pod.start()).0, "none");
    std::fs::write(pod.kept(), &whole).unwrap();
    assert_eq!(told(&pod.start()).0, "kept");
}

#[test]
fn every_broken_document_keeps_the_last_good_one_and_is_told_with_line_and_mend() {
    let pod = Pod::new();
    pod.write(ACT.as_bytes());
    let policies = pod.start();
    let hash = policies.current.load().hash.clone();
    let broken = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/tests/broken");
    let mut count = 0;
    for entry in std::fs::read_dir(broken).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        pod.write(&std::fs::read(&path).unwrap());
        policies.reload();
        count += 1;
        assert_eq!(told(&policies), ("kept".to_owned(), "act".to_owned(), 1, count), "{path:?}");
        assert_eq!(policies.current.load().hash, hash);
        for fault in policies.status().unwrap().faults {
            let mut parts = fault.split(':');
            assert!(parts.next().unwrap().parse::<u32>().is_ok_and(|line| line > 0), "{fault}");
            assert!(parts.next().unwrap().parse::<u32>().is_ok_and(|column| column > 0), "{fault}");
            assert!(fault.contains("; "), "{fault}");
        }
    }
    assert!(count >= 50, "{count}");
}

#[test]
fn a_thousand_swaps_are_each_whole_to_whoever_looks() {
    const SWAPS: usize = 1000;
    let pod = Pod::new();
    pod.mount(0, &document(0));
    let policies = pod.start();
    let ended = AtomicBool::new(false);
    let looks = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut hashes: HashMap<Arc<str>, String> = HashMap::new();
                    let mut looks = 0u64;
                    while !ended.load(Ordering::Acquire) {
                        let policy = policies.current.load_full();
                        let number = policy.rules[0].name.strip_prefix("first-").unwrap().to_owned();
                        let count = 1 + number.parse::<usize>().unwrap() % 7;
                        assert_eq!(policy.rules.len(), count);
                        assert!(
                            policy
                                .rules
                                .iter()
                                .skip(1)
                                .all(|rule| rule.name.starts_with(&format!("rule-{number}-")))
                        );
                        let known = hashes.entry(Arc::clone(&policy.hash)).or_insert_with(|| number.clone());
                        assert_eq!(*known, number, "one document, one hash");
                        looks += 1;
                    }
                    looks
                })
            })
            .collect();
        for number in 1..=SWAPS {
            pod.mount(number, &document(number));
            policies.reload();
            assert_eq!(&*policies.current.load().rules[0].name, format!("first-{number}"));
        }
        ended.store(true, Ordering::Release);
        readers.into_iter().map(|reader| reader.join().unwrap()).sum::<u64>()
    });
    assert!(looks > 0);
    assert_eq!(told(&policies).2, SWAPS as u64 + 1);
}

#[test]
fn a_swap_of_kubelets_links_is_noticed_and_a_burst_is_one_change() {
    let pod = Pod::new();
    pod.mount(0, &document(0));
    let policies = pod.start();
    let watching = policies.watch();
    assert!(watching.is_some());
    for number in 1..50 {
        pod.mount(number, &document(number));
    }
    until(&policies, |policy, _| &*policy.rules[0].name == "first-49");
    assert!(told(&policies).2 < 50, "{:?}", told(&policies));
    pod.mount(50, "version: 1\nmode: nothing\n");
    until(&policies, |_, told| told.rejected == 1);
    assert_eq!(&*policies.current.load().rules[0].name, "first-49");
    pod.mount(51, ACT);
    until(&policies, |policy, _| policy.mode == Mode::Act);
    drop(watching);
}

#[test]
fn a_file_that_an_editor_replaces_is_noticed() {
    let pod = Pod::new();
    let file = pod.rules().join("mine.yaml");
    std::fs::write(&file, document(1)).unwrap();
    let policies = pod.start_at(file.clone());
    let _watching = policies.watch();
    std::fs::write(pod.rules().join(".mine.yaml.swp"), ACT).unwrap();
    std::fs::rename(pod.rules().join(".mine.yaml.swp"), &file).unwrap();
    until(&policies, |policy, _| policy.mode == Mode::Act);
    std::fs::write(&file, document(2)).unwrap();
    until(&policies, |policy, _| policy.mode == Mode::Observe);
}

#[test]
fn a_folder_that_is_mounted_late_is_noticed() {
    let pod = Pod::new();
    std::fs::remove_dir(pod.rules()).unwrap();
    let policies = pod.start();
    assert_eq!(told(&policies), ("none".to_owned(), "observe".to_owned(), 0, 1));
    let _watching = policies.watch();
    std::fs::create_dir(pod.rules()).unwrap();
    pod.mount(0, ACT);
    until(&policies, |policy, told| policy.mode == Mode::Act && told.state == State::Current);
}

#[test]
fn the_ceiling_and_the_cluster_hold() {
    let pod = Pod::new();
    let text = "version: 1\nbackups:\n  a: { provider: openai, credential: { file: key } }\nrules:\n  - { name: a, match: {}, failover: { to: [a] } }\n";
    pod.write(text.as_bytes());
    let policies = pod.start();
    assert_eq!(told(&policies).0, "current");
    assert_eq!(policies.status().unwrap().unpaid, ["a has no key"], "said before a call has to move");
    pod.write(text.replace("file: key", "env: KEY").as_bytes());
    let policies = pod.start();
    assert!(policies.status().unwrap().faults[0].contains("in a cluster credentials come from files only"));
    let source = Source {
        path: pod.rules(),
        private: None,
        allowed_providers: Some(vec!["anthropic".to_owned()]),
        in_cluster: false,
        payable: Box::new(|_| Ok(())),
    };
    let policies = Policies::open(Some(source), Arc::new(PriceBook::builtin().clone()));
    assert!(
        policies.status().unwrap().faults[0]
            .contains("openai is not among the allowed providers (anthropic)")
    );
}
