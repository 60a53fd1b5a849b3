//! A real sidecar with a spool: killed at any moment, its endpoint away, slow, refusing or lying, and not a call is lost that it had
//! acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use outrigger_tests::http::free_address;
use outrigger_tests::otlp::{Mood, Received, Receiver, attributes};
use outrigger_tests::sidecar::Volumes;
use outrigger_tests::spooling::{
    KEY, PROMPT, Pod, acknowledged, balanced, call, count, drained, dropped, records, wait,
};
use outrigger_tests::{DEADLINE, sha256};
use serde_json::Value;

/// The same of spans.
fn spans(received: &Received) -> BTreeMap<String, BTreeSet<Vec<u8>>> {
    let mut spans: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for span in &received.spans {
        if let Some(user) = attributes(&span.attributes).get("user.id").and_then(Value::as_str) {
            spans.entry(user.to_owned()).or_default().insert(span.span_id.clone());
        }
    }
    spans
}

/// Numbers that look like chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn of_now() -> Chance {
        let seed = std::env::var("OUTRIGGER_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.subsec_nanos().into());
        Chance(seed.unwrap_or_else(now))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 += 1;
        let digest = sha256(&self.0.to_le_bytes());
        u64::from_str_radix(&digest[..12], 16).expect("it is hexadecimal") % bound
    }

    fn mood(&mut self) -> Mood {
        let moods =
            [Mood::Takes, Mood::Takes, Mood::Away, Mood::Answers(503), Mood::Silent, Mood::TakesUnsaid];
        moods[self.below(moods.len() as u64) as usize]
    }
}

/// Neither a key nor a prompt is on the disk.
fn keeps_no_secret(directory: &Path) {
    for file in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let bytes = std::fs::read(file.path()).expect("a file of the spool");
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(KEY) && !text.contains(PROMPT), "{}", file.path().display());
    }
}

#[test]
fn twenty_kills_and_outages_lose_nothing_that_was_acknowledged() {
    let mut chance = Chance::of_now();
    println!("OUTRIGGER_TEST_SEED={}", chance.0);
    let receiver = Receiver::start();
    let pod = Pod::towards(&receiver.url(), true);
    let (mut made, mut lost, mut at_risk) = (0, 0, 0);
    let (mut promised, mut risked) = (BTreeSet::new(), BTreeSet::new());
    for life in 0..20 {
        receiver.behave(chance.mood());
        let sidecar = pod.start();
        let mut here = Vec::new();
        if life == 7 {
            // What the endpoint turns down is lost, and counted.
            receiver.behave(Mood::Takes);
            wait(&sidecar, "an empty spool", drained);
            receiver.behave(Mood::Answers(400));
        }
        for _ in 0..=chance.below(3) {
            if life != 7 {
                receiver.behave(chance.mood());
            }
            for _ in 0..=chance.below(6) {
                let user = format!("user-{made}");
                call(&sidecar, &user);
                here.push(user);
                made += 1;
            }
        }
        if life == 7 || chance.below(2) == 0 {
            let all = here.len() as u64;
            let status = wait(&sidecar, "everything acknowledged", |status| acknowledged(status, all));
            balanced(&status);
            lost += dropped(&status, "logs");
            promised.extend(here);
        } else {
            let status = sidecar.status();
            balanced(&status);
            // What was not handed over yet, and what is in memory: so much the kill may cost, not more.
            at_risk +=
                here.len() as u64 - count(&status, "calls", "seen") + count(&status, "logs", "waiting");
            risked.extend(here);
        }
        // The kill comes at any moment, also while the spool is being sent.
        receiver.behave(chance.mood());
        let (moment, arrived) = (Duration::from_millis(chance.below(200)), receiver.received().calls.len());
        let more = arrived + chance.below(8) as usize;
        let _early_or_late = receiver.wait_for(moment, |received| received.calls.len() > more);
        let _killed = sidecar.kill();
        keeps_no_secret(&pod.volumes.spool().join("telemetry"));
    }
    receiver.behave(Mood::Takes);
    let last = pod.start();
    let status = wait(&last, "everything sent", drained);
    balanced(&status);
    let ended = last.end();
    assert!(!ended.errors.contains("left in the spool"), "{}", ended.errors);

    let received = receiver.received();
    let (records, spans) = (records(&received), spans(&received));
    println!(
        "{made} calls: {} records of {}, {} spans of {}, {lost} turned down, {at_risk} at risk",
        received.calls.len(),
        records.len(),
        received.spans.len(),
        spans.len()
    );
    assert_eq!(pod.simulator.received().len(), made);
    assert!(
        records.values().all(|ids| ids.len() == 1) && spans.values().all(|ids| ids.len() == 1),
        "one id each"
    );
    let missing = |arrived: &dyn Fn(&String) -> bool, of: &BTreeSet<String>| {
        of.iter().filter(|user| !arrived(user)).count() as u64
    };
    let (recorded, traced) =
        (|user: &String| records.contains_key(user), |user: &String| spans.contains_key(user));
    assert_eq!(
        missing(&recorded, &promised),
        lost,
        "of what was acknowledged only what was counted is missing"
    );
    assert_eq!(missing(&traced, &promised), lost);
    let gone = missing(&recorded, &risked);
    assert!(gone <= at_risk, "{gone} are missing, {at_risk} were in memory");
    assert_eq!(made as u64, records.len() as u64 + lost + gone);
}

#[test]
fn a_job_that_nobody_collects_is_complete_in_its_spool_or_counted_lost() {
    for spools in [true, false] {
        let receiver = Receiver::start();
        let nobody = format!("http://{}", free_address());
        let mut pod = Pod::towards(&nobody, spools);
        let sidecar = pod.start();
        (0..5).for_each(|number| call(&sidecar, &format!("user-{number}")));
        let ended = sidecar.end();
        assert!(ended.status.success(), "{}", ended.errors);
        if !spools {
            assert!(!ended.errors.contains("left in the spool"), "{}", ended.errors);
            assert!(ended.errors.contains("telemetry is dropped"), "{}", ended.errors);
            continue;
        }
        let left = ended.errors.lines().find(|line| line.contains("left in the spool")).expect("a last word");
        for words in ["calls=5", "records=5", "spans=10"] {
            assert!(left.contains(words), "{words} is not in {left}");
        }
        pod.endpoint = receiver.url();
        let sidecar = pod.start();
        let received =
            receiver.wait_for(DEADLINE, |received| received.calls.len() == 5 && received.spans.len() == 10);
        assert_eq!(records(&received.expect("what the job had left")).len(), 5);
        let ended = sidecar.end();
        assert!(!ended.errors.contains("left in the spool"), "{}", ended.errors);
    }
}

#[test]
fn a_second_process_on_the_same_spool_goes_without_and_says_so() {
    let receiver = Receiver::start();
    let pod = Pod::towards(&receiver.url(), true);
    let first = pod.start();
    call(&first, "first");
    let neighbour = Pod { volumes: Volumes::beside(&pod.volumes), ..Pod::towards(&receiver.url(), true) };
    let second = neighbour.start();
    let status = wait(&second, "a refusal", |status| status["spool"]["fault"].is_string());
    assert!(status["spool"]["fault"].to_string().contains("held by another process"), "{}", status["spool"]);
    call(&second, "second");
    let received = receiver.wait_for(DEADLINE, |received| received.calls.len() == 2);
    assert!(received.is_some(), "both send");
    let errors = second.end().errors;
    assert!(errors.contains("there is no spool") && errors.contains("OUTRIGGER_SPOOL_DIR"), "{errors}");
    assert!(!first.end().errors.contains("there is no spool"));
}
