//! What the program tells of itself in metrics: which rules it follows, how long its authority lives. Set when it changes,
//! read at each collection.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::{BUILD, CA_EXPIRY, CONFIG_REJECTED, Metric, RULES};

/// Facts of this process for its metrics; shared by its clones.
#[derive(Debug, Clone, Default)]
pub struct About(Arc<Facts>);

#[derive(Debug, Default)]
struct Facts {
    rules: Mutex<Rules>,
    /// Seconds since the epoch; 0 where there is no authority.
    ca_expiry: AtomicU64,
    rejected: AtomicU64,
}

#[derive(Debug, Clone)]
struct Rules {
    hash: String,
    mode: &'static str,
}

impl Default for Rules {
    /// Nobody wrote any.
    fn default() -> Rules {
        Rules { hash: "none".to_owned(), mode: "observe" }
    }
}

impl About {
    /// The rules that hold from now on, in the place of none, by the hash of their document, and the mode they ask for.
    pub fn rules(&self, hash: &str, mode: &'static str) {
        let rules = Rules { hash: hash.to_owned(), mode };
        *self.0.rules.lock().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// The last second of the authority's life, since the epoch.
    pub fn authority_until(&self, seconds: u64) {
        self.0.ca_expiry.store(seconds, Relaxed);
    }

    /// A configuration was turned down; the one before it goes on.
    pub fn configuration_rejected(&self) {
        self.0.rejected.fetch_add(1, Relaxed);
    }

    /// Makes the metrics over these facts.
    pub(super) fn observe(&self, meter: &Meter) {
        gauge(meter, &BUILD, |observe| observe(1, &[KeyValue::new("version", outrigger_contract::VERSION)]));
        let facts = Arc::clone(&self.0);
        gauge(meter, &RULES, move |observe| {
            let rules = facts.rules.lock().unwrap_or_else(PoisonError::into_inner).clone();
            observe(1, &[KeyValue::new("hash", rules.hash), KeyValue::new("mode", rules.mode)]);
        });
        let facts = Arc::clone(&self.0);
        gauge(meter, &CA_EXPIRY, move |observe| match facts.ca_expiry.load(Relaxed) {
            0 => {}
            until => observe(until, &[]),
        });
        let facts = Arc::clone(&self.0);
        let row = &CONFIG_REJECTED;
        let _registered = meter
            .u64_observable_counter(row.name)
            .with_unit(row.unit)
            .with_description(row.help)
            .with_callback(move |observer| observer.observe(facts.rejected.load(Relaxed), &[]))
            .build();
    }
}

fn gauge(meter: &Meter, row: &Metric, read: impl Fn(&dyn Fn(u64, &[KeyValue])) + Send + Sync + 'static) {
    let _registered = meter
        .u64_observable_gauge(row.name)
        .with_unit(row.unit)
        .with_description(row.help)
        .with_callback(move |observer| read(&|value, labels| observer.observe(value, labels)))
        .build();
}
