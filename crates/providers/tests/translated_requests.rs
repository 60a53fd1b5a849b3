//! A conversation keeps its meaning from every format into every other one: what differs was said to be lost, and what is refused
//! cannot be said.

use outrigger_providers::canonical::{Effort, Format, ToolChoice};
use outrigger_providers::translate::Outgoing;
use proptest::prelude::*;

use crate::talks::{self, Choice, Line, SIDES, Side, Talk, read, translated};

/// Why the other side has to refuse it, if it has.
fn refused(talk: &Talk, to: Side) -> Option<&'static str> {
    if to.dialect == "openai_responses" && !talk.stop.is_empty() {
        return Some("a text that ends the answer");
    }
    if to.dialect == "bedrock_converse" && talk.choice == Choice::None && talk.has_calls() {
        return Some("that nothing may be called");
    }
    None
}

fn is_lost(outgoing: &Outgoing, what: &str) -> bool {
    outgoing.losses.iter().any(|loss| loss.what.contains(what))
}

/// Failures are told in a word where there is no other way.
fn expected(talk: &Talk, outgoing: &Outgoing) -> Vec<Line> {
    let in_words = is_lost(outgoing, "that a tool failed");
    let lines = talk.lines().into_iter().map(|(who, what)| match (who, what.split_once(" failed ")) {
        ("answer", Some((number, text))) if in_words => (who, format!("{number}  Error: {text}")),
        _ => (who, what),
    });
    lines.collect()
}

fn compare(talk: &Talk, from: Side, to: Side) -> Result<(), TestCaseError> {
    let body = talk.said_in(from);
    let outgoing = match (translated(from, to, &body, talk.stream), refused(talk, to)) {
        (Ok(outgoing), None) => outgoing,
        (Err(refused), Some(why)) => {
            prop_assert!(refused.reasons.iter().any(|reason| reason.what.contains(why)), "{refused}");
            return Ok(());
        }
        (Ok(outgoing), Some(why)) => panic!("{why} was taken: {outgoing:?}"),
        (Err(refused), None) => panic!("{refused}: {body}"),
    };
    prop_assert!(outgoing.rewritten && outgoing.names.is_empty());
    let said = read(to.dialect, &outgoing.body);
    prop_assert_eq!(
        Talk::lines_of(&said),
        expected(talk, &outgoing),
        "{}",
        String::from_utf8_lossy(&outgoing.body)
    );

    let hidden = is_lost(&outgoing, "by showing no tools");
    prop_assert_eq!(said.tools.len(), if hidden { 0 } else { talk.tools });
    let mut names = said.tools.iter().map(|tool| tool.name.as_str());
    prop_assert!(hidden || names.next() == Some("tide"));
    let choice = match talk.choice {
        Choice::Unsaid => None,
        Choice::Auto => Some(ToolChoice::Auto),
        Choice::Required => Some(ToolChoice::Required),
        Choice::Named => Some(ToolChoice::Named("tide".to_owned())),
        Choice::None if hidden => None,
        Choice::None => Some(ToolChoice::None),
    };
    let one_call = talk.one_call && !is_lost(&outgoing, "one at a time") && !hidden;
    if one_call && to.dialect == "anthropic_messages" && choice.is_none() {
        prop_assert_eq!(said.tool_choice, Some(ToolChoice::Auto), "where it stands beside");
    } else {
        prop_assert_eq!(said.tool_choice, choice.clone());
    }
    let unsaid = to.dialect == "anthropic_messages" && choice == Some(ToolChoice::None);
    prop_assert_eq!(said.parallel_tools == Some(false), one_call && !unsaid);

    let sampling = &said.sampling;
    prop_assert_eq!(&sampling.stop, &talk.stop);
    if let Some(most) = talk.max_tokens {
        prop_assert!(sampling.max_tokens == Some(most) || is_lost(&outgoing, "more tokens"));
    } else {
        let needed = matches!(to.dialect, "anthropic_messages" | "bedrock_converse");
        prop_assert_eq!(sampling.max_tokens.is_some(), needed);
    }
    prop_assert!(sampling.temperature == talk.temperature || is_lost(&outgoing, "temperature"));
    prop_assert_eq!(matches!(said.format, Some(Format::Schema { .. })), talk.schema);
    let effort = talk.effort.map(str::to_owned);
    let kept = said.effort.level == effort;
    prop_assert!(kept || is_lost(&outgoing, "how much to think"), "{:?}", said.effort);
    prop_assert!(talk.effort.is_some() || said.effort == Effort::default());
    let streams = match to.dialect {
        "gemini" => outgoing.path.ends_with(":streamGenerateContent?alt=sse"),
        "bedrock_converse" => outgoing.path.ends_with("/converse-stream"),
        _ => said.stream,
    };
    prop_assert_eq!(streams, talk.stream);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// Every ordered pair of formats.
    #[test]
    fn meaning_is_kept_between_every_two_formats(talk in talks::talks()) {
        for from in SIDES {
            let mut talk = talk.clone();
            talk.say_what_can_be_said(from);
            for to in SIDES.into_iter().filter(|to| to.dialect != from.dialect) {
                compare(&talk, from, to)?;
            }
        }
    }
}
