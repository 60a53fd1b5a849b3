//! The catalogue: what a provider, or the way to it, does; and what the user sees of it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use outrigger_simulator::{Answer, Certificate, Config, ErrorKind, Rule, Simulator};
use outrigger_tests::process::Exec;

use super::table::Row;
use super::{
    ANTHROPIC, CALLS, HOSTS, Sdk, Seen, asked, before, document, error, exec, folder, keys_stayed_at_home,
    page, primary, primary_at, refusal, right, simulator,
};

const RULE: &str = "  - name: storm
    match: { provider: openai }
    deadlines: { connect: 2s, responseHead: 3s, firstToken: 3s, betweenTokens: 2s, total: 20s }
    retry: { attempts: 2, backoff: { initial: 10ms } }
    failover: { to: [second] }
";

/// For those who keep silent: nobody wants to wait for them for long.
const HURRIED: &str = "  - name: storm
    match: { provider: openai }
    deadlines: { connect: 1s, responseHead: 1s, firstToken: 1s, betweenTokens: 1s, total: 20s }
    retry: { attempts: 2, backoff: { initial: 10ms } }
    failover: { to: [second] }
";

/// A backup of another format.
const CLAUDE: &str = "  - name: storm
    match: { provider: openai }
    failover: { to: [claude], maxPrice: 100x }
";

/// Two backups.
const TWO: &str = "  - name: storm
    match: { provider: openai }
    failover: { to: [second, claude], maxPrice: 100x }
";

/// No backup, and of the SDK's calls few are tried again.
const RETRIED: &str = "  - name: storm
    match: { provider: openai }
    retry: { attempts: 2, backoff: { initial: 10ms, max: 10ms } }
";

/// A wrong key moves calls too.
const MOVES_WRONG_KEYS: &str = "  - name: storm
    match: { provider: openai }
    failover: { to: [second], when: [authentication, server_error] }
";

/// A prompt that is too long goes to a larger window.
const MOVES_LONG_PROMPTS: &str = "  - name: storm
    match: { provider: openai }
    failover: { to: [second], when: [context_length, server_error] }
";

/// How many scenes are played at a time: their programs are busy with starting.
const AT_A_TIME: usize = 4;

/// What the user sees, of an answer in one piece and of a stream.
#[derive(Clone, Copy)]
enum Sees {
    /// A complete right answer.
    Answer,
    /// An error of this class, with this status.
    Error(&'static str, u64),
    /// A right answer in one piece; of a stream an error of this class, without a status where it had its beginning already.
    AnswerOr(&'static str, Option<u64>),
}

/// What stands where the app's calls go.
#[derive(Clone, Copy)]
enum Primary {
    /// The simulator.
    There,
    /// Nothing: its name cannot be resolved.
    Nameless,
    /// Nobody accepts.
    Away,
    /// Somebody with this certificate.
    Showing(Certificate),
}

struct Scene {
    name: &'static str,
    rule: &'static str,
    primary: Primary,
    script: Vec<Rule>,
    /// What its requests have beside the question, JSON.
    arguments: &'static str,
    /// How often both questions are asked.
    times: usize,
    sees: Sees,
    /// How often the primary and the backup are asked for all of it, where that is the point.
    asked: Option<[usize; 2]>,
}

fn scene(name: &'static str, script: impl IntoIterator<Item = Rule>, sees: Sees) -> Scene {
    Scene {
        name,
        rule: RULE,
        primary: Primary::There,
        script: script.into_iter().collect(),
        arguments: "{}",
        times: 1,
        sees,
        asked: None,
    }
}

impl Scene {
    fn asking(self, primary: usize, backup: usize) -> Scene {
        Scene { asked: Some([primary, backup]), ..self }
    }

    fn under(self, rule: &'static str) -> Scene {
        Scene { rule, ..self }
    }

    /// Where its backup is.
    fn backup(&self) -> &'static str {
        if self.rule == CLAUDE { ANTHROPIC } else { HOSTS[1] }
    }
}

fn streams(answer: Answer) -> [Rule; 1] {
    [Rule { stream: Some(true), ..primary(answer) }]
}

/// Half of the first hundred requests, at random; the same half every time (xorshift).
fn half_at_random() -> Vec<Rule> {
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut toss = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.is_multiple_of(2)
    };
    let failing = (1..=100).filter(|_| toss());
    failing.flat_map(|nth| primary_at(nth, &error(ErrorKind::ServerError))).collect()
}

fn both(answer: Answer) -> [Rule; 1] {
    [Rule { answer, ..Rule::default() }]
}

