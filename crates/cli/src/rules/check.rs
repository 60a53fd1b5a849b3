//! `outrigger rules check FILE`: everything that is wrong with it; where nothing is, what it allows.

use std::path::PathBuf;

use outrigger_rules::{CredentialSource, Policy, Target};
use serde_json::{Value, json};

use super::{Compiled, Failure, Subject, faults_json, faults_text};
use crate::output::Output;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Look whether each backup could be paid by what lies in this folder.
    #[arg(long, value_name = "DIR")]
    credentials: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
}

pub(super) fn told(arguments: &Arguments) -> Result<(String, bool), Failure> {
    let Compiled { name, policy, warnings, .. } = arguments.subject.compile()?;
    let unpaid: Vec<String> = match &arguments.credentials {
        Some(folder) => {
            policy.targets.iter().filter_map(|target| outrigger_sidecar::unpaid(folder, target)).collect()
        }
        None => Vec::new(),
    };
    let told = match arguments.output {
        Output::Json => {
            let mut told = faults_json(&name, &warnings, Some(json(&policy)));
            if arguments.credentials.is_some() {
                told["unpaid"] = json!(unpaid);
                told["ok"] = json!(unpaid.is_empty());
            }
            told.to_string()
        }
        Output::Text => {
            let faults = faults_text(&name, &warnings);
            [&[faults, text(&name, &policy)][..], &unpaid].concat().join("\n").trim_start().to_owned()
        }
    };
    Ok((told, unpaid.is_empty()))
}

fn text(name: &str, policy: &Policy) -> String {
    let rules: Vec<&str> = policy.rules.iter().map(|rule| &*rule.name).collect();
    let mut lines = vec![format!(
        "{name}: version {}, mode {}, {} rules ({}), hash {}",
        policy.version,
        policy.mode.as_str(),
        rules.len(),
        rules.join(", "),
        policy.hash.get(..12).unwrap_or_default()
    )];
    if policy.targets.is_empty() {
        lines.push("prompts go nowhere but where the app sends them".to_owned());
    }
    lines.extend(policy.targets.iter().map(|target| format!("prompts may go to {}", place(target))));
    lines.join("\n")
}

/// `claude: anthropic at api.anthropic.com, claude-sonnet-5-5, api_key from file anthropic/api-key`.
fn place(target: &Target) -> String {
    let mut told = format!("{}: {} at {}", target.name, target.provider.id, target.host);
    for part in [&target.deployment, &target.model, &target.region, &target.project].into_iter().flatten() {
        told.push_str(", ");
        told.push_str(part);
    }
    if let Some(format) = target.format {
        told.push_str(", in ");
        told.push_str(format);
    }
    let (kind, (source, place)) = (target.credential.kind.as_str(), source(target));
    format!("{told}; {kind} from {source} {place}")
}

fn source(target: &Target) -> (&'static str, &str) {
    match &target.credential.source {
        CredentialSource::File(file) => ("file", file),
        CredentialSource::Variable(variable) => ("env", variable),
    }
}

fn json(policy: &Policy) -> Value {
    let backup = |target: &std::sync::Arc<Target>| {
        let (by, place) = source(target);
        json!({
            "name": &*target.name, "provider": target.provider.id, "host": &*target.host,
            "deployment": target.deployment.as_deref(), "region": target.region.as_deref(),
            "project": target.project.as_deref(), "model": target.model.as_deref(), "format": target.format,
            "credential": {"kind": target.credential.kind.as_str(), by: place},
        })
    };
    json!({
        "version": policy.version.to_string(), "mode": policy.mode.as_str(), "hash": &*policy.hash,
        "backups": policy.targets.iter().map(backup).collect::<Vec<_>>(),
        "rules": policy.rules.iter().map(|rule| &*rule.name).collect::<Vec<_>>(),
    })
}
