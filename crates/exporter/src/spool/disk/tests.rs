//! The spool's directory: who may use it, and what is given up first.

use bytes::Bytes;
use tempfile::TempDir;

use super::super::Spool;
use super::super::sink::files;
use super::*;
use crate::{Count, Drops};

const HOUR: Duration = Duration::from_secs(3600);

fn settings(directory: &TempDir, bytes: Option<u64>, age: Duration) -> SpoolSettings {
    SpoolSettings { directory: directory.path().join("spool"), bytes, age, content: false }
}

fn open(settings: &SpoolSettings) -> Result<(Disk, Arc<Tallies>), String> {
    let tallies = Arc::new(Tallies::default());
    tallies.spool.named(&settings.directory);
    let disk = Disk::open(settings, Arc::clone(&tallies), Arc::default(), files)?;
    Ok((disk, tallies))
}

fn keep(disk: &mut Disk, tallies: &Tallies, signal: Signal, length: usize) -> Kept {
    let kept = disk.append(signal, &Entry { body: vec![7; length].into(), items: 2, calls: 1 });
    if kept.is_ok() {
        for (tally, items) in [(tallies.of(signal), 2), (&tallies.calls, 1)] {
            tally.saw(items);
            tally.kept(items);
        }
    }
    kept
}

const ALL: Most = Most { items: u64::MAX, bytes: usize::MAX };

#[test]
fn the_directory_is_ours_alone() {
    let place = TempDir::new().unwrap();
    let settings = settings(&place, Some(1 << 20), HOUR);
    let (mut disk, tallies) = open(&settings).unwrap();
    keep(&mut disk, &tallies, Signal::Logs, 10).unwrap();
    let own = settings.directory.join(OWN);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&own), 0o700);
    let files: Vec<_> = fs::read_dir(&own).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 4, "lock, two cursors, a segment: {files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");

    let refused = open(&settings).map(|_| ()).unwrap_err();
    assert!(refused.contains("held by another process"), "{refused}");
    drop(disk);
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
    let (disk, tallies) = open(&settings).unwrap();
    assert_eq!(mode(&own), 0o700);
    assert_eq!(disk.logs[index(Signal::Logs)].load(), Load { items: 2, calls: 1 });
    let count = tallies.of(Signal::Logs).snapshot();
    assert_eq!(count, Count { recovered: 2, spooled: 2, ..Count::default() });
}

#[test]
fn a_directory_that_cannot_be_used_is_said_and_the_lanes_go_without() {
    let place = TempDir::new().unwrap();
    fs::write(place.path().join("spool"), "a file").unwrap();
    let settings = settings(&place, None, HOUR);
    let tallies = Arc::new(Tallies::default());
    let (ended, ends) = std::sync::mpsc::channel::<()>();
    let spool = Spool::start(&settings, &tallies, ended).unwrap();
    let _closed = ends.recv();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let entry = Entry { body: Bytes::from("x"), items: 1, calls: 1 };
        assert_eq!(spool.append(Signal::Logs, entry).await, Err(Refusal::Gone));
        assert_eq!(spool.head(Signal::Logs, ALL).await, None);
    });
    let status = tallies.spool.status().unwrap();
    assert!(status.fault.unwrap().contains("spool"), "the place is named");
    assert_eq!(status.limit, 0);
}

