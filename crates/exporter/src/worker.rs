//! The exporter's thread: spreads calls over the lanes, collects metrics, ends in order.

mod loads;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use outrigger_ledger::{CallRecord, Outcome};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::announcer::Announced;
use crate::control::ControlSpans;
use crate::counts::Tallies;
use crate::herald::Herald;
use crate::inbox::Inbox;
use crate::lane::{Bounds, Content, Freight, Lane, Overflow, Pack, Parts};
use crate::metrics::Metrics;
use crate::schema::{self, Schema, Tracing};
use crate::settings::{Batching, MetricSignal, Temporality};
use crate::spool::Spool;
use crate::transport::Wire;
use crate::{DropCause, Settings, Signal};
use loads::{Call, Collection, Log, Spans};

/// Calls spread in one go before other tasks of the thread get their turn.
const TURN: usize = 256;

/// What carries each signal, and what holds them meanwhile; `None` is off.
pub(crate) struct Wires<W> {
    pub(crate) traces: Option<W>,
    pub(crate) logs: Option<W>,
    pub(crate) metrics: Option<W>,
    pub(crate) spool: Option<Spool>,
}

/// Everything the thread works with.
pub(crate) struct Worker<W: Wire> {
    inbox: Inbox,
    announced: mpsc::Receiver<Announced>,
    /// `None` where none are made, or traces go nowhere.
    control: Option<ControlSpans>,
    traces: Option<Rc<Lane<W, Spans>>>,
    hurry_traces: bool,
    tracing: Tracing,
    logs: Option<Rc<Lane<W, Log>>>,
    hurry_logs: bool,
    details: bool,
    /// Kept also where they are only scraped.
    metrics: Option<Metrics>,
    pushed: Option<MetricsOut<W>>,
    tallies: Arc<Tallies>,
    /// When the thread is to end, once it is to.
    end: watch::Receiver<Option<Instant>>,
    closing: watch::Sender<bool>,
}

struct MetricsOut<W: Wire> {
    lane: Rc<Lane<W, Collection>>,
    interval: Duration,
    schema: Rc<Schema>,
}

impl<W: Wire> MetricsOut<W> {
    fn collect(&self, metrics: &Metrics, tallies: &Tallies) {
        let request = metrics.collect();
        let points = schema::point_count(&request);
        if points > 0 {
            tallies.of(Signal::Metrics).saw(points);
            let body = self.schema.metrics(request);
            self.lane.push(Collection { body, points }, Instant::now(), false);
        }
    }
}

