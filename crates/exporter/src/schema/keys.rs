//! Attribute names. Those under `gen_ai.` are kept here, not taken from a crate: they are in development, and the
//! published constants are a version behind.

use std::sync::LazyLock;

use outrigger_pricing::{Meter, Modality};
use outrigger_providers::Who;

// General conventions.
pub(super) const SERVICE_NAME: &str = "service.name";
pub(super) const SERVICE_INSTANCE_ID: &str = "service.instance.id";
pub(super) const SDK_NAME: &str = "telemetry.sdk.name";
pub(super) const SDK_LANGUAGE: &str = "telemetry.sdk.language";
pub(super) const SDK_VERSION: &str = "telemetry.sdk.version";
pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";
pub(crate) const HTTP_METHOD: &str = "http.request.method";
pub(super) const HTTP_RESEND_COUNT: &str = "http.request.resend_count";
pub(crate) const HTTP_STATUS: &str = "http.response.status_code";
pub(super) const URL_FULL: &str = "url.full";
pub(super) const PEER_ADDRESS: &str = "network.peer.address";
pub(super) const PEER_PORT: &str = "network.peer.port";
pub(crate) const PROTOCOL_VERSION: &str = "network.protocol.version";
pub(super) const SESSION: &str = "session.id";
pub(super) const USER: &str = "user.id";

// GenAI conventions.
pub(crate) const OPERATION: &str = "gen_ai.operation.name";
pub(crate) const PROVIDER: &str = "gen_ai.provider.name";
pub(super) const AGENT: &str = "gen_ai.agent.name";
pub(super) const CONVERSATION: &str = "gen_ai.conversation.id";
pub(super) const OUTPUT_TYPE: &str = "gen_ai.output.type";
pub(crate) const REQUEST_MODEL: &str = "gen_ai.request.model";
pub(super) const STREAM: &str = "gen_ai.request.stream";
pub(super) const CHOICES: &str = "gen_ai.request.choice.count";
pub(super) const SEED: &str = "gen_ai.request.seed";
pub(super) const TOP_K: &str = "gen_ai.request.top_k";
pub(super) const TOP_P: &str = "gen_ai.request.top_p";
pub(super) const TEMPERATURE: &str = "gen_ai.request.temperature";
pub(super) const FREQUENCY_PENALTY: &str = "gen_ai.request.frequency_penalty";
pub(super) const PRESENCE_PENALTY: &str = "gen_ai.request.presence_penalty";
pub(super) const MAX_TOKENS: &str = "gen_ai.request.max_tokens";
pub(super) const STOP_SEQUENCES: &str = "gen_ai.request.stop_sequences";
pub(super) const ENCODING_FORMATS: &str = "gen_ai.request.encoding_formats";
pub(super) const DIMENSIONS: &str = "gen_ai.embeddings.dimension.count";
pub(super) const PROMPT_NAME: &str = "gen_ai.prompt.name";
pub(super) const PROMPT_VERSION: &str = "gen_ai.prompt.version";
pub(super) const REASONING_LEVEL: &str = "gen_ai.request.reasoning.level";
pub(super) const PREVIOUS_RESPONSE: &str = "gen_ai.request.previous_response.id";
pub(super) const SYSTEM_INSTRUCTIONS: &str = "gen_ai.system_instructions";
pub(super) const INPUT_MESSAGES: &str = "gen_ai.input.messages";
pub(super) const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
pub(super) const TOOL_DEFINITIONS: &str = "gen_ai.tool.definitions";
pub(super) const RESPONSE_ID: &str = "gen_ai.response.id";
pub(crate) const RESPONSE_MODEL: &str = "gen_ai.response.model";
pub(super) const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
pub(super) const FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
pub(super) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
pub(super) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
pub(super) const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
pub(super) const CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_write.input_tokens";
pub(super) const CACHE_CREATION_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
pub(super) const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
/// Tokens of one modality, where there are more than one: subsets of the three above. Video has no name in the conventions.
pub(super) const BY_MODALITY: [(Modality, [&str; 3]); 3] = [
    (
        Modality::Text,
        [
            "gen_ai.usage.text.input_tokens",
            "gen_ai.usage.text.output_tokens",
            "gen_ai.usage.text.cache_read.input_tokens",
        ],
    ),
    (
        Modality::Image,
        [
            "gen_ai.usage.image.input_tokens",
            "gen_ai.usage.image.output_tokens",
            "gen_ai.usage.image.cache_read.input_tokens",
        ],
    ),
    (
        Modality::Audio,
        [
            "gen_ai.usage.audio.input_tokens",
            "gen_ai.usage.audio.output_tokens",
            "gen_ai.usage.audio.cache_read.input_tokens",
        ],
    ),
];
// Not in the conventions, but the one cost key that readers know. Never beside `gen_ai.usage.cost.…`.
pub(super) const GENAI_COST: &str = "gen_ai.usage.cost";
pub(crate) const TOKEN_MODALITY: &str = "gen_ai.token.modality";
pub(crate) const TOKEN_TYPE: &str = "gen_ai.token.type";
pub(super) const OPENAI_API: &str = "openai.api.type";
pub(super) const OPENAI_REQUEST_TIER: &str = "openai.request.service_tier";
pub(super) const OPENAI_FINGERPRINT: &str = "openai.response.system_fingerprint";
pub(crate) const OPENAI_RESPONSE_TIER: &str = "openai.response.service_tier";

