//! The weather of the catalogue before the other families of SDKs: what their providers answer in the place of an answer, and what the
//! user sees of it. One program per SDK and family meets all of it, call after call; SDKs try again by themselves, as they do.

use outrigger_simulator::{Answer, Config, ErrorKind, Refused, Rule};

use super::table::Row;
use super::{
    ANTHROPIC, ASKED, GEMINI, HOSTS, Sdk, Seen, TEXT, asked, before, document, error, folder,
    keys_stayed_at_home, page, refusal, right, simulator,
};

/// Every call asks its primary once.
const RULE: &str = "  - name: storm
    match: {}
    breaker: { consecutive: 100, minCalls: 10000 }
    failover: { to: [second] }
";

/// Who is asked so, beside Chat.
const NAMES: &str = "Responses, Messages, Gemini";

/// Who refuses under 200.
const REFUSING: &str = "Messages, Gemini";

struct Weather {
    name: &'static str,
    primary: Answer,
    /// What the backup answers, if it is no right answer.
    backup: Option<Answer>,
    /// Whether the backup is asked.
    moves: bool,
    /// What the user's error tells; `None`: a complete right answer is seen, or a refusal.
    error: Option<ErrorKind>,
    /// Whether answers in one piece are right.
    streams_only: bool,
}

fn moved(name: &'static str, primary: Answer) -> Weather {
    Weather { name, primary, backup: None, moves: true, error: None, streams_only: false }
}

/// The content is refused under status 200. It is the app's to know: nobody else is asked for it, and nobody again.
fn refused(name: &'static str, refused: Refused) -> Weather {
    let primary = Answer { refused: Some(refused), ..right() };
    Weather { moves: false, ..moved(name, primary) }
}

fn told(name: &'static str, kind: ErrorKind) -> Weather {
    Weather { moves: false, error: Some(kind), ..moved(name, error(kind)) }
}

fn down(name: &'static str, kind: ErrorKind, backup: Answer) -> Weather {
    Weather { backup: Some(backup), error: Some(kind), ..moved(name, error(kind)) }
}

fn weathers(api: &str) -> Vec<Weather> {
    use ErrorKind::{
        Authentication, ContextLength, InvalidRequest, Overloaded, Permission, Quota, RateLimit, ServerError,
    };

    let first_event = |kind| Answer { error_after: Some(0), ..error(kind) };
    let limited = Weather {
        streams_only: true,
        primary: first_event(RateLimit),
        ..down("200 with a rate limit as the first event, everywhere", RateLimit, first_event(RateLimit))
    };
    let mut all = vec![
        moved("429 for ever", error(RateLimit)),
        moved("overloaded", error(Overloaded)),
        moved("500 for ever", error(ServerError)),
        moved("quota used up", error(Quota)),
        moved("reset before the head", Answer { reset: true, ..right() }),
        moved("HTML page of a CDN, 502", page(502)),
        moved("HTML page of a CDN, 200", page(200)),
        Weather {
            streams_only: true,
            ..moved("200 with an error as the first event", first_event(ServerError))
        },
        told("context overflow", ContextLength),
        told("invalid request", InvalidRequest),
        told("wrong key", Authentication),
        told("key without the right", Permission),
        down("backup down too", ServerError, error(ServerError)),
        down("429 everywhere", RateLimit, error(RateLimit)),
        down("overloaded everywhere", Overloaded, error(Overloaded)),
        down("backup refuses the content", ServerError, refusal()),
        limited,
    ];
    if api != "responses" {
        all.push(refused("200 with a refusal of the prompt", Refused::Prompt));
        all.push(refused("200 with a refusal in mid-answer", Refused::Answer));
    }
    all
}

/// The status with which a family's providers tell a class.
fn status(api: &str, kind: ErrorKind) -> u64 {
    match kind {
        ErrorKind::RateLimit | ErrorKind::Quota => 429,
        ErrorKind::Overloaded if api == "messages" => 529,
        ErrorKind::Overloaded => 503,
        ErrorKind::ServerError => 500,
        ErrorKind::Authentication if api != "gemini" => 401,
        ErrorKind::Permission => 403,
        _ => 400,
    }
}

/// What an SDK raises at a status.
fn raised(sdk: Sdk, api: &str, status: u64) -> &'static str {
    match (sdk, api, status) {
        (Sdk::Python, "gemini", 400..500) => "ClientError",
        (Sdk::Python, "gemini", _) => "ServerError",
        (Sdk::Node, "gemini", _) => "ApiError",
        (_, "messages", 529) => "OverloadedError",
        (_, _, 400) => "BadRequestError",
        (_, _, 401) => "AuthenticationError",
        (_, _, 403) => "PermissionDeniedError",
        (_, _, 429) => "RateLimitError",
        _ => "InternalServerError",
    }
}

impl Weather {
    fn is_met(&self, stream: bool) -> bool {
        stream || !self.streams_only
    }

