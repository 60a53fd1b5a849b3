//! What a policy decides, explains and refuses.

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};
use outrigger_pricing::PriceBook;
use outrigger_providers::{FailureClass, Operation};
use outrigger_rules::document::Exceeded;
use outrigger_rules::{Call, CredentialSource, Examples, Fault, Mode, Policy, Refused, Site, Translation};

/// 2026-11-16T12:00:00Z.
const NOW: i64 = 1_794_830_400;

fn site() -> Site<'static> {
    Site {
        book: PriceBook::builtin(),
        now: NOW,
        allowed_providers: None,
        in_cluster: false,
        gate: &Translation,
    }
}

fn policy(text: &str) -> Policy {
    let (policy, warnings) =
        Policy::read(text.as_bytes(), &site()).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(warnings, [], "{text}");
    policy
}

fn warnings(text: &str) -> Vec<String> {
    let (_, warnings) = Policy::read(text.as_bytes(), &site()).unwrap_or_else(|refused| panic!("{refused}"));
    warnings.iter().map(Fault::to_string).collect()
}

fn call<'a>(provider: &'a str, model: &'a str, headers: &'a HeaderMap) -> Call<'a> {
    Call {
        provider,
        host: "api.openai.com",
        model: Some(model),
        operation: Operation::Chat,
        headers,
        service: Some("shop"),
    }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs =
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    pairs.collect()
}

/// The rule that decides a call under one `match`.
fn matches(matching: &str, call: &Call<'_>) -> bool {
    let text = format!("version: 1\nrules:\n  - name: it\n    match: {matching}\n");
    policy(&text).decide(call).is_some()
}

#[test]
fn every_condition_holds_for_its_calls_only() {
    let none = HeaderMap::new();
    let paid = headers(&[("x-tier", "paid"), ("x-tier", "gold"), ("x-team", "a")]);
    let plain = call("openai", "gpt-6.1-terra", &none);
    for (matching, call, holds) in [
        ("{}", plain, true),
        ("{ provider: openai }", plain, true),
        ("{ provider: [anthropic, openai] }", plain, true),
        ("{ provider: anthropic }", plain, false),
        ("{ model: gpt-6.1-terra }", plain, true),
        ("{ model: gpt-6.1 }", plain, false),
        ("{ model: \"gpt-*-terra\" }", plain, true),
        ("{ model: [o3, \"*-luna\"] }", plain, false),
        ("{ model: \"*\" }", Call { model: None, ..plain }, false),
        ("{ operation: chat }", plain, true),
        ("{ operation: [embeddings, rerank] }", plain, false),
        ("{ host: \"*.OpenAI.com\" }", plain, true),
        ("{ host: eu.api.openai.com }", plain, false),
        ("{ service: sh* }", plain, true),
        ("{ service: \"*\" }", Call { service: None, ..plain }, false),
        ("{ headers: { X-Tier: paid } }", call("openai", "o3", &paid), true),
        ("{ headers: { x-tier: [free, gold] } }", call("openai", "o3", &paid), true),
        ("{ headers: { x-tier: \"*\", x-team: a } }", call("openai", "o3", &paid), true),
        ("{ headers: { x-tier: paid, x-team: b } }", call("openai", "o3", &paid), false),
        ("{ headers: { x-tier: \"*\" } }", plain, false),
        ("{ provider: openai, model: o3 }", plain, false),
    ] {
        assert_eq!(matches(matching, &call), holds, "{matching}");
    }
}

const DOCUMENT: &str = "version: 1
mode: act
backups:
  eu: { provider: openai, host: eu.api.openai.com, credential: { env: KEY } }
  claude: { provider: anthropic, model: claude-sonnet-5-5, credential: { file: a/key, kind: bearer } }
rules:
  - { name: paid, match: { headers: { x-tier: paid } }, failover: { to: [claude, eu] } }
  - name: all
    match: {}
    deadlines: { firstToken: 3s, total: 1m, onExceeded: report }
    retry: { attempts: 3 }
";