#[test]
fn at_the_cap_the_oldest_of_the_larger_signal_goes_and_is_counted() {
    let place = TempDir::new().unwrap();
    let limit = 64 * 1024;
    let (mut disk, tallies) = open(&settings(&place, Some(limit), HOUR)).unwrap();
    keep(&mut disk, &tallies, Signal::Logs, 3000).unwrap();
    for _ in 0..40 {
        keep(&mut disk, &tallies, Signal::Traces, 3000).unwrap();
        assert!(disk.bytes() <= limit, "{} of {limit}", disk.bytes());
    }
    let (logs, traces) = (tallies.of(Signal::Logs).snapshot(), tallies.of(Signal::Traces).snapshot());
    assert_eq!(logs, Count { seen: 2, spooled: 2, ..Count::default() }, "the smaller signal stays");
    let dropped = traces.dropped.of(DropCause::SpoolFull);
    assert!(dropped >= 38, "{dropped}");
    assert_eq!(
        (traces.spooled, traces.dropped),
        (80 - dropped, Drops::from([(DropCause::SpoolFull, dropped)]))
    );
    assert_eq!(tallies.calls.snapshot().dropped.of(DropCause::SpoolFull), dropped / 2);
    disk.tell_load(Signal::Logs);
    let status = tallies.spool.status().unwrap();
    assert_eq!((status.bytes, status.limit), (disk.bytes(), limit));
    let refused = keep(&mut disk, &tallies, Signal::Logs, 40_000).unwrap_err();
    assert_eq!(refused, Refusal::TooLong(40_000));
}

#[test]
fn what_is_being_sent_is_not_given_up_for_room() {
    let place = TempDir::new().unwrap();
    let (mut disk, tallies) = open(&settings(&place, Some(32 * 1024), HOUR)).unwrap();
    keep(&mut disk, &tallies, Signal::Logs, 3000).unwrap();
    let sent = disk.head(Signal::Logs, ALL).unwrap();
    for _ in 0..20 {
        keep(&mut disk, &tallies, Signal::Logs, 3000).unwrap();
    }
    disk.logs[index(Signal::Logs)].release();
    let again = disk.head(Signal::Logs, Most { items: 2, bytes: 0 }).unwrap();
    assert_eq!(again.place, sent.place);
}

#[test]
fn what_is_too_old_is_dropped_and_counted() {
    let place = TempDir::new().unwrap();
    let settings = settings(&place, Some(1 << 20), HOUR);
    let (mut disk, tallies) = open(&settings).unwrap();
    keep(&mut disk, &tallies, Signal::Logs, 10).unwrap();
    drop(disk);
    let impatient = SpoolSettings { age: Duration::ZERO, ..settings };
    let (mut disk, tallies) = open(&impatient).unwrap();
    let later = now() + 1;
    while now() <= later {
        std::thread::yield_now();
    }
    assert_eq!(disk.head(Signal::Logs, ALL), None);
    let count = tallies.of(Signal::Logs).snapshot();
    let expected = Count { recovered: 2, dropped: [(DropCause::SpoolAge, 2)].into(), ..Count::default() };
    assert_eq!(count, expected);
}

#[test]
fn a_part_that_cannot_be_read_is_told_in_bytes() {
    let place = TempDir::new().unwrap();
    let settings = settings(&place, Some(1 << 20), HOUR);
    let (mut disk, tallies) = open(&settings).unwrap();
    keep(&mut disk, &tallies, Signal::Traces, 100).unwrap();
    drop(disk);
    let file = settings.directory.join(OWN).join("traces-0000000000000001.spool");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let said = crate::testing::Said::listen();
    let (_, tallies) = open(&settings).unwrap();
    assert_eq!(tallies.spool.status().unwrap().broken, 131, "an entry of 132 bytes without its last");
    let lines = said.lines("cannot be read");
    assert!(lines.len() == 1 && lines[0].contains("bytes=131") && lines[0].contains("from=24"), "{lines:?}");
}

#[test]
fn without_a_figure_the_cap_is_the_default_or_half_of_what_is_free() {
    let place = TempDir::new().unwrap();
    let (disk, _) = open(&settings(&place, None, HOUR)).unwrap();
    let free = rustix::fs::statvfs(place.path()).unwrap();
    let half = free.f_bavail * free.f_frsize / 2;
    assert!(disk.limit <= BYTES && (disk.limit == BYTES || disk.limit <= half + half / 8), "{}", disk.limit);
    assert!(disk.limit > 0);
}
