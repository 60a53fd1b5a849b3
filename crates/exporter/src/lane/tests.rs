//! A lane with an endpoint that answers as told, in paused time.

mod spooling;

use std::future::Future;

use proptest::prelude::*;
use tokio::task::LocalSet;

use super::*;
use crate::Count;
use crate::testing::{Said, Script, busy, refused, unreachable};

/// A piece that tells what became of it.
struct Parcel {
    mark: u8,
    weight: u64,
    fates: Rc<RefCell<Vec<(u8, Fate)>>>,
}

impl Freight for Parcel {
    fn weight(&self) -> u64 {
        self.weight
    }

    fn claim(&self) -> u64 {
        1
    }

    fn settle(self, fate: Fate) {
        self.fates.borrow_mut().push((self.mark, fate));
    }
}

struct Scene {
    lane: Rc<Lane<Script, Parcel>>,
    tallies: Arc<Tallies>,
    fates: Rc<RefCell<Vec<(u8, Fate)>>>,
    closing: watch::Sender<bool>,
    start: Instant,
}

const BOUNDS: Bounds =
    Bounds { delay: Duration::from_secs(5), queue: 8, batch: 4, overflow: Overflow::DropNewest };

impl Scene {
    fn new(script: &Script, bounds: Bounds) -> Scene {
        Scene::counting(script, bounds, Arc::default(), None)
    }

    fn counting(script: &Script, bounds: Bounds, tallies: Arc<Tallies>, spool: Option<Spool>) -> Scene {
        let (closing, closes) = watch::channel(false);
        let lane = Rc::new(Lane::new(Parts {
            signal: Signal::Logs,
            endpoint: "http://collector:4318".to_owned(),
            wire: script.clone(),
            pack: Box::new(|batch: &[Parcel], _| {
                batch.iter().map(|parcel| parcel.mark).collect::<Vec<u8>>().into()
            }),
            bounds,
            tallies: Arc::clone(&tallies),
            herald: Rc::new(Herald::default()),
            spool: spool.map(Rc::new),
            closing: closes,
        }));
        Scene { lane, tallies, fates: Rc::default(), closing, start: Instant::now() }
    }

    fn push(&self, mark: u8) {
        self.push_as(mark, 1, false);
    }

    fn push_as(&self, mark: u8, weight: u64, hurry: bool) {
        self.tallies.of(Signal::Logs).saw(weight);
        self.lane.push(Parcel { mark, weight, fates: Rc::clone(&self.fates) }, Instant::now(), hurry);
    }

    fn count(&self) -> Count {
        self.tallies.of(Signal::Logs).snapshot()
    }

    /// Milliseconds since the start at which requests went, and their pieces.
    fn requests(&self, script: &Script) -> Vec<(u128, String)> {
        let text = |body: Bytes| String::from_utf8(body.to_vec()).unwrap();
        script.sent().into_iter().map(|(at, body)| ((at - self.start).as_millis(), text(body))).collect()
    }
}

/// Plays a scene in paused time, with the lane running beside it.
async fn play<F: Future<Output = ()>>(
    script: &Script,
    bounds: Bounds,
    act: impl FnOnce(Rc<Scene>) -> F,
) -> Rc<Scene> {
    play_in(Scene::new(script, bounds), act).await
}

async fn play_in<F: Future<Output = ()>>(scene: Scene, act: impl FnOnce(Rc<Scene>) -> F) -> Rc<Scene> {
    let scene = Rc::new(scene);
    let local = LocalSet::new();
    let lane = Rc::clone(&scene.lane);
    let running = local.spawn_local(async move { lane.run().await });
    local.run_until(act(Rc::clone(&scene))).await;
    running.abort();
    scene
}

fn count<const N: usize>(seen: u64, exported: u64, waiting: u64, dropped: [(DropCause, u64); N]) -> Count {
    Count { seen, exported, waiting, dropped: dropped.into(), ..Count::default() }
}

