//! How the spool is, for the status and the metrics.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How the spool is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolStatus {
    /// Where it is.
    pub directory: PathBuf,
    /// What it takes on disk.
    pub bytes: u64,
    /// The most it may take; 0 while it is not open.
    pub limit: u64,
    /// Bytes in it that could not be read.
    pub broken: u64,
    /// Why there is none after all.
    pub fault: Option<String>,
}

/// The same, as it changes.
#[derive(Debug, Default)]
pub(crate) struct State {
    bytes: AtomicU64,
    limit: AtomicU64,
    broken: AtomicU64,
    place: Mutex<Option<(PathBuf, Option<String>)>>,
}

impl State {
    pub(crate) fn named(&self, directory: &Path) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some((directory.to_owned(), None));
    }

    pub(crate) fn failed(&self, why: String) {
        if let Some((_, fault)) = &mut *self.place.lock().unwrap_or_else(PoisonError::into_inner) {
            *fault = Some(why);
        }
    }

    pub(crate) fn opened(&self, limit: u64) {
        self.limit.store(limit, Ordering::Release);
    }

    pub(crate) fn holds(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Release);
    }

    pub(crate) fn broken(&self, bytes: u64) {
        self.broken.fetch_add(bytes, Ordering::Release);
    }

    /// Nothing where no spool is configured.
    pub(crate) fn status(&self) -> Option<SpoolStatus> {
        let (directory, fault) = self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(SpoolStatus {
            directory,
            bytes: self.bytes.load(Ordering::Acquire),
            limit: self.limit.load(Ordering::Acquire),
            broken: self.broken.load(Ordering::Acquire),
            fault,
        })
    }
}
