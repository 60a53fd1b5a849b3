//! A table of example calls with what is expected of them: tests of a document, written by whoever wrote it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use outrigger_providers::Operation;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::document::{Count, Deadlines, Host, Label, Provider, Text};
use crate::fault::{Fault, Refused, in_order};
use crate::read::{Reader, Step, Written, section};
use crate::source::LARGEST;
use crate::yaml::{LONGEST_TEXT, Node, parse, readable};
use crate::{Call, Explanation, Policy, Site};

/// What `expect.rule` is where no rule decides.
pub(crate) const NO_RULE: &str = "none";

section! {
    /// Example calls with expected plans.
    Examples {
        required {
            /// In any order; each stands for itself.
            "examples" examples: Vec<Example>,
        }
        optional {}
    }
}

section! {
    /// One call, and what is expected.
    Example {
        required {
            /// What it shows; it is told where it fails.
            "name" name: Text,
            /// The call.
            "call" call: ExampleCall,
            /// What is expected. What is not written is not compared.
            "expect" expect: Expected,
        }
        optional {}
    }
}

section! {
    /// A call.
    ExampleCall {
        required {
            /// The provider that the app addresses.
            "provider" provider: Provider,
        }
        optional {
            /// The model asked for.
            "model" model: Text,
            /// What it asks for. Left out, it is `chat`.
            "operation" operation: OperationWord,
            /// The host that the app addresses. Left out, it is the provider's first.
            "host" host: Host,
            /// The request's headers.
            "headers" headers: Headers,
            /// `service.name` of the app.
            "service" service: Text,
        }
    }
}

section! {
    /// What is expected of a call.
    Expected {
        required {}
        optional {
            /// The rule that decides; `none`: no rule does.
            "rule" rule: Label,
            /// The backups that the call may move to, in order, without those that are left out.
            "targets" targets: Vec<Label>,
            /// Times that one place is tried at most.
            "attempts" attempts: Count<1, 5>,
            /// How long parts of the call may take.
            "deadlines" deadlines: Deadlines,
        }
    }
}

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationWord(pub Operation);

impl Serialize for OperationWord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl JsonSchema for OperationWord {
    fn schema_name() -> Cow<'static, str> {
        "Operation".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": Operation::ALL.map(Operation::as_str)})
    }
}

impl Written for OperationWord {
    fn read(node: &Node, reader: &mut Reader) -> Option<OperationWord> {
        let words = Operation::ALL.map(Operation::as_str);
        reader.word(node, "an operation", &words, Operation::from_word).map(OperationWord)
    }
}

/// Headers of a request, by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Headers(pub HeaderMap);

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default())),
        )
    }
}

impl JsonSchema for Headers {
    fn schema_name() -> Cow<'static, str> {
        "Headers".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        <BTreeMap<String, String>>::json_schema(generator)
    }
}

impl Written for Headers {
    fn read(node: &Node, reader: &mut Reader) -> Option<Headers> {
        let mut headers = HeaderMap::new();
        for (key, node) in reader.members(node)?.iter() {
            reader.within(Step::Member(&key.text), key.at, node, |reader| {
                let Ok(name) = HeaderName::from_bytes(key.text.as_bytes()) else {
                    return reader
                        .wrong::<()>("this is not the name of a header", "write a name such as `x-tier`");
                };
                let text = reader.text(node, "the value of a header")?;
                match HeaderValue::from_str(text) {
                    Ok(value) => headers.insert(name, value).map(|_| ()),
                    Err(_) => reader.wrong("this is not the value of a header", "use visible ASCII letters"),
                }
            });
        }
        Some(Headers(headers))
    }
}

/// How one example ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// What it shows.
    pub name: String,
    /// Where it begins in its file, from 1.
    pub line: u32,
    /// What differs from what is expected; empty: nothing does.
    pub differences: Vec<String>,
}

