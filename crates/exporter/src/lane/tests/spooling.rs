//! A lane with a spool: outages, slow answers, full disks, ends and kills.

use std::collections::BTreeSet;

use tempfile::TempDir;

use super::*;
use crate::SpoolSettings;
use crate::spool::testing::Volume;

/// Room for everything that a test writes.
const ROOM: i64 = 1 << 20;

/// A directory that outlives lanes.
struct Ground {
    directory: TempDir,
    volume: Volume,
}

impl Ground {
    fn new() -> Ground {
        Ground { directory: TempDir::new().unwrap(), volume: Volume::new(ROOM, true) }
    }

    fn scene(&self, script: &Script) -> Scene {
        self.scene_with(script, false)
    }

    fn scene_with(&self, script: &Script, content: bool) -> Scene {
        let tallies = Arc::new(Tallies::default());
        let settings = SpoolSettings { content, ..self.settings() };
        let spool = Spool::on_this_thread(&settings, &tallies, &self.volume).unwrap();
        Scene::counting(script, BOUNDS, tallies, Some(spool))
    }

    fn settings(&self) -> SpoolSettings {
        SpoolSettings {
            directory: self.directory.path().to_owned(),
            bytes: Some(1 << 20),
            age: Duration::from_secs(3600),
            content: false,
        }
    }
}

impl Scene {
    /// Makes pieces so many bytes long.
    fn pack_as(&mut self, length: fn(u8) -> usize) {
        let lane = Rc::get_mut(&mut self.lane).unwrap();
        lane.parts.pack = Box::new(move |batch: &[Parcel], _| {
            batch.iter().flat_map(|parcel| vec![parcel.mark; length(parcel.mark)]).collect::<Vec<u8>>().into()
        });
    }

    fn spooled(&self) -> u64 {
        self.count().spooled
    }

    fn marks(&self, script: &Script) -> Vec<String> {
        self.requests(script).into_iter().map(|(_, marks)| marks).collect()
    }
}

/// So many replies of an endpoint that is not there.
fn away(times: usize) -> Script {
    (0..times).fold(Script::default(), |script, _| script.reply(unreachable()))
}

