//! Recorded traffic: what an HTTP Archive (HAR 1.2, as browsers and mitmproxy export it) holds, through the same pipeline as
//! live traffic. Once per command.

mod document;
mod replay;
mod socket;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use outrigger_pricing::PriceBook;

use crate::{CallRecord, Trail};

/// What one entry of a recording is.
#[derive(Debug, Clone, PartialEq)]
pub struct HarEntry {
    /// Its place in the recording, from 0.
    pub index: usize,
    /// When it began, as the recording says it.
    pub started: Option<String>,
    /// HTTP method.
    pub method: Option<String>,
    /// Where it went, without user, query and fragment: keys may stand there.
    pub url: Option<String>,
    /// What Outrigger would have made of it.
    pub made: Made,
}

/// What Outrigger would have made of an entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// The record of a call.
    Call(Box<CallRecord>),
    /// The records of a WebSocket's responses.
    Socket(Vec<CallRecord>),
    /// Nothing, and why.
    Ignored(String),
}

/// Why a text is no recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HarError {
    /// No JSON, or JSON of another shape.
    #[error(
        "no HTTP Archive ({0}); give a HAR 1.2 file, with `log.entries`, as browsers and mitmproxy export it"
    )]
    NotHar(String),
}

/// Replays a recording: one entry for every one of it, in its order.
///
/// Of `listed` hosts that no provider is known by, calls are read in whatever known format they speak, as an operator lists
/// them for live traffic.
///
/// # Errors
/// The text is no HTTP Archive. An entry that cannot be read is ignored, with the reason.
pub fn replay(text: &str, listed: &[String], book: &Arc<PriceBook>) -> Result<Vec<HarEntry>, HarError> {
    let entries = document::entries(text)?;
    let mut replayed: Vec<HarEntry> = entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| match entry {
            Ok(entry) => replay::Replayed { index, entry: &entry, listed, book }.made(),
            Err(fault) => {
                let made = Made::Ignored(format!("the entry cannot be read: {fault}"));
                HarEntry { index, started: None, method: None, url: None, made }
            }
        })
        .collect();
    place(&mut replayed);
    Ok(replayed)
}

/// Gives the calls their places, in the order of their ends, as live traffic has it.
fn place(entries: &mut [HarEntry]) {
    let mut records: Vec<&mut CallRecord> = Vec::new();
    for entry in entries {
        match &mut entry.made {
            Made::Call(record) => records.push(record),
            Made::Socket(all) => records.extend(all),
            Made::Ignored(_) => {}
        }
    }
    records.sort_by_key(|record| record.times.ended);
    let mut trail = Trail::default();
    for record in records {
        trail.place(record);
    }
}
