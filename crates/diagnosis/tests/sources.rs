//! A verdict on a key names the variables and secrets that it may come from, as a guess, and never what they hold.

use outrigger_diagnosis::{Change, FilledBy, Injected, KeySources, Kind, Verdict};

use crate::support::{Answer, App, BAD_KEY, GOOD_KEY, error};

/// What is said when this key is refused, once it has worked or not.
fn refused(sources: KeySources, key: &'static str, worked: bool) -> Verdict {
    let mut app = App::new();
    app.diagnosis = app.diagnosis.with_key_sources(sources);
    app.key = key;
    if worked {
        assert_eq!(app.call(&Answer::Good), []);
    }
    let changes = app.call(&Answer::Error(401, &error("invalid_api_key")));
    let [Change::Began(verdict)] = &changes[..] else { panic!("{changes:?}") };
    let line = verdict.to_string();
    assert!(!line.contains("0123456789"), "{line}");
    verdict.clone()
}

fn environment(variables: &[(&str, &str)]) -> KeySources {
    let sources = KeySources::of_environment(variables.iter().copied());
    let kept = format!("{sources:?}");
    assert!(variables.iter().all(|(_, value)| value.is_empty() || !kept.contains(value)), "{kept}");
    sources
}

fn injected(container: &str, variable: &str, filled_by: FilledBy) -> Injected {
    Injected { container: container.to_owned(), variable: variable.to_owned(), filled_by }
}

fn secret(key: &str) -> FilledBy {
    FilledBy::Secret("llm-keys".to_owned(), key.to_owned())
}

#[test]
fn the_variable_that_holds_the_key_is_named_whatever_it_is_called() {
    let elsewhere = ("OPENAI_API_KEY", GOOD_KEY);
    for (name, value) in [
        ("TIDE_LLM_TOKEN", BAD_KEY.to_owned()),
        ("TIDE_LLM_TOKEN", format!(" {BAD_KEY}\n")),
        ("TIDE_LLM_HEADER", format!("Bearer {BAD_KEY}")),
    ] {
        let verdict = refused(environment(&[elsewhere, (name, &value)]), BAD_KEY, false);
        assert_eq!(verdict.kind, Kind::MistypedKey);
        let said = format!("compare the key in {name} of the calling process (a guess: it holds this key)");
        assert!(verdict.next_step.starts_with(&said), "{}", verdict.next_step);
    }
    let verdict = refused(environment(&[("TIDE_LLM_TOKEN", BAD_KEY)]), BAD_KEY, true);
    assert_eq!(verdict.kind, Kind::RevokedKey);
    assert!(verdict.next_step.contains("into TIDE_LLM_TOKEN of the calling"), "{}", verdict.next_step);
}

#[test]
fn of_several_that_hold_it_the_usual_one_comes_first_and_three_are_enough() {
    let names = ["A", "B", "C", "TEAM_OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"];
    let variables: Vec<_> = names.into_iter().map(|name| (name, BAD_KEY)).collect();
    let verdict = refused(environment(&variables), BAD_KEY, false);
    assert!(verdict.next_step.contains(" TEAM_OPENAI_API_KEY or A or AZURE_OPENAI_API_KEY of"), "{verdict}");
}

#[test]
fn where_no_variable_holds_it_that_is_said() {
    for variables in [&[][..], &[("OPENAI_API_KEY", GOOD_KEY)], &[("OPENAI_API_KEY", "")]] {
        let verdict = refused(environment(variables), BAD_KEY, false);
        let said = "no variable that it was started with holds this key; OPENAI_API_KEY is usual";
        assert!(verdict.next_step.contains(said), "{}", verdict.next_step);
    }
    // A name that would begin a line of its own is none.
    let verdict = refused(environment(&[("X\nOPENAI_API_KEY", BAD_KEY)]), BAD_KEY, false);
    assert!(verdict.next_step.contains("no variable that it was started with"), "{}", verdict.next_step);
}

#[test]
fn a_key_of_another_provider_is_found_where_it_is() {
    let key = "sk-ant-api03-0123456789-qrst";
    let verdict = refused(environment(&[("ANTHROPIC_API_KEY", key)]), key, false);
    assert_eq!(verdict.kind, Kind::KeyOfAnotherProvider);
    let said = "put a key of openai into OPENAI_API_KEY of the calling process; ANTHROPIC_API_KEY holds the one that was sent";
    assert!(verdict.next_step.contains(said), "{}", verdict.next_step);
}

#[test]
fn what_the_injector_recorded_is_offered_by_the_providers_usual_names() {
    let recorded = [
        injected("app", "*", FilledBy::WholeSecret("more".to_owned())),
        injected("app", "ANTHROPIC_API_KEY", secret("anthropic")),
        injected("app", "AZURE_OPENAI_API_KEY", secret("azure")),
        injected("app", "OPENAI_API_KEY", secret("openai")),
        injected("worker", "OPENAI_API_KEY_2", FilledBy::Pod),
        injected("app\nOPENAI_API_KEY", "OPENAI_API_KEY", FilledBy::Pod),
        injected("app", "OPENAI_API_KEY_3", secret("two\nlines")),
    ];
    let next_step = |recorded: &[Injected]| {
        refused(KeySources::of_injector(recorded.iter().cloned()), BAD_KEY, false).next_step
    };
    let said = "compare the key in OPENAI_API_KEY of container app, filled by openai of Secret llm-keys, or OPENAI_API_KEY_2 of \
                container worker, written in the pod (a guess by names) with the one at the provider";
    assert_eq!(next_step(&recorded), said);
    // Where no variable is called so, it may be any of those that a Secret brings in.
    let said = "compare the key in a variable of container app that Secret more brings in (a guess by names) with the one at the \
                provider";
    assert_eq!(next_step(&recorded[..3]), said);
    // Variables of other providers tell nothing, and what is usual is told.
    let said = "compare the key in OPENAI_API_KEY of the calling process with the one at the provider";
    assert_eq!(next_step(&recorded[1..3]), said);
}
