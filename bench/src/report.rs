//! The table that a person reads and the JSON that a program reads.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::Result;
use crate::peers::{Kind, Peer};
use crate::stats::spread;
use crate::workloads::{Figures, Held, Workload};

/// Prints a line.
#[expect(clippy::print_stdout, reason = "a bench's output is its table")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Everything measured in a run.
pub(crate) struct Report {
    awake: bool,
    kinds: &'static [Kind],
    started: Vec<(Kind, f64, u64)>,
    measured: Vec<(usize, Workload, Kind, Figures)>,
    held: Vec<(Kind, Held)>,
}

type Column = (&'static str, fn(&Figures) -> f64);
const COLUMNS: [Column; 4] = [
    ("cpu_us", |figures| figures.cpu),
    ("p50_us", |figures| figures.p50),
    ("p99_us", |figures| figures.p99),
    ("per_second", |figures| figures.rate),
];

impl Report {
    pub(crate) const fn new(awake: bool, kinds: &'static [Kind]) -> Report {
        Report { awake, kinds, started: Vec::new(), measured: Vec::new(), held: Vec::new() }
    }

    pub(crate) fn started(&mut self, peer: &Peer) -> Result<()> {
        if peer.kind != Kind::Direct {
            self.started.push((peer.kind, peer.ready.as_secs_f64() * 1e3, peer.resident()?));
        }
        Ok(())
    }

    pub(crate) fn measured(&mut self, round: usize, workload: Workload, kind: Kind, figures: Figures) {
        self.measured.push((round, workload, kind, figures));
    }

    pub(crate) fn held(&mut self, kind: Kind, held: Held) {
        self.held.push((kind, held));
    }

    /// A figure's values over the rounds, and their ratios to another peer's of the same round.
    fn values(&self, workload: Workload, kind: Kind, column: Column, base: Kind) -> (Vec<f64>, Vec<f64>) {
        let of = |wanted: Kind| {
            self.measured.iter().filter(move |(_, what, who, _)| *what == workload && *who == wanted)
        };
        let values = of(kind).map(|(.., figures)| column.1(figures)).collect();
        let ratios = of(kind)
            .filter_map(|(round, .., figures)| {
                let (.., other) = of(base).find(|(other, ..)| other == round)?;
                Some(column.1(figures) / column.1(other))
            })
            .collect();
        (values, ratios)
    }

    pub(crate) fn finish(self, telemetry: u64, file: Option<&Path>) -> Result<()> {
        say(&format!(
            "\nMedians of the rounds (min..max); × is the ratio of the same round: with rules to the sidecar without, else to nginx. Cores held awake: {}.\n",
            if self.awake { "yes" } else { "no (latencies contain wake-ups)" }
        ));
        let mut workloads = serde_json::Map::new();
        for workload in Workload::ALL {
            if !self.measured.iter().any(|(_, what, ..)| *what == workload) {
                continue;
            }
            say(&format!(
                "{:<34}{:>26}{:>10}{:>22}{:>10}{:>22}",
                workload.name(),
                "CPU µs each",
                "×",
                "p50 µs",
                "×",
                "p99 µs"
            ));
            let mut peers = serde_json::Map::new();
            let peers_of = self.kinds.iter().copied().filter(|kind| workload.covers(*kind));
            for kind in peers_of {
                let mut cells = serde_json::Map::new();
                for column in COLUMNS {
                    let (values, ratios) = self.values(workload, kind, column, kind.compared_with());
                    let ((median, low, high), (ratio, ..)) = (spread(&values), spread(&ratios));
                    cells.insert(
                        column.0.to_owned(),
                        json!({"median": median, "min": low, "max": high, "ratio": ratio}),
                    );
                }
                let cell = |name: &str, digits: usize| {
                    let get = |key: &str| cells[name][key].as_f64().unwrap_or(f64::NAN);
                    format!("{:.digits$} ({:.digits$}..{:.digits$})", get("median"), get("min"), get("max"))
                };
                let ratio = |name: &str| cells[name]["ratio"].as_f64().unwrap_or(f64::NAN);
                say(&format!(
                    "  {:<32}{:>26}{:>10.2}{:>22}{:>10.2}{:>22}",
                    kind.name(),
                    cell("cpu_us", 2),
                    ratio("cpu_us"),
                    cell("p50_us", 0),
                    ratio("p50_us"),
                    cell("p99_us", 0)
                ));
                peers.insert(kind.name().to_owned(), Value::Object(cells));
            }
            workloads.insert(workload.name().to_owned(), Value::Object(peers));
        }
        say("\nStart and memory");
        for (kind, ready, resident) in &self.started {
            say(&format!(
                "  {:<32}ready in {ready:.1} ms, {:.1} MiB after its first request",
                kind.name(),
                mib(*resident)
            ));
        }
        for (kind, held) in &self.held {
            say(&format!(
                "  {:<32}{} streams: {:.1} → {:.1} MiB, {:.1} KiB each; afterwards {:.1} MiB",
                kind.name(),
                held.streams,
                mib(held.before),
                mib(held.peak),
                per_stream(held),
                mib(held.after)
            ));
        }
        say(&format!("  telemetry received: {telemetry} bytes"));
        if let Some(path) = file {
            let whole = json!({
                "cores_held_awake": self.awake,
                "workloads": workloads,
                "start": self.started.iter().map(|(kind, ready, resident)| json!({
                    "peer": kind.name(), "ready_ms": ready, "resident_kib": resident })).collect::<Vec<_>>(),
                "held": self.held.iter().map(|(kind, held)| json!({
                    "peer": kind.name(), "streams": held.streams, "before_kib": held.before, "peak_kib": held.peak,
                    "after_kib": held.after, "kib_per_stream": per_stream(held) })).collect::<Vec<_>>(),
                "telemetry_bytes": telemetry,
            });
            let mut out = std::fs::File::create(path)?;
            writeln!(out, "{whole:#}")?;
            say(&format!("  written to {}", path.display()));
        }
        Ok(())
    }
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn per_stream(held: &Held) -> f64 {
    held.peak.saturating_sub(held.before) as f64 / held.streams as f64
}
