//! Whatever document can be written is read as what was written: as JSON, as block YAML, and inside a ConfigMap.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use outrigger_providers::{services, translate};
use outrigger_rules::document::{
    Backup, Breaker, Capabilities, Count, Credential, CredentialKind, Deadlines, Exceeded, Factor, Failover,
    Format, Host, Label, MovedClasses, Percent, Provider, RetriedClasses, Retry, SecretFile, Switch, Text,
    Time, Version,
};
use outrigger_rules::{Document, Mode};
use proptest::option::of;
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;

fn label() -> impl Strategy<Value = Label> {
    "[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?".prop_map(Label)
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![1..5000u64, (1..86_400u64).prop_map(|seconds| seconds * 1000)]
        .prop_map(|milliseconds| Time(Duration::from_millis(milliseconds)))
}

fn percent() -> impl Strategy<Value = Percent> {
    (1..=100u8).prop_map(Percent)
}

fn backup() -> impl Strategy<Value = Backup> {
    let credential = ("[a-z]{1,8}(/[a-z]{1,8})?", of(Just(CredentialKind::Bearer)))
        .prop_map(|(file, kind)| Credential { file: Some(SecretFile(file)), env: None, kind });
    (
        0..services::ALL.len(),
        credential,
        of("[a-z]{1,8}\\.[a-z]{2,5}".prop_map(Host)),
        of("[ -~]{1,20}".prop_map(Text)),
        of(proptest::sample::select(translate::all_formats().collect::<Vec<_>>()).prop_map(Format)),
    )
        .prop_map(|(provider, credential, host, model, format)| Backup {
            provider: Provider(services::ALL[provider]),
            credential,
            host,
            deployment: None,
            region: None,
            project: None,
            model,
            format,
        })
}

/// The part of a rule that is not `match`, with the text of that.
fn rule() -> impl Strategy<Value = Value> {
    let matching = prop_oneof![
        Just(serde_json::json!({})),
        "[ -~]{1,20}".prop_map(|model| serde_json::json!({"model": model})),
        proptest::collection::vec("[ -~]{1,20}", 2..4)
            .prop_map(|hosts| serde_json::json!({"service": hosts})),
        "[ -~]{1,20}"
            .prop_map(|value| serde_json::json!({"headers": {"x-tier": value}, "provider": "openai"})),
    ];
    let deadlines = (of(time()), of(time()), of(prop_oneof![Just(Exceeded::Act), Just(Exceeded::Report)]))
        .prop_map(|(first_token, total, on_exceeded)| Deadlines {
            connect: None,
            response_head: None,
            first_token,
            between_tokens: None,
            total,
            on_exceeded,
        });
    let retry = (of(1..=5u32), of(percent()), any::<bool>()).prop_map(|(attempts, budget, when)| Retry {
        attempts: attempts.map(Count),
        when: when.then_some(RetriedClasses::DEFAULT),
        budget,
        backoff: None,
    });
    let breaker = (of(percent()), of(time()), of(1..=100u32)).prop_map(|(opens_at, window, consecutive)| {
        Breaker { opens_at, window, min_calls: None, consecutive: consecutive.map(Count), probe_every: None }
    });
    let failover = (proptest::collection::vec(label(), 0..3), of(1..=100_000u32), any::<bool>()).prop_map(
        |(to, max_price, rest)| Failover {
            to,
            when: rest.then_some(MovedClasses::DEFAULT),
            max_price: max_price.map(Factor),
            require: rest.then(|| Capabilities(vec![outrigger_pricing::Capability::StrictSchema])),
            continue_cut_streams: rest.then_some(Switch(false)),
        },
    );
    (label(), matching, of(deadlines), of(retry), of(breaker), of(failover)).prop_map(
        |(name, matching, deadlines, retry, breaker, failover)| {
            let mut rule = serde_json::json!({"name": name, "match": matching});
            let parts = [
                ("deadlines", deadlines.map(|part| serde_json::to_value(part).unwrap())),
                ("retry", retry.map(|part| serde_json::to_value(part).unwrap())),
                ("breaker", breaker.map(|part| serde_json::to_value(part).unwrap())),
                ("failover", failover.map(|part| serde_json::to_value(part).unwrap())),
            ];
            for (key, part) in parts {
                if let Some(part) = part {
                    rule[key] = part;
                }
            }
            rule
        },
    )
}

