//! Holds the beginning of an answer until its first content, so that another place can be asked without the app seeing it. Per
//! attempt of a call that a rule decides; per held frame: one push on a queue, and what the format's meter does.

use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::BodyExt;
use outrigger_ledger::Beginning;
use outrigger_providers::{FailureClass, Progress, Recognised};
use tokio::time::{Duration, Instant};

use crate::exchange::body::{Ahead, pieces};
use crate::exchange::forwarded::Share;
use crate::exchange::include_usage::LIMITS;
use crate::exchange::relay::{Came, InOnePiece};

/// So much of one answer is held at most: what comes before the first content may repeat the whole request.
const LONGEST: usize = 1024 * 1024;
/// Without a deadline for its first content an answer is held no longer: signs of life keep an app waiting, and it gets none meanwhile.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why an answer of which nothing has been shown is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It tells an error, or ends without being one.
    Failed(FailureClass),
    /// Its first content did not come in time.
    Late,
}

/// How long an answer is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// When it is too late for its first content.
    pub(super) late_at: Option<Instant>,
    /// Whether it is shown without content once the patience is over.
    pub(super) is_released: bool,
}

/// Reads an answer until it may be shown. What was read lies in `came` in either case.
pub(super) async fn hold(
    came: &mut Came,
    recognised: &Recognised,
    limits: Limits,
    share: &Share,
) -> Result<(), Unfit> {
    let Came { sent, ahead, whole, .. } = came;
    read(&mut sent.response, (ahead, whole), recognised, limits, share).await
}

async fn read<B>(
    response: &mut Response<B>,
    (ahead, whole): (&mut Ahead, &mut Option<InOnePiece>),
    recognised: &Recognised,
    Limits { late_at, is_released }: Limits,
    share: &Share,
) -> Result<(), Unfit>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    let mut beginning = Beginning::new(recognised, response.status(), response.headers());
    let released_at = is_released.then(|| Instant::now() + PATIENCE);
    loop {
        let next = response.body_mut().frame();
        let frame = match [late_at, released_at].into_iter().flatten().min() {
            None => next.await,
            Some(until) => match tokio::time::timeout_at(until, next).await {
                Ok(frame) => frame,
                Err(_) if late_at == Some(until) => return Err(Unfit::Late),
                Err(_) => return Ok(()),
            },
        };
        match frame {
            None => {
                let (progress, reading) = beginning.end(response.headers(), pieces(ahead));
                *whole = Some(InOnePiece(reading));
                return fit(progress);
            }
            Some(Err(error)) => {
                ahead.push_back(Err(error));
                return Err(Unfit::Failed(FailureClass::StreamCut));
            }
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().cloned().unwrap_or_default();
                ahead.push_back(Ok(frame));
                let has_room = share.grow(Bytes::len(&bytes), (LONGEST, LIMITS.1));
                let progress = beginning.push(response.headers(), &bytes);
                if progress != Progress::Lifecycle || !has_room {
                    return fit(progress);
                }
            }
        }
    }
}

fn fit(progress: Progress) -> Result<(), Unfit> {
    match progress {
        Progress::Failed(class) => Err(Unfit::Failed(class)),
        Progress::Lifecycle | Progress::Content | Progress::Ended => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::Pin;
    use std::rc::Rc;
    use std::task::{Context, Poll};

    use http::Method;
    use http::header::CONTENT_TYPE;
    use http_body::Frame;
    use outrigger_providers::services;

    use super::*;

    /// A ping every second, without end.
    struct Pings(tokio::time::Interval);

    impl Body for Pings {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            self.0.poll_tick(cx).map(|_| Some(Ok(Frame::data(Bytes::from_static(b": ping\n\n")))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_without_content_is_shown_after_twenty_seconds_whatever_the_whole_call_may_take() {
        let service = services::ALL.iter().find(|service| service.id == "openai").unwrap();
        let recognised = (service.recognise)(&Method::POST, "/v1/chat/completions");
        let second = Duration::from_secs(1);
        for (late_after, is_released, result, takes) in [
            (None, true, Ok(()), 20),
            // The total, without a deadline for the first token.
            (Some(90), true, Ok(()), 20),
            (Some(5), true, Err(Unfit::Late), 5),
            // With one.
            (Some(45), false, Err(Unfit::Late), 45),
        ] {
            let begun = Instant::now();
            let mut response = Response::new(Pings(tokio::time::interval(second)));
            response.headers_mut().insert(CONTENT_TYPE, "text/event-stream".parse().unwrap());
            let limits = Limits { late_at: late_after.map(|after| begun + after * second), is_released };
            let share = Share::of(&Rc::new(Cell::new(0)));
            let (mut ahead, mut whole) = (Ahead::new(), None);
            let read = read(&mut response, (&mut ahead, &mut whole), &recognised, limits, &share).await;
            assert_eq!((read, begun.elapsed().as_secs()), (result, takes), "{late_after:?}");
            assert!(!ahead.is_empty(), "what came is passed on");
        }
    }
}
