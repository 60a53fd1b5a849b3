//! How far an answer has come before it is shown to the app: what came before the first content may be held back, and another
//! target asked instead, without the app seeing it. Per frame of a held answer: a meter reads it; nothing else allocates.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use crate::media::{Media, media};
use crate::{Dialect, FailureClass, Reading, ResponseMeter, StreamEnd};

/// How far an answer has come. The later word counts: content that an error follows is `Failed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Only what says that an answer is under way: a role, an id, a ping, a comment. An app does without it.
    Lifecycle,
    /// Content has come, or something of which it cannot be told: it is no longer to be held back.
    Content,
    /// The provider tells an error, or what it tells cannot be read.
    Failed(FailureClass),
    /// The format's last word has come.
    Ended,
}

/// Watches the beginning of one answer.
pub struct FirstContent {
    dialect: &'static dyn Dialect,
    meter: Box<dyn ResponseMeter>,
    status: StatusCode,
    /// A page for people, which no API sends: an edge network answers in the provider's place.
    is_page: bool,
}

impl FirstContent {
    /// For an answer with this head.
    #[must_use]
    pub fn new(dialect: &'static dyn Dialect, status: StatusCode, headers: &HeaderMap) -> FirstContent {
        let meter = dialect.response_meter(status, headers);
        let kind = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        let is_page =
            kind.is_some_and(|kind| kind.len() >= 9 && kind[..9].eq_ignore_ascii_case(b"text/html"));
        FirstContent { dialect, meter, status, is_page }
    }

    /// The next bytes of the (decoded) body, cut anywhere. Of a body that does not stream nothing is known before its end.
    pub fn push(&mut self, bytes: &[u8]) -> Progress {
        self.meter.chunk(bytes);
        self.progress()
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        if self.is_page { Progress::Failed(FailureClass::Edge) } else { self.meter.progress() }
    }

    /// The body is over, of an answer with these headers: `Ended` or `Failed`, and what was read. An answer without its format's last
    /// word was cut.
    #[must_use]
    pub fn end(mut self, headers: &HeaderMap) -> (Progress, Reading) {
        let so_far = self.progress();
        let reading = self.meter.finish();
        if let failed @ Progress::Failed(_) = so_far {
            return (failed, reading);
        }
        let progress = match self.dialect.classify(self.status, headers, &reading) {
            Some(failure) => Progress::Failed(failure.class),
            None if reading.end != StreamEnd::Open && reading.stumbled.is_none() => Progress::Ended,
            None if media(headers) == Media::Other => Progress::Failed(FailureClass::Malformed),
            None => Progress::Failed(FailureClass::StreamCut),
        };
        (progress, reading)
    }
}
