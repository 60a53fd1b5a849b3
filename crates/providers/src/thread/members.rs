//! The members that mean something, over all chat formats: none means two things.

/// Members of prompts, with slots of their own, so that their order in a body does not matter.
pub(super) const SLOTS: usize = 4;
/// Where the provider shall cut its cache: says nothing of the conversation, and moves from turn to turn.
pub(super) const CACHE_MARK: &[u8] = b"cache_control";

/// The top-level member that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    None,
    Messages,
    Prompt(usize),
}

impl Part {
    /// Messages of OpenAI and most others, Responses and Interactions, Gemini; instructions and tools, with their slots.
    pub(super) const fn of(key: &[u8]) -> Part {
        match key {
            b"messages" | b"input" | b"contents" => Part::Messages,
            b"system" | b"instructions" | b"systemInstruction" | b"system_instruction" => Part::Prompt(0),
            b"tools" => Part::Prompt(1),
            b"functions" => Part::Prompt(2),
            b"toolConfig" | b"tool_config" => Part::Prompt(3),
            _ => Part::None,
        }
    }
}

/// Why a value is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Looking {
    No,
    Id,
    Role,
}

impl Looking {
    /// What the value of a member within the messages may tell; messages have depth 3.
    pub(super) const fn at(key: &[u8], depth: u32) -> Looking {
        match key {
            b"role" if depth == 3 => Looking::Role,
            b"tool_call_id" | b"tool_use_id" | b"toolUseId" | b"call_id" | b"id" => Looking::Id,
            _ => Looking::No,
        }
    }
}
