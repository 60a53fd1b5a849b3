//! What an answer holds.

use super::{Body, Part};

/// An answer, or as much of it as came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// The response's id.
    pub id: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// One per answer asked for, in order of their numbers.
    pub choices: Vec<Choice>,
}

/// One of the answers asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choice {
    /// What it is made of.
    pub parts: Vec<Part>,
    /// Why it ended; `None` if the provider did not say, as when it broke off.
    pub stop: Option<Stop>,
}

impl Choice {
    /// A choice of these parts. Where it calls tools it waits for them, though the provider's word be that of a normal end.
    #[must_use]
    pub fn new(parts: Vec<Part>, stop: Option<Stop>) -> Choice {
        let mut choice = Choice { parts, stop };
        if choice.calls_tools()
            && let Some(stop) = &mut choice.stop
            && matches!(stop.reason, StopReason::End | StopReason::Unknown)
        {
            stop.reason = StopReason::ToolCalls;
        }
        choice
    }

    /// Whether it asks for a tool. Formats and servers differ in the word they then end with, so it is asked of the content.
    #[must_use]
    pub fn calls_tools(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.body, Body::ToolCall(_)))
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// What it means.
    pub reason: StopReason,
    /// The provider's own word.
    pub word: String,
}

/// What the end of an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// The model had done.
    End,
    /// A text that ends it came up; which, where it is said.
    Sequence(Option<String>),
    /// The bound on its tokens.
    Length,
    /// The model's window was full.
    Window,
    /// It waits for tools.
    ToolCalls,
    /// A filter stepped in, or the model declined.
    Filtered,
    /// A call of a tool went wrong in the making.
    MalformedCall,
    /// To be sent again by the app, to go on.
    Paused,
    /// A word that is not known; never taken for a normal end.
    Unknown,
}
