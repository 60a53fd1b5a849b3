//! Streams that die: at every frame, in every way, before every family of SDKs, read plainly and by the SDKs' own helpers. Before
//! the first content the user notices nothing; after it the SDK raises; a truncated answer is never presented as a complete one.

use outrigger_simulator::{Answer, Config, Cut, Rule};

use super::table::Row;
use super::{
    ADDRESSED, ASKED, HOSTS, Sdk, Seen, before, document, folder, keys_stayed_at_home, right, simulator,
};

/// Every call asks the primary once: nothing is tried again, and it is never left alone.
const RULE: &str = "  - name: cut
    match: {}
    breaker: { consecutive: 100, minCalls: 10000 }
    failover: { to: [second] }
";

/// The same, and nobody is waited for for long.
const HURRIED: &str = "  - name: silence
    match: {}
    deadlines: { firstToken: 1s, betweenTokens: 1s, total: 20s }
    breaker: { consecutive: 100, minCalls: 10000 }
    failover: { to: [second] }
";

const BREAKS: &str = "connection breaks, at every frame and within it";
const ENDS: &str = "stream ends early, at every frame and within it";
const TOOL_BREAKS: &str = "connection breaks within the call of a tool, at every frame";
const TOOL_ENDS: &str = "stream ends within the call of a tool, at every frame";
const GARBAGE: &str = "invalid JSON, at every frame";
const ERROR: &str = "error event, at every frame";
const SILENCE: &str =
    "silence, at every frame of Chat's and at the first, a middle and the last one of the others'";

/// How a tool is called, without white space.
const CALLED: &str = r#"weather{"place":"Kiel"}"#;

/// More than the events of any family's stream.
pub(super) const POSITIONS: usize = 15;

/// How a family of SDKs asks for a stream.
pub(super) struct Family {
    /// The calls: read plainly, and by a helper where there is one.
    pub(super) calls: &'static [&'static str],
    model: &'static str,
    path: &'static str,
    /// After how many events its streams fall silent.
    silent: &'static [usize],
}

/// Streams that are asked for, and where they die.
pub(super) struct Course {
    what: &'static str,
    rule: &'static str,
    /// Of a family's calls so many.
    calls: usize,
    at: fn(&Family) -> Vec<usize>,
    /// Whether a tool is offered, whose call is the answer.
    tool: bool,
}

impl Course {
    /// Every call, at every frame.
    pub(super) fn whole(what: &'static str) -> Course {
        Course { what, rule: RULE, calls: 2, at: |_| (0..POSITIONS).collect(), tool: false }
    }

    /// The same, of answers that call a tool.
    fn of_tools(what: &'static str) -> Course {
        Course { tool: true, ..Course::whole(what) }
    }

    fn calls(&self) -> Vec<(&'static Family, String)> {
        let named = |call: &str| match self.tool {
            true => call.replacen("_stream", "_tool_stream", 1),
            false => call.to_owned(),
        };
        let of = |family: &'static Family| {
            family.calls.iter().take(self.calls).map(move |call| (family, named(call)))
        };
        FAMILIES.iter().flat_map(of).collect()
    }

    fn is_right(&self, seen: &Seen) -> bool {
        match seen {
            Seen::Answer(text) if self.tool => text.split_whitespace().collect::<String>() == CALLED,
            seen => seen.is_right(),
        }
    }
}

pub(super) static FAMILIES: [Family; 4] = [
    Family {
        calls: &["chat_stream", "chat_stream_helper"],
        model: ASKED,
        path: "/v1/chat/completions",
        silent: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    },
    Family {
        calls: &["responses_stream", "responses_stream_helper"],
        model: ASKED,
        path: "/v1/responses",
        silent: &[0, 6, 12],
    },
    Family {
        calls: &["messages_stream", "messages_stream_helper"],
        model: "claude-sonnet-5-5",
        path: "/v1/messages",
        silent: &[0, 5, 10],
    },
    Family {
        calls: &["gemini_stream"],
        model: "gemini-3.5-flash",
        path: "/v1/models/gemini-3.5-flash:streamGenerateContent",
        silent: &[0, 3, 5],
    },
];

/// The n-th stream of a family dies at the n-th of its positions.
pub(super) fn dying(course: &Course, how: impl Fn(usize) -> Answer) -> Vec<Rule> {
    let (how, mut rules) = (&how, Vec::new());
    for family in &FAMILIES {
        let at = (course.at)(family);
        let streams = (0..family.calls.len().min(course.calls)).flat_map(|_| at.iter().copied());
        rules.extend(streams.enumerate().map(|(nth, at)| Rule {
            model: Some(family.model.to_owned()),
            path: Some(family.path.to_owned()),
            nth: Some(u64::try_from(nth + 1).expect("few calls")),
            answer: how(at),
            ..Rule::default()
        }));
    }
    rules
}

