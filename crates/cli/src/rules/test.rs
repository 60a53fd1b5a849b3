//! `outrigger rules test FILE TABLE`: example calls, and whether what would be done for them is what was expected.

use std::path::PathBuf;

use outrigger_rules::{Examples, Outcome};
use serde_json::json;

use super::{Failure, Subject, bytes};
use crate::output::Output;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// The table: example calls with expected plans.
    table: PathBuf,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
}

pub(super) fn told(arguments: &Arguments) -> Result<(String, bool), Failure> {
    let compiled = arguments.subject.compile()?;
    let name = arguments.table.display().to_string();
    let table = bytes(&arguments.table).map_err(Failure::Other)?;
    let (table, lines) = Examples::read(&table).map_err(|refused| Failure::Refused(name.clone(), refused))?;
    let site = compiled.site();
    let outcomes: Vec<Outcome> = table
        .examples
        .iter()
        .zip(lines)
        .map(|(example, line)| example.run(line, &compiled.policy, &site))
        .collect();
    let failed = outcomes.iter().filter(|outcome| !outcome.differences.is_empty()).count();
    let text = match arguments.output {
        Output::Json => json!({"file": name, "ok": failed == 0, "examples": outcomes}).to_string(),
        Output::Text => text(&name, &outcomes, failed),
    };
    Ok((text, failed == 0))
}

fn text(name: &str, outcomes: &[Outcome], failed: usize) -> String {
    let lines = outcomes.iter().flat_map(|outcome| {
        outcome
            .differences
            .iter()
            .map(move |difference| format!("{name}:{}: {}: {difference}", outcome.line, outcome.name))
    });
    let end = format!("{name}: {} examples as expected, {failed} not", outcomes.len() - failed);
    lines.chain([end]).collect::<Vec<_>>().join("\n")
}
