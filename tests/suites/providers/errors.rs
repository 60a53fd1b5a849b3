//! Errors in every provider's own shape, as answers and inside streams that began well: each record names the cause, and
//! nothing of them is billed as if it were an answer.

use outrigger_simulator::ErrorKind::{
    Authentication, ContextLength, NotFound, Overloaded, Quota, RateLimit, ServerError,
};
use outrigger_simulator::{Answer, Config, ErrorKind, Rule, Script, Simulator};
use outrigger_tests::DEADLINE;
use outrigger_tests::otlp::Receiver;

use super::wire::{ACCESS_KEY, KEY, exec};
use super::{at, python, refs};

/// One call of each provider, and whether it has a stream.
const CALLS: [(&str, &str, bool); 17] = [
    ("azure", "azure_responses", false),
    ("vertex", "claude_vertex", true),
    ("bedrock", "claude_bedrock", true),
    ("anthropic", "claude_google", true),
    ("gemini", "gemini_compat", true),
    ("cohere", "cohere_chat", true),
    ("ollama", "ollama_chat", true),
    ("mistral", "mistral_chat", true),
    ("groq", "groq_chat", true),
    ("deepseek", "deepseek", true),
    ("xai", "xai", true),
    ("openrouter", "openrouter", true),
    ("together", "together", true),
    ("fireworks", "fireworks", true),
    // How it says so inside a stream is not documented.
    ("cerebras", "cerebras", false),
    ("perplexity", "perplexity", true),
    ("vllm", "vllm", true),
];

/// A round of calls for each kind, and the word for it.
const ROUNDS: [(ErrorKind, &str); 7] = [
    (Authentication, "authentication"),
    (NotFound, "not_found"),
    (RateLimit, "rate_limit"),
    (Quota, "quota"),
    (ContextLength, "context_length"),
    (Overloaded, "overloaded"),
    (ServerError, "server_error"),
];

/// What is told otherwise, for want of a better word on the wire: a quota that is told as one only in the details that
/// Claude's format has no room for, one that comes back by the hour, and errors in a stream that are a text and no more.
const OTHERWISE: [(&str, &str, &str); 4] = [
    ("claude_vertex", "quota", "rate_limit"),
    ("ollama_chat", "quota", "rate_limit"),
    ("cohere_chat_stream", "server_error", "other"),
    ("ollama_chat_stream", "server_error", "other"),
];

/// Each provider's n-th call fails in the n-th way; the one after those breaks off in a stream.
fn script() -> Script {
    let mut rules = Vec::new();
    for (provider, ..) in CALLS {
        let nth = |round: usize, answer: Answer| Rule {
            provider: Some(provider.to_owned()),
            nth: Some(round as u64 + 1),
            answer,
            ..Rule::default()
        };
        let error = |kind| Answer { error: Some(kind), ..Answer::default() };
        rules.extend(ROUNDS.into_iter().enumerate().map(|(round, (kind, _))| nth(round, error(kind))));
        rules.push(nth(ROUNDS.len(), Answer { error_after: Some(4), ..error(ServerError) }));
    }
    Script(rules)
}

#[test]
fn every_providers_errors_are_named_by_their_cause() {
    let simulator = Simulator::start(Config {
        valid_keys: vec![KEY.to_owned(), ACCESS_KEY.0.to_owned()],
        aws_keys: vec![(ACCESS_KEY.0.to_owned(), ACCESS_KEY.1.to_owned())],
        script: script(),
        ..Config::default()
    })
    .expect("a simulator");
    let plain = CALLS.map(|(_, call, _)| call.to_owned());
    let streams = CALLS.iter().filter(|(.., streams)| *streams).map(|(_, call, _)| format!("{call}_stream"));
    let names: Vec<String> = std::iter::repeat_n(plain, ROUNDS.len()).flatten().chain(streams).collect();
    let words = ROUNDS.into_iter().flat_map(|(_, word)| [word; CALLS.len()]);
    let expected: Vec<&str> = words.chain(std::iter::repeat("server_error")).take(names.len()).collect();

    let receiver = Receiver::start();
    let ended = exec(&simulator)
        .option("--otlp", &receiver.url())
        .run(&refs(&python("clients/python/providers.py", &refs(&names))));
    let program = format!("{}\n{}", ended.output, ended.errors);
    let received =
        receiver.wait_for(DEADLINE, |received| received.calls.len() >= names.len()).expect(&program);
    assert_eq!(received.calls.len(), names.len(), "{program}");
    let mut wrong = String::new();
    for ((name, expected), record) in names.iter().zip(&expected).zip(&received.calls) {
        let otherwise = OTHERWISE.iter().find(|(call, class, _)| call == name && class == expected);
        let expected = otherwise.map_or(*expected, |(.., told)| *told);
        let class = at(record, "outrigger.cause.class");
        if *class != expected || at(record, "outrigger.outcome") != "failed" {
            wrong += &format!(
                "{name}: {expected} was told as {class}, {}\n",
                at(record, "outrigger.cause.message")
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