/// What an SDK raises: at an event that tells an error, at a break, at what it cannot read.
pub(super) fn raised(sdk: Sdk, call: &str) -> &'static [&'static str] {
    let is_helper = call.ends_with("helper");
    match (sdk, call.split('_').next()) {
        (Sdk::Python, Some("messages")) => &["APIStatusError", "RemoteProtocolError"],
        (Sdk::Python, Some("gemini")) => &["ServerError", "RemoteProtocolError", "UnknownApiResponseError"],
        (Sdk::Python, _) => &["APIError", "APIConnectionError", "JSONDecodeError"],
        (Sdk::Node, Some("messages")) if is_helper => &["APIError", "AnthropicError"],
        (Sdk::Node, Some("gemini")) => &["ApiError", "TypeError", "SyntaxError"],
        (Sdk::Node, _) if is_helper => &["APIError", "OpenAIError"],
        (Sdk::Node, _) => &["APIError", "TypeError", "SyntaxError"],
    }
}

/// Streams that die so.
fn die(course: &Course, how: impl Fn(usize) -> Answer + Sync) {
    let wrong = std::thread::scope(|scope| {
        let each = Sdk::ALL.map(|sdk| {
            scope.spawn({
                let how = &how;
                move || wrong_before(sdk, course, how)
            })
        });
        each.into_iter().flat_map(|each| each.join().expect("an SDK's calls")).collect::<Vec<_>>()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not as it should be of streams that die. What is seen of one that dies before its first event, and after its last.
fn wrong_before(sdk: Sdk, course: &Course, how: impl Fn(usize) -> Answer) -> Vec<String> {
    let what = course.what;
    let simulator = simulator(dying(course, how), Config::default());
    let folder = folder(&document(course.rule));
    let calls: Vec<String> = course
        .calls()
        .into_iter()
        .flat_map(|(family, call)| (course.at)(family).into_iter().map(move |_| call.clone()))
        .collect();
    let (seen, ended) = sdk.run(before(&simulator, folder.path()), &calls);
    keys_stayed_at_home(&simulator, &ADDRESSED, &[HOSTS[1]], what);
    let (mut wrong, mut seen) = (Vec::new(), seen.into_iter());
    for (family, call) in course.calls() {
        let series: Vec<Seen> = seen.by_ref().take((course.at)(family).len()).collect();
        let is_right = |seen: &Seen| course.is_right(seen);
        let honest = series.iter().all(|seen| match seen {
            Seen::Error { class, .. } => raised(sdk, &call).contains(&&**class),
            seen => is_right(seen),
        });
        // Some SDKs pass over what they do not know.
        let died = what == GARBAGE || !series.iter().all(is_right);
        // One that is cut behind its last word is whole: so the positions come as far as any stream does.
        let to_the_end = ![ENDS, TOOL_ENDS].contains(&what) || series.last().is_some_and(is_right);
        if !honest || !died || !to_the_end || !is_right(&series[0]) {
            wrong.push(format!("{what}, {sdk:?}, {call}: {series:?}"));
        }
    }
    if !wrong.is_empty() {
        wrong.push(ended.errors);
    }
    wrong
}

fn cut(at: usize, cut: Cut, cut_within: bool) -> Answer {
    Answer { cut_after: Some(at), cut, cut_within, ..right() }
}

/// The rows of the table that these stand for.
pub(super) fn rows() -> Vec<Row> {
    let names = [BREAKS, ENDS, TOOL_BREAKS, TOOL_ENDS, GARBAGE, ERROR, SILENCE];
    let seen = |name| {
        // Of Anthropic's SDKs, which pass over it.
        let more = if name == GARBAGE { " or a right answer" } else { "" };
        Row::of_stream(name, &format!("right answer before the first content, an error{more} after it"))
    };
    names.map(seen).into()
}

#[test]
fn a_stream_that_breaks_off_is_whole_or_an_error() {
    die(&Course::whole(BREAKS), |at| cut(at, Cut::Broken, false));
}

#[test]
fn a_stream_that_breaks_off_within_an_event_is_whole_or_an_error() {
    die(&Course::whole(BREAKS), |at| cut(at, Cut::Broken, true));
}

#[test]
fn a_call_of_a_tool_that_breaks_off_is_whole_or_an_error() {
    die(&Course::of_tools(TOOL_BREAKS), |at| cut(at, Cut::Broken, at.is_multiple_of(2)));
}

#[test]
fn a_call_of_a_tool_that_ends_without_its_end_is_whole_or_an_error() {
    die(&Course::of_tools(TOOL_ENDS), |at| cut(at, Cut::Clean, at.is_multiple_of(2)));
}

#[test]
fn a_stream_that_ends_without_its_end_is_whole_or_an_error() {
    die(&Course::whole(ENDS), |at| cut(at, Cut::Clean, false));
}

#[test]
fn a_stream_that_ends_within_an_event_is_whole_or_an_error() {
    die(&Course::whole(ENDS), |at| cut(at, Cut::Clean, true));
}

#[test]
fn a_frame_that_is_no_event_never_makes_an_answer_look_complete() {
    die(&Course::whole(GARBAGE), |at| Answer { garbage_after: Some(at), ..right() });
}

#[test]
fn an_error_in_mid_stream_is_an_error() {
    die(&Course::whole(ERROR), |at| Answer { error_after: Some(at), ..right() });
}

#[test]
fn a_stream_that_falls_silent_is_whole_or_an_error() {
    let course =
        Course { what: SILENCE, rule: HURRIED, calls: 1, at: |family| family.silent.to_vec(), tool: false };
    die(&course, |at| Answer { silent_after: Some(at), ..right() });
}
