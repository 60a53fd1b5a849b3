//! Whom the calls were for: sums by user and tenant, and how much of the cost names nobody. Per call; bounded names.

use std::collections::BTreeMap;
use std::fmt::Write;

use outrigger_ledger::CallRecord;
use outrigger_pricing::Atto;
use outrigger_providers::Who;
use serde_json::{Value, json};

use super::summary::{dollars, money};
use super::{OTHER, Sums, bounded};

/// Users and tenants that are shown, those who cost most first.
const SHOWN: usize = 5;

/// Sums by name.
#[derive(Default)]
pub(super) struct People {
    users: BTreeMap<String, Sums>,
    tenants: BTreeMap<String, Sums>,
    without_user: Sums,
}

impl People {
    pub(super) fn add(&mut self, record: &CallRecord) {
        match record.identity.get(Who::User) {
            Some(user) => bounded(&mut self.users, user.to_owned(), OTHER.to_owned()).add(record),
            None => self.without_user.add(record),
        }
        if let Some(tenant) = record.identity.get(Who::Tenant) {
            bounded(&mut self.tenants, tenant.to_owned(), OTHER.to_owned()).add(record);
        }
    }

    /// The lines of the bill. What names nobody is told in any case.
    pub(super) fn write(&self, out: &mut String, total: &Sums) -> std::fmt::Result {
        let mut parts = most(&self.users);
        let left = &self.without_user;
        parts.push(match (left.calls, self.users.is_empty()) {
            (0, _) => "all calls name their user".to_owned(),
            (_, false) => {
                format!("without a user {} {} ({} of the cost)", left.calls, money(left), self.percent(total))
            }
            (_, true) => format!(
                "none named: {} of the cost has no user (a header x-outrigger-user would name it)",
                self.percent(total)
            ),
        });
        writeln!(out, "  users      {}", parts.join(" · "))?;
        if !self.tenants.is_empty() {
            writeln!(out, "  tenants    {}", most(&self.tenants).join(" · "))?;
        }
        Ok(())
    }

    /// The share of the cost that names no user, in tenths of a percent; where nothing cost anything, that of the calls.
    fn percent(&self, total: &Sums) -> String {
        let tenths = match share(self.without_user.cost, total.cost) {
            Some(share) => share,
            None => self.without_user.calls * 1000 / total.calls.max(1),
        };
        format!("{}.{} %", tenths / 10, tenths % 10)
    }

    pub(super) fn json(&self, total: &Sums, sums: impl Fn(&Sums) -> Value) -> Value {
        let list = |names: &BTreeMap<String, Sums>| {
            names.iter().map(|(name, each)| json!({"name": name, "sums": sums(each)})).collect::<Vec<_>>()
        };
        json!({
            "users": list(&self.users),
            "tenants": list(&self.tenants),
            "without_user": {
                "sums": sums(&self.without_user),
                "share_of_cost": share(self.without_user.cost, total.cost).map(|tenths| tenths as f64 / 1000.0),
            },
        })
    }
}

/// Thousandths, rounded to the nearest; `None` where the whole is nothing.
fn share(part: Atto, whole: Atto) -> Option<u64> {
    let (part, whole) = (part.to_f64(), whole.to_f64());
    (whole > 0.0).then(|| (part / whole * 1000.0).round() as u64)
}

fn most(names: &BTreeMap<String, Sums>) -> Vec<String> {
    let mut sorted: Vec<_> = names.iter().collect();
    sorted.sort_by_key(|(_, sums)| std::cmp::Reverse((sums.cost, sums.calls)));
    let mut parts: Vec<String> = sorted
        .iter()
        .take(SHOWN)
        .map(|(name, sums)| format!("{name} {} {}", sums.calls, money(sums)))
        .collect();
    let rest = sorted.get(SHOWN..).unwrap_or_default();
    if !rest.is_empty() {
        let cost = rest.iter().fold(Atto::ZERO, |sum, (_, sums)| sum.checked_add(sums.cost).unwrap_or(sum));
        let calls: u64 = rest.iter().map(|(_, sums)| sums.calls).sum();
        parts.push(format!("{} more {calls} {}", rest.len(), dollars(cost)));
    }
    parts
}
