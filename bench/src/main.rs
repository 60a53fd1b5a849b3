//! `outrigger-bench`: the sidecar against *direct* and nginx, rounds interleaved, ratios to nginx of the same round.
//!
//! This process is client, provider and OTLP sink; `bench/run` pins it to one core and the proxies to another.

mod client;
mod instructions;
mod peers;
mod prose;
mod provider;
mod report;
mod sink;
mod stats;
mod tls;
mod workloads;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::peers::{Kind, Peer};
use crate::report::Report;
use crate::workloads::Workload;

/// What every fallible step here returns: a bench ends at the first thing that is not as it should be.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Parser)]
#[command(version, about = "Measures the sidecar against direct traffic and nginx.")]
struct Arguments {
    /// The `outrigger-sidecar` to measure.
    #[arg(long)]
    sidecar: PathBuf,
    /// The nginx to measure against.
    #[arg(long, default_value = "nginx")]
    nginx: PathBuf,
    /// Command in front of every proxy, such as `taskset -c 1`.
    #[arg(long, default_value = "")]
    pin: String,
    /// Rounds; figures are medians over them.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds per peer, workload and round.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Streams held open at once for the memory figure.
    #[arg(long, default_value_t = 1000)]
    held: usize,
    /// Measure only the loads whose names have this in them.
    #[arg(long, default_value = "")]
    only: String,
    /// Measure only what rules cost: the sidecar with some against the same one without.
    #[arg(long)]
    rules: bool,
    /// Count the instructions of what rules cost under valgrind instead of measuring time, into this folder: a busy machine
    /// changes them little.
    #[arg(long)]
    instructions: Option<PathBuf>,
    /// Where the JSON goes.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default());
    let outcome = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::say(&format!("bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    // A halted virtual core takes some 50 µs to wake, which would hide every proxy; where the file is missing, so be it.
    let awake = peers::keep_cores_awake();
    let dir = tempfile::tempdir()?;
    let authority = tls::Authority::new(dir.path())?;
    let provider = provider::start(&authority).await?;
    let sink = sink::start().await?;
    let instrument = arguments.instructions.as_deref().map(instructions::instrument);
    let setup = peers::Setup {
        arguments_pin: instrument.as_deref().unwrap_or(&arguments.pin),
        dir: dir.path(),
        authority: &authority,
        provider,
        sink: sink.address,
    };

    let rules = arguments.rules || arguments.instructions.is_some();
    let kinds: &[Kind] = if rules { &Kind::RULES } else { &Kind::ALL };
    let mut peers = Vec::new();
    for kind in kinds {
        peers.push(Peer::start(*kind, &setup, &arguments.sidecar, &arguments.nginx).await?);
    }
    if let Some(folder) = &arguments.instructions {
        return instructions::count(&peers, folder).await;
    }
    let mut report = Report::new(awake.is_some(), kinds);
    for peer in &peers {
        report.started(peer)?;
    }
    for round in 0..arguments.rounds {
        for workload in Workload::ALL.into_iter().filter(|load| load.name().contains(&arguments.only)) {
            let mut order: Vec<usize> =
                (0..peers.len()).filter(|at| workload.covers(peers[*at].kind)).collect();
            if order.is_empty() {
                continue;
            }
            let turn = round % order.len();
            order.rotate_left(turn);
            if round % 2 == 1 {
                order.reverse();
            }
            for at in order {
                let figures = workload.run(&peers[at], arguments.seconds).await?;
                report.measured(round, workload, peers[at].kind, figures);
            }
        }
        report::say(&format!("round {} of {} done", round + 1, arguments.rounds));
    }
    let holds = !arguments.rules && arguments.only.is_empty();
    for kind in [Kind::Nginx, Kind::Outrigger].into_iter().filter(|_| holds) {
        // A fresh process: memory that an earlier load left behind is another question.
        let peer = Peer::start(kind, &setup, &arguments.sidecar, &arguments.nginx).await?;
        report.held(kind, workloads::hold(&peer, arguments.held).await?);
    }
    report.finish(sink.received(), arguments.json.as_deref())
}
