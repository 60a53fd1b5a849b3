//! What backups are paid by: read from mounted files, put into the request that goes there. Per call that moves.
//!
//! The app's own key never goes along: whatever proves or names its account is taken out first. The credential is put into
//! the request's head only; it leaves with the request, on a connection whose certificate was verified by the backup's name.

mod aws;
mod clock;
mod google;
mod mounted;
mod secret;
mod strip;

use std::rc::Rc;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, request};
use outrigger_providers::FailureClass;
use outrigger_rules::document::CredentialKind;
use outrigger_rules::{CredentialSource, Target};
use zeroize::Zeroizing;

use crate::Settings;
use crate::upstream::dial::Dialer;
use crate::upstream::tls::Connector;
use clock::Clocks;
use google::{TokenClient, Tokens, Ungranted};
use mounted::{Found, Mounted};
use secret::Secret;

/// The credentials of all backups.
pub(crate) struct Credentials {
    mounted: Mounted,
    clocks: Rc<Clocks>,
    tokens: Tokens,
    google: Rc<TokenClient>,
}

/// Why a backup cannot be paid; the call cannot go there.
#[derive(Debug, Clone)]
pub(crate) struct Unpaid {
    /// The place and the mend, for log and record. Never the secret.
    pub(crate) text: String,
}

impl Credentials {
    /// Those below the folder of the settings; it is read when they are asked for. Tokens are asked for by the ways that calls take.
    pub(crate) fn open(settings: &Settings, dialer: Rc<Dialer>, connector: Rc<Connector>) -> Credentials {
        let mount = || outrigger_contract::mounts::CREDENTIALS.into();
        let mounted = Mounted::new(settings.credentials.clone().unwrap_or_else(mount));
        let clocks = Rc::new(Clocks::default());
        let google = Rc::new(TokenClient { dialer, connector, clocks: Rc::clone(&clocks) });
        Credentials { mounted, clocks, tokens: Tokens::default(), google }
    }

    /// Makes a request one that this backup's account pays: takes out what belongs to the app's account and puts in the
    /// backup's credential. The head must be as it leaves: its host the backup's (or none yet), its path and query final; the
    /// body too, where a signature covers it.
    ///
    /// # Errors
    /// The credential cannot be had. The app's own is taken out all the same.
    pub(crate) async fn authorise(
        &self,
        target: &Target,
        head: &mut request::Parts,
        body: &Bytes,
    ) -> Result<(), Unpaid> {
        strip::strip(head);
        is_for(target, head)?;
        let place = match target.credential.kind {
            CredentialKind::ApiKey => target.provider.key_place(),
            CredentialKind::Bearer => ("authorization", "Bearer "),
            CredentialKind::AwsSigv4 => return self.sign(target, head, body),
            CredentialKind::GoogleServiceAccount => {
                let token = self.token(target).await?;
                return put(head, "authorization", "Bearer ", &token).map_err(|why| unpaid(target, &why));
            }
        };
        self.key(target, place, head)
    }

    fn key(
        &self,
        target: &Target,
        (header, scheme): (&'static str, &'static str),
        head: &mut request::Parts,
    ) -> Result<(), Unpaid> {
        let mut put =
            |secret: &Secret| put(head, header, scheme, secret).map_err(|why| self.unpaid_by(target, &why));
        match &target.credential.source {
            CredentialSource::File(file) => match &*self.found(target, file)? {
                Found::Text(key) => put(key),
                Found::Folder(_) => Err(self.unpaid_by(target, "it is a folder, and a key is one file")),
            },
            CredentialSource::Variable(variable) => put(&self.variable(target, variable)?),
        }
    }

    /// Learns from the head of a backup's answer how far the clock here is off: a signature carries the time, and is good for
    /// five minutes.
    pub(crate) fn answered(&self, target: &Target, headers: &HeaderMap) {
        self.clocks.compare(&target.host, headers);
    }