#[test]
fn the_first_match_decides_and_the_explanation_says_why() {
    let policy = policy(DOCUMENT);
    let (none, paid) = (HeaderMap::new(), headers(&[("x-tier", "paid")]));
    let decides = |headers| policy.decide(&call("openai", "o3", headers)).map(|rule| rule.name.to_string());
    assert_eq!(decides(&paid).as_deref(), Some("paid"));
    assert_eq!(decides(&none).as_deref(), Some("all"));
    assert!(policy.may_act(&policy.candidates(&call("openai", "o3", &none))));

    let explanation = policy.explain(&call("openai", "o3", &none), &site());
    assert_eq!(explanation.rule.as_deref(), Some("all"));
    assert_eq!(explanation.passed_over[0].because, ["it has no header x-tier"]);
    let text = explanation.to_string();
    for part in [
        "rule all decides this call",
        "passed over   paid: it has no header x-tier",
        "3 attempts",
        "firstToken 3s (report)",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = serde_json::to_value(policy.explain(&call("openai", "o3", &paid), &site())).unwrap();
    let backups: Vec<&str> = json["plan"]["places"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|place| place["backup"].as_str())
        .collect();
    assert_eq!(backups, ["claude", "eu"]);
    assert_eq!(json["plan"]["breaker"]["consecutive"], 3);
    // A backup that names no model answers with the one that was asked for.
    assert_eq!(json["plan"]["places"][2]["model"], "o3");
}

#[test]
fn what_is_not_written_has_its_default_and_unwritten_deadlines_only_report() {
    let policy = policy(DOCUMENT);
    let (paid, all) = (&policy.rules[0], &policy.rules[1]);
    assert!(paid.acts() && all.acts());
    assert!(
        paid.deadlines
            .named()
            .iter()
            .all(|(_, deadline)| !deadline.written && deadline.exceeded == Exceeded::Report)
    );
    assert!(all.deadlines.first_token.written && all.deadlines.first_token.exceeded == Exceeded::Report);
    let retry = all.retry.unwrap();
    assert_eq!((retry.attempts, retry.budget, retry.jitter), (3, 20, 50));
    assert!(retry.when.contains(FailureClass::Overloaded) && !retry.when.contains(FailureClass::Quota));
    let failover = paid.failover.as_ref().unwrap();
    assert!(
        failover.when.contains(FailureClass::Quota) && !failover.when.contains(FailureClass::Authentication)
    );
    assert!(!failover.continue_cut_streams && paid.retry.is_none());
    assert_eq!(paid.breaker, all.breaker);
    let act = "version: 1\nrules:\n  - { name: a, match: {}, deadlines: { total: 5s } }\n";
    assert_eq!(self::policy(act).rules[0].deadlines.total.exceeded, Exceeded::Act);
    assert!(self::policy(act).rules[0].breaker.is_none());
}

#[test]
fn the_backups_are_all_places_a_prompt_may_go_each_with_its_address_and_credential() {
    let policy = policy(
        "version: 1
backups:
  frankfurt: { provider: bedrock, region: eu-central-1, model: anthropic.claude-sonnet-5-5, credential: { file: aws } }
  endpoint: { provider: bedrock, host: bedrock-runtime.us-east-1.amazonaws.com, model: anthropic.claude-sonnet-5-5, credential: { file: aws } }
  iowa: { provider: vertex, region: us-central1, project: shop, credential: { file: google.json } }
  eu: { provider: openai, host: EU.api.openai.com, credential: { env: KEY } }
rules:
  - { name: all, match: {}, failover: { to: [frankfurt, endpoint, iowa, eu] } }
",
    );
    let told: Vec<_> = policy
        .targets
        .iter()
        .map(|target| (&*target.name, &*target.host, target.credential.kind.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("frankfurt", "bedrock-runtime.eu-central-1.amazonaws.com", "aws_sigv4"),
            ("endpoint", "bedrock-runtime.us-east-1.amazonaws.com", "aws_sigv4"),
            ("iowa", "us-central1-aiplatform.googleapis.com", "google_service_account"),
            ("eu", "eu.api.openai.com", "api_key"),
        ]
    );
    // A signature names it.
    let region = |at: usize| policy.targets[at].region.as_deref();
    assert_eq!((region(0), region(1), region(3)), (Some("eu-central-1"), Some("us-east-1"), None));
    assert_eq!(policy.targets[3].credential.source, CredentialSource::Variable("KEY".into()));
}

#[test]
fn a_backup_may_say_in_which_format_conversations_are_asked_there() {
    let policy = policy(
        "version: 1
backups:
  responses: { provider: openai, model: gpt-6.1-terra, format: openai_responses, credential: { file: key } }
  usual: { provider: openai, model: gpt-6.1-terra, credential: { file: key } }
rules:
  - { name: all, match: {}, failover: { to: [responses, usual] } }
",
    );
    let formats: Vec<_> = policy.targets.iter().map(|target| target.format).collect();
    assert_eq!(formats, [Some("openai_responses"), None]);
    let none = HeaderMap::new();
    let explained = |operation| {
        let call = Call { operation, ..call("anthropic", "claude-opus-5-5", &none) };
        policy.explain(&call, &site())
    };
    let chat = explained(Operation::Chat);
    let formats: Vec<_> = chat.plan.iter().flat_map(|plan| &plan.places).map(|place| place.format).collect();
    assert_eq!(formats, [None, Some("openai_responses"), None]);
    let text = chat.to_string();
    assert!(text.contains("at api.openai.com, gpt-6.1-terra, in openai_responses\n"), "{text}");
    let text = explained(Operation::Image).to_string();
    assert!(!text.contains("openai_responses"), "it is about conversations alone: {text}");
}

#[test]
fn a_provider_may_be_called_by_its_product_too_and_stands_by_its_id() {
    let text = "version: 1\nbackups:\n  eu: { provider: azure_openai, host: shop-eu.openai.azure.com, deployment: terra, model: gpt-6.1-terra, credential: { file: a } }\n\
                rules:\n  - { name: a, match: { provider: [azure_openai] }, failover: { to: [eu] } }\n";
    let policy = policy(text);
    assert_eq!(policy.targets[0].provider.id, "azure");
    let none = HeaderMap::new();
    assert!(policy.decide(&call("azure", "gpt-5", &none)).is_some());
    // The ceiling knows it by both words too.
    for allowed in ["azure", "azure_openai"] {
        let allowed = [allowed.to_owned()];
        Policy::read(text.as_bytes(), &Site { allowed_providers: Some(&allowed), ..site() }).unwrap();
    }
}

fn refused(text: &str, site: &Site<'_>) -> Refused {
    Policy::read(text.as_bytes(), site).unwrap_err()
}

#[test]
fn the_ceiling_and_the_cluster_refuse_what_the_document_may_not() {
    let allowed = ["openai".to_owned()];
    let told = refused(DOCUMENT, &Site { allowed_providers: Some(&allowed), ..site() }).to_string();
    assert!(
        told.contains("5:23: backups.claude.provider: anthropic is not among the allowed providers (openai)"),
        "{told}"
    );
    let told = refused(DOCUMENT, &Site { in_cluster: true, ..site() }).to_string();
    assert!(
        told.contains("backups.eu.credential.env: in a cluster credentials come from files only"),
        "{told}"
    );
}

#[test]
fn what_is_doubtful_is_told_and_runs() {
    let head = "version: 1\nbackups:\n  eu: { provider: openai, host: llm.shop.example, credential: { file: k } }\nrules:\n";
    for (rules, said) in [
        (
            "  - { name: a, match: {}, failover: { to: [eu] } }\n  - { name: b, match: { model: o3 } }\n",
            "6:16: warning: rules[1].match: no call comes this far: rules[0] (`a`) matches every call",
        ),
        (
            "  - { name: a, match: { model: o3 }, failover: { to: [eu] } }\n  - { name: b, match: { model: o3, provider: openai } }\n",
            "matches every call that this one does",
        ),
        ("  - { name: a, match: {} }\n", "3:3: warning: backups.eu: no rule fails over to `eu`"),
        (
            "  - { name: a, match: {}, retry: { attempts: 1 }, failover: { to: [eu] } }\n",
            "rules[0].retry.attempts: one attempt is no retry",
        ),
        (
            "  - { name: a, match: {}, failover: { to: [eu] } }\n",
            "3:33: warning: backups.eu.host: llm.shop.example is not known as a host of openai",
        ),
    ] {
        let told = warnings(&format!("{head}{rules}"));
        assert!(told.iter().any(|told| told.contains(said)), "{said}: {told:?}");
    }
    let told = warnings("version: 1\nmode: act\nrules: [{ name: a, match: {} }]\n");
    assert!(told[0].contains("2:7: warning: mode: the mode is `act`, and no rule does anything"), "{told:?}");
}

#[test]
fn limits_leave_out_what_is_dearer_or_not_known_to_be_able() {
    let text = |limits: &str| {
        format!(
            "version: 1
backups:
  mini: {{ provider: openai, host: eu.api.openai.com, model: gpt-5-mini, credential: {{ file: k }} }}
  pro: {{ provider: openai, host: us.api.openai.com, model: gpt-5-pro, credential: {{ file: k }} }}
rules:
  - {{ name: all, match: {{ provider: openai }}, failover: {{ to: [mini, pro]{limits} }} }}
"
        )
    };
    let none = HeaderMap::new();
    let left_out = |limits: &str, model: Option<&str>| -> Vec<Option<String>> {
        let call = Call { model, ..call("openai", "", &none) };
        let plan = policy(&text(limits)).explain(&call, &site()).plan.unwrap();
        plan.places.into_iter().skip(1).map(|place| place.left_out).collect()
    };
    assert_eq!(left_out("", Some("gpt-5")), [None, None]);
    let dear = left_out(", maxPrice: 2x", Some("gpt-5"));
    assert_eq!(dear[0], None);
    assert!(
        dear[1]
            .as_ref()
            .is_some_and(|why| why.contains("gpt-5-pro costs ") && why.contains("2x is the most")),
        "{dear:?}"
    );
    let unknown = left_out(", maxPrice: 2x", Some("nobody-knows"));
    assert!(
        unknown.iter().all(|why| why.as_ref().is_some_and(|why| why.contains("is not known"))),
        "{unknown:?}"
    );
    let nameless = left_out(", maxPrice: 2x", None);
    assert!(nameless.iter().all(Option::is_some), "{nameless:?}");
}

#[test]
fn a_newer_minor_version_is_read_without_what_it_brought_and_without_what_that_restricted() {
    let text = DOCUMENT
        .replace("version: 1", "version: 1.7\nlater: { a: 1 }")
        .replace("retry: { attempts: 3 }", "retry: { attempts: 3, patience: 1 }\n    guard: {}");
    let (policy, warnings) = Policy::read(text.as_bytes(), &site()).unwrap();
    assert_eq!((policy.rules.len(), policy.version.minor), (2, 7));
    let paths: Vec<&str> = warnings.iter().map(|fault| &*fault.path).collect();
    assert_eq!(paths, ["later", "rules[1].retry.patience", "rules[1].guard"]);
    let text = text.replace("headers: {", "color: red, headers: {");
    let (policy, _) = Policy::read(text.as_bytes(), &site()).unwrap();
    assert_eq!(policy.rules.iter().map(|rule| &*rule.name).collect::<Vec<_>>(), ["all"]);
    let text = DOCUMENT
        .replace("version: 1", "version: 1.7")
        .replace("to: [claude, eu]", "to: [claude, eu], notOn: sunday");
    let (policy, _) = Policy::read(text.as_bytes(), &site()).unwrap();
    assert!(policy.rules[0].failover.is_none() && policy.rules.len() == 2);
    // Under this version each of them is refused.
    let told = refused(&text.replace("version: 1.7", "version: 1"), &site()).to_string();
    assert!(told.contains("rules[0].failover.notOn: there is no key `notOn` here"), "{told}");
}

#[test]
fn the_hash_is_that_of_the_document_wherever_it_stands() {
    let inner: String = DOCUMENT.lines().map(|line| format!("    {line}\n")).collect();
    let manifest = format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  rules.yaml: |\n{inner}");
    assert_eq!(policy(&manifest).hash, policy(DOCUMENT).hash);
    assert_ne!(policy(&DOCUMENT.replace("3s", "4s")).hash, policy(DOCUMENT).hash);
    // sha256sum of "version: 1\n".
    assert_eq!(
        &*policy("version: 1\n").hash,
        "09bfcc6a14b83e2192b8673677725c84883ee9cd0c70e45c9ec09daa8f2b2847"
    );
    assert_eq!((policy("version: 1\n").mode, Policy::observe().mode), (Mode::Observe, Mode::Observe));
}

#[test]
fn no_secret_of_a_document_is_repeated() {
    let secret = "sk-live-0123456789abcdef";
    for credential in [
        secret.to_owned(),
        format!("[{secret}]"),
        format!("{{ env: {secret} }}"),
        format!("{{ env: [{secret}] }}"),
    ] {
        let text = format!("version: 1\nbackups:\n  a: {{ provider: openai, credential: {credential} }}\n");
        let told = refused(&text, &site()).to_string();
        assert!(!told.contains("sk-live"), "{told}");
    }
}

#[test]
fn every_example_is_good_and_its_table_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/rules");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().ends_with(".test.yaml") {
            continue;
        }
        count += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let policy = policy(&text);
        assert!(
            text.starts_with("# yaml-language-server: $schema=../../docs/rules.schema.json\n"),
            "{path:?}"
        );
        let table = std::fs::read(path.with_extension("test.yaml")).unwrap();
        let (table, lines) = Examples::read(&table).unwrap();
        for (example, line) in table.examples.iter().zip(lines) {
            let outcome = example.run(line, &policy, &site());
            assert!(outcome.differences.is_empty(), "{path:?}: {outcome:?}");
        }
    }
    assert!(count >= 3, "{count}");
}

