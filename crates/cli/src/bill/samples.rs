//! Percentiles of a bounded number of durations: of more, a fair sample (Vitter's algorithm R).

const KEPT: usize = 1024;

/// Durations in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Samples {
    kept: Vec<u64>,
    seen: u64,
    /// State of a small generator: the choice need not be unpredictable.
    random: u64,
}

impl Samples {
    pub(super) fn add(&mut self, nanoseconds: u64) {
        self.seen += 1;
        if self.kept.len() < KEPT {
            self.kept.push(nanoseconds);
            return;
        }
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (self.random >> 33) % self.seen;
        if let Some(slot) = usize::try_from(at).ok().and_then(|at| self.kept.get_mut(at)) {
            *slot = nanoseconds;
        }
    }

    /// The duration below which the share `p` lies, in seconds.
    pub(super) fn percentile(&self, p: f64) -> Option<f64> {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        sorted.get((last as f64 * p).round() as usize).map(|nanoseconds| *nanoseconds as f64 / 1e9)
    }
}
