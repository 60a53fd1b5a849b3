//! Speech and transcription: sound out, and words for sound that came in a form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::{EVENTS, Parts, Whole, unnamed, words};
use crate::script::Usage;

/// Sound, as far as a test needs it.
const SOUND: &[u8] = b"ID3\x04\0\0\0\0\0\0tide";

fn tokens(used: &Usage) -> Value {
    let input = used.input + used.input_audio;
    json!({
        "type": "tokens", "input_tokens": input,
        "input_token_details": {"text_tokens": used.input, "audio_tokens": used.input_audio},
        "output_tokens": used.output, "total_tokens": input + used.output,
    })
}

/// Sound at once, or in events if the stream's format asks for them.
pub(crate) fn speech(told: &Told) -> Parts {
    let delta = json!({"type": "speech.audio.delta", "audio": STANDARD.encode(SOUND)});
    let mut done = json!({"type": "speech.audio.done"});
    if let Some(used) = &told.usage {
        done["usage"] = json!({"input_tokens": used.input, "output_tokens": used.output_audio,
            "total_tokens": used.input + used.output_audio});
    }
    Parts {
        whole: Whole::Raw("audio/mpeg", SOUND.into()),
        events: vec![unnamed(&delta), unnamed(&done)],
        deltas: 0..1,
        stream_type: EVENTS,
    }
}

/// What was said, in the form that is asked for. Whisper counts seconds, its successors tokens.
pub(crate) fn transcription(ask: &Ask, told: &Told) -> Parts {
    let used = told.usage.as_ref().map(|used| {
        if ask.model.starts_with("whisper") {
            json!({"type": "duration", "seconds": used.seconds})
        } else {
            tokens(used)
        }
    });
    let mut whole = json!({"text": told.text});
    if let Some(used) = &used {
        whole["usage"] = used.clone();
    }
    let whole = match ask.body["response_format"].as_str() {
        Some("text") => Whole::Raw("text/plain; charset=utf-8", format!("{}\n", told.text).into()),
        Some("verbose_json") => {
            whole["task"] = json!("transcribe");
            whole["language"] = json!("english");
            whole["duration"] = json!(told.used().seconds);
            whole["segments"] = json!([]);
            Whole::Json(whole)
        }
        _ => Whole::Json(whole),
    };
    let mut events: Vec<_> = words(&told.text)
        .into_iter()
        .map(|word| unnamed(&json!({"type": "transcript.text.delta", "delta": word})))
        .collect();
    let deltas = 0..events.len();
    let mut done = json!({"type": "transcript.text.done", "text": told.text});
    if let Some(used) = used {
        done["usage"] = used;
    }
    events.push(unnamed(&done));
    Parts { whole, events, deltas, stream_type: EVENTS }
}
