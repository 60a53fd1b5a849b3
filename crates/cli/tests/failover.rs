//! The example of failover in the README, with its own script, rules and request.

use outrigger_simulator::{Config, Script, Simulator};

use crate::support::beside::{call, end, program};

/// What stands between two texts of the example.
fn between(begin: &str, end: &str) -> &'static str {
    let page = include_str!("../../../README.md");
    let example =
        page.split("<!-- tests/run unit tries this -->").nth(1).and_then(|rest| rest.split("\n```\n").next());
    let after = example.unwrap().split_once(begin).unwrap_or_else(|| panic!("no {begin}")).1;
    after.split_once(end).unwrap_or_else(|| panic!("no {end}")).0
}

#[test]
fn the_example_in_the_readme_is_answered_by_the_backup_in_the_apps_own_format() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let script: Script = serde_json::from_str(between("echo '", "' > script.json")).unwrap();
    let simulator = Simulator::start(Config { script, ..Config::default() }).unwrap();
    let key = between("mkdir credentials && echo ", " > credentials/anthropic");
    std::fs::create_dir(folder.join("credentials")).unwrap();
    std::fs::write(folder.join("credentials/anthropic"), key).unwrap();
    std::fs::write(folder.join("rules.yaml"), between("<<'END'\n", "END\n")).unwrap();
    let options: Vec<&str> = between("outrigger exec ", " --extra-ca").split(' ').collect();
    let (child, base_url) = program(folder, &simulator, &options);
    let answer = call(&base_url, between("-d '", "'\n"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for part in
        ["x-outrigger-provider: anthropic", "x-outrigger-attempts: ", "\"object\":\"chat.completion\""]
    {
        assert!(answer.contains(part), "{part} is not in {answer}");
    }
    let hosts: Vec<String> = simulator.received().into_iter().map(|received| received.authority).collect();
    assert_eq!(hosts.last().map(String::as_str), Some("api.anthropic.com"), "{hosts:?}");
    let theirs = simulator.received().pop().unwrap();
    assert_eq!(theirs.headers["x-api-key"], key);
    end(child);
}