async fn pass(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

fn requests(expected: &[(u128, &str)]) -> Vec<(u128, String)> {
    expected.iter().map(|(at, marks)| (*at, (*marks).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_piece_waits_its_delay_and_takes_along_what_came_meanwhile() {
    let script = Script::default();
    let scene = play(&script, BOUNDS, async |scene| {
        scene.push(b'a');
        pass(4000).await;
        scene.push(b'b');
        pass(1001).await;
        scene.push(b'c');
        assert_eq!(scene.count(), count(3, 2, 1, []));
        pass(5001).await;
    })
    .await;
    assert_eq!(scene.requests(&script), requests(&[(5000, "ab"), (10001, "c")]));
    assert_eq!(scene.count(), count(3, 3, 0, []));
}

#[tokio::test(start_paused = true)]
async fn a_full_request_goes_at_once_and_the_rest_waits_its_time() {
    let script = Script::default();
    let scene = play(&script, BOUNDS, async |scene| {
        b"abcdef".iter().for_each(|mark| scene.push(*mark));
        pass(6000).await;
    })
    .await;
    assert_eq!(scene.requests(&script), requests(&[(0, "abcd"), (5000, "ef")]));
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_hurries_everything_along_but_only_once_a_second() {
    let script = Script::default();
    let scene = play(&script, BOUNDS, async |scene| {
        scene.push(b'a');
        pass(100).await;
        scene.push_as(b'F', 1, true);
        pass(200).await;
        scene.push_as(b'G', 1, true);
        pass(100).await;
        scene.push_as(b'H', 1, true);
        pass(3000).await;
        scene.push_as(b'I', 1, true);
        pass(1).await;
    })
    .await;
    assert_eq!(scene.requests(&script), requests(&[(100, "aF"), (1100, "GH"), (3400, "I")]));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_repeated_as_it_was_until_it_is_taken() {
    let said = Said::listen();
    let script = Script::default().reply(unreachable()).reply(busy(Some(Duration::from_secs(20))));
    let scene = play(&script, BOUNDS, async |scene| {
        scene.push(b'a');
        pass(5001).await;
        scene.push(b'b');
        assert_eq!(scene.count(), count(2, 0, 2, []));
        pass(60_000).await;
    })
    .await;
    let sent = scene.requests(&script);
    let marks: Vec<&str> = sent.iter().map(|(_, marks)| marks.as_str()).collect();
    assert_eq!(marks, ["a", "a", "a", "b"]);
    assert!((5250..=5500).contains(&sent[1].0), "first repeat at {}", sent[1].0);
    assert_eq!(sent[2].0 - sent[1].0, 20_000, "the wait that was asked for");
    assert_eq!(scene.count(), count(2, 2, 0, []));
    assert_eq!(*scene.fates.borrow(), [b'a', b'b'].map(|mark| (mark, Fate::Arrived)));
    assert_eq!(said.lines("telemetry waits").len(), 1, "an outage is said once");
    assert!(said.lines("telemetry waits")[0].contains("http://collector:4318"));
    assert_eq!(said.lines("flows again").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_closed_connection_is_no_outage_but_two_failures_are() {
    let said = Said::listen();
    let script = Script::default().reply(Reply::Taken).reply(unreachable()).reply(Reply::Taken);
    let script = script.reply(unreachable()).reply(unreachable());
    let scene = play(&script, BOUNDS, async |scene| {
        for _ in 0..2 {
            scene.push(b'a');
            pass(10_000).await;
        }
        assert_eq!(said.lines("telemetry").len(), 0);
        scene.push(b'a');
        pass(10_000).await;
    })
    .await;
    assert_eq!(said.lines("telemetry waits").len(), 1);
    assert_eq!(scene.count().exported, 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_signal_is_said_once_counted_and_offered_again_later() {
    let said = Said::listen();
    let script = Script::default().reply(refused()).reply(refused());
    let scene = play(&script, BOUNDS, async |scene| {
        scene.push(b'a');
        pass(5001).await;
        scene.push(b'b');
        assert_eq!(scene.count(), count(2, 0, 0, [(DropCause::Refused, 2)]));
        pass(300_000).await;
        scene.push(b'c');
        pass(5001).await;
        assert_eq!(scene.count().dropped.total(), 3);
        pass(300_000).await;
        scene.push(b'd');
        pass(5001).await;
        scene.push(b'e');
        pass(5001).await;
    })
    .await;
    let marks: Vec<String> = scene.requests(&script).into_iter().map(|(_, marks)| marks).collect();
    assert_eq!(marks, ["a", "c", "d", "e"], "b is not offered");
    assert_eq!(scene.count(), count(5, 2, 0, [(DropCause::Refused, 3)]));
    let refusals = said.lines("does not take this signal");
    assert_eq!(refusals.len(), 1, "a refusal is said once");
    for words in ["http://collector:4318", "logs", "404", "OTEL_LOGS_EXPORTER=none"] {
        assert!(refusals[0].contains(words), "{words:?} in {:?}", refusals[0]);
    }
    assert_eq!(said.lines("takes this signal now").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_partial_success_leaves_out_counts_as_dropped_and_is_said() {
    let said = Said::listen();
    let script = Script::default().reply(Reply::Partly { lost: 3, why: "too old".to_owned() });
    let scene = play(&script, BOUNDS, async |scene| {
        scene.push_as(b'a', 2, false);
        scene.push_as(b'b', 2, false);
        scene.push_as(b'c', 2, false);
        pass(5001).await;
    })
    .await;
    assert_eq!(scene.count(), count(6, 3, 0, [(DropCause::Partial, 3)]));
    assert_eq!(
        *scene.fates.borrow(),
        [(b'a', Fate::Arrived), (b'b', Fate::Arrived), (b'c', Fate::Lost(DropCause::Partial))]
    );
    assert!(said.lines("dropped=3")[0].contains("too old"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_large_is_halved_until_it_passes() {
    let large = || Reply::TooLarge { why: "HTTP status 413".to_owned() };
    let script = Script::default().reply(large()).reply(large());
    let scene = play(&script, BOUNDS, async |scene| {
        b"abcd".iter().for_each(|mark| scene.push(*mark));
        pass(10_000).await;
    })
    .await;
    let marks: Vec<String> = scene.requests(&script).into_iter().map(|(_, marks)| marks).collect();
    assert_eq!(marks, ["abcd", "ab", "a", "b", "c", "d"]);
    assert_eq!(scene.count(), count(4, 4, 0, []));
}

#[tokio::test(start_paused = true)]
async fn one_piece_that_is_too_large_is_dropped() {
    let script = Script::default().reply(Reply::TooLarge { why: "HTTP status 413".to_owned() });
    let scene = play(&script, BOUNDS, async |scene| {
        scene.push(b'a');
        pass(10_000).await;
    })
    .await;
    assert_eq!(scene.count(), count(1, 0, 0, [(DropCause::TooLarge, 1)]));
}

#[tokio::test(start_paused = true)]
async fn losses_are_said_at_once_and_then_together() {
    let said = Said::listen();
    let no = || Reply::Rejected { why: "HTTP status 401".to_owned(), mend: "put the credentials in" };
    let script = Script::default().reply(no()).reply(no()).reply(no()).reply(no());
    play(&script, BOUNDS, async |scene| {
        for wait in [5001, 5001, 60_000, 5001] {
            scene.push(b'a');
            pass(wait).await;
        }
    })
    .await;
    let lines = said.lines("telemetry is dropped");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("dropped=1") && lines[0].contains("put the credentials in"), "{lines:?}");
    assert!(lines[1].contains("dropped=3"), "the two in between are said with the third: {lines:?}");
}

#[tokio::test(start_paused = true)]
async fn without_room_the_newest_goes_and_what_is_on_the_way_takes_room_too() {
    let script = Script::default().then(Duration::from_secs(60), Reply::Taken);
    let scene = play(&script, BOUNDS, async |scene| {
        b"abcd".iter().for_each(|mark| scene.push(*mark));
        pass(10).await;
        b"efghij".iter().for_each(|mark| scene.push(*mark));
        assert_eq!(scene.count(), count(10, 0, 8, [(DropCause::NoRoom, 2)]));
        pass(120_000).await;
    })
    .await;
    assert_eq!(scene.count(), count(10, 8, 0, [(DropCause::NoRoom, 2)]));
    assert_eq!(scene.fates.borrow()[..2], [b'i', b'j'].map(|mark| (mark, Fate::Lost(DropCause::NoRoom))));
}

#[tokio::test(start_paused = true)]
async fn without_room_a_newer_collection_supersedes_the_oldest() {
    let script = Script::default().then(Duration::from_secs(60), Reply::Taken);
    let said = Said::listen();
    let bounds = Bounds { delay: Duration::ZERO, queue: 2, batch: 1, overflow: Overflow::Supersede };
    let scene = play(&script, bounds, async |scene| {
        for mark in *b"abcd" {
            scene.push(mark);
            pass(10).await;
        }
        pass(120_000).await;
    })
    .await;
    let marks: Vec<String> = scene.requests(&script).into_iter().map(|(_, marks)| marks).collect();
    assert_eq!(marks, ["a", "d"]);
    assert_eq!(scene.count(), count(4, 2, 0, [(DropCause::Superseded, 2)]));
    assert_eq!(said.lines("telemetry is dropped").len(), 0, "nothing is lost by it");
}

#[tokio::test(start_paused = true)]
async fn at_the_end_everything_goes_at_once_and_the_lane_stops() {
    let script = Script::default();
    let scene = Rc::new(Scene::new(&script, BOUNDS));
    b"abcdef".iter().for_each(|mark| scene.push(*mark));
    scene.closing.send_replace(true);
    scene.lane.run().await;
    assert_eq!(scene.requests(&script), requests(&[(0, "abcd"), (0, "ef")]));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_nobody_waits_for_an_endpoint_that_is_not_there() {
    let script = Script::default().reply(unreachable());
    let scene = Rc::new(Scene::new(&script, BOUNDS));
    b"abcdef".iter().for_each(|mark| scene.push(*mark));
    scene.closing.send_replace(true);
    scene.lane.run().await;
    assert_eq!(scene.requests(&script), requests(&[(0, "abcd")]));
    assert_eq!(scene.count(), count(6, 0, 0, [(DropCause::Ended, 6)]));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_a_connection_that_was_closed_meanwhile_is_made_again() {
    let script = Script::default().reply(Reply::Taken).reply(unreachable());
    let scene = play(&script, BOUNDS, async |scene| {
        scene.push(b'a');
        pass(6000).await;
        scene.push(b'b');
        scene.closing.send_replace(true);
        pass(200).await;
    })
    .await;
    assert_eq!(scene.requests(&script), requests(&[(5000, "a"), (6000, "b"), (6100, "b")]));
    assert_eq!(scene.count(), count(2, 2, 0, []));
}

#[tokio::test(start_paused = true)]
async fn the_end_cuts_a_pause_short_and_a_busy_endpoint_is_asked_on() {
    let script = Script::default().reply(busy(Some(Duration::from_secs(200)))).reply(busy(None));
    let scene = play(&script, BOUNDS, async |scene| {
        scene.push(b'a');
        pass(6000).await;
        scene.closing.send_replace(true);
        pass(200).await;
    })
    .await;
    assert_eq!(scene.requests(&script), requests(&[(5000, "a"), (6000, "a"), (6100, "a")]));
    assert_eq!(scene.count().exported, 1);
}

fn any_reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        3 => Just(Reply::Taken),
        2 => (0u64..6).prop_map(|lost| Reply::Partly { lost, why: String::new() }),
        3 => (proptest::option::of(0u64..900), any::<bool>()).prop_map(|(after, reached)| Reply::Later {
            after: after.map(Duration::from_millis),
            reached,
            why: String::new(),
        }),
        1 => Just(refused()),
        1 => Just(Reply::TooLarge { why: String::new() }),
        1 => Just(Reply::Rejected { why: String::new(), mend: "" }),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Push { weight: u64, hurry: bool },
    Pass(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u64..4, any::<bool>()).prop_map(|(weight, hurry)| Step::Push { weight, hurry }),
        1 => (0u64..400_000).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the endpoint answers and whenever pieces come: at every moment what is seen is exported, held or
    /// dropped, what is held is really there, and in the end each piece has had exactly one fate.
    #[test]
    fn nothing_is_lost_from_the_count(
        replies in proptest::collection::vec((0u64..3000, any_reply()), 0..30),
        steps in proptest::collection::vec(any_step(), 0..60),
        orderly in any::<bool>(),
        abandoned in any::<bool>(),
    ) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let script = replies.into_iter().fold(Script::default(), |script, (after, reply)| {
                script.then(Duration::from_millis(after), reply)
            });
            let pushed = steps.iter().filter(|step| matches!(step, Step::Push { .. })).count();
            let scene = play(&script, BOUNDS, async |scene| {
                let mut last = Count::default();
                for (mark, step) in (0u8..).zip(steps) {
                    match step {
                        Step::Push { weight, hurry } => scene.push_as(mark, weight, hurry),
                        Step::Pass(time) => pass(time).await,
                    }
                    let count = scene.count();
                    let state = scene.lane.state.borrow();
                    let held: u64 = state.waiting.iter().chain(&state.sending).map(Freight::weight).sum();
                    assert_eq!(count.seen, count.exported + count.waiting + count.dropped.total());
                    assert_eq!(count.waiting, held);
                    assert!(count.exported >= last.exported);
                    assert!(count.dropped.each().all(|(cause, lost)| lost >= last.dropped.of(cause)));
                    assert!(state.waiting.len() + state.sending.len() <= BOUNDS.queue);
                    last = count;
                }
                if orderly {
                    scene.closing.send_replace(true);
                    pass(20_000).await;
                }
            })
            .await;
            if abandoned {
                scene.lane.abandon();
            }
            let (tallies, fates) = (Arc::clone(&scene.tallies), Rc::clone(&scene.fates));
            drop(scene);
            let count = tallies.of(Signal::Logs).snapshot();
            assert_eq!((count.waiting, count.seen), (0, count.exported + count.dropped.total()));
            let mut marks: Vec<u8> = fates.borrow().iter().map(|(mark, _)| *mark).collect();
            assert_eq!(marks.len(), pushed);
            marks.sort_unstable();
            marks.dedup();
            assert_eq!(marks.len(), pushed, "each piece settles once");
        });
    }
}