pub(super) const AZURE_NAMESPACE: &str = "azure.resource_provider.namespace";
pub(super) const GUARDRAIL: &str = "aws.bedrock.guardrail.id";
pub(super) const EXCEPTION_TYPE: &str = "exception.type";
pub(super) const EXCEPTION_MESSAGE: &str = "exception.message";

// Our own. No name is also the beginning of another: nesting backends could not hold both.
pub(super) const SCHEMA_VERSION: &str = "outrigger.schema.version";
pub(super) const CALL_ID: &str = "outrigger.call.id";
pub(super) const MODE: &str = "outrigger.mode";
pub(super) const DIALECT: &str = "outrigger.dialect";
pub(super) const OUTCOME: &str = "outrigger.outcome";
pub(super) const FAULT: &str = "outrigger.fault";
pub(super) const CAUSE_CLASS: &str = "outrigger.cause.class";
pub(super) const CAUSE_MESSAGE: &str = "outrigger.cause.message";
pub(super) const CAUSE_STATUS: &str = "outrigger.cause.status_code";
pub(crate) const STEP: &str = "outrigger.step";
pub(super) const PROMPT: &str = "outrigger.prompt.fingerprint";
pub(super) const CHAIN_ID: &str = "outrigger.chain.id";
pub(super) const CHAIN_NUMBER: &str = "outrigger.chain.number";
pub(super) const CHAIN_PARENT: &str = "outrigger.chain.parent";
pub(super) const CHAINED_BY: &str = "outrigger.chain.by";
pub(super) const CHAIN_CONFIDENCE: &str = "outrigger.chain.confidence";
pub(super) const LOGICAL_ID: &str = "outrigger.logical.id";
pub(super) const LOGICAL_ATTEMPT: &str = "outrigger.logical.attempt";
pub(super) const RETRY_OF: &str = "outrigger.logical.retry_of";
pub(super) const JOINED_BY: &str = "outrigger.logical.by";
/// On a link: what the linked span is.
pub(super) const LINK: &str = "outrigger.link";
pub(super) const TENANT: &str = "outrigger.tenant";
/// Where a name was found.
pub(super) const fn named_by(who: Who) -> &'static str {
    match who {
        Who::User => "outrigger.named_by.user",
        Who::Session => "outrigger.named_by.session",
        Who::Step => "outrigger.named_by.step",
        Who::Agent => "outrigger.named_by.agent",
        Who::Tenant => "outrigger.named_by.tenant",
    }
}
/// On spans and records: the verdicts that the call shows.
pub(super) const VERDICTS: &str = "outrigger.verdicts";
/// On spans and events: what of the content is missing, and why.
pub(super) const CONTENT_LACKS: &str = "outrigger.content.lacks";
pub(super) const DIAGNOSIS_KIND: &str = "outrigger.diagnosis.kind";
pub(super) const DIAGNOSIS_STATE: &str = "outrigger.diagnosis.state";
pub(super) const DIAGNOSIS_WHY: &str = "outrigger.diagnosis.why";
pub(super) const DIAGNOSIS_PROVIDER: &str = "outrigger.diagnosis.provider";
pub(super) const DIAGNOSIS_MODEL: &str = "outrigger.diagnosis.model";
pub(super) const DIAGNOSIS_SINCE: &str = "outrigger.diagnosis.since";
pub(super) const DIAGNOSIS_RESETS: &str = "outrigger.diagnosis.resets";
pub(super) const DIAGNOSIS_CALLS: &str = "outrigger.diagnosis.calls";
pub(super) const DIAGNOSIS_CAUSE: &str = "outrigger.diagnosis.cause";
pub(super) const DIAGNOSIS_EVIDENCE: &str = "outrigger.diagnosis.evidence";
pub(super) const DIAGNOSIS_NEXT: &str = "outrigger.diagnosis.next_step";
pub(super) const KEY_FINGERPRINT: &str = "outrigger.key.fingerprint";
pub(super) const KEY_ENDING: &str = "outrigger.key.ending";
pub(super) const REQUEST_ID: &str = "outrigger.request_id";
pub(super) const REQUESTED_TIER: &str = "outrigger.tier.requested";
pub(super) const SERVED_TIER: &str = "outrigger.tier.served";
/// The count of one meter.
pub(super) fn usage(meter: Meter) -> &'static str {
    static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
        Meter::ALL.iter().map(|meter| format!("outrigger.usage.{}", meter.as_str())).collect()
    });
    NAMES.get(meter as usize).map_or("", String::as_str)
}
pub(super) const COUNTED_BY: &str = "outrigger.usage.counted_by";
pub(super) const USAGE_PROVENANCE: &str = "outrigger.usage.provenance";
pub(super) const USAGE_REASON: &str = "outrigger.usage.reason";
pub(super) const ESTIMATE_INPUT_LOW: &str = "outrigger.estimate.input_low";
pub(super) const ESTIMATE_INPUT_HIGH: &str = "outrigger.estimate.input_high";
pub(super) const ESTIMATE_OUTPUT_LOW: &str = "outrigger.estimate.output_low";
pub(super) const ESTIMATE_OUTPUT_HIGH: &str = "outrigger.estimate.output_high";
pub(super) const ESTIMATE_COST_LOW: &str = "outrigger.estimate.cost_low";
pub(super) const ESTIMATE_COST_HIGH: &str = "outrigger.estimate.cost_high";
pub(super) const ESTIMATE_CONFIDENCE: &str = "outrigger.estimate.confidence_percent";
pub(super) const COST_REPORTED: &str = "outrigger.cost.reported_usd";
pub(super) const COST: &str = "outrigger.cost.usd";
pub(super) const COST_INPUT: &str = "outrigger.cost.input";
pub(super) const COST_CACHE_READ: &str = "outrigger.cost.cache_read";
pub(super) const COST_CACHE_WRITE: &str = "outrigger.cost.cache_write";
pub(super) const COST_OUTPUT: &str = "outrigger.cost.output";
pub(super) const COST_FEES: &str = "outrigger.cost.fees";
pub(super) const COST_STATUS: &str = "outrigger.cost.status";
pub(super) const COST_MODEL: &str = "outrigger.cost.model";
pub(super) const COST_TIER: &str = "outrigger.cost.tier";
pub(super) const COST_REGION: &str = "outrigger.cost.region";
pub(super) const COST_REASONS: &str = "outrigger.cost.reasons";
pub(super) const COST_LINES: &str = "outrigger.cost.lines";
pub(super) const COST_SOURCE: &str = "outrigger.cost.source";
pub(super) const PRICE_BOOK: &str = "outrigger.price_book.hash";
pub(super) const STARTED: &str = "outrigger.time.started";
pub(super) const RESPONDED: &str = "outrigger.time.responded";
pub(super) const FIRST_CONTENT: &str = "outrigger.time.first_content";
pub(super) const ENDED: &str = "outrigger.time.ended";
pub(super) const REQUEST_BYTES: &str = "outrigger.request.bytes";
pub(super) const RESPONSE_BYTES: &str = "outrigger.response.bytes";
pub(super) const ATTEMPTS: &str = "outrigger.attempts";
/// How many HTTP requests were made for the call.
pub(super) const ROUTE_ATTEMPTS: &str = "outrigger.route.attempts";
pub(super) const ROUTE_FAILOVER: &str = "outrigger.route.failover";
/// The rule that decided the call.
pub(super) const ROUTE_RULE: &str = "outrigger.route.rule";
pub(super) const ROUTE_BACKUP: &str = "outrigger.route.backup";
/// Number of the attempt whose answer the app got.
pub(super) const ROUTE_SERVING: &str = "outrigger.route.serving";
pub(super) const ROUTE_PASSED_OVER: &str = "outrigger.route.passed_over";
pub(super) const ROUTE_LOSSES: &str = "outrigger.route.losses";
pub(super) const ROUTE_LEFT_OUT: &str = "outrigger.route.left_out";
/// Deadlines of the rule that passed and are only reported.
pub(super) const ROUTE_EXCEEDED: &str = "outrigger.route.exceeded";
pub(super) const ROUTE_HINDRANCE: &str = "outrigger.route.hindrance";
pub(super) const ROUTE_RETRY_DENIED: &str = "outrigger.route.retry_denied";
pub(super) const ROUTE_EXHAUSTED: &str = "outrigger.route.exhausted";
/// Bytes of text behind which another place went on with the answer, and when the first was given up.
pub(super) const ROUTE_SEAM_AFTER: &str = "outrigger.route.seam.after";
pub(super) const ROUTE_SEAM_OVERLAP: &str = "outrigger.route.seam.overlap";
pub(super) const ROUTE_SEAM_TIME: &str = "outrigger.route.seam.time";
pub(super) const ROUTE_NOT_CONTINUED: &str = "outrigger.route.not_continued";
pub(super) const REQUESTED_PROVIDER: &str = "outrigger.route.requested_provider";
pub(super) const REQUESTED_MODEL: &str = "outrigger.route.requested_model";
pub(super) const INSTRUMENTED: &str = "outrigger.app_instrumentation";
pub(super) const ATTEMPT_NUMBER: &str = "outrigger.attempt.number";
pub(super) const ATTEMPT_PROVIDER: &str = "outrigger.attempt.provider";
pub(super) const ATTEMPT_BACKUP: &str = "outrigger.attempt.backup";
pub(super) const ATTEMPT_CLASS: &str = "outrigger.attempt.class";
pub(super) const ATTEMPT_MODEL: &str = "outrigger.attempt.model";
pub(super) const ATTEMPT_INPUT: &str = "outrigger.attempt.billed_input_tokens";
pub(super) const ATTEMPT_OUTPUT: &str = "outrigger.attempt.billed_output_tokens";
pub(super) const ATTEMPT_COST: &str = "outrigger.attempt.cost";
pub(super) const ATTEMPT_REASON: &str = "outrigger.attempt.reason";
