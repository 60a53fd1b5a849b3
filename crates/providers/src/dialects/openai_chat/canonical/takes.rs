//! What services that speak Chat Completions take of them. Per translated request.

use crate::canonical::{Body, IdRule, Message, Part, Request, Role, ToolChoice, ToolKind};

/// What a service that speaks Chat Completions takes of them. What is not known is not taken: some servers answer an unknown member
/// with an error.
pub(crate) struct Takes {
    /// The bound on tokens is `max_completion_tokens`.
    pub(crate) newest_bound: bool,
    /// `parallel_tool_calls`.
    pub(crate) parallel: bool,
    /// `strict` and a `response_format` with a schema.
    pub(crate) strict: bool,
    /// A `response_format` with a schema, if not to the letter.
    pub(crate) schema: bool,
    /// Steps of `reasoning_effort`; none where it is not taken. OpenAI's depend on the model.
    pub(crate) effort: Effort,
    /// What the seed is called.
    pub(crate) seed: Option<&'static str>,
    /// Penalties.
    pub(crate) penalties: bool,
    /// Top-k.
    pub(crate) top_k: bool,
    /// How many texts may end the answer.
    pub(crate) stops: usize,
    /// Tools.
    pub(crate) tools: bool,
    /// Tools that take free text.
    pub(crate) free_tools: bool,
    /// Calls in a history want the thoughts before them back.
    pub(crate) wants_thoughts: bool,
    /// Instructions anywhere among the messages.
    pub(crate) system_anywhere: bool,
    /// The word that orders a call.
    pub(crate) required: &'static str,
    /// `allowed_tools`.
    pub(crate) allowed_tools: bool,
    /// Lists of parts in messages that are not the user's.
    pub(crate) lists: bool,
    /// Pictures by their addresses.
    pub(crate) image_urls: bool,
    /// PDF documents.
    pub(crate) documents: bool,
    /// Sound.
    pub(crate) audio: bool,
    /// `stream_options`.
    pub(crate) usage: bool,
    /// What a call's id may be.
    pub(crate) ids: IdRule,
}

/// How a service takes `reasoning_effort`.
#[derive(Clone, Copy)]
pub(crate) enum Effort {
    /// By OpenAI's models.
    OfModel,
    /// These steps, of models that reason.
    Steps(&'static [&'static str]),
    /// Not.
    None,
}

impl Takes {
    /// What OpenAI takes.
    pub(crate) const ALL: Takes = Takes {
        newest_bound: true,
        parallel: true,
        strict: true,
        schema: true,
        effort: Effort::OfModel,
        seed: Some("seed"),
        penalties: true,
        top_k: false,
        stops: 4,
        tools: true,
        free_tools: true,
        wants_thoughts: false,
        system_anywhere: true,
        required: "required",
        allowed_tools: true,
        lists: true,
        image_urls: true,
        documents: true,
        audio: true,
        usage: true,
        ids: IdRule::Word(40),
    };
    /// What nearly all servers take that imitate it.
    pub(crate) const COMMON: Takes = Takes {
        newest_bound: false,
        parallel: false,
        strict: false,
        schema: false,
        effort: Effort::None,
        penalties: false,
        free_tools: false,
        allowed_tools: false,
        lists: false,
        documents: false,
        audio: false,
        ids: IdRule::Word(64),
        ..Takes::ALL
    };
}

impl Takes {
    /// Whether a request asks for nothing that is not taken, so that its own bytes can be sent.
    pub(super) fn all(&self, request: &Request, body: &[u8]) -> bool {
        if self.newest_bound && self.parallel && self.strict && self.allowed_tools && self.lists {
            return true;
        }
        let sampling = &request.sampling;
        let known = |name: &String| name == "stream_options" && self.usage;
        // A member that is null asks for nothing, and is refused all the same where it is not known.
        !body.windows(4).any(|word| word == b"null")
            && request.rest.keys().all(known)
            && request.messages.iter().all(|message| self.says(message))
            && (self.system_anywhere || are_in_turns(&request.messages))
            && sampling.max_tokens.is_none()
            && sampling.seed.is_none()
            && sampling.frequency_penalty.is_none()
            && sampling.presence_penalty.is_none()
            && sampling.choices.is_none()
            && (self.top_k || sampling.top_k.is_none())
            && sampling.stop.len() <= self.stops
            && request.format.is_none()
            && request.effort == crate::canonical::Effort::default()
            && request.verbosity.is_none()
            && request.parallel_tools.is_none()
            && matches!(request.tool_choice, None | Some(ToolChoice::Auto | ToolChoice::None))
            && (self.tools || request.tools.is_empty() && request.tool_choice.is_none())
            && request.tools.iter().all(|tool| tool.strict.is_none() && tool.kind == ToolKind::Function)
    }

    /// Whether a message is taken as it is.
    fn says(&self, message: &Message) -> bool {
        let called = self.tools && !self.wants_thoughts;
        let fits = |id: &Option<String>| called && id.as_deref().is_some_and(|id| self.ids.fits(id));
        let is_said = |part: &Part| {
            part.rest.is_empty()
                && match &part.body {
                    Body::Text(_) => true,
                    Body::ToolCall(call) => !call.free && fits(&call.id),
                    Body::ToolAnswer { id, name, .. } => name.is_none() && fits(id),
                    _ => false,
                }
        };
        message.role != Role::Developer
            && message.name.is_none()
            && message.rest.is_empty()
            && (message.role == Role::User || message.parts.len() <= 1)
            && message.parts.iter().all(is_said)
    }
}

/// Whether instructions come first, and then the user and the model by turns.
fn are_in_turns(messages: &[Message]) -> bool {
    let talk = messages.iter().skip_while(|message| message.role == Role::System);
    let mut turns = [Role::User, Role::Assistant].into_iter().cycle();
    talk.map(|message| &message.role).all(|role| turns.next().as_ref() == Some(role))
}
