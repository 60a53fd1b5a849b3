//! `outrigger rules …`: documents checked, explained and tested by the code that runs them.

mod check;
mod explain;
mod schema;
mod test;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Subcommand;
use outrigger_pricing::PriceBook;
use outrigger_providers::services;
use outrigger_rules::{Fault, LARGEST, Policy, Refused, Site, Translation};
use serde_json::{Value, json};

use crate::input;
use crate::output::{self, Output};

/// Rules.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say everything that is wrong with a document, with line, column and mend.
    Check(check::Arguments),
    /// Say which rule decides a call, why the ones above it do not, and what would be done.
    Explain(explain::Arguments),
    /// Print the JSON Schema that editors complete and check documents by.
    Schema(schema::Arguments),
    /// Run a table of example calls and compare their plans with what is expected.
    Test(test::Arguments),
}

/// The document, and where it is to run.
#[derive(clap::Args)]
struct Subject {
    /// The document, the manifest of a ConfigMap with one under `rules.yaml`, or the folder where such a ConfigMap is mounted; `-` for
    /// standard input.
    document: PathBuf,
    /// File with prices of one's own, laid over the built-in book.
    #[arg(long)]
    prices: Option<PathBuf>,
    /// A provider that backups may name; repeat it for more. Left out, they may name any.
    #[arg(long = "allowed-provider", value_name = "PROVIDER", value_parser = provider)]
    allowed_providers: Vec<String>,
    /// Check it as for a pod, where credentials come from files only.
    #[arg(long)]
    in_cluster: bool,
}

/// The id of a provider.
pub(crate) fn provider(word: &str) -> Result<String, String> {
    services::by_word(word).map(|service| service.id.to_owned())
}

/// What went wrong before or in a document.
enum Failure {
    /// A file cannot be read, or the like.
    Other(String),
    /// The document is refused.
    Refused(String, Refused),
}

/// A document as it would run.
struct Compiled {
    name: String,
    policy: Policy,
    warnings: Vec<Fault>,
    book: PriceBook,
    allowed: Option<Vec<String>>,
    in_cluster: bool,
}

impl Subject {
    fn compile(&self) -> Result<Compiled, Failure> {
        let book = input::book(self.prices.as_ref()).map_err(Failure::Other)?;
        let path =
            if self.document.is_dir() { self.document.join("rules.yaml") } else { self.document.clone() };
        let bytes = bytes(&path).map_err(Failure::Other)?;
        let name = path.display().to_string();
        let allowed = (!self.allowed_providers.is_empty()).then(|| self.allowed_providers.clone());
        let read = Policy::read(&bytes, &site(&book, allowed.as_deref(), self.in_cluster));
        match read {
            Ok((policy, warnings)) => {
                Ok(Compiled { name, policy, warnings, book, allowed, in_cluster: self.in_cluster })
            }
            Err(refused) => Err(Failure::Refused(name, refused)),
        }
    }
}

impl Compiled {
    fn site(&self) -> Site<'_> {
        site(&self.book, self.allowed.as_deref(), self.in_cluster)
    }
}

fn site<'a>(book: &'a PriceBook, allowed_providers: Option<&'a [String]>, in_cluster: bool) -> Site<'a> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or_default();
    Site { book, now, allowed_providers, in_cluster, gate: &Translation }
}

/// A file of at most one byte more than a document may have, or standard input.
fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let most = LARGEST as u64 + 1;
    let read = match path.to_str() {
        Some("-") => std::io::stdin().take(most).read_to_end(&mut bytes),
        _ => std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    read.map(|_| bytes).map_err(|fault| {
        format!("{}: {fault}; give a file that can be read, or - for standard input", path.display())
    })
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let (output, ran) = match &arguments.command {
        Command::Check(arguments) => (arguments.output, check::told(arguments)),
        Command::Explain(arguments) => (arguments.output, explain::told(arguments)),
        Command::Schema(arguments) => (Output::Text, Ok((schema::told(arguments), true))),
        Command::Test(arguments) => (arguments.output, test::told(arguments)),
    };
    match ran {
        Ok((text, is_good)) => {
            output::line(text.trim_end());
            if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(Failure::Other(fault)) => {
            output::note(&fault);
            ExitCode::FAILURE
        }
        Err(Failure::Refused(name, refused)) => {
            match output {
                Output::Text => output::line(&faults_text(&name, &refused.faults)),
                Output::Json => output::line(&faults_json(&name, &refused.faults, None).to_string()),
            }
            ExitCode::FAILURE
        }
    }
}

/// One line each, and their number.
fn faults_text(name: &str, faults: &[Fault]) -> String {
    let mut lines: Vec<String> = faults.iter().map(|fault| format!("{name}:{fault}")).collect();
    let errors = faults.iter().filter(|fault| fault.is_error()).count();
    let counted = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let warnings = faults.len() - errors;
    if !faults.is_empty() {
        lines.push(format!("{name}: {}, {}", counted(errors, "error"), counted(warnings, "warning")));
    }
    lines.join("\n")
}

fn faults_json(name: &str, faults: &[Fault], policy: Option<Value>) -> Value {
    json!({"file": name, "ok": !faults.iter().any(Fault::is_error), "faults": faults, "policy": policy})
}
