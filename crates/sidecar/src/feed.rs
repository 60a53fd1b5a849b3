//! Shows every call that ends to whoever watches them live (`tail`). Once per call, on the thread that hands its record over. Without
//! readers that is one relaxed load of a number, so that nobody pays for what nobody looks at; with them a place in a ring that all
//! of them share. A reader that is slow loses the oldest, counted; it holds nobody up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use outrigger_ledger::{CallRecord, Recorder, Wants};
use tokio::sync::broadcast::{self, error::RecvError};

/// Calls that a reader may lag behind.
const BEHIND: usize = 256;

/// Where calls are shown; its clones are the same.
#[derive(Debug, Clone)]
pub struct Feed(Arc<Ring>);

#[derive(Debug)]
struct Ring {
    readers: AtomicUsize,
    calls: broadcast::Sender<Arc<CallRecord>>,
}

impl Default for Feed {
    fn default() -> Feed {
        Feed(Arc::new(Ring { readers: AtomicUsize::new(0), calls: broadcast::Sender::new(BEHIND) }))
    }
}

impl Feed {
    /// A recorder that shows every record and hands it on.
    #[must_use]
    pub fn shown(&self, next: Arc<dyn Recorder>) -> Arc<dyn Recorder> {
        Arc::new(Shown { ring: Arc::clone(&self.0), next })
    }

    /// Every call that ends from now on.
    pub(crate) fn read(&self) -> Reader {
        self.0.readers.fetch_add(1, Ordering::Relaxed);
        Reader { calls: self.0.calls.subscribe(), ring: Arc::clone(&self.0) }
    }
}

struct Shown {
    ring: Arc<Ring>,
    next: Arc<dyn Recorder>,
}

impl Recorder for Shown {
    fn try_record(&self, record: Arc<CallRecord>) {
        if self.ring.readers.load(Ordering::Relaxed) > 0 {
            // Who has gone by now misses nothing.
            let _gone = self.ring.calls.send(without_content(&record));
        }
        self.next.try_record(record);
    }

    fn wants(&self) -> Wants {
        self.next.wants()
    }
}

/// Bodies are shown to nobody here, and the room that they take is not held while somebody reads.
fn without_content(record: &Arc<CallRecord>) -> Arc<CallRecord> {
    match record.content {
        None => Arc::clone(record),
        Some(_) => Arc::new(CallRecord { content: None, ..CallRecord::clone(record) }),
    }
}

/// What a reader is told.
#[derive(Debug)]
pub(crate) enum Told {
    /// A call has ended.
    Call(Arc<CallRecord>),
    /// So many have ended that it was too slow for.
    Missed(u64),
}

/// One who watches.
pub(crate) struct Reader {
    calls: broadcast::Receiver<Arc<CallRecord>>,
    ring: Arc<Ring>,
}

impl Reader {
    /// The next call; `None` when none can come any more.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        match self.calls.recv().await {
            Ok(record) => Some(Told::Call(record)),
            Err(RecvError::Lagged(missed)) => Some(Told::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.ring.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::StatusCode;
    use outrigger_ledger::{CallId, Room, Timestamp};

    use super::*;
    use crate::testing;

    #[derive(Default)]
    struct Kept(Mutex<Vec<Arc<CallRecord>>>);

    impl Recorder for Kept {
        fn try_record(&self, record: Arc<CallRecord>) {
            self.0.lock().unwrap().push(record);
        }

        fn wants(&self) -> Wants {
            Wants { chunk_times: true, ..Wants::default() }
        }
    }

    fn call(number: u8, room: Option<&Arc<Room>>) -> Arc<CallRecord> {
        testing::call(number, StatusCode::OK, Timestamp(1), room)
    }

    #[tokio::test]
    async fn nothing_is_kept_without_readers_and_a_slow_one_is_told_what_it_lost() {
        let (feed, kept) = (Feed::default(), Arc::new(Kept::default()));
        let recorder = feed.shown(Arc::clone(&kept) as _);
        let before = call(1, None);
        recorder.try_record(Arc::clone(&before));
        let mut reader = feed.read();
        assert_eq!(Arc::strong_count(&before), 2, "here and in the recorder");
        for number in 0..=u8::MAX {
            recorder.try_record(call(number, None));
        }
        recorder.try_record(call(7, None));
        recorder.try_record(call(8, None));
        assert_eq!(kept.0.lock().unwrap().len(), 1 + BEHIND + 2, "whoever reads or does not");
        assert!(recorder.wants().chunk_times, "what the recorder behind it asks for is asked for");
        assert!(matches!(reader.next().await, Some(Told::Missed(2))));
        let Some(Told::Call(first)) = reader.next().await else { panic!("no call") };
        assert_eq!(first.id, CallId([2; 16]));
        drop(reader);
        let after = call(9, None);
        recorder.try_record(Arc::clone(&after));
        assert_eq!(Arc::strong_count(&after), 2, "nobody reads any more");
    }

    #[tokio::test]
    async fn bodies_are_neither_shown_nor_held() {
        let (feed, room) = (Feed::default(), Arc::new(Room::new(1 << 20)));
        let mut reader = feed.read();
        let kept = Arc::new(Kept::default());
        feed.shown(Arc::clone(&kept) as _).try_record(call(1, Some(&room)));
        assert!(room.used() > 0);
        kept.0.lock().unwrap().clear();
        assert_eq!(room.used(), 0);
        assert!(matches!(reader.next().await, Some(Told::Call(record)) if record.content.is_none()));
    }
}
