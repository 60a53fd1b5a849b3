//! An answer that died after the app had a part of it: while others are asked to go on with it, and what came of that. Per such call.

use outrigger_providers::FailureClass;

use super::about::About;
use super::{Call, End, Response};
use crate::chunk_times::ChunkTimes;
use crate::{Seam, Times, Timestamp, Transport, cause};

/// What was seen of the attempt whose answer died. Either it is over, or the app has nothing else after all.
pub(super) struct Died {
    /// Its place among the attempts.
    index: usize,
    /// The call as it was there.
    about: About,
    response: Option<Response>,
    times: Times,
    transport: Transport,
    chunk_times: Option<Box<ChunkTimes>>,
    class: FailureClass,
    /// Whether another place is being asked.
    pub(super) asking: bool,
}

impl Call {
    /// The stream under way has died in this way after a part of it; others are asked to go on with it.
    pub fn died(&mut self, class: FailureClass, at: Timestamp) {
        let times = Times { ended: at, ..self.times };
        let status = self.response.as_ref().map(|response| response.head.status);
        let error_type = cause::transport_word(class).to_owned();
        let attempt = self.about.attempt(&times, status, (Some(class), Some(error_type)));
        let mut about = self.about.clone();
        let index = std::mem::take(&mut about.earlier).len();
        self.died = Some(Box::new(Died {
            index,
            about,
            response: self.response.take(),
            times,
            transport: self.transport,
            chunk_times: self.chunk_times.take(),
            class,
            asking: false,
        }));
        self.about.earlier.push(attempt);
        self.about.peer = None;
        self.about.begun = Some(at);
        (self.times.responded, self.times.first_content) = (None, None);
        self.transport.response_bytes = 0;
    }

    /// The attempt under way goes on with it behind this many bytes of text.
    pub fn goes_on(&mut self, after: u64) {
        let Some(died) = self.died.take() else { return };
        let Died { index, about, response, times, transport, chunk_times, class, .. } = *died;
        let now = (std::mem::replace(&mut self.response, response), self.transport);
        self.transport = transport;
        let end = match class {
            FailureClass::StreamCut => End::Cut,
            class => End::Failed { class, text: String::new(), status: 0 },
        };
        self.keep_of(about, index, times, None, end);
        (self.response, self.transport) = now;
        // To the app it is one answer, which began long ago.
        (self.times.responded, self.times.first_content) = (times.responded, times.first_content);
        self.chunk_times = chunk_times;
        if let Some(routed) = &mut self.about.routed {
            routed.seam = Some(Seam { at: times.ended, after, overlap: 0 });
        }
    }

    /// So many bytes of what goes on with it were left out, since the app has them already.
    pub fn overlaps(&mut self, bytes: u64) {
        if let Some(seam) = self.about.routed.as_mut().and_then(|routed| routed.seam.as_mut()) {
            seam.overlap = bytes;
        }
    }

    /// Nobody goes on with it: the app has what it had, and is told.
    pub fn stays_dead(&mut self) {
        self.bring_back();
        if let Some(routed) = &mut self.about.routed {
            routed.exhausted = true;
        }
    }

    /// The app does not wait for what comes of it.
    pub(super) fn left(&mut self, at: Timestamp) {
        if self.died.as_ref().is_some_and(|died| died.asking) {
            self.attempt_over(None, None, at);
        }
        self.bring_back();
    }

    fn bring_back(&mut self) {
        let Some(died) = self.died.take() else { return };
        let Died { index, about, response, times, transport, chunk_times, .. } = *died;
        let (earlier, routed) = (std::mem::take(&mut self.about.earlier), self.about.routed.take());
        self.about = About { earlier, routed, given: true, ..about };
        if let (Some(attempt), Some(routed)) = (self.about.earlier.get(index), &mut self.about.routed) {
            routed.serving = attempt.number;
        }
        (self.response, self.transport, self.chunk_times) = (response, transport, chunk_times);
        self.times = times;
    }

    /// Why the rule's permission to go on with a stream that dies is of no use to the call, in plain words.
    pub fn cannot_go_on(&mut self, why: &'static str) {
        if let Some(routed) = &mut self.about.routed {
            routed.not_continued = Some(why);
        }
    }
}
