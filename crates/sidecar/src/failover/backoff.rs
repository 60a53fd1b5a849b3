//! How long to wait before another try: doubling, with a part left to chance so that many do not come at once; never less than the
//! provider asked for. Per retry.

use std::time::Duration;

use outrigger_rules::Retry;

/// The wait before retry `number` (from 1). `asked` is what the provider asked for; `chance` is anything from 0 up to 1.
pub(crate) fn wait(retry: &Retry, number: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let doubled = retry.initial.saturating_mul(1 << number.saturating_sub(1).min(20)).min(retry.max);
    let certain = 1.0 - f64::from(retry.jitter.min(100)) / 100.0 * chance.clamp(0.0, 1.0);
    doubled.mul_f64(certain).max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use outrigger_rules::Classes;

    use super::*;

    fn retry() -> Retry {
        Retry {
            attempts: 5,
            when: Classes::default(),
            budget: 20,
            initial: Duration::from_millis(500),
            max: Duration::from_secs(8),
            jitter: 25,
        }
    }

    #[test]
    fn it_doubles_up_to_its_bound_and_a_part_is_chance() {
        let waits =
            |chance| [1, 2, 3, 5, 6, 40].map(|number| wait(&retry(), number, None, chance).as_millis());
        assert_eq!(waits(0.0), [500, 1000, 2000, 8000, 8000, 8000]);
        assert_eq!(waits(1.0), [375, 750, 1500, 6000, 6000, 6000]);
    }

    #[test]
    fn the_provider_is_obeyed() {
        let asked = Some(Duration::from_secs(3));
        assert_eq!(wait(&retry(), 1, asked, 0.5), Duration::from_secs(3));
        assert_eq!(wait(&retry(), 4, asked, 0.0), Duration::from_secs(4));
    }
}
