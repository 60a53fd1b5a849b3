//! From one wire format to another, through the canonical form: what a backup answers, in the format that the app speaks.

mod answer;
mod blocks;
mod error;
mod stream;

pub use answer::{Translated, answer};
pub use error::{Failed, Told, error};
pub use stream::{End, Stream};
