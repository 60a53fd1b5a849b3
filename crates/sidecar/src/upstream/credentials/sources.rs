//! Where credentials lie, and what lies there now. Per call to a backup, and for whoever wants to know before one.

use std::path::PathBuf;
use std::rc::Rc;

use http::HeaderValue;
use outrigger_rules::document::CredentialKind;
use outrigger_rules::{CredentialSource, Target};
use zeroize::Zeroizing;

use super::aws::Keys;
use super::google::Account;
use super::mounted::{self, Found, Mounted};
use super::secret::Secret;
use super::{Unpaid, clock, unpaid};
use crate::Settings;

/// Files below one folder, and variables.
pub(crate) struct Sources {
    mounted: Mounted,
}

impl Sources {
    /// Those below the folder of the settings.
    pub(crate) fn of(settings: &Settings) -> Sources {
        let mount = || PathBuf::from(outrigger_contract::mounts::CREDENTIALS);
        Sources { mounted: Mounted::new(settings.credentials.clone().unwrap_or_else(mount)) }
    }

    /// Whether a backup could be paid now, as far as its credential shows by itself.
    pub(crate) fn examine(&self, target: &Target) -> Result<(), Unpaid> {
        match target.credential.kind {
            CredentialKind::ApiKey | CredentialKind::Bearer => self.key(target, "").map(drop),
            CredentialKind::AwsSigv4 => self.aws_keys(target, clock::here()).map(drop),
            CredentialKind::GoogleServiceAccount => {
                let (_, found) = self.service_account(target)?;
                let account = self.text(target, &found).map(|text| Account::read(text.expose()))?;
                account.map(drop).map_err(|why| unpaid(target, &format!("{}: {why}", self.place(target))))
            }
        }
    }

    /// A key or token as a header carries it, behind its scheme.
    pub(super) fn key(&self, target: &Target, scheme: &str) -> Result<HeaderValue, Unpaid> {
        let value = match &target.credential.source {
            CredentialSource::File(file) => value(self.text(target, &*self.found(target, file)?)?, scheme),
            CredentialSource::Variable(variable) => value(&self.variable(target, variable)?, scheme),
        };
        value.map_err(|why| self.unpaid_by(target, &why))
    }

    /// AWS keys that have not expired by then, seconds since 1970.
    pub(super) fn aws_keys(&self, target: &Target, now: i64) -> Result<Keys, Unpaid> {
        let CredentialSource::File(file) = &target.credential.source else {
            // The rules' own check refuses it.
            return Err(unpaid(target, "AWS keys are files"));
        };
        let found = self.found(target, file)?;
        let keys = Keys::read(&found).map_err(|why| self.unpaid_by(target, &why))?;
        if keys.expired(now) {
            return Err(self.unpaid_by(target, "the keys in it have expired by their own word"));
        }
        Ok(keys)
    }

    /// The key of a service account, and a name for where it lies: a file, or a variable that holds its JSON or, as Google's own
    /// programs take it, the path of the file.
    pub(super) fn service_account<'a>(&self, target: &'a Target) -> Result<(&'a str, Rc<Found>), Unpaid> {
        match &target.credential.source {
            CredentialSource::File(file) => Ok((file, self.found(target, file)?)),
            CredentialSource::Variable(variable) => {
                let text = self.variable(target, variable)?;
                let found = match text.expose().starts_with('{') {
                    true => Rc::new(Found::Text(text)),
                    false => self.found(target, text.expose())?,
                };
                Ok((variable, found))
            }
        }
    }

    /// What was found, if it is one file.
    pub(super) fn text<'a>(&self, target: &Target, found: &'a Found) -> Result<&'a Secret, Unpaid> {
        match found {
            Found::Text(text) => Ok(text),
            Found::Folder(_) => Err(self.unpaid_by(target, "it is a folder, and this is one file")),
        }
    }

    fn found(&self, target: &Target, file: &str) -> Result<Rc<Found>, Unpaid> {
        self.mounted.read(file).map_err(|why| self.unpaid_by(target, &why))
    }

    fn variable(&self, target: &Target, variable: &str) -> Result<Secret, Unpaid> {
        let value = std::env::var(variable).map(Zeroizing::new);
        let value = value.map_err(|_| self.unpaid_by(target, "it is not set"))?;
        mounted::trimmed(&value).map_err(|why| self.unpaid_by(target, &why))
    }

    /// The place, why it pays nothing, and the mend.
    fn unpaid_by(&self, target: &Target, why: &str) -> Unpaid {
        let mend = match &target.credential.source {
            CredentialSource::File(_) => {
                "mount the Secret with it there, or correct `credential.file` or the setting `credentials`"
            }
            CredentialSource::Variable(_) => "set it where Outrigger is started",
        };
        unpaid(target, &format!("{}: {why}; {mend}", self.place(target)))
    }

    /// Where a backup's credential lies.
    pub(super) fn place(&self, target: &Target) -> String {
        match &target.credential.source {
            CredentialSource::File(file) => format!("the file {}", self.mounted.path(file).display()),
            CredentialSource::Variable(variable) => format!("the variable {variable}"),
        }
    }
}

/// A header's value that no log and no compression table may keep.
pub(super) fn value(secret: &Secret, scheme: &str) -> Result<HeaderValue, String> {
    let key = secret.expose();
    if key.lines().nth(1).is_some() {
        return Err("it holds more than one line, and a key is one".to_owned());
    }
    if key.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Err("it begins with `Bearer`; write the key alone".to_owned());
    }
    let mut value = HeaderValue::from_str(&Zeroizing::new(format!("{scheme}{key}")))
        .map_err(|_| "it holds a character that no header can carry".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}
