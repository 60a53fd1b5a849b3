//! The clouds' own SDKs before a simulator: what they ask reaches it as they signed it, what it answers reaches them, and
//! the tokens are the provider's.

use outrigger_simulator::{Answer, Config, Rule, Script, Simulator, Usage};
use outrigger_tests::DEADLINE;
use outrigger_tests::otlp::Receiver;
use outrigger_tests::process::Exec;

use super::{at, python, refs};

const CLIENT: &str = "clients/python/clouds.py";
const KEY: &str = "harbour-key-0123456789-abcdWXYZ";
const ACCESS_KEY: (&str, &str) = ("AKIAHARBOURPILOT4711", "harbour/secret+0123456789abcdefghijABCD");
const AZURE_HOST: &str = "team-a.openai.azure.com";

fn simulator(secret: &str) -> Simulator {
    let usage = Usage { input: 210, cache_read: 1024, output: 316, ..Usage::default() };
    let answer = Answer { usage: Some(usage), ..Answer::default() };
    Simulator::start(Config {
        valid_keys: vec![KEY.to_owned(), ACCESS_KEY.0.to_owned()],
        aws_keys: vec![(ACCESS_KEY.0.to_owned(), secret.to_owned())],
        script: Script(vec![Rule { answer, ..Rule::default() }]),
        extra_names: vec![AZURE_HOST.to_owned()],
        ..Config::default()
    })
    .expect("a simulator")
}

fn exec(simulator: &Simulator) -> Exec {
    Exec::before(simulator)
        .upstream("bedrock-runtime.us-east-1.amazonaws.com", simulator.address())
        .upstream("generativelanguage.googleapis.com", simulator.address())
        .upstream(AZURE_HOST, simulator.address())
        .variable("AWS_ACCESS_KEY_ID", ACCESS_KEY.0)
        .variable("AWS_SECRET_ACCESS_KEY", ACCESS_KEY.1)
        .variable("AWS_EC2_METADATA_DISABLED", "true")
        .variable("GEMINI_API_KEY", KEY)
        .variable("AZURE_OPENAI_API_KEY", KEY)
        .variable("AZURE_OPENAI_ENDPOINT", format!("https://{AZURE_HOST}"))
}

#[test]
fn every_call_is_accounted_and_every_signature_holds() {
    for (call, provider, dialect, model) in [
        ("converse", "aws.bedrock", "bedrock_converse", "us.anthropic.claude-sonnet-5-5-v1:0"),
        ("invoke", "aws.bedrock", "bedrock_invoke", "us.anthropic.claude-sonnet-5-5-v1:0"),
        ("gemini", "gcp.gemini", "gemini", "gemini-3.5-flash"),
        ("azure", "azure.ai.openai", "openai_chat", "our-gpt"),
    ] {
        for stream in [false, true] {
            let simulator = simulator(ACCESS_KEY.1);
            let receiver = Receiver::start();
            let name = if stream { format!("{call}_stream") } else { call.to_owned() };
            let ended =
                exec(&simulator).option("--otlp", &receiver.url()).run(&refs(&python(CLIENT, &[&name])));
            let what = format!("{name}: {}\n{}", ended.output, ended.errors);
            assert!(ended.output.contains("The tide turns at six"), "{what}");
            let received = receiver.wait_for(DEADLINE, |received| received.calls.len() == 1).expect(&what);
            let record = &received.calls[0];
            assert_eq!(at(record, "gen_ai.provider.name"), provider, "{what}");
            assert_eq!(at(record, "outrigger.dialect"), dialect, "{what}");
            assert_eq!(at(record, "gen_ai.request.model"), model, "{what}");
            assert_eq!(at(record, "outrigger.usage.provenance"), "exact", "{what}");
            for (meter, count) in [("input", 210), ("cache_read", 1024), ("output", 316)] {
                assert_eq!(at(record, &format!("outrigger.usage.{meter}")), count, "{meter} of {what}");
            }
            let reached = simulator.received();
            let signed = (provider == "aws.bedrock").then_some(true);
            assert_eq!(reached.last().and_then(|request| request.signature_holds), signed, "{what}");
        }
    }
}

#[test]
fn a_wrong_secret_is_told_by_the_access_keys_fingerprint() {
    let simulator = simulator("another secret");
    let ended = exec(&simulator).run(&refs(&python(CLIENT, &["converse"])));
    assert!(!ended.status.success(), "{}", ended.errors);
    let named = "the key ending …4711";
    assert!(ended.errors.contains(named) && !ended.errors.contains(ACCESS_KEY.1), "{}", ended.errors);
}
