//! Realtime: a session, spoken answers, and what the user said in writing.

use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::words;
use crate::script::Usage;

/// The model that writes down what is heard.
pub(crate) const TRANSCRIBER: &str = "gpt-4o-mini-transcribe";

/// `session.created` and `session.updated`.
pub(crate) fn session(kind: &str, model: &str) -> Value {
    json!({"type": kind, "event_id": "event_session", "session": {
        "type": "realtime", "object": "realtime.session", "id": "sess_harbour", "model": model,
        "output_modalities": ["audio"], "instructions": "You are a pilot.", "tools": [], "tool_choice": "auto",
        "audio": {
            "input": {"format": {"type": "audio/pcm", "rate": 24000}, "transcription": {"model": TRANSCRIBER},
                "turn_detection": {"type": "server_vad"}},
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
        },
    }})
}

fn usage(usage: &Usage) -> Value {
    let heard = usage.input_audio + usage.cache_read_audio;
    let text = usage.input + usage.cache_read;
    let output = usage.output + usage.reasoning + usage.output_audio;
    json!({
        "total_tokens": heard + text + output,
        "input_tokens": heard + text,
        "output_tokens": output,
        "input_token_details": {
            "text_tokens": text, "audio_tokens": heard, "image_tokens": 0,
            "cached_tokens": usage.cache_read + usage.cache_read_audio,
            "cached_tokens_details":
                {"text_tokens": usage.cache_read, "audio_tokens": usage.cache_read_audio, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": usage.output + usage.reasoning, "audio_tokens": usage.output_audio},
    })
}

/// All events of one answer. `heard`: nobody asked for it but a voice.
pub(crate) fn answer(ask: &Ask, told: &Told, cancelled: bool, heard: bool) -> Vec<Value> {
    let id = format!("resp_{:024x}", ask.serial);
    let item = format!("item_{:024x}", ask.serial);
    let response = |status: &str, details: Value, used: Value| {
        json!({"object": "realtime.response", "id": id, "status": status, "status_details": details,
            "output": [], "conversation_id": "conv_harbour", "output_modalities": ["audio"],
            "max_output_tokens": "inf", "usage": used, "metadata": null})
    };
    let mut events = Vec::new();
    if heard {
        let spoken = format!("item_u{:023x}", ask.serial);
        events.push(json!({"type": "conversation.item.input_audio_transcription.delta", "item_id": spoken, "content_index": 0, "delta": "When "}));
        events.push(
            json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": spoken,
            "content_index": 0, "transcript": "When does the tide turn?",
            "usage": {"type": "tokens", "total_tokens": 34, "input_tokens": 24, "output_tokens": 10,
                "input_token_details": {"text_tokens": 4, "audio_tokens": 20}}}),
        );
    }
    events.push(
        json!({"type": "response.created", "response": response("in_progress", Value::Null, Value::Null)}),
    );
    events.push(json!({"type": "response.output_item.added", "response_id": id, "output_index": 0,
        "item": {"id": item, "object": "realtime.item", "type": "message", "status": "in_progress", "role": "assistant", "content": []}}));
    for word in words(&told.text) {
        events.push(json!({"type": "response.output_audio_transcript.delta", "response_id": id, "item_id": item, "output_index": 0, "content_index": 0, "delta": word}));
        // Sound, as far as a test needs it.
        let sound = "UklGRv////9XQVZF".repeat(40);
        events.push(json!({"type": "response.output_audio.delta", "response_id": id, "item_id": item, "output_index": 0, "content_index": 0, "delta": sound}));
    }
    let used = told.usage.as_ref().map_or(Value::Null, usage);
    let mut done = if cancelled {
        response("cancelled", json!({"type": "cancelled", "reason": "turn_detected"}), used)
    } else {
        response("completed", Value::Null, used)
    };
    done["output"] = json!([{"id": item, "object": "realtime.item", "type": "message", "status": "completed", "role": "assistant",
        "content": [{"type": "output_audio", "transcript": told.text}]}]);
    events.push(json!({"type": "response.done", "response": done}));
    events.push(json!({"type": "rate_limits.updated", "rate_limits": [{"name": "tokens", "limit": 40000, "remaining": 39000, "reset_seconds": 1.5}]}));
    for (number, event) in events.iter_mut().enumerate() {
        event["event_id"] = json!(format!("event_{:x}_{number}", ask.serial));
    }
    events
}
