//! The spool's directory: one process at a time, one log per signal, bounded in size and age. Blocking; on the spool's thread only.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use super::format::{LONGEST, Label};
use super::load::{Batch, Findings, Load, Most};
use super::log::{Log, private};
use super::sink::Make;
use super::{Command, Entry, Kept, Refusal, Shared, SpoolSettings, index};
use crate::counts::Tallies;
use crate::{DropCause, Signal};

/// The cap where none is set, unless half of what is free is less.
const BYTES: u64 = 128 * 1024 * 1024;
/// Half of what is free below which there is no spool: room for some calls.
const LEAST: u64 = 64 * 1024;
/// A segment's size, of a cap that holds many of them.
const SEGMENT: u64 = 1024 * 1024;
/// Signals that are spooled.
const SIGNALS: [Signal; 2] = [Signal::Traces, Signal::Logs];
/// Name of our own directory inside the one that is given, which may be a volume that others' users made.
const OWN: &str = "telemetry";
/// Its lock.
const LOCK: &str = "lock";

pub(super) struct Disk {
    logs: [Log; 2],
    limit: u64,
    age: Duration,
    tallies: Arc<Tallies>,
    shared: Arc<Shared>,
    /// Held while this process spools; the system lets go of it whatever ends us.
    _lock: File,
    /// Whether it was said that the cap is reached, and has not been cleared since.
    full: bool,
}

impl Disk {
    /// Takes the directory, and what an earlier process left in it.
    ///
    /// # Errors
    /// Why there is no spool, for a person to read.
    pub(super) fn open(
        settings: &SpoolSettings,
        tallies: Arc<Tallies>,
        shared: Arc<Shared>,
        make: impl Fn() -> Make,
    ) -> Result<Disk, String> {
        let directory = own_directory(&settings.directory)?;
        let lock = lock(&directory)?;
        let told = |error: std::io::Error| format!("{}: {error}", directory.display());
        let limit = match settings.bytes {
            Some(bytes) => bytes,
            None => half_of_the_free(&directory).and_then(most).map_err(told)?,
        };
        let segment = (limit / 8).clamp(4096, SEGMENT);
        let mut findings = Vec::new();
        let mut open = |signal| {
            let (log, found) = Log::open(signal, &directory, segment, make())?;
            findings.push((signal, found));
            Ok(log)
        };
        let logs = [open(Signal::Traces).map_err(told)?, open(Signal::Logs).map_err(told)?];
        let disk = Disk { logs, limit, age: settings.age, tallies, shared, _lock: lock, full: false };
        for (signal, found) in findings {
            disk.settle(signal, found);
        }
        for signal in SIGNALS {
            let load = disk.logs[index(signal)].load();
            disk.count(signal, load, |tally, items| {
                tally.recovered(items);
                tally.kept(items);
            });
            if load.items > 0 {
                tracing::info!(
                    directory = %directory.display(), signal = signal.as_str(), items = load.items,
                    "the spool holds telemetry of an earlier run; it is sent before anything newer that cannot leave at once"
                );
            }
            disk.tell_load(signal);
        }
        // Whoever sees a limit sees what was found, too.
        disk.tallies.spool.opened(limit);
        Ok(disk)
    }

