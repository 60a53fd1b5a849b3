//! What messages and answers are made of.

use serde_json::{Map, Value};

/// Who says a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Standing instructions among the messages.
    System,
    /// The same, under OpenAI's newer name.
    Developer,
    /// The app's user.
    User,
    /// The model.
    Assistant,
    /// A tool that answers.
    Tool,
    /// A word that no format documents.
    Other(String),
}

impl Role {
    /// The role of a word; Gemini's `model` is the assistant.
    #[must_use]
    pub fn of(word: &str) -> Role {
        match word {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            "assistant" | "model" => Role::Assistant,
            "tool" | "function" => Role::Tool,
            other => Role::Other(other.to_owned()),
        }
    }

    /// The word by the OpenTelemetry conventions, which know no developer.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
            Role::Other(word) => word,
        }
    }
}

/// One part of a message or an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it is.
    pub body: Body,
    /// What the provider alone can read, and wants back unchanged: never to be shown to another.
    pub seal: Option<Seal>,
    /// Where a prompt may be cached up to this part.
    pub cache: Option<CacheHint>,
    /// Members of it that have no place here, such as citations or an image's detail.
    pub rest: Map<String, Value>,
}

impl Part {
    /// A part that is nothing but this.
    #[must_use]
    pub fn new(body: Body) -> Part {
        Part { body, seal: None, cache: None, rest: Map::new() }
    }

    /// A plain text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Part {
        Part::new(Body::Text(text.into()))
    }
}

/// What a part is.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A text.
    Text(String),
    /// What the model thought, as far as it is shown: empty where only a seal is.
    Reasoning(String),
    /// The model's words for not answering, where the format tells them from text.
    Refusal(String),
    /// The model asks the app to run a tool.
    ToolCall(Call),
    /// What the app's tool answered.
    ToolAnswer {
        /// Of the call it answers.
        id: Option<String>,
        /// Of the tool, where the format names it here.
        name: Option<String>,
        /// What it answered.
        parts: Vec<Part>,
        /// Whether it failed, where the format says so.
        is_error: Option<bool>,
    },
    /// The provider ran a tool of its own.
    ServerToolCall {
        /// The format's word for it.
        kind: String,
        /// What was called.
        call: Call,
    },
    /// What that tool answered.
    ServerToolAnswer {
        /// The format's word for it.
        kind: String,
        /// Of the call it answers.
        id: Option<String>,
        /// What it answered, in the provider's form.
        answer: Value,
    },
    /// Bytes that stand in the body.
    Blob {
        /// What they show.
        modality: Modality,
        /// `image/png`.
        mime: Option<String>,
        /// In base64.
        data: String,
    },
    /// A file that the provider keeps.
    File {
        /// What it shows.
        modality: Modality,
        /// Its id there.
        id: String,
    },
    /// Something that the provider is to fetch.
    Uri {
        /// What it shows.
        modality: Modality,
        /// `image/png`, where it is said.
        mime: Option<String>,
        /// Where it lies.
        uri: String,
    },
    /// Any other part, whole.
    Generic {
        /// The format's word for it.
        kind: String,
        /// The part as it stood.
        value: Value,
    },
}

impl Body {
    /// What lies at an address: a `data:` address holds it itself.
    #[must_use]
    pub fn at(uri: String, modality: Modality) -> Body {
        let inline = uri.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
        match inline {
            Some((mime, data)) => {
                let mime = Some(mime.to_owned()).filter(|mime| !mime.is_empty());
                let modality = mime.as_deref().map_or(modality, Modality::of);
                Body::Blob { modality, mime, data: data.to_owned() }
            }
            None => Body::Uri { modality, mime: None, uri },
        }
    }
}

/// One call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Pairs it with its answer. Some servers give none, or an empty one: `None`.
    pub id: Option<String>,
    /// Of the tool.
    pub name: String,
    /// What it is given.
    pub arguments: Arguments,
    /// Whether the tool takes free text instead of an object.
    pub free: bool,
}

/// What a tool is given.
#[derive(Debug, Clone, PartialEq)]
pub enum Arguments {
    /// An object; without members where nothing was said.
    Object(Map<String, Value>),
    /// Anything else as it was written: free text, or JSON that is broken or broke off.
    Text(String),
}

impl Arguments {
    /// Arguments that were sent as text. No text at all is how some servers say that there are none.
    #[must_use]
    pub fn read(text: String) -> Arguments {
        if text.trim_ascii().is_empty() {
            return Arguments::Object(Map::new());
        }
        serde_json::from_str(&text).map_or(Arguments::Text(text), Arguments::Object)
    }

    /// Arguments that were sent as JSON.
    #[must_use]
    pub fn of(value: Option<Value>) -> Arguments {
        match value {
            None => Arguments::Object(Map::new()),
            Some(Value::Object(members)) => Arguments::Object(members),
            Some(Value::String(text)) => Arguments::Text(text),
            Some(other) => Arguments::Text(other.to_string()),
        }
    }
}

/// What only the provider that made it can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// Vouches for the part it stands on.
    Signature(String),
    /// Stands in the place of what is not shown.
    Content(String),
}

/// What a file, a blob or an address shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Modality {
    /// A picture.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// Pages or text.
    Document,
}

impl Modality {
    /// The word by the OpenTelemetry conventions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Modality::Image => "image",
            Modality::Audio => "audio",
            Modality::Video => "video",
            Modality::Document => "document",
        }
    }

    /// Of a mime type; what is none of the others is a document.
    #[must_use]
    pub fn of(mime: &str) -> Modality {
        match mime.split('/').next() {
            Some("image") => Modality::Image,
            Some("audio") => Modality::Audio,
            Some("video") => Modality::Video,
            _ => Modality::Document,
        }
    }
}

/// A place up to which the provider may cache the prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CacheHint {
    /// For how long, as the format says it (`5m`, `1h`); `None` is the provider's default.
    pub ttl: Option<String>,
}
