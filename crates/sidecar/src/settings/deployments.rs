//! The setting `deployments`: a table in the file, a list of `RESOURCE/DEPLOYMENT=MODEL` in a variable or on a command line.

use std::collections::BTreeMap;
use std::str::FromStr;

use outrigger_ledger::Deployments;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// One deployment and the model behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The first label of the host that serves it, or `*`.
    pub resource: String,
    /// Its name, or the ARN that Bedrock knows it by.
    pub name: String,
    /// A model of the price book.
    pub model: String,
}

impl Deployment {
    fn checked(resource: &str, name: &str, model: &str) -> Result<Deployment, String> {
        let is_label = resource.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if resource != "*" && (resource.is_empty() || !is_label) {
            return Err(format!(
                "`{resource}` in `deployments` is no resource; write the first label of its host, such as team-a of \
                 team-a.openai.azure.com, or * for all"
            ));
        }
        if name.is_empty() || model.is_empty() {
            return Err(format!("`deployments` names no deployment or no model for `{resource}`"));
        }
        Ok(Deployment { resource: resource.to_owned(), name: name.to_owned(), model: model.to_owned() })
    }
}

impl FromStr for Deployment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // An ARN has slashes of its own.
        let parts =
            text.split_once('/').and_then(|(resource, rest)| Some((resource, rest.rsplit_once('=')?)));
        let (resource, (name, model)) = parts.ok_or_else(|| {
            format!("`{text}` is not RESOURCE/DEPLOYMENT=MODEL, for example team-a/our-gpt=gpt-5-mini")
        })?;
        Deployment::checked(resource, name, model)
    }
}

/// Reads either form.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Deployment>, D::Error> {
    struct Forms;

    impl<'de> Visitor<'de> for Forms {
        type Value = Vec<Deployment>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("{RESOURCE: {DEPLOYMENT: MODEL}} or a list of RESOURCE/DEPLOYMENT=MODEL")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Deployment>, A::Error> {
            let mut all = Vec::new();
            while let Some((resource, names)) = map.next_entry::<String, BTreeMap<String, String>>()? {
                for (name, model) in names {
                    all.push(Deployment::checked(&resource, &name, &model).map_err(A::Error::custom)?);
                }
            }
            Ok(all)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Deployment>, A::Error> {
            let mut all = Vec::new();
            while let Some(text) = list.next_element::<String>()? {
                all.push(text.parse().map_err(A::Error::custom)?);
            }
            Ok(all)
        }
    }

    deserializer.deserialize_any(Forms)
}

/// What the ledger asks.
pub(crate) fn table(deployments: &[Deployment]) -> Deployments {
    let mut table = Deployments::default();
    for one in deployments {
        table.insert(&one.resource, &one.name, one.model.clone());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123";

    #[test]
    fn a_word_of_the_list_is_taken_apart_where_it_can_only_be_meant() {
        let read = |text: &str| text.parse::<Deployment>();
        let arn = read(&format!("*/{ARN}=claude-sonnet-5-5")).unwrap();
        assert_eq!((arn.resource.as_str(), arn.name.as_str()), ("*", ARN));
        assert_eq!(arn.model, "claude-sonnet-5-5");
        for (wrong, named) in [
            ("our-gpt=gpt-5", "RESOURCE/DEPLOYMENT=MODEL"),
            ("team-a/our-gpt", "RESOURCE/DEPLOYMENT=MODEL"),
            ("team-a.openai.azure.com/our-gpt=gpt-5", "`team-a.openai.azure.com`"),
            ("team-a/=gpt-5", "no deployment"),
            ("team-a/our-gpt=", "no model"),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains(named), "{wrong}: {error}");
        }
    }
}