impl<W: Wire + 'static> Worker<W> {
    /// Puts everything together; nothing runs yet.
    pub(crate) fn new(
        settings: &Settings,
        wires: Wires<W>,
        metrics: Option<Metrics>,
        (inbox, announced): (Inbox, mpsc::Receiver<Announced>),
        tallies: Arc<Tallies>,
        end: watch::Receiver<Option<Instant>>,
    ) -> Worker<W> {
        let schema = Rc::new(Schema::new(settings));
        let herald = Rc::new(Herald::default());
        let (closing, closes) = watch::channel(false);
        let spool = wires.spool.map(Rc::new);
        let outfit = Outfit { tallies: &tallies, herald: &herald, closes: &closes, spool: &spool };

        let traces = settings.traces.as_ref().zip(wires.traces).map(|(signal, wire)| {
            let schema = Rc::clone(&schema);
            let pack = move |batch: &[Spans], content: Content| {
                schema.traces(batch.iter().map(Spans::traced), content)
            };
            let endpoint = signal.target.endpoint.base();
            outfit.lane(Signal::Traces, endpoint, wire, Box::new(pack), bounds(signal.batching))
        });
        let logs = settings.logs.as_ref().zip(wires.logs).map(|(signal, wire)| {
            let schema = Rc::clone(&schema);
            let pack =
                move |batch: &[Log], content: Content| schema.logs(batch.iter().map(Log::entry), content);
            let endpoint = signal.target.endpoint.base();
            outfit.lane(Signal::Logs, endpoint, wire, Box::new(pack), bounds(signal.batching))
        });
        let pushed = settings.metrics.as_ref().zip(wires.metrics).map(|(signal, wire)| {
            let pack = |batch: &[Collection], _: Content| {
                batch.first().map(|one| one.body.clone()).unwrap_or_default()
            };
            let endpoint = signal.target.endpoint.base();
            let lane = outfit.lane(Signal::Metrics, endpoint, wire, Box::new(pack), metric_bounds(signal));
            MetricsOut { lane, interval: signal.interval, schema: Rc::clone(&schema) }
        });
        let hurry = |signal: &Option<crate::CallSignal>| signal.as_ref().is_some_and(|it| it.batching.hurry);
        Worker {
            inbox,
            announced,
            control: None,
            traces,
            hurry_traces: hurry(&settings.traces),
            tracing: Tracing::of(settings),
            logs,
            hurry_logs: hurry(&settings.logs),
            details: settings.capture.emits,
            metrics,
            pushed,
            tallies,
            end,
            closing,
        }
    }

    /// The control plane's spans go out among those of calls.
    pub(crate) fn with_control(self, control: Option<ControlSpans>) -> Worker<W> {
        Worker { control: control.filter(|_| self.traces.is_some()), ..self }
    }

    /// Works until told to end, then sends what is held within the time given. Must run inside a `LocalSet`.
    pub(crate) async fn run(mut self) {
        let mut lanes = tokio::task::JoinSet::new();
        if let Some(lane) = self.traces.clone() {
            lanes.spawn_local(async move { lane.run().await });
        }
        if let Some(lane) = self.logs.clone() {
            lanes.spawn_local(async move { lane.run().await });
        }
        if let Some(lane) = self.pushed.as_ref().map(|out| Rc::clone(&out.lane)) {
            lanes.spawn_local(async move { lane.run().await });
        }
        let deadline = self.work().await;
        self.inbox.close();
        self.announced.close();
        if let Some(control) = &mut self.control {
            control.spans.close();
        }
        let orderly = async {
            while let Some(record) = self.inbox.rest().await {
                self.spread(record, Instant::now());
            }
            while let Some(announced) = self.announced.recv().await {
                self.announce(announced);
            }
            while let Some(span) = told(&mut self.control).await {
                self.trace(span);
            }
            self.collect();
            self.closing.send_replace(true);
            while lanes.join_next().await.is_some() {}
        };
        // Whether it ended in time does not matter: what is left is given up either way.
        let _ = tokio::time::timeout_at(deadline, orderly).await;
        // What a lane has asked the disk to keep is either kept by now, or will not be.
        lanes.shutdown().await;
        self.give_up().await;
    }

    /// Spreads calls and collects metrics until the end is ordered; returns when it has to be over.
    async fn work(&mut self) -> Instant {
        let mut end = self.end.clone();
        let interval = self.pushed.as_ref().map_or(Duration::MAX, |out| out.interval);
        let mut next_collection = Instant::now().checked_add(interval);
        loop {
            let collection = async {
                match next_collection {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                deadline = ordered(&mut end) => return deadline,
                () = collection => {
                    self.collect();
                    next_collection = Instant::now().checked_add(interval);
                }
                Some(announced) = self.announced.recv() => self.announce(announced),
                Some(span) = told(&mut self.control) => self.trace(span),
                since = self.inbox.ready() => {
                    for taken in 1.. {
                        let Some(record) = self.inbox.take() else { break };
                        self.spread(record, since);
                        if taken % TURN == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                }
            }
        }
    }

    /// Hands what is wrong to the lane of records, at once: it is what a person waits for.
    fn announce(&self, announced: Announced) {
        if let Some(lane) = &self.logs {
            lane.push(Log::Verdict(announced), Instant::now(), self.hurry_logs);
        }
    }

    /// Hands a span of the control plane to the lane of traces.
    fn trace(&self, span: Vec<u8>) {
        let Some(lane) = &self.traces else { return };
        let lost = self.saw_control();
        if lost > 0 {
            lane.say_lost(lost, "no room left in memory", "they are of the control plane, not of calls");
        }
        lane.push(Spans::Control(span), Instant::now(), false);
    }

    /// Counts a span of the control plane and those that found no room before it, and returns how many these are.
    fn saw_control(&self) -> u64 {
        let lost = self.control.as_ref().map_or(0, ControlSpans::lost);
        let tally = self.tallies.of(Signal::Traces);
        tally.saw(1 + lost);
        tally.dropped(DropCause::NoRoom, lost);
        lost
    }

    /// Collects the metrics that are pushed.
    fn collect(&self) {
        if let (Some(metrics), Some(out)) = (&self.metrics, &self.pushed) {
            out.collect(metrics, &self.tallies);
        }
    }

    /// Hands one call to metrics and lanes.
    fn spread(&mut self, record: Arc<CallRecord>, since: Instant) {
        if let Some(metrics) = &mut self.metrics {
            metrics.observe(&record);
        }
        let failed = record.outcome == Outcome::Failed;
        let traced = self.traces.as_ref().filter(|_| self.tracing.wants(&record));
        let open = u8::from(traced.is_some()) + u8::from(self.logs.is_some());
        let call = Rc::new(Call {
            record,
            open: Cell::new(open),
            recorded: Cell::new(self.logs.is_some()),
            counted: Cell::new(false),
            details: self.details,
            fate: Cell::new(None),
            tallies: Arc::clone(&self.tallies),
        });
        if open == 0 {
            call.count();
        }
        if let Some(lane) = traced {
            lane.push(Spans::Call(Rc::clone(&call), Cell::new(false)), since, failed && self.hurry_traces);
        }
        if let Some(lane) = &self.logs {
            lane.push(Log::Call(call, Cell::new(false)), since, failed && self.hurry_logs);
        }
    }

    /// Counts everything that is left as dropped.
    async fn give_up(&mut self) {
        while let Some(record) = self.inbox.rest().await {
            self.inbox.give_up(&record);
        }
        while self.announced.recv().await.is_some() {
            self.tallies.of(Signal::Logs).dropped(DropCause::Ended, 1);
        }
        while told(&mut self.control).await.is_some() {
            self.saw_control();
            self.tallies.of(Signal::Traces).dropped(DropCause::Ended, 1);
        }
        if let Some(lane) = &self.traces {
            lane.abandon();
        }
        if let Some(lane) = &self.logs {
            lane.abandon();
        }
        if let Some(out) = &self.pushed {
            out.lane.abandon();
        }
    }
}

/// What all lanes share.
struct Outfit<'a> {
    tallies: &'a Arc<Tallies>,
    herald: &'a Rc<Herald>,
    closes: &'a watch::Receiver<bool>,
    spool: &'a Option<Rc<Spool>>,
}

