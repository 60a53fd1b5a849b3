//! Rules that change under load: no call fails, and none is decided by parts of two documents; what is broken changes nothing.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use outrigger_simulator::{Answer as Said, ErrorKind, Rule, Script};
use outrigger_tests::otlp::{Received, Receiver};
use outrigger_tests::sidecar::Sidecar;
use outrigger_tests::{DEADLINE, file};
use serde_json::Value;

use crate::acting::{Answer, App, MODEL, Pod};

const SWAPS: usize = 1000;
/// Apps that call all the time, beside the one that swaps.
const APPS: usize = 4;

/// What a backup says.
const MOVED: &str = "high water at noon";
/// What the records call it.
const RULE: &str = "outrigger.route.rule";
const BACKUP: &str = "outrigger.route.backup";

/// Half of the calls fail where they are addressed, and a backup takes its time: many a call lives in two documents.
fn script() -> Script {
    let failed = Said { error: Some(ErrorKind::ServerError), delay_ms: 15, ..Said::default() };
    let addressed = Rule { model: Some(MODEL.to_owned()), ..Rule::default() };
    let slow = Said { delay_ms: 15, text: Some(MOVED.to_owned()), ..Said::default() };
    Script(vec![
        Rule { every: Some(2), answer: failed, ..addressed.clone() },
        addressed,
        Rule { answer: slow, ..Rule::default() },
    ])
}

/// Every name in it, the backup's provider and whether headers tell of it are those of its number alone.
fn document(number: usize) -> String {
    let place = match number % 3 {
        0 => "provider: anthropic",
        _ => "provider: openai, host: eu.api.openai.com",
    };
    format!(
        "version: 1\nmode: act\nresponseHeaders: {told}\nbackups:\n  \
         place-{number}: {{ {place}, model: model-{number}, credential: {{ file: key }} }}\nrules:\n  \
         - {{ name: rule-{number}, match: {{}}, breaker: {{ opensAt: 100%, consecutive: 100 }}, failover: {{ to: [place-{number}] }} }}\n",
        told = is_told(number),
    )
}

const fn is_told(number: usize) -> bool {
    number.is_multiple_of(2)
}

/// One call as its app saw it.
struct Seen {
    user: String,
    /// The documents that were in force while it went on.
    between: RangeInclusive<usize>,
    answer: Answer,
}

/// How far the swapping has come.
#[derive(Default)]
struct Progress {
    /// The document that is known to be in force.
    in_force: AtomicUsize,
    /// The last one that was put there.
    mounted: AtomicUsize,
    ended: AtomicBool,
}

impl Progress {
    fn call(&self, app: &mut App, user: String) -> Seen {
        let first = self.in_force.load(Ordering::SeqCst);
        let answer = app.call(&user);
        Seen { user, between: first..=self.mounted.load(Ordering::SeqCst), answer }
    }
}

impl Seen {
    fn is_moved(&self) -> bool {
        self.answer.body["choices"][0]["message"]["content"] == MOVED
    }

    /// The document that decided it, by everything that its answer and its record say.
    fn decided_by(&self, record: &std::collections::BTreeMap<String, Value>) -> usize {
        let Seen { user, between, answer } = self;
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        assert_eq!(answer.status, 200, "{user}: {answer:?}");
        let rule = text(RULE).unwrap_or_else(|| panic!("{user}: no rule decided it: {record:?}"));
        let number: usize =
            rule.strip_prefix("rule-").and_then(|it| it.parse().ok()).expect("a rule of ours");
        assert!(between.contains(&number), "{user}: {number} was not in force, {between:?} were");
        let is_moved = self.is_moved();
        let place = format!("place-{number}");
        assert_eq!(text(BACKUP), is_moved.then_some(&*place), "{user}: {record:?}");
        let told = ["provider", "model", "attempts", "call-id"].map(|name| answer.told(name));
        if !is_moved {
            assert_eq!(told, [None; 4], "{user}");
            return number;
        }
        let model = format!("model-{number}");
        // What comes in another format names the model by the app's name.
        let (provider, named) = match number % 3 {
            0 => ("anthropic", MODEL),
            _ => ("openai", &*model),
        };
        assert_eq!(answer.body["model"], named, "{user}");
        let recorded = ["gen_ai.provider.name", "gen_ai.response.model"].map(text);
        assert_eq!(recorded, [Some(provider), Some(&*model)], "{user}");
        let attempts = record["outrigger.route.attempts"].to_string();
        let id = text("outrigger.call.id");
        let expected = [Some(provider), Some(&*model), Some(&*attempts), id];
        assert_eq!(told, if is_told(number) { expected } else { [None; 4] }, "{user}");
        number
    }
}

fn rules(sidecar: &Sidecar) -> Value {
    sidecar.status()["rules"].take()
}

/// Makes calls until the status tells what is wanted of the rules.
fn until(sidecar: &Sidecar, mut call: impl FnMut(), wanted: impl Fn(&Value) -> bool) -> Value {
    let late = std::time::Instant::now() + DEADLINE;
    loop {
        let rules = rules(sidecar);
        if wanted(&rules) {
            return rules;
        }
        assert!(std::time::Instant::now() < late, "{rules}");
        call();
    }
}

/// `LINE:COLUMN: PATH`, of a fault that is told.
fn place(fault: &str) -> String {
    fault.splitn(3, ": ").take(2).collect::<Vec<_>>().join(": ")
}

