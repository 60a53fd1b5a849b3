//! A request for another place than the one that the app asked. Per call that is moved.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method};
use outrigger_pricing::ModelFacts;

use super::gate::{self, Fitted, Loss, Reason};
use super::head::{self, Head};
use super::order::Schemas;
use super::same::{same_dialect, with_version};
use crate::canonical::{Request, RequestWriter, request_from};
use crate::{Addressed, Dialect, Operation, Service};

/// What the app asked, apart from its body.
#[derive(Clone, Copy)]
pub struct App<'a> {
    /// Whom it asked.
    pub service: &'static Service,
    /// In which format.
    pub dialect: &'static dyn Dialect,
    /// For what.
    pub operation: Operation,
    /// What host and path say of the call.
    pub addressed: &'a Addressed,
    /// The path; of the same API at another host it is kept.
    pub path: &'a str,
    /// The query.
    pub query: Option<&'a str>,
}

/// Where the call is to go.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Whose place it is.
    pub service: &'static Service,
    /// The format that is spoken there.
    pub dialect: &'static dyn Dialect,
    /// The model that is to answer, by its provider's name.
    pub model: &'a str,
    /// Azure's deployment.
    pub deployment: Option<&'a str>,
    /// The region that answers.
    pub region: Option<&'a str>,
    /// The project that is billed.
    pub project: Option<&'a str>,
    /// What the price book knows of the model.
    pub facts: Option<ModelFacts<'a>>,
}

impl<'a> Place<'a> {
    /// A service's place for an app of this format: in that format where it is spoken there, else in the service's own. `None` where
    /// the service speaks none that requests are written in.
    #[must_use]
    pub fn at(service: &'static Service, app: &dyn Dialect, model: &'a str) -> Option<Place<'a>> {
        let spoken = head::formats(service, Some(model));
        let name = spoken.iter().find(|name| **name == app.name()).or_else(|| spoken.first())?;
        Place::speaking(service, name, model)
    }

    /// A service's place in a format that was chosen for it. `None` where it answers this model in no such format.
    #[must_use]
    pub fn in_format(service: &'static Service, format: &str, model: &'a str) -> Option<Place<'a>> {
        let is_spoken = head::formats(service, Some(model)).contains(&format);
        is_spoken.then(|| Place::speaking(service, format, model)).flatten()
    }

    /// The place of the service that the app asked, for a model that was asked for there: it is spoken to in the same format, whatever
    /// the model is called. `None` where that service is not known to speak it.
    #[must_use]
    pub fn kin(service: &'static Service, app: &dyn Dialect, model: &'a str) -> Option<Place<'a>> {
        let is_spoken = head::formats(service, None).contains(&app.name());
        is_spoken.then(|| Place::speaking(service, app.name(), model)).flatten()
    }

    fn speaking(service: &'static Service, name: &str, model: &'a str) -> Option<Place<'a>> {
        let dialect = crate::dialects::ALL.into_iter().find(|dialect| dialect.name() == name)?;
        let (deployment, region, project, facts) = (None, None, None, None);
        let place = Place { service, dialect, model, deployment, region, project, facts };
        // The service's own row of the format knows what it does differently.
        let (_, path) =
            service.speaks.iter().find(|(format, _)| *format == name).copied().unwrap_or_default();
        let path = path.replace("{method}", "").replace(['{', '}'], "");
        let own = (service.recognise)(&Method::POST, &path).dialect;
        let dialect = if own.name() == name { own } else { dialect };
        Some(Place { dialect, ..place })
    }
}

/// A request for another place.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// Path and query.
    pub path: String,
    /// Headers of the format. Those of the key are the sender's to add. Where the body was not written anew they add nothing: the
    /// app's own are to be sent, without those of its account.
    pub headers: HeaderMap,
    /// The body, not compressed.
    pub body: Bytes,
    /// What is said less well than the app said it.
    pub losses: Vec<Loss>,
    /// Tools that are called otherwise there: by the name that was sent, the app's own.
    pub names: BTreeMap<String, String>,
    /// Whether the body was written anew, and the answer is to be.
    pub rewritten: bool,
}

