//! Which models stand behind names that a customer gave: Azure's deployments, and what Bedrock knows by an ARN alone. Read
//! once at the start, asked once per call.

use std::collections::HashMap;

/// The resource that stands for all of them.
const ANY: &str = "*";

/// Names of deployments and their models. Case does not matter in what is looked up; the providers keep none apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deployments(HashMap<String, HashMap<String, String>>);

impl Deployments {
    /// Says what stands behind a deployment of a resource, which is the first label of its host, or `*` for all.
    pub fn insert(&mut self, resource: &str, deployment: &str, model: String) {
        let of = self.0.entry(resource.to_ascii_lowercase()).or_default();
        of.insert(deployment.to_ascii_lowercase(), model);
    }

    /// The model behind a deployment that a host serves. What is said of the resource itself goes before what is said of
    /// all.
    #[must_use]
    pub fn model(&self, host: &str, deployment: &str) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        let resource = host.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let deployment = deployment.to_ascii_lowercase();
        [resource.as_str(), ANY]
            .into_iter()
            .find_map(|resource| self.0.get(resource)?.get(&deployment))
            .map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resources_own_word_goes_before_that_for_all() {
        let mut deployments = Deployments::default();
        deployments.insert("*", "fast", "gpt-5-mini".to_owned());
        deployments.insert("Team-A", "Fast", "gpt-5".to_owned());
        let model = |host, deployment| deployments.model(host, deployment);
        assert_eq!(model("team-a.openai.azure.com", "fast"), Some("gpt-5"));
        assert_eq!(model("TEAM-A.openai.azure.com", "FAST"), Some("gpt-5"));
        assert_eq!(model("team-b.openai.azure.com", "fast"), Some("gpt-5-mini"));
        assert_eq!(model("team-a.openai.azure.com", "slow"), None);
        assert_eq!(Deployments::default().model("team-a.openai.azure.com", "fast"), None);
    }
}
