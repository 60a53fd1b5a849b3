//! Every provider's wire format by its official SDKs: they form the requests and read the answers, and each record says
//! what the simulator reported.
//!
//! One program makes all calls of a language, one after the other, so the records come in the order of its calls.

use outrigger_simulator::{Answer, Config, Rule, Script, Simulator, Usage};
use outrigger_tests::otlp::Receiver;
use outrigger_tests::process::Exec;
use outrigger_tests::{DEADLINE, file, setting};

use super::{Call, at, python, refs};

/// What every answer reports, as far as its format has a word for it.
const USED: Usage = Usage {
    input: 210,
    cache_read: 1024,
    output: 316,
    reasoning: 64,
    input_audio: 40,
    output_audio: 50,
    input_image: 30,
    seconds: 7,
    ..Usage::ZERO
};

pub(super) const KEY: &str = "harbour-key-0123456789-abcdWXYZ";
pub(super) const ACCESS_KEY: (&str, &str) =
    ("AKIAHARBOURPILOT4711", "harbour/secret+0123456789abcdefghijABCD");
pub(super) const AZURE_HOSTS: [&str; 2] = ["team-a.openai.azure.com", "team-a.services.ai.azure.com"];

pub(super) fn simulator() -> Simulator {
    let answer = |served: Option<&str>| Answer {
        usage: Some(USED),
        served_model: served.map(str::to_owned),
        ..Answer::default()
    };
    let deployment = |name: &str, served: &str| Rule {
        model: Some(name.to_owned()),
        answer: answer(Some(served)),
        ..Rule::default()
    };
    Simulator::start(Config {
        valid_keys: vec![KEY.to_owned(), ACCESS_KEY.0.to_owned()],
        aws_keys: vec![(ACCESS_KEY.0.to_owned(), ACCESS_KEY.1.to_owned())],
        script: Script(vec![
            deployment("our-gpt", "gpt-5-mini-2025-08-07"),
            deployment("claude-here", "claude-sonnet-4-5-20250929"),
            Rule { answer: answer(None), ..Rule::default() },
        ]),
        ..Config::default()
    })
    .expect("a simulator")
}

pub(super) fn exec(simulator: &Simulator) -> Exec {
    let hosts = outrigger_simulator::hosts().chain(AZURE_HOSTS);
    let exec =
        hosts.fold(Exec::trusting(simulator.ca_pem()), |exec, host| exec.upstream(host, simulator.address()));
    exec.option("--host", "vllm.example.test")
        .option("--deployment", "*/embedder=text-embedding-3-small")
        .variable("TEST_KEY", KEY)
        .variable("OPENAI_API_KEY", KEY)
        .variable("ANTHROPIC_API_KEY", KEY)
        .variable("GEMINI_API_KEY", KEY)
        .variable("AZURE_OPENAI_API_KEY", KEY)
        .variable("AZURE_OPENAI_ENDPOINT", format!("https://{}", AZURE_HOSTS[0]))
        .variable("AWS_ACCESS_KEY_ID", ACCESS_KEY.0)
        .variable("AWS_SECRET_ACCESS_KEY", ACCESS_KEY.1)
        .variable("AWS_EC2_METADATA_DISABLED", "true")
}

/// Counts of one call, by meter. All of the prompt and the answer, cached tokens and reasoning told apart:
const SPLIT: &[(&str, u64)] = &[("input", 210), ("cache_read", 1024), ("output", 316), ("reasoning", 64)];
/// Cached tokens told apart, reasoning inside the answer.
const CACHED: &[(&str, u64)] = &[("input", 210), ("cache_read", 1024), ("output", 380)];
/// Two totals.
const TOTALS: &[(&str, u64)] = &[("input", 1234), ("cache_read", 0), ("output", 380)];
/// Totals, and reasoning beside them.
const APART: &[(&str, u64)] = &[("input", 1234), ("output", 316), ("reasoning", 64)];
const VECTORS: &[(&str, u64)] = &[("input", 210), ("output", 0)];
const IMAGES: &[(&str, u64)] = &[("input", 210), ("input_image", 30), ("output", 0), ("output_image", 316)];
const SPOKEN: &[(&str, u64)] = &[("input", 210), ("output", 0), ("output_audio", 50)];
const HEARD: &[(&str, u64)] = &[("input", 210), ("input_audio", 40), ("output", 316)];
const SECONDS: &[(&str, u64)] = &[("audio_second", 7)];
const SEARCHES: &[(&str, u64)] = &[("rerank", 1)];
const UNKNOWN: &[(&str, u64)] = &[];