impl Examples {
    /// Reads a table.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn read(bytes: &[u8]) -> Result<(Examples, Vec<u32>), Refused> {
        let alone = |fault: Fault| Refused { faults: vec![fault] };
        let text = readable(bytes.get(..LARGEST).unwrap_or(bytes)).map_err(alone)?;
        let (root, faults) = parse(text, LONGEST_TEXT, &|at| at).map_err(alone)?;
        let mut reader = Reader::new(faults, &root);
        let examples = <Examples as Written>::read(&root, &mut reader);
        let lines = |index: usize| {
            let at = reader.places.get(&format!("examples[{index}]"));
            at.map_or(1, |at| at.line)
        };
        match examples {
            Some(examples) if !reader.faults.iter().any(Fault::is_error) => {
                let lines = (0..examples.examples.len()).map(lines).collect();
                Ok((examples, lines))
            }
            _ => {
                in_order(&mut reader.faults);
                Err(Refused { faults: reader.faults })
            }
        }
    }
}

impl Example {
    /// The call, in its parts.
    #[must_use]
    pub fn explain(&self, policy: &Policy, site: &Site<'_>) -> Explanation {
        let call = &self.call;
        let headers = call.headers.clone().unwrap_or_default().0;
        let own = call.provider.0.hosts.first().copied().unwrap_or_default();
        policy.explain(
            &Call {
                provider: call.provider.0.id,
                host: call.host.as_ref().map_or(own, |host| &host.0),
                model: call.model.as_ref().map(|model| &*model.0),
                operation: call.operation.map_or(Operation::Chat, |operation| operation.0),
                headers: &headers,
                service: call.service.as_ref().map(|service| &*service.0),
            },
            site,
        )
    }

    /// Compares what would be done with what is expected.
    #[must_use]
    pub fn run(&self, line: u32, policy: &Policy, site: &Site<'_>) -> Outcome {
        let explanation = self.explain(policy, site);
        let mut differences = Vec::new();
        let mut differs = |what: &str, expected: String, found: String| {
            if expected != found {
                differences.push(format!("{what} is {found}, expected {expected}"));
            }
        };
        let expect = &self.expect;
        if let Some(rule) = &expect.rule {
            differs(
                "the rule",
                rule.0.clone(),
                explanation.rule.clone().unwrap_or_else(|| NO_RULE.to_owned()),
            );
        }
        let plan = explanation.plan.as_ref();
        if let Some(targets) = &expect.targets {
            let list = |names: Vec<&str>| format!("[{}]", names.join(", "));
            let places = plan.iter().flat_map(|plan| &plan.places);
            let found =
                places.filter(|place| place.left_out.is_none()).filter_map(|place| place.backup.as_deref());
            differs(
                "the list of targets",
                list(targets.iter().map(|target| &*target.0).collect()),
                list(found.collect()),
            );
        }
        if let Some(attempts) = expect.attempts {
            let found = plan.map_or(1, |plan| plan.attempts);
            differs("the number of attempts", attempts.0.to_string(), found.to_string());
        }
        if let Some(deadlines) = &expect.deadlines {
            let expected = [
                ("connect", deadlines.connect),
                ("responseHead", deadlines.response_head),
                ("firstToken", deadlines.first_token),
                ("betweenTokens", deadlines.between_tokens),
                ("total", deadlines.total),
            ];
            let acting = deadlines.on_exceeded;
            for (part, expected) in
                expected.into_iter().filter_map(|(part, expected)| Some((part, expected?)))
            {
                let found =
                    plan.and_then(|plan| plan.deadlines.iter().find(|deadline| deadline.part == part));
                let found_time = found.map_or_else(|| "not set".to_owned(), |found| found.after.to_string());
                differs(&format!("deadlines.{part}"), expected.to_string(), found_time);
                if let (Some(acting), Some(found)) = (acting, found) {
                    let what = format!("what deadlines.{part} does");
                    differs(&what, acting.as_str().to_owned(), found.on_exceeded.as_str().to_owned());
                }
            }
        }
        Outcome { name: self.name.0.clone(), line, differences }
    }
}
