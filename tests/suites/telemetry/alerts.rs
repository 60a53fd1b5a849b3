//! The alert rules of the chart: as text, under `promtool`, and all the way from a fault to a notification and its end.

use std::collections::BTreeSet;

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use outrigger_simulator::{Answer, ErrorKind, Rule, Script};
use outrigger_tests::alertmanager::Alertmanager;
use outrigger_tests::chart::{self, Parameters};
use outrigger_tests::file;
use outrigger_tests::http::post;
use outrigger_tests::prometheus::{Prometheus, promtool};
use outrigger_tests::sidecar::Volumes;
use serde_json::json;
use yaml_rust2::{Yaml, YamlLoader};

use crate::{KEY, observed, simulator};

/// The rules of all files, filled in.
fn rules(parameters: &Parameters) -> Vec<Yaml> {
    let mut rules = Vec::new();
    for file in chart::rules() {
        let text = parameters.fill(&std::fs::read_to_string(&file).expect("rules"));
        for group in yaml(&text)["groups"].as_vec().expect("groups") {
            rules.extend(group["rules"].as_vec().expect("rules").iter().cloned());
        }
    }
    rules
}

/// What every rule is called, its expression, and whether it records something.
pub(crate) fn expressions(parameters: &Parameters) -> Vec<(String, String, bool)> {
    let read = |rule: &Yaml| {
        let record = rule["record"].as_str();
        let name = record.or(rule["alert"].as_str()).expect("a name");
        (name.to_owned(), rule["expr"].as_str().expect("an expression").to_owned(), record.is_some())
    };
    rules(parameters).iter().map(read).collect()
}

fn yaml(text: &str) -> Yaml {
    YamlLoader::load_from_str(text).expect("YAML").remove(0)
}

/// The names of all alerts.
fn alerts() -> BTreeSet<String> {
    rules(&Parameters::chart()).iter().filter_map(|rule| rule["alert"].as_str().map(str::to_owned)).collect()
}

#[test]
fn promtool_finds_nothing_wrong_and_every_unit_test_passes() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let files = Parameters::chart().write_rules(directory.path());
    let (good, said) = promtool(&["check", "rules", "--lint-fatal"], &files);
    assert!(good, "{said}");
    // Tests name the files of rules as their neighbours.
    let mut tests = Vec::new();
    for test in chart::list(&file("suites/telemetry/rules"), "yaml") {
        let copy = directory.path().join(test.file_name().expect("a file"));
        std::fs::copy(&test, &copy).expect("a temporary file");
        tests.push(copy);
    }
    let (good, said) = promtool(&["test", "rules"], &tests);
    assert!(good, "{said}");
}

#[test]
fn every_alert_is_shown_firing_and_not_firing() {
    let (mut fires, mut keeps_still) = (BTreeSet::new(), BTreeSet::new());
    for test in chart::list(&file("suites/telemetry/rules"), "yaml") {
        let text = std::fs::read_to_string(&test).expect("a test");
        for one in yaml(&text)["tests"].as_vec().expect("tests") {
            for question in one["alert_rule_test"].as_vec().into_iter().flatten() {
                let name = question["alertname"].as_str().expect("an alert's name").to_owned();
                let expected = question["exp_alerts"].as_vec().is_some_and(|alerts| !alerts.is_empty());
                if expected {
                    fires.insert(name)
                } else {
                    keeps_still.insert(name)
                };
            }
        }
    }
    assert_eq!(fires, alerts());
    assert_eq!(keeps_still, alerts());
}

#[test]
fn every_alert_says_how_bad_it_is_who_is_concerned_and_where_to_read_on() {
    for rule in rules(&Parameters::chart()).iter().filter(|rule| !rule["alert"].is_badvalue()) {
        let name = rule["alert"].as_str().expect("a name");
        assert!(name.starts_with("Outrigger"), "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        let told = |key: &str| rule["annotations"][key].as_str().unwrap_or_default().to_owned();
        // What concerns a provider names it and its model; what concerns the instruments names what is concerned.
        let expression = rule["expr"].as_str().expect("an expression");
        if expression.contains("provider, model") || expression.contains("outrigger:") {
            for label in ["$labels.provider", "$labels.model"] {
                assert!(told("summary").contains(label), "{name} does not name {label}");
            }
        } else {
            assert!(told("summary").contains("$labels."), "{name} names nothing");
        }
        let description = told("description");
        assert!(description.contains("$value") || description.contains("| value"), "{name} tells no number");
        let page = format!("{}/{name}.md", Parameters::chart().fill("${runbook_base}"));
        assert_eq!(told("runbook_url"), page);
    }
}

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() {
    let pages = chart::list(&file("../docs/runbooks"), "md");
    let name = |page: &std::path::PathBuf| page.file_stem().expect("a name").to_string_lossy().into_owned();
    let named: BTreeSet<String> = pages.iter().map(name).filter(|name| name != "README").collect();
    assert_eq!(named, alerts());
    let index = std::fs::read_to_string(file("../docs/runbooks/README.md")).expect("the list of pages");
    for page in pages.iter().filter(|page| name(page) != "README") {
        let text = std::fs::read_to_string(page).expect("a page");
        let name = name(page);
        assert!(text.starts_with(&format!("# {name}\n")), "{name}: another title");
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, ["## What it means", "## How to see it", "## What to do"], "{name}");
        assert!(index.contains(&format!("({name}.md)")), "{name} is not in the list");
    }
}

