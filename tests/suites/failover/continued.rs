//! Streams that die, under a rule that lets a backup go on with them: at every frame, before every family of SDKs, read plainly and by
//! the SDKs' own helpers. The user sees one whole answer, whose end is the backup's; behind the end of its text an error, as without.

use outrigger_simulator::{Answer, Config, Cut, Rule};

use super::cuts::{Course, FAMILIES, POSITIONS, dying, raised};
use super::table::Row;
use super::{
    ADDRESSED, HOSTS, Sdk, Seen, TEXT, before, document, folder, keys_stayed_at_home, right, simulator,
};

const RULE: &str = "  - name: cut
    match: {}
    breaker: { consecutive: 100, minCalls: 10000 }
    failover: { to: [second], continueCutStreams: true }
";

/// What the backup says, whatever it is told to go on behind.
const REST: &str = " And so on to the end.";

const NAME: &str = "stream dies at every frame, and `continueCutStreams` stands in the rule";

/// Whether it is a part of what the primary says, and then all that the backup does.
fn is_one_answer(text: &str) -> bool {
    text == TEXT || text.strip_suffix(REST).is_some_and(|begun| TEXT.starts_with(begun))
}

fn die(how: impl Fn(usize) -> Answer, passed_by: impl Fn(&str) -> bool) {
    let mut wrong = Vec::new();
    for sdk in Sdk::ALL {
        let rest = Answer { text: Some(REST.to_owned()), ..right() };
        let rest = Rule { model: Some("gpt-4.1".to_owned()), answer: rest, ..Rule::default() };
        let simulator =
            simulator(dying(&Course::whole(NAME), &how).into_iter().chain([rest]), Config::default());
        let folder = folder(&document(RULE));
        let names: Vec<&str> = FAMILIES.iter().flat_map(|family| family.calls).copied().collect();
        let calls: Vec<&str> = names.iter().flat_map(|name| [*name; POSITIONS]).collect();
        let (seen, ended) = sdk.run(before(&simulator, folder.path()), &calls);
        keys_stayed_at_home(&simulator, &ADDRESSED, &[HOSTS[1]], NAME);
        for (name, series) in names.iter().zip(seen.chunks(POSITIONS)) {
            let honest = series.iter().all(|seen| match seen {
                Seen::Answer(text) => is_one_answer(text),
                Seen::Part { .. } => false,
                Seen::Error { class, .. } => raised(sdk, name).contains(&&**class),
            });
            let gone_on =
                |seen: &&Seen| matches!(seen, Seen::Answer(text) if text.ends_with(REST) && *text != REST);
            // Where its text has been told there is nothing to go on with.
            let died_in_the_text =
                series.iter().take_while(|seen| !matches!(seen, Seen::Error { .. })).count();
            let whole = format!("{TEXT}{REST}");
            let up_to_the_end =
                series[..died_in_the_text].iter().any(|seen| *seen == Seen::Answer(whole.clone()));
            let went_on = series.iter().filter(gone_on).count() >= 4 && up_to_the_end;
            if !honest || !(went_on || passed_by(name)) {
                wrong.push(format!("{sdk:?}, {name}: {series:?}"));
            }
        }
        if !wrong.is_empty() {
            wrong.push(ended.errors);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The row of the table that these stand for.
pub(super) fn rows() -> Vec<Row> {
    vec![Row::of_stream(NAME, "right answer up to the end of its text, an error after it")]
}

#[test]
fn a_stream_that_breaks_off_is_gone_on_with() {
    die(|at| Answer { cut_after: Some(at), cut: Cut::Broken, cut_within: at % 2 == 1, ..right() }, |_| false);
}

#[test]
fn a_stream_that_ends_without_its_end_is_gone_on_with() {
    die(|at| Answer { cut_after: Some(at), cut: Cut::Clean, cut_within: at % 2 == 0, ..right() }, |_| false);
}

#[test]
fn a_stream_that_tells_an_error_is_gone_on_with() {
    // The simulator's error in a response has neither name nor type: what cannot be read is not gone on with.
    die(|at| Answer { error_after: Some(at), ..right() }, |call| call.starts_with("responses"));
}
