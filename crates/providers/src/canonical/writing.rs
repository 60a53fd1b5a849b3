//! What a wire format can say of a request, and how it says it. Per translated request.

use outrigger_pricing::ModelFacts;
use serde_json::{Map, Value, json};

use super::Request;

/// Writes the canonical form of a request in a wire format.
pub trait RequestWriter: Sync {
    /// What its requests are made of.
    fn form(&self) -> &'static Form;
    /// What it can say to this model.
    fn manner(&self, model: &str, facts: Option<&ModelFacts<'_>>) -> Manner;
    /// The body of a request that was fitted to this manner. The model is the one that the body is to name; formats that name it in
    /// the path leave it out.
    fn write(&self, request: &Request, manner: &Manner) -> Value;
    /// Whether a request of this format is taken as it is, where others of it are read. `kin`: the same provider was asked in these
    /// words.
    fn takes_as_it_is(&self, request: &Request, body: &[u8], kin: bool) -> bool {
        let _unused = (request, body, kin);
        true
    }
    /// A turn of plain text in the conversation, by `user` or `assistant`.
    fn turn(&self, role: &'static str, text: &str) -> Value {
        json!({"role": role, "content": text})
    }
}

/// What a format's requests are made of: what the places are called, and what becomes of members that have no place in the
/// canonical form.
#[derive(Debug)]
pub struct Form {
    /// The format's name for people.
    pub(crate) name: &'static str,
    /// The member that holds the system prompt.
    pub(crate) system: &'static str,
    /// The member that holds the conversation.
    pub(crate) messages: &'static str,
    /// The member of a message that holds its parts; none where messages are items.
    pub(crate) parts: Option<&'static str>,
    /// Members of the request.
    pub(crate) beside_request: Beside,
    /// Members of a message.
    pub(crate) beside_message: Beside,
    /// Members of a part.
    pub(crate) beside_part: Beside,
    /// Members of a tool.
    pub(crate) beside_tool: Beside,
}

/// Members by their names, and what becomes of each. One that is not listed refuses a translation.
pub(crate) type Beside = &'static [(&'static str, Fate)];

/// What becomes of a member when its request is said in another format.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// It says nothing of the answer, or its translator knows it.
    Silent,
    /// It is left out and this is noted.
    Dropped(&'static str),
    /// It cannot be said elsewhere.
    Refused(&'static str),
    /// It means what the provider keeps for this account: no other place can answer it, whatever its format.
    Kept(&'static str),
    /// What its value decides.
    By(fn(&Value) -> Fate),
    /// What its members decide.
    Within(Beside),
}

/// A member that asks for nothing: as if it were not there.
pub(crate) fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Shows what becomes of each member of `rest`, with its path below `above`.
pub(crate) fn fates(
    above: &str,
    rest: &Map<String, Value>,
    known: Beside,
    each: &mut dyn FnMut(String, Fate),
) {
    const UNKNOWN: Fate = Fate::Refused("a member that is not known here");
    for (name, value) in rest.iter().filter(|(_, value)| !says_nothing(value)) {
        let joint = if above.is_empty() { "" } else { "." };
        let path = format!("{above}{joint}{name}");
        let fate = known.iter().find(|(known, _)| known == name).map_or(UNKNOWN, |(_, fate)| *fate);
        let fate = if let Fate::By(decide) = fate { decide(value) } else { fate };
        match (fate, value) {
            (Fate::Within(known), Value::Object(inner)) => fates(&path, inner, known, each),
            (Fate::Within(_), _) => each(path, UNKNOWN),
            (fate, _) => each(path, fate),
        }
    }
}

/// What a format can say to one model. What it cannot is approximated, dropped or refused on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Manner {
    /// Instructions may stand anywhere among the messages.
    pub(crate) system_anywhere: bool,
    /// The conversation must begin with the user.
    pub(crate) user_first: bool,
    /// An answer that was begun for the model is continued.
    pub(crate) prefill: bool,
    /// Pictures are read.
    pub(crate) images: bool,
    /// PDF documents are read.
    pub(crate) documents: bool,
    /// Sound is heard.
    pub(crate) audio: bool,
    /// Pictures are fetched from their addresses.
    pub(crate) image_urls: bool,
    /// Documents are fetched from their addresses.
    pub(crate) document_urls: bool,
    /// A tool's answer may hold pictures and documents.
    pub(crate) media_in_answers: bool,
    /// A tool's answer may be empty.
    pub(crate) empty_answers: bool,
    /// It is said whether a tool failed.
    pub(crate) error_flag: bool,
    /// Arguments are objects, not texts.
    pub(crate) object_arguments: bool,
    /// Where prompts may be cached is said.
    pub(crate) cache_hints: bool,
    /// Tools can be called.
    pub(crate) tools: bool,
    /// So can those that take free text.
    pub(crate) free_tools: bool,
    /// Calls may stand in the history without the thoughts before them.
    pub(crate) called_history: bool,
    /// What a tool may be called.
    pub(crate) names: NameRule,
    /// What a call's id may be.
    pub(crate) ids: IdRule,
    /// Arguments are held to their schemas.
    pub(crate) strict_tools: StrictTools,
    /// The model can be told to call nothing.
    pub(crate) no_call: bool,
    /// How only some of the tools are allowed.
    pub(crate) some_tools: SomeTools,
    /// A call can be ordered while the model thinks.
    pub(crate) forced_while_thinking: bool,
    /// That calls come one at a time can be said.
    pub(crate) one_call: bool,
    /// Tools that are called in the history must be declared.
    pub(crate) declared_history: bool,
    /// Whether an answer of any JSON can be asked for.
    pub(crate) json: bool,
    /// Whether and how an answer is held to a schema.
    pub(crate) schemas: Schemas,
    /// Whether a schema and tools can be asked for at once.
    pub(crate) schema_with_tools: bool,
    /// The highest temperature; none where it is not taken.
    pub(crate) hottest: Option<f64>,
    /// Nucleus sampling is taken.
    pub(crate) top_p: bool,
    /// Temperature and nucleus may come together.
    pub(crate) both_chances: bool,
    /// Temperature and the like may come while the model thinks.
    pub(crate) chances_while_thinking: bool,
    /// How wordy the answer is to be can be said.
    pub(crate) verbosity: bool,
    /// Top-k is taken.
    pub(crate) top_k: bool,
    /// A seed is taken.
    pub(crate) seed: bool,
    /// Penalties are taken.
    pub(crate) penalties: bool,
    /// How many texts may end the answer.
    pub(crate) stops: usize,
    /// Such a text may be blank.
    pub(crate) blank_stops: bool,
    /// How much to think is said in this form.
    pub(crate) thinking: Thinking,
    /// Most tokens of an answer, where it must be said.
    pub(crate) max_tokens_needed: Option<u64>,
    /// More tokens than these are never answered.
    pub(crate) max_tokens_cap: Option<u64>,
    /// What else the writer must know of the place.
    pub(crate) mark: Mark,
}

/// What a tool may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameRule {
    /// Characters.
    pub(crate) longest: usize,
    /// What may stand there beside letters, digits, `_` and `-`.
    pub(crate) beside: &'static str,
    /// It begins with a letter or `_`.
    pub(crate) letter_first: bool,
}