impl Outfit<'_> {
    fn lane<W: Wire, F: Freight>(
        &self,
        signal: Signal,
        endpoint: &str,
        wire: W,
        pack: Pack<F>,
        bounds: Bounds,
    ) -> Rc<Lane<W, F>> {
        Rc::new(Lane::new(Parts {
            signal,
            endpoint: endpoint.to_owned(),
            wire,
            pack,
            bounds,
            tallies: Arc::clone(self.tallies),
            herald: Rc::clone(self.herald),
            // A newer collection of cumulative metrics holds what an older one held; deltas wait in memory.
            spool: self.spool.clone().filter(|_| signal != Signal::Metrics),
            closing: self.closes.clone(),
        }))
    }
}

fn bounds(batching: Batching) -> Bounds {
    Bounds {
        delay: batching.delay,
        queue: batching.queue,
        batch: batching.batch,
        overflow: Overflow::DropNewest,
    }
}

fn metric_bounds(signal: &MetricSignal) -> Bounds {
    // A newer cumulative collection holds all that an older one held. Deltas must each arrive: ten minutes of them
    // are kept.
    let (queue, overflow) = match signal.temporality {
        Temporality::Cumulative => (2, Overflow::Supersede),
        Temporality::Delta | Temporality::LowMemory => (60, Overflow::DropOldest),
    };
    Bounds { delay: Duration::ZERO, queue, batch: 1, overflow }
}

/// The next span of the control plane; nothing where there are none, and after the last.
async fn told(control: &mut Option<ControlSpans>) -> Option<Vec<u8>> {
    control.as_mut()?.spans.recv().await
}

/// Waits for the order to end. Without anybody left to give it, the end is now.
async fn ordered(end: &mut watch::Receiver<Option<Instant>>) -> Instant {
    match end.wait_for(Option::is_some).await {
        Ok(deadline) => deadline.unwrap_or_else(Instant::now),
        Err(_) => Instant::now(),
    }
}

#[cfg(test)]
mod tests;
