//! A log at its beginning: what an earlier process left is read through once, and what cannot be read is told.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;

use super::super::cursor::Cursor;
use super::super::format::{self, Found, HEADER, Header};
use super::super::load::{Damage, Findings, Load};
use super::super::sink::Make;
use super::{Log, Segment};
use crate::Signal;

impl Log {
    /// Takes up what an earlier process left. Files of a newer version are left alone.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(in crate::spool) fn open(
        signal: Signal,
        directory: &Path,
        segment_bytes: u64,
        make: Make,
    ) -> io::Result<(Log, Findings)> {
        let mut log = Log {
            signal,
            directory: directory.to_owned(),
            segments: VecDeque::new(),
            sink: None,
            make,
            at: HEADER,
            cursor: Cursor::open(&directory.join(format!("{}.cursor", signal.as_str()))),
            flying: None,
            next: 1,
            segment_bytes,
            cache: None,
        };
        let mut numbers: Vec<u64> = fs::read_dir(directory)?
            .filter_map(|entry| number(entry.ok()?.file_name().to_str()?, signal))
            .collect();
        numbers.sort_unstable();
        let mut findings = Findings::default();
        let place = log.cursor.place();
        // Numbers are never used twice: what stands before the cursor counts as sent.
        log.next = place.map_or(1, |place| place.segment + 1);
        for number in numbers {
            log.next = log.next.max(number + 1);
            if place.is_some_and(|place| number < place.segment) {
                log.remove(number);
                continue;
            }
            let read = place.filter(|place| place.segment == number).map_or(HEADER, |place| place.at);
            log.take_up(number, read, &mut findings);
        }
        if let Some(first) = log.segments.front() {
            log.at = place.filter(|place| place.segment == first.number).map_or(HEADER, |place| place.at);
        }
        Ok((log, findings))
    }

    fn take_up(&mut self, number: u64, read: usize, findings: &mut Findings) {
        let file = self.path(number);
        let Ok(bytes) = fs::read(&file) else {
            findings.damage.push(Damage { file, from: 0, bytes: 0 });
            return;
        };
        match format::read_header(&bytes, self.signal) {
            Header::Newer(version) => {
                tracing::warn!(file = %file.display(), version, "a newer version wrote this part of the spool; it is left alone");
                return;
            }
            Header::Good => {}
            Header::Broken => findings.damage.push(Damage {
                file: file.clone(),
                from: 0,
                bytes: bytes.len().min(HEADER) as u64,
            }),
        }
        let length = bytes.len() as u64;
        let mut segment = Segment { number, length, load: Load::default(), newest: 0, told: Vec::new() };
        let mut at = read.max(HEADER);
        while let Some(found) = format::read(&bytes, at, self.signal) {
            at = match found {
                Found::Entry { label, end, .. } => {
                    segment.load.add(label.into());
                    segment.newest = segment.newest.max(label.at);
                    end
                }
                Found::Broken { end } => {
                    segment.told.push(at);
                    findings.damage.push(Damage {
                        file: file.clone(),
                        from: at as u64,
                        bytes: (end - at) as u64,
                    });
                    end
                }
            };
        }
        if segment.load == Load::default() {
            self.remove(number);
        } else {
            self.segments.push_back(segment);
        }
    }
}

fn number(name: &str, signal: Signal) -> Option<u64> {
    let name = name.strip_prefix(signal.as_str())?.strip_prefix('-')?.strip_suffix(".spool")?;
    u64::from_str_radix(name, 16).ok()
}
