//! From bytes to a draft: the first half of every reading.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::document::{Document, Draft};
use crate::fault::{Fault, Position, Refused, Severity, in_order};
use crate::read::Reader;
use crate::yaml::{LONGEST_TEXT, document_in, parse, readable};

/// Bytes of a file: what a ConfigMap can hold.
pub const LARGEST: usize = 1 << 20;

/// A document as far as it could be read.
pub(crate) struct Drafted {
    pub(crate) draft: Draft,
    /// SHA-256 of the document's own text.
    pub(crate) hash: String,
    pub(crate) faults: Vec<Fault>,
    pub(crate) places: HashMap<String, Position>,
    /// Paths of keys that a newer version brought.
    pub(crate) left_out: Vec<String>,
}

/// Reads what can be read.
pub(crate) fn draft(bytes: &[u8]) -> Result<Drafted, Refused> {
    let alone = |fault: Fault| Refused { faults: vec![fault] };
    if bytes.len() > LARGEST {
        let at = Position { line: 1, column: 1 };
        let text = format!("the file has {} bytes; {LARGEST} are the most", bytes.len());
        return Err(alone(Fault::new(Severity::Error, at, "", text, "split the rules, or shorten them")));
    }
    let file = readable(bytes).map_err(alone)?;
    let (text, place) = document_in(file).map_err(alone)?;
    let (root, faults) = parse(&text, LONGEST_TEXT, &|at| place.of(at)).map_err(alone)?;
    let mut reader = Reader::new(faults, &root);
    let Some(draft) = Draft::read(&root, &mut reader) else {
        return Err(Refused { faults: reader.faults });
    };
    let Reader { faults, places, left_out, .. } = reader;
    Ok(Drafted { draft, hash: hash(&text), faults, places, left_out })
}

impl Document {
    /// Reads a document, or a ConfigMap's manifest with one. What is wrong only across keys or at a place
    /// [`crate::Policy::read`] finds.
    ///
    /// # Errors
    /// Everything that is wrong with its keys and values, at once.
    pub fn read(bytes: &[u8]) -> Result<Document, Refused> {
        let Drafted { draft, mut faults, .. } = draft(bytes)?;
        if faults.iter().any(Fault::is_error) {
            in_order(&mut faults);
            return Err(Refused { faults });
        }
        Ok(draft.whole())
    }
}

fn hash(text: &str) -> String {
    use std::fmt::Write;

    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _written = write!(hex, "{byte:02x}");
        hex
    })
}
