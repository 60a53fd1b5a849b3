//! What was said: roles, texts, pictures and documents. Calls and their answers are paired by `answers`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Map;

use super::answers::Calls;
use super::state::is_public;
use super::{At, Notes};
use crate::canonical::{Body, By, Form, Manner, Message, Modality, Part, Request, Role, fates, turns};

/// Before an instruction that another format has no place for.
const INSTRUCTION: &str = "[Instruction of the system]";
/// Said for a user who has not spoken before the model, or not at all.
const BEGINNING: &str = "[The user has not said anything yet.]";

pub(super) fn fit(request: &mut Request, form: &'static Form, manner: &Manner, notes: &mut Notes) {
    let messages = std::mem::take(&mut request.messages);
    let leading = messages.iter().take_while(|it| matches!(it.role, Role::System | Role::Developer)).count();
    let mut system = Vec::new();
    for (index, part) in std::mem::take(&mut request.system).into_iter().enumerate() {
        system.extend(instruction(part, At::System(form, index), form, manner, notes));
    }
    let mut calls = Calls::new(manner);
    let mut last = 0;
    for (index, message) in messages.into_iter().enumerate() {
        let at = At::Message(form, index);
        let Message { role, parts, .. } = message;
        let is_system = matches!(role, Role::System | Role::Developer);
        if let Role::Other(_) = role {
            notes.refuse(at, "a role that is not known here");
            continue;
        }
        calls.message(&role, at, notes);
        let mut fitted = Vec::new();
        for (number, part) in parts.into_iter().enumerate() {
            let at = At::Part(form, index, number);
            if is_system {
                fitted.extend(instruction(part, at, form, manner, notes));
            } else {
                fitted.extend(said(part, &role, at, form, manner, &mut calls, notes));
            }
        }
        calls.end_of_message(at, notes);
        if index < leading {
            system.extend(fitted);
            continue;
        }
        let role = match role {
            Role::System | Role::Developer if manner.system_anywhere => Role::System,
            Role::System | Role::Developer => {
                if fitted.is_empty() {
                    continue;
                }
                notes.approximate(at, "an instruction among the messages, as the user's words");
                fitted.insert(0, Part::text(INSTRUCTION));
                Role::User
            }
            role => role,
        };
        if !fitted.is_empty() {
            last = index;
            request.messages.push(Message { role, name: None, parts: fitted, rest: Map::new() });
        }
    }
    calls.end(At::Member(form.messages), notes);
    request.system = system;
    ends(request, last, form, manner, notes);
}

/// How the conversation begins and ends; the last message stands `at` this place in the app's.
fn ends(request: &mut Request, at: usize, form: &'static Form, manner: &Manner, notes: &mut Notes) {
    let (first, last) = {
        let turns = turns(&request.messages);
        (turns.first().map(|turn| turn.by), turns.last().map(|turn| turn.by))
    };
    if last == Some(By::Assistant) && !manner.prefill {
        notes.refuse(At::Message(form, at), "an answer that was begun for the model");
    }
    if first != Some(By::User) && (first.is_none() || manner.user_first) {
        // What was refused may have been all of it.
        if first.is_none() && request.system.is_empty() && notes.reasons.is_empty() {
            return notes
                .refuse(At::Member(form.messages), "a conversation in which nobody has said anything");
        }
        notes.approximate(At::Member(form.messages), "a conversation that the user does not begin");
        let parts = vec![Part::text(BEGINNING)];
        request.messages.insert(0, Message { role: Role::User, name: None, parts, rest: Map::new() });
    }
}

/// A part of instructions.
fn instruction(
    mut part: Part,
    at: At<'_>,
    form: &'static Form,
    manner: &Manner,
    notes: &mut Notes,
) -> Option<Part> {
    beside(&mut part, at, form, manner, notes);
    match &part.body {
        Body::Text(text) if text.trim().is_empty() => None,
        Body::Text(_) => Some(part),
        _ => {
            notes.refuse(at, "an instruction that is no text");
            None
        }
    }
}

/// Members, hints and seals of a part.
fn beside(part: &mut Part, at: At<'_>, form: &'static Form, manner: &Manner, notes: &mut Notes) {
    let rest = std::mem::take(&mut part.rest);
    fates("", &rest, form.beside_part, &mut |path, fate| notes.fate(At::In(&at, &path), fate));
    if part.cache.is_some() && !manner.cache_hints {
        notes.drop(at, "where the prompt may be cached");
        part.cache = None;
    }
    if part.seal.take().is_some() && !matches!(part.body, Body::Reasoning(_)) {
        notes.drop(at, "a signature that only its provider can read");
    }
}

/// A part of what the user, the model or a tool said.
fn said(
    mut part: Part,
    role: &Role,
    at: At<'_>,
    form: &'static Form,
    manner: &Manner,
    calls: &mut Calls<'_>,
    notes: &mut Notes,
) -> Option<Part> {
    beside(&mut part, at, form, manner, notes);
    match part.body {
        Body::Reasoning(_) => {
            notes.drop(at, "what the model thought");
            return None;
        }
        Body::ToolCall(call) => part.body = Body::ToolCall(calls.call(call, at, notes)?),
        Body::ToolAnswer { id, name, parts, is_error } => {
            let inner = parts
                .into_iter()
                .enumerate()
                .filter_map(|(number, inner)| answered(inner, At::Inner(&at, number), form, manner, notes));
            let inner: Vec<Part> = inner.collect();
            part.body = calls.answer(id, name, inner, is_error, at, notes)?;
        }
        body => part.body = spoken(body, role, at, manner, notes)?,
    }
    Some(part)
}

