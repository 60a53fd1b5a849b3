//! What handing a call over costs the call's thread: next to no allocation, none at all once the queue is full, and no more when the
//! endpoint hangs than when it takes everything. Times are measured by the bench `recording`.

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use outrigger_exporter::{Exporter, Settings, Signal};
use outrigger_ledger::CallRecord;

use crate::support::calls::{answered, failed, numbered};
use crate::support::receiver::{Answer, Receiver, Speech};

/// More than inbox and lanes hold between them.
const MANY: u64 = 20_000;

fn calls(count: u64) -> Vec<Arc<CallRecord>> {
    let call = |number: u64| numbered(if number.is_multiple_of(3) { failed() } else { answered() }, number);
    (0..count).map(call).collect()
}

fn towards(receiver: &Receiver) -> Exporter {
    let get = |name: &str| (name == "OTEL_EXPORTER_OTLP_PROTOCOL").then(|| "http/protobuf".to_owned());
    let settings = Settings::from_env(Some(&format!("http://{}", receiver.address)), get).unwrap();
    Exporter::start(settings.unwrap()).unwrap()
}

/// What handing these over takes on this thread.
fn handed_over(exporter: &Exporter, calls: &[Arc<CallRecord>]) -> AllocationInfo {
    let recorder = exporter.recorder();
    let mut calls = calls.to_vec();
    measure(|| {
        for call in calls.drain(..) {
            recorder.try_record(call);
        }
    })
}

#[test]
fn a_call_is_handed_over_with_next_to_no_allocation() {
    let receiver = Receiver::start(Speech::Http);
    let exporter = towards(&receiver);
    let calls = calls(2000);
    let took = handed_over(&exporter, &calls);
    // The queue's blocks, of 32 calls each.
    assert!(took.count_total <= 2000 / 32 + 1, "{took:?}");
    let counts = exporter.shutdown(Duration::from_secs(20));
    assert_eq!(counts.calls.seen, counts.calls.exported + counts.calls.dropped.total());
}

#[test]
fn an_endpoint_that_hangs_costs_the_calls_nothing_and_memory_stays_within_its_bound() {
    let receiver = Receiver::start(Speech::Http);
    Signal::ALL.into_iter().for_each(|signal| receiver.always(signal, Answer::Silence));
    let exporter = towards(&receiver);
    let calls = calls(MANY);
    handed_over(&exporter, &calls);
    let full = exporter.counts();
    // What the inbox and the lane for records hold; the spans are of the same calls.
    assert!(full.calls.waiting <= 2 * 4096 + 512, "{full:?}");
    let held = calls.iter().filter(|call| Arc::strong_count(call) > 1).count() as u64;
    assert!(held <= 3 * 4096, "{held} calls are held");

    // From here on every call is one too many.
    let took = handed_over(&exporter, &calls);
    let after = exporter.counts();
    assert!(after.calls.dropped.total() > full.calls.dropped.total(), "{after:?}");
    assert!(took.count_total <= MANY / 32, "{took:?}");
    assert!(took.bytes_max < 1 << 20, "{took:?}");
    let held_after = calls.iter().filter(|call| Arc::strong_count(call) > 1).count() as u64;
    assert!(held_after <= 3 * 4096, "{held_after} calls are held");
    let _counts = exporter.shutdown(Duration::ZERO);
}
