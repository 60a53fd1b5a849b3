//! What a container's environment gets, so that its calls come to the sidecar and it trusts what it sees there.
//!
//! What the user wrote is never overridden. To a list of paths or options ours is appended. One that comes by a reference is kept
//! under another name and expanded; where it may be missing nothing is expanded, since what Kubernetes cannot resolve it leaves
//! as it is written, and a Java machine does not start on that.

use std::collections::BTreeMap;

use outrigger_contract::environment::{DIRECT, IN_CLUSTER};
use outrigger_contract::trust_variables::{self, JAVA_TOOL_OPTIONS, SSL_CERT_DIR};
use outrigger_contract::{mounts, ports};
use outrigger_providers::services;
use serde_json::{Value, json};

use crate::options::Mode;
use crate::patch::Patcher;
use crate::pod::{list, text};

/// A variable of the user's own that is still needed is kept under its name behind this.
const ORIGINAL: &str = "OUTRIGGER_ORIG_";
/// Stands for a value that is there and cannot be read here.
const UNREAD: &str = "(set)";
/// A proxy of the user's own.
const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];
/// A variable that more clients read than it is meant for …
const OPENAI: &str = "OPENAI_BASE_URL";
/// … where any of these is set.
const AZURE: [&str; 2] = ["AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"];
/// What the Java properties for a proxy begin with.
const JAVA_PROXY: &str = "https.proxy";

/// What shall be done to one container.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    edits: Vec<Edit>,
    /// Whether the published trust files must be there.
    pub(crate) mounts_trust: bool,
    /// What its user should know: sentences about this container's own settings.
    pub(crate) notes: Vec<String>,
}

/// One variable.
#[derive(Debug)]
enum Edit {
    /// It is new.
    New { name: String, value: String },
    /// The literal at this place becomes another one.
    Longer { index: usize, value: String },
    /// The reference at this place is kept under another name, and this value stands behind it.
    Expanded { index: usize, name: String, value: String },
}

/// What a container has under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has<'a> {
    Nothing,
    Literal {
        index: usize,
        value: &'a str,
    },
    /// From elsewhere; `resolves` unless it may be missing.
    Reference {
        index: usize,
        resolves: bool,
    },
    /// `envFrom` may bring it in.
    Unknown,
}

struct Environment<'a> {
    entries: &'a [Value],
    /// Prefixes of what `envFrom` brings in.
    from: Vec<&'a str>,
}

impl<'a> Environment<'a> {
    fn of(container: &'a Value, ignore_from: bool) -> Environment<'a> {
        let from = if ignore_from { &[] } else { list(container, "envFrom") };
        Environment {
            entries: list(container, "env"),
            from: from.iter().map(|one| text(one, "prefix")).collect(),
        }
    }

    /// The last one of a name counts.
    fn has(&self, name: &str) -> Has<'a> {
        let Some(index) = self.entries.iter().rposition(|one| text(one, "name") == name) else {
            let unknown = self.from.iter().any(|prefix| name.starts_with(prefix));
            return if unknown { Has::Unknown } else { Has::Nothing };
        };
        let entry: &'a Value = &self.entries[index];
        let mut sources = entry["valueFrom"].as_object().into_iter().flatten().peekable();
        if sources.peek().is_none() {
            return Has::Literal { index, value: text(entry, "value") };
        }
        Has::Reference { index, resolves: !sources.any(|(_, source)| source["optional"] == true) }
    }

    fn is_set(&self, name: &str) -> bool {
        matches!(self.has(name), Has::Literal { .. } | Has::Reference { .. })
    }
}

/// What a container gets. `has_trust` says whether the trust files can be mounted in it.
pub(crate) fn plan(container: &Value, mode: Mode, java: bool, ignore_from: bool, has_trust: bool) -> Plan {
    let environment = Environment::of(container, ignore_from);
    let mut plan = Plan::default();
    match mode {
        Mode::BaseUrl => plan.base_urls(&environment),
        Mode::Proxy if !has_trust => {}
        Mode::Proxy => {
            if plan.proxy(&environment) {
                plan.trust(&environment, java, true);
            }
        }
        Mode::Transparent => {
            if has_trust {
                plan.trust(&environment, java, false);
            }
            plan.note_proxies(&environment);
        }
    }
    plan
}

/// Whether a container was planned before: by what only a plan can have put there.
pub(crate) fn is_planned(container: &Value) -> bool {
    let trust = list(container, "volumeMounts").iter().any(|one| text(one, "mountPath") == mounts::TRUST);
    trust || list(container, "env").iter().any(|one| text(one, "value").starts_with(&base_url("/")))
}

fn base_url(path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", ports::BASE_URL)
}

