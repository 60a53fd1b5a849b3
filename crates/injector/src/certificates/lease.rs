//! Which replica writes: the holder of the Lease, while it renews it. Whether another's has run out is told by how long it has not
//! changed by our own clock, so that clocks need not agree.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

/// What is known of the Lease.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Its version, and since when we have seen no other.
    seen: Option<(String, Instant)>,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Claim {
    /// It is ours and fresh.
    Ours,
    /// Write this: it becomes, or stays, ours.
    Write(Value),
    /// Another's.
    Others,
}

impl Watched {
    /// Judges a Lease as it was read.
    pub(super) fn claim(
        &mut self,
        lease: &Value,
        me: &str,
        lasts: Duration,
        now: (Instant, SystemTime),
    ) -> Claim {
        let version = lease["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        let unchanged = match &self.seen {
            Some((seen, since)) if seen == version => now.0.duration_since(*since),
            _ => {
                self.seen = Some((version.to_owned(), now.0));
                Duration::ZERO
            }
        };
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        match holder {
            ours if ours == me && unchanged < lasts / 3 => Claim::Ours,
            ours if ours == me || ours.is_empty() || unchanged >= lasts => {
                Claim::Write(held(lease, me, lasts, now.1))
            }
            _ => Claim::Others,
        }
    }
}

fn held(lease: &Value, me: &str, lasts: Duration, now: SystemTime) -> Value {
    let mut held = lease.clone();
    let now = humantime::format_rfc3339_micros(now).to_string();
    if held["spec"]["holderIdentity"] != me {
        let before = held["spec"]["leaseTransitions"].as_u64();
        held["spec"]["leaseTransitions"] = json!(before.map_or(0, |before| before + 1));
        held["spec"]["acquireTime"] = json!(now);
        held["spec"]["holderIdentity"] = json!(me);
    }
    held["spec"]["leaseDurationSeconds"] = json!(lasts.as_secs().max(1));
    held["spec"]["renewTime"] = json!(now);
    held
}

/// The Lease without its holder, so that the next one need not wait until it runs out; `None` where another's would be given away.
pub(super) fn released(lease: &Value, me: &str, now: SystemTime) -> Option<Value> {
    let mut released = lease.clone();
    let spec = released["spec"].as_object_mut()?;
    if spec.get("holderIdentity")? != me {
        return None;
    }
    spec.remove("holderIdentity");
    spec.insert("leaseDurationSeconds".to_owned(), json!(1));
    spec.insert("renewTime".to_owned(), json!(humantime::format_rfc3339_micros(now).to_string()));
    Some(released)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(15);

    fn lease(holder: &str, version: &str) -> Value {
        json!({"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": holder}})
    }

    #[test]
    fn one_that_nobody_holds_is_taken_and_anothers_only_after_it_stood_still() {
        let (begin, wall) = (Instant::now(), SystemTime::UNIX_EPOCH);
        let at = |seconds| (begin + Duration::from_secs(seconds), wall);
        let mut watched = Watched::default();
        let Claim::Write(taken) = watched.claim(&lease("", "1"), "a", LASTS, at(0)) else {
            panic!("nobody holds it")
        };
        assert_eq!(taken["spec"]["holderIdentity"], "a");
        assert_eq!(taken["metadata"]["resourceVersion"], "1", "it is written only if nobody else wrote");

        assert_eq!(watched.claim(&lease("b", "2"), "a", LASTS, at(1)), Claim::Others);
        assert_eq!(watched.claim(&lease("b", "3"), "a", LASTS, at(14)), Claim::Others);
        assert_eq!(watched.claim(&lease("b", "3"), "a", LASTS, at(28)), Claim::Others, "renewed at 14");
        assert!(matches!(watched.claim(&lease("b", "3"), "a", LASTS, at(29)), Claim::Write(_)));
    }

    #[test]
    fn ours_is_renewed_in_time_and_not_with_every_look() {
        let (begin, wall) = (Instant::now(), SystemTime::UNIX_EPOCH);
        let at = |seconds| (begin + Duration::from_secs(seconds), wall);
        let mut watched = Watched::default();
        assert_eq!(watched.claim(&lease("a", "1"), "a", LASTS, at(0)), Claim::Ours);
        assert_eq!(watched.claim(&lease("a", "1"), "a", LASTS, at(4)), Claim::Ours);
        let Claim::Write(renewed) = watched.claim(&lease("a", "1"), "a", LASTS, at(5)) else {
            panic!("it is time")
        };
        assert_eq!(renewed["spec"]["leaseTransitions"], Value::Null, "the holder stays");
    }

    #[test]
    fn ours_is_given_back_and_the_next_one_takes_it_at_once() {
        let (begin, wall) = (Instant::now(), SystemTime::UNIX_EPOCH);
        let mut watched = Watched::default();
        assert_eq!(watched.claim(&lease("a", "1"), "b", LASTS, (begin, wall)), Claim::Others);
        let given = released(&lease("a", "1"), "a", wall).unwrap();
        assert_eq!(given["metadata"]["resourceVersion"], "1", "it is written only if nobody else wrote");
        assert!(matches!(watched.claim(&given, "b", LASTS, (begin, wall)), Claim::Write(_)));
        assert_eq!(released(&lease("b", "2"), "a", wall), None, "it is another's");
        assert_eq!(released(&given, "a", wall), None, "it is nobody's");
    }
}
