//! `outrigger inject -f FILE`: manifests with what pods under admission get, for those who want no webhook.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use outrigger_injector::{
    Manifests, Mode, Options, Settings, Status, check_authorities, check_endpoint, manifests,
};
use serde_json::json;

use crate::input;
use crate::output::{self, Output};
use crate::rules::provider;

/// Manifests.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Manifests with any number of documents; - for standard input. Repeat it for more.
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    filenames: Vec<PathBuf>,
    /// Settings of the injector, of which `pods` is followed: what every pod gets. What is said beside it wins.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// How calls are led to the sidecar: transparent (the default), base-url or proxy; a pod's annotation may choose another.
    #[arg(long, value_parser = mode)]
    mode: Option<Mode>,
    /// Image of the sidecar and the redirection; pin it by its digest.
    #[arg(long)]
    image: Option<String>,
    /// OTLP endpoint of the telemetry.
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// Namespace of the objects that name none.
    #[arg(short, long)]
    namespace: Option<String>,
    /// A provider that rules may name as a backup; repeat it for more. Left out, they may name any.
    #[arg(long = "allowed-provider", value_name = "PROVIDER", value_parser = provider)]
    allowed_providers: Vec<String>,
    /// A file of authorities, PEM, that sidecars trust upstream beside the public ones: of gateways and private endpoints. Repeat it for more.
    #[arg(long = "extra-ca", value_name = "FILE")]
    extra_cas: Vec<PathBuf>,
    /// How to print: YAML, in which documents without pods stay as they are, or one List as JSON.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

fn mode(word: &str) -> Result<Mode, String> {
    Mode::parse(word).ok_or_else(|| format!("the modes are {}", Mode::ALL.map(Mode::as_str).join(", ")))
}

/// Prints nothing unless everything could be read: what is printed is piped on.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let options = match options(arguments) {
        Ok(options) => options,
        Err(fault) => {
            output::note(&fault);
            return ExitCode::FAILURE;
        }
    };
    let mut all = Vec::new();
    for file in &arguments.filenames {
        let read = input::read(file).and_then(|text| {
            manifests(&text, arguments.namespace.as_deref(), &options)
                .map_err(|fault| format!("{}:{fault}", file.display()))
        });
        match read {
            Ok(done) => all.push(done),
            Err(fault) => {
                output::note(&fault);
                return ExitCode::FAILURE;
            }
        }
    }
    match arguments.output {
        Output::Text => output::bytes(joined(&all).as_bytes()),
        Output::Json => {
            let items: Vec<_> = all.iter().flat_map(|one| &one.documents).collect();
            output::line(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
        }
    }
    all.iter().for_each(tell);
    ExitCode::SUCCESS
}

/// What every pod gets: of the settings, and over it of the command line.
fn options(arguments: &Arguments) -> Result<Options, String> {
    let mut options = match &arguments.settings {
        None => Options::default(),
        Some(file) => {
            let settings = Settings::read(&input::read(file)?);
            settings.map_err(|fault| format!("{}: {fault}", file.display()))?.pods
        }
    };
    if let Some(mode) = arguments.mode {
        options.mode = mode;
    }
    if let Some(image) = &arguments.image {
        options.image.clone_from(image);
    }
    if let Some(endpoint) = &arguments.otlp {
        check_endpoint(endpoint).map_err(|fault| format!("--otlp {fault}"))?;
        options.otlp_endpoint = Some(endpoint.clone());
    }
    if !arguments.allowed_providers.is_empty() {
        options.allowed_providers = Some(arguments.allowed_providers.clone());
    }
    if let Some(authorities) = authorities(&arguments.extra_cas)? {
        options.extra_cas = Some(authorities);
    }
    options.check()?;
    Ok(options)
}

/// The files as one text; `None` without any.
fn authorities(files: &[PathBuf]) -> Result<Option<String>, String> {
    let of_file = |file: &Path| {
        let text = input::read(file)?;
        check_authorities(&text).map_err(|fault| format!("--extra-ca: {} {fault}", file.display()))?;
        Ok(text.trim().to_owned() + "\n")
    };
    let texts: Result<Vec<String>, String> = files.iter().map(|file| of_file(file)).collect();
    let all = texts?.concat();
    if all.is_empty() {
        return Ok(None);
    }
    check_authorities(&all).map_err(|fault| format!("--extra-ca {fault}"))?;
    Ok(Some(all))
}

/// Several files become one stream of documents.
fn joined(all: &[Manifests]) -> String {
    let mut text = String::new();
    for one in all {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        if !text.is_empty() && !one.text.starts_with("---") {
            text.push_str("---\n");
        }
        text.push_str(&one.text);
    }
    text
}

/// What became of each pod, on standard error.
fn tell(done: &Manifests) {
    for pod in &done.pods {
        let outcome = &pod.outcome;
        match outcome.status {
            Status::Injected => output::note(&format!("{}: injected; {}", pod.of, outcome.sends_to)),
            Status::Kept if outcome.patch.is_empty() => {
                output::note(&format!("{}: has its sidecar already", pod.of))
            }
            Status::Kept => {
                output::note(&format!("{}: has its sidecar already; new containers are led to it", pod.of))
            }
            Status::Skipped(_) => output::note(&format!("{}: no sidecar, {}", pod.of, outcome.reason)),
        }
        if !matches!(outcome.status, Status::Skipped(_)) {
            outcome.warnings.iter().for_each(|warning| output::note(&format!("{}: {warning}", pod.of)));
        }
    }
    if done.pods.is_empty() {
        output::note("no pod and no workload is in it, so nothing was changed");
    }
}
