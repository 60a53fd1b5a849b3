//! An AdmissionReview in, an AdmissionReview out. Whatever comes is answered, and a pod is never refused: what is not
//! understood is admitted as it is, and counted.

use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::inject::{Reason, Status, patch};
use crate::options::{Mode, Options};
use crate::owner::Context;
use crate::pod::text;
use crate::rules_review;

/// The version that is spoken; the API server converts nothing to others.
const VERSION: &str = "admission.k8s.io/v1";
/// The uid stands at the beginning of what the API server sends.
const UID_WITHIN: usize = 2048;
/// What the API server cuts a warning to, in characters; of all together it takes 4096 bytes.
const LONGEST_WARNING: usize = 256;
const MOST_WARNINGS: usize = 12;

/// What is asked for, by the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Sidecars for pods, in this mode where a pod does not choose.
    Pods(Mode),
    /// Whether a ConfigMap's rules are good.
    Rules,
}

/// What became of a review, as metrics and the log have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Result {
    /// The pod has a sidecar now.
    Injected,
    /// It had one.
    Kept,
    /// It gets none.
    Skipped(Reason),
    /// The rules are good.
    Good,
    /// The rules are refused.
    Refused,
    /// The rules were not changed, or there are none.
    Unchanged,
    /// No JSON, or no review.
    NotAReview,
    /// A version of reviews that is not spoken.
    OtherVersion,
    /// About something else than what the path is for.
    OtherKind,
    /// More bytes than a review can have.
    TooLarge,
    /// The body did not come, or not in time.
    NoBody,
    /// A fault of ours.
    Panic,
}

impl Result {
    /// Every result, so that each is counted from zero on.
    pub fn all() -> impl Iterator<Item = Result> {
        let others = [
            Result::Injected,
            Result::Kept,
            Result::Good,
            Result::Refused,
            Result::Unchanged,
            Result::NotAReview,
            Result::OtherVersion,
            Result::OtherKind,
            Result::TooLarge,
            Result::NoBody,
            Result::Panic,
        ];
        others.into_iter().chain(Reason::ALL.map(Result::Skipped))
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Result::Injected => "injected",
            Result::Kept => "kept",
            Result::Skipped(reason) => reason.as_str(),
            Result::Good => "good",
            Result::Refused => "refused",
            Result::Unchanged => "unchanged",
            Result::NotAReview => "not-a-review",
            Result::OtherVersion => "other-version",
            Result::OtherKind => "other-kind",
            Result::TooLarge => "too-large",
            Result::NoBody => "no-body",
            Result::Panic => "panic",
        }
    }
}

/// The answer to a review.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// An AdmissionReview.
    pub body: Value,
    /// What became of it.
    pub result: Result,
    /// Of what, for the log: `namespace/name`.
    pub of: String,
    /// Why, where there is something to say.
    pub reason: String,
}

/// Answers a review.
#[must_use]
pub fn answer(body: &[u8], asked: Asked, options: &Options) -> Answer {
    guarded(body, || understood(body, asked, options))
}

/// What is admitted without having been understood.
#[must_use]
pub fn admitted(beginning: &[u8], result: Result) -> Answer {
    let response = json!({"uid": uid(beginning), "allowed": true});
    Answer { body: review(VERSION, response), result, of: String::new(), reason: String::new() }
}

/// A fault of ours stops no pod.
fn guarded(body: &[u8], answer: impl FnOnce() -> Answer) -> Answer {
    catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|_| admitted(body, Result::Panic))
}

