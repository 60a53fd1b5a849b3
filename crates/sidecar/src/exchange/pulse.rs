//! Streams that fall silent, and responses on WebSockets that do, seen while it lasts: their records come only when somebody gives
//! them up. Per frame: a few cells are set; per stream one small allocation. A look at all of them every few seconds, while there
//! are any.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use outrigger_ledger::{CallId, Recorder, SilentStream, Timestamp, UnderWay};
use tokio::sync::Notify;

/// Nothing for so long in the middle of a stream is silence: between two tokens no model thinks so long.
const SILENCE: Duration = Duration::from_secs(20);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(2500);

/// When the last bytes of one stream came.
#[derive(Debug)]
pub(crate) struct Pulse {
    call: CallId,
    provider: &'static str,
    last: Cell<Timestamp>,
    /// Whether it is the provider that is waited for, not an app that reads nothing.
    waiting: Cell<bool>,
}

impl Pulse {
    /// A frame came.
    pub(crate) fn beat(&self, at: Timestamp) {
        self.last.set(at);
        self.waiting.set(false);
    }

    /// The app asked for the next one, which is not there.
    pub(crate) fn wait(&self) {
        self.waiting.set(true);
    }

    fn silent(&self, now: Timestamp) -> Option<SilentStream> {
        let since = self.last.get();
        let silent = self.waiting.get() && since > Timestamp::default();
        (silent && u128::from(now.since(since)) >= SILENCE.as_nanos()).then_some(SilentStream {
            call: self.call,
            provider: self.provider,
            since,
        })
    }
}

/// The streams that are open.
#[derive(Debug, Default)]
pub(crate) struct Pulses {
    open: RefCell<Vec<Rc<Pulse>>>,
    bell: Notify,
}

impl Pulses {
    /// A stream whose answer has begun.
    pub(crate) fn follow(&self, call: CallId, provider: &'static str) -> Rc<Pulse> {
        let pulse = Rc::new(Pulse { call, provider, last: Cell::default(), waiting: Cell::new(false) });
        let mut open = self.open.borrow_mut();
        open.push(Rc::clone(&pulse));
        if open.len() == 1 {
            self.bell.notify_one();
        }
        pulse
    }

    /// Looks for as long as the thread lives; while no stream is open no time wakes it.
    pub(crate) async fn watch(&self, recorder: &dyn Recorder, now: impl Fn() -> Timestamp) {
        let mut told = Vec::new();
        loop {
            if self.open.borrow().is_empty() {
                self.bell.notified().await;
            }
            tokio::time::sleep(LOOK).await;
            let silent = self.look(now());
            let calls: Vec<CallId> = silent.iter().map(|stream| stream.call).collect();
            if calls != told {
                told = calls;
                recorder.try_silent(silent);
            }
        }
    }

    /// Forgets the streams that are over. Those that are silent are left.
    fn look(&self, now: Timestamp) -> Vec<SilentStream> {
        let mut open = self.open.borrow_mut();
        // Only the list holds what nobody reads any more.
        open.retain(|pulse| Rc::strong_count(pulse) > 1);
        open.iter().filter_map(|pulse| pulse.silent(now)).collect()
    }
}

/// The response that the provider is in the middle of on one WebSocket, if there is one.
pub(crate) struct SocketPulse {
    pulses: Rc<Pulses>,
    current: Option<Rc<Pulse>>,
}

impl SocketPulse {
    pub(crate) fn new(pulses: &Rc<Pulses>) -> SocketPulse {
        SocketPulse { pulses: Rc::clone(pulses), current: None }
    }

    /// Something passed, and this is under way now.
    pub(crate) fn passed(&mut self, under_way: Option<UnderWay>) {
        let Some(UnderWay { call, provider, heard }) = under_way else {
            self.current = None;
            return;
        };
        if self.current.as_ref().is_none_or(|pulse| pulse.call != call) {
            self.current = Some(self.pulses.follow(call, provider));
        }
        if let Some(pulse) = &self.current {
            pulse.last.set(heard);
        }
    }

