use serde_json::{Value, json};

use super::*;

/// The variables that a container has afterwards, as `NAME=value` or `NAME<-reference`, and the notes.
fn planned(mode: Mode, java: bool, container: Value) -> (Vec<String>, Vec<String>) {
    let plan = plan(&container, mode, java, false, true);
    let notes = plan.notes.clone();
    let mut patcher = Patcher::new(container);
    plan.apply(&mut patcher, "");
    let variables = list(patcher.document(), "env").iter().map(|one| match one["valueFrom"].as_object() {
        Some(_) => format!("{}<-", text(one, "name")),
        None => format!("{}={}", text(one, "name"), text(one, "value")),
    });
    (variables.collect(), notes)
}

fn secret(name: &str, optional: bool) -> Value {
    json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": optional}}})
}

#[test]
fn by_default_only_what_adds_is_set() {
    let (variables, notes) = planned(Mode::Transparent, false, json!({"env": [{"name": "A", "value": "1"}]}));
    assert_eq!(
        variables,
        [
            "A=1",
            "SSL_CERT_DIR=/var/run/outrigger/trust/hashed:/etc/ssl/certs:/etc/pki/tls/certs:/etc/pki/ca-trust/extracted/pem/directory-hash",
            "NODE_EXTRA_CA_CERTS=/var/run/outrigger/trust/additions.pem",
            "DENO_CERT=/var/run/outrigger/trust/additions.pem",
        ]
    );
    assert_eq!(notes, Vec::<String>::new());
}

#[test]
fn what_the_user_wrote_stays_and_is_said() {
    let env = json!([
        {"name": "NODE_EXTRA_CA_CERTS", "value": "/theirs.pem"}, {"name": "DENO_CERT", "value": ""},
        {"name": "SSL_CERT_FILE", "value": "/bundle.pem"},
    ]);
    let (variables, notes) = planned(Mode::Transparent, false, json!({"env": env}));
    assert_eq!(variables, ["NODE_EXTRA_CA_CERTS=/theirs.pem", "DENO_CERT=", "SSL_CERT_FILE=/bundle.pem"]);
    for name in ["NODE_EXTRA_CA_CERTS", "DENO_CERT", "SSL_CERT_FILE"] {
        assert!(notes.iter().any(|note| note.contains(name)), "{name}: {notes:?}");
    }
}

#[test]
fn a_list_that_comes_by_a_reference_is_kept_under_another_name_and_expanded_in_its_place() {
    let env = json!([secret("SSL_CERT_DIR", false), {"name": "B", "value": "$(SSL_CERT_DIR)/b"},
                     secret("JAVA_TOOL_OPTIONS", false)]);
    let (variables, notes) = planned(Mode::Transparent, true, json!({"env": env}));
    assert_eq!(
        variables[..5],
        [
            "OUTRIGGER_ORIG_SSL_CERT_DIR<-",
            "SSL_CERT_DIR=$(OUTRIGGER_ORIG_SSL_CERT_DIR):/var/run/outrigger/trust/hashed",
            "B=$(SSL_CERT_DIR)/b",
            "OUTRIGGER_ORIG_JAVA_TOOL_OPTIONS<-",
            "JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=/var/run/outrigger/trust/truststore.jks $(OUTRIGGER_ORIG_JAVA_TOOL_OPTIONS)",
        ]
    );
    assert!(!notes.iter().any(|note| note.contains("may be missing")), "{notes:?}");
}

#[test]
fn a_reference_that_may_be_missing_is_left_alone() {
    let env = json!([
        secret("SSL_CERT_DIR", true),
        secret("JAVA_TOOL_OPTIONS", true),
        secret("NODE_EXTRA_CA_CERTS", true)
    ]);
    let (variables, notes) = planned(Mode::Transparent, true, json!({"env": env}));
    assert_eq!(
        variables,
        [
            "SSL_CERT_DIR<-",
            "JAVA_TOOL_OPTIONS<-",
            "NODE_EXTRA_CA_CERTS<-",
            "DENO_CERT=/var/run/outrigger/trust/additions.pem"
        ]
    );
    assert_eq!(notes.iter().filter(|note| note.contains("may be missing")).count(), 2, "{notes:?}");
}

#[test]
fn java_options_that_expand_to_something_unread_stand_behind_ours() {
    let (literal, _) =
        planned(Mode::Transparent, true, json!({"env": [{"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g"}]}));
    assert_eq!(
        literal[0],
        "JAVA_TOOL_OPTIONS=-Xmx1g -Djavax.net.ssl.trustStore=/var/run/outrigger/trust/truststore.jks"
    );
    let (expanding, _) = planned(
        Mode::Transparent,
        true,
        json!({"env": [{"name": "JAVA_TOOL_OPTIONS", "value": "$(MORE) -Xmx1g"}]}),
    );
    assert_eq!(
        expanding[0],
        "JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=/var/run/outrigger/trust/truststore.jks $(MORE) -Xmx1g"
    );
}

