//! What the Secret holds, and what becomes of it next. A rotation is four writes: the next pair is made and its authority
//! published beside the old one; that it is published everywhere is noted; it is shown; the old authority is dropped.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::Rotation;
use super::pair::{Pair, certificates};

/// Times are annotations, so that `kubectl describe` shows them.
const UNTIL: &str = "outrigger.dev/not-after";
const NEXT_UNTIL: &str = "outrigger.dev/next-not-after";
const PUBLISHED: &str = "outrigger.dev/next-published";
const DROPS: &str = "outrigger.dev/old-authority-until";

/// The certificate of all replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// What is shown.
    pub(super) current: Pair,
    /// What will be.
    pub(super) next: Option<Pair>,
    /// The authorities that are to be trusted, PEM.
    pub(super) bundle: String,
    /// Since when all configurations have had the authority of `next`.
    pub(super) published: Option<SystemTime>,
    /// When only the authority of `current` is left.
    pub(super) drops: Option<SystemTime>,
}

impl Held {
    /// From a Secret; `None` where it does not hold what we would have written.
    pub(super) fn read(secret: &Value) -> Option<Held> {
        let text = |name: &str| {
            let bytes = STANDARD.decode(secret["data"][name].as_str()?).ok()?;
            String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
        };
        let time =
            |name: &str| humantime::parse_rfc3339(secret["metadata"]["annotations"][name].as_str()?).ok();
        let pair = |chain, key, until| {
            let pair = Pair { chain: text(chain)?, key: text(key)?, until: time(until)? };
            (certificates(&pair.chain).len() == 2).then_some(pair)
        };
        Some(Held {
            current: pair("tls.crt", "tls.key", UNTIL)?,
            next: pair("next.crt", "next.key", NEXT_UNTIL),
            bundle: text("ca.crt")?,
            published: time(PUBLISHED),
            drops: time(DROPS),
        })
    }

    /// Into a Secret, whose other members stay.
    pub(super) fn write(&self, secret: &mut Value) {
        let code = |text: &str| json!(STANDARD.encode(text));
        let mut data = Map::new();
        data.insert("tls.crt".to_owned(), code(&self.current.chain));
        data.insert("tls.key".to_owned(), code(&self.current.key));
        data.insert("ca.crt".to_owned(), code(&self.bundle));
        if let Some(next) = &self.next {
            data.insert("next.crt".to_owned(), code(&next.chain));
            data.insert("next.key".to_owned(), code(&next.key));
        }
        secret["data"] = Value::Object(data);
        let times = [
            (UNTIL, Some(self.current.until)),
            (NEXT_UNTIL, self.next.as_ref().map(|next| next.until)),
            (PUBLISHED, self.published),
            (DROPS, self.drops),
        ];
        if !secret["metadata"]["annotations"].is_object() {
            secret["metadata"]["annotations"] = json!({});
        }
        if let Some(annotations) = secret["metadata"]["annotations"].as_object_mut() {
            for (name, time) in times {
                match time {
                    None => annotations.remove(name),
                    Some(time) => annotations
                        .insert(name.to_owned(), json!(humantime::format_rfc3339(time).to_string())),
                };
            }
        }
    }

    /// A first one. The authorities that were trusted `before` (PEM) stay for a while: a replica may still show what they signed.
    pub(super) fn first(pair: Pair, before: &str, now: SystemTime, rotation: &Rotation) -> Held {
        Held {
            bundle: with(before, pair.authority()),
            drops: (!before.is_empty()).then(|| now + rotation.overlap),
            current: pair,
            next: None,
            published: None,
        }
    }
}

/// What is to be written next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Wait,
    /// A first pair, or one in the place of one that is no use.
    Begin,
    /// A next pair, whose authority is published at once.
    Prepare,
    /// This.
    Write(Held),
}

