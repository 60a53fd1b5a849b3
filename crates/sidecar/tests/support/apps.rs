//! Apps of five wire formats: what each asks, and what it learns from an answer, by readers of the test's own.

use http::Method;
use serde_json::{Value, json};

/// An app of one format.
#[derive(Clone, Copy)]
pub(crate) struct App {
    /// The format's name.
    pub(crate) format: &'static str,
    /// Whom it asks, in the words of scripts and rules.
    pub(crate) provider: &'static str,
    pub(crate) host: &'static str,
    /// Where an answer in one piece is asked for, and a stream.
    paths: [&'static str; 2],
    /// What of its request has no place elsewhere.
    pub(crate) loses: &'static str,
    /// What its word is for an answer that ended well, and for one that calls a tool.
    pub(crate) stops: [&'static str; 2],
}

pub(crate) static CHAT: App = App {
    format: "openai_chat",
    provider: "openai",
    host: "api.openai.com",
    paths: ["/v1/chat/completions"; 2],
    loses: "who the user is",
    stops: ["stop", "tool_calls"],
};
pub(crate) static RESPONSES: App =
    App { format: "openai_responses", paths: ["/v1/responses"; 2], stops: ["completed"; 2], ..CHAT };
pub(crate) static MESSAGES: App = App {
    format: "anthropic_messages",
    provider: "anthropic",
    host: "api.anthropic.com",
    paths: ["/v1/messages"; 2],
    loses: "who the user is",
    stops: ["end_turn", "tool_use"],
};
pub(crate) static GEMINI: App = App {
    format: "gemini",
    provider: "gemini",
    host: "generativelanguage.googleapis.com",
    paths: [
        "/v1beta/models/gemini-3.5-flash:generateContent",
        "/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse",
    ],
    loses: "labels for the provider's records",
    stops: ["STOP"; 2],
};
/// It does not ask for server-sent events, and gets one JSON list.
pub(crate) static GEMINI_LIST: App =
    App { paths: [GEMINI.paths[0], "/v1beta/models/gemini-3.5-flash:streamGenerateContent"], ..GEMINI };
pub(crate) static CONVERSE: App = App {
    format: "bedrock_converse",
    provider: "bedrock",
    host: "bedrock-runtime.us-east-1.amazonaws.com",
    paths: [
        "/model/anthropic.claude-sonnet-4-5-v1%3A0/converse",
        "/model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream",
    ],
    loses: "labels for the provider's records",
    stops: ["end_turn", "tool_use"],
};

/// What an app learned.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Learned {
    pub(crate) text: String,
    /// Names and arguments.
    pub(crate) calls: Vec<(String, Value)>,
    /// The format's word for why it ended; empty where it did not end.
    pub(crate) stop: String,
    /// Tokens of the prompt and of the answer.
    pub(crate) usage: (u64, u64),
    /// Whether an error of the format came in the stream.
    pub(crate) failed: bool,
    /// Whether the stream had the format's last word.
    pub(crate) ended: bool,
}

impl App {
    pub(crate) fn path(&self, stream: bool) -> &'static str {
        self.paths[usize::from(stream)]
    }

