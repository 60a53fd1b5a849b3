//! The worker between hand-made calls and endpoints that answer as told, in paused time.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use outrigger_ledger::{Recorder as _, Timestamp};
use proptest::prelude::*;
use prost::Message as _;
use tempfile::TempDir;
use tokio::task::LocalSet;

use super::*;
use crate::announcer::{Announcer, announcer};
use crate::control::control_spans;
use crate::inbox::{ROOM, Slot, Wanted, inbox};
use crate::metrics::{About, Kept};
use crate::spool::testing::Volume;
use crate::testing::calls::{answered, failed, numbered};
use crate::testing::{Said, Script, began, busy, refused, trace, unreachable};
use crate::transport::Reply;
use crate::{Count, DropCause, Drops, SpoolSettings};

/// A spool on a volume with so much room.
fn spool(directory: &TempDir, tallies: &Arc<Tallies>, room: i64) -> Spool {
    let settings = SpoolSettings {
        directory: directory.path().to_owned(),
        bytes: Some(1 << 20),
        age: Duration::from_secs(86_400),
        content: false,
    };
    Spool::on_this_thread(&settings, tallies, &Volume::new(room, true)).unwrap()
}

struct Scene {
    slot: Slot,
    announcer: Announcer,
    tallies: Arc<Tallies>,
    end: watch::Sender<Option<Instant>>,
    traces: Script,
    logs: Script,
    metrics: Script,
    start: Instant,
}

fn settings(variables: &[(&str, &str)]) -> Settings {
    let get =
        |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Settings::from_env(Some("http://collector:4318"), get).unwrap().unwrap()
}

fn metrics_of(settings: &Settings, tallies: &Arc<Tallies>) -> Option<Metrics> {
    Kept::by(settings).map(|kept| Metrics::new(kept, Arc::clone(tallies), &About::default()))
}

/// Runs a worker in paused time beside `act`, then ends it and returns what it counted.
async fn play(
    variables: &[(&str, &str)],
    scripts: [Script; 3],
    act: impl AsyncFnOnce(&Scene),
) -> (Scene, crate::Counts) {
    play_with(variables, scripts, None, act).await
}

/// The same with a spool in this directory.
async fn play_with(
    variables: &[(&str, &str)],
    scripts: [Script; 3],
    directory: Option<&TempDir>,
    act: impl AsyncFnOnce(&Scene),
) -> (Scene, crate::Counts) {
    play_all(variables, scripts, directory, None, act).await
}

/// The same with spans of the control plane.
async fn play_all(
    variables: &[(&str, &str)],
    [traces, logs, metrics]: [Script; 3],
    directory: Option<&TempDir>,
    control: Option<ControlSpans>,
    act: impl AsyncFnOnce(&Scene),
) -> (Scene, crate::Counts) {
    let settings = settings(variables);
    let tallies = Arc::new(Tallies::default());
    let traces_wanted = settings.traces.as_ref().map(|_| Tracing::of(&settings));
    let spool = directory.map(|directory| spool(directory, &tallies, 1 << 20));
    let wanted =
        Wanted { traces: traces_wanted, logs: settings.logs.is_some(), details: settings.capture.emits };
    let (slot, inbox) = inbox(ROOM, wanted, Arc::clone(&tallies));
    let (announcer, announced) = announcer(About::default(), wanted.logs, &tallies);
    let (end, ends) = watch::channel(None);
    let wires = Wires {
        traces: settings.traces.as_ref().map(|_| traces.clone()),
        logs: settings.logs.as_ref().map(|_| logs.clone()),
        metrics: settings.metrics.as_ref().map(|_| metrics.clone()),
        spool,
    };
    let worker = Worker::new(
        &settings,
        wires,
        metrics_of(&settings, &tallies),
        (inbox, announced),
        Arc::clone(&tallies),
        ends,
    )
    .with_control(control);
    let scene = Scene { slot, announcer, tallies, end, traces, logs, metrics, start: Instant::now() };
    let local = LocalSet::new();
    let running = local.spawn_local(worker.run());
    local.run_until(act(&scene)).await;
    scene.end.send_replace(Some(Instant::now() + Duration::from_secs(5)));
    local.run_until(running).await.unwrap();
    let counts = scene.tallies.snapshot();
    (scene, counts)
}

