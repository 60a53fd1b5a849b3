//! Where the authority outlives a restart of the sidecar: one file in a private directory, replaced by one rename.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

/// Issuing key, issuing certificate and root, PEM.
const FILE: &str = "authority.pem";
/// The sidecar reads it; nobody else does, and nobody writes.
const MODE: u32 = 0o400;

/// What is stored; `None` where nothing was.
pub(crate) fn read(dir: &Path) -> io::Result<Option<Zeroizing<String>>> {
    match std::fs::read_to_string(dir.join(FILE)) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stores it. A crash in between leaves what was there before.
pub(crate) fn write(dir: &Path, text: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let fresh = dir.join(".authority.new");
    // Left over from a start that was broken off.
    let _none = std::fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&fresh)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, dir.join(FILE))?;
    File::open(dir)?.sync_all()
}
