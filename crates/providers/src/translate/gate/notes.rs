//! What a translation loses and why it is refused, each with its place in the app's request. Never what stands there.

use std::fmt;

use crate::canonical::{Fate, Form};

/// Why a request cannot be said elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Where it stands in the request: `messages[3].content[1]`. Empty for the whole.
    pub place: String,
    /// What cannot be said, in plain words.
    pub what: &'static str,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() { "the call" } else { &self.place };
        write!(f, "{place}: {}", self.what)
    }
}

/// What is said less well elsewhere. One per kind, however often it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Where it stands first, as in a [`Reason`].
    pub place: String,
    /// What it is, in plain words.
    pub what: &'static str,
    /// What became of it.
    pub lost: Lost,
}

/// What became of something that cannot be said exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lost {
    /// It is said in other words.
    Approximated,
    /// It is left out.
    Dropped,
}

impl Lost {
    /// The word used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Lost::Approximated => "approximated",
            Lost::Dropped => "dropped",
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() { "the call" } else { &self.place };
        write!(f, "{place}: {} ({})", self.what, self.lost.as_str())
    }
}

/// More reasons than these tell nobody anything.
const MOST: usize = 16;

/// What was noted.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) losses: Vec<Loss>,
    pub(crate) reasons: Vec<Reason>,
}

impl Notes {
    pub(crate) fn approximate(&mut self, at: At<'_>, what: &'static str) {
        self.lose(at, what, Lost::Approximated);
    }

    pub(crate) fn drop(&mut self, at: At<'_>, what: &'static str) {
        self.lose(at, what, Lost::Dropped);
    }

    fn lose(&mut self, at: At<'_>, what: &'static str, lost: Lost) {
        if !self.losses.iter().any(|loss| loss.what == what && loss.lost == lost) {
            self.losses.push(Loss { place: at.to_string(), what, lost });
        }
    }

    pub(crate) fn refuse(&mut self, at: At<'_>, what: &'static str) {
        if self.reasons.len() < MOST {
            self.reasons.push(Reason { place: at.to_string(), what });
        }
    }

    pub(crate) fn fate(&mut self, at: At<'_>, fate: Fate) {
        match fate {
            Fate::Silent | Fate::By(_) | Fate::Within(_) => {}
            Fate::Dropped(what) => self.drop(at, what),
            Fate::Refused(what) | Fate::Kept(what) => self.refuse(at, what),
        }
    }
}

/// A place in the app's request, in the words of its format. Written out only where something is noted.
#[derive(Clone, Copy)]
pub(crate) enum At<'a> {
    /// A member of the whole.
    Member(&'a str),
    /// A member of another place.
    In(&'a At<'a>, &'a str),
    /// A part of the system prompt.
    System(&'static Form, usize),
    /// A message or an item.
    Message(&'static Form, usize),
    /// A part of it.
    Part(&'static Form, usize, usize),
    /// A part of a tool's answer, by the place of the answer.
    Inner(&'a At<'a>, usize),
    /// A tool.
    Tool(usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Member(member) => f.write_str(member),
            At::In(place, member) => write!(f, "{place}.{member}"),
            At::System(form, part) => write!(f, "{}[{part}]", form.system),
            At::Message(form, index) => write!(f, "{}[{index}]", form.messages),
            At::Part(form, index, part) => match form.parts {
                Some(parts) => write!(f, "{}[{index}].{parts}[{part}]", form.messages),
                None => write!(f, "{}[{index}]", form.messages),
            },
            At::Inner(place, part) => write!(f, "{place}.content[{part}]"),
            At::Tool(index) => write!(f, "tools[{index}]"),
        }
    }
}