    /// A request for a text, or with a tool that is to be called.
    pub(crate) fn asks(&self, stream: bool, tool: bool) -> http::Request<String> {
        let schema =
            json!({"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]});
        let user = json!([{"role": "user", "content": "Ebb?"}]);
        let (mut body, tools) = match self.format {
            "openai_chat" => {
                let system = json!({"role": "system", "content": "Be brief."});
                let function = json!({"name": "tide", "parameters": schema});
                (
                    json!({"model": "gpt-5.1", "max_completion_tokens": 64, "user": "u-1", "messages": [system, user[0]]}),
                    json!({"tools": [{"type": "function", "function": function}]}),
                )
            }
            "openai_responses" => (
                json!({"model": "gpt-5.1", "max_output_tokens": 64, "user": "u-1", "instructions": "Be brief.", "input": "Ebb?"}),
                json!({"tools": [{"type": "function", "name": "tide", "parameters": schema, "strict": false}]}),
            ),
            "anthropic_messages" => (
                json!({"model": "claude-sonnet-4-5", "max_tokens": 64, "system": "Be brief.", "metadata": {"user_id": "u-1"}, "messages": user}),
                json!({"tools": [{"name": "tide", "input_schema": schema}]}),
            ),
            "gemini" => (
                json!({"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": [{"role": "user", "parts": [{"text": "Ebb?"}]}],
                    "generationConfig": {"maxOutputTokens": 64}, "labels": {"team": "u-1"}}),
                json!({"tools": [{"functionDeclarations": [{"name": "tide", "parametersJsonSchema": schema}]}]}),
            ),
            _ => (
                json!({"system": [{"text": "Be brief."}], "messages": [{"role": "user", "content": [{"text": "Ebb?"}]}],
                    "inferenceConfig": {"maxTokens": 64}, "requestMetadata": {"team": "u-1"}}),
                json!({"toolConfig": {"tools": [{"toolSpec": {"name": "tide", "inputSchema": {"json": schema}}}]}}),
            ),
        };
        let members = body.as_object_mut().unwrap();
        if tool {
            members.extend(tools.as_object().unwrap().clone());
        }
        if stream && self.format.starts_with("openai") || self.format == "anthropic_messages" {
            members.insert("stream".to_owned(), stream.into());
        }
        if stream && self.format == "openai_chat" {
            members.insert("stream_options".to_owned(), json!({"include_usage": true}));
        }
        let request = http::Request::builder().method(Method::POST).uri(self.path(stream));
        let (name, value) = match self.format {
            "anthropic_messages" => ("x-api-key", "key-of-the-app"),
            "gemini" => ("x-goog-api-key", "key-of-the-app"),
            "bedrock_converse" => (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=key-of-the-app/20261126/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=00ff",
            ),
            _ => ("authorization", "Bearer key-of-the-app"),
        };
        let request = request.header("host", self.host).header(name, value);
        let request =
            request.header("content-type", "application/json").header("x-amz-date", "20261126T000000Z");
        request.body(body.to_string()).unwrap()
    }

    /// What it learns from the body of an answer.
    pub(crate) fn learns(&self, stream: bool, body: &[u8]) -> Learned {
        let mut learned = Learned::default();
        if !stream {
            self.whole(&serde_json::from_slice(body).unwrap(), &mut learned);
            learned.ended = true;
        } else if self.format == "bedrock_converse" {
            let mut calls: Vec<(String, String)> = Vec::new();
            for (kind, name, payload) in messages(body) {
                learned.failed |= kind != "event";
                converse_event(&name, &payload, &mut learned, &mut calls);
            }
            learned.calls = calls.into_iter().map(|(name, text)| (name, parsed(&text))).collect();
        } else if self.paths == GEMINI_LIST.paths {
            match serde_json::from_slice::<Vec<Value>>(body) {
                Ok(list) => list.iter().for_each(|chunk| self.gemini(chunk, &mut learned)),
                // A list that breaks off is no JSON, and whoever reads it raises that.
                Err(_) => learned.failed = true,
            }
        } else {
            self.events(std::str::from_utf8(body).unwrap(), &mut learned);
        }
        learned
    }

    fn whole(&self, body: &Value, learned: &mut Learned) {
        let counts = |usage: &Value, names: [&str; 2]| names.map(|name| usage[name].as_u64().unwrap()).into();
        match self.format {
            "openai_chat" => {
                let choice = &body["choices"][0];
                learned.text = text(&choice["message"]["content"]);
                for call in list(&choice["message"]["tool_calls"]) {
                    let function = &call["function"];
                    learned.calls.push((text(&function["name"]), parsed(&text(&function["arguments"]))));
                }
                learned.stop = text(&choice["finish_reason"]);
                learned.usage = counts(&body["usage"], ["prompt_tokens", "completion_tokens"]);
            }
            "openai_responses" => {
                for item in list(&body["output"]) {
                    learned.text +=
                        &list(&item["content"]).iter().map(|part| text(&part["text"])).collect::<String>();
                    if item["type"] == "function_call" {
                        learned.calls.push((text(&item["name"]), parsed(&text(&item["arguments"]))));
                    }
                }
                learned.stop = text(&body["status"]);
                learned.usage = counts(&body["usage"], ["input_tokens", "output_tokens"]);
            }
            "anthropic_messages" => {
                for block in list(&body["content"]) {
                    learned.text += &text(&block["text"]);
                    if block["type"] == "tool_use" {
                        learned.calls.push((text(&block["name"]), block["input"].clone()));
                    }
                }
                learned.stop = text(&body["stop_reason"]);
                learned.usage = counts(&body["usage"], ["input_tokens", "output_tokens"]);
            }
            "gemini" => self.gemini(body, learned),
            _ => {
                for block in list(&body["output"]["message"]["content"]) {
                    learned.text += &text(&block["text"]);
                    if let Some(call) = block.get("toolUse") {
                        learned.calls.push((text(&call["name"]), call["input"].clone()));
                    }
                }
                learned.stop = text(&body["stopReason"]);
                learned.usage = counts(&body["usage"], ["inputTokens", "outputTokens"]);
            }
        }
    }

    fn gemini(&self, chunk: &Value, learned: &mut Learned) {
        learned.failed |= chunk.get("error").is_some();
        let candidate = &chunk["candidates"][0];
        for part in list(&candidate["content"]["parts"]) {
            learned.text += &text(&part["text"]);
            if let Some(call) = part.get("functionCall") {
                learned.calls.push((text(&call["name"]), call["args"].clone()));
            }
        }
        if let Some(stop) = candidate["finishReason"].as_str() {
            stop.clone_into(&mut learned.stop);
            learned.ended = true;
        }
        let count = |name: &str| chunk["usageMetadata"][name].as_u64();
        if let (Some(prompt), Some(answer)) = (count("promptTokenCount"), count("candidatesTokenCount")) {
            learned.usage = (prompt, answer);
        }
    }

    /// Server-sent events.
    fn events(&self, body: &str, learned: &mut Learned) {
        let mut calls: Vec<(String, String)> = Vec::new();
        for event in body.split("\n\n").flat_map(|event| event.split("\r\n\r\n")) {
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            let Some(data) = data.filter(|_| !learned.failed) else { continue };
            assert!(!learned.ended || self.format == "gemini", "behind its end: {body}");
            if data == "[DONE]" {
                learned.ended = true;
                continue;
            }
            let data: Value = serde_json::from_str(data).unwrap();
            match self.format {
                "openai_chat" => chat_chunk(&data, learned, &mut calls),
                "openai_responses" => match data["type"].as_str().unwrap() {
                    "response.output_text.delta" => learned.text += &text(&data["delta"]),
                    "response.completed" => {
                        let said = std::mem::take(learned);
                        self.whole(&data["response"], learned);
                        assert_eq!(said.text, learned.text, "the whole is what was said by and by");
                        learned.ended = true;
                    }
                    "error" | "response.failed" => learned.failed = true,
                    _ => {}
                },
                "anthropic_messages" => messages_event(&data, learned, &mut calls),
                _ => self.gemini(&data, learned),
            }
        }
        learned.calls.extend(calls.into_iter().map(|(name, text)| (name, parsed(&text))));
    }
}

fn chat_chunk(chunk: &Value, learned: &mut Learned, calls: &mut Vec<(String, String)>) {
    learned.failed |= chunk.get("error").is_some();
    let choice = &chunk["choices"][0];
    learned.text += &text(&choice["delta"]["content"]);
    for call in list(&choice["delta"]["tool_calls"]) {
        let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
        calls.resize(calls.len().max(at + 1), Default::default());
        calls[at].0 += &text(&call["function"]["name"]);
        calls[at].1 += &text(&call["function"]["arguments"]);
    }
    learned.stop += &text(&choice["finish_reason"]);
    if let Some(usage) = chunk["usage"].as_object() {
        learned.usage =
            (usage["prompt_tokens"].as_u64().unwrap(), usage["completion_tokens"].as_u64().unwrap());
    }
}

fn messages_event(event: &Value, learned: &mut Learned, calls: &mut Vec<(String, String)>) {
    match event["type"].as_str().unwrap() {
        "content_block_start" if event["content_block"]["type"] == "tool_use" => {
            calls.push((text(&event["content_block"]["name"]), String::new()));
        }
        "content_block_delta" => {
            learned.text += &text(&event["delta"]["text"]);
            if let Some(more) = event["delta"]["partial_json"].as_str() {
                calls.last_mut().unwrap().1 += more;
            }
        }
        "message_delta" => {
            learned.stop = text(&event["delta"]["stop_reason"]);
            let count = |name: &str| event["usage"][name].as_u64().unwrap();
            learned.usage = (count("input_tokens"), count("output_tokens"));
        }
        "message_stop" => learned.ended = true,
        "error" => learned.failed = true,
        _ => {}
    }
}

fn converse_event(name: &str, event: &Value, learned: &mut Learned, calls: &mut Vec<(String, String)>) {
    match name {
        "contentBlockStart" if event["start"].get("toolUse").is_some() => {
            calls.push((text(&event["start"]["toolUse"]["name"]), String::new()));
        }
        "contentBlockDelta" => {
            learned.text += &text(&event["delta"]["text"]);
            if let Some(more) = event["delta"]["toolUse"]["input"].as_str() {
                calls.last_mut().unwrap().1 += more;
            }
        }
        "messageStop" => learned.stop = text(&event["stopReason"]),
        "metadata" => {
            let count = |name: &str| event["usage"][name].as_u64().unwrap();
            learned.usage = (count("inputTokens"), count("outputTokens"));
            learned.ended = true;
        }
        _ => {}
    }
}

/// The messages of an AWS event stream: kind, name and payload of each. What is broken off at the end is none.
fn messages(mut bytes: &[u8]) -> Vec<(String, String, Value)> {
    let word = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
    let mut messages = Vec::new();
    while bytes.len() >= 12 && bytes.len() >= word(bytes) {
        let (message, rest) = bytes.split_at(word(bytes));
        let (body, sum) = message.split_at(message.len() - 4);
        assert_eq!(word(sum), crc32fast::hash(body) as usize, "the sum of a message");
        assert_eq!(word(&body[8..]), crc32fast::hash(&body[..8]) as usize, "the sum of its lengths");
        let (mut headers, payload) = body[12..].split_at(word(&body[4..]));
        let (mut kind, mut name) = (String::new(), String::new());
        while let Some((length, after)) = headers.split_first() {
            let (header, after) = after.split_at(usize::from(*length));
            assert_eq!(after[0], 7, "a text");
            let length = usize::from(u16::from_be_bytes(after[1..3].try_into().unwrap()));
            let (value, after) = after[3..].split_at(length);
            let value = String::from_utf8(value.to_vec()).unwrap();
            match header {
                b":message-type" => kind = value,
                b":event-type" | b":exception-type" => name = value,
                _ => {}
            }
            headers = after;
        }
        messages.push((kind, name, serde_json::from_slice(payload).unwrap()));
        bytes = rest;
    }
    messages
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn parsed(arguments: &str) -> Value {
    serde_json::from_str(arguments).unwrap_or_else(|_| Value::from(arguments))
}