fn scenes() -> Vec<Scene> {
    use ErrorKind::{
        Authentication, ContextLength, InvalidRequest, Overloaded, Permission, Quota, RateLimit, ServerError,
    };
    use Sees::{Answer as Right, AnswerOr, Error};

    let hurried = [("retry-after".to_owned(), "1".to_owned())].into();
    let late = [("retry-after".to_owned(), "120".to_owned())].into();
    let backup = |kind| Rule { model: Some("gpt-4.1".to_owned()), answer: error(kind), ..Rule::default() };
    let limited = Answer { error_after: Some(0), ..error(RateLimit) };
    let showing = |name, certificate| Scene {
        primary: Primary::Showing(certificate),
        ..scene(name, [], Right).asking(0, 2)
    };
    vec![
        // The longest first.
        scene("silence", [primary(Answer { delay_ms: 60_000, ..right() })], Right).under(HURRIED),
        scene("first token late", streams(Answer { silent_after: Some(1), ..right() }), Right).under(HURRIED),
        scene(
            "stall in mid-stream",
            streams(Answer { silent_after: Some(5), ..right() }),
            AnswerOr("APIError", None),
        )
        .under(HURRIED),
        scene("both slow", both(Answer { delay_ms: 400, pace_ms: 50, ..right() }), Right).asking(2, 0),
        Scene { times: 10, ..scene("half of the requests fail at random", half_at_random(), Right) },
        scene("fair weather", [], Right).asking(2, 0),
        scene(
            "one 429 with Retry-After",
            primary_at(1, &Answer { headers: hurried, ..error(RateLimit) }),
            Right,
        )
        .asking(4, 0),
        scene("429 for ever", [primary(error(RateLimit))], Right),
        scene(
            "429 that asks for two minutes",
            [primary(Answer { headers: late, ..error(RateLimit) })],
            Right,
        )
        .asking(2, 2),
        scene("one 500", primary_at(1, &error(ServerError)), Right).asking(4, 0),
        scene("500 for ever", [primary(error(ServerError))], Right),
        scene("503 for ever", [primary(error(Overloaded))], Right),
        scene("529", [primary(Answer { status: Some(529), ..error(Overloaded) })], Right),
        scene("quota used up", [primary(error(Quota))], Right).asking(2, 2),
        scene("reset before the head", [primary(Answer { reset: true, ..right() })], Right),
        scene("reset before the head, once", primary_at(1, &Answer { reset: true, ..right() }), Right)
            .asking(4, 0),
        scene(
            "invalid JSON in the first frame",
            streams(Answer { garbage_after: Some(0), ..right() }),
            Right,
        ),
        scene(
            "no terminator",
            streams(Answer { cut_after: Some(5), cut: outrigger_simulator::Cut::Clean, ..right() }),
            AnswerOr("APIError", None),
        ),
        scene(
            "200 with an error as the first event",
            streams(Answer { error_after: Some(0), ..error(ServerError) }),
            Right,
        ),
        scene(
            "200 with an error as a later event",
            streams(Answer { error_after: Some(4), ..error(ServerError) }),
            AnswerOr("APIError", None),
        ),
        scene("HTML page of a CDN, 502", [primary(page(502))], Right),
        scene("HTML page of a CDN, 200", [primary(page(200))], Right),
        scene("context overflow", [primary(error(ContextLength))], Error("BadRequestError", 400))
            .asking(2, 0),
        scene("context overflow, moved to a larger window", [primary(error(ContextLength))], Right)
            .under(MOVES_LONG_PROMPTS)
            .asking(2, 2),
        scene("content refused", [primary(refusal())], Error("BadRequestError", 400)).asking(2, 0),
        scene("invalid request", [primary(error(InvalidRequest))], Error("BadRequestError", 400))
            .asking(2, 0),
        scene("wrong key", [primary(error(Authentication))], Error("AuthenticationError", 401)).asking(2, 0),
        scene("wrong key, moved by a rule", [primary(error(Authentication))], Right)
            .under(MOVES_WRONG_KEYS)
            .asking(2, 2),
        scene("key without the right", [primary(error(Permission))], Error("PermissionDeniedError", 403))
            .asking(2, 0),
        scene("backup down too", both(error(ServerError)), Error("InternalServerError", 500)),
        scene("429 everywhere", both(error(RateLimit)), Error("RateLimitError", 429)),
        scene(
            "backup's key wrong",
            [primary(error(ServerError)), backup(Authentication)],
            Error("InternalServerError", 500),
        ),
        scene(
            "backup refuses the request",
            [primary(error(Overloaded)), backup(InvalidRequest)],
            Error("InternalServerError", 503),
        ),
        scene("backup of another format", [primary(error(ServerError))], Right).under(CLAUDE),
        Scene {
            arguments: r#"{"logprobs": true}"#,
            ..scene(
                "backup cannot do what is asked",
                [primary(error(ServerError))],
                Error("InternalServerError", 500),
            )
            .under(CLAUDE)
            // Its SDK would try again twice.
            .asking(2, 0)
        },
        // Three retries in any case; what they are used up for is asked once.
        Scene {
            times: 3,
            ..scene("retries used up", [primary(error(Overloaded))], Error("InternalServerError", 503))
                .under(RETRIED)
                .asking(9, 0)
        },
        scene(
            "200 with a rate limit as the first event, everywhere",
            [Rule { stream: Some(true), answer: limited, ..Rule::default() }],
            AnswerOr("RateLimitError", Some(429)),
        )
        .asking(3, 2),
        scene(
            "backup refuses the content, another one is there",
            [primary(error(ServerError)), Rule { answer: refusal(), ..backup(ServerError) }],
            Error("InternalServerError", 500),
        )
        .under(TWO)
        .asking(2, 2),
        Scene { primary: Primary::Nameless, ..scene("DNS fails", [], Right).asking(0, 2) },
        Scene { primary: Primary::Away, ..scene("connections refused", [], Right).asking(0, 2) },
        showing("TLS fails: certificate of another name", Certificate::WrongName),
        showing("TLS fails: certificate expired", Certificate::Expired),
    ]
}

