//! `outrigger rules …`: what is printed as text and as JSON, and the exit codes.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Ended, outrigger};

fn rules(arguments: &[&str], input: &str) -> Ended {
    outrigger(&[&["rules"], arguments].concat(), input)
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.output).unwrap()
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/rules").join(name)
}

#[test]
fn a_good_document_is_told_with_every_place_a_prompt_may_go() {
    let document = example("failover.yaml");
    let ended = rules(&["check", document.to_str().unwrap()], "");
    assert_eq!(ended.status, Some(0), "{}", ended.output);
    for part in [
        "version 1, mode act, 2 rules (checkout-chat, everything-else), hash ",
        "prompts may go to azure-eu: azure at shop-eu.openai.azure.com, terra-prod, gpt-6.1-terra; api_key from file azure/api-key",
        "prompts may go to claude: anthropic at api.anthropic.com",
    ] {
        assert!(ended.output.contains(part), "{part}: {}", ended.output);
    }
    let told = json(&rules(&["check", "--output", "json", document.to_str().unwrap()], ""));
    assert_eq!((&told["ok"], &told["policy"]["mode"]), (&Value::from(true), &Value::from("act")));
    assert_eq!(told["policy"]["backups"][1]["credential"]["file"], "anthropic/api-key");
    assert_eq!(told["policy"]["hash"].as_str().unwrap().len(), 64);
    assert_eq!(told["policy"]["backups"][1]["format"], Value::Null);
    let document = "version: 1\nbackups:\n  a: { provider: openai, format: openai_responses, credential: { file: key } }\n\
                    rules:\n  - { name: all, match: {}, failover: { to: [a] } }\n";
    let ended = rules(&["check", "-"], document);
    let place = "prompts may go to a: openai at api.openai.com, in openai_responses; api_key from file key";
    assert!(ended.output.contains(place), "{}", ended.output);
}

#[test]
fn every_fault_is_told_at_once_with_file_line_and_mend() {
    let text = "version: 1\nmode: watch\nrules:\n  - name: a\n    match: { provider: opennai }\n";
    let ended = rules(&["check", "-"], text);
    assert_eq!(ended.status, Some(1));
    assert_eq!(
        ended.output,
        "-:2:7: mode: `watch` is not a mode; write one of passthrough, observe, act\n\
         -:5:24: rules[0].match.provider: `opennai` is not a provider; did you mean `openai`?\n\
         -: 2 errors, 0 warnings\n"
    );
    let told = json(&rules(&["check", "--output", "json", "-"], text));
    assert_eq!(told["ok"], false);
    assert_eq!(
        told["faults"][1],
        serde_json::json!({
            "severity": "error", "line": 5, "column": 24, "path": "rules[0].match.provider",
            "text": "`opennai` is not a provider", "mend": "did you mean `openai`?",
        })
    );
    // A warning refuses nothing.
    let ended = rules(&["check", "-"], "version: 1\nmode: act\n");
    assert_eq!(ended.status, Some(0));
    assert!(ended.output.contains("-: 0 errors, 1 warning"), "{}", ended.output);
}

#[test]
fn the_folder_of_a_mounted_config_map_is_read_and_what_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), "version: 1\n").unwrap();
    assert_eq!(rules(&["check", folder.path().to_str().unwrap()], "").status, Some(0));
    let nothing = folder.path().join("none.yaml");
    let ended = rules(&["check", nothing.to_str().unwrap()], "");
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.errors.contains("none.yaml") && ended.errors.contains("give a file that can be read"),
        "{}",
        ended.errors
    );
}

#[test]
fn what_pays_the_backups_is_looked_at_where_its_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let text = "version: 1\nbackups:\n  a: { provider: openai, credential: { file: key } }\nrules:\n  - { name: a, match: {}, failover: { to: [a] } }\n";
    assert_eq!(rules(&["check", "-"], text).status, Some(0));
    let ended = rules(&["check", "--credentials", path, "-"], text);
    assert_eq!(ended.status, Some(1));
    let why = format!("the backup a cannot be paid: the file {path}/key: it is not there; mount the Secret");
    assert!(ended.output.contains(&why), "{}", ended.output);
    let told = json(&rules(&["check", "--output", "json", "--credentials", path, "-"], text));
    assert!(told["unpaid"][0].as_str().unwrap().starts_with(&why), "{told}");
    std::fs::write(folder.path().join("key"), "sk-harbour-0123456789\n").unwrap();
    let ended = rules(&["check", "--credentials", path, "-"], text);
    assert_eq!(ended.status, Some(0), "{}", ended.output);
    assert!(!ended.output.contains("harbour"), "{}", ended.output);
}

