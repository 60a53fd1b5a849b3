//! Suite `failover`: unmodified programs with the official SDKs, rules that act, and every kind of bad weather. Of each call it
//! says what the user saw: a complete right answer, or an honest error of the class that the SDK raises. Nothing between.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test may end at the first surprise; the lints spare test functions but not their helpers"
)]

mod catalogue;
mod continued;
mod cuts;
mod formats;
mod outage;
mod reload;
mod sockets;
mod statuses;
mod table;

use std::path::Path;

use outrigger_simulator::{Answer, Config, ErrorKind, Received, Rule, Script, Simulator};
use outrigger_tests::process::{Ended, Exec};
use outrigger_tests::{file, setting};
use serde_json::Value;

/// The app's key.
const KEY: &str = "sk-harbour-0123456789-abcdWXYZ";

/// The backups'.
const BACKUPS_KEY: &str = "sk-lee-shore-555666777888-mnopQRST";

/// What whoever is well answers.
const TEXT: &str = "The tide turns at nine.";

/// No call takes longer, whatever becomes of it; seconds.
const BOUND: f64 = 30.0;

/// The model that the app asks OpenAI for. The backup's is another, so that a script can tell the two apart.
const ASKED: &str = "gpt-5-mini";

/// Where the app's chats go, and the backup `second`.
const HOSTS: [&str; 2] = ["api.openai.com", "eu.api.openai.com"];

/// Where messages go, and the backup `claude`.
const ANTHROPIC: &str = "api.anthropic.com";

const GEMINI: &str = "generativelanguage.googleapis.com";

/// All that apps address.
const ADDRESSED: [&str; 3] = [HOSTS[0], ANTHROPIC, GEMINI];

/// The same question twice: answered in one piece, and in a stream.
const CALLS: [&str; 2] = ["chat", "chat_stream"];

/// A document with these rules and two backups: `second` speaks the format of the app's chats, `claude` another one.
fn document(rules: &str) -> String {
    format!(
        "version: 1\nmode: act\nbackups:\n  \
         second: {{ provider: openai, host: {}, model: gpt-4.1, credential: {{ file: backups }} }}\n  \
         claude: {{ provider: anthropic, model: claude-sonnet-5-5, credential: {{ file: backups }} }}\n\
         rules:\n{rules}",
        HOSTS[1]
    )
}

/// An answer with the right text.
fn right() -> Answer {
    Answer { text: Some(TEXT.to_owned()), ..Answer::default() }
}

/// An error of this kind.
fn error(kind: ErrorKind) -> Answer {
    Answer { error: Some(kind), ..right() }
}

/// What a front end answers in the place of a provider.
fn page(status: u16) -> Answer {
    let raw_body = Some("<html><body><h1>Bad gateway</h1>cloud front end</body></html>".to_owned());
    Answer { status: Some(status), raw_body, ..Answer::default() }
}

/// The content is refused, in Chat's format.
fn refusal() -> Answer {
    let refused = r#"{"error":{"message":"The content was refused.","type":"invalid_request_error","param":null,"code":"content_policy_violation"}}"#;
    Answer {
        status: Some(400),
        raw_body: Some(refused.to_owned()),
        content_type: Some("application/json".to_owned()),
        ..Answer::default()
    }
}

/// The primary answers so.
fn primary(answer: Answer) -> Rule {
    Rule { model: Some(ASKED.to_owned()), answer, ..Rule::default() }
}

/// The n-th time it is asked for a stream, and for an answer in one piece.
fn primary_at(nth: u64, answer: &Answer) -> [Rule; 2] {
    [false, true].map(|stream| Rule { stream: Some(stream), nth: Some(nth), ..primary(answer.clone()) })
}

/// A simulator of every place. What no rule decides is well.
fn simulator(rules: impl IntoIterator<Item = Rule>, config: Config) -> Simulator {
    let mut rules: Vec<Rule> = rules.into_iter().collect();
    rules.push(Rule { answer: right(), ..Rule::default() });
    let valid_keys = vec![KEY.to_owned(), BACKUPS_KEY.to_owned()];
    Simulator::start(Config { valid_keys, script: Script(rules), ..config }).expect("a simulator")
}

/// A folder with rules and the backups' credential.
fn folder(document: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("credentials")).expect("a folder");
    std::fs::write(folder.path().join("credentials/backups"), BACKUPS_KEY).expect("a file");
    put(folder.path(), document);
    folder
}

/// Puts a document in the place of the one that is there.
fn put(folder: &Path, document: &str) {
    std::fs::write(folder.join("next"), document).expect("a file");
    std::fs::rename(folder.join("next"), folder.join("rules.yaml")).expect("a file takes another's place");
}

