//! What only the account that was asked can answer, whatever the format: what the provider keeps, and files in its hands.

use super::{At, Notes};
use crate::canonical::{Body, Fate, Form, Part, Request, ToolKind, fates};

/// Notes what another account of the same format cannot answer. `kin`: it is the same provider, whose own tools are there too.
pub(crate) fn state(request: &Request, form: &'static Form, kin: bool) -> Notes {
    let mut notes = Notes::default();
    fates("", &request.rest, form.beside_request, &mut |path, fate| {
        kept(&mut notes, At::Member(&path), fate)
    });
    for (index, message) in request.messages.iter().enumerate() {
        let at = At::Message(form, index);
        fates("", &message.rest, form.beside_message, &mut |path, fate| {
            kept(&mut notes, At::In(&at, &path), fate)
        });
    }
    for (index, tool) in request.tools.iter().enumerate() {
        let at = At::Tool(index);
        fates("", &tool.rest, form.beside_tool, &mut |path, fate| kept(&mut notes, At::In(&at, &path), fate));
        if matches!(tool.kind, ToolKind::Provider(_)) && !kin {
            notes.refuse(at, "a tool of the provider's");
        }
    }
    for (index, message) in request.messages.iter().enumerate() {
        for (part, body) in message.parts.iter().enumerate() {
            held(body, At::Part(form, index, part), kin, &mut notes);
        }
    }
    notes
}

fn kept(notes: &mut Notes, at: At<'_>, fate: Fate) {
    if let Fate::Kept(what) = fate {
        notes.refuse(at, what);
    }
}

fn held(part: &Part, at: At<'_>, kin: bool, notes: &mut Notes) {
    match &part.body {
        Body::File { .. } => notes.refuse(at, "a file that the provider keeps"),
        Body::Uri { uri, .. } if !is_public(uri) => notes.refuse(at, "a file that the provider keeps"),
        Body::ServerToolCall { .. } | Body::ServerToolAnswer { .. } if !kin => {
            notes.refuse(at, "what a tool of the provider's did");
        }
        Body::Generic { kind, .. } if kind == "item_reference" => {
            notes.refuse(at, "an item that the provider keeps");
        }
        Body::ToolAnswer { parts, .. } => {
            for (index, inner) in parts.iter().enumerate() {
                held(inner, At::Inner(&at, index), kin, notes);
            }
        }
        _ => {}
    }
}

/// Whether anybody can fetch it, as far as its address says.
pub(super) fn is_public(uri: &str) -> bool {
    uri.starts_with("https://") && !uri.starts_with("https://generativelanguage.googleapis.com/")
}
