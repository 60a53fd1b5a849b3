//! Who is named by what, and who stands above whom.

use http::{HeaderName, HeaderValue};
use outrigger_providers::Name;
use proptest::prelude::*;

use super::rules::hashing_key;
use super::*;
use crate::CallId;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        })
        .collect()
}

fn identity_by(rules: IdentityRules, headers: &HeaderMap, facts: &mut RequestFacts) -> Identity {
    let span = SpanContext::for_call(CallId([7; 16]), headers, rules.propagators());
    Candidates::of_head(headers, &span, &Arc::new(rules)).with_body(facts)
}

fn identity(pairs: &[(&str, &str)]) -> Identity {
    identity_by(IdentityRules::default(), &headers(pairs), &mut RequestFacts::default())
}

/// `text by source at place`.
fn told(identity: &Identity, who: Who) -> Option<String> {
    let named = identity.named(who)?;
    Some(format!("{} by {} at {}", named.text, named.source.as_str(), named.place))
}

fn body(user: &str) -> RequestFacts {
    let mut facts = RequestFacts { conversation: Some("conv_1".to_owned()), ..RequestFacts::default() };
    facts.names.offer(Who::User, Some(user.to_owned()), "safety_identifier");
    facts.names.cache_key = Some("cache_1".to_owned());
    facts
}

const TRACE: (&str, &str) = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");

#[test]
fn names_are_cleaned_and_cut_at_a_character() {
    assert_eq!(tidy(" a\u{7}b\n".to_owned()).as_deref(), Some("ab"));
    assert_eq!(tidy("zo\u{202e}ë\u{200b}".to_owned()).as_deref(), Some("zoë"));
    assert_eq!(tidy(format!("x{}", "é".repeat(100))).map(|text| text.len()), Some(127));
    assert_eq!(tidy("\t ".to_owned()), None);
}

#[test]
fn every_carrier_names_what_it_says() {
    use Who::{Agent, Session, Step, Tenant, User};
    for (header, value, who, source) in [
        ("x-outrigger-user", "zoë", User, "header"),
        ("x-outrigger-agent", "researcher", Agent, "header"),
        ("x-outrigger-tenant", "acme", Tenant, "header"),
        ("helicone-user-id", "u", User, "product"),
        ("helicone-session-path", "/plan", Step, "product"),
        ("helicone-property-tenant", "acme", Tenant, "product"),
        ("x-portkey-trace-id", "t", Session, "product"),
        ("x-litellm-agent-id", "a", Agent, "product"),
        ("openai-organization", "org-1", Tenant, "product"),
        ("x-claude-code-session-id", "s", Session, "agent"),
        ("x-claude-code-agent-id", "a", Agent, "agent"),
        ("thread-id", "t", Session, "agent"),
        ("x-somebodys-session-id", "0123abcd", Session, "agent"),
    ] {
        let identity = identity(&[(header, value)]);
        assert_eq!(told(&identity, who), Some(format!("{value} by {source} at {header}")));
        assert_eq!(identity.known().count(), 1, "{header}");
    }
    let tags = identity(&[("x-portkey-metadata", r#"{"_user":"u_81","env":"prod"}"#)]);
    assert_eq!(told(&tags, Who::User).unwrap(), "u_81 by product at x-portkey-metadata._user");
    let bag = identity(&[("baggage", "a=b, user.id=zo%C3%AB;p=1 ,session.id=s%2")]);
    assert_eq!(told(&bag, Who::User).unwrap(), "zoë by baggage at baggage user.id");
    assert_eq!(bag.get(Who::Session), Some("s%2"));
    assert_eq!(identity(&[("x-somebodys-session-id", "short")]), Identity::default());
    assert_eq!(identity(&[("x-outrigger-user", "")]), Identity::default());
}

#[test]
fn what_was_said_on_purpose_stands_above_what_was_not() {
    let steps = [
        ("x-outrigger-session", "own"),
        ("helicone-session-id", "product"),
        // The body comes here.
        ("x-claude-code-session-id", "agent"),
        ("baggage", "session.id=bag"),
        // The key of the cache comes here.
        TRACE,
    ];
    let expected = ["own", "product", "conv_1", "conv_1", "conv_1", "conv_1"];
    for (from, expected) in expected.iter().enumerate() {
        let map = headers(&steps[from.min(steps.len())..]);
        let identity = identity_by(IdentityRules::default(), &map, &mut body("u"));
        assert_eq!(identity.get(Who::Session), Some(*expected), "{from}");
    }
    let without_body = ["own", "product", "agent", "bag", "4bf92f3577b34da6a3ce929d0e0e4736"];
    for (from, expected) in without_body.iter().enumerate() {
        assert_eq!(identity(&steps[from..]).get(Who::Session), Some(*expected));
    }
    let mut cached = body("u");
    cached.conversation = None;
    let map = headers(&[TRACE]);
    let by_key = identity_by(IdentityRules::default(), &map, &mut cached);
    assert_eq!(told(&by_key, Who::Session).unwrap(), "cache_1 by cache_key at prompt_cache_key");
}

#[test]
fn the_operator_sets_the_order_and_adds_headers() {
    let map = headers(&[("x-outrigger-user", "own"), ("x-end-user", "theirs"), TRACE]);
    let order = vec![Source::Body, Source::Header];
    let own = vec![(Who::User, HeaderName::from_static("x-end-user"))];
    let rules = || IdentityRules::new(order.clone(), own.clone(), Hashing::None);
    assert_eq!(
        told(&identity_by(rules(), &map, &mut body("inside")), Who::User).unwrap(),
        "inside by body at safety_identifier"
    );
    let identity = identity_by(rules(), &map, &mut RequestFacts::default());
    assert_eq!(told(&identity, Who::User).unwrap(), "theirs by header at x-end-user");
    assert_eq!(identity.get(Who::Session), None, "a source that is left out is not read");
}

#[test]
fn what_is_hashed_stands_nowhere_in_the_clear() {
    let rules = IdentityRules::new(Source::ALL.to_vec(), Vec::new(), Hashing::All(hashing_key(&[7; 16])));
    let mut facts = body("zoe@example.org");
    let identity = identity_by(rules, &HeaderMap::new(), &mut facts);
    assert!(identity.named(Who::User).is_some_and(|named| named.hashed && named.text.len() == 32));
    assert_eq!(facts.conversation.as_deref(), identity.get(Who::Session));
    let all = format!("{identity:?} {facts:?}");
    assert!(!all.contains("zoe") && !all.contains("conv_1"), "{all}");
}

proptest! {
    #[test]
    fn no_words_break_the_bounds(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 4),
        name in any::<String>(),
    ) {
        let mut map = HeaderMap::new();
        for (header, value) in ["x-outrigger-user", "baggage", "x-portkey-metadata", "x-abc-session-id"].iter().zip(&values) {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                map.insert(header.parse::<HeaderName>().unwrap(), value);
            }
        }
        let mut facts = body(&name);
        let identity = identity_by(IdentityRules::default(), &map, &mut facts);
        for (_, Named { text, place, .. }) in identity.known() {
            prop_assert!(!text.is_empty() && text.len() <= LONGEST && place.len() <= LONGEST);
            prop_assert!(!text.chars().any(char::is_control) && text.trim() == text);
        }
        prop_assert_eq!(facts.names.get(Who::User), None::<&Name>);
    }
}
