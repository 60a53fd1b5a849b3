//! Everything that our programs said, kept for one last look: no planted secret may be in any of it (`tests/no-secrets`).

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The folder that `tests/run` looks through.
const FOLDER: &str = "OUTRIGGER_TEST_EVIDENCE";

/// Keeps bytes of one kind (`log`, `telemetry`, `page`, `file`). Outside `tests/run` nothing is kept.
///
/// # Panics
/// If the disk does not take them: what is not looked at could hold anything.
pub fn keep(kind: &str, bytes: &[u8]) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from).filter(|_| !bytes.is_empty()) else {
        return;
    };
    let name = format!("{kind}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
    let mut file =
        OpenOptions::new().create_new(true).write(true).open(folder.join(name)).expect("a new file");
    file.write_all(bytes).expect("room on the disk");
}

/// Keeps every file below a folder, as it is now.
///
/// # Panics
/// As [`keep`].
pub fn keep_files(folder: &Path) {
    if std::env::var_os(FOLDER).is_none() {
        return;
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => keep_files(&entry.path()),
            // Sockets cannot be read; what vanishes meanwhile is no evidence.
            Ok(kind) if kind.is_file() => keep("file", &std::fs::read(entry.path()).unwrap_or_default()),
            _ => {}
        }
    }
}