#[test]
fn where_it_is_to_run_can_refuse_it() {
    let text = "version: 1\nbackups:\n  a: { provider: openai, credential: { env: KEY } }\nrules:\n  - { name: a, match: {}, failover: { to: [a] } }\n";
    assert_eq!(rules(&["check", "-"], text).status, Some(0));
    let ended = rules(&["check", "--in-cluster", "--allowed-provider", "anthropic", "-"], text);
    assert_eq!(ended.status, Some(1));
    assert!(
        ended
            .output
            .contains("3:18: backups.a.provider: openai is not among the allowed providers (anthropic)"),
        "{}",
        ended.output
    );
    assert!(ended.output.contains("3:45: backups.a.credential.env: in a cluster"), "{}", ended.output);
    let azure = "version: 1\nbackups:\n  a: { provider: azure, host: shop.openai.azure.com, deployment: d, model: gpt-5.1, credential: { env: KEY } }\n\
                 rules:\n  - { name: a, match: {}, failover: { to: [a] } }\n";
    let ended = rules(&["check", "--allowed-provider", "azure_openai", "-"], azure);
    assert_eq!(ended.status, Some(0), "{}", ended.output);
    let ended = rules(&["check", "--allowed-provider", "opnai", "-"], text);
    assert_eq!(ended.status, Some(2));
    assert!(ended.errors.contains("the providers are openai, anthropic"), "{}", ended.errors);
}

#[test]
fn a_call_is_explained_by_the_rule_that_decides_it() {
    let document = example("failover.yaml");
    let document = document.to_str().unwrap();
    let call = ["explain", document, "--provider", "openai", "--model", "gpt-6.1-terra"];
    let ended = rules(&[&call[..], &["--header", "x-tier: paid"]].concat(), "");
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    for part in
        ["rule checkout-chat decides this call", "2             azure-eu: azure at", "firstToken 15s (act)"]
    {
        assert!(ended.output.contains(part), "{part}: {}", ended.output);
    }
    let told = json(&rules(&[&call[..], &["--output", "json"]].concat(), ""));
    assert_eq!(told["rule"], "everything-else");
    assert_eq!(told["passed_over"][0]["because"][0], "it has no header x-tier");
    let ended = rules(&["explain", document, "--provider", "openai", "--operation", "talk"], "");
    assert_eq!(ended.status, Some(2));
    assert!(ended.errors.contains("the operations are chat"), "{}", ended.errors);
}

#[test]
fn a_table_of_examples_holds_or_says_what_differs() {
    let (document, table) = (example("failover.yaml"), example("failover.test.yaml"));
    let ended = rules(&["test", document.to_str().unwrap(), table.to_str().unwrap()], "");
    assert_eq!(ended.status, Some(0), "{}", ended.output);
    assert!(ended.output.ends_with("3 examples as expected, 0 not\n"), "{}", ended.output);

    let other =
        "examples:\n  - name: it\n    call: { provider: openai }\n    expect: { rule: checkout-chat }\n";
    let ended = rules(&["test", document.to_str().unwrap(), "-"], other);
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.output.contains("-:2: it: the rule is everything-else, expected checkout-chat"),
        "{}",
        ended.output
    );
    let told = json(&rules(&["test", document.to_str().unwrap(), "-", "--output", "json"], other));
    assert_eq!((&told["ok"], &told["examples"][0]["name"]), (&Value::from(false), &Value::from("it")));
}

#[test]
fn the_schema_is_the_one_that_is_checked_in() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let schema = std::fs::read_to_string(docs.join("rules.schema.json")).unwrap();
    assert_eq!(rules(&["schema"], "").output, schema);
    let reference = std::fs::read_to_string(docs.join("rules.md")).unwrap();
    assert!(reference.contains(rules(&["schema", "--of", "markdown"], "").output.trim_end()));
}
