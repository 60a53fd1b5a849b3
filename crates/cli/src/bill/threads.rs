//! Which calls belong together: retries of SDKs, chains, versions of a prompt. Per call; bounded names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use outrigger_ledger::{CallId, CallRecord};
use serde_json::{Value, json};

use super::summary::{counted, money};
use super::{NAMES, OTHER, Sums, bounded};

/// Prompts that are shown, those with most calls first.
const SHOWN: usize = 5;
/// Digits of a fingerprint that are shown.
const DIGITS: usize = 8;

/// What belongs together.
#[derive(Default)]
pub(super) struct Threads {
    calls: u64,
    /// Calls that are an SDK's retry.
    retries: u64,
    /// Failures that were followed by one.
    retried_failures: u64,
    /// First calls of chains of more than one; the first so many.
    chains: BTreeSet<[u8; 16]>,
    longest: u32,
    prompts: BTreeMap<String, Sums>,
}

impl Threads {
    pub(super) fn add(&mut self, record: &CallRecord) {
        self.calls += 1;
        if let Some(before) = &record.logical.retried {
            self.retries += 1;
            self.retried_failures += u64::from(before.failed);
        }
        if let Some(chain) = record.chain.filter(|chain| chain.number > 1) {
            let CallId(first) = chain.id;
            if self.chains.len() < NAMES {
                self.chains.insert(first);
            }
            self.longest = self.longest.max(chain.number);
        }
        if let Some(prompt) = record.prompt_fingerprint() {
            bounded(&mut self.prompts, prompt, OTHER.to_owned()).add(record);
        }
    }

    /// The lines of the bill, as far as there is something to tell.
    pub(super) fn write(&self, out: &mut String) -> std::fmt::Result {
        if self.retries > 0 {
            writeln!(
                out,
                "  retries    {} of SDKs, of {}; {} tried again",
                counted(self.retries, "call"),
                counted(self.calls - self.retries, "logical call"),
                counted(self.retried_failures, "failure")
            )?;
        }
        if !self.chains.is_empty() {
            let most = if self.chains.len() == NAMES { "at least " } else { "" };
            writeln!(
                out,
                "  chains     {most}{} of several calls, the longest of {}",
                counted(self.chains.len() as u64, "conversation"),
                self.longest
            )?;
        }
        // One prompt says nothing that the total does not.
        if self.prompts.len() > 1 {
            let mut prompts: Vec<_> = self.prompts.iter().collect();
            prompts.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.calls));
            let shown = prompts.iter().take(SHOWN).map(|(name, sums)| {
                let name = name.get(..DIGITS).unwrap_or(name);
                format!("{name} {} {}", sums.calls, money(sums))
            });
            writeln!(out, "  prompts    {}", shown.collect::<Vec<_>>().join(" · "))?;
        }
        Ok(())
    }

    pub(super) fn json(&self, sums: impl Fn(&Sums) -> Value) -> Value {
        json!({
            "retries": self.retries,
            "retried_failures": self.retried_failures,
            "logical_calls": self.calls - self.retries,
            "chains": self.chains.len(),
            "longest_chain": self.longest,
            "prompts": self.prompts.iter()
                .map(|(prompt, each)| json!({"fingerprint": prompt, "sums": sums(each)}))
                .collect::<Vec<_>>(),
        })
    }
}
