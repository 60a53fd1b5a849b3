//! One pod: whether it gets a sidecar, and the patch that gives it one.

use std::fmt::Write as _;

use outrigger_contract::annotations::{INJECT, REASON, SENDS_TO, STATUS};
use outrigger_contract::{containers as names, mounts, ports, uid};
use serde_json::{Map, Value, json};

use crate::options::{Mode, Options};
use crate::owner::Context;
use crate::patch::Patcher;
use crate::pod::{self, Ours, is_infrastructure, list, text};
use crate::wishes::{self, Wishes};
use crate::{containers, environment, volumes};

/// The most that is written into an annotation, in characters.
const LONGEST_REASON: usize = 1024;
/// Bytes of all annotations, past which the API server takes no object.
const MOST_ANNOTATIONS: usize = 256 * 1024;

/// Why a pod gets no sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its label says so.
    OptedOut,
    /// Its network is the node's, and so would be the redirection.
    HostNetwork,
    /// It runs on Windows.
    Windows,
    /// A kubelet made it of a file; it cannot be changed.
    MirrorPod,
    /// Its namespace is the cluster's own.
    SystemNamespace,
    /// Its namespace is the injector's own.
    OwnNamespace,
    /// A container or volume of its own has a name that ours has.
    NameConflict,
    /// A container of its own has a port that ours has.
    PortConflict,
    /// A container runs as the sidecar's user, whose connections are not redirected.
    UserConflict,
    /// It has not the shape of a pod.
    Malformed,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 10] = [
        Reason::OptedOut,
        Reason::HostNetwork,
        Reason::Windows,
        Reason::MirrorPod,
        Reason::SystemNamespace,
        Reason::OwnNamespace,
        Reason::NameConflict,
        Reason::PortConflict,
        Reason::UserConflict,
        Reason::Malformed,
    ];

    /// The word for it in annotations and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::OptedOut => "opted-out",
            Reason::HostNetwork => "host-network",
            Reason::Windows => "windows",
            Reason::MirrorPod => "mirror-pod",
            Reason::SystemNamespace => "system-namespace",
            Reason::OwnNamespace => "own-namespace",
            Reason::NameConflict => "name-conflict",
            Reason::PortConflict => "port-conflict",
            Reason::UserConflict => "user-conflict",
            Reason::Malformed => "malformed",
        }
    }
}

/// What became of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has a sidecar now.
    Injected,
    /// It had one before; containers that came later were given what they need.
    Kept,
    /// It gets none.
    Skipped(Reason),
}

/// What became of a pod, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// RFC 6902 operations; none where nothing changes.
    pub patch: Vec<Value>,
    /// The pod after them.
    pub pod: Value,
    /// What became of it.
    pub status: Status,
    /// Why it gets no sidecar, or what is not as it was asked for, in sentences; empty where all is.
    pub reason: String,
    /// The same, one each, for whoever applies the pod.
    pub warnings: Vec<String>,
    /// Where prompts and telemetry may go; empty without a sidecar.
    pub sends_to: String,
}

/// Gives a pod a sidecar, or says why not. `pod` is a pod or a workload's template. What is already there is not given twice:
/// a patched pod has an empty patch.
#[must_use]
pub fn patch(pod: &Value, context: &Context, options: &Options) -> Outcome {
    if let Err(place) = pod::check(pod) {
        return skipped(pod, Reason::Malformed, &format!("it has not the shape of a pod: {place}"));
    }
    let ours = pod::ours(pod);
    if ours == Ours::Sidecar {
        return topped_up(pod, options);
    }
    if let Some((reason, sentence)) = why_not(pod, ours, context, options) {
        return skipped(pod, reason, &sentence);
    }
    injected(pod, context, options)
}

