//! A conversation as an app of each format asks it.

use serde_json::{Map, Value, json};

use super::{Choice, IMAGE, Said, Side, TOOLS, Talk, Turn};

fn put(body: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body[name] = value.into();
    }
}

impl Talk {
    /// The body by which an app of this side asks it.
    pub(crate) fn said_in(&self, side: Side) -> Value {
        match side.dialect {
            "openai_chat" => self.chat(side.model),
            "openai_responses" => self.responses(side.model),
            "anthropic_messages" => self.messages(side.model),
            "gemini" => self.gemini(),
            "bedrock_converse" => self.converse(),
            other => panic!("{other}"),
        }
    }

    fn chat(&self, model: &str) -> Value {
        let mut messages = Vec::new();
        messages.extend(self.system.iter().map(|text| json!({"role": "system", "content": text})));
        let mut number = 0;
        for turn in &self.turns {
            match turn {
                Turn::User(said) => {
                    let part = |said: &Said| match said {
                        Said::Text(text) => json!({"type": "text", "text": text}),
                        Said::Image => {
                            json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{IMAGE}")}})
                        }
                    };
                    messages
                        .push(json!({"role": "user", "content": said.iter().map(part).collect::<Vec<_>>()}));
                }
                Turn::Model(text, calls) => {
                    let mut said = json!({"role": "assistant", "content": text});
                    let mut answers = Vec::new();
                    let mut called = Vec::new();
                    for (arguments, answer) in calls {
                        let (id, name) = (format!("call_{number}"), self.tool(number));
                        called.push(json!({"id": id, "type": "function",
                            "function": {"name": name, "arguments": arguments.to_string()}}));
                        answers.push(json!({"role": "tool", "tool_call_id": id, "content": answer.text}));
                        number += 1;
                    }
                    if !called.is_empty() {
                        said["tool_calls"] = called.into();
                    }
                    messages.push(said);
                    messages.extend(answers);
                }
            }
        }
        let tool = |number: usize| json!({"type": "function", "function": {"name": TOOLS[number], "parameters": Talk::schema()}});
        let mut body = json!({"model": model, "messages": messages, "tools": (0..self.tools).map(tool).collect::<Vec<_>>()});
        let choice = match self.choice {
            Choice::Unsaid => None,
            Choice::Auto => Some(json!("auto")),
            Choice::Required => Some(json!("required")),
            Choice::Named => Some(json!({"type": "function", "function": {"name": TOOLS[0]}})),
            Choice::None => Some(json!("none")),
        };
        put(&mut body, "tool_choice", choice);
        put(&mut body, "parallel_tool_calls", self.one_call.then_some(false));
        put(&mut body, "max_completion_tokens", self.max_tokens);
        put(&mut body, "temperature", self.temperature);
        put(&mut body, "stop", (!self.stop.is_empty()).then(|| json!(self.stop)));
        put(&mut body, "reasoning_effort", self.effort);
        let format = json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": Talk::schema()}});
        put(&mut body, "response_format", self.schema.then_some(format));
        put(&mut body, "stream", self.stream.then_some(true));
        body
    }