#[test]
fn what_env_from_may_bring_in_is_not_hidden_unless_the_user_says_so() {
    let hidden = json!({"envFrom": [{"configMapRef": {"name": "c"}}]});
    for mode in Mode::ALL {
        let (variables, notes) = planned(mode, true, hidden.clone());
        assert_eq!(variables, Vec::<String>::new(), "{mode:?}");
        assert!(notes.len() == 1 && notes[0].contains("outrigger.dev/ignore-env-from"), "{notes:?}");
        assert!(!plan(&hidden, mode, false, true, true).edits.is_empty());
    }
    // Behind a prefix none of them can be.
    let prefixed = json!({"envFrom": [{"prefix": "APP_", "secretRef": {"name": "s"}}]});
    assert_eq!(planned(Mode::Transparent, false, prefixed).0.len(), 3);
}

#[test]
fn base_urls_are_set_where_the_user_set_none() {
    let env = json!([{"name": "ANTHROPIC_BASE_URL", "value": "https://me:secret@gateway.example"},
                     {"name": "HTTPS_PROXY", "value": "http://proxy"}, {"name": "NO_PROXY", "value": ".corp"}]);
    let (variables, notes) = planned(Mode::BaseUrl, false, json!({"env": env}));
    for expected in [
        "OPENAI_BASE_URL=http://127.0.0.1:19003/openai/v1",
        "GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:19003/gemini",
        "NO_PROXY=.corp,127.0.0.1",
        "no_proxy=.corp,127.0.0.1",
        "ANTHROPIC_BASE_URL=https://me:secret@gateway.example",
    ] {
        assert!(variables.contains(&expected.to_owned()), "{expected}: {variables:?}");
    }
    assert!(!variables.iter().any(|one| one.contains("/trust")), "{variables:?}");
    assert!(
        notes.len() == 1 && notes[0].contains("ANTHROPIC_BASE_URL") && !notes[0].contains("secret"),
        "{notes:?}"
    );
}

#[test]
fn openais_base_url_is_left_alone_where_azures_client_would_follow_it() {
    let (variables, notes) =
        planned(Mode::BaseUrl, false, json!({"env": [secret("AZURE_OPENAI_API_KEY", false)]}));
    assert!(!variables.iter().any(|one| one.starts_with("OPENAI_BASE_URL")), "{variables:?}");
    assert!(notes.iter().any(|note| note.contains("Azure")), "{notes:?}");
}

#[test]
fn a_proxy_is_set_with_trust_and_never_in_place_of_theirs() {
    let (variables, _) = planned(Mode::Proxy, true, json!({"env": [secret("no_proxy", false)]}));
    let direct = "localhost,127.0.0.1,::1,.svc,.cluster.local,169.254.169.254,metadata.google.internal,kubernetes.default,$(KUBERNETES_SERVICE_HOST)";
    for expected in [
        "OUTRIGGER_ORIG_no_proxy<-".to_owned(),
        format!("no_proxy=$(OUTRIGGER_ORIG_no_proxy),{direct}"),
        format!("NO_PROXY=$(OUTRIGGER_ORIG_no_proxy),{direct}"),
        "HTTPS_PROXY=http://127.0.0.1:19002".to_owned(),
        "https_proxy=http://127.0.0.1:19002".to_owned(),
        "NODE_USE_ENV_PROXY=1".to_owned(),
        "NODE_EXTRA_CA_CERTS=/var/run/outrigger/trust/additions.pem".to_owned(),
        "JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=/var/run/outrigger/trust/truststore.jks -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=19002".to_owned(),
    ] {
        assert!(variables.contains(&expected), "{expected}: {variables:?}");
    }
    let theirs = json!({"env": [{"name": "https_proxy", "value": "http://me:secret@proxy"}]});
    let (variables, notes) = planned(Mode::Proxy, false, theirs.clone());
    assert_eq!(variables, ["https_proxy=http://me:secret@proxy"]);
    assert!(
        notes.len() == 1 && notes[0].contains("https_proxy") && !notes[0].contains("secret"),
        "{notes:?}"
    );
    let (_, notes) = planned(Mode::Transparent, false, theirs);
    assert!(notes.len() == 1 && notes[0].contains("leads its HTTPS to a proxy"), "{notes:?}");
}

#[test]
fn of_a_name_that_stands_twice_the_last_counts() {
    let env =
        json!([{"name": "NODE_EXTRA_CA_CERTS", "value": "/first.pem"}, secret("NODE_EXTRA_CA_CERTS", false)]);
    let (variables, notes) = planned(Mode::Transparent, false, json!({"env": env}));
    assert_eq!(variables.iter().filter(|one| one.starts_with("NODE_EXTRA_CA_CERTS")).count(), 2);
    assert!(notes[0].contains("NODE_EXTRA_CA_CERTS"), "{notes:?}");
}
