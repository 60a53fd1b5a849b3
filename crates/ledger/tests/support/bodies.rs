//! One good call of each dialect, streamed and plain, by the providers' documentation; all with the same tokens.

use super::Script;

pub(crate) const CHAT_PLAIN: &str = r#"{
  "id": "chatcmpl-1", "object": "chat.completion", "created": 1795521600, "model": "gpt-5.1-2025-11-13",
  "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello \"usage\" there", "refusal": null}, "logprobs": null, "finish_reason": "stop"}],
  "usage": {"prompt_tokens": 1234, "completion_tokens": 380, "total_tokens": 1614,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}},
  "service_tier": "default", "system_fingerprint": null
}"#;

pub(crate) const CHAT_STREAM: &str = concat!(
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795521600,"model":"gpt-5.1-2025-11-13","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"aB3"}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795521600,"model":"gpt-5.1-2025-11-13","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":"Grüße"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x"}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795521600,"model":"gpt-5.1-2025-11-13","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null,"obfuscation":"yz"}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795521600,"model":"gpt-5.1-2025-11-13","service_tier":"default","system_fingerprint":null,"choices":[],"usage":{"prompt_tokens":1234,"completion_tokens":380,"total_tokens":1614,"prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":64,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"obfuscation":""}"#,
    "\n\ndata: [DONE]\n\n",
);

pub(crate) const RESPONSES_PLAIN: &str = r#"{
  "id": "resp_1", "object": "response", "created_at": 1795521600, "status": "completed", "error": null, "incomplete_details": null,
  "model": "gpt-5.1-2025-11-13", "service_tier": "default",
  "output": [{"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [{"type": "output_text", "text": "Hello", "annotations": []}]}],
  "usage": {"input_tokens": 1234, "input_tokens_details": {"cached_tokens": 1024}, "output_tokens": 380, "output_tokens_details": {"reasoning_tokens": 64}, "total_tokens": 1614}
}"#;

pub(crate) const RESPONSES_STREAM: &str = concat!(
    "event: response.created\ndata: ",
    r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","error":null,"model":"gpt-5.1-2025-11-13","output":[],"service_tier":"auto","usage":null}}"#,
    "\n\nevent: response.output_text.delta\ndata: ",
    r#"{"type":"response.output_text.delta","sequence_number":1,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Grüße"}"#,
    "\n\nevent: response.completed\ndata: ",
    r#"{"type":"response.completed","sequence_number":2,"response":{"id":"resp_1","object":"response","status":"completed","error":null,"incomplete_details":null,"model":"gpt-5.1-2025-11-13","service_tier":"default","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Grüße","annotations":[]}]}],"usage":{"input_tokens":1234,"input_tokens_details":{"cached_tokens":1024},"output_tokens":380,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":1614}}}"#,
    "\n\n",
);

pub(crate) const MESSAGES_PLAIN: &str = r#"{
  "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
  "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn", "stop_sequence": null,
  "usage": {"input_tokens": 210, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 1024, "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}, "output_tokens": 380, "output_tokens_details": {"thinking_tokens": 64}, "service_tier": "standard"}
}"#;

/// The first event of [`MESSAGES_STREAM`]: the input is known from here on.
pub(crate) const MESSAGES_START: &str = concat!(
    "event: message_start\ndata: ",
    r#"{"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":210,"cache_creation_input_tokens":0,"cache_read_input_tokens":1024,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}"#,
    "\n\n",
);

/// The other events of [`messages_stream`].
pub(crate) const MESSAGES_REST: &str = concat!(
    "event: content_block_start\ndata: ",
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: content_block_delta\ndata: ",
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Grüße"}}"#,
    "\n\nevent: content_block_stop\ndata: ",
    r#"{"type":"content_block_stop","index":0}"#,
    "\n\nevent: message_delta\ndata: ",
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":380,"output_tokens_details":{"thinking_tokens":64}}}"#,
    "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

/// Anthropic's stream.
pub(crate) fn messages_stream() -> String {
    format!("{MESSAGES_START}{MESSAGES_REST}")
}

pub(crate) const OPENAI: &str = "api.openai.com";
pub(crate) const ANTHROPIC: &str = "api.anthropic.com";
pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const RESPONSES: &str = "/v1/responses";
pub(crate) const MESSAGES: &str = "/v1/messages";

pub(crate) fn chat(body: &str) -> Script {
    let request = r#"{"model":"gpt-5.1","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}],"user":"u_81"}"#;
    Script::new(OPENAI, CHAT, request, body).response_header("x-request-id", "req_1")
}

pub(crate) fn responses(body: &str) -> Script {
    let request = r#"{"model":"gpt-5.1","stream":true,"input":"Hi","conversation":{"id":"conv_42"}}"#;
    Script::new(OPENAI, RESPONSES, request, body).response_header("x-request-id", "req_1")
}

pub(crate) fn messages(body: &str) -> Script {
    let request = r#"{"model":"claude-sonnet-4-5","max_tokens":1024,"stream":true,"messages":[{"role":"user","content":"Hi"}],"metadata":{"user_id":"u_81"}}"#;
    Script::new(ANTHROPIC, MESSAGES, request, body).response_header("request-id", "req_1")
}

/// Every dialect, streamed and plain.
pub(crate) fn all() -> [Script; 6] {
    [
        chat(CHAT_PLAIN),
        chat(CHAT_STREAM),
        responses(RESPONSES_PLAIN),
        responses(RESPONSES_STREAM),
        messages(MESSAGES_PLAIN),
        messages(&messages_stream()),
    ]
}

/// The streams alone.
pub(crate) fn streams() -> [Script; 3] {
    [chat(CHAT_STREAM), responses(RESPONSES_STREAM), messages(&messages_stream())]
}
