//! What a segment is written to: a file, or what a test puts in its place.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::log::private;

pub(super) trait Sink: Send {
    /// Writes a part.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Cuts it to a length, at which writing goes on.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Returns when the disk has it.
    fn sync(&mut self) -> io::Result<()>;
}

/// Makes a new one.
pub(super) type Make = Box<dyn Fn(&Path) -> io::Result<Box<dyn Sink>> + Send>;

impl Sink for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(self, bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.flush()?;
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(|_| ())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Segments as files that nobody else may read.
pub(super) fn files() -> Make {
    Box::new(|path| Ok(Box::new(private().write(true).create_new(true).open(path)?)))
}
