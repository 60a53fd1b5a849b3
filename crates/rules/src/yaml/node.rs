//! The tree.

use std::sync::Arc;

use crate::fault::Position;

/// A part of the text.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) kind: Kind,
}

/// What it is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    /// In the order of the text, no key twice.
    Map(Vec<(Key, Node)>),
}

/// A text, number, switch or nothing: which one its reader decides.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    /// Shared by all aliases of it.
    pub(crate) text: Arc<str>,
    /// Whether it stands without quotes.
    pub(crate) plain: bool,
    /// Whether it is a `|` block, whose lines are those of the file.
    pub(crate) literal: bool,
}

/// The name of a member.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) at: Position,
    pub(crate) text: Arc<str>,
    pub(crate) plain: bool,
}

impl Node {
    /// What it is, for messages. A text is not repeated: it may be a secret in the wrong place.
    pub(crate) fn is(&self) -> &'static str {
        match &self.kind {
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
            Kind::Scalar(scalar) if scalar.is_nothing() => "nothing",
            Kind::Scalar(_) => "a text",
        }
    }

    pub(crate) fn member(&self, name: &str) -> Option<(&Key, &Node)> {
        match &self.kind {
            Kind::Map(members) => {
                members.iter().find(|(key, _)| &*key.text == name).map(|(key, node)| (key, node))
            }
            _ => None,
        }
    }
}

impl Scalar {
    /// A key without a value, `~` or `null`.
    pub(crate) fn is_nothing(&self) -> bool {
        self.plain && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL")
    }
}

/// The beginning of a text, for messages.
pub(crate) fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String =
        text.chars().take(LONGEST).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
