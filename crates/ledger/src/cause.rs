//! Why a call failed, in the plain words that a person reads first, with the mend. No secret, no content.

use http::StatusCode;
use outrigger_providers::{Failure, FailureClass, Service};

use crate::{Cause, KeyHint, Timestamp};

/// What is known of a failure that the provider told.
pub(crate) struct Told<'a> {
    pub(crate) service: &'static Service,
    pub(crate) status: StatusCode,
    pub(crate) failure: Failure,
    /// The provider's own words, scrubbed.
    pub(crate) message: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    pub(crate) key: Option<&'a KeyHint>,
    /// When the provider says that it answers again.
    pub(crate) resets: Option<Timestamp>,
}

/// Whether an answer of this status is no error; 101 is a WebSocket's.
pub(crate) fn is_good(status: StatusCode) -> bool {
    status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS
}

/// A failure that came as a response.
pub(crate) fn told(told: &Told<'_>) -> Cause {
    let Failure { class, code } = told.failure;
    let error_type = match code {
        Some(code) => code.to_owned(),
        None if !is_good(told.status) => told.status.as_u16().to_string(),
        None => class.as_str().to_owned(),
    };
    Cause { class, error_type, status: Some(told.status.as_u16()), text: text(told), resets: told.resets }
}

fn text(told: &Told<'_>) -> String {
    let Told { service, status, failure, message, model, key, .. } = told;
    let mut text = format!("{} answered", service.id);
    // Inside a WebSocket nothing has a status of its own.
    if *status != StatusCode::SWITCHING_PROTOCOLS || failure.code.is_none() {
        text.push_str(&format!(" {}", status.as_u16()));
    }
    if let Some(code) = failure.code {
        text.push(' ');
        text.push_str(code);
    }
    text.push_str(": ");
    let key = || key.map_or_else(|| "the key".to_owned(), ToString::to_string);
    let model = model.unwrap_or("the model asked for");
    let variable = service.key_variable;
    let mut quoted = true;
    match failure.class {
        FailureClass::Authentication => {
            // The provider's words may repeat the key.
            quoted = false;
            match told.key {
                Some(_) => text.push_str(&format!(
                    "{} was refused, so it is mistyped or revoked. Check {variable} of the calling process.",
                    key()
                )),
                None => text.push_str(&format!("the request carried no key. Set {variable} for the calling process.")),
            }
        }
        FailureClass::Permission => {
            text.push_str(&format!("{} may not do this (model {model}). Give it the right, or use another key.", key()));
        }
        FailureClass::NotFound => text.push_str(&format!(
            "{model} or the path does not exist for this key. Check the model's name, and that the account may use it."
        )),
        FailureClass::RateLimit => {
            text.push_str("too many requests or tokens for now. Waiting helps; a higher limit or fewer parallel calls prevent it.");
        }
        FailureClass::Quota => text.push_str(&format!(
            "credit or a spending limit of the account behind {} is used up. Waiting does not help; raise it at the provider.",
            key()
        )),
        FailureClass::ContextLength => {
            text.push_str(&format!("the prompt is longer than the window of {model}. Shorten it or use a larger model."));
        }
        FailureClass::InvalidRequest => text.push_str("the request is not valid; the app must change it."),
        FailureClass::ContentPolicy => text.push_str("the content was refused by the provider's policy."),
        FailureClass::TooLarge => text.push_str("the request body is larger than the provider takes. Send less, or upload files."),
        FailureClass::Overloaded => text.push_str("the provider has no capacity at the moment. Retry with a pause."),
        FailureClass::ServerError => text.push_str("a fault on the provider's side. A retry may help."),
        FailureClass::Timeout => text.push_str("the provider gave up waiting. A retry or a smaller request may help."),
        FailureClass::Edge => {
            quoted = false;
            text.push_str("an edge network answered in the provider's place. The provider or the way to it is disturbed.");
        }
        FailureClass::Dns
        | FailureClass::Connect
        | FailureClass::Tls
        | FailureClass::StreamCut
        | FailureClass::Malformed
        | FailureClass::Other => text.push_str("the provider reports an error."),
    }
    if let Some(message) = message.filter(|_| quoted) {
        text.push_str(&format!(" It says: “{message}”"));
    }
    text
}

/// A failure on the way; `text` is in plain words already.
pub(crate) fn on_the_way(service: &Service, class: FailureClass, text: &str, status: Option<u16>) -> Cause {
    Cause {
        class,
        error_type: transport_word(class).to_owned(),
        status,
        text: format!("{}: {text}{}", service.id, mend(class)),
        resets: None,
    }
}

/// What to do, for those classes whose own text does not say it: who refuses a name or a certificate knows more.
const fn mend(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Connect => {
            ". Check the way there: network, firewall or network policy, proxy settings."
        }
        FailureClass::Timeout => {
            ". Try again; if it lasts, check the way there and the provider's status page."
        }
        _ => "",
    }
}

/// How an answer was cut.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    /// The connection broke.
    Broken,
    /// It ended in order, but without the format's terminal event.
    Incomplete,
}

/// An answer that broke off.
pub(crate) fn cut(service: &Service, status: StatusCode, how: Cut) -> Cause {
    let class = FailureClass::StreamCut;
    let (error_type, how) = match how {
        Cut::Broken => (transport_word(class), "the answer broke off"),
        Cut::Incomplete => ("stream_incomplete", "the stream ended without its terminal event"),
    };
    Cause {
        class,
        error_type: error_type.to_owned(),
        status: Some(status.as_u16()),
        text: format!("{}: {how}; the app has an incomplete answer. A retry may help.", service.id),
        resets: None,
    }
}

/// `error.type` of failures that no provider named.
pub(crate) const fn transport_word(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Dns => "dns_error",
        FailureClass::Connect => "connect_error",
        FailureClass::Tls => "tls_error",
        FailureClass::StreamCut => "stream_interrupted",
        other => other.as_str(),
    }
}
