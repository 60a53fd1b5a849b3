//! Events of an answer as blocks that come one after another: sources write parts side by side, and most formats cannot. What
//! must wait for an open block is held, within a bound.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use crate::Dialect;
use crate::canonical::{
    Answer, AnswerWriter, Arguments, Asked, Block, Body, Call, Event, Finish, Part, Piece, Stop, StopReason,
};
use crate::framing::JsonScan;

/// Bytes of text that may wait.
const HELD: usize = 8 * 1024 * 1024;
/// Bytes of text that an answer may have: some formats tell all of it again at its end.
const LONGEST: usize = 32 * 1024 * 1024;
/// Ids of calls that all formats take: OpenAI's are no longer.
const LONGEST_ID: usize = 40;

/// What a writer is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Open(Block),
    Grow(String),
    Close,
}

/// Puts the events of one answer in order.
pub(super) struct Blocks {
    from: &'static dyn Dialect,
    call_prefix: &'static str,
    has_free_calls: bool,
    open: Option<Open>,
    /// What comes after the open block, in the order it began.
    waiting: VecDeque<Waiting>,
    held: usize,
    /// Bytes of all texts so far.
    length: usize,
    parts: BTreeMap<usize, Kind>,
    calls: usize,
    /// Whether the arguments of every call so far are whole.
    calls_whole: bool,
    stop: Option<Stop>,
    left_out: BTreeSet<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Refusal,
    Call,
    /// Not for the app.
    LeftOut,
}

struct Open {
    part: usize,
    kind: Kind,
    /// Whether it is a call that gives free text: only its source knows when that is whole.
    free: bool,
    /// Whether the writer knows of it: a text without a letter is none.
    told: bool,
    /// A call's arguments as its start gave them, a placeholder as soon as others come.
    begun: String,
    /// How far the arguments have come.
    arguments: JsonScan,
    grown: bool,
}

struct Waiting {
    part: usize,
    begun: Begun,
    pieces: Vec<String>,
    closed: bool,
}

/// A part as it began.
struct Begun {
    block: Block,
    /// Text, or the arguments as the start gave them.
    text: String,
}

impl Blocks {
    pub(super) fn new(from: &'static dyn Dialect, writer: &dyn AnswerWriter) -> Blocks {
        Blocks {
            from,
            call_prefix: writer.call_prefix(),
            has_free_calls: writer.has_free_calls(),
            open: None,
            waiting: VecDeque::new(),
            held: 0,
            length: 0,
            parts: BTreeMap::new(),
            calls: 0,
            calls_whole: true,
            stop: None,
            left_out: BTreeSet::new(),
        }
    }

