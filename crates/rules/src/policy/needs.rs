//! What must be said of a backup at each provider, beside the provider.

use outrigger_providers::Service;

use crate::document::CredentialKind;

/// What a backup at one provider needs.
pub(super) struct Needs {
    /// Every customer has a host of its own.
    pub(super) host: bool,
    /// A deployment answers, not a model.
    pub(super) deployment: bool,
    /// The host is a region's.
    pub(super) region: bool,
    /// A project is billed.
    pub(super) project: bool,
    /// The kinds of credential it takes, the usual one first.
    pub(super) kinds: &'static [CredentialKind],
}

impl Needs {
    pub(super) fn of(service: &Service) -> Needs {
        let plain = Needs {
            host: service.hosts.is_empty(),
            deployment: false,
            region: false,
            project: false,
            kinds: &[CredentialKind::ApiKey, CredentialKind::Bearer],
        };
        match service.id {
            "azure" => Needs { deployment: true, ..plain },
            "bedrock" => {
                Needs { region: true, kinds: &[CredentialKind::AwsSigv4, CredentialKind::Bearer], ..plain }
            }
            "vertex" => Needs {
                region: true,
                project: true,
                kinds: &[CredentialKind::GoogleServiceAccount, CredentialKind::Bearer],
                ..plain
            },
            _ => plain,
        }
    }
}

/// The provider's host in a region: one of whose labels is the region, or it with one word more.
pub(super) fn host_in(service: &Service, region: &str) -> Option<&'static str> {
    let begins = |label: &str| {
        let rest = label.strip_prefix(region).and_then(|rest| rest.strip_prefix('-'));
        rest.is_some_and(|rest| !rest.contains('-'))
    };
    service.hosts.iter().copied().find(|host| {
        let mut labels = host.split('.');
        labels.clone().any(|label| label == region) || labels.next().is_some_and(begins)
    })
}

/// The region that a host says it stands in, as AWS's do: a label of its own that ends in a number.
pub(super) fn region_of(host: &str) -> Option<&str> {
    let is_region = |label: &str| {
        label.split('-').count() >= 3
            && label
                .rsplit('-')
                .next()
                .is_some_and(|last| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    host.split('.').skip(1).find(|label| is_region(label))
}
