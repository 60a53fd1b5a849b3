//! What the spool's tests share: entries to tell apart, and a disk that fills up or breaks at any byte.

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use super::load::{Findings, Most};
use super::log::Log;
use super::sink::{Make, Sink, files};

/// Reads everything, one entry at a time.
pub(super) fn drain(log: &mut Log, findings: &mut Findings) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    while let Some(batch) = log.head(Most { items: 1, bytes: 0 }, 0, findings) {
        assert_eq!(batch.entries, 1);
        bodies.push(batch.body.to_vec());
        log.done();
    }
    bodies
}

/// A disk with room for so many bytes more.
#[derive(Clone)]
pub(crate) struct Volume {
    room: Arc<AtomicI64>,
    /// Whether a file can be cut when the disk is full.
    cuts: bool,
}

impl Volume {
    pub(crate) fn new(room: i64, cuts: bool) -> Volume {
        Volume { room: Arc::new(AtomicI64::new(room)), cuts }
    }

    pub(crate) fn has_room(&self, room: i64) {
        self.room.store(room, Ordering::Relaxed);
    }

    /// What is left of it.
    pub(crate) fn room(&self) -> i64 {
        self.room.load(Ordering::Relaxed)
    }

    pub(super) fn make(&self) -> Make {
        let (volume, files) = (self.clone(), files());
        Box::new(move |path| Ok(Box::new(Filling { sink: files(path)?, volume: volume.clone(), length: 0 })))
    }
}

struct Filling {
    sink: Box<dyn Sink>,
    volume: Volume,
    length: u64,
}

impl Sink for Filling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(self.volume.room.load(Ordering::Relaxed)).unwrap_or(0).min(bytes.len());
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // Half of it at a time: a write may be short.
        let written = self.sink.write(&bytes[..room.div_ceil(2)])?;
        self.length += written as u64;
        self.volume.room.fetch_sub(i64::try_from(written).unwrap(), Ordering::Relaxed);
        Ok(written)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        if !self.volume.cuts {
            return Err(io::ErrorKind::Other.into());
        }
        self.sink.cut(length)?;
        let freed = self.length.saturating_sub(length);
        self.volume.room.fetch_add(i64::try_from(freed).unwrap(), Ordering::Relaxed);
        self.length = length;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Other.into())
    }
}

/// Open as long as its sender is.
pub(crate) type Hold = Arc<Mutex<mpsc::Receiver<()>>>;

/// Files that are not written before the hold is closed.
pub(super) fn hanging(hold: &Hold) -> Make {
    let (hold, files) = (Arc::clone(hold), files());
    Box::new(move |path| Ok(Box::new(Hanging { sink: files(path)?, hold: Arc::clone(&hold) })))
}

struct Hanging {
    sink: Box<dyn Sink>,
    hold: Hold,
}

impl Sink for Hanging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _closed = self.hold.lock().unwrap().recv();
        self.sink.write(bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.sink.cut(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sink.sync()
    }
}
