//! Tokens that are had for a key: kept until five minutes before they end, renewed while the old one goes on serving, by one
//! question at a time. Per call to a backup that is paid by a service account.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use outrigger_providers::FailureClass;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Ungranted;
use super::grant::Granted;
use crate::upstream::credentials::mounted::Found;
use crate::upstream::credentials::secret::Secret;

/// So long before its end a token is renewed.
const EARLY: Duration = Duration::from_secs(5 * 60);
/// A token is not sent on its last seconds: it would end on the way.
const LAST: Duration = Duration::from_secs(10);
/// Pause after a failure that may pass.
const PAUSE: Duration = Duration::from_secs(5);
/// Pause after a failure that stays until somebody mends it. A new key ends it.
const LONG_PAUSE: Duration = Duration::from_secs(30);
/// More accounts than any rules name; beyond it all are forgotten.
const MOST: usize = 64;

/// The tokens of all accounts, by where their keys lie.
#[derive(Default)]
pub(crate) struct Tokens(RefCell<HashMap<String, Rc<Held>>>);

/// The token of one key.
struct Held {
    key: Rc<Found>,
    state: RefCell<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    asking: bool,
    failed: Option<Failed>,
}

struct Token {
    secret: Rc<Secret>,
    renewed: Instant,
    ends: Instant,
}

struct Failed {
    again: Instant,
    why: Ungranted,
}

impl Tokens {
    /// The token for the key that lies at `place`. `ask` asks for one; it is called where none is being asked for and one is
    /// needed, now or soon.
    pub(crate) async fn token<F>(
        &self,
        place: &str,
        key: &Rc<Found>,
        ask: impl Fn() -> F,
    ) -> Result<Rc<Secret>, Ungranted>
    where
        F: Future<Output = Result<Granted, Ungranted>> + 'static,
    {
        let held = self.held(place, key);
        loop {
            // Before the look, so that no change falls between.
            let changed = held.changed.notified();
            match held.look() {
                Look::Good(token) => return Ok(token),
                Look::Soon(token) => {
                    held.begin(ask());
                    return Ok(token);
                }
                Look::Ask => held.begin(ask()),
                Look::Wait => {}
                Look::Failed(why) => return Err(why),
            }
            changed.await;
        }
    }

    /// What is held for this very key: the token of another one that lay there before is not used any more.
    fn held(&self, place: &str, key: &Rc<Found>) -> Rc<Held> {
        let mut all = self.0.borrow_mut();
        if let Some(held) = all.get(place)
            && (Rc::ptr_eq(&held.key, key) || held.key.is(key))
        {
            return Rc::clone(held);
        }
        if all.len() >= MOST {
            all.clear();
        }
        let held = Held { key: Rc::clone(key), state: RefCell::default(), changed: Notify::new() };
        let held = Rc::new(held);
        all.insert(place.to_owned(), Rc::clone(&held));
        held
    }
}

/// What is to be done for a call.
enum Look {
    /// It has a token.
    Good(Rc<Secret>),
    /// It has one that ends soon: the next is to be asked for.
    Soon(Rc<Secret>),
    /// There is none.
    Ask,
    /// One is being asked for.
    Wait,
    /// There was none to be had a moment ago.
    Failed(Ungranted),
}

impl Held {
    fn look(&self) -> Look {
        let state = self.state.borrow();
        let now = Instant::now();
        let failed = state.failed.as_ref().filter(|failed| now < failed.again);
        let Some(token) = state.token.as_ref().filter(|token| now + LAST < token.ends) else {
            return match failed {
                _ if state.asking => Look::Wait,
                Some(failed) => Look::Failed(failed.why.clone()),
                None => Look::Ask,
            };
        };
        if now < token.renewed || state.asking || failed.is_some() {
            Look::Good(Rc::clone(&token.secret))
        } else {
            Look::Soon(Rc::clone(&token.secret))
        }
    }