fn why_not(pod: &Value, ours: Ours, context: &Context, options: &Options) -> Option<(Reason, String)> {
    let (metadata, spec) = (&pod["metadata"], &pod["spec"]);
    let namespace = context.namespace.as_deref().unwrap_or_else(|| text(metadata, "namespace"));
    let own = options.own_namespace.as_deref().is_some_and(|own| own == namespace);
    let is_windows = text(&spec["os"], "name") == "windows"
        || text(&spec["nodeSelector"], "kubernetes.io/os") == "windows";
    if text(&metadata["labels"], INJECT) == "disabled" {
        return Some((Reason::OptedOut, format!("its label {INJECT} is `disabled`")));
    }
    if !metadata["annotations"]["kubernetes.io/config.mirror"].is_null() {
        return Some((Reason::MirrorPod, "a kubelet made it of a file, and it cannot be changed".to_owned()));
    }
    if ["kube-system", "kube-public", "kube-node-lease"].contains(&namespace) {
        return Some((Reason::SystemNamespace, format!("namespace {namespace} is the cluster's own")));
    }
    if own {
        return Some((Reason::OwnNamespace, format!("namespace {namespace} is the injector's own")));
    }
    if spec["hostNetwork"] == true {
        let text = "hostNetwork is true: its network is the node's, and so would be what is redirected";
        return Some((Reason::HostNetwork, text.to_owned()));
    }
    if is_windows {
        return Some((Reason::Windows, "it runs on Windows".to_owned()));
    }
    if let Ours::Conflict(name) = ours {
        let text = format!("it has a container or volume of its own named {name}; give it another name");
        return Some((Reason::NameConflict, text));
    }
    let others = || pod::places(pod).filter(|place| !is_infrastructure(place.name()));
    let own_ports = ports::TRANSPARENT..=ports::METRICS;
    let has_port = |one: &Value| {
        one["containerPort"].as_u64().is_some_and(|port| own_ports.clone().any(|own| u64::from(own) == port))
    };
    if let Some(place) = others().find(|place| list(place.container, "ports").iter().any(has_port)) {
        let text = format!(
            "its container {} listens on one of the sidecar's ports {} to {}; give it another port",
            place.name(),
            ports::TRANSPARENT,
            ports::METRICS
        );
        return Some((Reason::PortConflict, text));
    }
    let is_ours = |security: &Value| security["runAsUser"] == uid::SIDECAR;
    let pods = is_ours(&spec["securityContext"]);
    if let Some(place) = others().find(|place| match &place.container["securityContext"]["runAsUser"] {
        Value::Null => pods,
        _ => is_ours(&place.container["securityContext"]),
    }) {
        let text = format!(
            "its container {} runs as user {}, which is the sidecar's; give it another user",
            place.name(),
            uid::SIDECAR
        );
        return Some((Reason::UserConflict, text));
    }
    None
}

/// Untouched but for the annotations that say why.
fn skipped(pod: &Value, reason: Reason, sentence: &str) -> Outcome {
    let sentence = format!("{}: {sentence}", reason.as_str());
    let mut patcher = Patcher::new(pod.clone());
    // Who opted out wants nothing of us; what is not understood is not touched.
    let silent = matches!(reason, Reason::OptedOut | Reason::Malformed | Reason::MirrorPod);
    if !silent {
        annotate(&mut patcher, "skipped", &sentence, "");
    }
    let warnings =
        if reason == Reason::OptedOut { Vec::new() } else { vec![format!("no sidecar, {sentence}")] };
    let (pod, patch) = patcher.finish();
    Outcome {
        patch,
        pod,
        status: Status::Skipped(reason),
        reason: sentence,
        warnings,
        sends_to: String::new(),
    }
}

fn injected(pod: &Value, context: &Context, options: &Options) -> Outcome {
    let mut wishes = wishes::read(pod, options);
    let mode = wishes.mode;
    let mut patcher = Patcher::new(pod.clone());
    let mut warnings = std::mem::take(&mut wishes.warnings);
    if pod["spec"]["shareProcessNamespace"] == true {
        warnings.push(
            "shareProcessNamespace is true: a container that runs as root can read the sidecar's memory and files"
                .to_owned(),
        );
    }

    let sidecar = containers::sidecar(pod, mode, &wishes, options, context);
    let first = (mode == Mode::Transparent).then(|| containers::redirect(pod, options));
    let at = containers::position(pod);
    patcher.insert("/spec", "initContainers", at, first.into_iter().chain([sidecar]).collect());
    let added = volumes::added(mode, &wishes, options, containers::masks_token(pod));
    patcher.insert("/spec", "volumes", usize::MAX, added);
    warnings.extend(lead(&mut patcher, mode, &wishes));

    let reason = sentences(&warnings);
    let sends_to = sends_to(&wishes, options);
    annotate(&mut patcher, "injected", &reason, &sends_to);
    let (pod, patch) = patcher.finish();
    Outcome { patch, pod, status: Status::Injected, reason, warnings, sends_to }
}

