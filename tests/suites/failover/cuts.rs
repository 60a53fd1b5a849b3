//! Streams that die: at every frame, in every way, before every family of SDKs, read plainly and by the SDKs' own helpers. Before
//! the first content the user notices nothing; after it the SDK raises; a truncated answer is never presented as a complete one.

use outrigger_simulator::{Answer, Config, Cut, Rule};

use super::table::Row;
use super::{ASKED, HOSTS, Sdk, Seen, TEXT, before, document, folder, keys_stayed_at_home, right, simulator};

/// Every call asks the primary once: nothing is tried again, and it is never left alone.
const RULE: &str = "  - name: cut
    match: {}
    breaker: { consecutive: 100, minCalls: 10000 }
    failover: { to: [second] }
";

const BREAKS: &str = "connection breaks, at every frame and within it";
const ENDS: &str = "stream ends early, at every frame and within it";
const GARBAGE: &str = "invalid JSON, at every frame";
const ERROR: &str = "error event, at every frame";

/// More than the events of any family's stream.
const POSITIONS: usize = 15;

/// How a family of SDKs asks for a stream.
struct Family {
    /// The calls: read plainly, and by a helper where there is one.
    calls: &'static [&'static str],
    model: &'static str,
    path: &'static str,
}

static FAMILIES: [Family; 4] = [
    Family { calls: &["chat_stream", "chat_stream_helper"], model: ASKED, path: "/v1/chat/completions" },
    Family { calls: &["responses_stream", "responses_stream_helper"], model: ASKED, path: "/v1/responses" },
    Family {
        calls: &["messages_stream", "messages_stream_helper"],
        model: "claude-sonnet-5-5",
        path: "/v1/messages",
    },
    Family {
        calls: &["gemini_stream"],
        model: "gemini-3.5-flash",
        path: "/v1/models/gemini-3.5-flash:streamGenerateContent",
    },
];

/// The n-th stream of every call dies after n events.
fn dying(how: impl Fn(usize) -> Answer) -> Vec<Rule> {
    let rule = |family: &Family, nth: usize| Rule {
        model: Some(family.model.to_owned()),
        path: Some(family.path.to_owned()),
        nth: Some(u64::try_from(nth + 1).expect("few calls")),
        answer: how(nth % POSITIONS),
        ..Rule::default()
    };
    let rule = &rule;
    let rules =
        |family: &'static Family| (0..POSITIONS * family.calls.len()).map(move |nth| rule(family, nth));
    FAMILIES.iter().flat_map(rules).collect()
}

/// What an SDK raises: at an event that tells an error, at a break, at what it cannot read.
fn raised(sdk: Sdk, call: &str) -> &'static [&'static str] {
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

/// Streams that die so. What is seen of one that dies before its first event, and after its last.
fn die(what: &str, how: impl Fn(usize) -> Answer) {
    let mut wrong = Vec::new();
    for sdk in Sdk::ALL {
        let simulator = simulator(dying(&how), Config::default());
        let folder = folder(&document(RULE));
        let names: Vec<&str> = FAMILIES.iter().flat_map(|family| family.calls).copied().collect();
        let calls: Vec<&str> = names.iter().flat_map(|name| [*name; POSITIONS]).collect();
        let (seen, ended) = sdk.run(before(&simulator, folder.path()), &calls);
        keys_stayed_at_home(&simulator, &[HOSTS[1]], what);
        for (name, series) in names.iter().zip(seen.chunks(POSITIONS)) {
            let honest = series.iter().all(|seen| match seen {
                Seen::Answer(text) => text == TEXT,
                Seen::Error { class, .. } => raised(sdk, name).contains(&&**class),
            });
            // Some SDKs pass over what they do not know.
            let died = what == GARBAGE || !series.iter().all(Seen::is_right);
            if !honest || !died || !series[0].is_right() {
                wrong.push(format!("{what}, {sdk:?}, {name}: {series:?}"));
            }
        }
        if !wrong.is_empty() {
            wrong.push(ended.errors);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn cut(at: usize, cut: Cut, cut_within: bool) -> Answer {
    Answer { cut_after: Some(at), cut, cut_within, ..right() }
}

/// The rows of the table that these stand for.
pub(super) fn rows() -> Vec<Row> {
    let names = [BREAKS, ENDS, GARBAGE, ERROR];
    let seen = |name| {
        // Of Anthropic's SDKs, which pass over it.
        let more = if name == GARBAGE { " or a right answer" } else { "" };
        Row::of_stream(name, &format!("right answer before the first content, an error{more} after it"))
    };
    names.map(seen).into()
}

#[test]
fn a_stream_that_breaks_off_is_whole_or_an_error() {
    die(BREAKS, |at| cut(at, Cut::Broken, false));
}

#[test]
fn a_stream_that_breaks_off_within_an_event_is_whole_or_an_error() {
    die(BREAKS, |at| cut(at, Cut::Broken, true));
}

#[test]
fn a_stream_that_ends_without_its_end_is_whole_or_an_error() {
    die(ENDS, |at| cut(at, Cut::Clean, false));
}

#[test]
fn a_stream_that_ends_within_an_event_is_whole_or_an_error() {
    die(ENDS, |at| cut(at, Cut::Clean, true));
}

#[test]
fn a_frame_that_is_no_event_never_makes_an_answer_look_complete() {
    die(GARBAGE, |at| Answer { garbage_after: Some(at), ..right() });
}

#[test]
fn an_error_in_mid_stream_is_an_error() {
    die(ERROR, |at| Answer { error_after: Some(at), ..right() });
}
