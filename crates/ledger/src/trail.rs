//! A call's place among those before it: the logical call that it is an attempt of, and the chain that it goes on. Once per
//! call, when its record is made; no clock, no I/O.

use outrigger_providers::Operation;

use crate::CallRecord;
use crate::chain::Chains;
use crate::join::Joins;

/// The calls of one process of late: hashes, bounded in number and age.
#[derive(Debug, Default)]
pub struct Trail {
    chains: Chains,
    joins: Joins,
}

impl Trail {
    /// Finds the place of a call and sets it in its record. Calls come in the order of their ends.
    pub fn place(&mut self, record: &mut CallRecord) {
        (record.logical, record.span) = self.joins.join(record);
        if matches!(record.operation, Operation::Chat | Operation::GenerateContent) {
            record.chain = Some(self.chains.place(record));
        }
    }
}
