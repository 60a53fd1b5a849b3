//! Goes on at another place with a stream that dies, where its rule allows it: what the app has is known, and who is asked. Per frame of
//! such a stream: what `Shown` does, which reads it.

use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use outrigger_ledger::End;
use outrigger_providers::FailureClass;
use outrigger_providers::translate::Shown;

use crate::exchange::body::Passing;
use crate::exchange::forwarded::Share;
use crate::exchange::include_usage::LIMITS;
use crate::exchange::run::Order;
use crate::exchange::watch::Watch;
use crate::failover::Admitted;

/// How a stream died.
#[derive(Debug, Clone)]
pub(crate) struct Died {
    pub(crate) class: FailureClass,
    /// What the app is told, in plain words.
    pub(crate) text: String,
    pub(crate) how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It broke.
    Cut,
    /// It ended in order, and too early.
    Short,
    /// A deadline of the rule passed.
    Late,
    /// The provider told an error; its event is held.
    Told,
}

impl Died {
    /// As the call is told.
    pub(crate) fn end(&self) -> End {
        match self.how {
            How::Cut => End::Cut,
            How::Short | How::Told => End::Complete,
            How::Late => End::Failed { class: self.class, text: self.text.clone(), status: 200 },
        }
    }
}

/// The rest of an answer, on its way.
pub(crate) struct Rest {
    pub(crate) stream: Passing,
    /// Told how it ends.
    pub(crate) leave: Admitted,
}

/// What comes of it: `None` where nobody can go on.
pub(crate) type Asking = Pin<Box<dyn Future<Output = Option<Rest>>>>;

/// A stream that may be gone on with.
pub(crate) struct GoingOn {
    shown: Shown,
    /// Of what is held together.
    share: Share,
    counted: usize,
    /// Taken when it is carried out.
    order: Option<Box<Order>>,
    watch: Rc<Watch>,
}

impl GoingOn {
    pub(crate) fn new(shown: Shown, share: Share, order: Box<Order>, watch: Rc<Watch>) -> GoingOn {
        GoingOn { shown, share, counted: 0, order: Some(order), watch }
    }

    /// What the app gets of the next bytes.
    pub(crate) fn push(&mut self, bytes: Bytes) -> Bytes {
        let passed = self.shown.push(bytes);
        let length = self.shown.length();
        if !self.share.grow(length - std::mem::replace(&mut self.counted, length), LIMITS) {
            self.shown.lose("more of its text had been told than is held");
        }
        passed
    }

    /// What is held of an event that did not come whole, or that the app is to get after all.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.shown.rest()
    }

    /// The provider has told an error in the stream.
    pub(crate) fn failed(&self) -> Option<FailureClass> {
        self.shown.failed().filter(|_| self.order.is_some())
    }

    /// Whether the answer came to its end.
    pub(crate) const fn is_whole(&self) -> bool {
        self.shown.is_whole()
    }

    /// Asks others to go on with what died so; `None` where that may not be.
    pub(crate) fn ask(&mut self, died: &Died) -> Option<Asking> {
        let order = self.order.take()?;
        let may = order.may(died.class);
        match may.and_then(|()| self.shown.begun()) {
            Ok((begun, before)) => {
                let begun = begun.clone();
                Some(Box::pin(order.go_on(begun, before, died.class)))
            }
            Err(why) => {
                self.watch.show(|call| call.cannot_go_on(why));
                None
            }
        }
    }

    /// The call goes on without the stream that died.
    pub(crate) fn died(&self, died: &Died) {
        let now = self.watch.clock.now();
        self.watch.show(|call| call.died(died.class, now));
    }

    /// Nobody went on with it.
    pub(crate) fn stays_dead(&self, died: &Died) {
        self.watch.show(outrigger_ledger::Call::stays_dead);
        self.watch.finish(died.end());
    }
}