    fn sign(&self, target: &Target, head: &mut request::Parts, body: &Bytes) -> Result<(), Unpaid> {
        let scope =
            match (&target.credential.source, &target.region, (target.provider.signing_name)(&target.host)) {
                (CredentialSource::File(file), Some(region), Some(service)) => {
                    (file, aws::Scope { host: &target.host, region, service })
                }
                // The rules' own check refuses what is missing here.
                _ => {
                    return Err(unpaid(
                        target,
                        "AWS keys need a file, a region and a provider that takes their signature",
                    ));
                }
            };
        let (file, scope) = scope;
        let found = self.found(target, file)?;
        let keys = aws::Keys::read(&found).map_err(|why| self.unpaid_by(target, &why))?;
        let now = self.clocks.now(&target.host);
        if keys.expired(now) {
            return Err(self.unpaid_by(target, "the keys in it have expired by their own word"));
        }
        aws::sign(&keys, &scope, now, head, body).map_err(|why| unpaid(target, &why))
    }

    /// A token for a service account: by its file, or by a variable that holds its JSON or, as Google's own programs take it, the
    /// path of the file.
    async fn token(&self, target: &Target) -> Result<Rc<Secret>, Unpaid> {
        let (place, found) = match &target.credential.source {
            CredentialSource::File(file) => (file, self.found(target, file)?),
            CredentialSource::Variable(variable) => {
                let text = self.variable(target, variable)?;
                let found = match text.expose().starts_with('{') {
                    true => Rc::new(Found::Text(text)),
                    false => self.found(target, text.expose())?,
                };
                (variable, found)
            }
        };
        let Found::Text(text) = &*found else {
            return Err(self.unpaid_by(target, "it is a folder, and a service account is one file"));
        };
        let ask = || {
            let account = google::Account::read(text.expose());
            let client = Rc::clone(&self.google);
            async move {
                let account =
                    account.map_err(|text| Ungranted { class: FailureClass::Authentication, text })?;
                client.token(&account).await
            }
        };
        let told = |why: Ungranted| {
            unpaid(target, &format!("{}: {} ({})", self.place(target), why.text, why.class.as_str()))
        };
        self.tokens.token(place, &found, ask).await.map_err(told)
    }

    fn variable(&self, target: &Target, variable: &str) -> Result<Secret, Unpaid> {
        let value = std::env::var(variable).map(Zeroizing::new);
        let value = value.map_err(|_| self.unpaid_by(target, "it is not set"))?;
        mounted::trimmed(&value).map_err(|why| self.unpaid_by(target, &why))
    }

    fn found(&self, target: &Target, file: &str) -> Result<Rc<Found>, Unpaid> {
        self.mounted.read(file).map_err(|why| self.unpaid_by(target, &why))
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
    fn place(&self, target: &Target) -> String {
        match &target.credential.source {
            CredentialSource::File(file) => format!("the file {}", self.mounted.path(file).display()),
            CredentialSource::Variable(variable) => format!("the variable {variable}"),
        }
    }
}

fn unpaid(target: &Target, why: &str) -> Unpaid {
    let text = format!("the backup {} cannot be paid: {why}", target.name);
    Unpaid { text }
}

/// A credential goes into a request for its own host only.
fn is_for(target: &Target, head: &request::Parts) -> Result<(), Unpaid> {
    let in_header = || head.headers.get_all(HOST).iter().map(|value| value.to_str().unwrap_or_default());
    let in_uri = head.uri.authority().map(http::uri::Authority::as_str);
    let own = |named: &str| named.strip_suffix(":443").unwrap_or(named).eq_ignore_ascii_case(&target.host);
    match in_uri.into_iter().chain(in_header()).find(|named| !own(named)) {
        None => Ok(()),
        Some(_) => Err(unpaid(target, &format!("the request is not addressed to {}", target.host))),
    }
}

/// Puts a secret into a header that no log and no compression table may keep.
fn put(head: &mut request::Parts, header: &'static str, scheme: &str, secret: &Secret) -> Result<(), String> {
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
    head.headers.insert(HeaderName::from_static(header), value);
    Ok(())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;
