//! Counts instructions per request or event under valgrind's callgrind: a busy machine makes times say little and changes these not.

use std::fs;
use std::path::Path;

use tokio::process::Command;

use crate::Result;
use crate::client::Client;
use crate::peers::Peer;
use crate::report::say;
use crate::workloads::Workload;

/// What is counted, and how often it is asked; a third as often before the count begins.
const COUNTED: [(Workload, u64); 3] =
    [(Workload::OneConnection, 600), (Workload::Large, 150), (Workload::Burst, 15)];

/// The command in front of a proxy whose instructions are counted.
pub(crate) fn instrument(folder: &Path) -> String {
    let out = folder.display();
    format!(
        "valgrind --quiet --tool=callgrind --instr-atstart=no --separate-threads=yes --callgrind-out-file={out}/%p"
    )
}

/// Counts and prints what each peer executes: its traffic thread, which has the most to do, and all others, of which the exporter's works
/// by the clock.
pub(crate) async fn count(peers: &[Peer], folder: &Path) -> Result<()> {
    say(
        "Thousands of instructions per request or event: the traffic thread, × its ratio to no rules, all other threads.",
    );
    for peer in peers {
        control(peer, "--instr=on").await?;
    }
    for (at, (workload, times)) in COUNTED.into_iter().enumerate() {
        let mut without = None;
        for peer in peers {
            let mut client = Client::open(&peer.route).await?;
            workload.repeat(&mut client, times / 3).await?;
            control(peer, "--zero").await?;
            let done = workload.repeat(&mut client, times).await?;
            control(peer, "--dump").await?;
            let stem = format!("{}.{}-", peer.pid().unwrap_or_default(), at + 1);
            let threads = counted(folder, &stem)?;
            let each = |count: f64| count / done as f64 / 1e3;
            let traffic = each(threads.iter().copied().fold(0.0, f64::max));
            let others = each(threads.iter().sum()) - traffic;
            let ratio = traffic / *without.get_or_insert(traffic);
            let (what, who) = (workload.name(), peer.kind.name());
            say(&format!("  {what:<34}{who:<32}{traffic:>10.1}{ratio:>8.3}{others:>10.1}  {stem}*"));
        }
    }
    Ok(())
}

async fn control(peer: &Peer, order: &str) -> Result<()> {
    let pid = peer.pid().unwrap_or_default().to_string();
    let done = Command::new("callgrind_control").args([order, &pid]).output().await?;
    if !done.status.success() {
        return Err(format!("callgrind_control {order}: {}", String::from_utf8_lossy(&done.stderr)).into());
    }
    Ok(())
}

/// What each thread executed, by the dumps whose names begin so.
fn counted(folder: &Path, stem: &str) -> Result<Vec<f64>> {
    let mut threads = Vec::new();
    for file in fs::read_dir(folder)?.flatten() {
        if file.file_name().to_string_lossy().starts_with(stem) {
            let dump = fs::read_to_string(file.path())?;
            let total = dump.lines().find_map(|line| line.strip_prefix("totals: "));
            threads.push(total.ok_or("valgrind wrote no totals")?.trim().parse()?);
        }
    }
    Ok(threads)
}