#[test]
fn an_example_that_differs_says_in_what() {
    let table = b"examples:\n  - name: it\n    call: { provider: openai, headers: { x-tier: paid } }\n    expect: { rule: all, targets: [eu], attempts: 2, deadlines: { firstToken: 9s } }\n";
    let (table, lines) = Examples::read(table).unwrap();
    let outcome = table.examples[0].run(lines[0], &policy(DOCUMENT), &site());
    assert_eq!(outcome.line, 2);
    assert_eq!(
        outcome.differences,
        [
            "the rule is paid, expected all",
            "the list of targets is [claude, eu], expected [eu]",
            "the number of attempts is 1, expected 2",
            "deadlines.firstToken is 1m, expected 9s",
        ]
    );
    let told = Examples::read(b"examples: [{ name: it, call: { provider: open }, expect: { rules: a } }]")
        .unwrap_err()
        .to_string();
    assert!(told.contains("examples[0].call.provider") && told.contains("did you mean `rule`?"), "{told}");
}

#[test]
fn before_its_body_is_read_a_call_may_be_any_rules_that_asks_for_a_model() {
    let document = "version: 1
mode: act
rules:
  - { name: watched, match: { provider: anthropic }, deadlines: { total: 1m, onExceeded: report } }
  - { name: mini, match: { provider: [openai, anthropic], model: '*-mini' }, retry: {} }
  - { name: rest, match: { operation: embeddings }, retry: {} }
";
    let policy = policy(document);
    let none = HeaderMap::new();
    let may = |provider, model| {
        let with_model = call(provider, "", &none);
        policy.may_act(&policy.candidates(&Call { model, ..with_model }))
    };
    assert!(may("openai", None) && may("openai", Some("gpt-5-mini")));
    assert!(!may("openai", Some("gpt-5")), "where the path names the model it decides");
    assert!(!may("anthropic", None), "a rule above it decides for certain, and only reports");
    assert!(!may("mistral", None));
}

#[test]
fn the_rule_that_decides_is_the_same_whether_the_model_is_known_at_once_or_later() {
    let document = "version: 1
mode: act
rules:
  - { name: mini, match: { provider: openai, model: '*-mini' }, retry: {} }
  - { name: azure, match: { provider: azure }, retry: {} }
  - { name: paid, match: { model: 'gpt-*', headers: { x-tier: paid } }, retry: {} }
  - { name: any, match: { model: ['gpt-*', o3] }, retry: {} }
  - { name: rest, match: {}, retry: {} }
";
    let policy = policy(document);
    let none = HeaderMap::new();
    for provider in ["openai", "azure", "mistral"] {
        for model in [None, Some("gpt-5"), Some("gpt-5-mini"), Some("o3"), Some("large")] {
            let asked = |model| Call { model, ..call(provider, "", &none) };
            let at_once = policy.decide(&asked(model)).map(|rule| &*rule.name);
            for known in [None, model] {
                let later = policy.decided(&policy.candidates(&asked(known)), model);
                assert_eq!(later.map(|place| &*policy.rules[place].name), at_once, "{provider} {model:?}");
            }
        }
    }
}
