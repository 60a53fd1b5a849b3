//! OpenAI.

use crate::formats::{
    openai, openai_audio, openai_chat, openai_completions, openai_embeddings, openai_files, openai_images,
    openai_responses,
};
use crate::providers::Provider;

pub(crate) static ROW: Provider = Provider {
    name: "openai",
    hosts: &[
        "api.openai.com",
        "us.api.openai.com",
        "eu.api.openai.com",
        "ae.api.openai.com",
        "au.api.openai.com",
        "in.api.openai.com",
        "jp.api.openai.com",
    ],
    on_gateway: |path| path.starts_with("/v1/"),
    answer: |path, ask, told| match path {
        "/v1/chat/completions" => Some(openai_chat::answer(ask, told)),
        "/v1/responses" => Some(openai_responses::answer(ask, told)),
        "/v1/completions" => Some(openai_completions::answer(ask, told)),
        "/v1/embeddings" => Some(openai_embeddings::answer(ask, told)),
        "/v1/images/generations" => Some(openai_images::answer(ask, told, false)),
        "/v1/images/edits" => Some(openai_images::answer(ask, told, true)),
        "/v1/audio/speech" => Some(openai_audio::speech(told)),
        "/v1/audio/transcriptions" => Some(openai_audio::transcription(ask, told)),
        "/v1/responses/input_tokens" => Some(openai_responses::count(told)),
        "/v1/models" => Some(openai::models()),
        path if path.starts_with("/v1/files") => Some(openai_files::files(ask, path)),
        path if path.starts_with("/v1/batches") => Some(openai_files::batches(ask, path)),
        _ => None,
    },
    asked: |_, body| {
        // A form has texts alone; speech has a word of its own for a stream of events.
        let streams = [&body["stream"], &body["stream_format"]];
        let asked = streams.into_iter().any(|word| *word == true || *word == "true" || *word == "sse");
        (body["model"].as_str().unwrap_or_default().to_owned(), asked)
    },
    headers: openai::headers,
    ..Provider::ROW
};
