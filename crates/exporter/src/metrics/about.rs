//! What the program tells of itself in metrics: which rules it follows, how long its authority lives. Set when it changes,
//! read at each collection.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use outrigger_diagnosis::Change;

use super::observed::observed;
use super::{BUILD, CA_EXPIRY, CONFIG_REJECTED, DIAGNOSIS, LEFT_OUT, RULES};

/// Facts of this process for its metrics; shared by its clones.
#[derive(Debug, Clone, Default)]
pub struct About(Arc<Facts>);

#[derive(Debug, Default)]
struct Facts {
    rules: Mutex<Rules>,
    /// Seconds since the epoch; 0 where there is no authority.
    ca_expiry: AtomicU64,
    rejected: AtomicU64,
    left_out: AtomicU64,
    verdicts: Mutex<BTreeMap<Wrong, u64>>,
}

/// A kind of verdict, and the provider that it concerns, empty for all of them.
type Wrong = (&'static str, &'static str);

/// Kinds at providers that have a series; more are not shown, only told.
pub(super) const WRONG: usize = 8;

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

    /// So many settings could not be used at the start.
    pub fn settings_left_out(&self, number: usize) {
        self.0.left_out.store(number as u64, Relaxed);
    }

    /// A verdict began or ended.
    pub(crate) fn verdict(&self, change: &Change) {
        let (Change::Began(verdict) | Change::Ended(verdict, _)) = change;
        let wrong = (verdict.kind.as_str(), verdict.provider.unwrap_or_default());
        let mut verdicts = self.0.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Began(_) if verdicts.len() < WRONG || verdicts.contains_key(&wrong) => {
                *verdicts.entry(wrong).or_default() += 1;
            }
            Change::Began(_) => {}
            Change::Ended(..) => {
                if let Some(held) = verdicts.get_mut(&wrong) {
                    *held = held.saturating_sub(1);
                }
            }
        }
    }

    /// Makes the metrics over these facts.
    pub(super) fn observe(&self, meter: &Meter) {
        observed(meter, &BUILD, |observe| {
            observe(1, &[KeyValue::new("version", outrigger_contract::VERSION)])
        });
        let facts = Arc::clone(&self.0);
        observed(meter, &RULES, move |observe| {
            let rules = facts.rules.lock().unwrap_or_else(PoisonError::into_inner).clone();
            observe(1, &[KeyValue::new("hash", rules.hash), KeyValue::new("mode", rules.mode)]);
        });
        let facts = Arc::clone(&self.0);
        observed(meter, &CA_EXPIRY, move |observe| match facts.ca_expiry.load(Relaxed) {
            0 => {}
            until => observe(until, &[]),
        });
        let facts = Arc::clone(&self.0);
        observed(meter, &DIAGNOSIS, move |observe| {
            for ((verdict, provider), held) in
                facts.verdicts.lock().unwrap_or_else(PoisonError::into_inner).iter()
            {
                let labels = [KeyValue::new("verdict", *verdict), KeyValue::new("provider", *provider)];
                observe(u64::from(*held > 0), &labels);
            }
        });
        let facts = Arc::clone(&self.0);
        observed(meter, &CONFIG_REJECTED, move |observe| observe(facts.rejected.load(Relaxed), &[]));
        let facts = Arc::clone(&self.0);
        observed(meter, &LEFT_OUT, move |observe| observe(facts.left_out.load(Relaxed), &[]));
    }
}
