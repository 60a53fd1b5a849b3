//! `headers`: what the request says beside its body.

use std::sync::Arc;

use http::HeaderName;
use schemars::json_schema;
use serde_json::Value;

use super::patterns::Patterns;
use super::{Condition, Matcher};
use crate::Call;
use crate::read::Step;

/// Headers that carry secrets. They are not for rules: what a rule asks of them would stand in a ConfigMap.
const SECRET: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

pub(super) static MATCHER: Matcher = Matcher {
    key: "headers",
    document: "Headers of the request, each by its name with a value or a list of values; `*` stands for any run of characters, and alone \
               for any value. All of them must be there. Headers that carry keys cannot be asked.",
    schema: || json_schema!({"type": "object", "minProperties": 1, "additionalProperties": Patterns::schema()}),
    parse: |node, reader| {
        let members = reader.members(node)?;
        let mut headers = Vec::new();
        let mut faulty = false;
        for (key, node) in members.iter() {
            let header = reader.within(Step::Member(&key.text), key.at, node, |reader| {
                let shown = crate::yaml::shortened(&key.text);
                if key.plain && crate::yaml::is_ambiguous(&key.text) {
                    return reader.wrong(
                        format!("`{shown}` without quotes is true or false to many readers of YAML"),
                        format!("write \"{shown}\" in quotes"),
                    );
                }
                let Ok(name) = HeaderName::from_bytes(key.text.as_bytes()) else {
                    return reader.wrong(
                        format!("`{shown}` is not the name of a header"),
                        "write a name such as `x-tier`",
                    );
                };
                if SECRET.contains(&name.as_str()) {
                    return reader.wrong(
                        format!("`{name}` carries a secret, and rules do not ask for those"),
                        "let the app send a header of its own, such as `x-tier`",
                    );
                }
                Some((name, Patterns::parse(node, reader, "the value of a header", false)?))
            });
            match header {
                Some(header) => headers.push(header),
                None => faulty = true,
            }
        }
        if faulty {
            return None;
        }
        if headers.is_empty() {
            return reader.wrong("no header is named", "name one at least, or leave the key out");
        }
        if let Some((name, _)) = headers.iter().enumerate().find_map(|(index, header)| {
            headers[..index].iter().any(|(name, _)| *name == header.0).then_some(header)
        }) {
            return reader.wrong(
                format!("the header `{name}` stands twice; case does not matter"),
                "remove one of them",
            );
        }
        Some(Arc::new(Headers(headers)))
    },
};

#[derive(Debug)]
struct Headers(Vec<(HeaderName, Patterns)>);

fn has_it(call: &Call<'_>, name: &HeaderName, values: &Patterns) -> bool {
    call.headers.get_all(name).iter().any(|value| value.to_str().is_ok_and(|value| values.hold(value)))
}

impl Condition for Headers {
    fn holds(&self, call: &Call<'_>) -> bool {
        self.0.iter().all(|(name, values)| has_it(call, name, values))
    }

    fn explain(&self, call: &Call<'_>) -> String {
        let missing = self.0.iter().filter(|(name, values)| !has_it(call, name, values));
        let told = missing.map(|(name, values)| match call.headers.contains_key(name) {
            true => format!("its header {name} is not {}", values.told()),
            false => format!("it has no header {name}"),
        });
        told.collect::<Vec<_>>().join(" and ")
    }

    fn written(&self) -> Value {
        Value::Object(
            self.0.iter().map(|(name, values)| (name.as_str().to_owned(), values.written())).collect(),
        )
    }
}
