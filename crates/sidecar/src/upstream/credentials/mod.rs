//! What backups are paid by: read from mounted files, put into the request that goes there. Per call that moves.
//!
//! The app's own key never goes along: whatever proves or names its account is taken out first. The credential is put into
//! the request's head only; it leaves with the request, on a connection whose certificate was verified by the backup's name.

mod aws;
mod clock;
mod google;
mod mounted;
mod secret;
mod sources;
mod strip;

use std::rc::Rc;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderName, request};
use outrigger_providers::FailureClass;
use outrigger_rules::Target;
use outrigger_rules::document::CredentialKind;

use crate::Settings;
use crate::upstream::dial::Dialer;
use crate::upstream::tls::Connector;
use clock::Clocks;
use google::{TokenClient, Tokens, Ungranted};
use secret::Secret;
pub(crate) use sources::Sources;

/// The credentials of all backups.
pub(crate) struct Credentials {
    sources: Sources,
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
        let clocks = Rc::new(Clocks::default());
        let google = Rc::new(TokenClient { dialer, connector, clocks: Rc::clone(&clocks) });
        Credentials { sources: Sources::of(settings), clocks, tokens: Tokens::default(), google }
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
        let (header, value) = match target.credential.kind {
            CredentialKind::ApiKey => {
                let (header, scheme) = target.provider.key_place();
                (header, self.sources.key(target, scheme)?)
            }
            CredentialKind::Bearer => ("authorization", self.sources.key(target, "Bearer ")?),
            CredentialKind::AwsSigv4 => return self.sign(target, head, body),
            CredentialKind::GoogleServiceAccount => {
                let token = self.token(target).await?;
                let value = sources::value(&token, "Bearer ").map_err(|why| unpaid(target, &why))?;
                ("authorization", value)
            }
        };
        head.headers.insert(HeaderName::from_static(header), value);
        Ok(())
    }

    /// Learns from the head of a backup's answer how far the clock here is off: a signature carries the time, and is good for
    /// five minutes.
    pub(crate) fn answered(&self, target: &Target, headers: &HeaderMap) {
        self.clocks.compare(&target.host, headers);
    }

    fn sign(&self, target: &Target, head: &mut request::Parts, body: &Bytes) -> Result<(), Unpaid> {
        let service = (target.provider.signing_name)(&target.host);
        let (Some(region), Some(service)) = (&target.region, service) else {
            // The rules' own check refuses it.
            return Err(unpaid(target, "it has no region, or takes no signature of AWS"));
        };
        let now = self.clocks.now(&target.host);
        let keys = self.sources.aws_keys(target, now)?;
        let scope = aws::Scope { host: &target.host, region, service };
        aws::sign(&keys, &scope, now, head, body).map_err(|why| unpaid(target, &why))
    }

    async fn token(&self, target: &Target) -> Result<Rc<Secret>, Unpaid> {
        let (name, found) = self.sources.service_account(target)?;
        let text = self.sources.text(target, &found)?;
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
            let place = self.sources.place(target);
            unpaid(target, &format!("{place}: {} ({})", why.text, why.class.as_str()))
        };
        self.tokens.token(name, &found, ask).await.map_err(told)
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

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;