/// What a call's id may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdRule {
    /// Letters, digits, `_` and `-`, at most so many.
    Word(usize),
    /// So many letters and digits.
    Exactly(usize),
}

impl IdRule {
    /// Whether it can be that.
    pub(crate) fn fits(self, id: &str) -> bool {
        let word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        match self {
            IdRule::Word(longest) => (1..=longest).contains(&id.len()) && id.chars().all(word),
            IdRule::Exactly(length) => {
                id.len() == length && id.chars().all(|letter| letter.is_ascii_alphanumeric())
            }
        }
    }
}

/// Whether arguments are held to their schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StrictTools {
    /// By OpenAI's rules for schemas.
    OpenAi,
    /// By Anthropic's.
    Claude,
    /// All of them, by a mode of the whole.
    Mode,
    /// No.
    No,
}

/// How only some of the tools are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SomeTools {
    /// It is said.
    Said,
    /// By a mode that also holds arguments to their schemas, where none is ordered.
    Mode,
    /// The others are not shown.
    Filtered,
}

/// Whether and how an answer is held to a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schemas {
    /// By OpenAI's rules where it is strict.
    OpenAi,
    /// By Anthropic's rules.
    Claude,
    /// Any schema.
    Any,
    /// It is not.
    No,
}

/// How much to think is said in this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// Not at all.
    Untold,
    /// By one of these steps, lowest first.
    Steps(&'static [&'static str]),
    /// By one of these steps, beside whether to think.
    Adaptive(&'static [&'static str]),
    /// By tokens, at least so many; 0 is none, where that can be said.
    Budget {
        /// The fewest.
        least: u64,
        /// Whether it can be none.
        off: bool,
        /// Whether it must stay below the answer's bound.
        below_max: bool,
    },
}

/// What a writer must know of a place beside what can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing.
    Plain,
    /// Calls of others in the history need the documented sentinel for a signature.
    Sentinel,
}

/// The steps of effort, lowest first, and the tokens that are about as much.
pub(crate) const STEPS: [(&str, u64); 7] = [
    ("none", 0),
    ("minimal", 128),
    ("low", 1024),
    ("medium", 2048),
    ("high", 4096),
    ("xhigh", 8192),
    ("max", 16384),
];
