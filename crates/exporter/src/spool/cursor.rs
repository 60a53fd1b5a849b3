//! Up to where a log has been sent, kept beside it. Losing it costs duplicates, which their ids give away, never an item.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::format::u64_at;
use super::log::private;

/// A place in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The segment's number.
    pub(crate) segment: u64,
    /// The byte in it.
    pub(crate) at: usize,
}

/// segment u64 | byte u64 | crc u32, written over itself.
const LENGTH: usize = 20;

pub(super) struct Cursor {
    file: Option<File>,
    place: Option<Place>,
}

impl Cursor {
    /// Reads the one that is there. Without a file that can be written a restart sends again what was sent.
    pub(super) fn open(path: &Path) -> Cursor {
        let file = private().read(true).write(true).create(true).truncate(false).open(path);
        if let Err(error) = &file {
            tracing::warn!(file = %path.display(), %error, "the spool cannot keep its place; a restart may send some telemetry twice");
        }
        let file = file.ok();
        let place = file.as_ref().and_then(|file| {
            let mut bytes = [0; LENGTH];
            file.read_exact_at(&mut bytes, 0).ok()?;
            let good = crc32c::crc32c(&bytes[..16]).to_le_bytes() == bytes[16..];
            let at = usize::try_from(u64_at(&bytes, 8)).ok()?;
            good.then(|| Place { segment: u64_at(&bytes, 0), at })
        });
        Cursor { file, place }
    }

    /// The place that was kept.
    pub(super) const fn place(&self) -> Option<Place> {
        self.place
    }

    pub(super) fn save(&mut self, place: Place) {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(&place.segment.to_le_bytes());
        bytes[8..16].copy_from_slice(&(place.at as u64).to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..16]);
        bytes[16..].copy_from_slice(&crc.to_le_bytes());
        // A full disk may refuse it: then a restart sends some of it again.
        let _kept = self.file.as_ref().map(|file| file.write_all_at(&bytes, 0));
        self.place = Some(place);
    }
}
