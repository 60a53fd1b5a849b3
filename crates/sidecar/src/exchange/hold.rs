//! Holds the beginning of an answer until its first content, so that another place can be asked without the app seeing it. Per
//! attempt of a call that a rule decides; per held frame: one push on a queue, and what the format's meter does.

use bytes::Bytes;
use http_body_util::BodyExt;
use outrigger_ledger::Beginning;
use outrigger_providers::{FailureClass, Progress, Recognised};
use tokio::time::{Duration, Instant};

use crate::exchange::forwarded::Share;
use crate::exchange::include_usage::LIMITS;
use crate::exchange::relay::Came;

/// So much of one answer is held at most: what comes before the first content may repeat the whole request.
const LONGEST: usize = 1024 * 1024;
/// Without a deadline of the rule's an answer is held no longer: signs of life keep an app waiting, and it gets none meanwhile.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why an answer of which nothing has been shown is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It tells an error, or ends without being one.
    Failed(FailureClass),
    /// Its first content did not come in time.
    Late,
}

/// Reads an answer until it may be shown. What was read lies in `came` in either case.
pub(super) async fn hold(
    came: &mut Came,
    recognised: &Recognised,
    deadline: Option<Instant>,
    share: &Share,
) -> Result<(), Unfit> {
    let response = &mut came.sent.response;
    let mut beginning = Beginning::new(recognised, response.status(), response.headers());
    let until = deadline.unwrap_or_else(|| Instant::now() + PATIENCE);
    let ahead = &mut came.ahead;
    loop {
        let frame = match tokio::time::timeout_at(until, response.body_mut().frame()).await {
            Ok(frame) => frame,
            Err(_) if deadline.is_some() => return Err(Unfit::Late),
            Err(_) => return Ok(()),
        };
        let progress = match frame {
            None => {
                let (progress, reading) = beginning.end(response.headers());
                came.held = reading;
                return ended(progress);
            }
            Some(Err(error)) => {
                ahead.push_back(Err(error));
                return Err(Unfit::Failed(FailureClass::StreamCut));
            }
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().cloned().unwrap_or_default();
                ahead.push_back(Ok(frame));
                let has_room = share.grow(Bytes::len(&bytes), (LONGEST, LIMITS.1));
                match beginning.push(&bytes) {
                    Progress::Lifecycle if has_room => continue,
                    progress => progress,
                }
            }
        };
        return ended(progress);
    }
}

fn ended(progress: Progress) -> Result<(), Unfit> {
    match progress {
        Progress::Failed(class) => Err(Unfit::Failed(class)),
        Progress::Lifecycle | Progress::Content | Progress::Ended => Ok(()),
    }
}