    /// Does what a lane asks for.
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Append { signal, entry, answer } => {
                // The lane may have given up at the end: what it counted as lost must not be kept after all.
                if !answer.is_closed() {
                    let kept = self.append(signal, &entry);
                    self.tell_load(signal);
                    let _gone = answer.send(kept);
                }
            }
            Command::Head { signal, most, answer } => {
                let batch = self.head(signal, most);
                self.tell_load(signal);
                let _gone = answer.send(batch);
            }
            Command::Done { signal } => {
                self.logs[index(signal)].done();
                self.tell_load(signal);
            }
            Command::Release { signal } => self.logs[index(signal)].release(),
        }
    }

    fn append(&mut self, signal: Signal, entry: &Entry) -> Kept {
        let needed = entry.body.len() as u64;
        if entry.body.len() > LONGEST || needed > self.limit / 2 {
            return Err(Refusal::TooLong(needed));
        }
        self.expire();
        while self.bytes() + needed > self.limit {
            if !self.evict() {
                return Err(Refusal::NoRoom(format!("its {} bytes are full (spool_bytes)", self.limit)));
            }
        }
        let label = Label { items: entry.items, calls: entry.calls, at: now() };
        self.logs[index(signal)].append(label, &entry.body).map_err(|error| match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Refusal::NoRoom(error.to_string()),
            _ => Refusal::Faulty(error.to_string()),
        })
    }

    fn head(&mut self, signal: Signal, most: Most) -> Option<Batch> {
        let mut findings = Findings::default();
        let oldest = self.oldest();
        let batch = self.logs[index(signal)].head(most, oldest, &mut findings);
        self.settle(signal, findings);
        if batch.is_none() {
            self.full = false;
        }
        batch
    }

    /// Everything is on the disk, as far as the disk lets us.
    pub(super) fn close(&mut self) {
        self.logs.iter_mut().for_each(Log::close);
    }

    fn bytes(&self) -> u64 {
        self.logs.iter().map(Log::bytes).sum()
    }

    /// Gives up the oldest segment of the signal that takes more room: records, which accounting needs, are the smaller.
    fn evict(&mut self) -> bool {
        let mut by_size = SIGNALS;
        by_size.sort_by_key(|signal| std::cmp::Reverse(self.logs[index(*signal)].bytes()));
        for signal in by_size {
            let Some(load) = self.logs[index(signal)].evict() else { continue };
            self.lose(signal, load, DropCause::SpoolFull);
            self.tell_load(signal);
            if !std::mem::replace(&mut self.full, true) {
                tracing::warn!(
                    signal = signal.as_str(),
                    dropped = load.items,
                    limit = self.limit,
                    "the spool is full: the oldest telemetry in it is dropped, from now on without a word; bring the OTLP endpoint back, \
                     or raise spool_bytes (OUTRIGGER_SPOOL_BYTES)"
                );
            }
            return true;
        }
        false
    }

    fn expire(&mut self) {
        let oldest = self.oldest();
        for signal in SIGNALS {
            let expired = self.logs[index(signal)].expire(oldest);
            self.settle(signal, Findings { expired, ..Findings::default() });
            self.tell_load(signal);
        }
    }

    fn oldest(&self) -> u64 {
        now().saturating_sub(u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX))
    }

    fn settle(&self, signal: Signal, findings: Findings) {
        for damage in findings.damage {
            self.tallies.spool.broken(damage.bytes);
            tracing::warn!(
                file = %damage.file.display(), from = damage.from, bytes = damage.bytes,
                "a part of the spool cannot be read: a write was cut short, or the file was damaged; the rest of it is kept"
            );
        }
        if findings.expired != Load::default() {
            self.lose(signal, findings.expired, DropCause::SpoolAge);
            tracing::warn!(
                signal = signal.as_str(),
                dropped = findings.expired.items,
                spool_age_seconds = self.age.as_secs(),
                "telemetry lay in the spool for too long and is dropped; bring the OTLP endpoint back, or raise spool_age"
            );
        }
        self.lose(signal, findings.unreadable, DropCause::SpoolBroken);
    }

    fn lose(&self, signal: Signal, load: Load, cause: DropCause) {
        self.count(signal, load, |tally, items| {
            tally.left(items);
            tally.dropped(cause, items);
        });
    }

    fn count(&self, signal: Signal, load: Load, count: impl Fn(&crate::counts::Tally, u64)) {
        count(self.tallies.of(signal), load.items);
        count(&self.tallies.calls, load.calls);
    }

    fn tell_load(&self, signal: Signal) {
        let items = self.logs[index(signal)].load().items;
        let before = self.shared.held[index(signal)].swap(items, Ordering::Release);
        if before == 0 && items > 0 {
            self.shared.bells[index(signal)].notify_one();
        }
        self.tallies.spool.holds(self.bytes());
    }
}

fn own_directory(given: &Path) -> Result<PathBuf, String> {
    let directory = given.join(OWN);
    let told = |error: std::io::Error| format!("{}: {error}", directory.display());
    DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(told)?;
    let mode = fs::metadata(&directory).map_err(told)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).map_err(told)?;
    }
    Ok(directory)
}

fn lock(directory: &Path) -> Result<File, String> {
    let path = directory.join(LOCK);
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = private().write(true).create(true).truncate(false).open(&path).map_err(told)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!(
            "{} is held by another process; give each process a directory of its own",
            path.display()
        )),
        Err(TryLockError::Error(error)) => Err(told(error)),
    }
}

/// Half of what the volume has for us, what we hold there already included.
fn half_of_the_free(directory: &Path) -> std::io::Result<u64> {
    let volume = rustix::fs::statvfs(directory)?;
    let held: u64 =
        fs::read_dir(directory)?.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum();
    Ok((volume.f_bavail.saturating_mul(volume.f_frsize) + held) / 2)
}

/// The cap where none is set, on a volume with this half. What would hold hardly a call is no spool: memory holds more.
fn most(half: u64) -> std::io::Result<u64> {
    if half < LEAST {
        return Err(std::io::Error::other(format!(
            "its volume has room for {} bytes only; free some, or give the spool a volume of its own",
            half.saturating_mul(2)
        )));
    }
    Ok(BYTES.min(half))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