    /// Asks on a task of its own: a call that is given up does not take the question with it.
    fn begin<F>(self: &Rc<Held>, ask: F)
    where
        F: Future<Output = Result<Granted, Ungranted>> + 'static,
    {
        self.state.borrow_mut().asking = true;
        let asking = Asking(Rc::clone(self));
        let asked = Instant::now();
        tokio::task::spawn_local(async move {
            asking.0.answered(asked, ask.await);
        });
    }

    fn answered(&self, asked: Instant, answer: Result<Granted, Ungranted>) {
        let mut state = self.state.borrow_mut();
        match answer {
            Ok(granted) => {
                // From the question on: the answer took its time.
                let ends = asked + granted.lives;
                // One that lives shorter is not asked for anew by every call.
                let renewed = ends - EARLY.min(granted.lives / 2);
                state.token = Some(Token { secret: Rc::new(granted.token), renewed, ends });
                state.failed = None;
            }
            Err(why) => {
                let stays = matches!(why.class, FailureClass::Authentication | FailureClass::Permission);
                let pause = if stays { LONG_PAUSE } else { PAUSE };
                let serves = state.token.is_some();
                tracing::warn!(class = why.class.as_str(), serves, "no new token for a backup: {}", why.text);
                state.failed = Some(Failed { again: Instant::now() + pause, why });
            }
        }
    }
}

