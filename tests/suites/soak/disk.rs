//! The spool on a real disk that is full: calls go on, what was acknowledged survives a kill, what was not is counted.

use std::time::{Duration, Instant};

use outrigger_tests::DEADLINE;
use outrigger_tests::otlp::{Mood, Receiver};
use outrigger_tests::sidecar::Volumes;
use outrigger_tests::spooling::{Pod, balanced, call, count, drained, records, wait};

/// Room for some dozens of calls.
const DISK: u32 = 256 * 1024;
/// More calls than that.
const CALLS: u64 = 200;
/// So many of them fit for certain.
const FIRST: u64 = 20;

#[test]
fn a_full_disk_costs_no_call_and_nothing_that_was_acknowledged() {
    let receiver = Receiver::start();
    // A cap beyond the disk, which others may have filled: by itself the spool would stop at half of it.
    let pod = Pod {
        volumes: Volumes::with_small_spool(DISK),
        variables: vec![("OUTRIGGER_SPOOL_BYTES", "1048576")],
        ..Pod::towards(&receiver.url(), true)
    };
    for life in 0..2 {
        receiver.behave(Mood::Away);
        let sidecar = pod.start();
        let mut slowest = Duration::ZERO;
        for number in 0..CALLS {
            let begun = Instant::now();
            call(&sidecar, &format!("user-{life}-{number}"));
            slowest = slowest.max(begun.elapsed());
            if number == FIRST {
                // All of them at once would not fit, and would stay in memory.
                wait(&sidecar, "something on the disk", |status| count(status, "logs", "spooled") > 10);
            }
        }
        let said = sidecar.error_line(DEADLINE, |line| line.contains("the spool does not take telemetry"));
        assert!(
            said.is_some_and(|line| line.contains("No space left")),
            "the disk is full, and that is said"
        );
        let status = wait(&sidecar, "every call seen", |status| count(status, "calls", "seen") == CALLS);
        balanced(&status);
        let (spooled, waiting) = (count(&status, "logs", "spooled"), count(&status, "logs", "waiting"));
        assert!(spooled > 10 && waiting > 10, "{spooled} on disk, {waiting} in memory");
        assert!(slowest < Duration::from_secs(2), "a call took {slowest:?}");
        let before = records(&receiver.received()).len() as u64;
        let _killed = sidecar.kill();

        receiver.behave(Mood::Takes);
        let next = pod.start();
        let status = wait(&next, "everything sent", drained);
        balanced(&status);
        let recovered = count(&status, "logs", "recovered");
        // A write that had not been acknowledged when the status was told may have been by the kill.
        assert!(recovered >= spooled, "{recovered} of {spooled}");
        let arrived = records(&receiver.received()).len() as u64 - before;
        assert_eq!(arrived, recovered, "every one of them, and each once");
        let _ended = next.end();
    }
}