impl Scene {
    /// Milliseconds since the start at which requests went.
    fn times(&self, script: &Script) -> Vec<u128> {
        script.sent().into_iter().map(|(at, _)| (at - self.start).as_millis()).collect()
    }

    fn record(&self, number: u64) {
        self.slot.try_record(numbered(answered(), number));
    }
}

async fn pass(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

fn scripts() -> [Script; 3] {
    Default::default()
}

#[tokio::test(start_paused = true)]
async fn every_request_is_a_span_and_the_sending_of_those_is_none() {
    let (tracer, control) = control_spans();
    let _guard = trace(tracer);
    let variables = [("OTEL_METRICS_EXPORTER", "none")];
    let (scene, counts) = play_all(&variables, scripts(), None, Some(control), async |scene| {
        scene.record(1);
        pass(60_000).await;
    })
    .await;
    assert_eq!(scene.logs.sent().len(), 1);
    let bodies = scene.traces.bodies();
    assert_eq!(bodies.len(), 2, "the call's spans, then the spans of both requests, then nothing more");
    let request = ExportTraceServiceRequest::decode(bodies[1].clone()).unwrap();
    let scope = &request.resource_spans[0].scope_spans[0];
    let names: Vec<&str> = scope.spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["export", "export"]);
    let of_call = schema::span_count(&answered());
    assert_eq!(counts.traces, count(of_call + 2, of_call + 2));
    assert_eq!(counts.calls, count(1, 1), "they are no calls");
}

/// A count of whose items these were lost.
fn lost<const N: usize>(seen: u64, exported: u64, dropped: [(DropCause, u64); N]) -> Count {
    let dropped = Drops::from(dropped);
    Count { seen, exported, waiting: seen - exported - dropped.total(), dropped, ..Count::default() }
}

/// A count of which nothing was lost.
fn count(seen: u64, exported: u64) -> Count {
    lost(seen, exported, [])
}

