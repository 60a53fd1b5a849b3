//! The worker between hand-made calls and endpoints that answer as told, in paused time.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use outrigger_ledger::Recorder as _;
use prost::Message as _;
use tokio::task::LocalSet;

use super::*;
use crate::Count;
use crate::inbox::{ROOM, Slot, Wanted, inbox};
use crate::testing::calls::{answered, failed, numbered};
use crate::testing::{Said, Script, refused, unreachable};

struct Scene {
    slot: Slot,
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

/// Runs a worker in paused time beside `act`, then ends it and returns what it counted.
async fn play(
    variables: &[(&str, &str)],
    [traces, logs, metrics]: [Script; 3],
    act: impl AsyncFnOnce(&Scene),
) -> (Scene, crate::Counts) {
    let settings = settings(variables);
    let tallies = Arc::new(Tallies::default());
    let traces_wanted = settings.traces.as_ref().map(|_| settings.sampler);
    let wanted = Wanted { traces: traces_wanted, logs: settings.logs.is_some() };
    let (slot, inbox) = inbox(ROOM, wanted, Arc::clone(&tallies));
    let (end, ends) = watch::channel(None);
    let wires = Wires {
        traces: settings.traces.as_ref().map(|_| traces.clone()),
        logs: settings.logs.as_ref().map(|_| logs.clone()),
        metrics: settings.metrics.as_ref().map(|_| metrics.clone()),
    };
    let worker = Worker::new(&settings, wires, inbox, Arc::clone(&tallies), ends);
    let scene = Scene { slot, tallies, end, traces, logs, metrics, start: Instant::now() };
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

fn count(seen: u64, exported: u64, dropped: u64) -> Count {
    Count { seen, exported, waiting: seen - exported - dropped, dropped }
}

#[tokio::test(start_paused = true)]
async fn a_call_becomes_a_record_and_spans_within_a_second_and_metrics_within_ten() {
    let (scene, counts) = play(&[], scripts(), async |scene| {
        pass(3000).await;
        scene.record(1);
        scene.record(2);
        assert_eq!(scene.tallies.snapshot().calls, count(2, 0, 0));
        pass(7500).await;
    })
    .await;
    assert_eq!(scene.times(&scene.traces), [4000]);
    assert_eq!(scene.times(&scene.logs), [4000]);
    // One at ten seconds, one at the end.
    assert_eq!(scene.times(&scene.metrics), [10_000, 10_500]);
    assert_eq!((counts.calls, counts.logs, counts.traces), (count(2, 2, 0), count(2, 2, 0), count(4, 4, 0)));
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
        assert_eq!(scene.tallies.snapshot().calls, count(1, 1, 0));
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
    let (slot, mut inbox) =
        inbox(ROOM, Wanted { traces: Some(Sampler::default()), logs: true }, Arc::new(Tallies::default()));
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
    assert_eq!(counts.traces, count(40, 40, 0));
    assert_eq!(counts.logs, count(20, 0, 20));
    assert_eq!(counts.calls, count(20, 20, 0), "its spans arrived");
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
    assert_eq!(counts.calls, count(1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_of_which_nothing_arrives_is_dropped() {
    let [traces, logs, metrics] = scripts();
    let scripts = [traces.reply(unreachable()), logs.reply(refused()), metrics];
    let (_, counts) = play(&[], scripts, async |scene| scene.record(1)).await;
    assert_eq!(counts.calls, count(1, 0, 1));
    assert_eq!((counts.traces, counts.logs), (count(2, 0, 2), count(1, 0, 1)));
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
    assert_eq!((counts.calls, counts.logs, counts.traces), (count(1, 1, 0), count(1, 1, 0), count(0, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn signals_that_are_switched_off_are_neither_sent_nor_counted() {
    let off = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
    let (scene, counts) = play(&off, scripts(), async |scene| scene.record(1)).await;
    assert!(scene.traces.sent().is_empty() && scene.logs.sent().is_empty());
    assert_eq!(scene.metrics.sent().len(), 1);
    assert_eq!((counts.logs, counts.traces, counts.calls), (count(0, 0, 0), count(0, 0, 0), count(1, 1, 0)));
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
            assert_eq!(counts.calls, count(room + 10, 0, 10));
            assert_eq!((counts.logs.dropped, counts.traces.dropped), (10, 20));
        },
    )
    .await;
    assert_eq!(counts.calls, count(ROOM as u64 + 10, ROOM as u64, 10));
}

#[tokio::test(start_paused = true)]
async fn the_end_comes_in_time_and_what_was_not_taken_is_dropped() {
    let slow = || Script::default().then(Duration::from_secs(3600), crate::transport::Reply::Taken);
    let start = Instant::now();
    let (scene, counts) = play(&[], [slow(), slow(), slow()], async |scene| {
        scene.record(1);
        pass(1500).await;
        scene.record(2);
    })
    .await;
    assert_eq!(start.elapsed(), Duration::from_millis(6500), "one and a half, and five to end");
    assert_eq!(counts.calls, count(2, 0, 2));
    assert_eq!((counts.traces, counts.logs), (count(4, 0, 4), count(2, 0, 2)));
    assert_eq!(counts.metrics.seen, counts.metrics.dropped);
    scene.record(3);
    assert_eq!(
        scene.tallies.snapshot().calls,
        count(3, 0, 3),
        "after the end calls are dropped where they come"
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_calls_handed_over_just_before() {
    let (scene, counts) =
        play(&[], scripts(), async |scene| (0..700).for_each(|number| scene.record(number))).await;
    assert_eq!(counts.calls, count(700, 700, 0));
    assert_eq!(scene.logs.sent().len(), 2, "512 and 188");
}
