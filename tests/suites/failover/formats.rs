//! Every family of SDKs, its provider overloaded and its backup of another wire format: the SDK takes the answer for its own.

use outrigger_simulator::{Answer, Config, ErrorKind, Rule, Script, Simulator};
use outrigger_tests::process::Exec;
use outrigger_tests::{file, setting};

use super::table::Row;
use super::{
    ANTHROPIC, ASKED, BACKUPS_KEY, GEMINI, HOSTS, KEY, Sdk, TEXT, asked, before, folder, refs, right, shown,
};

const BEDROCK: &str = "bedrock-runtime.us-east-1.amazonaws.com";

/// Who is asked, by whom the answer comes. The models are others than the apps ask for.
const USUAL: &str = "version: 1
mode: act
backups:
  chat: { provider: openai, host: eu.api.openai.com, model: gpt-4.1, credential: { file: backups } }
  messages: { provider: anthropic, model: claude-opus-5-5, credential: { file: backups } }
  gemini: { provider: gemini, model: gemini-3.5-pro, credential: { file: backups } }
rules:
  - { name: responses, match: { provider: openai }, failover: { to: [messages] } }
  - { name: messages, match: { provider: anthropic }, failover: { to: [gemini] } }
  - { name: gemini, match: { provider: gemini }, failover: { to: [chat] } }
  - { name: converse, match: { provider: bedrock }, failover: { to: [messages] } }
";

/// The same, where OpenAI is asked in Responses.
const CHOSEN: &str = "version: 1
mode: act
backups:
  gemini: { provider: gemini, model: gemini-3.5-pro, credential: { file: backups } }
  responses: { provider: openai, host: eu.api.openai.com, model: gpt-4.1, format: openai_responses, credential: { file: backups } }
rules:
  - { name: responses, match: { provider: openai }, failover: { to: [gemini] } }
  - { name: others, match: { provider: [anthropic, gemini, bedrock] }, failover: { to: [responses] } }
";

const CALLS: [&str; 8] = [
    "responses",
    "responses_stream",
    "responses_stream_helper",
    "messages",
    "messages_stream",
    "messages_stream_helper",
    "gemini",
    "gemini_stream",
];

/// What boto3 calls.
const CONVERSE: [&str; 2] = ["converse", "converse_stream"];

/// Every model that an app asks for is overloaded.
fn overloaded() -> Simulator {
    let models = [ASKED, "claude-sonnet-5-5", "gemini-3.5-flash", "us.anthropic.claude-sonnet-5-5-v1:0"];
    let fails = |model: &str| Rule {
        model: Some(model.to_owned()),
        answer: Answer { error: Some(ErrorKind::Overloaded), ..Answer::default() },
        ..Rule::default()
    };
    let rules = models.into_iter().map(fails).chain([Rule { answer: right(), ..Rule::default() }]);
    let valid_keys = vec![KEY.to_owned(), BACKUPS_KEY.to_owned()];
    Simulator::start(Config { valid_keys, script: Script(rules.collect()), ..Config::default() })
        .expect("a simulator")
}

fn exec(simulator: &Simulator, folder: &tempfile::TempDir) -> Exec {
    // Its retries would only ask the same again.
    let bedrock = before(simulator, folder.path()).upstream(BEDROCK, simulator.address());
    bedrock
        .variable("AWS_ACCESS_KEY_ID", KEY)
        .variable("AWS_SECRET_ACCESS_KEY", "harbour-secret-0123456789-qrstUVWX")
        .variable("AWS_MAX_ATTEMPTS", "1")
        .variable("AWS_EC2_METADATA_DISABLED", "true")
}

/// The backups have answered every call at these paths, paid by their own key, and saw none of the app's.
fn backups_answered(simulator: &Simulator, calls: &[(&str, &str, usize)]) {
    for (host, path, calls) in calls {
        let backups: Vec<_> = simulator
            .received()
            .into_iter()
            .filter(|one| one.authority == *host && one.path.starts_with(path) && shown(one) == [BACKUPS_KEY])
            .collect();
        assert_eq!(backups.len(), *calls, "{host}{path}");
        assert!(backups.iter().all(|one| one.status == 200), "{host}");
    }
}

/// The row of the table that this stands for.
pub(super) fn rows() -> Vec<Row> {
    vec![Row::right("overloaded, and the backup speaks another format, of every family of SDKs")]
}

#[test]
fn the_sdks_of_every_family_are_answered_by_a_backup_of_another_format() {
    let messages = (ANTHROPIC, "/v1/messages", 3);
    let usual = [messages, (GEMINI, "/v1beta/", 3), (HOSTS[1], "/v1/chat/completions", 2)];
    let chosen = [(GEMINI, "/v1beta/", 3), (HOSTS[1], "/v1/responses", 5)];
    let both: [(&str, &[_]); 2] = [(USUAL, &usual), (CHOSEN, &chosen)];
    for (sdk, (document, backups)) in Sdk::ALL.into_iter().flat_map(|sdk| both.map(|one| (sdk, one))) {
        let (simulator, folder) = (overloaded(), folder(document));
        let (seen, ended) = sdk.run(exec(&simulator, &folder), &CALLS);
        for (call, seen) in CALLS.iter().zip(&seen) {
            assert!(seen.is_right(), "{sdk:?}, {call}: {seen:?}\n{}", ended.errors);
        }
        backups_answered(&simulator, backups);
        assert_eq!(asked(&simulator, HOSTS[0]), 3, "the primary was asked each time");
    }
}

#[test]
fn boto3_is_answered_by_a_backup_of_another_format() {
    let program = [setting("OUTRIGGER_TEST_PYTHON"), file("clients/python/clouds.py").display().to_string()];
    let words: Vec<String> = program.into_iter().chain(CONVERSE.map(str::to_owned)).collect();
    for (document, backup) in
        [(USUAL, (ANTHROPIC, "/v1/messages", 2)), (CHOSEN, (HOSTS[1], "/v1/responses", 2))]
    {
        let (simulator, folder) = (overloaded(), folder(document));
        let ended = exec(&simulator, &folder).start(&refs(&words)).program.end();
        let lines = ended.json_lines();
        let texts: Vec<_> = lines.iter().map(|line| line["text"].as_str()).collect();
        assert_eq!(texts, [Some(TEXT); 2], "{lines:?}\n{}", ended.errors);
        backups_answered(&simulator, &[backup]);
        assert_eq!(asked(&simulator, BEDROCK), 2, "the primary was asked each time");
    }
}
