//! The last good document, kept in a private directory for a restart: its checksum in a line, then its bytes.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use ring::digest;

const FILE: &str = "rules.last-good";

/// The directory.
pub(super) struct Kept<'a>(pub(super) &'a Path);

fn checksum(document: &[u8]) -> String {
    use std::fmt::Write;

    let digest = digest::digest(&digest::SHA256, document);
    digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _written = write!(hex, "{byte:02x}");
        hex
    })
}

impl Kept<'_> {
    /// Stores it. A crash in between leaves what was there before.
    pub(super) fn write(&self, document: &[u8]) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.0)?;
        let fresh = self.0.join(".rules.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(checksum(document).as_bytes())?;
        file.write_all(b"\n")?;
        file.write_all(document)?;
        file.sync_all()?;
        std::fs::rename(&fresh, self.0.join(FILE))?;
        File::open(self.0)?.sync_all()
    }

    /// What is stored; `None` where nothing is.
    ///
    /// # Errors
    /// It cannot be read, or is not what was stored.
    pub(super) fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let bytes = match std::fs::read(self.0.join(FILE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let document = bytes.get(end + 1..).unwrap_or_default();
        if bytes.get(..end) != Some(checksum(document).as_bytes()) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{FILE} is damaged")));
        }
        Ok(Some(document.to_vec()))
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(self.0.join(FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
