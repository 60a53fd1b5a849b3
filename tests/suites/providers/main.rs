//! Suite `providers`: real programs with the official SDKs under `outrigger exec`, before a simulator.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test may end at the first surprise; the lints spare test functions but not their helpers"
)]

mod bill;
mod bytes;
mod clouds;
mod diagnosis;
mod doctor;
mod errors;
mod failures;
mod hosts;
mod learned;
mod lifecycle;
mod logs;
mod names;
mod second_opinion;
mod secrets;
mod sockets;
mod threads;
mod translated;
mod tunnels;
mod unasked;
mod wire;

// Answers as every wire format writes them.
#[allow(dead_code, reason = "it serves the providers' own tests as well")]
#[path = "../../../crates/providers/tests/events/mod.rs"]
mod events;
#[allow(dead_code, reason = "it serves the providers' own tests as well")]
#[path = "../../../crates/providers/tests/said/mod.rs"]
mod said;

use std::collections::BTreeMap;

use outrigger_simulator::{Answer, Config, Rule, Script, Simulator};
use outrigger_tests::process::Exec;
use outrigger_tests::{file, setting};
use serde_json::Value;

/// A key that the simulators of this suite accept.
const KEY: &str = "sk-harbour-0123456789-abcdWXYZ";

/// Another one, for the other provider.
const OTHER_KEY: &str = "sk-ant-harbour-987654321-zyxwABCD";

fn simulator(answer: Answer) -> Simulator {
    scripted(vec![Rule { answer, ..Rule::default() }])
}

fn scripted(rules: Vec<Rule>) -> Simulator {
    Simulator::start(Config {
        valid_keys: vec![KEY.to_owned(), OTHER_KEY.to_owned()],
        script: Script(rules),
        extra_names: vec!["plain.example.test".to_owned()],
        ..Config::default()
    })
    .expect("a simulator")
}

fn exec(simulator: &Simulator) -> Exec {
    Exec::before(simulator).variable("OPENAI_API_KEY", KEY).variable("ANTHROPIC_API_KEY", OTHER_KEY)
}

/// The Python client with these calls.
fn python<'a>(script: &'a str, calls: &[&'a str]) -> Vec<String> {
    let mut words = vec![setting("OUTRIGGER_TEST_PYTHON"), file(script).display().to_string()];
    words.extend(calls.iter().map(|call| (*call).to_owned()));
    words
}

fn refs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

const CALLS: &str = "clients/python/calls.py";

type Call = BTreeMap<String, Value>;

/// One attribute of a record.
fn at<'a>(call: &'a Call, name: &str) -> &'a Value {
    call.get(name).unwrap_or(&Value::Null)
}
