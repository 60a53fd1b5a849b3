//! What attempts used whose answers the app did not get. Per attempt that is over.

use http::{HeaderMap, StatusCode};
use outrigger_pricing::PriceBook;
use outrigger_providers::{Reading, RequestFacts};

use super::about::{About, Head, Seen};
use super::estimate::Texts;
use super::{Call, End};
use crate::guard::guarded;
use crate::{Marks, Times, Timestamp, Transport, Used};

/// One that is over. It is judged with the call, since what was asked for is known only then.
pub(super) struct Over {
    /// Its place among the attempts.
    index: usize,
    /// The call as it was there.
    about: About,
    head: Option<Head>,
    reading: Reading,
    texts: Option<Texts>,
    times: Times,
    transport: Transport,
    end: End,
}

impl Over {
    fn used(self, facts: RequestFacts, book: &PriceBook) -> Option<(usize, Used)> {
        let mut seen = Seen {
            operation: self.about.recognised.operation,
            facts,
            reading: self.reading,
            texts: self.texts,
            fault: false,
            marks: Marks::default(),
            head: self.head.as_ref(),
            times: self.times,
            transport: self.transport,
            end: self.end,
        };
        let (tokens, cost) = guarded(|| self.about.used(&mut seen, book))?;
        Some((self.index, Used { tokens, cost }))
    }
}

impl Call {
    /// What came of an answer that the app will not see; what it used is counted.
    pub fn came_unseen<'a>(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        body: impl Iterator<Item = &'a [u8]>,
        at: Timestamp,
    ) {
        let mut response = self.response(status, headers, at);
        body.for_each(|bytes| response.body.push(bytes));
        self.response = Some(response);
    }

    /// Keeps what was seen of the attempt under way, which is over.
    pub(super) fn keep(&mut self, times: Times, status: Option<StatusCode>, end: End) {
        let mut about = self.about.clone();
        about.earlier = Vec::new();
        self.keep_of(about, self.about.earlier.len(), times, status, end);
    }

    /// The same of the attempt at this place among them, as the call was there.
    pub(super) fn keep_of(
        &mut self,
        about: About,
        index: usize,
        times: Times,
        status: Option<StatusCode>,
        end: End,
    ) {
        let texts = self.texts();
        let mut response = self.response.take();
        let reading = response.as_mut().map(|response| response.reading(&end)).unwrap_or_default();
        let unread = || status.map(|status| Head::new(about.service, status, &HeaderMap::new(), times.ended));
        let head = response.map(|response| response.head).or_else(unread);
        let transport = self.transport;
        self.over.push(Over { index, about, head, reading, texts, times, transport, end });
    }

    /// Judges the attempts that are over. What the one used whose answer the app gets is the call's.
    pub(super) fn settle_over(&mut self, facts: &RequestFacts, book: &PriceBook) {
        for over in std::mem::take(&mut self.over) {
            let Some((index, used)) = over.used(facts.clone(), book) else { continue };
            if let Some(attempt) = self.about.earlier.get_mut(index) {
                attempt.used = Some(Box::new(used));
            }
        }
    }
}