/// Why a call cannot go to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Every reason, up to a bound; never empty.
    pub reasons: Vec<Reason>,
}

impl Refused {
    fn because(what: &'static str) -> Refused {
        Refused { reasons: vec![Reason { place: String::new(), what }] }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, reason) in self.reasons.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}{reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// Whether a call is one that [`request`] can say at another place: a turn of a conversation, in a format that is read and written.
#[must_use]
pub fn is_said_anew(dialect: &'static dyn Dialect, operation: Operation) -> bool {
    head::is_conversation(operation) && dialect.canonical().is_some() && dialect.requests().is_some()
}

/// Says a request of the app's as another place is to be asked it. The body is decoded and whole.
///
/// # Errors
/// Something of it cannot be said there; every reason with its place in the body.
pub fn request(from: &App<'_>, body: &[u8], to: &Place<'_>) -> Result<Outgoing, Refused> {
    if !head::is_conversation(from.operation) {
        return Err(Refused::because("it is no turn of a conversation"));
    }
    let (Some(reader), Some(own), Some(writer)) =
        (from.dialect.canonical(), from.dialect.requests(), to.dialect.requests())
    else {
        return Err(Refused::because("its format has no translation"));
    };
    let mut request = request_from(reader, body)
        .map_err(|fault| Refused { reasons: vec![Reason { place: fault.path, what: fault.reason }] })?;
    if let Some(stream) = from.addressed.stream {
        request.stream = stream;
    }
    let Some(head) = head::head(from, to, request.stream) else {
        return Err(Refused::because("the place's address has a part that is not known"));
    };
    if from.dialect.name() == to.dialect.name() {
        let kin = from.service.id == to.service.id;
        let kept = gate::state(&request, own.form(), kin);
        if !kept.reasons.is_empty() {
            return Err(Refused { reasons: kept.reasons });
        }
        if writer.takes_as_it_is(&request, body, kin) {
            return as_it_is(body, head);
        }
    }
    anew(request, body, own, writer, to, head)
}

/// The app's bytes, but for what names the model.
fn as_it_is(body: &[u8], head: Head) -> Result<Outgoing, Refused> {
    let Head { path, model, version } = head;
    let edited = match (model, version) {
        (Some(model), _) => same_dialect(body, &model),
        (None, Some(version)) => with_version(body, version),
        (None, None) => Some(Bytes::copy_from_slice(body)),
    };
    let Some(body) = edited else { return Err(Refused::because("it names a model twice, or is no object")) };
    let (headers, losses, names) = (HeaderMap::new(), Vec::new(), BTreeMap::new());
    Ok(Outgoing { path, headers, body, losses, names, rewritten: false })
}

/// The request in the place's words.
fn anew(
    request: Request,
    asked: &[u8],
    own: &'static dyn RequestWriter,
    writer: &'static dyn RequestWriter,
    to: &Place<'_>,
    head: Head,
) -> Result<Outgoing, Refused> {
    let manner = writer.manner(to.model, to.facts.as_ref());
    let Fitted { mut request, names, notes } = gate::fit(request, own.form(), &manner);
    if !notes.reasons.is_empty() {
        return Err(Refused { reasons: notes.reasons });
    }
    let Head { path, model, version } = head;
    request.model = model;
    let mut body = writer.write(&request, &manner);
    if let Some(members) = body.as_object_mut().filter(|_| request.model.is_none()) {
        members.remove("model");
        if let Some(version) = version {
            members.insert("anthropic_version".to_owned(), version.into());
        }
    }
    let headers = head::headers(to, version.is_some());
    let body = Schemas::of(asked).write(&body).into();
    Ok(Outgoing { path, headers, body, losses: notes.losses, names, rewritten: true })
}
