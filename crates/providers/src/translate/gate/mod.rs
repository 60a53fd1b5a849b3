//! What of a request can be said elsewhere: fitted to another place's manner, with what is lost on the way, or refused with every
//! reason. Nothing is dropped in silence. Per translated request.

mod answers;
mod conversation;
mod names;
mod notes;
mod parameters;
mod state;
mod structured;
mod tools;

use crate::canonical::{Form, Manner, Request, fates};

pub(crate) use names::ToolNames;
pub(crate) use notes::{At, Notes};
pub use notes::{Loss, Lost, Reason};
pub(crate) use state::state;

/// A request as another place can be asked it.
#[derive(Debug)]
pub(crate) struct Fitted {
    /// Parts, tools and parameters are such as the manner can say.
    pub(crate) request: Request,
    /// What its tools are called there, where their own names do not fit.
    pub(crate) names: ToolNames,
    /// What is lost, and what refuses it.
    pub(crate) notes: Notes,
}

/// Fits a request that was read from `form` to a manner of speaking.
pub(crate) fn fit(mut request: Request, form: &'static Form, manner: &Manner) -> Fitted {
    let mut notes = Notes::default();
    beside(&request, form, &mut notes);
    let names = names::fitted(&mut request, manner, &mut notes);
    tools::fit(&mut request, form, manner, &mut notes);
    conversation::fit(&mut request, form, manner, &mut notes);
    structured::fit(&mut request, form, manner, &mut notes);
    parameters::fit(&mut request, manner, &mut notes);
    request.rest.clear();
    Fitted { request, names, notes }
}

/// Members that have no place in the canonical form.
fn beside(request: &Request, form: &'static Form, notes: &mut Notes) {
    fates("", &request.rest, form.beside_request, &mut |path, fate| notes.fate(At::Member(&path), fate));
    for (index, message) in request.messages.iter().enumerate() {
        let at = At::Message(form, index);
        fates("", &message.rest, form.beside_message, &mut |path, fate| notes.fate(At::In(&at, &path), fate));
        if message.name.is_some() {
            notes.drop(at, "the speaker's name");
        }
    }
    for (index, tool) in request.tools.iter().enumerate() {
        let at = At::Tool(index);
        fates("", &tool.rest, form.beside_tool, &mut |path, fate| notes.fate(At::In(&at, &path), fate));
    }
}
