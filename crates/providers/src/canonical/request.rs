//! What a request asks for.

use serde_json::{Map, Value};

use super::{CacheHint, Part, Role};

/// A request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// The model asked for, where the body names it.
    pub model: Option<String>,
    /// Instructions in a place of their own. Formats without one have them among the messages.
    pub system: Vec<Part>,
    /// The conversation, in order and as it was divided.
    pub messages: Vec<Message>,
    /// What the model may call, in order: prompt caches depend on it.
    pub tools: Vec<Tool>,
    /// Whether and what it must call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once; `None` where nothing is said.
    pub parallel_tools: Option<bool>,
    /// The form of the answer.
    pub format: Option<Format>,
    /// How much it is to think.
    pub effort: Effort,
    /// How wordy the answer is to be: `low`.
    pub verbosity: Option<String>,
    /// Bounds and chances of the answer.
    pub sampling: Sampling,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Members that have no place here, under their own names: whoever translates must know each, or refuse.
    pub rest: Map<String, Value>,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// The speaker's name, where one is given.
    pub name: Option<String>,
    /// What is said; empty where nothing is.
    pub parts: Vec<Part>,
    /// Members that have no place here.
    pub rest: Map<String, Value>,
}

/// Something that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Whose it is.
    pub kind: ToolKind,
    /// Its name; tools of the provider's may have none but their kind.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// JSON Schema of its arguments.
    pub schema: Option<Value>,
    /// Whether arguments must follow the schema.
    pub strict: Option<bool>,
    /// Where a prompt may be cached up to this tool.
    pub cache: Option<CacheHint>,
    /// Members that have no place here.
    pub rest: Map<String, Value>,
}

/// Whose a tool is, and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolKind {
    /// The app's, given an object.
    Function,
    /// The app's, given free text; after a grammar, where it has one.
    Free(Option<Grammar>),
    /// Run by the provider or with its schema; the format's word for it.
    Provider(String),
}

/// What a free text must follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grammar {
    /// How it is written: `lark`, `regex`.
    pub syntax: String,
    /// The grammar.
    pub definition: String,
}

impl ToolKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            ToolKind::Function => "function",
            ToolKind::Free(_) => "custom",
            ToolKind::Provider(word) => word,
        }
    }
}

/// Whether and what the model must call.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolChoice {
    /// It decides.
    Auto,
    /// It must not.
    None,
    /// It must call something.
    Required,
    /// It must call this.
    Named(String),
    /// Only some of the tools.
    Allowed {
        /// Their names.
        names: Vec<String>,
        /// Whether it must call one of them.
        required: bool,
    },
    /// Anything else, whole.
    Other(Value),
}

/// The form of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// Text.
    Text,
    /// Any JSON.
    Json,
    /// JSON after a schema.
    Schema {
        /// What the schema is called, where it has a name.
        name: Option<String>,
        /// The schema.
        schema: Value,
        /// Whether the answer must follow it to the letter.
        strict: Option<bool>,
    },
    /// Anything else, whole.
    Other(Value),
}

/// How much the model is to think.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effort {
    /// A step of a scale: `low`.
    pub level: Option<String>,
    /// Most tokens to think with.
    pub budget: Option<u64>,
    /// How: `enabled`, `disabled`, `adaptive`.
    pub mode: Option<String>,
}

/// Bounds and chances of an answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sampling {
    /// Most tokens.
    pub max_tokens: Option<u64>,
    /// Temperature.
    pub temperature: Option<f64>,
    /// Nucleus.
    pub top_p: Option<f64>,
    /// Top-k.
    pub top_k: Option<u64>,
    /// Texts that end it.
    pub stop: Vec<String>,
    /// Seed.
    pub seed: Option<i64>,
    /// Frequency penalty.
    pub frequency_penalty: Option<f64>,
    /// Presence penalty.
    pub presence_penalty: Option<f64>,
    /// How many answers.
    pub choices: Option<u64>,
}
