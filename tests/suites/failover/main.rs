//! Suite `failover`: unmodified programs with the official SDKs, rules that act, and every kind of bad weather. Of each call it
//! says what the user saw: a complete right answer, or an honest error of the class that the SDK raises. Nothing between.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test may end at the first surprise; the lints spare test functions but not their helpers"
)]

mod catalogue;
mod cuts;
mod outage;
mod reload;

use std::path::Path;

use outrigger_simulator::{Answer, Config, Rule, Script, Simulator};
use outrigger_tests::process::{Ended, Exec};
use outrigger_tests::{file, setting};
use serde_json::Value;

/// The app's key.
const KEY: &str = "sk-harbour-0123456789-abcdWXYZ";

/// The backup's.
const BACKUPS_KEY: &str = "sk-lee-shore-555666777888-mnopQRST";

/// What whoever is well answers.
const TEXT: &str = "The tide turns at nine in the evening.";

/// The model that the app asks for. The backup's is another, so that a script can tell the two apart.
const ASKED: &str = "gpt-5-mini";

/// The primary's host, and the backup's.
const HOSTS: [&str; 2] = ["api.openai.com", "eu.api.openai.com"];

const CALLS: [&str; 2] = ["chat", "chat_stream"];

/// A document with one backup and these rules.
fn document(rules: &str) -> String {
    format!(
        "version: 1\nmode: act\nbackups:\n  second: {{ provider: openai, host: {}, model: gpt-5, credential: {{ file: second }} }}\nrules:\n{rules}",
        HOSTS[1]
    )
}

/// An answer with the right text.
fn right() -> Answer {
    Answer { text: Some(TEXT.to_owned()), ..Answer::default() }
}

/// The primary answers so.
fn primary(answer: Answer) -> Rule {
    Rule { model: Some(ASKED.to_owned()), answer, ..Rule::default() }
}

/// The n-th time it is asked for a stream, and for an answer in one piece.
fn primary_at(nth: u64, answer: &Answer) -> [Rule; 2] {
    [false, true].map(|stream| Rule { stream: Some(stream), nth: Some(nth), ..primary(answer.clone()) })
}

/// A simulator for both hosts. What no rule decides is well.
fn simulator(rules: impl IntoIterator<Item = Rule>, config: Config) -> Simulator {
    let mut rules: Vec<Rule> = rules.into_iter().collect();
    rules.push(Rule { answer: right(), ..Rule::default() });
    let valid_keys = vec![KEY.to_owned(), BACKUPS_KEY.to_owned()];
    Simulator::start(Config { valid_keys, script: Script(rules), ..config }).expect("a simulator")
}

/// A folder with rules and the backup's credential.
fn folder(document: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("credentials")).expect("a folder");
    std::fs::write(folder.path().join("credentials/second"), BACKUPS_KEY).expect("a file");
    put(folder.path(), document);
    folder
}

/// Puts a document in the place of the one that is there.
fn put(folder: &Path, document: &str) {
    std::fs::write(folder.join("next"), document).expect("a file");
    std::fs::rename(folder.join("next"), folder.join("rules.yaml")).expect("a file takes another's place");
}

/// `outrigger exec` under the rules of a folder. Nobody is its provider yet.
fn exec(ca_pem: &str, folder: &Path) -> Exec {
    Exec::trusting(ca_pem)
        .variable("OPENAI_API_KEY", KEY)
        .option("--rules", &folder.join("rules.yaml").display().to_string())
        .option("--credentials", &folder.join("credentials").display().to_string())
}

/// With one simulator in the place of both hosts.
fn before(simulator: &Simulator, folder: &Path) -> Exec {
    HOSTS
        .into_iter()
        .fold(exec(simulator.ca_pem(), folder), |exec, host| exec.upstream(host, simulator.address()))
}

/// The SDKs that the calls are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sdk {
    Python,
    Node,
}

impl Sdk {
    const ALL: [Sdk; 2] = [Sdk::Python, Sdk::Node];

    /// The program that makes these calls.
    fn program(self, calls: &[&str]) -> Vec<String> {
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
        words.chain(calls.iter().map(|call| (*call).to_owned())).collect()
    }

    /// Makes calls, one after the other, and says what became of each.
    fn run(self, exec: Exec, calls: &[&str]) -> (Vec<Seen>, Ended) {
        let words = self.program(calls);
        let ended = exec.run(&refs(&words));
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
    /// A complete answer, as far as the SDK knows.
    Answer(String),
    /// The SDK raised this.
    Error { class: String, status: Option<u64> },
}

impl Seen {
    fn of(line: &Value) -> Seen {
        match (&line["text"], &line["error"]) {
            (Value::String(text), Value::Null) => Seen::Answer(text.clone()),
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

/// The app's key was at the primary alone, the backup's at the backup alone.
fn keys_stayed_at_home(simulator: &Simulator, what: &str) {
    for one in simulator.received() {
        let key = if one.authority == HOSTS[0] { KEY } else { BACKUPS_KEY };
        let shown = one.headers.get("authorization").and_then(|value| value.to_str().ok());
        assert_eq!(shown, Some(&*format!("Bearer {key}")), "{what}: {}", one.authority);
    }
}
