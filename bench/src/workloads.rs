//! What is asked of every peer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Result;
use crate::client::{Client, request};
use crate::peers::{Kind, Peer};
use crate::stats::percentile;

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    /// 1 KiB in, 1 KiB out, 16 connections, closed loop.
    Unary,
    /// The same on one connection: latency.
    OneConnection,
    /// The same, answered after 5 ms: what is left of a latency beside a provider's own.
    Thinking,
    /// 100 KiB in, 1 KiB out, 8 connections.
    Large,
    /// A new connection and a full handshake per request.
    Fresh,
    /// 12 streams, an event per millisecond each.
    Paced,
    /// 8 streams, events as fast as they go.
    Burst,
    /// One connection, every second call fails at once and is moved to the backup: its latency. The others keep the breaker closed.
    Moved,
}

/// What one run gave. A figure that a workload does not have is not a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// The peer's CPU time per request or event, µs.
    pub(crate) cpu: f64,
    /// Median latency of a request, or delay of an event, µs.
    pub(crate) p50: f64,
    /// Its 99th percentile, µs.
    pub(crate) p99: f64,
    /// Requests or events per second.
    pub(crate) rate: f64,
}

const PACED_EVENTS: u64 = 200;

impl Workload {
    pub(crate) const ALL: [Workload; 8] = [
        Workload::Unary,
        Workload::OneConnection,
        Workload::Thinking,
        Workload::Large,
        Workload::Fresh,
        Workload::Paced,
        Workload::Burst,
        Workload::Moved,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Workload::Unary => "unary 1 KiB, 16 connections",
            Workload::OneConnection => "unary 1 KiB, one connection",
            Workload::Thinking => "the same, answered after 5 ms",
            Workload::Large => "unary 100 KiB in, 8 connections",
            Workload::Fresh => "new TLS connection per request",
            Workload::Paced => "12 streams, 1 event per ms each",
            Workload::Burst => "8 streams, as fast as they go",
            Workload::Moved => "moved on a 500, one connection",
        }
    }

    /// The variants of the sidecar only answer what telemetry and rules cost.
    pub(crate) fn covers(self, kind: Kind) -> bool {
        match self {
            Workload::Moved => kind == Kind::OutriggerRule,
            Workload::Unary => true,
            Workload::Fresh => matches!(kind, Kind::Direct | Kind::Nginx | Kind::Outrigger),
            _ => !matches!(kind, Kind::OutriggerDark | Kind::OutriggerDown),
        }
    }

    /// Its connections, and what is asked on each.
    fn asked(self) -> (usize, Vec<u8>) {
        match self {
            Workload::Unary => (16, request("", 1024, false)),
            Workload::OneConnection | Workload::Fresh => (1, request("", 1024, false)),
            Workload::Thinking => (1, request("?thinks", 1024, false)),
            Workload::Moved => (1, request("?fails", 1024, false)),
            Workload::Large => (8, request("", 100 * 1024, false)),
            Workload::Paced => (12, request(&format!("?events={PACED_EVENTS}&micros=1000"), 1024, true)),
            Workload::Burst => (8, request(&format!("?events={PACED_EVENTS}"), 1024, true)),
        }
    }

    /// Asks so often on one connection; how many requests or events came of it.
    pub(crate) async fn repeat(self, client: &mut Client, times: u64) -> Result<u64> {
        let (_, request) = self.asked();
        let mut events = 0;
        for _ in 0..times {
            match self {
                Workload::Paced | Workload::Burst => client.stream(&request, |_| events += 1).await?,
                _ => client.unary(&request).await?,
            }
        }
        Ok(if events == 0 { times } else { events })
    }

    /// Runs for about `seconds`.
    pub(crate) async fn run(self, peer: &Peer, seconds: f64) -> Result<Figures> {
        let (connections, request) = self.asked();
        let (request, plain) = (Rc::new(request), Rc::new(self::request("", 1024, false)));
        let times = Rc::new(RefCell::new(Vec::with_capacity(1 << 20)));
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        // Connections are opened before the clock and the CPU count start, except where opening is what is measured.
        let mut clients = Vec::new();
        if self != Workload::Fresh {
            for _ in 0..connections {
                let mut client = Client::open(&peer.route).await?;
                client.unary(&plain).await?;
                clients.push(client);
            }
        }
        let (cpu, started) = (peer.cpu()?, Instant::now());
        let mut tasks = JoinSet::new();
        if self == Workload::Fresh {
            let (route, request, times) = (peer.route.clone(), Rc::clone(&request), Rc::clone(&times));
            tasks.spawn_local(async move {
                while Instant::now() < until {
                    let before = Instant::now();
                    Client::open(&route).await?.unary(&request).await?;
                    times.borrow_mut().push(nanos(before));
                }
                Result::<()>::Ok(())
            });
        }
        for mut client in clients {
            let (request, plain, times) = (Rc::clone(&request), Rc::clone(&plain), Rc::clone(&times));
            tasks.spawn_local(async move {
                while Instant::now() < until {
                    let before = Instant::now();
                    if matches!(self, Workload::Paced | Workload::Burst) {
                        client.stream(&request, |delay| times.borrow_mut().push(delay)).await?;
                        continue;
                    }
                    client.unary(&request).await?;
                    times.borrow_mut().push(nanos(before));
                    if self == Workload::Moved {
                        client.unary(&plain).await?;
                    }
                }
                Result::<()>::Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        let (elapsed, cpu) = (started.elapsed(), peer.cpu()?.saturating_sub(cpu));
        let mut times = times.borrow_mut();
        let count = times.len().max(1) as f64;
        Ok(Figures {
            cpu: cpu.as_secs_f64() * 1e6 / count,
            p50: percentile(&mut times, 0.50) / 1e3,
            p99: percentile(&mut times, 0.99) / 1e3,
            rate: count / elapsed.as_secs_f64(),
        })
    }
}

fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Memory with many slow streams open at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// KiB before.
    pub(crate) before: u64,
    /// KiB at most, while they were open.
    pub(crate) peak: u64,
    /// KiB afterwards.
    pub(crate) after: u64,
    /// How many were open.
    pub(crate) streams: usize,
}

/// Opens `streams` connections, each with one stream of an event per second for 8 s.
pub(crate) async fn hold(peer: &Peer, streams: usize) -> Result<Held> {
    let before = peer.resident()?;
    let request = Rc::new(request("?events=8&micros=1000000", 1024, true));
    let open = Rc::new(Cell::new(streams));
    let mut tasks = JoinSet::new();
    for _ in 0..streams {
        let (route, request, open) = (peer.route.clone(), Rc::clone(&request), Rc::clone(&open));
        tasks.spawn_local(async move {
            let mut client = Client::open(&route).await?;
            client.stream(&request, |_| {}).await?;
            open.set(open.get() - 1);
            Result::<()>::Ok(())
        });
    }
    let mut peak = before;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            done = tasks.join_next() => match done {
                Some(done) => done??,
                None => break,
            },
            _ = tick.tick() => peak = peak.max(peer.resident()?),
        }
    }
    Ok(Held { before, peak, after: peer.resident()?, streams })
}
