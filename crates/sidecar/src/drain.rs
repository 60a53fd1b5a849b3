//! Ending in order: a token held is work in flight, the last one dropped ends the wait; a deadline bounds it.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

/// The owner's side.
pub(crate) struct Drain {
    signal: watch::Sender<bool>,
    // Never sent on: closed when the last token is dropped.
    alive: mpsc::Receiver<()>,
}

/// Held by everything that is in flight.
#[derive(Clone)]
pub(crate) struct Token {
    signal: watch::Receiver<bool>,
    alive: mpsc::Sender<()>,
}

/// Stands for a token without holding the end up.
#[derive(Clone)]
pub(crate) struct WeakToken {
    signal: watch::Receiver<bool>,
    alive: mpsc::WeakSender<()>,
}

impl WeakToken {
    /// A token, while anybody still holds one or the owner still waits.
    pub(crate) fn upgrade(&self) -> Option<Token> {
        Some(Token { signal: self.signal.clone(), alive: self.alive.upgrade()? })
    }
}

/// A drain and its first token.
pub(crate) fn new() -> (Drain, Token) {
    let (signal, observed) = watch::channel(false);
    let (held, alive) = mpsc::channel(1);
    (Drain { signal, alive }, Token { signal: observed, alive: held })
}

impl Drain {
    /// Tells every holder to finish, then waits until none is left. False when the deadline came first.
    pub(crate) async fn finish(mut self, deadline: Duration) -> bool {
        self.signal.send_replace(true);
        tokio::time::timeout(deadline, self.alive.recv()).await.is_ok()
    }
}

impl Token {
    /// A stand-in that does not keep the drain waiting.
    pub(crate) fn weak(&self) -> WeakToken {
        WeakToken { signal: self.signal.clone(), alive: self.alive.downgrade() }
    }

    /// Returns once draining has begun.
    pub(crate) async fn draining(&mut self) {
        // An error means that the owner is gone, which asks for the same.
        let _gone = self.signal.wait_for(|draining| *draining).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_last_token_and_no_longer() {
        let (drain, token) = new();
        let mut worker = token.clone();
        drop(token);
        let work = tokio::spawn(async move {
            worker.draining().await;
            drop(worker);
        });
        assert!(drain.finish(Duration::from_secs(30)).await);
        work.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_does_not_finish_is_given_up_at_the_deadline() {
        let (drain, token) = new();
        let before = tokio::time::Instant::now();
        assert!(!drain.finish(Duration::from_secs(30)).await);
        assert_eq!(before.elapsed(), Duration::from_secs(30));
        drop(token);
    }
}
