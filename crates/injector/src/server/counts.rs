//! What was answered, as Prometheus reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::review::{Asked, Result};

/// Upper bounds of an answer's time, in seconds.
const BOUNDS: [f64; 6] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5];

/// Counters of one process.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    reviews: BTreeMap<(&'static str, &'static str), u64>,
    within: [u64; BOUNDS.len()],
    answers: u64,
    seconds: f64,
    certificates: [u64; 2],
    looks: [u64; 2],
}

impl Counts {
    /// Counts an answer.
    pub fn answered(&self, asked: Asked, result: Result, took: Duration) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *inner.reviews.entry((webhook(asked), result.as_str())).or_default() += 1;
        let took = took.as_secs_f64();
        inner.answers += 1;
        inner.seconds += took;
        for (within, bound) in inner.within.iter_mut().zip(BOUNDS) {
            *within += u64::from(took <= bound);
        }
    }

    /// Counts a certificate that was taken up, or refused.
    pub fn certificate(&self, is_good: bool) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.certificates[usize::from(!is_good)] += 1;
    }

    /// Counts a look at what the cluster holds of our certificate.
    pub fn looked(&self, is_done: bool) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.looks[usize::from(!is_done)] += 1;
    }

    /// The page.
    #[must_use]
    pub fn page(&self) -> String {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut page = String::from(
            "# HELP outrigger_injector_reviews_total Admission reviews, by webhook and by what became of them.\n\
             # TYPE outrigger_injector_reviews_total counter\n",
        );
        for asked in ["pods", "rules"] {
            for result in Result::all() {
                let count = inner.reviews.get(&(asked, result.as_str())).copied().unwrap_or_default();
                line(
                    &mut page,
                    &format!("reviews_total{{webhook=\"{asked}\",result=\"{}\"}}", result.as_str()),
                    count,
                );
            }
        }
        page.push_str(
            "# HELP outrigger_injector_review_seconds Time from the whole review to its answer.\n\
             # TYPE outrigger_injector_review_seconds histogram\n",
        );
        for (bound, within) in BOUNDS.iter().zip(inner.within) {
            line(&mut page, &format!("review_seconds_bucket{{le=\"{bound}\"}}"), within);
        }
        line(&mut page, "review_seconds_bucket{le=\"+Inf\"}", inner.answers);
        line(&mut page, "review_seconds_sum", inner.seconds);
        line(&mut page, "review_seconds_count", inner.answers);
        page.push_str(
            "# HELP outrigger_injector_certificates_total Certificates found, by whether they serve.\n\
             # TYPE outrigger_injector_certificates_total counter\n",
        );
        for (result, count) in ["loaded", "refused"].into_iter().zip(inner.certificates) {
            line(&mut page, &format!("certificates_total{{result=\"{result}\"}}"), count);
        }
        page.push_str(
            "# HELP outrigger_injector_certificate_looks_total Looks at Lease, Secret and webhook configurations, by whether all was done.\n\
             # TYPE outrigger_injector_certificate_looks_total counter\n",
        );
        for (result, count) in ["done", "failed"].into_iter().zip(inner.looks) {
            line(&mut page, &format!("certificate_looks_total{{result=\"{result}\"}}"), count);
        }
        page
    }
}

fn line(page: &mut String, name: &str, value: impl std::fmt::Display) {
    let _infallible = writeln!(page, "outrigger_injector_{name} {value}");
}

const fn webhook(asked: Asked) -> &'static str {
    match asked {
        Asked::Pods(_) => "pods",
        Asked::Rules => "rules",
    }
}