    /// Whether it is the provider that is waited for: the app has taken all there was.
    pub(crate) fn waits(&self, waiting: bool) {
        if let Some(pulse) = &self.current {
            pulse.waiting.set(waiting);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[derive(Default)]
    struct Told(Mutex<Vec<Vec<CallId>>>);

    impl Recorder for Told {
        fn try_record(&self, _: std::sync::Arc<outrigger_ledger::CallRecord>) {}

        fn try_silent(&self, streams: Vec<SilentStream>) {
            self.0.lock().unwrap().push(streams.iter().map(|stream| stream.call).collect());
        }
    }

    #[test]
    fn silence_is_the_providers_after_its_first_frame() {
        let pulses = Pulses::default();
        let at = |seconds: u64| Timestamp(1000 * SECOND + seconds * SECOND);
        let begun = pulses.follow(CallId([1; 16]), "openai");
        let unread = pulses.follow(CallId([2; 16]), "openai");
        let unbegun = pulses.follow(CallId([3; 16]), "openai");
        begun.beat(at(0));
        begun.wait();
        unread.beat(at(0));
        unbegun.wait();
        assert_eq!(pulses.look(at(19)), []);
        let silent = pulses.look(at(20));
        assert_eq!(silent.iter().map(|stream| stream.call).collect::<Vec<_>>(), [CallId([1; 16])]);
        assert_eq!(silent[0].since, at(0));
        begun.beat(at(21));
        begun.wait();
        assert_eq!(pulses.look(at(30)), []);
        drop(begun);
        assert_eq!(pulses.look(at(60)), [], "what is over is not silent");
        assert_eq!(pulses.open.borrow().len(), 2);
    }

    #[test]
    fn on_a_socket_the_response_that_is_under_way_is_followed_until_it_is_over() {
        let pulses = Rc::new(Pulses::default());
        let at = |seconds: u64| Timestamp(1000 * SECOND + seconds * SECOND);
        let silent = |seconds| {
            let silent = pulses.look(at(seconds)).into_iter();
            silent.map(|stream| (stream.call.0[0], stream.since)).collect::<Vec<_>>()
        };
        let under_way =
            |call, heard| Some(UnderWay { call: CallId([call; 16]), provider: "openai", heard: at(heard) });
        let mut socket = SocketPulse::new(&pulses);
        socket.passed(None);
        socket.waits(true);
        assert_eq!(silent(1000), [], "between responses a socket may be silent");
        socket.passed(under_way(1, 1000));
        socket.waits(false);
        assert_eq!(silent(1030), [], "the app does not read");
        socket.waits(true);
        assert_eq!(silent(1030), [(1, at(1000))]);
        // The app, or a control frame, says something; the provider does not.
        socket.passed(under_way(1, 1000));
        assert_eq!(silent(1030), [(1, at(1000))]);
        socket.passed(under_way(1, 1035));
        assert_eq!(silent(1040), []);
        socket.passed(under_way(2, 1041));
        socket.waits(true);
        assert_eq!(silent(1061), [(2, at(1041))]);
        socket.passed(None);
        assert_eq!(silent(1061), []);
        assert!(pulses.open.borrow().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn each_change_is_told_once() {
        let (pulses, told) = (Pulses::default(), Told::default());
        let start = tokio::time::Instant::now();
        let now = || Timestamp(1000 * SECOND + start.elapsed().as_nanos() as u64);
        let act = async {
            let stream = pulses.follow(CallId([1; 16]), "openai");
            stream.beat(now());
            stream.wait();
            tokio::time::sleep(Duration::from_secs(60)).await;
            stream.beat(now());
            tokio::time::sleep(Duration::from_secs(10)).await;
        };
        tokio::select! {
            () = pulses.watch(&told, now) => {}
            () = act => {}
        }
        assert_eq!(*told.0.lock().unwrap(), [vec![CallId([1; 16])], vec![]]);
    }
}
