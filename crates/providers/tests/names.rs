//! Who a body names, per wire format, and where.

use outrigger_providers::{Who, dialects};

use crate::cases::facts;

/// `who text place` per name.
fn names(dialect: &str, body: &str) -> Vec<String> {
    let dialect = dialects::ALL.into_iter().find(|one| one.name() == dialect).unwrap();
    let names = facts(dialect, &[body.as_bytes()]).names;
    let told = Who::ALL.into_iter().filter_map(|who| {
        let name = names.get(who)?;
        Some(format!("{} {} {}", who.as_str(), name.text, name.place))
    });
    told.chain(names.cache_key.as_ref().map(|key| format!("cache_key {key}"))).collect()
}

#[test]
fn every_format_names_by_the_members_it_has_for_it() {
    for (dialect, body, expected) in [
        (
            "openai_chat",
            r#"{"user":"u","safety_identifier":"s","prompt_cache_key":"k","metadata":{"user_id":"m","tenant":"acme"}}"#,
            &["user s safety_identifier", "tenant acme metadata.tenant", "cache_key k"][..],
        ),
        (
            "openai_chat",
            r#"{"user":"u","session_id":"s","trace":{"span_name":"plan","trace_id":"t"}}"#,
            &["user u user", "session s session_id", "step plan trace.span_name"],
        ),
        (
            "openai_responses",
            r#"{"input":"user","client_metadata":{"session_id":"s"},"metadata":{"user":"m"}}"#,
            &["user m metadata.user", "session s client_metadata.session_id"],
        ),
        ("openai_embeddings", r#"{"input":["a"],"user":"u"}"#, &["user u user"]),
        ("openai_media", r#"{"prompt":"a","user":"u"}"#, &["user u user"]),
        (
            "anthropic_messages",
            r#"{"metadata":{"user_id":"user_9_account_a_session_s"},"messages":[]}"#,
            &["user a metadata.user_id (account)", "session s metadata.user_id (session)"],
        ),
        (
            "gemini",
            r#"{"contents":[{"labels":{"user":"no"}}],"labels":{"end-user":"u","langgraph_node":"plan"}}"#,
            &["user u labels.end-user", "step plan labels.langgraph_node"],
        ),
        (
            "bedrock_converse",
            r#"{"requestMetadata":{"userId":"u","agent":"a"}}"#,
            &["user u requestMetadata.userId", "agent a requestMetadata.agent"],
        ),
        ("openai_chat", r#"{"user":null,"metadata":"x","safety_identifier":7}"#, &[]),
    ] {
        assert_eq!(names(dialect, body), expected, "{body}");
    }
}