/// A later webhook may have brought containers that nobody led to the sidecar yet.
fn topped_up(pod: &Value, options: &Options) -> Outcome {
    let wishes = wishes::read(pod, options);
    // Apps' containers may have our names.
    let has = |name: &str| pod::places(pod).find(|place| place.is_init() && place.name() == name);
    let trusts = has(names::SIDECAR).is_some_and(|sidecar| {
        list(sidecar.container, "volumeMounts").iter().any(|one| text(one, "mountPath") == mounts::TRUST)
    });
    let mode = match (trusts, has(names::REDIRECT)) {
        (false, _) => Mode::BaseUrl,
        (true, Some(_)) => Mode::Transparent,
        (true, None) => Mode::Proxy,
    };
    let mut patcher = Patcher::new(pod.clone());
    let mut warnings = lead(&mut patcher, mode, &wishes);
    let annotations = &pod["metadata"]["annotations"];
    let told = text(annotations, REASON);
    // The others were said when it was injected.
    warnings.retain(|warning| !told.contains(warning.as_str()));
    let all: Vec<&str> = [told]
        .into_iter()
        .filter(|told| !told.is_empty())
        .chain(warnings.iter().map(String::as_str))
        .collect();
    let reason = sentences(&all);
    // Where there was no room for what is written back there is none for more.
    if text(annotations, STATUS) == "injected" {
        write_back(&mut patcher, &[(REASON, &reason)]);
    }
    let (pod, patch) = patcher.finish();
    Outcome {
        patch,
        status: Status::Kept,
        reason,
        warnings,
        sends_to: text(&pod["metadata"]["annotations"], SENDS_TO).to_owned(),
        pod,
    }
}

/// Leads every container that is not infrastructure to the sidecar; what its user should know.
fn lead(patcher: &mut Patcher, mode: Mode, wishes: &Wishes) -> Vec<String> {
    let mut notes = Vec::new();
    let pod = patcher.document().clone();
    let theirs = pod::places(&pod)
        .filter(|place| !is_infrastructure(place.name()) && !environment::is_planned(place.container));
    for place in theirs {
        let obstacle = mode.needs_trust().then(|| volumes::obstacle(&pod, place.container)).flatten();
        let plan = environment::plan(
            place.container,
            mode,
            wishes.trust_java,
            wishes.ignore_env_from,
            obstacle.is_none(),
        );
        if let Some(why) = obstacle {
            notes.push(format!(
                "container {}: the trust files are not mounted, since {why}, so its calls go unobserved",
                place.name()
            ));
        }
        notes.extend(plan.notes.iter().map(|note| format!("container {}: {note}", place.name())));
        let pointer = place.pointer();
        let mounts_trust = plan.mounts_trust;
        plan.apply(patcher, &pointer);
        if mounts_trust {
            patcher.insert(&pointer, "volumeMounts", usize::MAX, vec![volumes::trust_mount()]);
        }
    }
    notes
}

fn annotate(patcher: &mut Patcher, status: &str, reason: &str, sends_to: &str) {
    write_back(patcher, &[(STATUS, status), (REASON, reason), (SENDS_TO, sends_to)]);
}

/// Writes annotations, if there is room for them.
fn write_back(patcher: &mut Patcher, annotations: &[(&str, &str)]) {
    if !patcher.document()["metadata"].is_object() {
        patcher.set("", "metadata", json!({}));
    }
    let there = &patcher.document()["metadata"]["annotations"];
    // An empty one is written only over what another pod's life left there.
    let members: Map<String, Value> = annotations
        .iter()
        .filter(|(key, value)| !value.is_empty() || !there[*key].is_null())
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    let bytes = |all: &Map<String, Value>| -> usize {
        all.iter().map(|(key, value)| key.len() + value.as_str().unwrap_or_default().len()).sum()
    };
    if there.as_object().map_or(0, bytes) + bytes(&members) > MOST_ANNOTATIONS {
        return;
    }
    patcher.set_all("/metadata", "annotations", members);
}

fn sentences<T: AsRef<str>>(warnings: &[T]) -> String {
    let all = warnings.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("; ");
    if all.chars().count() <= LONGEST_REASON {
        return all;
    }
    all.chars().take(LONGEST_REASON - 1).chain(['…']).collect()
}

/// The complete list of other places, as far as it can be known before the rules are read.
fn sends_to(wishes: &Wishes, options: &Options) -> String {
    let mut told = format!("prompts: where the app sends them, and to backups in ConfigMap {}", wishes.rules);
    if let Some(allowed) = &options.allowed_providers {
        let _infallible = write!(
            told,
            " at {}",
            if allowed.is_empty() { "no provider".to_owned() } else { allowed.join(", ") }
        );
    }
    let endpoint = options
        .environment
        .get("OTEL_EXPORTER_OTLP_ENDPOINT")
        .or(options.otlp_endpoint.as_ref())
        .map_or("the sidecar's own default", String::as_str);
    let _infallible = write!(told, "; telemetry: {endpoint}");
    told
}
