//! One signal's log: segments in their order, written at one end and read at the other. Blocking; on the spool's thread only.

mod take_up;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use bytes::Bytes;

use super::cursor::{Cursor, Place};
use super::format::{self, Found, HEADER, Label};
use super::load::{Batch, Damage, Findings, Load, Most};
use super::sink::{Make, Sink};
use crate::Signal;

#[derive(Debug)]
struct Segment {
    number: u64,
    /// Up to where it is whole.
    length: u64,
    /// What was not read yet.
    load: Load,
    /// When its newest entry was written.
    newest: u64,
    /// Where damage begins that was told already.
    told: Vec<usize>,
}

pub(super) struct Log {
    signal: Signal,
    directory: PathBuf,
    segments: VecDeque<Segment>,
    /// Writes the last segment, while it is open.
    sink: Option<Box<dyn Sink>>,
    make: Make,
    /// Up to where the first segment has been read.
    at: usize,
    cursor: Cursor,
    /// What was handed out and neither done nor released: it is not evicted.
    flying: Option<(Load, usize)>,
    next: u64,
    segment_bytes: u64,
    /// The first segment's bytes while it is read.
    cache: Option<(u64, Bytes)>,
}

impl Log {
    /// What is in it.
    pub(super) fn load(&self) -> Load {
        self.segments.iter().fold(Load::default(), |mut sum, segment| {
            sum.add(segment.load);
            sum
        })
    }

    /// What it takes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// Writes one entry. Once this returns the system has it, and the end of this process loses nothing.
    ///
    /// # Errors
    /// The system does not take it; the log is as it was.
    pub(super) fn append(&mut self, label: Label, body: &[u8]) -> io::Result<Place> {
        let bytes = format::entry(self.signal, label, body);
        let full = |segment: &Segment| {
            segment.length > HEADER as u64 && segment.length + bytes.len() as u64 > self.segment_bytes
        };
        if self.sink.is_none() || self.segments.back().is_none_or(full) {
            self.close();
            self.begin(label.at)?;
        }
        let (Some(sink), Some(segment)) = (&mut self.sink, self.segments.back_mut()) else {
            return Err(io::Error::other("there is no segment to write to"));
        };
        if let Err(error) = write_all(&mut **sink, &bytes) {
            // What was written of it goes; where it cannot, nothing more is written behind it.
            if sink.cut(segment.length).is_err() {
                self.sink = None;
            }
            return Err(error);
        }
        segment.length += bytes.len() as u64;
        segment.load.add(label.into());
        segment.newest = segment.newest.max(label.at);
        Ok(Place { segment: segment.number, at: usize::try_from(segment.length).unwrap_or(usize::MAX) })
    }

    fn begin(&mut self, at: u64) -> io::Result<()> {
        let (number, path) = (self.next, self.path(self.next));
        let mut sink = (self.make)(&path)?;
        self.next += 1;
        if let Err(error) = write_all(&mut *sink, &format::header(self.signal, at)) {
            self.remove(number);
            return Err(error);
        }
        self.sink = Some(sink);
        self.segments.push_back(Segment {
            number,
            length: HEADER as u64,
            load: Load::default(),
            newest: at,
            told: Vec::new(),
        });
        if self.segments.len() == 1 {
            self.at = HEADER;
        }
        Ok(())
    }

    /// Ends the segment that is written: what is in it is on the disk, not only with the system.
    pub(super) fn close(&mut self) {
        let Some(mut sink) = self.sink.take() else { return };
        let synced = sink.sync().and_then(|()| File::open(&self.directory)?.sync_all());
        if let Err(error) = synced {
            tracing::debug!(%error, "a segment of the spool is with the system, but not known to be on the disk");
        }
    }

    /// The next requests, which stay until they are done. Nothing when none is left.
    pub(super) fn head(&mut self, most: Most, oldest: u64, findings: &mut Findings) -> Option<Batch> {
        self.flying = None;
        while let Some(bytes) = self.first_bytes(findings) {
            let (mut load, mut entries, mut at) = (Load::default(), Vec::new(), self.at);
            let (mut size, mut moved) = (0, false);
            loop {
                match format::read(&bytes, at, self.signal) {
                    Some(Found::Entry { label, body, end }) => {
                        if label.at < oldest {
                            if entries.is_empty() {
                                findings.expired.add(label.into());
                                self.pass(label.into(), end);
                                (at, moved) = (end, true);
                                continue;
                            }
                            break;
                        }
                        let grown = load.items + u64::from(label.items);
                        if !entries.is_empty() && (grown > most.items || size + body.len() > most.bytes) {
                            break;
                        }
                        load.add(label.into());
                        size += body.len();
                        entries.push(bytes.slice_ref(body));
                        at = end;
                    }
                    Some(Found::Broken { end }) if entries.is_empty() => {
                        self.tell(at, end, findings);
                        self.pass(Load::default(), end);
                        (at, moved) = (end, true);
                    }
                    Some(Found::Broken { .. }) | None => break,
                }
            }
            if moved {
                self.save();
            }
            if entries.is_empty() {
                self.drop_first(findings);
                continue;
            }
            self.flying = Some((load, at));
            let segment = self.segments.front().map_or(0, |segment| segment.number);
            let body = match entries.as_slice() {
                [one] => one.clone(),
                several => several.concat().into(),
            };
            return Some(Batch {
                body,
                entries: entries.len(),
                items: load.items,
                calls: load.calls,
                place: Place { segment, at },
            });
        }
        None
    }