    /// The next event.
    ///
    /// # Errors
    /// What it says cannot be said in another format; the reason.
    pub(super) fn take(
        &mut self,
        event: Event,
        asked: &Asked,
        out: &mut Vec<Step>,
    ) -> Result<(), &'static str> {
        match event {
            Event::Open { choice: 0, part, begun } => {
                let (kind, begun) = self.begun(begun, asked);
                if self.parts.insert(part, kind).is_some() {
                    return Err("a part of the answer begins twice");
                }
                if let Some(begun) = begun {
                    self.begin(part, begun, out)?;
                }
            }
            Event::Grow { choice: 0, part, piece } => self.grow(part, piece, out)?,
            Event::Close { choice: 0, part } => self.close(part, out),
            Event::Stop { choice: 0, stop } => {
                self.close_all(out);
                self.stop = Some(stop);
            }
            Event::Open { .. } | Event::Grow { .. } | Event::Close { .. } | Event::Stop { .. } => {
                self.left_out.insert("choices");
            }
            Event::Start { .. } | Event::Failed(_) | Event::Done => {}
        }
        Ok(())
    }

    /// A whole answer, as the events of a stream would have it.
    pub(super) fn take_whole(
        &mut self,
        answer: Answer,
        asked: &Asked,
        out: &mut Vec<Step>,
    ) -> Result<(), &'static str> {
        for (choice, said) in answer.choices.into_iter().enumerate() {
            for (part, begun) in said.parts.into_iter().enumerate() {
                self.take(Event::Open { choice, part, begun }, asked, out)?;
                self.take(Event::Close { choice, part }, asked, out)?;
            }
            if let Some(stop) = said.stop {
                self.take(Event::Stop { choice, stop }, asked, out)?;
            }
        }
        Ok(())
    }

    /// The word by which the source ended, if it did.
    pub(super) fn stop(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    /// What was not for the app, or has no place in its format.
    pub(super) fn left_out(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.left_out.iter().copied()
    }

    /// Why the answer ended: by its content, then by the source's word.
    ///
    /// # Errors
    /// It did not end, or not as one that may be shown; the reason.
    pub(super) fn finish(&mut self, out: &mut Vec<Step>) -> Result<Finish, &'static str> {
        self.close_all(out);
        let calls = self.calls > 0;
        let stop = self.stop.as_ref().ok_or("the answer broke off: no reason to end was told")?;
        let reason = match stop.reason {
            StopReason::Unknown => self.known(&stop.word),
            _ => stop.reason.clone(),
        };
        let finish = match &reason {
            StopReason::Length => Finish::Length,
            StopReason::Window => Finish::Window,
            StopReason::Filtered => Finish::Filtered,
            StopReason::MalformedCall => return Err("the provider says that the answer went wrong"),
            StopReason::Paused => return Err("the answer waits to be sent again"),
            StopReason::Unknown if !calls => return Err("the answer ended by a word that is not known"),
            _ if calls && !self.calls_whole => return Err("the arguments of a tool call are not whole"),
            _ if calls => Finish::ToolCalls,
            StopReason::Sequence(which) => Finish::Sequence(which.clone()),
            StopReason::End | StopReason::ToolCalls | StopReason::Unknown => Finish::End,
        };
        Ok(finish)
    }

    /// What a word means that only this provider has.
    fn known(&self, word: &str) -> StopReason {
        match self.from.finish_word(word) {
            "stop" => StopReason::End,
            "length" => StopReason::Length,
            "tool_call" => StopReason::ToolCalls,
            "content_filter" => StopReason::Filtered,
            "error" => StopReason::MalformedCall,
            _ => StopReason::Unknown,
        }
    }

    fn begun(&mut self, part: Part, asked: &Asked) -> (Kind, Option<Begun>) {
        if part.rest.values().any(|value| !value.is_null()) {
            self.left_out.insert("citations");
        }
        let mut leave_out = |what| {
            self.left_out.insert(what);
            (Kind::LeftOut, None)
        };
        match part.body {
            Body::Text(text) => (Kind::Text, Some(Begun { block: Block::Text, text })),
            Body::Refusal(text) => (Kind::Refusal, Some(Begun { block: Block::Refusal, text })),
            Body::ToolCall(Call { id, name, arguments, free }) => {
                let text = match arguments {
                    Arguments::Object(members) if members.is_empty() => String::new(),
                    Arguments::Object(members) => Value::Object(members).to_string(),
                    Arguments::Text(text) => text,
                };
                let fits = |id: &String| {
                    id.len() <= LONGEST_ID
                        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
                };
                let of = format!("{}\0{}", self.calls, id.as_deref().unwrap_or_default());
                let id = id.filter(fits).unwrap_or_else(|| asked.id(self.call_prefix, &of));
                let block = Block::Call { id, name: asked.tool(name), free: free && self.has_free_calls };
                self.calls += 1;
                (Kind::Call, Some(Begun { block, text }))
            }
            // One provider's thoughts are of no use to another, and what it signed is refused there.
            Body::Reasoning(_) => leave_out("reasoning"),
            Body::Blob { .. } | Body::File { .. } | Body::Uri { .. } => leave_out("media"),
            Body::ToolAnswer { .. } | Body::ServerToolCall { .. } | Body::ServerToolAnswer { .. } => {
                leave_out("server_tools")
            }
            Body::Generic { .. } => leave_out("annotations"),
        }
    }

    fn begin(&mut self, part: usize, begun: Begun, out: &mut Vec<Step>) -> Result<(), &'static str> {
        if self.open.as_ref().is_some_and(Open::may_close) && self.waiting.is_empty() {
            self.close_open(out);
        }
        if self.open.is_none() {
            self.start(part, begun, out);
            return Ok(());
        }
        self.hold(begun.text.len())?;
        self.waiting.push_back(Waiting { part, begun, pieces: Vec::new(), closed: false });
        Ok(())
    }

    fn start(&mut self, part: usize, begun: Begun, out: &mut Vec<Step>) {
        let kind = Kind::of(&begun.block);
        let mut open = Open {
            part,
            kind,
            free: matches!(begun.block, Block::Call { free: true, .. }),
            told: kind == Kind::Call,
            begun: String::new(),
            arguments: JsonScan::new(&[]),
            grown: false,
        };
        if kind == Kind::Call {
            out.push(Step::Open(begun.block));
            open.begun = begun.text;
        } else {
            open.grow(begun.text, out);
        }
        self.open = Some(open);
    }

    fn grow(&mut self, part: usize, piece: Piece, out: &mut Vec<Step>) -> Result<(), &'static str> {
        let kind = self.parts.get(&part).copied().unwrap_or(Kind::LeftOut);
        let text = match (piece, kind) {
            (_, Kind::LeftOut) => return Ok(()),
            (Piece::Text(text), Kind::Text | Kind::Refusal) | (Piece::Arguments(text), Kind::Call) => text,
            (Piece::Beside(..), _) => {
                self.left_out.insert("citations");
                return Ok(());
            }
            // A signature is for its maker alone.
            _ => return Ok(()),
        };
        self.length += text.len();
        if self.length > LONGEST {
            return Err("the answer is longer than is translated");
        }
        if let Some(open) = self.open.as_mut().filter(|open| open.part == part) {
            open.grow(text, out);
            return Ok(());
        }
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.part == part && !waiting.closed) {
            self.hold(text.len())?;
            self.waiting[at].pieces.push(text);
            return Ok(());
        }
        match kind {
            // It gave way to another; what is more of it is a block of its own.
            Kind::Text | Kind::Refusal if !text.is_empty() => {
                let block = if kind == Kind::Text { Block::Text } else { Block::Refusal };
                self.begin(part, Begun { block, text }, out)
            }
            Kind::Call if !text.trim_ascii().is_empty() => {
                Err("the arguments of a tool call go on after their end")
            }
            _ => Ok(()),
        }
    }

    fn close(&mut self, part: usize, out: &mut Vec<Step>) {
        if self.open.as_ref().is_some_and(|open| open.part == part) {
            self.close_open(out);
            self.advance(out);
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.part == part) {
            waiting.closed = true;
        }
    }

    /// Lets those that wait come, up to one that still grows.
    fn advance(&mut self, out: &mut Vec<Step>) {
        while self.open.is_none()
            && let Some(next) = self.waiting.pop_front()
        {
            self.held -= next.begun.text.len() + next.pieces.iter().map(String::len).sum::<usize>();
            self.start(next.part, next.begun, out);
            if let Some(open) = &mut self.open {
                next.pieces.into_iter().for_each(|piece| open.grow(piece, out));
                if next.closed || (open.may_close() && !self.waiting.is_empty()) {
                    self.close_open(out);
                }
            }
        }
    }

    fn close_all(&mut self, out: &mut Vec<Step>) {
        while self.open.is_some() || !self.waiting.is_empty() {
            self.close_open(out);
            self.advance(out);
        }
    }

    fn close_open(&mut self, out: &mut Vec<Step>) {
        let Some(mut open) = self.open.take() else { return };
        if open.kind == Kind::Call {
            if !open.grown {
                // No arguments at all are an empty object.
                let begun = std::mem::take(&mut open.begun);
                open.grow(if begun.is_empty() && !open.free { "{}".to_owned() } else { begun }, out);
            }
            self.calls_whole &= open.free || open.arguments.is_whole();
        }
        if open.told {
            out.push(Step::Close);
        }
    }

    fn hold(&mut self, more: usize) -> Result<(), &'static str> {
        self.held += more;
        if self.held > HELD { Err("more of the answer came out of order than is held") } else { Ok(()) }
    }
}

impl Kind {
    fn of(block: &Block) -> Kind {
        match block {
            Block::Text => Kind::Text,
            Block::Refusal => Kind::Refusal,
            Block::Call { .. } => Kind::Call,
        }
    }
}

impl Open {
    /// Whether another block may begin: a text gives way, arguments only when they are whole.
    fn may_close(&self) -> bool {
        let is_whole = || self.arguments.is_whole() || (!self.grown && !self.begun.is_empty());
        self.kind != Kind::Call || (!self.free && is_whole())
    }

    fn grow(&mut self, text: String, out: &mut Vec<Step>) {
        if text.is_empty() {
            return;
        }
        if !std::mem::replace(&mut self.told, true) {
            let block = if self.kind == Kind::Text { Block::Text } else { Block::Refusal };
            out.push(Step::Open(block));
        }
        if self.kind == Kind::Call && !self.free {
            self.arguments.push(text.as_bytes());
        }
        self.grown = true;
        out.push(Step::Grow(text));
    }
}
