//! The admin socket of a program under `exec`, for `outrigger tail`. What goes wrong here is said, and the program runs.

use std::io;
use std::path::Path;
use std::sync::Arc;

use outrigger_contract::private_files::ADMIN_SOCKET;
use outrigger_sidecar::status::Observer;
use outrigger_sidecar::{Admin, Feed};

use crate::output;

/// Opens it in this folder and serves it on a thread of its own, which ends with the process.
pub(super) fn serve(folder: &Path, observer: Arc<Observer>, feed: Feed) {
    let admin = match Admin::open(&folder.join(ADMIN_SOCKET)) {
        Ok(admin) => admin,
        Err(error) => return output::note(&format!("`outrigger tail` cannot watch this program: {error}")),
    };
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("outrigger-admin".to_owned()).spawn(move || {
            if let Err(error) = runtime.block_on(admin.serve(observer, feed)) {
                output::live(&format!("`outrigger tail` cannot watch this program any more: {error}"));
            }
        })?;
        io::Result::Ok(())
    };
    if let Err(error) = run() {
        output::note(&format!("`outrigger tail` cannot watch this program: {error}"));
    }
}
