//! What the book knows of a model beside its prices. Unknown is a value: who needs a fact refuses what is unknown.

use super::binary::{Bytes, Table};

macro_rules! capabilities {
    ($($name:ident, $word:literal, $says:literal;)*) => {
        /// Something a model can do, or not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Capability {
            $(#[doc = $says] $name,)*
        }

        impl Capability {
            /// Every capability.
            pub const ALL: [Capability; [$($word),*].len()] = [$(Capability::$name),*];

            /// The word used in the book and in rules.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Capability::$name => $word,)* }
            }

            /// The capability of a word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Capability> {
                match word { $($word => Some(Capability::$name),)* _ => None }
            }
        }
    };
}

capabilities! {
    Tools, "tools", "Calls tools.";
    ParallelTools, "parallel_tools", "Calls several tools at once.";
    ToolChoice, "tool_choice", "Takes an order to call a tool.";
    StrictSchema, "strict_schema", "Holds its answer to a JSON Schema.";
    SystemMessage, "system_message", "Takes a system message.";
    Prefill, "prefill", "Continues an answer that was begun for it.";
    Vision, "vision", "Reads images.";
    Documents, "documents", "Reads PDF documents.";
    AudioInput, "audio_input", "Hears audio.";
    AudioOutput, "audio_output", "Speaks.";
    VideoInput, "video_input", "Watches video.";
    Reasoning, "reasoning", "Reasons before it answers.";
    PromptCaching, "prompt_caching", "Caches prompts.";
    WebSearch, "web_search", "Searches the web itself.";
    ComputerUse, "computer_use", "Drives a computer.";
    Streaming, "streaming", "Streams its answer.";
}

/// What is known of a model. `None` is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModelFacts<'a> {
    /// The model's id in the book.
    pub model: &'a str,
    /// Tokens of prompt and answer together, or of the prompt where the answer has a limit of its own.
    pub context_window: Option<u64>,
    /// Tokens of the answer.
    pub output_limit: Option<u64>,
    /// The smallest prompt prefix that is cached, in tokens.
    pub smallest_cacheable: Option<u64>,
    /// Family of its tokenizer.
    pub tokenizer: Option<&'a str>,
    /// The day on which it is retired, `YYYY-MM-DD`.
    pub retires: Option<&'a str>,
    /// Where this is known from.
    pub source: &'a str,
    /// The day on which it was read there.
    pub checked_on: &'a str,
    /// A bit per capability that is known, and one per capability it has.
    known: u32,
    can: u32,
}

impl<'a> ModelFacts<'a> {
    /// Whether the model can; `None` is unknown.
    #[must_use]
    pub const fn can(&self, capability: Capability) -> Option<bool> {
        let bit = 1 << capability as u8;
        if self.known & bit == 0 { None } else { Some(self.can & bit != 0) }
    }

    /// A model of which nothing is known but its prices.
    pub(super) fn unknown(model: &'a str) -> ModelFacts<'a> {
        ModelFacts { model, ..ModelFacts::default() }
    }

    pub(super) fn read(book: Bytes<'a>, place: u32, model: &'a str) -> ModelFacts<'a> {
        let record = book.record(Table::Facts, place);
        let limit = |at| Some(record.long(at)).filter(|limit| *limit != u64::MAX);
        let text = |at| Some(record.text(at)).filter(|text| !text.is_empty());
        ModelFacts {
            model,
            context_window: limit(0),
            output_limit: limit(8),
            smallest_cacheable: limit(16),
            known: record.word(24),
            can: record.word(28),
            tokenizer: text(32),
            retires: text(40),
            source: record.text(48),
            checked_on: record.text(56),
        }
    }

    /// These facts, and where they are silent the other ones.
    pub(super) fn or(self, other: ModelFacts<'a>) -> ModelFacts<'a> {
        ModelFacts {
            context_window: self.context_window.or(other.context_window),
            output_limit: self.output_limit.or(other.output_limit),
            smallest_cacheable: self.smallest_cacheable.or(other.smallest_cacheable),
            tokenizer: self.tokenizer.or(other.tokenizer),
            retires: self.retires.or(other.retires),
            known: self.known | other.known,
            can: self.can | (other.can & !self.known),
            ..self
        }
    }
}
