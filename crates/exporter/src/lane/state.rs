//! What a lane holds, and when it is due.

use std::collections::VecDeque;

use tokio::time::Instant;

pub(super) struct State<F> {
    pub(super) waiting: VecDeque<F>,
    pub(super) sending: Vec<F>,
    /// When what waits is sent even if no more comes.
    pub(super) due: Option<Instant>,
    /// Whether a failed call set `due`.
    pub(super) hurried: bool,
    /// When the last hurried request went.
    pub(super) last_hurry: Option<Instant>,
    /// Pieces per request: the bound, or less where the endpoint takes no more.
    pub(super) batch: usize,
    /// While the signal is refused: when it is offered again.
    pub(super) refused_until: Option<Instant>,
    /// Whether the refusal was said and still holds.
    pub(super) refused: bool,
    /// Whether the endpoint ever took anything.
    pub(super) worked: bool,
    /// Whether it is away, and what comes goes to the spool at once.
    pub(super) away: bool,
    /// Whether the end has come and what is in the spool stays there.
    pub(super) over: bool,
}

impl<F> State<F> {
    pub(super) fn new(batch: usize) -> State<F> {
        State {
            waiting: VecDeque::new(),
            sending: Vec::new(),
            due: None,
            hurried: false,
            last_hurry: None,
            batch,
            refused_until: None,
            refused: false,
            worked: false,
            away: false,
            over: false,
        }
    }

    /// Sets the next request's pieces aside. What remains stays due when the time had come.
    pub(super) fn set_aside(&mut self, now: Instant) {
        let count = self.batch.min(self.waiting.len());
        self.sending.extend(self.waiting.drain(..count));
        if std::mem::take(&mut self.hurried) {
            self.last_hurry = Some(now);
        }
        if self.waiting.is_empty() {
            self.due = None;
        }
    }

    /// Puts the second half of the request back. False when there is nothing to halve.
    pub(super) fn halve(&mut self) -> bool {
        let divided = self.divide();
        if divided {
            self.batch = self.sending.len();
        }
        divided
    }

    /// The same for once.
    pub(super) fn divide(&mut self) -> bool {
        let half = self.sending.len() / 2;
        if half > 0 {
            self.put_back(half);
        }
        half > 0
    }

    /// Makes the request of so many pieces again that it was before it was divided.
    pub(super) fn rejoin(&mut self, pieces: usize) {
        let missing = pieces.saturating_sub(self.sending.len()).min(self.waiting.len());
        self.sending.extend(self.waiting.drain(..missing));
        if self.waiting.is_empty() {
            self.due = None;
        }
    }

    /// Puts back what was set aside, from there on.
    pub(super) fn put_back(&mut self, from: usize) {
        for piece in self.sending.drain(from..).rev() {
            self.waiting.push_front(piece);
        }
        if self.due.is_none() {
            self.due = Some(Instant::now());
        }
    }
}