/// The rows of the table that this catalogue stands for.
pub(super) fn rows() -> Vec<Row> {
    let scenes = scenes().into_iter().map(|scene| {
        let right = "right answer".to_owned();
        let (whole, stream) = match scene.sees {
            Sees::Answer => (right.clone(), right),
            Sees::Error(class, status) => (format!("`{class}` {status}"), format!("`{class}` {status}")),
            Sees::AnswerOr(class, None) => (right, format!("`{class}`")),
            Sees::AnswerOr(class, Some(status)) => (right, format!("`{class}` {status}")),
        };
        Row { name: scene.name.to_owned(), whole, stream }
    });
    scenes.collect()
}

impl Scene {
    /// `exec` before what stands in this scene, with what must be kept for that.
    fn exec(&self, simulator: &Simulator, folder: &std::path::Path) -> (Exec, Option<Simulator>) {
        let others = |ca_pem: &str| {
            let exec = exec(ca_pem, folder);
            exec.upstream(HOSTS[1], simulator.address()).upstream(ANTHROPIC, simulator.address())
        };
        let trusted = simulator.ca_pem();
        match self.primary {
            Primary::There => (before(simulator, folder), None),
            // Nobody resolves the proxy that leads there; what has an address needs none.
            Primary::Nameless => (others(trusted).variable("HTTPS_PROXY", "http://proxy.invalid:3128"), None),
            Primary::Away => {
                (others(trusted).upstream(HOSTS[0], outrigger_tests::http::free_address()), None)
            }
            Primary::Showing(certificate) => {
                let authority = Some("Authority of the showing".to_owned());
                let shown = super::simulator([], Config { certificate, authority, ..Config::default() });
                // Its authority is trusted: what is wrong is the certificate alone.
                let exec = others(&format!("{trusted}{}", shown.ca_pem()));
                (exec.upstream(HOSTS[0], shown.address()), Some(shown))
            }
        }
    }

    /// What is not as it should be.
    fn play(&self, sdk: Sdk) -> Option<String> {
        let simulator = simulator(self.script.iter().cloned(), Config::default());
        let folder = folder(&document(self.rule));
        let (exec, impostor) = self.exec(&simulator, folder.path());
        // As SDKs are by themselves: they try again twice.
        let exec = exec.variable("TEST_RETRIES", "2").variable("TEST_ARGUMENTS", self.arguments);
        let calls = CALLS.repeat(self.times);
        let (seen, ended) = sdk.run(exec, &calls);
        keys_stayed_at_home(&simulator, &[HOSTS[0]], &[self.backup()], self.name);
        let said = impostor.map_or(0, |impostor| impostor.bytes_received());
        let asked = [asked(&simulator, HOSTS[0]), asked(&simulator, self.backup())];
        let wrong = if !seen.iter().enumerate().all(|(at, seen)| self.is_seen(at, seen)) {
            format!("{seen:?}")
        } else if self.asked.is_some_and(|expected| expected != asked) {
            format!("asked {asked:?} times")
        } else if said > 0 {
            "something was said to an impostor".to_owned()
        } else {
            return None;
        };
        Some(format!("{}, {sdk:?}: {wrong}\n{}", self.name, ended.errors))
    }

    fn is_seen(&self, at: usize, seen: &Seen) -> bool {
        let error = |class: &str, status| *seen == Seen::Error { class: class.to_owned(), status };
        match self.sees {
            Sees::Answer => seen.is_right(),
            Sees::AnswerOr(..) if at.is_multiple_of(2) => seen.is_right(),
            Sees::AnswerOr(class, status) => error(class, status),
            Sees::Error(class, status) => error(class, Some(status)),
        }
    }
}

#[test]
fn the_user_sees_a_complete_right_answer_or_an_honest_error() {
    let scenes = scenes();
    let parts: Vec<(&Scene, Sdk)> =
        scenes.iter().flat_map(|scene| Sdk::ALL.map(|sdk| (scene, sdk))).collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Relaxed);
                    let Some((scene, sdk)) = parts.get(at) else { return };
                    if let Some(found) = scene.play(*sdk) {
                        wrong.lock().expect("no other failed").insert(at, found);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("none failed");
    let told: Vec<&str> = wrong.values().map(String::as_str).collect();
    assert!(told.is_empty(), "{} of {}:\n{}", told.len(), parts.len(), told.join("\n\n"));
}
