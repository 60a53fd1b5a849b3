//! Calls of tools and their answers: every call has an id and one answer, every answer the name of what was called.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::names::id_for;
use super::{At, Notes};
use crate::canonical::{Arguments, Body, Call, Manner, Part, Role};

/// What arguments stand under that are no object.
const UNREADABLE: &str = "unreadable_arguments";
/// Before what a tool answered that failed.
const FAILED: &str = "Error: ";

struct Open {
    /// As the app gave it, if it did.
    asked: Option<String>,
    /// As it is sent.
    id: String,
    name: String,
}

/// Calls that wait for their answers.
pub(super) struct Calls<'a> {
    manner: &'a Manner,
    open: VecDeque<Open>,
    /// Whose message it is.
    role: Role,
    made: usize,
}

impl<'a> Calls<'a> {
    pub(super) fn new(manner: &'a Manner) -> Calls<'a> {
        Calls { manner, open: VecDeque::new(), role: Role::System, made: 0 }
    }

    /// A message begins.
    pub(super) fn message(&mut self, role: &Role, at: At<'_>, notes: &mut Notes) {
        // Items of one turn of the model follow one another.
        if *role == Role::Assistant && self.role != Role::Assistant {
            self.all_answered(at, notes);
        }
        self.role = role.clone();
    }

    /// The message has ended: whatever else the user says comes after all answers.
    pub(super) fn end_of_message(&mut self, at: At<'_>, notes: &mut Notes) {
        if self.role == Role::User && !self.open.is_empty() {
            self.all_answered(at, notes);
        }
    }

    /// So has the conversation.
    pub(super) fn end(&mut self, at: At<'_>, notes: &mut Notes) {
        self.all_answered(at, notes);
    }

    fn all_answered(&mut self, at: At<'_>, notes: &mut Notes) {
        if !self.open.is_empty() {
            notes.refuse(at, "a call of a tool that has no answer");
            self.open.clear();
        }
    }

    pub(super) fn call(&mut self, mut call: Call, at: At<'_>, notes: &mut Notes) -> Option<Call> {
        if call.free && !self.manner.free_tools {
            notes.refuse(at, "a call of a tool that takes free text");
            return None;
        }
        let asked = call.id.take();
        self.made += 1;
        let id = id_for(asked.as_deref().unwrap_or(&format!("call_{}", self.made)), self.manner.ids);
        call.id = Some(id.clone());
        if let (Arguments::Text(text), true) = (&call.arguments, self.manner.object_arguments) {
            notes.approximate(at, "arguments that are no object, under a name of their own");
            let members = Map::from_iter([(UNREADABLE.to_owned(), Value::from(text.as_str()))]);
            call.arguments = Arguments::Object(members);
        }
        self.open.push_back(Open { asked, id, name: call.name.clone() });
        Some(call)
    }

    pub(super) fn answer(
        &mut self,
        id: Option<String>,
        name: Option<String>,
        parts: Vec<Part>,
        is_error: Option<bool>,
        at: At<'_>,
        notes: &mut Notes,
    ) -> Option<Body> {
        let place = match (&id, &name) {
            (Some(id), _) => self.open.iter().position(|open| open.asked.as_ref() == Some(id)),
            (None, Some(name)) => self.open.iter().position(|open| open.name == *name),
            (None, None) => (!self.open.is_empty()).then_some(0),
        };
        let Some(open) = place.and_then(|place| self.open.remove(place)) else {
            notes.refuse(at, "a tool's answer to no call");
            return None;
        };
        let mut parts: Vec<Part> = parts.into_iter().map(plain).collect();
        let mut is_error = is_error.filter(|failed| *failed);
        if is_error.is_some() && !self.manner.error_flag {
            notes.approximate(at, "that a tool failed, as a word before its answer");
            match parts.first_mut().map(|part| &mut part.body) {
                Some(Body::Text(text)) => text.insert_str(0, FAILED),
                _ => parts.insert(0, Part::text(FAILED.trim_end())),
            }
            is_error = None;
        }
        if parts.is_empty() && !self.manner.empty_answers {
            notes.approximate(at, "a tool's answer that says nothing");
            parts.push(Part::text("(nothing)"));
        }
        Some(Body::ToolAnswer { id: Some(open.id), name: Some(open.name), parts, is_error })
    }
}

/// An answer that is an object, as text: the one text that it holds, or all of it.
fn plain(mut part: Part) -> Part {
    if let Body::Generic { value, .. } = &part.body {
        // Converse has it under its kind.
        let value =
            value.get("json").filter(|_| value.as_object().is_some_and(|it| it.len() == 1)).unwrap_or(value);
        let only = value.as_object().filter(|members| members.len() == 1).and_then(|members| {
            ["output", "result", "error"].iter().find_map(|name| members.get(*name)?.as_str())
        });
        let text = only.map_or_else(|| value.to_string(), str::to_owned);
        part.body = Body::Text(text);
    }
    part
}