/// What to do, given what the Secret holds and whether every configuration has its bundle.
pub(super) fn step(held: Option<&Held>, published: bool, now: SystemTime, rotation: &Rotation) -> Step {
    let Some(held) = held else { return Step::Begin };
    let past = |since: SystemTime, length| now >= since + length;
    match &held.next {
        None if now >= held.current.until => Step::Begin,
        None if now + rotation.renew_before >= held.current.until => Step::Prepare,
        None => match held.drops {
            Some(drops) if now >= drops => {
                Step::Write(Held { bundle: with("", held.current.authority()), drops: None, ..held.clone() })
            }
            _ => Step::Wait,
        },
        Some(next) => match held.published {
            None if published => Step::Write(Held { published: Some(now), ..held.clone() }),
            Some(since) if past(since, rotation.settle) => promoted(held, next, now, rotation),
            // What has run out serves nobody: the next is no worse.
            _ if now >= held.current.until => promoted(held, next, now, rotation),
            _ => Step::Wait,
        },
    }
}

fn promoted(held: &Held, next: &Pair, now: SystemTime, rotation: &Rotation) -> Step {
    Step::Write(Held {
        current: next.clone(),
        next: None,
        bundle: held.bundle.clone(),
        published: None,
        drops: Some(now + rotation.overlap),
    })
}

/// A bundle with one authority more.
pub(super) fn with(bundle: &str, authority: &str) -> String {
    let mut all = certificates(bundle);
    if !all.contains(&authority) {
        all.push(authority);
    }
    all.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rotation() -> Rotation {
        Rotation::default()
    }

    fn pair(now: SystemTime) -> Pair {
        Pair::new(&["injector.ns.svc".to_owned()], now, &rotation()).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let mut held = Held::first(pair(now), "", now, &rotation());
        held.next = Some(pair(now));
        held.bundle = with(&held.bundle, held.next.as_ref().unwrap().authority());
        held.published = Some(now);
        let mut secret = json!({"metadata": {"annotations": {"theirs": "stays"}}});
        held.write(&mut secret);
        assert_eq!(Held::read(&secret), Some(held.clone()));
        let later = Held { next: None, published: None, drops: Some(now), ..held };
        later.write(&mut secret);
        assert_eq!(Held::read(&secret), Some(later));
        assert_eq!(secret["metadata"]["annotations"]["theirs"], "stays");
        secret["data"]["tls.crt"] = json!("!");
        assert_eq!(Held::read(&secret), None);
    }

    #[test]
    fn a_rotation_keeps_both_authorities_while_either_may_be_met() {
        let rotation = rotation();
        let mut now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        assert_eq!(step(None, true, now, &rotation), Step::Begin);
        let first = Held::first(pair(now), "", now, &rotation);
        assert_eq!(step(Some(&first), true, now, &rotation), Step::Wait);

        now += rotation.life - rotation.renew_before;
        assert_eq!(step(Some(&first), true, now, &rotation), Step::Prepare);
        let next = pair(now);
        let both = with(&first.bundle, next.authority());
        let prepared = Held { bundle: both.clone(), next: Some(next.clone()), ..first.clone() };
        assert_eq!(step(Some(&prepared), false, now, &rotation), Step::Wait, "it is not published yet");
        let Step::Write(noted) = step(Some(&prepared), true, now, &rotation) else {
            panic!("it is published")
        };
        assert_eq!(
            step(Some(&noted), true, now, &rotation),
            Step::Wait,
            "API servers are told in their own time"
        );
        now += rotation.settle;
        let Step::Write(shown) = step(Some(&noted), true, now, &rotation) else { panic!("it has settled") };
        assert_eq!((&shown.current, &shown.bundle), (&next, &both));
        assert_eq!(step(Some(&shown), true, now, &rotation), Step::Wait, "replicas may show the old one");
        now += rotation.overlap;
        let Step::Write(alone) = step(Some(&shown), true, now, &rotation) else {
            panic!("none does any more")
        };
        assert_eq!(certificates(&alone.bundle), [next.authority()]);
        assert_eq!(step(Some(&alone), true, now, &rotation), Step::Wait);
    }

    #[test]
    fn one_that_has_run_out_is_replaced_at_once() {
        let rotation = rotation();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let old = Held::first(pair(now), "", now, &rotation);
        let late = now + rotation.life;
        assert_eq!(step(Some(&old), false, late, &rotation), Step::Begin);
        let prepared = Held { next: Some(pair(late)), ..old };
        assert!(
            matches!(step(Some(&prepared), false, late, &rotation), Step::Write(held) if held.next.is_none())
        );
    }
}