#[tokio::test(start_paused = true)]
async fn a_call_becomes_a_record_and_spans_within_a_second_and_metrics_within_ten() {
    let (scene, counts) = play(&[], scripts(), async |scene| {
        pass(3000).await;
        scene.record(1);
        scene.record(2);
        assert_eq!(scene.tallies.snapshot().calls, count(2, 0));
        pass(7500).await;
    })
    .await;
    assert_eq!(scene.times(&scene.traces), [4000]);
    assert_eq!(scene.times(&scene.logs), [4000]);
    // One at ten seconds, one at the end.
    assert_eq!(scene.times(&scene.metrics), [10_000, 10_500]);
    assert_eq!((counts.calls, counts.logs, counts.traces), (count(2, 2), count(2, 2), count(4, 4)));
    assert_eq!(counts.metrics.seen, counts.metrics.exported);

    let spans = ExportTraceServiceRequest::decode(scene.traces.bodies()[0].clone()).unwrap();
    assert_eq!(spans.resource_spans[0].scope_spans[0].spans.len(), 4);
    let logs = ExportLogsServiceRequest::decode(scene.logs.bodies()[0].clone()).unwrap();
    assert_eq!(logs.resource_logs[0].scope_logs[0].log_records.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_leaves_at_once() {
    let (scene, _) = play(&[], scripts(), async |scene| {
        pass(3000).await;
        scene.slot.try_record(Arc::new(failed()));
        pass(1).await;
        assert_eq!(scene.tallies.snapshot().calls, count(1, 1));
    })
    .await;
    assert_eq!((scene.times(&scene.traces), scene.times(&scene.logs)), (vec![3000], vec![3000]));
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_the_user_set_is_honoured_for_failed_calls_too() {
    let delays = [
        ("OTEL_BSP_SCHEDULE_DELAY", "30000"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "7000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "20000"),
    ];
    let (scene, _) = play(&delays, scripts(), async |scene| {
        scene.slot.try_record(Arc::new(failed()));
        pass(31_000).await;
    })
    .await;
    assert_eq!(scene.times(&scene.traces), [30_000]);
    assert_eq!(scene.times(&scene.logs), [7000]);
    assert_eq!(scene.times(&scene.metrics), [20_000, 31_000]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_end_close_together_wake_the_thread_once() {
    let (slot, mut inbox) = inbox(
        ROOM,
        Wanted { traces: Some(Tracing::of(&settings(&[]))), logs: true, details: false },
        Arc::new(Tallies::default()),
    );
    let local = LocalSet::new();
    let visits = local.spawn_local(async move {
        let mut visits = Vec::new();
        while visits.iter().sum::<u32>() < 101 {
            inbox.ready().await;
            visits.push((0u32..).take_while(|_| inbox.take().is_some()).count() as u32);
        }
        visits
    });
    local
        .run_until(async {
            pass(1000).await;
            for number in 0..100 {
                slot.try_record(numbered(answered(), number));
                pass(5).await;
            }
            slot.try_record(numbered(answered(), 100));
        })
        .await;
    let visits = local.run_until(visits).await.unwrap();
    assert_eq!(visits[0], 1, "the first is looked at when it comes");
    assert!(visits.len() <= 12, "{visits:?}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_takes_only_spans_gets_the_spans() {
    let [traces, logs, metrics] = scripts();
    let scripts = [traces, logs.reply(refused()), metrics.reply(refused())];
    let (scene, counts) = play(&[], scripts, async |scene| {
        for number in 0..20 {
            scene.record(number);
            pass(2000).await;
        }
    })
    .await;
    assert_eq!(counts.traces, count(40, 40));
    assert_eq!(counts.logs, lost(20, 0, [(DropCause::Refused, 20)]));
    assert_eq!(counts.calls, count(20, 20), "its spans arrived");
    assert_eq!(scene.times(&scene.logs).len(), 1, "not asked again for a while");
    assert_eq!((counts.metrics.exported, counts.metrics.waiting), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_an_endpoint_is_said_once_for_all_signals() {
    let said = Said::listen();
    let down = || Script::default().reply(unreachable()).reply(unreachable());
    let every_second = [("OTEL_METRIC_EXPORT_INTERVAL", "1000")];
    let (_, counts) = play(&every_second, [down(), down(), down()], async |scene| {
        scene.record(1);
        pass(30_000).await;
    })
    .await;
    assert_eq!(said.lines("telemetry waits").len(), 1);
    assert_eq!(said.lines("flows again").len(), 1);
    assert_eq!(counts.calls, count(1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_of_which_nothing_arrives_is_dropped() {
    let [traces, logs, metrics] = scripts();
    let scripts = [traces.reply(unreachable()), logs.reply(refused()), metrics];
    let (_, counts) = play(&[], scripts, async |scene| scene.record(1)).await;
    assert_eq!(counts.calls, lost(1, 0, [(DropCause::Refused, 1)]), "its record's cause, not its spans'");
    let spans = lost(2, 0, [(DropCause::Ended, 2)]);
    assert_eq!((counts.traces, counts.logs), (spans, lost(1, 0, [(DropCause::Refused, 1)])));
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_app_does_not_sample_has_a_record_but_no_span() {
    let (scene, counts) = play(&[], scripts(), async |scene| {
        let mut call = answered();
        call.span.flags = 0;
        scene.slot.try_record(Arc::new(call));
        pass(2000).await;
    })
    .await;
    assert!(scene.traces.sent().is_empty());
    assert_eq!((counts.calls, counts.logs, counts.traces), (count(1, 1), count(1, 1), count(0, 0)));
}

#[tokio::test(start_paused = true)]
async fn signals_that_are_switched_off_are_neither_sent_nor_counted() {
    let off = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
    let (scene, counts) = play(&off, scripts(), async |scene| scene.record(1)).await;
    assert!(scene.traces.sent().is_empty() && scene.logs.sent().is_empty());
    assert_eq!(scene.metrics.sent().len(), 1);
    assert_eq!((counts.logs, counts.traces, counts.calls), (count(0, 0), count(0, 0), count(1, 1)));
}

#[tokio::test(start_paused = true)]
async fn what_the_inbox_cannot_hold_is_dropped_and_counted_where_it_happens() {
    let (_, counts) = play(
        &[("OTEL_BLRP_MAX_QUEUE_SIZE", "5000"), ("OTEL_BSP_MAX_QUEUE_SIZE", "5000")],
        scripts(),
        async |scene| {
            // The worker shares this thread and cannot run in between.
            let room = ROOM as u64;
            (0..room + 10).for_each(|number| scene.record(number));
            let counts = scene.tallies.snapshot();
            assert_eq!(counts.calls, lost(room + 10, 0, [(DropCause::NoRoom, 10)]));
            assert_eq!((counts.logs.dropped.total(), counts.traces.dropped.total()), (10, 20));
        },
    )
    .await;
    assert_eq!(counts.calls, lost(ROOM as u64 + 10, ROOM as u64, [(DropCause::NoRoom, 10)]));
}

#[tokio::test(start_paused = true)]
async fn the_end_comes_in_time_and_what_was_not_taken_is_dropped() {
    let slow = || Script::default().then(Duration::from_secs(3600), Reply::Taken);
    let start = Instant::now();
    let (scene, counts) = play(&[], [slow(), slow(), slow()], async |scene| {
        scene.record(1);
        pass(1500).await;
        scene.record(2);
    })
    .await;
    assert_eq!(start.elapsed(), Duration::from_millis(6500), "one and a half, and five to end");
    let ended = |items| lost(items, 0, [(DropCause::Ended, items)]);
    assert_eq!((counts.calls, counts.traces, counts.logs), (ended(2), ended(4), ended(2)));
    assert_eq!(counts.metrics.seen, counts.metrics.dropped.of(DropCause::Ended));
    scene.record(3);
    assert_eq!(scene.tallies.snapshot().calls, ended(3), "after the end calls are dropped where they come");
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_calls_handed_over_just_before() {
    let (scene, counts) =
        play(&[], scripts(), async |scene| (0..700).for_each(|number| scene.record(number))).await;
    assert_eq!(counts.calls, count(700, 700));
    assert_eq!(scene.logs.sent().len(), 2, "512 and 188");
}

/// An endpoint that is not there for so many requests.
fn away(times: usize) -> Script {
    (0..times).fold(Script::default(), |script, _| script.reply(unreachable()))
}

#[tokio::test(start_paused = true)]
async fn a_call_is_in_the_spool_with_its_record_until_the_record_arrives() {
    let directory = TempDir::new().unwrap();
    let [_, _, metrics] = scripts();
    let (_, counts) = play_with(&[], [away(99), away(99), metrics], Some(&directory), async |scene| {
        scene.record(0);
        pass(1100).await;
        scene.record(1);
        pass(100).await;
        let counts = scene.tallies.snapshot();
        assert_eq!(counts.calls, Count { seen: 2, spooled: 2, ..Count::default() }, "each at once");
        pass(3000).await;
    })
    .await;
    let kept = Count { seen: 2, spooled: 2, ..Count::default() };
    assert_eq!((counts.calls, counts.logs, counts.traces.spooled), (kept, kept, counts.traces.seen));

    let (scene, counts) = play_with(&[], scripts(), Some(&directory), async |_| pass(100).await).await;
    let home = Count { recovered: 2, exported: 2, ..Count::default() };
    assert_eq!((counts.calls, counts.logs), (home, home));
    assert_eq!(scene.logs.sent().len(), 1, "two requests as one");
    let request = ExportLogsServiceRequest::decode(scene.logs.bodies()[0].clone()).unwrap();
    assert_eq!(request.resource_logs.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_spans_arrived_is_not_counted_again_with_its_record() {
    let directory = TempDir::new().unwrap();
    let [traces, _, metrics] = scripts();
    let (_, counts) = play_with(&[], [traces, away(3), metrics], Some(&directory), async |scene| {
        scene.record(0);
        pass(1100).await;
        let counts = scene.tallies.snapshot();
        assert_eq!((counts.calls, counts.logs.spooled), (count(1, 1), 1));
        pass(30_000).await;
    })
    .await;
    assert_eq!((counts.calls, counts.logs), (count(1, 1), count(1, 1)));
}

#[tokio::test(start_paused = true)]
async fn without_records_a_call_is_where_its_spans_are() {
    let directory = TempDir::new().unwrap();
    let [_, logs, metrics] = scripts();
    let scripts = [away(99), logs.reply(refused()), metrics];
    let (_, counts) = play_with(&[], scripts, Some(&directory), async |scene| {
        scene.record(1);
        pass(10_000).await;
        // The record of this one is refused where it comes.
        scene.record(2);
        pass(10_000).await;
    })
    .await;
    assert_eq!(counts.logs, lost(2, 0, [(DropCause::Refused, 2)]));
    assert_eq!(counts.traces.spooled, 4);
    assert_eq!((counts.calls.spooled, counts.calls.waiting), (1, 0));
    assert_eq!(counts.calls.seen, counts.calls.spooled + counts.calls.dropped.total());
}

#[tokio::test(start_paused = true)]
async fn a_request_of_the_spool_that_is_too_large_is_halved_until_it_passes() {
    let large = || Reply::TooLarge { why: "HTTP status 413".to_owned() };
    let directory = TempDir::new().unwrap();
    let [_, _, metrics] = scripts();
    let scripts = [away(1).reply(large()).reply(large()), away(1).reply(large()).reply(large()), metrics];
    let (scene, counts) = play_with(&[], scripts, Some(&directory), async |scene| {
        (0..5).for_each(|number| scene.record(number));
        pass(10_000).await;
    })
    .await;
    let sizes: Vec<usize> = scene
        .logs
        .bodies()
        .into_iter()
        .map(|body| {
            let request = ExportLogsServiceRequest::decode(body).unwrap();
            request.resource_logs.iter().map(|one| one.scope_logs[0].log_records.len()).sum()
        })
        .collect();
    assert_eq!(sizes, [5, 5, 2, 1, 1, 3]);
    assert_eq!((counts.logs, counts.calls, counts.traces), (count(5, 5), count(5, 5), count(10, 10)));
}

/// What may happen.
#[derive(Debug, Clone)]
enum Step {
    Record {
        failed: bool,
        sampled: bool,
    },
    Pass(u64),
    /// The end is ordered; calls may still come.
    End,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (any::<bool>(), any::<bool>()).prop_map(|(failed, sampled)| Step::Record { failed, sampled }),
        4 => (0u64..20_000).prop_map(Step::Pass),
        1 => Just(Step::End),
    ]
}

fn any_script() -> impl Strategy<Value = Vec<(u64, u8, u64)>> {
    proptest::collection::vec((0u64..4000, 0u8..10, 0u64..4), 0..12)
}

/// An endpoint that answers so; each answer is a time, a kind and how many items of a partial success are lost.
fn script(answers: Vec<(u64, u8, u64)>) -> Script {
    answers.into_iter().fold(Script::default(), |script, (after, kind, lost)| {
        let why = String::new();
        let reply = match kind {
            0..4 => Reply::Taken,
            4 => Reply::Partly { lost, why },
            5 => busy(None),
            6 => unreachable(),
            7 => refused(),
            8 => Reply::TooLarge { why },
            _ => Reply::Rejected { why, mend: "" },
        };
        script.then(Duration::from_millis(after), reply)
    })
}

/// Items that the endpoint took, by its own account.
fn took(script: &Script, items: impl Fn(Bytes) -> usize) -> u64 {
    script.taken().into_iter().map(|(body, lost)| (items(body) as u64).saturating_sub(lost)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Calls come in any order, endpoints answer anything, rooms are small, the end comes when it comes or the worker is
    /// torn down: at every moment what is seen is exported, waiting or dropped by a cause; in the end nothing waits, and
    /// exported is what the endpoints say they took.
    #[test]
    fn whatever_happens_every_call_is_accounted_for(
        steps in proptest::collection::vec(any_step(), 0..80),
        answers in (any_script(), any_script(), any_script()),
        torn_down in any::<bool>(),
        room in proptest::option::of(0i64..20_000),
    ) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let settings = settings(&[
                ("OTEL_BLRP_MAX_QUEUE_SIZE", "6"),
                ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "3"),
                ("OTEL_BSP_MAX_QUEUE_SIZE", "9"),
                ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"),
            ]);
            let tallies = Arc::new(Tallies::default());
            let wanted = Wanted { traces: Some(Tracing::of(&settings)), logs: true, details: false };
            let (slot, inbox) = inbox(4, wanted, Arc::clone(&tallies));
            let (_announcer, announced) = announcer(About::default(), true, &tallies);
            let (end, ends) = watch::channel(None);
            let (traces, logs, metrics) = (script(answers.0), script(answers.1), script(answers.2));
            let directory = TempDir::new().unwrap();
            let spool = room.map(|room| spool(&directory, &tallies, room));
            let wires =
                Wires { traces: Some(traces.clone()), logs: Some(logs.clone()), metrics: Some(metrics), spool };
            let worker = Worker::new(&settings, wires, metrics_of(&settings, &tallies), (inbox, announced), Arc::clone(&tallies), ends);
            let local = LocalSet::new();
            let running = local.spawn_local(worker.run());
            let (mut recorded, mut events) = (0, 0);
            let mut last = tallies.snapshot();
            for step in steps {
                match step {
                    Step::Record { failed: fails, sampled } => {
                        let mut call = if fails { failed() } else { answered() };
                        call.span.flags = sampled.into();
                        slot.try_record(numbered(call, recorded));
                        recorded += 1;
                        // A failure is an event as well.
                        events += u64::from(fails);
                    }
                    Step::Pass(time) => local.run_until(pass(time)).await,
                    Step::End => {
                        end.send_replace(Some(Instant::now() + Duration::from_secs(5)));
                    }
                }
                let counts = tallies.snapshot();
                for ((kind, now), (_, before)) in counts.each().into_iter().zip(last.each()) {
                    assert_eq!(now.seen, now.exported + now.waiting + now.spooled + now.dropped.total(), "{kind}");
                    assert!(now.exported >= before.exported, "{kind}");
                    assert!(now.dropped.each().all(|(cause, lost)| lost >= before.dropped.of(cause)), "{kind}");
                }
                assert_eq!((counts.calls.seen, counts.logs.seen), (recorded, recorded + events));
                last = counts;
            }
            if torn_down {
                running.abort();
            } else {
                end.send_replace(Some(Instant::now() + Duration::from_secs(5)));
            }
            // Aborted or not, it is over.
            let _ended = local.run_until(running).await;
            drop(local);
            let counts = tallies.snapshot();
            for (kind, count) in counts.each() {
                let settled = count.exported + count.spooled + count.dropped.total();
                assert_eq!((count.waiting, count.seen), (0, settled), "{kind}");
            }
            let log_items = |body| {
                let request = ExportLogsServiceRequest::decode(body).unwrap();
                request.resource_logs.iter().map(|one| one.scope_logs[0].log_records.len()).sum()
            };
            let span_items = |body| {
                let request = ExportTraceServiceRequest::decode(body).unwrap();
                request.resource_spans.iter().map(|one| one.scope_spans[0].spans.len()).sum()
            };
            let took = [took(&logs, log_items), took(&traces, span_items)];
            for (count, took) in [counts.logs, counts.traces].into_iter().zip(took) {
                // The end may come between the halves of what was too large: then both halves are still in the spool.
                assert!(count.exported <= took && took <= count.exported + count.spooled, "{took} of {count:?}");
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn verdicts_go_with_the_records_and_count_among_them() {
    let (scene, counts) = play(&[], scripts(), async |scene| {
        scene.record(1);
        scene.announcer.say(&began(), Timestamp(7));
        pass(3000).await;
    })
    .await;
    let names: Vec<String> = scene
        .logs
        .sent()
        .into_iter()
        .flat_map(|(_, body)| ExportLogsServiceRequest::decode(body).unwrap().resource_logs)
        .flat_map(|logs| logs.scope_logs)
        .flat_map(|logs| logs.log_records)
        .map(|record| record.event_name)
        .collect();
    assert_eq!(names.iter().filter(|name| *name == "outrigger.diagnosis").count(), 1, "{names:?}");
    assert_eq!((counts.logs.seen, counts.logs.exported), (2, 2));
    assert_eq!((counts.calls.seen, counts.calls.exported), (1, 1), "a verdict is no call");
    scene.announcer.say(&began(), Timestamp(8));
    let after = scene.tallies.snapshot().logs;
    assert_eq!((after.seen, after.dropped.total()), (3, 1), "nothing is lost in silence");
}