/// Call, provider, dialect, operation, model, meters, status of the cost. With a star: then once more as a stream.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, u64)],
    &'static str,
);

const ROWS: &[Row] = &[
    ("embeddings", "openai", "openai_embeddings", "embeddings", "text-embedding-3-small", VECTORS, "exact"),
    (
        "completions*",
        "openai",
        "openai_completions",
        "text_completion",
        "gpt-3.5-turbo-instruct",
        TOTALS,
        "exact",
    ),
    ("image", "openai", "openai_media", "image", "gpt-image-1", IMAGES, "partial"),
    ("image_edit", "openai", "openai_media", "image", "gpt-image-1", IMAGES, "partial"),
    ("image_stream", "openai", "openai_media", "image", "gpt-image-1", IMAGES, "partial"),
    ("speech", "openai", "openai_media", "speech", "gpt-4o-mini-tts", UNKNOWN, "unpriced"),
    ("speech_stream", "openai", "openai_media", "speech", "gpt-4o-mini-tts", SPOKEN, "partial"),
    ("transcription*", "openai", "openai_media", "transcription", "gpt-4o-mini-transcribe", HEARD, "partial"),
    ("transcription_whisper", "openai", "openai_media", "transcription", "whisper-1", SECONDS, "partial"),
    ("azure_embeddings", "azure.ai.openai", "openai_embeddings", "embeddings", "embedder", VECTORS, "exact"),
    ("azure_responses", "azure.ai.openai", "openai_responses", "chat", "our-gpt", SPLIT, "exact"),
    (
        "claude_vertex*",
        "gcp.vertex_ai",
        "anthropic_messages",
        "chat",
        "claude-sonnet-4-5@20250929",
        SPLIT,
        "exact",
    ),
    (
        "claude_bedrock*",
        "aws.bedrock",
        "bedrock_invoke",
        "chat",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        SPLIT,
        "exact",
    ),
    (
        "claude_mantle*",
        "aws.bedrock",
        "anthropic_messages",
        "chat",
        "anthropic.claude-sonnet-5-5",
        SPLIT,
        "exact",
    ),
    ("claude_aws*", "anthropic", "anthropic_messages", "chat", "claude-sonnet-5-5", SPLIT, "exact"),
    ("claude_google*", "anthropic", "anthropic_messages", "chat", "claude-sonnet-5-5", SPLIT, "exact"),
    ("claude_foundry*", "azure.ai.openai", "anthropic_messages", "chat", "claude-here", SPLIT, "fallback"),
    ("gemini_embeddings", "gcp.gemini", "gemini", "embeddings", "gemini-embedding-001", VECTORS, "exact"),
    ("interactions*", "gcp.gemini", "gemini_interactions", "chat", "gemini-3.5-flash", SPLIT, "exact"),
    ("vertex_gemini*", "gcp.vertex_ai", "gemini", "generate_content", "gemini-3.5-flash", SPLIT, "exact"),
    ("vertex_embeddings", "gcp.vertex_ai", "gemini", "embeddings", "text-embedding-005", VECTORS, "unpriced"),
    ("cohere_chat*", "cohere", "cohere", "chat", "command-a-03-2025", CACHED, "partial"),
    ("cohere_embed", "cohere", "cohere", "embeddings", "embed-v4.0", VECTORS, "partial"),
    ("cohere_rerank", "cohere", "cohere", "rerank", "rerank-v3.5", SEARCHES, "unpriced"),
    ("ollama_chat*", "ollama", "ollama", "chat", "gpt-oss:120b", TOTALS, "unpriced"),
    ("ollama_generate", "ollama", "ollama", "text_completion", "gpt-oss:120b", TOTALS, "unpriced"),
    ("ollama_embed", "ollama", "ollama", "embeddings", "embeddinggemma", VECTORS, "unpriced"),
    ("mistral_chat*", "mistral_ai", "openai_chat", "chat", "mistral-large-2512", CACHED, "exact"),
    (
        "mistral_embeddings",
        "mistral_ai",
        "openai_embeddings",
        "embeddings",
        "mistral-embed",
        VECTORS,
        "exact",
    ),
    ("groq_chat*", "groq", "openai_chat", "chat", "openai/gpt-oss-120b", SPLIT, "exact"),
    ("deepseek*", "deepseek", "openai_chat", "chat", "deepseek-chat", SPLIT, "exact"),
    ("xai*", "x_ai", "openai_chat", "chat", "grok-4.5", SPLIT, "exact"),
    ("openrouter*", "openrouter", "openai_chat", "chat", "openai/gpt-5-mini", SPLIT, "exact"),
    ("together*", "together", "openai_chat", "chat", "openai/gpt-oss-120b", TOTALS, "exact"),
    (
        "fireworks*",
        "fireworks",
        "openai_chat",
        "chat",
        "accounts/fireworks/models/gpt-oss-120b",
        CACHED,
        "exact",
    ),
    ("cerebras*", "cerebras", "openai_chat", "chat", "gpt-oss-120b", SPLIT, "exact"),
    ("perplexity*", "perplexity", "openai_chat", "chat", "sonar", APART, "exact"),
    ("gemini_compat*", "gcp.gemini", "openai_chat", "chat", "gemini-3.5-flash", SPLIT, "exact"),
    ("vertex_compat*", "gcp.vertex_ai", "openai_chat", "chat", "google/gemini-3.5-flash", SPLIT, "exact"),
    ("cohere_compat*", "cohere", "openai_chat", "chat", "command-a-03-2025", TOTALS, "exact"),
    ("vllm*", "operator_listed", "openai_chat", "chat", "house-9", TOTALS, "unpriced"),
    ("xai_responses", "x_ai", "openai_responses", "chat", "grok-4.5", SPLIT, "exact"),
];