    fn responses(&self, model: &str) -> Value {
        let mut items = Vec::new();
        let mut number = 0;
        for turn in &self.turns {
            match turn {
                Turn::User(said) => {
                    let part = |said: &Said| match said {
                        Said::Text(text) => json!({"type": "input_text", "text": text}),
                        Said::Image => {
                            json!({"type": "input_image", "image_url": format!("data:image/png;base64,{IMAGE}")})
                        }
                    };
                    items.push(json!({"role": "user", "content": said.iter().map(part).collect::<Vec<_>>()}));
                }
                Turn::Model(text, calls) => {
                    items.extend(text.iter().map(|text| {
                        json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
                            "content": [{"type": "output_text", "text": text, "annotations": []}]})
                    }));
                    let first = number;
                    for (arguments, _) in calls {
                        items.push(json!({"type": "function_call", "id": format!("fc_{number}"), "call_id": format!("call_{number}"),
                            "name": self.tool(number), "arguments": arguments.to_string()}));
                        number += 1;
                    }
                    for (number, (_, answer)) in (first..).zip(calls) {
                        items.push(json!({"type": "function_call_output", "call_id": format!("call_{number}"), "output": answer.text}));
                    }
                }
            }
        }
        let tool = |number: usize| json!({"type": "function", "name": TOOLS[number], "parameters": Talk::schema(), "strict": false});
        let mut body =
            json!({"model": model, "input": items, "tools": (0..self.tools).map(tool).collect::<Vec<_>>()});
        let choice = match self.choice {
            Choice::Unsaid => None,
            Choice::Auto => Some(json!("auto")),
            Choice::Required => Some(json!("required")),
            Choice::Named => Some(json!({"type": "function", "name": TOOLS[0]})),
            Choice::None => Some(json!("none")),
        };
        put(&mut body, "instructions", self.system.clone());
        put(&mut body, "tool_choice", choice);
        put(&mut body, "parallel_tool_calls", self.one_call.then_some(false));
        put(&mut body, "max_output_tokens", self.max_tokens);
        put(&mut body, "temperature", self.temperature);
        put(&mut body, "reasoning", self.effort.map(|effort| json!({"effort": effort})));
        let format = json!({"format": {"type": "json_schema", "name": "answer", "strict": true, "schema": Talk::schema()}});
        put(&mut body, "text", self.schema.then_some(format));
        put(&mut body, "stream", self.stream.then_some(true));
        body
    }

    fn messages(&self, model: &str) -> Value {
        let mut messages: Vec<Value> = Vec::new();
        let mut number = 0;
        // Answers stand before what the user says next.
        let mut waiting: Vec<Value> = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::User(said) => {
                    let part = |said: &Said| match said {
                        Said::Text(text) => json!({"type": "text", "text": text}),
                        Said::Image => {
                            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}})
                        }
                    };
                    waiting.extend(said.iter().map(part));
                    messages.push(json!({"role": "user", "content": std::mem::take(&mut waiting)}));
                }
                Turn::Model(text, calls) => {
                    let mut content: Vec<Value> =
                        text.iter().map(|text| json!({"type": "text", "text": text})).collect();
                    for (arguments, answer) in calls {
                        let id = format!("toolu_{number}");
                        content.push(json!({"type": "tool_use", "id": id, "name": self.tool(number), "input": arguments}));
                        waiting.push(json!({"type": "tool_result", "tool_use_id": id, "content": answer.text, "is_error": answer.failed}));
                        number += 1;
                    }
                    messages.push(json!({"role": "assistant", "content": content}));
                }
            }
        }
        let tool = |number: usize| json!({"name": TOOLS[number], "input_schema": Talk::schema()});
        let mut body = json!({"model": model, "max_tokens": self.max_tokens.unwrap_or(64000), "messages": messages,
            "tools": (0..self.tools).map(tool).collect::<Vec<_>>()});
        let choice = match self.choice {
            Choice::Unsaid => None,
            Choice::Auto => Some(json!({"type": "auto"})),
            Choice::Required => Some(json!({"type": "any"})),
            Choice::Named => Some(json!({"type": "tool", "name": TOOLS[0]})),
            Choice::None => Some(json!({"type": "none"})),
        };
        let choice = match (choice, self.one_call) {
            (choice, false) => choice,
            (choice, true) => {
                let mut choice = choice.unwrap_or(json!({"type": "auto"}));
                choice["disable_parallel_tool_use"] = true.into();
                Some(choice)
            }
        };
        put(&mut body, "tool_choice", choice);
        put(&mut body, "system", self.system.clone());
        put(&mut body, "temperature", self.temperature);
        put(&mut body, "stop_sequences", (!self.stop.is_empty()).then(|| json!(self.stop)));
        let mut output = Map::new();
        if let Some(effort) = self.effort {
            output.insert("effort".to_owned(), effort.into());
        }
        if self.schema {
            output.insert("format".to_owned(), json!({"type": "json_schema", "schema": Talk::schema()}));
        }
        put(&mut body, "output_config", (!output.is_empty()).then_some(output));
        put(&mut body, "stream", self.stream.then_some(true));
        body
    }

    fn gemini(&self) -> Value {
        let mut contents: Vec<Value> = Vec::new();
        let mut number = 0;
        let mut waiting: Vec<Value> = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::User(said) => {
                    let part = |said: &Said| match said {
                        Said::Text(text) => json!({"text": text}),
                        Said::Image => json!({"inlineData": {"mimeType": "image/png", "data": IMAGE}}),
                    };
                    waiting.extend(said.iter().map(part));
                    contents.push(json!({"role": "user", "parts": std::mem::take(&mut waiting)}));
                }
                Turn::Model(text, calls) => {
                    let mut parts: Vec<Value> = text.iter().map(|text| json!({"text": text})).collect();
                    for (arguments, answer) in calls {
                        let name = self.tool(number);
                        parts.push(json!({"functionCall": {"name": name, "args": arguments}}));
                        let under = if answer.failed { "error" } else { "output" };
                        waiting.push(
                            json!({"functionResponse": {"name": name, "response": {under: answer.text}}}),
                        );
                        number += 1;
                    }
                    contents.push(json!({"role": "model", "parts": parts}));
                }
            }
        }
        let tool = |number: usize| json!({"name": TOOLS[number], "parametersJsonSchema": Talk::schema()});
        let functions: Vec<_> = (0..self.tools).map(tool).collect();
        let mut body = json!({"contents": contents, "tools": [{"functionDeclarations": functions}]});
        let choice = match self.choice {
            Choice::Unsaid => None,
            Choice::Auto => Some(json!({"mode": "AUTO"})),
            Choice::Required => Some(json!({"mode": "ANY"})),
            Choice::Named => Some(json!({"mode": "ANY", "allowedFunctionNames": [TOOLS[0]]})),
            Choice::None => Some(json!({"mode": "NONE"})),
        };
        put(&mut body, "toolConfig", choice.map(|choice| json!({"functionCallingConfig": choice})));
        put(
            &mut body,
            "systemInstruction",
            self.system.as_ref().map(|text| json!({"parts": [{"text": text}]})),
        );
        let mut config = json!({});
        put(&mut config, "maxOutputTokens", self.max_tokens);
        put(&mut config, "temperature", self.temperature);
        put(&mut config, "stopSequences", (!self.stop.is_empty()).then(|| json!(self.stop)));
        put(&mut config, "thinkingConfig", self.effort.map(|effort| json!({"thinkingLevel": effort})));
        if self.schema {
            config["responseMimeType"] = "application/json".into();
            config["responseJsonSchema"] = Talk::schema();
        }
        body["generationConfig"] = config;
        body
    }

    fn converse(&self) -> Value {
        let mut messages: Vec<Value> = Vec::new();
        let mut number = 0;
        let mut waiting: Vec<Value> = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::User(said) => {
                    let part = |said: &Said| match said {
                        Said::Text(text) => json!({"text": text}),
                        Said::Image => json!({"image": {"format": "png", "source": {"bytes": IMAGE}}}),
                    };
                    waiting.extend(said.iter().map(part));
                    messages.push(json!({"role": "user", "content": std::mem::take(&mut waiting)}));
                }
                Turn::Model(text, calls) => {
                    let mut content: Vec<Value> = text.iter().map(|text| json!({"text": text})).collect();
                    for (arguments, answer) in calls {
                        let id = format!("tooluse_{number}");
                        content.push(json!({"toolUse": {"toolUseId": id, "name": self.tool(number), "input": arguments}}));
                        let status = if answer.failed { "error" } else { "success" };
                        waiting.push(json!({"toolResult": {"toolUseId": id, "status": status, "content": [{"text": answer.text}]}}));
                        number += 1;
                    }
                    messages.push(json!({"role": "assistant", "content": content}));
                }
            }
        }
        let tool = |number: usize| json!({"toolSpec": {"name": TOOLS[number], "inputSchema": {"json": Talk::schema()}}});
        let mut config = json!({"tools": (0..self.tools).map(tool).collect::<Vec<_>>()});
        let choice = match self.choice {
            Choice::Unsaid | Choice::None => None,
            Choice::Auto => Some(json!({"auto": {}})),
            Choice::Required => Some(json!({"any": {}})),
            Choice::Named => Some(json!({"tool": {"name": TOOLS[0]}})),
        };
        put(&mut config, "toolChoice", choice);
        let mut body = json!({"messages": messages, "toolConfig": config});
        put(&mut body, "system", self.system.as_ref().map(|text| json!([{"text": text}])));
        let mut config = json!({});
        put(&mut config, "maxTokens", self.max_tokens);
        put(&mut config, "temperature", self.temperature);
        put(&mut config, "stopSequences", (!self.stop.is_empty()).then(|| json!(self.stop)));
        body["inferenceConfig"] = config;
        let mut output = Map::new();
        if let Some(effort) = self.effort {
            output.insert("effort".to_owned(), effort.into());
        }
        if self.schema {
            let told = json!({"name": "answer", "schema": Talk::schema().to_string()});
            let format = json!({"type": "json_schema", "structure": {"jsonSchema": told}});
            output.insert("textFormat".to_owned(), format);
        }
        put(&mut body, "outputConfig", (!output.is_empty()).then_some(output));
        body
    }
}
