//! A backup's answer on its way to an app of another wire format: the meter is shown what came, the app gets it said anew. Per frame:
//! what the translation does, which allocates; only calls that were moved to another format come here.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use outrigger_providers::FailureClass;
use outrigger_providers::translate::Stream;

use crate::exchange::body::ObservedBody;
use crate::exchange::forwarded::Share;

/// How an answer is said anew.
pub(crate) enum Anew {
    /// As it comes. Taken when it is over.
    Stream(Option<Box<Stream>>),
    /// It has been read whole. Taken when it is over.
    Whole(Option<Whole>),
}

/// An answer in one piece that was said anew.
pub(crate) struct Whole {
    /// What the app is still to get.
    said: Bytes,
    /// Whether what came has been shown to the meter.
    is_shown: bool,
    /// Both lie in memory until the app has taken the last of it.
    _held: Share,
}

impl Whole {
    pub(crate) const fn new(said: Bytes, held: Share) -> Whole {
        Whole { said, is_shown: false, _held: held }
    }
}

/// So much of it goes at a time: whoever sends it on holds no more than that.
const PIECE: usize = 64 * 1024;

/// A backup's answer in the app's format.
pub(crate) struct TranslatedBody {
    observed: ObservedBody,
    anew: Anew,
    /// Kinds of what was left out that have been told.
    told: usize,
    /// Bytes that were left out at a seam, as far as that has been told.
    overlap: usize,
}

impl TranslatedBody {
    pub(crate) const fn new(observed: ObservedBody, anew: Anew) -> TranslatedBody {
        TranslatedBody { observed, anew, told: 0, overlap: 0 }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            match &mut self.anew {
                Anew::Stream(None) | Anew::Whole(None) => return Poll::Ready(None),
                Anew::Whole(Some(whole)) if whole.is_shown => {
                    let piece = whole.said.split_to(whole.said.len().min(PIECE));
                    if whole.said.is_empty() {
                        self.anew = Anew::Whole(None);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Anew::Stream(Some(_)) | Anew::Whole(Some(_)) => {}
            }
            let frame = ready!(self.observed.poll_frame(cx));
            let said = match (&mut self.anew, frame) {
                (Anew::Stream(stream), Some(Ok(frame))) => match (stream, frame.data_ref()) {
                    (Some(stream), Some(bytes)) => stream.push(bytes),
                    _ => Bytes::new(),
                },
                // A stream tells its own end in the app's format, an error where it was cut.
                (Anew::Stream(stream), None) => {
                    stream.take().map(|stream| stream.end().bytes).unwrap_or_default()
                }
                (Anew::Stream(stream), Some(Err(_))) => {
                    let text = "the provider's answer broke off before its end";
                    stream
                        .take()
                        .map(|mut stream| stream.fail(FailureClass::StreamCut, text))
                        .unwrap_or_default()
                }
                (Anew::Whole(_), Some(Ok(_))) => Bytes::new(),
                (Anew::Whole(whole), None | Some(Err(_))) => {
                    if let Some(whole) = whole {
                        whole.is_shown = true;
                    }
                    Bytes::new()
                }
            };
            self.tell_left_out();
            if !said.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(said))));
            }
        }
    }

    /// Says in the record what has no place in the app's format, as soon as it is met.
    fn tell_left_out(&mut self) {
        let Anew::Stream(Some(stream)) = &self.anew else { return };
        let met = stream.left_out().count();
        if met > std::mem::replace(&mut self.told, met)
            && let Some(watch) = &self.observed.watch
        {
            watch.show(|call| call.leaves_out(stream.left_out().collect()));
        }
        let overlap = stream.overlap();
        if overlap > std::mem::replace(&mut self.overlap, overlap)
            && let Some(watch) = &self.observed.watch
        {
            watch.show(|call| call.overlaps(overlap as u64));
        }
    }

    /// Ends the app's stream with an error in its format.
    pub(crate) fn fail(&mut self, class: FailureClass, text: &str) -> Bytes {
        match &mut self.anew {
            Anew::Stream(stream) => {
                stream.take().map(|mut stream| stream.fail(class, text)).unwrap_or_default()
            }
            Anew::Whole(whole) => {
                *whole = None;
                Bytes::new()
            }
        }
    }

    /// The body that is translated.
    pub(crate) const fn observed(&mut self) -> &mut ObservedBody {
        &mut self.observed
    }

    pub(crate) const fn is_end_stream(&self) -> bool {
        matches!(self.anew, Anew::Stream(None) | Anew::Whole(None))
    }
}
