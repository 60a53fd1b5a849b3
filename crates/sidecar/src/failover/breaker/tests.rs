use super::*;

const LIMITS: Limits = Limits {
    opens_at: 50,
    window: Duration::from_secs(30),
    min_calls: 20,
    consecutive: 3,
    probe_every: Duration::from_secs(10),
};

/// A place and the time.
struct Place {
    breaker: Breaker,
    now: Instant,
}

impl Place {
    fn new() -> Place {
        let now = Instant::now();
        Place { breaker: Breaker::new(now), now }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Somebody who was let in just now, as usual.
    fn end(&mut self, good: bool) -> Option<Turn> {
        self.end_of(self.breaker.since(Admission::Yes), good)
    }

    fn end_of(&mut self, since: Since, good: bool) -> Option<Turn> {
        if good {
            self.breaker.succeeded(since, &LIMITS, self.now)
        } else {
            self.breaker.failed(since, &LIMITS, self.now)
        }
    }

    /// The next probe.
    fn probe(&mut self) -> Since {
        self.pass(LIMITS.probe_every);
        let admission = self.admit();
        assert_eq!(admission, Admission::Probe);
        self.breaker.since(admission)
    }

    fn open() -> Place {
        let mut place = Place::new();
        assert_eq!([false; 3].map(|good| place.end(good)), [None, None, Some(Turn::Opened)]);
        place
    }

    fn admit(&mut self) -> Admission {
        self.breaker.admit(self.now)
    }
}

#[test]
fn few_calls_open_it_by_three_failures_in_a_row() {
    let mut place = Place::new();
    for good in [false, false, true, false, false] {
        assert_eq!(place.end(good), None);
        place.pass(Duration::from_secs(20));
    }
    assert_eq!(place.end(false), Some(Turn::Opened));
    assert_eq!(place.admit(), Admission::No);
}

#[test]
fn many_calls_open_it_by_their_share_within_the_window() {
    let mut place = Place::new();
    for number in 0..19 {
        assert_eq!(place.end(number % 2 == 0), None);
    }
    assert_eq!(place.end(false), Some(Turn::Opened), "10 of 20");
    let mut place = Place::new();
    for _ in 0..10 {
        place.end(false);
        place.end(true);
        place.pass(Duration::from_secs(4));
    }
    assert!(place.breaker.is_closed(), "what was before the window does not count");
}

#[test]
fn one_call_at_a_time_tries_whether_it_answers() {
    let mut place = Place::open();
    place.pass(LIMITS.probe_every - Duration::from_millis(1));
    assert_eq!(place.admit(), Admission::No);
    place.pass(Duration::from_millis(1));
    assert_eq!([(); 3].map(|()| place.admit()), [Admission::Probe, Admission::No, Admission::No]);
    assert_eq!(place.end(false), None, "it was open before");
    assert_eq!(place.admit(), Admission::No);
    let probe = place.probe();
    place.breaker.unknown(probe, place.now);
    assert_eq!(place.admit(), Admission::Probe, "what told nothing gives way to another");
    place.pass(PROBING);
    assert_eq!(place.admit(), Admission::Probe, "so does what never came back");
}

#[test]
fn traffic_returns_step_by_step_within_thirty_seconds() {
    let mut place = Place::open();
    let recovers = place.now;
    place.pass(LIMITS.probe_every);
    assert_eq!(place.admit(), Admission::Probe);
    assert_eq!(place.end(true), Some(Turn::Recovering));
    let mut shares = Vec::new();
    while !place.breaker.is_closed() {
        let admitted = (0..100).filter(|_| place.admit() == Admission::Yes).count();
        shares.push(admitted);
        place.end(true);
        place.pass(STEP);
    }
    assert_eq!(shares.len(), STEPS.len() + 1, "{shares:?}");
    assert!(shares.is_sorted() && shares[0] <= 10 && shares[STEPS.len()] == 100, "{shares:?}");
    assert!(place.now.duration_since(recovers) < Duration::from_secs(30));
}

#[test]
fn a_stream_that_begins_brings_calls_back_and_one_that_breaks_off_takes_them_away() {
    let mut place = Place::open();
    let probe = place.probe();
    place.breaker.began(probe, place.now);
    assert_eq!(place.admit(), Admission::Yes, "a long stream keeps nobody waiting");
    assert_eq!(place.end(false), None);
    assert_eq!(place.admit(), Admission::No);
}

#[test]
fn what_was_sent_before_it_was_left_alone_tells_nothing_of_it_any_more() {
    let mut place = Place::new();
    let admission = place.admit();
    let before = place.breaker.since(admission);
    for _ in 0..3 {
        place.end(false);
    }
    let probe = place.probe();
    for good in [false, true] {
        assert_eq!(place.end_of(before, good), None);
        assert_eq!(place.admit(), Admission::No, "the probe alone decides");
    }
    place.breaker.began(before, place.now);
    place.breaker.unknown(before, place.now);
    assert_eq!(place.admit(), Admission::No, "nor is there room for another one");
    place.breaker.unknown(place.breaker.since(Admission::No), place.now);
    assert_eq!(place.admit(), Admission::No, "nor by one that went there all the same");
    assert_eq!(place.end_of(probe, true), Some(Turn::Recovering));
    assert_eq!(place.end_of(before, false), None);
    assert_eq!(place.admit(), Admission::Yes, "it goes on recovering");
    place.pass(STEP * STEPS.len() as u32);
    assert_eq!(place.end(true), Some(Turn::Closed));
    for _ in 0..3 {
        assert_eq!(place.end_of(before, false), None);
    }
    assert!(place.breaker.is_closed());
}

#[test]
fn a_probe_that_was_given_up_is_none_any_more() {
    let mut place = Place::open();
    let lost = place.probe();
    place.pass(PROBING);
    assert_eq!(place.admit(), Admission::Probe);
    place.breaker.unknown(lost, place.now);
    place.end_of(lost, false);
    assert_eq!(place.admit(), Admission::No, "the second one is under way");
    place.pass(PROBING);
    assert_eq!(place.admit(), Admission::Probe, "and was not sent back by what the first one met");
}

#[test]
fn a_relapse_opens_it_again() {
    let mut place = Place::open();
    place.pass(LIMITS.probe_every);
    place.admit();
    place.end(true);
    assert_eq!(place.admit(), Admission::Yes, "of few calls the first goes there");
    assert_eq!(place.end(false), None);
    assert_eq!(place.admit(), Admission::No);
}
