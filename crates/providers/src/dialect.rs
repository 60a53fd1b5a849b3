//! What a wire format must tell us. One implementation per folder of `dialects/`.

use http::{HeaderMap, StatusCode};

use crate::{
    AnswerTexts, Failure, FailureClass, FailureMembers, Names, OwnError, Progress, Reading, SocketMeter,
    Thread, ToolCallMark,
};

/// What a call asks the provider to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A conversation turn: Chat Completions, Responses, Messages, Converse.
    Chat,
    /// A conversation turn of Gemini, which the conventions name apart.
    GenerateContent,
    /// Continuing a text (legacy Completions, Ollama's generate).
    TextCompletion,
    /// Turning texts into vectors.
    Embeddings,
    /// Ordering documents by a query.
    Rerank,
    /// Making or editing images.
    Image,
    /// Turning text into speech.
    Speech,
    /// Turning speech into text.
    Transcription,
    /// Fetching a stored response; carries no usage of its own.
    FetchResponse,
    /// Counting tokens; free.
    CountTokens,
    /// A path of a listed provider that is not inference (files, batches, models …).
    Other,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 11] = [
        Operation::Chat,
        Operation::GenerateContent,
        Operation::TextCompletion,
        Operation::Embeddings,
        Operation::Rerank,
        Operation::Image,
        Operation::Speech,
        Operation::Transcription,
        Operation::FetchResponse,
        Operation::CountTokens,
        Operation::Other,
    ];

    /// The operation of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Operation> {
        Operation::ALL.into_iter().find(|operation| operation.as_str() == word)
    }

    /// The word used in records; where the OpenTelemetry GenAI conventions have a name it is theirs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::Chat => "chat",
            Operation::GenerateContent => "generate_content",
            Operation::TextCompletion => "text_completion",
            Operation::Embeddings => "embeddings",
            Operation::Rerank => "rerank",
            Operation::Image => "image",
            Operation::Speech => "speech",
            Operation::Transcription => "transcription",
            Operation::FetchResponse => "fetch_response",
            Operation::CountTokens => "count_tokens",
            Operation::Other => "other",
        }
    }

    /// Whether a call of this kind has a record, a span and a price.
    #[must_use]
    pub const fn is_inference(self) -> bool {
        !matches!(self, Operation::FetchResponse | Operation::CountTokens | Operation::Other)
    }

    /// Whether a text is asked for: the inference of the conventions, which have other words for all else.
    #[must_use]
    pub const fn generates_text(self) -> bool {
        matches!(self, Operation::Chat | Operation::GenerateContent | Operation::TextCompletion)
    }
}

/// What a request says of itself: everything the span and the record need, no content.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestFacts {
    /// The model asked for.
    pub model: Option<String>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Chat Completions: whether `stream_options.include_usage` was asked for; `None` where it does not apply.
    pub include_usage: Option<bool>,
    /// Upper bound on answer tokens.
    pub max_tokens: Option<u64>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Top-k sampling.
    pub top_k: Option<u64>,
    /// Number of choices, if not one.
    pub choices: Option<u64>,
    /// Sampling seed.
    pub seed: Option<i64>,
    /// Frequency penalty.
    pub frequency_penalty: Option<f64>,
    /// Presence penalty.
    pub presence_penalty: Option<f64>,
    /// Texts that end the answer.
    pub stop_sequences: Vec<String>,
    /// Embeddings: dimensions asked for.
    pub dimensions: Option<u64>,
    /// Embeddings: forms asked for (`float`, `base64`).
    pub encoding_formats: Vec<String>,
    /// A prompt template that the provider keeps, and its version.
    pub prompt_template: Option<(String, Option<String>)>,
    /// Bedrock: the guardrail that is to watch.
    pub guardrail: Option<String>,
    /// Exact reasoning level sent.
    pub reasoning_level: Option<String>,
    /// Requested service tier.
    pub tier_word: Option<String>,
    /// Requested output type by the conventions: `text`, `json`.
    pub output_type: Option<&'static str>,
    /// Id of the response this one continues.
    pub previous_response_id: Option<String>,
    /// Who and what the call is for, as far as the body says so.
    pub names: Names,
    /// The conversation as named in the provider's own body field.
    pub conversation: Option<String>,
    /// What its history shows of the calls before it.
    pub thread: Thread,
}