    /// What of it is seen.
    fn told(&self, api: &str, stream: bool) -> Option<u64> {
        self.error.filter(|_| self.is_met(stream)).map(|kind| status(api, kind))
    }

    fn is_seen(&self, sdk: Sdk, api: &str, stream: bool, seen: &Seen) -> bool {
        if let Some(refused) = self.primary.refused {
            let (text, word) = match (refused, api) {
                (Refused::Prompt, "gemini") => ("", "PROHIBITED_CONTENT"),
                (Refused::Answer, "gemini") => (TEXT, "SAFETY"),
                (Refused::Prompt, _) => ("", "refusal"),
                (Refused::Answer, _) => (TEXT, "refusal"),
            };
            return *seen == Seen::Part { text: text.to_owned(), finish: Some(word.to_owned()) };
        }
        match self.told(api, stream) {
            None => seen.is_right(),
            Some(status) => {
                let class = raised(sdk, api, status).to_owned();
                *seen == Seen::Error { class, status: Some(status) }
            }
        }
    }
}

/// Every weather once for answers in one piece and once for streams, at the primary and, where it comes so far, at the backup.
fn script(model: &str, weathers: &[Weather]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for stream in [false, true] {
        let mut moved = 0;
        let rule = |model: &str, nth: u64, answer: &Answer| Rule {
            model: Some(model.to_owned()),
            stream: Some(stream),
            nth: Some(nth),
            answer: answer.clone(),
            ..Rule::default()
        };
        for (weather, nth) in weathers.iter().zip(1..).filter(|(weather, _)| weather.is_met(stream)) {
            rules.push(rule(model, nth, &weather.primary));
            moved += u64::from(weather.moves);
            rules.extend(weather.backup.iter().map(|backup| rule("gpt-4.1", moved, backup)));
        }
    }
    rules
}

/// What is not as it should be before one family's provider.
fn wrong_before(sdk: Sdk, api: &str, model: &str, host: &str) -> Vec<String> {
    let weathers = weathers(api);
    let simulator = simulator(script(model, &weathers), Config::default());
    let folder = folder(&document(RULE));
    let streamed = format!("{api}_stream");
    let both = [api, &streamed];
    let exec = before(&simulator, folder.path()).variable("TEST_RETRIES", "2");
    let (seen, ended) = sdk.run(exec, &both.repeat(weathers.len()));
    keys_stayed_at_home(&simulator, &[host], &[HOSTS[1]], api);
    let mut wrong = Vec::new();
    for (weather, seen) in weathers.iter().zip(seen.chunks(2)) {
        let is_right = |at: usize| weather.is_seen(sdk, api, at == 1, &seen[at]);
        if !is_right(0) || !is_right(1) {
            wrong.push(format!("{}, {api}, {sdk:?}: {seen:?}", weather.name));
        }
    }
    let calls = |counts: fn(&Weather) -> bool| {
        let met = |stream| move |weather: &&Weather| weather.is_met(stream) && counts(weather);
        [false, true].map(|stream| weathers.iter().filter(met(stream)).count()).into_iter().sum::<usize>()
    };
    let expected = [2 * weathers.len(), calls(|weather| weather.moves)];
    let asked = [host, HOSTS[1]].map(|host| asked(&simulator, host));
    if asked != expected {
        wrong.push(format!("{api}, {sdk:?}: asked {asked:?} and not {expected:?} times"));
    }
    if !wrong.is_empty() {
        wrong.push(ended.errors);
    }
    wrong
}

#[test]
fn the_user_of_every_family_sees_a_complete_right_answer_or_an_honest_error() {
    let families = [
        ("responses", ASKED, HOSTS[0]),
        ("messages", "claude-sonnet-5-5", ANTHROPIC),
        ("gemini", "gemini-3.5-flash", GEMINI),
    ];
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let each = Sdk::ALL.map(|sdk| {
            scope.spawn(move || {
                let all = families.into_iter();
                all.flat_map(|(api, model, host)| wrong_before(sdk, api, model, host)).collect::<Vec<_>>()
            })
        });
        each.into_iter().flat_map(|each| each.join().expect("an SDK's calls")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The rows of the table that these stand for.
pub(super) fn rows() -> Vec<Row> {
    let row = |weather: &Weather| {
        let names = if weather.primary.refused.is_some() { REFUSING } else { NAMES };
        let seen = |stream| {
            if weather.primary.refused.is_some() {
                return "the refusal, in the provider's word".to_owned();
            }
            let Some(status) = weather.told("responses", stream) else { return "right answer".to_owned() };
            let other = |(name, api)| {
                let other = weather.told(api, stream).filter(|other| *other != status)?;
                Some(format!(" ({name}: {other})"))
            };
            let others = [("Messages", "messages"), ("Gemini", "gemini")].into_iter().filter_map(other);
            format!("an error, {status}{}", others.collect::<String>())
        };
        Row { name: format!("{names}: {}", weather.name), whole: seen(false), stream: seen(true) }
    };
    weathers("messages").iter().map(row).collect()
}
