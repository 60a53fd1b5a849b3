//! An answer that died after a part of it was shown, gone on with by another place: what the app has, what the other is asked, and the
//! rest of it as the same answer. Plain text alone. Per stream that a rule allows it for.
//!
//! ```text
//! the app's request       continuable          whether an answer to it may be gone on with at all
//! its answer as it passes Shown                whole events to the app, what they said kept
//! it dies                 Begun                the text so far, and how the answer was told
//! the app's request       continued            two turns more: the text so far, and the bidding to go on
//! the other's answer      Stream::resume       the same answer to its end, what is said twice at the seam left out
//! ```

mod request;
mod seam;
mod shown;

pub use request::{continuable, continued};
pub(super) use seam::Seam;
pub use shown::Shown;