/// `outrigger exec` under the rules of a folder. Nobody is a provider yet.
fn exec(ca_pem: &str, folder: &Path) -> Exec {
    let exec = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"]
        .into_iter()
        .fold(Exec::trusting(ca_pem), |exec, name| exec.variable(name, KEY));
    exec.option("--rules", &folder.join("rules.yaml").display().to_string())
        .option("--credentials", &folder.join("credentials").display().to_string())
}

/// With one simulator in the place of every host.
fn before(simulator: &Simulator, folder: &Path) -> Exec {
    [HOSTS[0], HOSTS[1], ANTHROPIC, GEMINI]
        .into_iter()
        .fold(exec(simulator.ca_pem(), folder), |exec, host| exec.upstream(host, simulator.address()))
}

/// The languages whose SDKs the calls are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sdk {
    Python,
    Node,
}

impl Sdk {
    const ALL: [Sdk; 2] = [Sdk::Python, Sdk::Node];

    /// The program that makes these calls.
    fn program(self, calls: &[impl AsRef<str>]) -> Vec<String> {
        let (program, script) = match self {
            Sdk::Python => (setting("OUTRIGGER_TEST_PYTHON"), file("clients/python/calls.py")),
            Sdk::Node => {
                // The packages lie in the cache, beside which the script must stand for its imports.
                let place = std::path::PathBuf::from(setting("OUTRIGGER_TEST_NODE_DIR"));
                let beside = place.join(format!("calls-{:?}.mjs", std::thread::current().id()));
                std::fs::copy(file("clients/node/calls.mjs"), &beside).expect("the client can be copied");
                (place.join("node_modules/.bin/node").display().to_string(), beside)
            }
        };
        let words = [program, script.display().to_string()].into_iter();
        words.chain(calls.iter().map(|call| call.as_ref().to_owned())).collect()
    }

    /// Makes calls, one after the other, and says what became of each.
    fn run(self, exec: Exec, calls: &[impl AsRef<str>]) -> (Vec<Seen>, Ended) {
        let words = self.program(calls);
        let running = exec.start(&refs(&words));
        for _ in calls {
            running.program.output_line(|line| line.contains("\"call\""));
        }
        let ended = running.program.end();
        let seen: Vec<Seen> = ended.json_lines().iter().map(Seen::of).collect();
        assert_eq!(seen.len(), calls.len(), "{}", ended.errors);
        (seen, ended)
    }
}

fn refs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// What the user saw of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    /// An answer that says of itself that it is whole.
    Answer(String),
    /// One that does not, and was taken for an answer.
    Part { text: String, finish: Option<String> },
    /// The SDK raised this.
    Error { class: String, status: Option<u64> },
}

impl Seen {
    fn of(line: &Value) -> Seen {
        assert!(line["seconds"].as_f64().is_some_and(|seconds| seconds < BOUND), "without bounds: {line}");
        match (&line["text"], &line["error"]) {
            (Value::String(text), Value::Null) => {
                let finish = line["finish"].as_str();
                if finish == Some(last_word(line["call"].as_str().expect("a call's name"))) {
                    return Seen::Answer(text.clone());
                }
                Seen::Part { text: text.clone(), finish: finish.map(str::to_owned) }
            }
            (_, Value::String(class)) => {
                Seen::Error { class: class.clone(), status: line["status"].as_u64() }
            }
            _ => panic!("neither an answer nor an error: {line}"),
        }
    }

    fn is_right(&self) -> bool {
        matches!(self, Seen::Answer(text) if text == TEXT)
    }
}

/// The word that a whole answer to a call ends with.
fn last_word(call: &str) -> &'static str {
    match (call.split('_').next(), call.contains("_tool")) {
        (Some("messages"), false) => "end_turn",
        (Some("messages"), true) => "tool_use",
        (Some("responses"), _) => "completed",
        (Some("gemini"), _) => "STOP",
        (_, false) => "stop",
        (_, true) => "tool_calls",
    }
}

/// How often a place was asked.
fn asked(simulator: &Simulator, host: &str) -> usize {
    simulator.received().iter().filter(|one| one.authority == host).count()
}

/// Nobody was asked but these; the app's key was where the app sent it, the backups' at theirs alone.
fn keys_stayed_at_home(simulator: &Simulator, addressed: &[&str], backups: &[&str], what: &str) {
    for one in simulator.received() {
        let host = one.authority.as_str();
        assert!(addressed.contains(&host) || backups.contains(&host), "{what}: {host} was asked");
        let key = if backups.contains(&host) { BACKUPS_KEY } else { KEY };
        assert_eq!(shown(&one), [key], "{what}: {}", one.authority);
    }
}

/// The keys that a request shows.
fn shown(one: &Received) -> Vec<&str> {
    let names = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];
    let values = names.into_iter().flat_map(|name| one.headers.get_all(name));
    let texts = values.map(|value| value.to_str().expect("a key is text"));
    texts.map(|text| text.strip_prefix("Bearer ").unwrap_or(text)).collect()
}
