//! What the diagnosis found to be wrong, for the end.

use std::fmt::Write;

use outrigger_diagnosis::{Change, Verdict};
use outrigger_ledger::Timestamp;

use crate::bill::failures::clock;
use crate::bill::summary::counted;

/// Verdicts that are kept.
const KEPT: usize = 100;

struct Row {
    verdict: Verdict,
    /// When it was last seen and why it is over, once it is.
    over: Option<(Timestamp, &'static str)>,
}

/// Every verdict that began, in their order.
#[derive(Default)]
pub(super) struct Verdicts(Vec<Row>);

impl Verdicts {
    pub(super) fn take(&mut self, change: &Change) {
        match change {
            Change::Began(verdict) => {
                if self.0.len() < KEPT {
                    self.0.push(Row { verdict: verdict.clone(), over: None });
                }
            }
            Change::Ended(verdict, why) => {
                let same = |row: &&mut Row| {
                    let Verdict { kind, provider, model, key, since, .. } = &row.verdict;
                    row.over.is_none()
                        && (kind, provider, model, key, since)
                            == (
                                &verdict.kind,
                                &verdict.provider,
                                &verdict.model,
                                &verdict.key,
                                &verdict.since,
                            )
                };
                if let Some(row) = self.0.iter_mut().find(same) {
                    row.over = Some((verdict.last, why));
                    row.verdict.calls = verdict.calls;
                }
            }
        }
    }

    pub(super) fn write(&self, out: &mut String) -> std::fmt::Result {
        for (at, Row { verdict, over }) in self.0.iter().enumerate() {
            let label = if at == 0 { "\n  VERDICT " } else { "          " };
            let since = clock(verdict.since);
            let when = match over {
                None => format!("since {since}"),
                Some((last, why)) => {
                    format!("{since} to {}, {}; over: {why}", clock(*last), counted(verdict.calls, "call"))
                }
            };
            writeln!(out, "{label} {} ({when}): {verdict}", verdict.kind.as_str())?;
        }
        Ok(())
    }
}