#[test]
fn every_critical_verdict_is_one_that_there_is() {
    let verdicts = std::fs::read_to_string(file("../docs/diagnosis.md")).expect("the page about verdicts");
    for verdict in Parameters::chart().fill("${critical_verdicts}").split('|') {
        assert!(verdicts.contains(&format!("| `{verdict}` |")), "there is no verdict {verdict}");
    }
}

#[test]
fn a_prometheus_rule_is_the_same_text_under_its_spec() {
    for file in chart::rules() {
        let text = Parameters::chart().fill(&std::fs::read_to_string(&file).expect("rules"));
        let indented: String = text.lines().map(|line| format!("  {line}\n")).collect();
        let wrapped = yaml(&format!("kind: PrometheusRule\nspec:\n{indented}"));
        assert_eq!(wrapped["spec"], yaml(&text), "{}", file.display());
    }
}

#[test]
fn every_parameter_is_used_and_the_documented_sed_fills_them_in_alike() {
    let read = |path: &std::path::PathBuf| std::fs::read_to_string(path).expect("a file of the chart");
    let files: Vec<_> = chart::rules().into_iter().chain(chart::dashboards()).collect();
    let texts: Vec<String> = files.iter().map(read).collect();
    let parameters = Parameters::chart();
    for name in parameters.names() {
        let placeholder = format!("${{{name}}}");
        assert!(texts.iter().any(|text| text.contains(&placeholder)), "{name} is used nowhere");
    }
    let docs = std::fs::read_to_string(file("../docs/alerts.md")).expect("the page about alerts");
    let command = docs.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a command");
    let out = tempfile::tempdir().expect("a temporary directory");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-euc", command]).current_dir(file("..")).env("OUT", out.path());
    let ran = shell.output().expect("a shell");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    for rules in chart::rules() {
        let written = std::fs::read_to_string(out.path().join(rules.file_name().expect("a file")));
        assert_eq!(written.expect("a filled file"), parameters.fill(&read(&rules)));
    }
}

/// A provider answers 500 to every second call, until it does not.
#[test]
fn a_fault_becomes_an_alert_and_its_end_the_alerts_end() {
    let squall = Rule {
        every: Some(2),
        answer: Answer { error: Some(ErrorKind::ServerError), ..Answer::default() },
        ..Rule::default()
    };
    let simulator = simulator(vec![squall]);
    let (alertmanager, volumes) = (Alertmanager::start(), Volumes::new());
    let (sidecar, metrics) = observed(&volumes, &simulator, &[]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let parameters = [
        ("interval", "1s"),
        ("short_window", "10s"),
        ("long_window", "20s"),
        ("runbook_base", "https://ops.example/runbooks"),
    ];
    let parameters = parameters.iter().fold(Parameters::chart(), |all, (name, value)| all.with(name, value));
    let rules = parameters.write_rules(directory.path());
    let prometheus = Prometheus::start(&[metrics], &rules, Some(alertmanager.address));

    let (stop, stopped) = channel::<()>();
    let address = sidecar.base_url();
    let app = std::thread::spawn(move || {
        let asked = json!({"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Ahoy"}]});
        let key = format!("Bearer {KEY}");
        let mut statuses = BTreeSet::new();
        while stopped.recv_timeout(Duration::from_millis(50)) == Err(RecvTimeoutError::Timeout) {
            let answer = post(address, "/openai/v1/chat/completions", &[("Authorization", &key)], &asked);
            statuses.insert(answer.expect("the sidecar answers").0);
        }
        statuses
    });

    let name = "OutriggerErrorRateSpike";
    let told = alertmanager.notified(name, "firing");
    let labels =
        json!({"alertname": name, "severity": "critical", "provider": "openai", "model": "gpt-5-mini"});
    assert_eq!(told["labels"], labels);
    let alert = alertmanager.alert(name);
    assert_eq!((&alert["labels"], &alert["status"]["state"]), (&labels, &json!("active")));
    assert_eq!(alert["annotations"]["summary"], "openai fails calls to gpt-5-mini");
    assert_eq!(alert["annotations"]["runbook_url"], format!("https://ops.example/runbooks/{name}.md"));
    let description = alert["annotations"]["description"].as_str().expect("a description");
    assert!(description.contains("in the last 10s"), "{description}");
    let share = prometheus.wait_for("outrigger:failed_share:long");
    assert_eq!(share[0]["metric"]["provider"], "openai", "{share:?}");

    simulator.follow(Script::default());
    let told = alertmanager.notified(name, "resolved");
    assert_eq!(told["labels"], labels);
    assert!(told["endsAt"].as_str() > told["startsAt"].as_str(), "{told}");
    drop(stop);
    assert_eq!(app.join().expect("the app ends"), BTreeSet::from([200, 500]));
    assert!(sidecar.end().status.success());
}