impl Plan {
    fn trust(&mut self, environment: &Environment<'_>, java: bool, proxied: bool) {
        let known = readable(environment);
        let none = BTreeMap::new();
        let trust = trust_variables::for_container(&trust_variables::Container {
            trust: mounts::TRUST,
            // Nothing here can look into the image.
            proven: false,
            java,
            environment: &known,
            merged: &none,
        });
        let mut hidden = Vec::new();
        for (name, value) in trust.variables {
            let value = match (name == JAVA_TOOL_OPTIONS, environment.has(name)) {
                (true, Has::Reference { .. }) => with_java_proxy(value, proxied),
                (true, Has::Literal { value: theirs, .. }) if is_expanding(theirs) => {
                    // What it expands to may name a trust store. The last one counts, so ours stands first.
                    let ours = value.strip_prefix(theirs).unwrap_or(&value).trim().to_owned();
                    format!("{} {theirs}", with_java_proxy(ours, proxied))
                }
                (true, _) => with_java_proxy(value, proxied),
                (false, _) => value,
            };
            match environment.has(name) {
                Has::Unknown => hidden.push(name),
                _ => self.set(environment, name, value),
            }
        }
        self.mounts_trust = self.edits.iter().any(Edit::is_trust);
        self.notes.extend(trust.notes.into_iter().filter(|note| note.theirs).map(|note| note.text));
        self.note_hidden(&hidden);
    }

    /// Leads HTTPS to the sidecar; whether it does.
    fn proxy(&mut self, environment: &Environment<'_>) -> bool {
        let names = ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "NODE_USE_ENV_PROXY"];
        if let Some(theirs) = PROXIES[..4].iter().find(|name| environment.is_set(name)) {
            self.notes.push(format!(
                "{theirs} is set already and is kept, so its calls go unobserved; take it out and give that proxy to the sidecar \
                 as OUTRIGGER_UPSTREAM_PROXY"
            ));
            return false;
        }
        if environment.has(names[0]) == Has::Unknown {
            self.note_hidden(&names[..1]);
            return false;
        }
        let url = format!("http://127.0.0.1:{}", ports::CONNECT);
        for name in &names[..2] {
            self.set(environment, name, url.clone());
        }
        self.no_proxy(environment, &format!("{DIRECT},kubernetes.default,$({IN_CLUSTER})"));
        if environment.has(names[4]) == Has::Nothing {
            self.set(environment, names[4], "1".to_owned());
        }
        true
    }

    fn base_urls(&mut self, environment: &Environment<'_>) {
        let mut hidden = Vec::new();
        for service in services::ALL {
            let Some((variable, path)) = service.base_url else { continue };
            match environment.has(variable) {
                Has::Unknown => hidden.push(variable),
                Has::Literal { .. } | Has::Reference { .. } => self.notes.push(format!(
                    "{variable} is set already and is kept, so {} calls go unobserved; take it out to have them observed",
                    service.id
                )),
                // Node's client for Azure reads it as well, and then fails or asks for no deployment at all.
                Has::Nothing if variable == OPENAI && AZURE.iter().any(|name| environment.is_set(name)) => {
                    self.notes.push(format!(
                        "{variable} is not set, since this container is set up for Azure and Node's client for Azure would follow \
                         it; {} calls go unobserved",
                        service.id
                    ));
                }
                Has::Nothing => self.set(environment, variable, base_url(path)),
            }
        }
        self.note_hidden(&hidden);
        // Clients that honour a proxy would otherwise send loopback there.
        if !self.edits.is_empty() && PROXIES.iter().any(|name| environment.is_set(name)) {
            self.no_proxy(environment, "127.0.0.1");
        }
    }

    /// Appends to both spellings; one that is missing is a copy of the other.
    fn no_proxy(&mut self, environment: &Environment<'_>, direct: &str) {
        let names = ["no_proxy", "NO_PROXY"];
        for (name, other) in [(names[0], names[1]), (names[1], names[0])] {
            let theirs = match (environment.has(name), environment.has(other)) {
                (Has::Literal { value, .. }, _) | (Has::Nothing, Has::Literal { value, .. }) => {
                    value.to_owned()
                }
                (Has::Reference { resolves: true, .. }, _) => expanded(name),
                (Has::Nothing, Has::Reference { resolves: true, .. }) => expanded(other),
                (Has::Nothing, _) => String::new(),
                (Has::Reference { resolves: false, .. } | Has::Unknown, _) => {
                    self.notes.push(optional(name));
                    continue;
                }
            };
            let value = if theirs.is_empty() { direct.to_owned() } else { format!("{theirs},{direct}") };
            self.set(environment, name, value);
        }
    }

    /// Sets a variable that is new, or whose value holds what stood there.
    fn set(&mut self, environment: &Environment<'_>, name: &str, value: String) {
        match environment.has(name) {
            Has::Nothing => self.edits.push(Edit::New { name: name.to_owned(), value }),
            Has::Literal { index, .. } => self.edits.push(Edit::Longer { index, value }),
            Has::Reference { index, resolves: true } if !environment.is_set(&format!("{ORIGINAL}{name}")) => {
                // Java's ours stands first: a trust store that the user names further behind wins.
                let value =
                    if name == JAVA_TOOL_OPTIONS { format!("{value} {}", expanded(name)) } else { value };
                self.edits.push(Edit::Expanded { index, name: name.to_owned(), value });
            }
            Has::Reference { .. } => self.notes.push(optional(name)),
            Has::Unknown => {}
        }
    }

    fn note_hidden(&mut self, names: &[&str]) {
        if let Some(first) = names.first() {
            let more =
                if names.len() > 1 { format!(" and {} more are", names.len() - 1) } else { " is".to_owned() };
            self.notes.push(format!(
                "{first}{more} not set, since envFrom may bring it in, so calls may go unobserved; where it does not, annotate the \
                 pod with {}: \"true\"",
                outrigger_contract::annotations::IGNORE_ENV_FROM
            ));
        }
    }

    /// In transparent mode only connections to the providers' own port are redirected.
    fn note_proxies(&mut self, environment: &Environment<'_>) {
        if let Some(theirs) = PROXIES[..4].iter().find(|name| environment.is_set(name)) {
            self.notes.push(format!(
                "{theirs} leads its HTTPS to a proxy, so calls go unobserved; take it out and give that proxy to the sidecar as \
                 OUTRIGGER_UPSTREAM_PROXY"
            ));
        }
    }

    /// Does it to the container at this pointer.
    pub(crate) fn apply(self, patcher: &mut Patcher, pointer: &str) {
        let mut there: Vec<&Edit> = self.edits.iter().filter(|edit| edit.index().is_some()).collect();
        // From the end, so that what is inserted moves nothing that is still to be found.
        there.sort_by_key(|edit| std::cmp::Reverse(edit.index()));
        for edit in there {
            match edit {
                Edit::Longer { index, value } => {
                    patcher.set(&format!("{pointer}/env/{index}"), "value", json!(value));
                }
                Edit::Expanded { index, name, value } => {
                    patcher.set(
                        &format!("{pointer}/env/{index}"),
                        "name",
                        json!(format!("{ORIGINAL}{name}")),
                    );
                    patcher.insert(pointer, "env", index + 1, vec![json!({"name": name, "value": value})]);
                }
                Edit::New { .. } => {}
            }
        }
        let new = self.edits.iter().filter_map(|edit| match edit {
            Edit::New { name, value } => Some(json!({"name": name, "value": value})),
            _ => None,
        });
        patcher.insert(pointer, "env", usize::MAX, new.collect());
    }
}

