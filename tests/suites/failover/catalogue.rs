//! The catalogue: what a provider, or the way to it, does; and what the user sees of it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use outrigger_simulator::{Answer, Certificate, Config, ErrorKind, Rule};

use super::{
    CALLS, HOSTS, Sdk, Seen, before, document, exec, folder, keys_stayed_at_home, primary, primary_at, right,
    simulator,
};

const RULE: &str = "  - name: storm
    match: { provider: openai }
    deadlines: { connect: 2s, responseHead: 2s, firstToken: 3s, betweenTokens: 2s, total: 30s }
    retry: { attempts: 2, backoff: { initial: 10ms } }
    failover: { to: [second] }
";

/// The same, but a wrong key moves calls too.
const MOVES_WRONG_KEYS: &str = "  - name: storm
    match: { provider: openai }
    failover: { to: [second], when: [authentication, server_error] }
";

/// How many scenes are played at a time: their programs are busy with starting.
const AT_A_TIME: usize = 4;

/// What the user sees, of an answer in one piece and of a stream.
#[derive(Clone, Copy)]
enum Sees {
    /// A complete right answer.
    Answer,
    /// An error of this class, with this status.
    Error(&'static str, Option<u64>),
    /// A right answer in one piece; of a stream, whose beginning it had already, an error of this class.
    AnswerOrCut(&'static str),
}

struct Scene {
    name: &'static str,
    rule: &'static str,
    script: Vec<Rule>,
    sees: Sees,
    /// How often the primary is asked for both calls, where that is the point.
    primary_asked: Option<usize>,
}

fn scene(name: &'static str, script: impl IntoIterator<Item = Rule>, sees: Sees) -> Scene {
    Scene { name, rule: RULE, script: script.into_iter().collect(), sees, primary_asked: None }
}

fn error(kind: ErrorKind) -> Answer {
    Answer { error: Some(kind), ..right() }
}

fn page(status: u16) -> Answer {
    let raw_body = Some("<html><body><h1>Bad gateway</h1>cloud front end</body></html>".to_owned());
    Answer { status: Some(status), raw_body, ..Answer::default() }
}

fn scenes() -> Vec<Scene> {
    let asked_again = |nth: &Answer| primary_at(1, nth);
    let hurried = [("retry-after".to_owned(), "1".to_owned())].into();
    let refused = r#"{"error":{"message":"The content was refused.","type":"invalid_request_error","param":null,"code":"content_policy_violation"}}"#;
    let refused = Answer {
        status: Some(400),
        raw_body: Some(refused.to_owned()),
        content_type: Some("application/json".to_owned()),
        ..Answer::default()
    };
    let both = |answer: Answer| vec![Rule { answer, ..Rule::default() }];
    let twice = |scene: Scene| Scene { primary_asked: Some(2), ..scene };
    vec![
        scene("fair weather", [], Sees::Answer),
        scene(
            "one 429 with Retry-After",
            asked_again(&Answer { headers: hurried, ..error(ErrorKind::RateLimit) }),
            Sees::Answer,
        ),
        scene("429 for ever", [primary(error(ErrorKind::RateLimit))], Sees::Answer),
        scene("one 500", asked_again(&error(ErrorKind::ServerError)), Sees::Answer),
        scene("500 for ever", [primary(error(ErrorKind::ServerError))], Sees::Answer),
        scene("503 for ever", [primary(error(ErrorKind::Overloaded))], Sees::Answer),
        scene("529", [primary(Answer { status: Some(529), ..error(ErrorKind::Overloaded) })], Sees::Answer),
        scene("reset before the head", [primary(Answer { reset: true, ..right() })], Sees::Answer),
        scene("silence", [primary(Answer { delay_ms: 60_000, ..right() })], Sees::Answer),
        scene(
            "first token late",
            [Rule { stream: Some(true), ..primary(Answer { gated: true, ..right() }) }],
            Sees::Answer,
        ),
        scene(
            "stalled in mid-stream",
            [Rule { stream: Some(true), ..primary(Answer { pace_ms: 20_000, ..right() }) }],
            Sees::Answer,
        ),
        scene(
            "an error as the first event",
            [Rule {
                stream: Some(true),
                ..primary(Answer { error_after: Some(0), ..error(ErrorKind::ServerError) })
            }],
            Sees::Answer,
        ),
        scene(
            "an error as a later event",
            [Rule {
                stream: Some(true),
                ..primary(Answer { error_after: Some(4), ..error(ErrorKind::ServerError) })
            }],
            Sees::AnswerOrCut("APIError"),
        ),
        scene("a page of the CDN, 502", [primary(page(502))], Sees::Answer),
        twice(scene(
            "context overflow",
            [primary(error(ErrorKind::ContextLength))],
            Sees::Error("BadRequestError", Some(400)),
        )),
        twice(scene("content refused", [primary(refused)], Sees::Error("BadRequestError", Some(400)))),
        twice(scene(
            "invalid request",
            [primary(error(ErrorKind::InvalidRequest))],
            Sees::Error("BadRequestError", Some(400)),
        )),
        twice(scene(
            "wrong key",
            [primary(error(ErrorKind::Authentication))],
            Sees::Error("AuthenticationError", Some(401)),
        )),
        Scene {
            rule: MOVES_WRONG_KEYS,
            ..scene("wrong key, moved by a rule", [primary(error(ErrorKind::Authentication))], Sees::Answer)
        },
        scene(
            "backup down too",
            both(error(ErrorKind::ServerError)),
            Sees::Error("InternalServerError", Some(500)),
        ),
        scene("429 everywhere", both(error(ErrorKind::RateLimit)), Sees::Error("RateLimitError", Some(429))),
        scene(
            "every second request fails",
            [Rule { every: Some(2), ..primary(error(ErrorKind::ServerError)) }],
            Sees::Answer,
        ),
        scene("both slow", both(Answer { delay_ms: 300, pace_ms: 50, ..right() }), Sees::Answer),
    ]
}

/// What of a scene is not as it should be.
fn judge(scene: &Scene, sdk: Sdk, seen: &[Seen]) -> Option<String> {
    let error = |class: &str, status: Option<u64>| Seen::Error { class: class.to_owned(), status };
    let as_expected = |(at, seen): (usize, &Seen)| match scene.sees {
        Sees::Answer => seen.is_right(),
        Sees::AnswerOrCut(_) if at == 0 => seen.is_right(),
        Sees::AnswerOrCut(class) => *seen == error(class, None),
        Sees::Error(class, status) => *seen == error(class, status),
    };
    let wrong = !seen.iter().enumerate().all(as_expected);
    wrong.then(|| format!("{}, {sdk:?}: {seen:?}", scene.name))
}

fn play(scene: &Scene, sdk: Sdk) -> Option<String> {
    let simulator = simulator(scene.script.iter().cloned(), Config::default());
    let folder = folder(&document(scene.rule));
    let (seen, ended) = sdk.run(before(&simulator, folder.path()), &CALLS);
    keys_stayed_at_home(&simulator, scene.name);
    let asked = simulator.received().iter().filter(|one| one.authority == HOSTS[0]).count();
    let wrong = judge(scene, sdk, &seen).or_else(|| {
        scene
            .primary_asked
            .filter(|most| asked != *most)
            .map(|_| format!("{}: asked {asked} times", scene.name))
    });
    wrong.map(|wrong| format!("{wrong}\n{}", ended.errors))
}

#[test]
fn the_user_sees_a_complete_right_answer_or_an_honest_error() {
    let scenes = scenes();
    let parts: Vec<(&Scene, Sdk)> =
        scenes.iter().flat_map(|scene| Sdk::ALL.map(|sdk| (scene, sdk))).collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some((scene, sdk)) = parts.get(next.fetch_add(1, Relaxed)) {
                    let found = play(scene, *sdk);
                    wrong.lock().expect("no test fails while it holds this").extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no test failed while it held this");
    assert!(wrong.is_empty(), "{} of {} scenes:\n{}", wrong.len(), parts.len(), wrong.join("\n\n"));
}

#[test]
fn a_name_that_nobody_knows_and_a_certificate_for_another_name_are_moved() {
    let second = simulator([], Config::default());
    let folder = folder(&document(RULE));
    // No address is given for the primary: its name leads nowhere here.
    let nameless = exec(second.ca_pem(), folder.path()).upstream(HOSTS[1], second.address());
    let (seen, ended) = Sdk::Python.run(nameless, &CALLS);
    assert!(seen.iter().all(Seen::is_right), "{seen:?}\n{}", ended.errors);

    let impostor = simulator([], Config { certificate: Certificate::WrongName, ..Config::default() });
    let exec = exec(second.ca_pem(), folder.path())
        .upstream(HOSTS[0], impostor.address())
        .upstream(HOSTS[1], second.address());
    let (seen, ended) = Sdk::Python.run(exec, &CALLS);
    assert!(seen.iter().all(Seen::is_right), "{seen:?}\n{}", ended.errors);
    assert_eq!(impostor.bytes_received(), 0, "something was said to an impostor");
}
