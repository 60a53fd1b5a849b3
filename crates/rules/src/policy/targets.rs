//! The backups: each with its address and what it is paid by.

use std::sync::Arc;

use outrigger_providers::{Service, services, translate};

use super::compile::Findings;
use super::needs::{Needs, host_in, region_of};
use super::{Credential, CredentialSource, Site, Target};
use crate::document::{self, CredentialKind, Draft};

/// By their names, in the order of the text; `None` for what is faulty.
pub(super) type Targets = Vec<(String, Option<Arc<Target>>)>;

pub(super) fn compile(draft: &Draft, site: &Site<'_>, findings: &mut Findings<'_>) -> Targets {
    let compiled = draft.backups.iter().map(|(name, backup)| {
        let target = backup.as_ref().and_then(|backup| target(name, backup, site, findings));
        (name.clone(), target.map(Arc::new))
    });
    compiled.collect()
}

fn target(
    name: &str,
    backup: &document::Backup,
    site: &Site<'_>,
    findings: &mut Findings<'_>,
) -> Option<Target> {
    let provider = backup.provider.0;
    let path = |key: &str| format!("backups.{name}.{key}");
    let needs = Needs::of(provider);
    if let Some(allowed) = site.allowed_providers
        && !allowed.iter().filter_map(|word| services::by_word(word).ok()).any(|one| one.id == provider.id)
    {
        let text = format!("{} is not among the allowed providers ({})", provider.id, allowed.join(", "));
        findings.wrong(
            &path("provider"),
            text,
            "remove the backup, or let the ceiling `allowedProviders` name it",
        );
    }
    let host = match (&backup.host, &backup.region) {
        (Some(host), _) => {
            let known = services::by_host(&host.0).unwrap_or_else(|| services::of_listed(&host.0));
            if known.id != provider.id {
                let text =
                    format!("{host} is not known as a host of {}; prompts and the key go there", provider.id);
                findings.doubtful(&path("host"), text, "make sure that it is yours or the provider's");
            }
            Some(host.0.clone())
        }
        (None, Some(region)) if needs.region => match host_in(provider, &region.0) {
            Some(host) => Some(host.to_owned()),
            None => {
                let text = format!("{} has no region `{region}` that is known here", provider.id);
                findings.wrong(&path("region"), text, "correct it, or write the region's `host` too");
                None
            }
        },
        (None, None) if needs.region => {
            findings.wrong(&path("region"), "`region` is missing", "add `region: …`: it decides the host");
            None
        }
        (None, _) if needs.host => {
            let text = format!("`host` is missing: {} gives each customer a host of its own", provider.id);
            findings.wrong(&path("host"), text, "add `host: …`");
            None
        }
        (None, _) => provider.hosts.first().map(|host| (*host).to_owned()),
    };
    let mut wanted = |key: &str, is_written: bool, is_needed: bool| {
        if is_written && !is_needed {
            let text = format!("{} has no `{key}`", provider.id);
            findings.wrong(&path(key), text, "remove it");
        }
        if is_needed && !is_written {
            findings.wrong(&path(key), format!("`{key}` is missing"), "add it: the address has it inside");
        }
    };
    wanted("deployment", backup.deployment.is_some(), needs.deployment);
    wanted("project", backup.project.is_some(), needs.project);
    if backup.region.is_some() {
        wanted("region", true, needs.region);
    }
    if needs.deployment && backup.model.is_none() {
        let mend =
            "add `model: …`, the one that stands behind the deployment: price and facts are asked by it";
        findings.wrong(&path("model"), "`model` is missing", mend);
    }
    let format = backup.format.map(|format| format.0);
    if let Some(format) = format {
        speaks(
            provider,
            backup.model.as_ref().map(|model| model.0.as_str()),
            format,
            &path("format"),
            findings,
        );
    }
    let credential =
        credential(&backup.credential, &path("credential"), &needs, provider.id, site, findings)?;
    let host = host?;
    let region = backup.region.as_ref().map(|region| region.0.as_str()).or_else(|| region_of(&host));
    if needs.region && credential.kind == CredentialKind::AwsSigv4 && region.is_none() {
        let text = format!("`region` is missing: {host} does not say it");
        findings.wrong(&path("region"), text, "add `region: …`: the signature of each request names it");
    }
    let text = |text: &str| Arc::from(text);
    Some(Target {
        name: name.into(),
        provider,
        region: region.filter(|_| needs.region).map(text),
        host: text(&host),
        deployment: backup.deployment.as_ref().map(|deployment| text(&deployment.0)),
        project: backup.project.as_ref().map(|project| text(&project.0)),
        model: backup.model.as_ref().map(|model| text(&model.0)),
        format,
        credential,
    })
}

/// Whether a conversation can be asked in the format that is wished for.
fn speaks(
    provider: &'static Service,
    model: Option<&str>,
    format: &str,
    path: &str,
    findings: &mut Findings<'_>,
) {
    let spoken = translate::formats(provider, model);
    if spoken.contains(&format) {
        return;
    }
    let id = provider.id;
    let text = match model.filter(|_| translate::formats(provider, None).contains(&format)) {
        Some(model) => format!("{id} does not answer {model} in {format}"),
        None => format!("{id} does not answer in {format}"),
    };
    let mend = match &*spoken {
        [] => "remove `format`".to_owned(),
        formats => format!("write {}, or remove `format`", formats.join(" or ")),
    };
    findings.wrong(path, text, &mend);
}

fn credential(
    written: &document::Credential,
    path: &str,
    needs: &Needs,
    provider: &str,
    site: &Site<'_>,
    findings: &mut Findings<'_>,
) -> Option<Credential> {
    let kind = written.kind.or(needs.kinds.first().copied())?;
    if !needs.kinds.contains(&kind) {
        let kinds: Vec<&str> = needs.kinds.iter().map(|kind| kind.as_str()).collect();
        let text = format!("{provider} does not take a credential of kind `{}`", kind.as_str());
        findings.wrong(&format!("{path}.kind"), text, &format!("write one of {}", kinds.join(", ")));
    }
    let source = match (&written.file, &written.env) {
        (Some(file), None) => CredentialSource::File(Arc::from(&*file.0)),
        (None, Some(variable)) => {
            if site.in_cluster {
                let text = "in a cluster credentials come from files only";
                findings.wrong(&format!("{path}.env"), text, "mount a Secret and write `file: …`");
            }
            if kind == CredentialKind::AwsSigv4 {
                let text = "AWS keys are two, and one variable holds one text";
                findings.wrong(
                    &format!("{path}.env"),
                    text,
                    "write `file: …`, in the form of `~/.aws/credentials`",
                );
            }
            CredentialSource::Variable(Arc::from(&*variable.0))
        }
        // One that is faulty is written all the same.
        (None, None) if findings.is_faulty_below(path) => return None,
        (None, None) => {
            findings.wrong(
                path,
                "the credential has no source",
                "write `file: …`, or `env: …` outside a cluster",
            );
            return None;
        }
        (Some(_), Some(_)) => {
            findings.wrong(path, "the credential has two sources", "write one of `file` and `env`");
            return None;
        }
    };
    Some(Credential { kind, source })
}