const OF_NODE: &[Row] = &[
    ("embeddings", "openai", "openai_embeddings", "embeddings", "text-embedding-3-small", VECTORS, "exact"),
    (
        "completions*",
        "openai",
        "openai_completions",
        "text_completion",
        "gpt-3.5-turbo-instruct",
        TOTALS,
        "exact",
    ),
    ("image", "openai", "openai_media", "image", "gpt-image-1", IMAGES, "partial"),
    ("speech", "openai", "openai_media", "speech", "gpt-4o-mini-tts", UNKNOWN, "unpriced"),
    ("transcription", "openai", "openai_media", "transcription", "gpt-4o-mini-transcribe", HEARD, "partial"),
    ("azure_embeddings", "azure.ai.openai", "openai_embeddings", "embeddings", "embedder", VECTORS, "exact"),
    ("azure_responses", "azure.ai.openai", "openai_responses", "chat", "our-gpt", SPLIT, "exact"),
    ("gemini*", "gcp.gemini", "gemini", "generate_content", "gemini-3.5-flash", SPLIT, "exact"),
    ("gemini_embeddings", "gcp.gemini", "gemini", "embeddings", "gemini-embedding-001", VECTORS, "exact"),
    ("interactions*", "gcp.gemini", "gemini_interactions", "chat", "gemini-3.5-flash", SPLIT, "exact"),
    ("vertex_gemini*", "gcp.vertex_ai", "gemini", "generate_content", "gemini-3.5-flash", SPLIT, "exact"),
    ("openrouter", "openrouter", "openai_chat", "chat", "openai/gpt-5-mini", SPLIT, "exact"),
    ("groq_stream", "groq", "openai_chat", "chat", "openai/gpt-oss-120b", SPLIT, "exact"),
];

/// What a record has to say of a call.
pub(super) struct Expected {
    pub(super) call: String,
    pub(super) stream: bool,
    pub(super) row: &'static Row,
}

/// The rows, those with a star twice.
pub(super) fn expected(rows: &'static [Row]) -> Vec<Expected> {
    let mut all = Vec::new();
    for row in rows {
        let (name, both) = row.0.strip_suffix('*').map_or((row.0, false), |name| (name, true));
        all.push(Expected { call: name.to_owned(), stream: name.ends_with("_stream"), row });
        if both {
            all.push(Expected { call: format!("{name}_stream"), stream: true, row });
        }
    }
    all
}

/// Compares records with rows, in order.
pub(super) fn check(records: &[Call], expected: &[Expected], program: &str) {
    assert_eq!(records.len(), expected.len(), "{program}");
    for (record, Expected { call, stream, row }) in records.iter().zip(expected) {
        let (_, provider, dialect, operation, model, meters, status) = row;
        let what = format!("{call}: {record:#?}");
        assert_eq!(at(record, "gen_ai.provider.name"), provider, "{what}");
        assert_eq!(at(record, "outrigger.dialect"), dialect, "{what}");
        assert_eq!(at(record, "gen_ai.operation.name"), operation, "{what}");
        assert_eq!(at(record, "gen_ai.request.model"), model, "{what}");
        assert_eq!(at(record, "gen_ai.request.stream").as_bool().unwrap_or(false), *stream, "{what}");
        assert_eq!(at(record, "outrigger.outcome"), "answered", "{what}");
        let provenance = if meters.is_empty() { "unknown" } else { "exact" };
        assert_eq!(at(record, "outrigger.usage.provenance"), provenance, "{what}");
        for (meter, count) in *meters {
            assert_eq!(at(record, &format!("outrigger.usage.{meter}")), count, "{meter} of {what}");
        }
        assert_eq!(at(record, "outrigger.cost.status"), status, "{what}");
        // A price that is not known is never a zero.
        let usd = at(record, "outrigger.cost.usd").as_str();
        assert_eq!(usd.is_none(), *status == "unpriced", "{what}");
        assert_ne!(usd, Some("0"), "{what}");
    }
}