fn document() -> impl Strategy<Value = Value> {
    let mode = prop_oneof![Just(Mode::Passthrough), Just(Mode::Observe), Just(Mode::Act)];
    let backups = proptest::collection::btree_map(label(), backup(), 0..4);
    (of(mode), backups, proptest::collection::vec(rule(), 0..4), of(any::<bool>().prop_map(Switch))).prop_map(
        |(mode, backups, rules, response_headers): (_, BTreeMap<_, _>, _, _)| {
            let bare =
                Document { version: Version::READ, mode, backups, rules: Vec::new(), response_headers };
            let mut value = serde_json::to_value(bare).unwrap();
            value["rules"] = rules.into();
            value
        },
    )
}

/// YAML in blocks, texts in quotes.
fn block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                write!(out, "\n{pad}{}:", Value::from(&**key)).unwrap();
                block(value, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                write!(out, "\n{pad}-").unwrap();
                block(item, indent + 2, out);
            }
        }
        other => write!(out, " {other}").unwrap(),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in document()) {
        let json = value.to_string();
        let read = Document::read(json.as_bytes()).unwrap();
        let again = read.to_json();
        prop_assert_eq!(&Document::read(again.as_bytes()).unwrap(), &read);

        let mut blocks = String::new();
        block(&value, 0, &mut blocks);
        prop_assert_eq!(&Document::read(blocks.as_bytes()).unwrap(), &read);

        let mut manifest = "apiVersion: v1\nkind: ConfigMap\ndata:\n  rules.yaml: |".to_owned();
        for line in blocks.trim_start().lines() {
            write!(manifest, "\n    {line}").unwrap();
        }
        manifest.push('\n');
        prop_assert_eq!(&Document::read(manifest.as_bytes()).unwrap(), &read);

        // Nothing that was written is lost: keys of the value are keys of what is read.
        let kept: Value = serde_json::from_str(&again).unwrap();
        for (key, written) in value.as_object().unwrap() {
            let is_empty = written.as_object().is_some_and(|map| map.is_empty()) || written.as_array().is_some_and(|list| list.is_empty());
            prop_assert!(is_empty || kept.get(key).is_some(), "{} is lost", key);
        }
        prop_assert_eq!(kept.get("backups"), value.get("backups"));
    }

    /// In a ConfigMap a fault is told at the line of the manifest, moved by the block's indentation.
    #[test]
    fn faults_in_a_manifest_stand_where_they_are_written(value in document(), at in 0usize..1000, indent in 1usize..7) {
        let mut blocks = String::new();
        block(&value, 0, &mut blocks);
        let mut lines: Vec<String> = blocks.trim_start().lines().map(str::to_owned).collect();
        let tops: Vec<usize> = (0..lines.len()).filter(|at| !lines[*at].starts_with([' ', '-'])).collect();
        let place = tops[at % tops.len()];
        lines.insert(place, "mistyped: 1".to_owned());
        let alone = Document::read(lines.join("\n").as_bytes()).unwrap_err();
        prop_assert_eq!((alone.faults[0].line as usize, alone.faults[0].column), (place + 1, 1));

        let pad = " ".repeat(2 + indent);
        let inner: String = lines.iter().map(|line| format!("{pad}{line}\n")).collect();
        let manifest = format!("kind: ConfigMap\napiVersion: v1\ndata:\n  other: x\n  rules.yaml: |\n{inner}  more: y\n");
        let moved = Document::read(manifest.as_bytes()).unwrap_err();
        prop_assert_eq!(moved.faults.len(), alone.faults.len());
        for (moved, alone) in moved.faults.iter().zip(&alone.faults) {
            prop_assert_eq!((moved.line, moved.column), (alone.line + 5, alone.column + pad.len() as u32));
            prop_assert_eq!((&moved.path, &moved.text), (&alone.path, &alone.text));
        }
    }

    /// No text makes it stumble, and a document cut anywhere is refused or read, never half.
    #[test]
    fn a_text_that_is_cut_is_read_or_refused(value in document(), at in 0usize..10_000) {
        let mut blocks = String::new();
        block(&value, 0, &mut blocks);
        let cut: String = blocks.chars().take(at % (blocks.chars().count() + 1)).collect();
        if let Err(refused) = Document::read(cut.as_bytes()) {
            prop_assert!(!refused.faults.is_empty());
            for fault in &refused.faults {
                prop_assert!(fault.line >= 1 && fault.line as usize <= cut.lines().count() + 1, "{}", fault);
            }
        }
    }
}
