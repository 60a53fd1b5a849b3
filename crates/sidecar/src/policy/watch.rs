//! Notices that the rules' folder changed. A thread of its own: it sleeps until the system says so.
//!
//! Whatever happens in the folder only wakes it; what counts is what the file then holds. So a missed event costs time, never
//! truth: it looks anyway every few seconds, which also serves volumes that send no events.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::Policies;

/// Events that follow within this time are one change.
const QUIET: Duration = Duration::from_millis(50);
/// A folder that does not come to rest is looked at after all.
const LONGEST: Duration = Duration::from_secs(1);
/// How often it looks without being told to.
const EVERY: Duration = Duration::from_secs(5);

/// Watches until it is dropped.
pub(crate) struct Watching {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watching {
    /// `None` where it cannot be watched, which is said: the rules that hold go on.
    pub(super) fn start(folder: PathBuf, policies: Arc<Policies>) -> Option<Watching> {
        let start = || -> std::io::Result<Watching> {
            let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
            let stopped = Arc::clone(&stop);
            // Without events it still looks.
            let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
            let watcher = Watcher { folder, events, stopped };
            let thread = std::thread::Builder::new()
                .name("outrigger-rules".to_owned())
                .spawn(move || watcher.run(&policies))?;
            Ok(Watching { stop, thread: Some(thread) })
        };
        start()
            .inspect_err(|error| tracing::error!(%error, "rules: changes will not be noticed; the rules that hold go on"))
            .ok()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Its counter holds far more than one.
        let _told = rustix::io::write(&*self.stop, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

#[derive(PartialEq, Eq)]
enum Woken {
    ByChange,
    ByTime,
    ToStop,
}

struct Watcher {
    folder: PathBuf,
    events: Option<OwnedFd>,
    stopped: Arc<OwnedFd>,
}

impl Watcher {
    fn run(&self, policies: &Policies) {
        loop {
            // Before each look, so that nothing falls between; a folder that was replaced is another one.
            self.listen();
            policies.reload();
            match self.wait(EVERY) {
                Woken::ToStop => return,
                Woken::ByTime => continue,
                Woken::ByChange => {}
            }
            let begun = Instant::now();
            while begun.elapsed() < LONGEST {
                match self.wait(QUIET) {
                    Woken::ToStop => return,
                    Woken::ByTime => break,
                    Woken::ByChange => {}
                }
            }
        }
    }

    fn listen(&self) {
        let Some(events) = &self.events else { return };
        let changes = WatchFlags::CREATE
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF;
        if let Err(error) = inotify::add_watch(events, &self.folder, changes) {
            tracing::debug!(%error, folder = %self.folder.display(), "rules: the folder sends no events");
        }
    }

    fn wait(&self, most: Duration) -> Woken {
        let timeout = Timespec::try_from(most).ok();
        let mut wanted = vec![PollFd::new(&*self.stopped, PollFlags::IN)];
        wanted.extend(self.events.iter().map(|events| PollFd::new(events, PollFlags::IN)));
        // Interrupted: as if nothing had happened.
        let woken = poll(&mut wanted, timeout.as_ref()).unwrap_or(0);
        let is_ready = |at: usize| wanted.get(at).is_some_and(|one| !one.revents().is_empty());
        if is_ready(0) {
            Woken::ToStop
        } else if woken > 0 && is_ready(1) {
            self.drain();
            Woken::ByChange
        } else {
            Woken::ByTime
        }
    }

    /// Takes the events away; which they were does not matter.
    fn drain(&self) {
        let mut buffer = [0u8; 4096];
        let Some(events) = &self.events else { return };
        while rustix::io::read(events, &mut buffer).is_ok_and(|count| count > 0) {}
    }
}