#[tokio::test(start_paused = true)]
async fn nothing_of_it_runs_while_the_endpoint_takes_what_it_is_given() {
    let (ground, script) = (Ground::new(), Script::default());
    let scene = play_in(ground.scene(&script), async |scene| {
        for mark in b'a'..=b'z' {
            scene.push(mark);
            pass(2000).await;
        }
        pass(6000).await;
    })
    .await;
    assert_eq!(scene.count(), count(26, 26, 0, []));
    assert_eq!(ground.volume.room(), ROOM, "not a byte was written");
    assert_eq!(std::fs::read_dir(ground.directory.path().join("telemetry")).unwrap().count(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_an_endpoint_that_is_away_does_not_take_is_kept_at_once_and_sent_in_order() {
    let (ground, script) = (Ground::new(), away(5));
    let said = Said::listen();
    let scene = play_in(ground.scene(&script), async |scene| {
        b"abcdef".iter().for_each(|mark| scene.push(*mark));
        pass(1).await;
        assert_eq!(
            scene.count(),
            Count { spooled: 6, ..count(6, 0, 0, []) },
            "those that wait their time too"
        );
        scene.push(b'g');
        pass(1).await;
        assert_eq!(scene.spooled(), 7);
        pass(60_000).await;
        scene.push(b'h');
        pass(6000).await;
    })
    .await;
    let marks = scene.marks(&script);
    assert_eq!(marks[5..], ["abcd", "efg", "h"], "neighbours together: {marks:?}");
    assert_eq!(scene.count(), count(8, 8, 0, []));
    assert_eq!(scene.tallies.calls.snapshot().exported, 7, "of the last the call itself says it");
    assert_eq!((said.lines("telemetry waits").len(), said.lines("flows again").len()), (1, 1));
    assert_eq!(std::fs::read_dir(ground.directory.path().join("telemetry")).unwrap().count(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_flaps_gets_everything_once() {
    let ground = Ground::new();
    let mut script = Script::default();
    for turn in 0..40 {
        script = if turn % 3 == 0 { script.reply(Reply::Taken) } else { script.reply(unreachable()) };
    }
    let scene = play_in(ground.scene(&script), async |scene| {
        for mark in 0..100 {
            scene.push(mark);
            pass(1700).await;
        }
        pass(200_000).await;
    })
    .await;
    let taken: Vec<u8> = script.taken().into_iter().flat_map(|(body, _)| body.to_vec()).collect();
    assert_eq!(taken, (0..100).collect::<Vec<u8>>());
    assert_eq!(scene.count(), count(100, 100, 0, []));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_answered_late_is_kept_meanwhile_and_not_sent_again() {
    let (ground, script) = (Ground::new(), Script::default().then(Duration::from_secs(8), Reply::Taken));
    let scene = play_in(ground.scene(&script), async |scene| {
        b"abcd".iter().for_each(|mark| scene.push(*mark));
        pass(999).await;
        assert_eq!(scene.spooled(), 0);
        pass(2).await;
        assert_eq!(scene.spooled(), 4);
        scene.push(b'e');
        pass(1).await;
        assert_eq!(scene.spooled(), 5);
        pass(10_000).await;
    })
    .await;
    assert_eq!(scene.marks(&script), ["abcd", "e"]);
    assert_eq!(scene.count(), count(5, 5, 0, []));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_what_nobody_takes_is_left_in_the_spool_and_the_next_run_sends_it() {
    let ground = Ground::new();
    let script = Script::default().reply(Reply::Taken).reply(unreachable()).reply(unreachable());
    let scene = Rc::new(ground.scene(&script));
    b"abcdefg".iter().for_each(|mark| scene.push(*mark));
    scene.closing.send_replace(true);
    scene.lane.run().await;
    assert_eq!(scene.count(), Count { spooled: 3, ..count(7, 4, 0, []) });
    assert_eq!(*scene.fates.borrow().last().unwrap(), (b'g', Fate::Spooled));
    drop(scene);

    let later = Script::default();
    let scene = play_in(ground.scene(&later), async |scene| {
        assert_eq!(scene.count(), Count { recovered: 3, spooled: 3, ..Count::default() });
        scene.push(b'h');
        pass(6000).await;
    })
    .await;
    assert_eq!(scene.marks(&later).concat(), "efgh", "what comes goes behind what is there");
    assert_eq!(scene.count(), Count { recovered: 3, ..count(1, 4, 0, []) });
}

#[tokio::test(start_paused = true)]
async fn at_the_end_a_silent_endpoint_holds_nothing_back_from_the_spool() {
    let (ground, script) = (Ground::new(), Script::default().then(Duration::from_secs(3600), Reply::Taken));
    let scene = play_in(ground.scene(&script), async |scene| {
        b"abcdef".iter().for_each(|mark| scene.push(*mark));
        scene.closing.send_replace(true);
        pass(250).await;
    })
    .await;
    assert_eq!(scene.count(), Count { spooled: 6, ..count(6, 0, 0, []) });
}

#[tokio::test(start_paused = true)]
async fn on_a_full_disk_telemetry_stays_in_memory_until_there_is_room() {
    let (ground, script) = (Ground::new(), away(8));
    let said = Said::listen();
    let scene = play_in(ground.scene(&script), async |scene| {
        // The header of a segment and one entry.
        ground.volume.has_room(24 + 36 + 10);
        b"abcd".iter().for_each(|mark| scene.push(*mark));
        pass(1).await;
        assert_eq!(scene.spooled(), 4);
        b"efghijklmn".iter().for_each(|mark| scene.push(*mark));
        pass(10).await;
        let held = Count { spooled: 4, ..count(14, 0, 8, [(DropCause::NoRoom, 2)]) };
        assert_eq!(scene.count(), held, "bounded in memory");
        ground.volume.has_room(ROOM);
        pass(2000).await;
        assert_eq!(scene.spooled(), 12);
        pass(600_000).await;
    })
    .await;
    assert_eq!(scene.count(), count(14, 12, 0, [(DropCause::NoRoom, 2)]));
    assert_eq!(said.lines("does not take telemetry").len(), 1, "said once");
    let taken: Vec<u8> = script.taken().into_iter().flat_map(|(body, _)| body.to_vec()).collect();
    assert_eq!(taken, b"abcdefghijkl");
}

#[tokio::test(start_paused = true)]
async fn of_a_request_that_is_larger_than_the_room_on_the_disk_what_fits_is_kept() {
    let (ground, script) = (Ground::new(), away(8));
    let said = Said::listen();
    let scene = play_in(ground.scene(&script), async |scene| {
        // The header of a segment and an entry of two pieces.
        ground.volume.has_room(24 + 34 + 1);
        b"abcd".iter().for_each(|mark| scene.push(*mark));
        pass(1).await;
        assert_eq!(scene.count(), Count { spooled: 2, ..count(4, 0, 2, []) });
        assert_eq!(ground.volume.room(), 1, "what was tried in vain was taken back");
        ground.volume.has_room(33);
        pass(1000).await;
        assert_eq!(scene.count(), Count { spooled: 3, ..count(4, 0, 1, []) }, "one, where one fits");
        ground.volume.has_room(ROOM);
        pass(1000).await;
        assert_eq!(scene.spooled(), 4);
        pass(600_000).await;
    })
    .await;
    let taken: Vec<u8> = script.taken().into_iter().flat_map(|(body, _)| body.to_vec()).collect();
    assert_eq!(taken, b"abcd", "in order, each once");
    assert_eq!(scene.count(), count(4, 4, 0, []));
    assert_eq!(said.lines("does not take telemetry").len(), 1, "said once");
}

#[tokio::test(start_paused = true)]
async fn a_request_of_which_nothing_fits_on_the_disk_is_repeated_as_it_was() {
    let (ground, script) = (Ground::new(), away(3));
    ground.volume.has_room(24 + 32);
    let scene = play_in(ground.scene(&script), async |scene| {
        b"abcdef".iter().for_each(|mark| scene.push(*mark));
        pass(60_000).await;
    })
    .await;
    assert_eq!(scene.marks(&script), ["abcd", "abcd", "abcd", "abcd", "ef"]);
    assert_eq!(scene.count(), count(6, 6, 0, []));
}

#[tokio::test(start_paused = true)]
async fn what_is_on_disk_is_not_given_up_for_a_refusal() {
    let (ground, script) = (Ground::new(), away(2).reply(refused()));
    let scene = play_in(ground.scene(&script), async |scene| {
        b"abcd".iter().for_each(|mark| scene.push(*mark));
        pass(10_000).await;
        scene.push(b'e');
        assert_eq!(scene.count(), Count { spooled: 4, ..count(5, 0, 0, [(DropCause::Refused, 1)]) });
        pass(300_000).await;
    })
    .await;
    assert_eq!(scene.count(), count(5, 4, 0, [(DropCause::Refused, 1)]));
}

#[tokio::test(start_paused = true)]
async fn what_the_endpoint_leaves_out_or_turns_down_of_the_spool_is_dropped_and_counted() {
    let no = Reply::Rejected { why: "HTTP status 400".to_owned(), mend: "" };
    let script = away(1).reply(Reply::Partly { lost: 1, why: "too old".to_owned() }).reply(no);
    let (ground, said) = (Ground::new(), Said::listen());
    let scene = play_in(ground.scene(&script), async |scene| {
        b"abcdef".iter().for_each(|mark| scene.push(*mark));
        pass(10_000).await;
    })
    .await;
    assert_eq!(scene.count(), count(6, 3, 0, [(DropCause::Partial, 1), (DropCause::Rejected, 2)]));
    let calls = scene.tallies.calls.snapshot();
    assert_eq!((calls.exported, calls.dropped.total()), (3, 3));
    assert!(said.lines("too old")[0].contains("dropped=1"));
}

#[tokio::test(start_paused = true)]
async fn neighbours_that_are_too_large_together_go_in_smaller_company() {
    let large = || Reply::TooLarge { why: "HTTP status 413".to_owned() };
    let (ground, script) = (Ground::new(), away(1).reply(large()).reply(large()));
    let scene = play_in(ground.scene(&script), async |scene| {
        for mark in *b"abcd" {
            scene.push(mark);
            scene.push(mark);
            pass(5001).await;
        }
    })
    .await;
    assert_eq!(scene.count().exported + scene.count().dropped.total(), 8);
    assert_eq!(scene.count().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_for_the_spool_goes_there_in_parts_and_one_that_is_too_long_alone_is_dropped() {
    let (ground, script) = (Ground::new(), away(3));
    let said = Said::listen();
    let mut scene = ground.scene(&script);
    // A piece of 150,000 bytes each, and one of 600,000; the spool takes half of its megabyte.
    scene.pack_as(|mark| if mark == b'X' { 600_000 } else { 150_000 });
    let scene = play_in(scene, async |scene| {
        b"abcdeX".iter().for_each(|mark| scene.push(*mark));
        pass(10).await;
        let lost = [(DropCause::TooLarge, 1)];
        assert_eq!(scene.count(), Count { spooled: 5, ..count(6, 0, 0, lost) });
        pass(60_000).await;
    })
    .await;
    let taken: Vec<u8> = script.taken().into_iter().flat_map(|(body, _)| body.to_vec()).collect();
    assert_eq!(taken.iter().step_by(150_000).copied().collect::<Vec<u8>>(), b"abcde");
    assert_eq!(scene.count(), count(6, 5, 0, [(DropCause::TooLarge, 1)]));
    assert!(said.lines("takes 600000 bytes")[0].contains("spool_bytes"));
}

#[tokio::test(start_paused = true)]
async fn content_goes_to_the_disk_only_where_it_was_asked_for() {
    for (asked, expected) in [(false, "left"), (true, "whole")] {
        let (ground, script) = (Ground::new(), away(1));
        let mut scene = ground.scene_with(&script, asked);
        Rc::get_mut(&mut scene.lane).unwrap().parts.pack = Box::new(|_, content| match content {
            Content::Whole => Bytes::from("whole"),
            Content::Left => Bytes::from("left"),
        });
        let scene = play_in(scene, async |scene| {
            scene.push(b'a');
            pass(10_000).await;
        })
        .await;
        assert_eq!(scene.marks(&script), ["whole", expected]);
    }
}

/// In real time: the disk has a thread that hangs in a write.
#[tokio::test]
async fn a_disk_that_hangs_holds_up_neither_the_lane_nor_its_end() {
    let (ground, script) = (Ground::new(), away(99));
    let tallies = Arc::new(Tallies::default());
    let (ended, ends) = std::sync::mpsc::channel::<()>();
    let (held, hold) = std::sync::mpsc::channel();
    let hold = Arc::new(std::sync::Mutex::new(hold));
    let spool = Spool::on_a_disk_that_hangs(&ground.settings(), &tallies, hold, ended);
    let scene = play_in(Scene::counting(&script, BOUNDS, tallies, Some(spool)), async |scene| {
        b"abcd".iter().for_each(|mark| scene.push(*mark));
        while script.sent().is_empty() {
            tokio::task::yield_now().await;
        }
        b"efghijklmn".iter().for_each(|mark| scene.push(*mark));
        tokio::task::yield_now().await;
        assert_eq!(scene.count(), count(14, 0, 8, [(DropCause::NoRoom, 6)]), "bounded in memory");
    })
    .await;
    // The lane has been torn down, as at a deadline, while the write hangs.
    scene.lane.abandon();
    assert_eq!(scene.count(), count(14, 0, 0, [(DropCause::NoRoom, 6), (DropCause::Ended, 8)]));
    drop(scene);
    drop(held);
    let _closed = ends.recv();
}

#[derive(Debug, Clone)]
enum Step {
    Push,
    Pass(u64),
    Room(i64),
    /// The process is killed, and another one begins on what it left.
    Kill,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Push),
        4 => (0u64..40_000).prop_map(Step::Pass),
        1 => (0i64..400).prop_map(Step::Room),
        1 => Just(Step::Kill),
    ]
}

fn any_reply_of_one_that_is_away() -> impl Strategy<Value = Reply> {
    prop_oneof![
        2 => Just(Reply::Taken),
        4 => any::<bool>().prop_map(|reached| Reply::Later { after: None, reached, why: String::new() }),
        1 => Just(refused()),
        1 => Just(Reply::TooLarge { why: String::new() }),
        1 => Just(Reply::Rejected { why: String::new(), mend: "" }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Outages, slow answers, full disks and kills at any moment: at every moment what is seen is exported, held, spooled or dropped;
    /// whatever a killed process had in its spool the next one has; in the end every piece arrived, or its loss was counted, or it was
    /// in the memory of a process that was killed.
    #[test]
    fn nothing_acknowledged_is_lost(
        replies in proptest::collection::vec((0u64..3000, any_reply_of_one_that_is_away()), 0..30),
        steps in proptest::collection::vec(any_step(), 0..60),
    ) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let ground = Ground::new();
            let script = replies.into_iter().fold(Script::default(), |script, (after, reply)| {
                script.then(Duration::from_millis(after), reply)
            });
            let mut lives: Vec<Vec<Step>> = vec![Vec::new()];
            for step in steps {
                match step {
                    Step::Kill => lives.push(Vec::new()),
                    step => lives.last_mut().unwrap().push(step),
                }
            }
            lives.push(vec![Step::Room(ROOM), Step::Pass(20_000_000)]);
            let (mut mark, mut left, mut dropped) = (0u8, 0, 0);
            let mut in_memory = BTreeSet::new();
            for life in lives {
                let scene = play_in(ground.scene(&script), async |scene| {
                    assert_eq!(scene.count().recovered, left);
                    for step in life {
                        match step {
                            Step::Push => {
                                scene.push(mark);
                                mark += 1;
                            }
                            Step::Pass(time) => pass(time).await,
                            Step::Room(room) => ground.volume.has_room(room),
                            Step::Kill => {}
                        }
                        let count = scene.count();
                        let settled = count.exported + count.waiting + count.spooled + count.dropped.total();
                        assert_eq!(count.seen + count.recovered, settled);
                        let state = scene.lane.state.borrow();
                        let held: u64 = state.waiting.iter().chain(&state.sending).map(Freight::weight).sum();
                        assert_eq!(count.waiting, held);
                        assert!(state.waiting.len() + state.sending.len() <= BOUNDS.queue);
                    }
                    let state = scene.lane.state.borrow();
                    in_memory.extend(state.waiting.iter().chain(&state.sending).map(|piece| piece.mark));
                })
                .await;
                left = scene.count().spooled;
                dropped += scene.count().dropped.total();
            }
            assert_eq!(left, 0);
            let taken: BTreeSet<u8> = script.taken().into_iter().flat_map(|(body, _)| body.to_vec()).collect();
            let arrived = taken.union(&in_memory).count() as u64;
            assert!(arrived + dropped >= u64::from(mark), "{arrived} + {dropped} of {mark}");
        });
    }
}