/// Reads a request body as it passes, cut anywhere. Never fails, never holds more than a few KiB.
pub trait RequestReader: Send {
    /// The next bytes of the (decoded) body.
    fn chunk(&mut self, bytes: &[u8]);
    /// What was found so far. Asked after the last byte, when the body broke off, or before; it changes nothing that is found later.
    fn finish(&mut self) -> RequestFacts;
}

/// Reads a response body as it passes, cut anywhere. Never fails, bounded, allocation-free in the steady state.
pub trait ResponseMeter: Send {
    /// The next bytes of the (decoded) body. Returns true when the first content of the answer was in them.
    fn chunk(&mut self, bytes: &[u8]) -> bool;
    /// How far the answer has come, asked before [`finish`](ResponseMeter::finish). Who does not know says `Content`: nothing is
    /// held back on a guess.
    fn progress(&self) -> Progress {
        Progress::Content
    }
    /// What was read. Called once, after the last byte or when the body broke off.
    fn finish(&mut self) -> Reading;
}

/// A wire format.
pub trait Dialect: Sync {
    /// Its name in records, such as `openai_chat`.
    fn name(&self) -> &'static str;
    /// The OpenTelemetry name of the API flavour (`openai.api.type`), where one is defined.
    fn api_type(&self) -> Option<&'static str> {
        None
    }
    /// Whether a stream's usage is asked for by [`crate::include_usage`].
    fn has_include_usage(&self) -> bool {
        false
    }
    /// Where its answers give the ids of tool calls, if they do.
    fn tool_call_mark(&self) -> Option<ToolCallMark> {
        None
    }
    /// The members of an answer that hold its texts, streamed or whole; for estimates where no usage comes. [`AnswerTexts::NONE`]
    /// where it has no texts, or none that are told apart.
    fn answer_texts(&self, streamed: bool) -> AnswerTexts {
        let _unused = streamed;
        AnswerTexts::NONE
    }
    /// What reads its bodies into the canonical form, content included; `None` where nothing does yet.
    fn canonical(&self) -> Option<&'static dyn crate::canonical::Reader> {
        None
    }
    /// What writes its answers out of the canonical form; `None` where nothing does yet.
    fn answers(&self) -> Option<&'static dyn crate::canonical::AnswerWriter> {
        None
    }
    /// What writes requests out of the canonical form; `None` where nothing does yet.
    fn requests(&'static self) -> Option<&'static dyn crate::canonical::RequestWriter> {
        None
    }
    /// Whether a JSON request names its model by the member `model` alone, so that [`crate::named_model`] may look for it.
    fn names_model(&self) -> bool {
        false
    }
    /// A reader for one request body.
    fn request_reader(&self) -> Box<dyn RequestReader>;
    /// A meter for one response with this head.
    fn response_meter(&'static self, status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter>;
    /// A meter for a WebSocket that speaks this format, opened with this query; `None` where the format has none.
    fn socket_meter(&self, query: Option<&str>) -> Option<Box<dyn SocketMeter>> {
        let _unused = query;
        None
    }
    /// Whether a later request may name an answer by its id, which its provider keeps.
    fn keeps_answers(&self) -> bool {
        false
    }
    /// The outermost members of a successful answer in one piece that may tell a failure, so that [`crate::is_plain_answer`] may look
    /// at those alone; `None` where all of it has to be read for that.
    fn failure_members(&self) -> Option<FailureMembers> {
        None
    }
    /// The failure that an error response means, from its head and what the meter read.
    fn classify(&self, status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure>;
    /// An error of our own as a body of this format (`application/json`).
    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8>;
    /// The status by which apps of this format know an error of this class.
    fn error_status(&self, class: FailureClass) -> u16 {
        class.status()
    }
    /// Headers that are a part of such an error.
    fn error_headers(&self, error: &OwnError<'_>, headers: &mut HeaderMap) {
        let _unused = (error, headers);
    }
    /// What the message of such an error says, where apps know the class by nothing else.
    fn error_phrase(&self, class: FailureClass) -> Option<&'static str> {
        let _unused = class;
        None
    }
    /// Whether its SDKs raise at every error that a provider tells within a stream. Where they pass over some of them, a part of an
    /// answer looks like all of it.
    fn raises_told_errors(&self) -> bool {
        true
    }
    /// The OpenTelemetry word for a provider's finish word (`end_turn` → `stop`); unknown words pass as they are.
    fn finish_word<'a>(&self, word: &'a str) -> &'a str;
}
