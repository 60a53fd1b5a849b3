//! A call in another wire format than the app's, and its answer in the app's again. The gate says what of it cannot be said there;
//! what passes is written anew, with every loss told. Per translated call, never for one that goes where the app sent it.
//!
//! ```text
//! the app's body      request_from         Request
//! Request             gate: fit            what the place can say, the losses, or every reason against it
//! what fits           RequestWriter        the place's body, path and headers
//! the place's answer  answer, Stream       the app's format, through the canonical form
//! one that died       Shown, Stream        the same answer gone on with by another place: see `go_on`
//! ```

mod answer;
mod blocks;
mod error;
mod gate;
mod go_on;
mod head;
mod order;
mod request;
mod same;
mod stream;

pub use answer::{Translated, answer, headers};
pub use error::{Failed, Told, broken_off, error};
pub use gate::{Loss, Lost, Reason};
pub use go_on::{Shown, continuable, continued};
pub use head::{all_formats, formats, is_conversation, refusal};
pub use request::{App, Outgoing, Place, Refused, is_said_anew, request};
pub use same::same_dialect;
pub use stream::{End, Stream};
