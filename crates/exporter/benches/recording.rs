//! What handing a call over costs the call's thread: to an endpoint that takes everything, to one that hangs, with all queues full, and
//! into nothing, which is what is not the exporter's.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench may end at the first surprise"
)]

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, reason = "they serve other suites as well")]
mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use outrigger_exporter::{Exporter, Settings, Signal};
use outrigger_ledger::{CallRecord, Recorder};
use support::calls::{answered, numbered};
use support::receiver::{Answer, Receiver, Speech};

/// Calls that end together before the thread rests, so that an endpoint that takes them keeps up.
const BURST: u64 = 64;

struct Nowhere;

impl Recorder for Nowhere {
    fn try_record(&self, record: Arc<CallRecord>) {
        drop(black_box(record));
    }
}

/// The time that a recorder takes for calls whose records are there; without the records' making and what is between bursts.
fn time(recorder: &dyn Recorder, calls: u64, between: impl Fn()) -> Duration {
    let mut taken = Duration::ZERO;
    let mut left = calls;
    while left > 0 {
        let burst = left.min(BURST);
        let records: Vec<_> = (0..burst).map(|number| numbered(answered(), number)).collect();
        let begun = Instant::now();
        records.into_iter().for_each(|record| recorder.try_record(record));
        taken += begun.elapsed();
        left -= burst;
        between();
    }
    taken
}

fn recording(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handing a call over");
    group.bench_function("to nobody", |bencher| {
        bencher.iter_custom(|calls| time(&Nowhere, calls, || {}));
    });
    for (name, silent) in [("to an endpoint that takes it", false), ("to an endpoint that hangs", true)] {
        let receiver = Receiver::start(Speech::Http);
        if silent {
            Signal::ALL.into_iter().for_each(|signal| receiver.always(signal, Answer::Silence));
        }
        let get = |name: &str| (name == "OTEL_EXPORTER_OTLP_PROTOCOL").then(|| "http/protobuf".to_owned());
        let settings = Settings::from_env(Some(&format!("http://{}", receiver.address)), get).unwrap();
        let exporter = Exporter::start(settings.unwrap()).unwrap();
        let recorder = exporter.recorder();
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|calls| {
                time(&*recorder, calls, || {
                    while !silent && exporter.counts().calls.waiting > 2048 {
                        std::thread::yield_now();
                    }
                })
            });
        });
        let _counts = exporter.shutdown(Duration::ZERO);
    }
    group.finish();
}

criterion_group!(benches, recording);
criterion_main!(benches);