impl Edit {
    const fn index(&self) -> Option<usize> {
        match self {
            Edit::New { .. } => None,
            Edit::Longer { index, .. } | Edit::Expanded { index, .. } => Some(*index),
        }
    }

    /// Whether its value leads to the published files.
    fn is_trust(&self) -> bool {
        let (Edit::New { value, .. } | Edit::Longer { value, .. } | Edit::Expanded { value, .. }) = self;
        value.contains(mounts::TRUST)
    }
}

/// What a container trusts by, as far as it can be read. What cannot be read is set all the same.
fn readable(environment: &Environment<'_>) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    let of_theirs = ["JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", trust_variables::NODE_USE_SYSTEM_CA];
    for name in trust_variables::ALL.iter().map(|variable| variable.name).chain(of_theirs) {
        let is_list = name == SSL_CERT_DIR || name == JAVA_TOOL_OPTIONS;
        let value = match environment.has(name) {
            Has::Nothing | Has::Unknown => continue,
            // Empty is a choice too, where ours would take its place.
            Has::Literal { value: "", .. } if !is_list => UNREAD.to_owned(),
            Has::Literal { value, .. } => value.to_owned(),
            // Its own text comes in when it is expanded.
            Has::Reference { .. } if name == JAVA_TOOL_OPTIONS => continue,
            Has::Reference { .. } if is_list => expanded(name),
            Has::Reference { .. } => UNREAD.to_owned(),
        };
        known.insert(name.to_owned(), value);
    }
    known
}

fn with_java_proxy(options: String, proxied: bool) -> String {
    if proxied && !options.contains(JAVA_PROXY) {
        return format!("{options} -D{JAVA_PROXY}Host=127.0.0.1 -D{JAVA_PROXY}Port={}", ports::CONNECT);
    }
    options
}

fn is_expanding(value: &str) -> bool {
    value.contains("$(")
}

fn expanded(name: &str) -> String {
    format!("$({ORIGINAL}{name})")
}

fn optional(name: &str) -> String {
    format!(
        "{name} is left alone, since it comes from a reference that may be missing; make the reference required to have calls \
         observed"
    )
}

#[cfg(test)]
mod tests;