fn understood(body: &[u8], asked: Asked, options: &Options) -> Answer {
    let Ok(review) = serde_json::from_slice::<Value>(body) else { return admitted(body, Result::NotAReview) };
    let request = &review["request"];
    if review["kind"] != "AdmissionReview" || !request.is_object() || text(request, "uid").is_empty() {
        return admitted(body, Result::NotAReview);
    }
    let of = format!("{}/{}", text(request, "namespace"), name(request));
    let other = |result| Answer {
        body: self::review(
            text(&review, "apiVersion"),
            json!({"uid": text(request, "uid"), "allowed": true}),
        ),
        result,
        of: of.clone(),
        reason: String::new(),
    };
    if review["apiVersion"] != VERSION {
        return other(Result::OtherVersion);
    }
    let (kind, operations): (_, &[&str]) = match asked {
        Asked::Pods(_) => ("Pod", &["CREATE"]),
        Asked::Rules => ("ConfigMap", &["CREATE", "UPDATE"]),
    };
    let about = &request["kind"];
    let is_kind =
        text(about, "kind") == kind && text(about, "group").is_empty() && text(about, "version") == "v1";
    let is_whole = text(request, "subResource").is_empty() && request["object"].is_object();
    if !is_kind || !is_whole || !operations.contains(&text(request, "operation")) {
        return other(Result::OtherKind);
    }
    match asked {
        Asked::Pods(mode) => of_pod(request, mode, options, of),
        Asked::Rules => of_rules(request, options, of),
    }
}

fn of_pod(request: &Value, mode: Mode, options: &Options, of: String) -> Answer {
    let namespace = Some(text(request, "namespace").to_owned()).filter(|namespace| !namespace.is_empty());
    let context = Context { namespace, owner: None };
    let outcome = patch(&request["object"], &context, &Options { mode, ..options.clone() });
    let mut response = json!({"uid": text(request, "uid"), "allowed": true});
    if !outcome.patch.is_empty() {
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(STANDARD.encode(Value::Array(outcome.patch).to_string()));
    }
    warn(&mut response, &outcome.warnings);
    let result = match outcome.status {
        Status::Injected => Result::Injected,
        Status::Kept => Result::Kept,
        Status::Skipped(reason) => Result::Skipped(reason),
    };
    Answer { body: review(VERSION, response), result, of, reason: outcome.reason }
}

fn of_rules(request: &Value, options: &Options, of: String) -> Answer {
    let checked = rules_review::check(&request["object"], &request["oldObject"], options);
    let refused = checked.refused.as_deref();
    let mut response = json!({"uid": text(request, "uid"), "allowed": refused.is_none()});
    if let Some(faults) = refused {
        response["status"] = json!({"code": 422, "reason": "Invalid", "message": faults});
    }
    warn(&mut response, &checked.warnings);
    let result = match (refused, checked.is_checked) {
        (Some(_), _) => Result::Refused,
        (None, true) => Result::Good,
        (None, false) => Result::Unchanged,
    };
    Answer { body: review(VERSION, response), result, of, reason: checked.refused.unwrap_or_default() }
}

fn review(version: &str, response: Value) -> Value {
    json!({"apiVersion": version, "kind": "AdmissionReview", "response": response})
}

fn warn(response: &mut Value, warnings: &[String]) {
    if warnings.is_empty() {
        return;
    }
    let short = |warning: &String| {
        let warning = format!("outrigger: {warning}");
        if warning.chars().count() <= LONGEST_WARNING {
            return warning;
        }
        warning.chars().take(LONGEST_WARNING - 1).chain(['…']).collect()
    };
    response["warnings"] = warnings.iter().take(MOST_WARNINGS).map(short).collect::<Vec<_>>().into();
}

fn name(request: &Value) -> &str {
    let metadata = &request["object"]["metadata"];
    [text(request, "name"), text(metadata, "name"), text(metadata, "generateName")]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default()
}

/// The uid of what could not be read as a whole: an answer without it counts as a failure of the webhook.
fn uid(beginning: &[u8]) -> String {
    let text = String::from_utf8_lossy(&beginning[..beginning.len().min(UID_WITHIN)]);
    let uid = text.split_once("\"uid\"").and_then(|(_, rest)| rest.split('"').nth(1)).unwrap_or_default();
    let is_uid = uid.len() <= 64 && uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_uid { uid.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests;
