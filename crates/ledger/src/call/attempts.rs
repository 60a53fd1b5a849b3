//! A call that is asked for more than once: attempts that are over, others elsewhere, and whose answer the app gets. Per attempt.

use std::sync::Arc;

use http::StatusCode;
use outrigger_providers::{FailureClass, Recognised, Service, without_keys};

use super::about::About;
use super::{Call, End};
use crate::query::shown;
use crate::{Routed, Times, Timestamp, cause};

const RESTING: &str = "it is left alone for a while, since it failed of late";

/// Another place than the one that the app addressed.
pub struct Elsewhere<'a> {
    /// The backup's name in the rules.
    pub backup: &'a Arc<str>,
    /// Whose API is spoken there.
    pub service: &'static Service,
    /// What the request is there.
    pub recognised: Recognised,
    /// Name dialled.
    pub host: &'a str,
    /// Port dialled.
    pub port: u16,
    /// Path without query.
    pub path: &'a str,
    /// The query.
    pub query: Option<&'a str>,
    /// `1.1` or `2`.
    pub http_version: &'static str,
    /// The model asked for there; `None`: the app's.
    pub model: Option<&'a str>,
    /// The model that stands behind it, where what is asked for is a deployment.
    pub deployed: Option<&'a str>,
}

/// Where the call was before it went elsewhere, and what is asked for there.
#[derive(Clone)]
pub(super) struct Moved {
    pub(super) origin: Origin,
    pub(super) backup: Arc<str>,
    pub(super) model: Option<String>,
    pub(super) deployed: Option<String>,
}

/// Where the app addressed a call.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) service: &'static Service,
    pub(super) host: String,
    pub(super) path: String,
    recognised: Recognised,
    query: Option<String>,
    port: u16,
    http_version: &'static str,
}

impl Call {
    /// A rule decides the call.
    pub fn decided_by(&mut self, rule: &Arc<str>) {
        self.about.routed = Some(Box::new(Routed::by(rule, true, self.about.service.id, 1)));
    }

    /// A retry is left out, since the rule's share of them is used up.
    pub fn retry_denied(&mut self) {
        if let Some(routed) = &mut self.about.routed {
            routed.retry_denied = true;
        }
    }

    /// Why the call can be neither tried again nor moved, in plain words.
    pub fn hindered(&mut self, why: &'static str) {
        if let Some(routed) = &mut self.about.routed {
            routed.hindrance = Some(why);
        }
    }

    /// A backup is left out, for a reason in plain words.
    pub fn passed_over(&mut self, backup: &str, why: &str) {
        if let Some(routed) = &mut self.about.routed {
            routed.passed_over.push(format!("{backup}: {why}"));
        }
    }

    /// A backup is left alone for a while.
    pub fn left_alone(&mut self, backup: &Arc<str>) {
        self.passed_over(backup, RESTING);
        if let Some(routed) = &mut self.about.routed {
            routed.left_alone.push(Arc::clone(backup));
        }
    }

    /// What of the request is said less well where it is asked now.
    pub fn says_less(&mut self, losses: Vec<String>) {
        if let Some(routed) = &mut self.about.routed {
            routed.losses = losses;
        }
    }

    /// What of the answer has no place in the app's format, so far.
    pub fn leaves_out(&mut self, what: Vec<&'static str>) {
        if let Some(routed) = &mut self.about.routed {
            routed.left_out = what;
        }
    }

    /// An attempt begins, where the app addressed the call or elsewhere.
    pub fn attempt(&mut self, elsewhere: Option<&Elsewhere<'_>>, at: Timestamp) {
        self.about.begun = Some(at);
        self.is_asking(true);
        self.leaves_out(Vec::new());
        match elsewhere {
            Some(elsewhere) => self.about.move_to(elsewhere),
            None => self.about.move_back(),
        }
    }

    /// The attempt under way is over, with this status or without an answer, and the app sees nothing of it.
    pub fn attempt_over(&mut self, status: Option<StatusCode>, class: Option<FailureClass>, at: Timestamp) {
        let times = Times { ended: at, ..self.times };
        let error_type = match status {
            Some(status) if !cause::is_good(status) => Some(status.as_str().to_owned()),
            _ => class.map(|class| cause::transport_word(class).to_owned()),
        };
        let attempt = self.about.attempt(&times, status, (class, error_type));
        let end = match class {
            Some(class) => End::Failed { class, text: String::new(), status: 0 },
            None => End::Complete,
        };
        self.is_asking(false);
        self.keep(times, status, end);
        self.about.earlier.push(attempt);
        self.about.peer = None;
        self.about.begun = Some(at);
        (self.times.responded, self.times.first_content) = (None, None);
        self.chunk_times = None;
        self.transport.response_bytes = 0;
    }

    fn is_asking(&mut self, asking: bool) {
        if let Some(died) = &mut self.died {
            died.asking = asking;
        }
    }

    /// The attempt under way was answered with this status and its request is sent once more; the app sees nothing of it.
    pub fn sent_again(&mut self, status: StatusCode, at: Timestamp) {
        self.attempt_over(Some(status), None, at);
    }

    /// The app gets the answer, or the failure, of the last attempt where it addressed the call; it is shown once more. A call that was
    /// led to a backup at once has none: the app gets the failure of the last one there.
    /// `exhausted`: the rule would have kept it from the app.
    pub fn give(&mut self, exhausted: bool) {
        self.about.move_back();
        if let Some(routed) = &mut self.about.routed {
            routed.exhausted = exhausted;
        }
        let earlier = &self.about.earlier;
        let addressed = earlier.iter().rev().find(|attempt| attempt.backup.is_none());
        if let (Some(attempt), Some(routed)) = (addressed.or(earlier.last()), &mut self.about.routed) {
            routed.serving = attempt.number;
            self.about.given = true;
        }
    }
}

impl About {
    fn move_to(&mut self, place: &Elsewhere<'_>) {
        let origin = match self.elsewhere.take() {
            Some(moved) => moved.origin,
            None => Origin {
                service: self.service,
                host: self.host.clone(),
                path: self.path.clone(),
                recognised: self.recognised,
                query: self.query.clone(),
                port: self.port,
                http_version: self.http_version,
            },
        };
        self.elsewhere = Some(Box::new(Moved {
            origin,
            backup: Arc::clone(place.backup),
            model: place.model.map(str::to_owned),
            deployed: place.deployed.map(str::to_owned),
        }));
        (self.service, self.recognised) = (place.service, place.recognised);
        (self.host, self.port) = (place.host.to_owned(), place.port);
        (self.path, self.query) = (without_keys(place.path).into_owned(), place.query.map(shown));
        self.http_version = place.http_version;
        self.peer = None;
    }

    fn move_back(&mut self) {
        let Some(moved) = self.elsewhere.take() else { return };
        let Origin { service, host, path, recognised, query, port, http_version } = moved.origin;
        (self.service, self.recognised) = (service, recognised);
        (self.host, self.port, self.path, self.query) = (host, port, path, query);
        self.http_version = http_version;
        self.peer = None;
    }
}