/// Runs a program that makes all its calls, and compares the records with the rows.
fn run(words: &[String], rows: &'static [Row]) -> Simulator {
    let simulator = simulator();
    let receiver = Receiver::start();
    let ended = exec(&simulator).option("--otlp", &receiver.url()).run(&refs(words));
    let program = format!("{}\n{}", ended.output, ended.errors);
    let lines = ended.json_lines();
    assert!(lines.iter().all(|line| line.get("error").is_none()), "{program}");
    // A text that a chat ends with is whole.
    let mut whole = lines.iter().filter_map(|line| line["saw"].as_str());
    assert!(whole.all(|text| text.ends_with("calm until then.")), "{program}");
    let expected = expected(rows);
    let enough = expected.len();
    let received = receiver.wait_for(DEADLINE, |received| received.calls.len() >= enough).expect(&program);
    // What is no inference was asked too, and has no record.
    let called: Vec<&str> = lines.iter().filter_map(|line| line["call"].as_str()).collect();
    let counted = called.iter().filter(|call| !call.starts_with("not_counted"));
    assert!(counted.eq(expected.iter().map(|one| &one.call)), "{program}");
    check(&received.calls, &expected, &program);
    simulator
}

#[test]
fn every_providers_python_sdk_is_answered_and_accounted() {
    let simulator = run(&python("clients/python/providers.py", &["all"]), ROWS);
    let received = simulator.received();
    let signatures: Vec<bool> = received.iter().filter_map(|request| request.signature_holds).collect();
    assert_eq!(
        signatures, [true; 6],
        "two calls each of Bedrock's two hosts and of Claude on AWS are signed"
    );
}

#[test]
fn the_node_sdks_are_answered_and_accounted() {
    let folder = setting("OUTRIGGER_TEST_NODE_DIR");
    let script = format!("{folder}/providers.mjs");
    std::fs::copy(file("clients/node/providers.mjs"), &script).expect("the clients stand beside their SDKs");
    run(&[setting("OUTRIGGER_TEST_NODE24"), script, "all".to_owned()], OF_NODE);
}

#[test]
fn the_go_and_java_sdks_are_answered_and_accounted() {
    const OPENAI: Row = ("openai", "openai", "openai_chat", "chat", "gpt-5-mini", SPLIT, "exact");
    const ANTHROPIC: Row =
        ("anthropic", "anthropic", "anthropic_messages", "chat", "claude-sonnet-5-5", SPLIT, "exact");
    const GOOGLE: Row =
        ("genai", "gcp.gemini", "gemini", "generate_content", "gemini-3.5-flash", SPLIT, "exact");
    let go = vec![setting("OUTRIGGER_TEST_GO")];
    let java = ["java", "-cp", &setting("OUTRIGGER_TEST_JAVA"), "Trust"].map(str::to_owned).to_vec();
    // By hand: 210, 1024 and 380 at 0.25, 0.025 and 2; 2, 0.1 and 10; 1.5, 0.15 and 9 per million.
    for (program, row, cost) in [
        (&go, &OPENAI, "0.0008381"),
        (&go, &ANTHROPIC, "0.0043224"),
        (&go, &GOOGLE, "0.0038886"),
        (&java, &OPENAI, "0.0008381"),
        (&java, &ANTHROPIC, "0.0043224"),
    ] {
        let simulator = simulator();
        let receiver = Receiver::start();
        let words = [program.as_slice(), &[row.0.to_owned()]].concat();
        let ended =
            exec(&simulator).flag("--trust-java").option("--otlp", &receiver.url()).run(&refs(&words));
        let what = format!("{words:?}: {}\n{}", ended.output, ended.errors);
        assert!(ended.output.contains("calm until then."), "{what}");
        let received = receiver.wait_for(DEADLINE, |received| received.calls.len() == 1).expect(&what);
        check(&received.calls, &[Expected { call: row.0.to_owned(), stream: false, row }], &what);
        assert_eq!(at(&received.calls[0], "outrigger.cost.usd"), cost, "{what}");
    }
}