/// A part of a tool's answer.
fn answered(
    mut part: Part,
    at: At<'_>,
    form: &'static Form,
    manner: &Manner,
    notes: &mut Notes,
) -> Option<Part> {
    beside(&mut part, at, form, manner, notes);
    // Where answers are objects, they stand there whole.
    if matches!(&part.body, Body::Generic { kind, .. } if kind == "response" || kind == "json") {
        return Some(part);
    }
    part.body = spoken(part.body, &Role::Tool, at, manner, notes)?;
    if !matches!(part.body, Body::Text(_)) && !manner.media_in_answers {
        notes.approximate(at, "what a tool showed, as what the user shows after it");
    }
    Some(part)
}

fn spoken(body: Body, role: &Role, at: At<'_>, manner: &Manner, notes: &mut Notes) -> Option<Body> {
    match body {
        // Blank texts are errors elsewhere, and mean nothing.
        Body::Text(text) => (!text.trim().is_empty()).then_some(Body::Text(text)),
        Body::Refusal(text) => {
            notes.approximate(at, "the model's refusal, as its text");
            Some(Body::Text(text))
        }
        Body::Blob { .. } | Body::Uri { .. } if *role == Role::Assistant => {
            notes.refuse(at, "what the model showed");
            None
        }
        Body::Blob { modality, mime, data } => blob(modality, mime.as_deref(), data, at, manner, notes),
        Body::Uri { modality, mime, uri } => fetched(modality, mime, uri, at, manner, notes),
        Body::File { .. } => refused(at, "a file that the provider keeps", notes),
        Body::ServerToolCall { .. } | Body::ServerToolAnswer { .. } => {
            refused(at, "what a tool of the provider's did", notes)
        }
        Body::Generic { kind, .. } if kind == "item_reference" => {
            refused(at, "an item that the provider keeps", notes)
        }
        _ => refused(at, "a kind of part that is not known here", notes),
    }
}

fn refused(at: At<'_>, what: &'static str, notes: &mut Notes) -> Option<Body> {
    notes.refuse(at, what);
    None
}

fn blob(
    modality: Modality,
    mime: Option<&str>,
    data: String,
    at: At<'_>,
    manner: &Manner,
    notes: &mut Notes,
) -> Option<Body> {
    let mime = mime.unwrap_or_default().to_ascii_lowercase();
    let kept = |mime: &str| Some(Body::Blob { modality, mime: Some(mime.to_owned()), data: data.clone() });
    match (modality, mime.as_str()) {
        (Modality::Image, _) if !manner.images => refused(at, "a picture", notes),
        (Modality::Image, "image/jpg") => kept("image/jpeg"),
        (Modality::Image, "image/png" | "image/jpeg" | "image/webp" | "image/gif") => kept(&mime),
        (Modality::Image, _) => refused(at, "a picture of a kind that others do not read", notes),
        (Modality::Document, "application/pdf") if manner.documents => kept(&mime),
        (Modality::Document, "application/pdf") => refused(at, "a PDF document", notes),
        (Modality::Document, mime) if is_text(mime) => match STANDARD.decode(&data).map(String::from_utf8) {
            Ok(Ok(text)) => {
                notes.approximate(at, "a document of plain text, as text");
                Some(Body::Text(text)).filter(|it| !matches!(it, Body::Text(text) if text.trim().is_empty()))
            }
            _ => refused(at, "a document whose text cannot be read", notes),
        },
        (Modality::Document, _) => refused(at, "a document of a kind that others do not read", notes),
        (Modality::Audio, "audio/wav" | "audio/x-wav" | "audio/mp3" | "audio/mpeg") if manner.audio => {
            kept(if mime.ends_with("wav") { "audio/wav" } else { "audio/mp3" })
        }
        (Modality::Audio, _) => refused(at, "sound", notes),
        (Modality::Video, _) => refused(at, "a video", notes),
    }
}

/// What is written in a text, whatever it means. Converse names it by the ending of a file.
fn is_text(mime: &str) -> bool {
    let written =
        ["application/txt", "application/md", "application/csv", "application/html", "application/json"];
    mime.starts_with("text/") || written.contains(&mime)
}

/// Outrigger fetches nothing itself: an address is for who reads addresses.
fn fetched(
    modality: Modality,
    mime: Option<String>,
    uri: String,
    at: At<'_>,
    manner: &Manner,
    notes: &mut Notes,
) -> Option<Body> {
    let is_fetched = match modality {
        Modality::Image => manner.images && manner.image_urls,
        Modality::Document => manner.document_urls,
        Modality::Audio | Modality::Video => false,
    };
    if !is_public(&uri) {
        return refused(at, "a file that the provider keeps", notes);
    }
    if is_fetched {
        return Some(Body::Uri { modality, mime, uri });
    }
    let what = match modality {
        Modality::Image => "a picture by its address",
        Modality::Document => "a document by its address",
        Modality::Audio => "sound by its address",
        Modality::Video => "a video by its address",
    };
    refused(at, what, notes)
}