    /// What was handed out last is settled.
    pub(super) fn done(&mut self) {
        let Some((load, end)) = self.flying.take() else { return };
        self.pass(load, end);
        let over = self.segments.front().is_some_and(|first| self.at as u64 >= first.length);
        if over {
            self.drop_first(&mut Findings::default());
        } else {
            self.save();
        }
    }

    /// What was handed out last comes back.
    pub(super) fn release(&mut self) {
        self.flying = None;
        self.cache = None;
    }

    /// Gives up the oldest segment but the one that is being sent. Nothing when there is none.
    pub(super) fn evict(&mut self) -> Option<Load> {
        let index = usize::from(self.flying.is_some());
        let number = self.segments.get(index)?.number;
        if index + 1 == self.segments.len() {
            self.sink = None;
        }
        let load = self.segments.remove(index)?.load;
        if index == 0 {
            self.at = HEADER;
            self.save();
        }
        self.remove(number);
        Some(load)
    }

    /// Gives up whole segments of which everything is older.
    pub(super) fn expire(&mut self, oldest: u64) -> Load {
        let mut expired = Load::default();
        let index = usize::from(self.flying.is_some());
        while self.segments.get(index).is_some_and(|segment| segment.newest < oldest) {
            let Some(load) = self.evict() else { break };
            expired.add(load);
        }
        expired
    }

    fn pass(&mut self, load: Load, end: usize) {
        self.at = end;
        if let Some(first) = self.segments.front_mut() {
            first.load.take(load);
        }
    }

    fn tell(&mut self, at: usize, end: usize, findings: &mut Findings) {
        if let Some(first) = self.segments.front_mut()
            && !first.told.contains(&at)
        {
            first.told.push(at);
            let (file, from, bytes) = (self.path(self.segments[0].number), at as u64, (end - at) as u64);
            findings.damage.push(Damage { file, from, bytes });
        }
    }

    fn drop_first(&mut self, findings: &mut Findings) {
        let Some(first) = self.segments.pop_front() else { return };
        findings.unreadable.add(first.load);
        if self.segments.is_empty() {
            self.sink = None;
        }
        self.cache = None;
        self.at = HEADER;
        self.save();
        self.remove(first.number);
    }

    /// The bytes of the first segment that can be read at all.
    fn first_bytes(&mut self, findings: &mut Findings) -> Option<Bytes> {
        loop {
            let first = self.segments.front()?;
            let (number, length) = (first.number, usize::try_from(first.length).unwrap_or(usize::MAX));
            if let Some((cached, bytes)) = &self.cache
                && *cached == number
                && bytes.len() == length
            {
                return Some(bytes.clone());
            }
            let path = self.path(number);
            let mut bytes = vec![0; length];
            match File::open(&path).and_then(|file| read_whole(&file, &mut bytes)) {
                Ok(()) => {
                    let bytes = Bytes::from(bytes);
                    self.cache = Some((number, bytes.clone()));
                    return Some(bytes);
                }
                Err(error) => {
                    tracing::error!(file = %path.display(), %error, "a part of the spool cannot be read");
                    findings.damage.push(Damage { file: path, from: 0, bytes: first.length });
                    self.drop_first(findings);
                }
            }
        }
    }

    fn save(&mut self) {
        let place = match self.segments.front() {
            Some(first) => Place { segment: first.number, at: self.at },
            None => Place { segment: self.next, at: HEADER },
        };
        self.cursor.save(place);
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{}-{number:016x}.spool", self.signal.as_str()))
    }

    fn remove(&self, number: u64) {
        // What cannot be removed is passed over by the cursor.
        let _gone = fs::remove_file(self.path(number));
    }
}

/// Reads up to the buffer's end; a file that is shorter leaves zeros, which are told as damage.
fn read_whole(file: &File, buffer: &mut [u8]) -> io::Result<()> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], read as u64) {
            Ok(0) => return Ok(()),
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn write_all(sink: &mut dyn Sink, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match sink.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A file for us alone.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(test)]
mod tests;
