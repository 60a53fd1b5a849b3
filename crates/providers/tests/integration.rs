//! The integration tests of this crate, in one program: it is linked once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]

mod canonical;
mod canonical_requests;
mod canonical_streams;
mod cases;
mod contract;
mod events;
mod failures;
mod first_content;
mod gone_on;
mod learned;
mod long;
mod meaning;
mod names;
mod newcomers;
mod parameters;
mod recorded_answers;
mod round_trips;
mod said;
mod sockets;
mod talks;
mod texts;
mod translated;
mod translated_errors;
mod translated_free_text;
mod translated_goldens;
mod translated_mistakes;
mod translated_requests;
mod translation_documented;
mod translation_gate;
mod translation_golden;
mod translation_mistakes;
