//! Metrics whose numbers stand elsewhere, and are read when they are collected.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::{Kind, Metric};

/// Takes one number with its labels.
pub(super) type Observe<'a> = &'a dyn Fn(u64, &[KeyValue]);

/// Makes the metric of a row; `read` tells its numbers each time they are asked for.
pub(super) fn observed(meter: &Meter, row: &Metric, read: impl Fn(Observe<'_>) + Send + Sync + 'static) {
    match row.kind {
        Kind::Gauge => {
            let _registered = meter
                .u64_observable_gauge(row.name)
                .with_unit(row.unit)
                .with_description(row.help)
                .with_callback(move |observer| read(&|value, labels| observer.observe(value, labels)))
                .build();
        }
        Kind::Counter | Kind::Histogram(_) => {
            let _registered = meter
                .u64_observable_counter(row.name)
                .with_unit(row.unit)
                .with_description(row.help)
                .with_callback(move |observer| read(&|value, labels| observer.observe(value, labels)))
                .build();
        }
    }
}
