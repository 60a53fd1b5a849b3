//! The provider's side: names to addresses, TLS verified by name, pooled connections.

pub(crate) mod client;
pub(crate) mod credentials;
pub(crate) mod dial;
pub(crate) mod pool;
pub(crate) mod proxy;
pub(crate) mod reach;
pub(crate) mod resolve;
pub(crate) mod tls;

use std::path::Path;
use std::rc::Rc;

use outrigger_providers::FailureClass;

use crate::Settings;

/// Why no connection to a provider came about, in plain words for the app, the log and the record.
#[derive(Debug, Clone)]
pub(crate) struct DialError {
    pub(crate) class: FailureClass,
    pub(crate) text: String,
}

/// A provider's host, by the name that its certificate must carry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub(crate) host: Rc<str>,
    pub(crate) port: u16,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why a backup could not be paid now by what lies in a folder of credentials; `None` where it could, as far as that shows.
#[must_use]
pub fn unpaid(folder: &Path, target: &outrigger_rules::Target) -> Option<String> {
    let settings = Settings { credentials: Some(folder.to_owned()), ..Settings::default() };
    credentials::Sources::of(&settings).examine(target).err().map(|unpaid| unpaid.text)
}
