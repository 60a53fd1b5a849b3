//! What the events of a stream mean, and an answer made of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Answer, Arguments, Body, Choice, Part, Seal, Stop};

/// More choices than any request may ask for, and more parts than any answer has, are not followed.
const MOST: usize = 1 << 20;

/// One step of a streamed answer. A part is known by the number of its choice and a number of its own; by that number the
/// parts of a whole answer are ordered, whatever the order they opened in.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The answer begins, or tells more of itself.
    Start {
        /// The response's id.
        id: Option<String>,
        /// The model that answers.
        model: Option<String>,
    },
    /// A part begins.
    Open {
        /// Its choice.
        choice: usize,
        /// Its number.
        part: usize,
        /// What is known of it; what grows may be empty yet.
        begun: Part,
    },
    /// A part that has begun grows.
    Grow {
        /// Its choice.
        choice: usize,
        /// Its number.
        part: usize,
        /// By this.
        piece: Piece,
    },
    /// A part is whole.
    Close {
        /// Its choice.
        choice: usize,
        /// Its number.
        part: usize,
    },
    /// A choice has its reason to end. Others, and the usage, may follow.
    Stop {
        /// Its number.
        choice: usize,
        /// Why.
        stop: Stop,
    },
    /// The provider ends with an error instead, in its own form.
    Failed(Value),
    /// The format's last word.
    Done,
}

/// What a part grows by.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// More of its text, shown, thought or refused.
    Text(String),
    /// More of the text of a call's arguments.
    Arguments(String),
    /// More of its signature.
    Signature(String),
    /// What stands in the place of what is not shown, whole.
    Sealed(String),
    /// One more element of a list that stands beside it.
    Beside(&'static str, Value),
}

/// Makes an answer of the events of a stream. Whatever the events, it holds what they said so far and never fails.
#[derive(Debug, Default)]
pub struct Fold {
    id: Option<String>,
    model: Option<String>,
    choices: BTreeMap<usize, Folded>,
    error: Option<Value>,
    done: bool,
}

#[derive(Debug, Default)]
struct Folded {
    parts: BTreeMap<usize, Growing>,
    stop: Option<Stop>,
}

#[derive(Debug)]
struct Growing {
    part: Part,
    /// Arguments as text, until they are whole. What a start says of them is a placeholder as soon as any came.
    arguments: String,
}

impl Fold {
    /// The next event.
    pub fn take(&mut self, event: Event) {
        match event {
            Event::Start { id, model } => {
                self.id = self.id.take().or(id);
                self.model = model.or(self.model.take());
            }
            Event::Open { choice, part, begun } => {
                if choice < MOST && part < MOST {
                    let parts = &mut self.choices.entry(choice).or_default().parts;
                    parts.entry(part).or_insert(Growing { part: begun, arguments: String::new() });
                }
            }
            Event::Grow { choice, part, piece } => {
                let parts = self.choices.get_mut(&choice).map(|choice| &mut choice.parts);
                if let Some(growing) = parts.and_then(|parts| parts.get_mut(&part)) {
                    growing.grow(piece);
                }
            }
            Event::Close { .. } => {}
            Event::Stop { choice, stop } => {
                if choice < MOST {
                    self.choices.entry(choice).or_default().stop = Some(stop);
                }
            }
            Event::Failed(error) => self.error = Some(error),
            Event::Done => self.done = true,
        }
    }

    /// Whether the format's last word came.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// The error that the provider ended with, in its own form.
    #[must_use]
    pub const fn error(&self) -> Option<&Value> {
        self.error.as_ref()
    }

    /// The answer as far as it came.
    #[must_use]
    pub fn answer(self) -> Answer {
        let choices = self
            .choices
            .into_values()
            .map(|folded| Choice::new(folded.parts.into_values().map(Growing::grown).collect(), folded.stop));
        Answer { id: self.id, model: self.model, choices: choices.collect() }
    }
}

impl Growing {
    fn grow(&mut self, piece: Piece) {
        match piece {
            Piece::Text(more) => {
                if let Body::Text(text) | Body::Reasoning(text) | Body::Refusal(text) = &mut self.part.body {
                    text.push_str(&more);
                }
            }
            Piece::Arguments(more) => self.arguments.push_str(&more),
            Piece::Signature(more) => match &mut self.part.seal {
                Some(Seal::Signature(signature) | Seal::Content(signature)) => signature.push_str(&more),
                None => self.part.seal = Some(Seal::Signature(more)),
            },
            Piece::Sealed(seal) => self.part.seal = Some(Seal::Content(seal)),
            Piece::Beside(name, value) => beside(&mut self.part.rest, name, value),
        }
    }

    fn grown(mut self) -> Part {
        if let Body::ToolCall(call) | Body::ServerToolCall { call, .. } = &mut self.part.body
            && !self.arguments.is_empty()
        {
            call.arguments =
                if call.free { Arguments::Text(self.arguments) } else { Arguments::read(self.arguments) };
        }
        self.part
    }
}

fn beside(rest: &mut Map<String, Value>, name: &str, value: Value) {
    if let Value::Array(list) = rest.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
        list.push(value);
    }
}
