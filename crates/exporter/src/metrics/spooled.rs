//! The spool in metrics: what it holds, its size, and its limit, so that one that fills up can be told before it is full.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::observed::observed;
use super::{Metric, RECOVERED, SPOOL_BROKEN, SPOOL_BYTES, SPOOL_LIMIT, SPOOLED};
use crate::Signal;
use crate::counts::{Count, Tallies};

/// What a metric is read from; without a spool nothing.
type Read = fn(&Tallies) -> Vec<(u64, Option<KeyValue>)>;

/// Makes the metrics over these counts.
pub(super) fn observe(meter: &Meter, tallies: &Arc<Tallies>) {
    told(meter, &SPOOLED, tallies, |tallies| by_signal(tallies, |count| count.spooled));
    told(meter, &RECOVERED, tallies, |tallies| by_signal(tallies, |count| count.recovered));
    told(meter, &SPOOL_BYTES, tallies, |it| {
        it.spool.status().map(|it| (it.bytes, None)).into_iter().collect()
    });
    told(meter, &SPOOL_LIMIT, tallies, |it| {
        it.spool.status().map(|it| (it.limit, None)).into_iter().collect()
    });
    told(meter, &SPOOL_BROKEN, tallies, |it| {
        it.spool.status().map(|it| (it.broken, None)).into_iter().collect()
    });
}

/// Calls, spans and records; metrics are not spooled.
fn by_signal(tallies: &Tallies, part: fn(&Count) -> u64) -> Vec<(u64, Option<KeyValue>)> {
    let counts = tallies.spool.status().map(|_| tallies.snapshot().each());
    let spooled = counts.into_iter().flatten().filter(|(kind, _)| *kind != Signal::Metrics.as_str());
    spooled.map(|(kind, count)| (part(&count), Some(KeyValue::new("signal", kind)))).collect()
}

fn told(meter: &Meter, row: &Metric, tallies: &Arc<Tallies>, read: Read) {
    let tallies = Arc::clone(tallies);
    observed(meter, row, move |observe| {
        for (value, label) in read(&tallies) {
            observe(value, label.as_slice());
        }
    });
}
