//! The turns of a fitted conversation: who speaks changes with every turn, and what tools answered comes first in the user's.

use super::{Body, Message, Part, Role};

/// One turn.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    /// Whose it is.
    pub(crate) by: By,
    /// What is said.
    pub(crate) parts: Vec<&'a Part>,
}

/// Whose a turn is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Instructions among the messages.
    System,
    /// The user's, and that of the app's tools.
    User,
    /// The model's.
    Assistant,
}

impl Turn<'_> {
    /// What tools answered.
    pub(crate) fn answers(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().copied().filter(|part| matches!(part.body, Body::ToolAnswer { .. }))
    }

    /// Everything else.
    pub(crate) fn others(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().copied().filter(|part| !matches!(part.body, Body::ToolAnswer { .. }))
    }
}

/// Messages of one side that follow one another are one turn.
pub(crate) fn turns(messages: &[Message]) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for message in messages {
        let by = match message.role {
            Role::Assistant => By::Assistant,
            Role::System | Role::Developer => By::System,
            Role::User | Role::Tool | Role::Other(_) => By::User,
        };
        match turns.last_mut() {
            Some(turn) if turn.by == by => turn.parts.extend(&message.parts),
            _ => turns.push(Turn { by, parts: message.parts.iter().collect() }),
        }
    }
    turns.retain(|turn| !turn.parts.is_empty());
    turns
}

/// The texts of these parts as one.
pub(crate) fn joined<'a>(parts: impl IntoIterator<Item = &'a Part>, between: &str) -> String {
    let texts = parts.into_iter().filter_map(|part| match &part.body {
        Body::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join(between)
}
