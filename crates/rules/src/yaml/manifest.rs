//! A ConfigMap with the document in it: the document's own text, and where its lines stand in the file.

use super::node::{Kind, Node};
use super::parse::parse;
use crate::fault::{Fault, Position, Severity};

/// The key of `data` that holds the document.
const KEY: &str = "rules.yaml";

/// Where a document's lines stand in the file that a person edits.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// The document is the file.
    Same,
    /// Each line of a `|` block is one of the file's, moved by its indentation.
    Block { above: u32, indents: Vec<u32> },
    /// In quotes or folded: lines are not kept, so everything stands where the text begins.
    Somewhere(Position),
}

impl Place {
    pub(crate) fn of(&self, at: Position) -> Position {
        match self {
            Place::Same => at,
            Place::Block { above, indents } => {
                let indent = indents.get(at.line as usize - 1).or(indents.last()).copied().unwrap_or(0);
                Position { line: at.line + above, column: at.column + indent }
            }
            Place::Somewhere(begin) => *begin,
        }
    }
}

/// The document in a text that is one, or a ConfigMap's manifest.
///
/// # Errors
/// A manifest without a document that can be found.
pub(crate) fn document_in(text: &str) -> Result<(String, Place), Fault> {
    // What is no YAML at all is told by the reading that follows.
    let manifest = parse(text, usize::MAX, &|at| at).ok().map(|(node, _)| node);
    let Some(manifest) =
        manifest.filter(|node| node.member("kind").is_some() && node.member("apiVersion").is_some())
    else {
        return Ok((text.to_owned(), Place::Same));
    };
    let wrong = |at: Position, path: &str, what: &str, mend: &str| {
        Err(Fault::new(Severity::Error, at, path, what, mend))
    };
    let Some((_, kind)) = manifest.member("kind") else { return Ok((text.to_owned(), Place::Same)) };
    if !is(kind, "ConfigMap") {
        return wrong(
            kind.at,
            "kind",
            "the manifest is not a ConfigMap",
            "give the ConfigMap or the document itself",
        );
    }
    let Some((data_key, data)) = manifest.member("data") else {
        return wrong(
            manifest.at,
            "data",
            "the ConfigMap has no `data`",
            "put the document under `data`, key `rules.yaml`",
        );
    };
    let Some((key, document)) = data.member(KEY) else {
        return wrong(
            data_key.at,
            "data",
            "`data` has no key `rules.yaml`",
            "put the document under the key `rules.yaml`",
        );
    };
    match &document.kind {
        Kind::Scalar(scalar) => {
            let place = if scalar.literal {
                block(text, key.at, &scalar.text)
            } else {
                Place::Somewhere(document.at)
            };
            Ok((scalar.text.to_string(), place))
        }
        _ => wrong(
            document.at,
            "data.rules.yaml",
            "a ConfigMap holds texts, and this is a list or map",
            "write `rules.yaml: |` and the document below it, indented",
        ),
    }
}

fn is(node: &Node, word: &str) -> bool {
    matches!(&node.kind, Kind::Scalar(scalar) if &*scalar.text == word)
}

/// The lines of a block whose key stands at a position: the first below it that end as the document's do.
fn block(file: &str, key: Position, document: &str) -> Place {
    /// Comments and the `|` itself may stand on lines of their own.
    const FURTHEST: u32 = 8;
    let holds = |above: u32| {
        let mut outer = file.lines().skip(above as usize);
        document.lines().all(|inner| outer.next().is_some_and(|outer| outer.ends_with(inner)))
    };
    let Some(above) = (key.line..key.line + FURTHEST).find(|above| holds(*above)) else {
        return Place::Somewhere(key);
    };
    let lines = document.lines().zip(file.lines().skip(above as usize));
    let indents = lines.map(|(inner, outer)| (outer.chars().count() - inner.chars().count()) as u32);
    Place::Block { above, indents: indents.collect() }
}
