//! A certificate from files, read again whenever they change. A pair that does not serve leaves the last good one in place.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::counts::Counts;
use super::shown::Shown;

/// The files, as kubelet mounts a Secret of type `kubernetes.io/tls`.
#[derive(Debug, Clone)]
pub struct Files {
    /// Chain, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// Files that have been read once.
pub(super) struct Followed {
    files: Files,
    seen: Result<Bytes, String>,
}

type Bytes = (Vec<u8>, Vec<u8>);

impl Followed {
    /// Shows what they hold.
    pub(super) fn open(files: Files, shown: &Shown) -> Result<Followed, String> {
        let first = files.bytes()?;
        files.show(&first, shown)?;
        Ok(Followed { files, seen: Ok(first) })
    }

    /// Looks at the files again and again. Kubelet swaps a link, and some volumes send no events, so their bytes are compared.
    pub(super) async fn follow(mut self, every: Duration, shown: Arc<Shown>, counts: Arc<Counts>) {
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            let now = self.files.bytes();
            if now == self.seen {
                continue;
            }
            self.seen = now;
            match self.seen.clone().and_then(|bytes| self.files.show(&bytes, &shown)) {
                Ok(()) => {
                    counts.certificate(true);
                    tracing::info!(certificate = %self.files.certificate.display(), "a new certificate is shown");
                }
                Err(fault) => {
                    counts.certificate(false);
                    tracing::error!("{fault}; the last good certificate is shown on");
                }
            }
        }
    }
}

impl Files {
    fn bytes(&self) -> Result<Bytes, String> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        };
        Ok((read(&self.certificate)?, read(&self.key)?))
    }

    fn show(&self, (chain, key): &Bytes, shown: &Shown) -> Result<(), String> {
        let place = |path: &Path| path.display().to_string();
        shown.show(chain, key, &place(&self.certificate), &place(&self.key))
    }
}