/// Dropped, however the question ended, nobody waits for its answer any more.
struct Asking(Rc<Held>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.state.borrow_mut().asking = false;
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::oneshot;
    use zeroize::Zeroizing;

    use super::*;

    type Answer = Result<Granted, Ungranted>;

    /// A token endpoint that answers when it is told to.
    #[derive(Default)]
    struct Google {
        asked: Cell<usize>,
        waiting: RefCell<Option<oneshot::Sender<Answer>>>,
        came: Rc<Notify>,
    }

    impl Google {
        fn ask(self: &Rc<Google>) -> impl Future<Output = Answer> + use<> {
            let (sender, receiver) = oneshot::channel();
            self.asked.set(self.asked.get() + 1);
            self.waiting.replace(Some(sender));
            self.came.notify_one();
            async move { receiver.await.unwrap() }
        }

        async fn answers(&self, answer: Answer) {
            self.came.notified().await;
            self.waiting.take().unwrap().send(answer).ok().unwrap();
        }
    }

    fn granted(token: &str, seconds: u64) -> Answer {
        let token = Secret::new(Zeroizing::new(token.to_owned()));
        Ok(Granted { token, lives: Duration::from_secs(seconds) })
    }

    fn failed(class: FailureClass) -> Answer {
        Err(Ungranted { class, text: class.as_str().to_owned() })
    }

    fn key(text: &str) -> Rc<Found> {
        Rc::new(Found::Text(Secret::new(Zeroizing::new(text.to_owned()))))
    }

    struct Desk {
        tokens: Rc<Tokens>,
        google: Rc<Google>,
    }

    impl Desk {
        /// What a call gets for the key that lies there now.
        fn call(&self, key: &Rc<Found>) -> tokio::task::JoinHandle<Result<String, FailureClass>> {
            let (tokens, google, key) = (Rc::clone(&self.tokens), Rc::clone(&self.google), Rc::clone(key));
            tokio::task::spawn_local(async move {
                let got = tokens.token("google.json", &key, || google.ask()).await;
                got.map(|token| token.expose().to_owned()).map_err(|why| why.class)
            })
        }
    }

    async fn at_the_desk(test: impl AsyncFnOnce(Desk)) {
        let desk = Desk { tokens: Rc::default(), google: Rc::default() };
        tokio::task::LocalSet::new().run_until(test(desk)).await;
    }

    fn told(text: &str) -> Result<String, FailureClass> {
        Ok(text.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_come_together_share_one_question() {
        at_the_desk(async |desk| {
            let key = key("one");
            let calls: Vec<_> = (0..50).map(|_| desk.call(&key)).collect();
            desk.google.answers(granted("t1", 3600)).await;
            for call in calls {
                assert_eq!(call.await.unwrap(), told("t1"));
            }
            assert_eq!(desk.google.asked.get(), 1);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_old_token_serves_while_the_next_is_asked_for_and_however_that_ends() {
        at_the_desk(async |desk| {
            let key = key("one");
            let first = desk.call(&key);
            desk.google.answers(granted("t1", 3600)).await;
            assert_eq!(first.await.unwrap(), told("t1"));
            tokio::time::advance(Duration::from_secs(3299)).await;
            assert_eq!(desk.call(&key).await.unwrap(), told("t1"));
            assert_eq!(desk.google.asked.get(), 1, "five minutes before its end, not earlier");
            tokio::time::advance(Duration::from_secs(2)).await;
            for _ in 0..3 {
                assert_eq!(desk.call(&key).await.unwrap(), told("t1"));
            }
            assert_eq!(desk.google.asked.get(), 2, "one question at a time");
            desk.google.answers(failed(FailureClass::ServerError)).await;
            assert_eq!(desk.call(&key).await.unwrap(), told("t1"));
            tokio::time::advance(PAUSE).await;
            assert_eq!(desk.call(&key).await.unwrap(), told("t1"));
            desk.google.answers(granted("t2", 3600)).await;
            tokio::task::yield_now().await;
            assert_eq!(desk.call(&key).await.unwrap(), told("t2"));
            assert_eq!(desk.google.asked.get(), 3);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told_to_all_who_wait_and_not_asked_for_again_at_once() {
        at_the_desk(async |desk| {
            let key = key("one");
            for (class, pause) in [(FailureClass::Connect, PAUSE), (FailureClass::Authentication, LONG_PAUSE)]
            {
                let before = desk.google.asked.get();
                let calls = [desk.call(&key), desk.call(&key)];
                desk.google.answers(failed(class)).await;
                for call in calls {
                    assert_eq!(call.await.unwrap(), Err(class));
                }
                tokio::time::advance(pause - Duration::from_secs(1)).await;
                assert_eq!(desk.call(&key).await.unwrap(), Err(class));
                assert_eq!(desk.google.asked.get(), before + 1);
                tokio::time::advance(Duration::from_secs(1)).await;
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_has_ended_is_not_sent() {
        at_the_desk(async |desk| {
            let key = key("one");
            let first = desk.call(&key);
            desk.google.answers(granted("t1", 3600)).await;
            first.await.unwrap().unwrap();
            tokio::time::advance(Duration::from_secs(3595)).await;
            let late = desk.call(&key);
            desk.google.answers(granted("t2", 3600)).await;
            assert_eq!(late.await.unwrap(), told("t2"));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_leaves_the_question_to_the_others() {
        at_the_desk(async |desk| {
            let key = key("one");
            let (given_up, other) = (desk.call(&key), desk.call(&key));
            tokio::task::yield_now().await;
            given_up.abort();
            desk.google.answers(granted("t1", 3600)).await;
            assert_eq!(other.await.unwrap(), told("t1"));
            assert_eq!(desk.google.asked.get(), 1);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn another_key_has_another_token() {
        at_the_desk(async |desk| {
            let first = desk.call(&key("one"));
            desk.google.answers(granted("t1", 3600)).await;
            assert_eq!(first.await.unwrap(), told("t1"));
            let second = desk.call(&key("two"));
            desk.google.answers(granted("t2", 3600)).await;
            assert_eq!(second.await.unwrap(), told("t2"));
            assert_eq!(desk.call(&key("two")).await.unwrap(), told("t2"));
            assert_eq!(desk.google.asked.get(), 2);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_lives_shortly_is_renewed_at_its_half() {
        at_the_desk(async |desk| {
            let key = key("one");
            let first = desk.call(&key);
            desk.google.answers(granted("t1", 60)).await;
            first.await.unwrap().unwrap();
            tokio::time::advance(Duration::from_secs(29)).await;
            desk.call(&key).await.unwrap().unwrap();
            assert_eq!(desk.google.asked.get(), 1);
            tokio::time::advance(Duration::from_secs(1)).await;
            desk.call(&key).await.unwrap().unwrap();
            assert_eq!(desk.google.asked.get(), 2);
        })
        .await;
    }
}