/// Documents that are broken, each with the faults that are to be told of it.
fn broken() -> Vec<(std::path::PathBuf, Vec<u8>, Vec<String>)> {
    let folder = file("../crates/rules/tests/broken");
    let names = std::fs::read_dir(folder).expect("the corpus of broken documents").flatten();
    let documents =
        names.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == "yaml"));
    let read = |path: &Path| std::fs::read(path).expect("a file of the corpus");
    documents
        .map(|path| {
            let faults = String::from_utf8(read(&path.with_extension("faults"))).expect("a text");
            (path.clone(), read(&path), faults.lines().map(place).collect())
        })
        .collect()
}

#[test]
fn a_thousand_swaps_and_every_broken_document_cost_no_call() {
    let receiver = Receiver::start();
    let mut pod = Pod::new(script());
    pod.mount(document(0).as_bytes());
    let sidecar = pod.start(Some(&receiver.url()), &[]);
    let progress = Progress::default();
    let mut seen = std::thread::scope(|scope| {
        let apps: Vec<_> = (0..APPS)
            .map(|number| {
                let (progress, base_url) = (&progress, sidecar.base_url());
                scope.spawn(move || {
                    let mut app = App::of(base_url);
                    let mut seen = Vec::new();
                    while !progress.ended.load(Ordering::SeqCst) {
                        seen.push(progress.call(&mut app, format!("app-{number}-{}", seen.len())));
                    }
                    seen
                })
            })
            .collect();
        let ended = Ended(&progress);
        let mut own = swaps(&mut pod, &sidecar, &progress);
        own.extend(breaks(&mut pod, &sidecar, &progress));
        drop(ended);
        for app in apps {
            own.extend(app.join().expect("no call of it failed"));
        }
        own
    });
    let _ended = sidecar.end();

    let sidecar = pod.start(Some(&receiver.url()), &[]);
    let kept = rules(&sidecar);
    assert_eq!(
        (&kept["state"], &kept["rules"]),
        (&"kept".into(), &[format!("rule-{SWAPS}")].into()),
        "{kept}"
    );
    let mut app = App::of(sidecar.base_url());
    for number in 0..4 {
        seen.push(progress.call(&mut app, format!("restarted-{number}")));
    }
    let _ended = sidecar.end();
    judge(&seen, &receiver);
}

/// Ends the apps, whatever becomes of the test.
struct Ended<'a>(&'a Progress);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::SeqCst);
    }
}

/// Swaps document for document; each comes into force before the next.
fn swaps(pod: &mut Pod, sidecar: &Sidecar, progress: &Progress) -> Vec<Seen> {
    let mut app = App::of(sidecar.base_url());
    let mut seen = Vec::new();
    for number in 1..=SWAPS {
        progress.mounted.store(number, Ordering::SeqCst);
        pod.mount(document(number).as_bytes());
        let call = || seen.push(progress.call(&mut app, format!("swapping-{}", seen.len())));
        let rules = until(sidecar, call, |rules| rules["accepted"] == number + 1);
        assert_eq!((&rules["state"], &rules["rejected"]), (&"current".into(), &0.into()), "{rules}");
        progress.in_force.store(number, Ordering::SeqCst);
    }
    seen
}

/// Puts each broken document in the place of the last good one, which goes on.
fn breaks(pod: &mut Pod, sidecar: &Sidecar, progress: &Progress) -> Vec<Seen> {
    let mut app = App::of(sidecar.base_url());
    let mut seen = Vec::new();
    let hash = rules(sidecar)["hash"].take();
    let broken = broken();
    assert!(broken.len() >= 50, "{}", broken.len());
    for (number, (path, document, faults)) in broken.iter().enumerate() {
        pod.mount(document);
        let call = || seen.push(progress.call(&mut app, format!("breaking-{}", seen.len())));
        let rules = until(sidecar, call, |rules| rules["rejected"] == number + 1);
        assert_eq!((&rules["state"], &rules["hash"]), (&"kept".into(), &hash), "{path:?}");
        let told = rules["faults"].as_array().into_iter().flatten().filter_map(Value::as_str);
        assert_eq!(told.map(place).collect::<Vec<_>>(), *faults, "{path:?}");
        assert!(
            faults.iter().all(|fault| fault.starts_with(|first: char| ('1'..='9').contains(&first))),
            "{faults:?}"
        );
    }
    seen
}

/// Every call by one document alone, which was in force.
fn judge(seen: &[Seen], receiver: &Receiver) {
    let whole = |received: &Received| received.calls.len() >= seen.len();
    let received = receiver.wait_for(DEADLINE, whole).expect("a record of every call");
    assert_eq!(received.calls.len(), seen.len());
    let records: HashMap<_, _> =
        received.calls.iter().filter_map(|call| Some((call.get("user.id")?.as_str()?, call))).collect();
    let (mut moved, mut straddled, mut kept_the_older) = (0, 0, 0);
    for one in seen {
        let record = records.get(&*one.user).unwrap_or_else(|| panic!("no record of {}", one.user));
        let number = one.decided_by(record);
        let is_moved = one.is_moved();
        moved += usize::from(is_moved);
        if is_moved && one.between.end() > one.between.start() {
            straddled += 1;
            kept_the_older += usize::from(number == *one.between.start());
        }
    }
    println!(
        "{} calls under {SWAPS} swaps: {moved} moved, {straddled} of these while a document came into force, \
         {kept_the_older} by the older one",
        seen.len()
    );
    assert!(moved > SWAPS && kept_the_older > 0, "{moved} moved, {kept_the_older} by the older");
}
