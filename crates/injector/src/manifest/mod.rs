//! Manifests as a person keeps them: every pod and every workload's template in them gets what a pod under admission gets.
//! Documents that hold neither stay as they are, byte for byte.

mod print;
mod tree;

use serde_json::Value;

use crate::inject::{Outcome, patch};
use crate::options::Options;
use crate::owner::{Context, Owner};
use tree::{Node, Tree};

/// Manifests after injection.
#[derive(Debug)]
pub struct Manifests {
    /// The text, as YAML; of documents without pods as it was.
    pub text: String,
    /// The same documents as JSON.
    pub documents: Vec<Value>,
    /// What became of each pod.
    pub pods: Vec<Told>,
}

/// What became of one pod.
#[derive(Debug)]
pub struct Told {
    /// Whose it is, such as `Deployment shop`.
    pub of: String,
    /// What became of it; the patch is relative to the pod or template.
    pub outcome: Outcome,
}

/// What cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {what}")]
pub struct ManifestError {
    /// Line of the text, from 1.
    pub line: usize,
    /// What is wrong there, and the mend.
    pub what: String,
}

/// Where the pod stands in a kind that has one, and the groups that the kind is of.
const KINDS: [(&str, &str, &[&str]); 9] = [
    ("Pod", "", &["v1"]),
    ("PodTemplate", "/template", &["v1"]),
    ("ReplicationController", "/spec/template", &["v1"]),
    ("ReplicaSet", "/spec/template", &["apps/"]),
    ("Deployment", "/spec/template", &["apps/"]),
    ("StatefulSet", "/spec/template", &["apps/"]),
    ("DaemonSet", "/spec/template", &["apps/"]),
    ("Job", "/spec/template", &["batch/"]),
    ("CronJob", "/spec/jobTemplate/spec/template", &["batch/"]),
];

/// Lists in lists are nothing that a person writes.
const DEEPEST_LIST: usize = 4;

/// Gives every pod in a text of manifests its sidecar. `namespace` is that of those that name none.
///
/// # Errors
/// The first place that is no YAML, or whose YAML cannot be written again without a loss.
pub fn manifests(text: &str, namespace: Option<&str>, options: &Options) -> Result<Manifests, ManifestError> {
    let mut all =
        Manifests { text: String::with_capacity(text.len()), documents: Vec::new(), pods: Vec::new() };
    let mut line = 1;
    for document in documents(text) {
        let mut tree = Tree::read(document, line)?;
        let mut found = Vec::new();
        if let Some(root) = &tree.root {
            pods(&root.json(), "", 0, &mut found);
        }
        let mut changed = false;
        for (pointer, object) in found {
            let told = one(&mut tree, &pointer, &object, namespace, options);
            changed |= !told.outcome.patch.is_empty();
            all.pods.push(told);
        }
        if let Some(root) = tree.root.as_ref().filter(|_| changed) {
            if let Some(loss) = tree.loss {
                return Err(loss);
            }
            let head = head(document);
            all.text.push_str(if head.is_empty() && is_marker(document) { "---\n" } else { head });
            print::print(root, 0, &mut all.text);
        } else {
            all.text.push_str(document);
        }
        all.documents.extend(tree.root.as_ref().map(Node::json).filter(|json| !json.is_null()));
        line += document.matches('\n').count();
    }
    Ok(all)
}

/// One document as a value.
pub(crate) fn value(text: &str) -> Result<Value, ManifestError> {
    Ok(Tree::read(text, 1)?.root.map_or(Value::Null, |root| root.json()))
}

/// Gives the pod of one object its sidecar.
fn one(tree: &mut Tree, object_at: &str, object: &Value, namespace: Option<&str>, options: &Options) -> Told {
    let kind = object["kind"].as_str().unwrap_or_default();
    let name = object["metadata"]["name"].as_str().or(object["metadata"]["generateName"].as_str());
    let name = name.unwrap_or_default().to_owned();
    let within = KINDS.iter().find(|(known, ..)| *known == kind).map_or("", |(_, at, _)| at);
    let context = Context {
        namespace: object["metadata"]["namespace"].as_str().or(namespace).map(str::to_owned),
        owner: (kind != "Pod").then(|| Owner { kind: kind.to_owned(), name: name.clone() }),
    };
    let pod = object.pointer(within).cloned().unwrap_or_default();
    let outcome = patch(&pod, &context, options);
    if let Some(root) = &mut tree.root {
        for operation in &outcome.patch {
            root.apply(&format!("{object_at}{within}"), operation);
        }
    }
    Told { of: format!("{kind} {name}").trim_end().to_owned(), outcome }
}

/// Every object that holds a pod, with its JSON pointer.
fn pods(object: &Value, at: &str, depth: usize, found: &mut Vec<(String, Value)>) {
    let (kind, version) = (object["kind"].as_str().unwrap_or_default(), object["apiVersion"].as_str());
    let version = version.unwrap_or_default();
    let is_of = |groups: &[&str]| {
        groups.iter().any(|group| *group == version || group.ends_with('/') && version.starts_with(group))
    };
    if KINDS.iter().any(|(known, _, groups)| *known == kind && is_of(groups)) {
        found.push((at.to_owned(), object.clone()));
    } else if kind.ends_with("List") && depth < DEEPEST_LIST {
        for (index, item) in object["items"].as_array().into_iter().flatten().enumerate() {
            pods(item, &format!("{at}/items/{index}"), depth + 1, found);
        }
    }
}

/// The documents of a text with the lines that part them, which stand at the beginning of the latter.
fn documents(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        for (index, line) in rest.split_inclusive('\n').enumerate() {
            // Within a text such a line ends the document too, so YAML has it.
            if index > 0 && is_marker(line) {
                break;
            }
            end += line.len();
        }
        let (document, after) = rest.split_at(end);
        rest = after;
        Some(document)
    })
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// What stands before a document's first value: its marker and comments.
fn head(document: &str) -> &str {
    let lines = document.split_inclusive('\n').take_while(|line| {
        let line = line.trim();
        line.is_empty() || line == "---" || line.starts_with('#')
    });
    &document[..lines.map(str::len).sum()]
}

#[cfg(test)]
mod tests;
