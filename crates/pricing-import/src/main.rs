//! `prices`: makes the checked-in price book. A maintenance command: it reads files that its arguments name, fetches
//! nothing, and is not shipped.

mod compare;
mod decimal;
mod facts;
mod genai;
mod overlay;
mod write;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use outrigger_pricing::document::Origin;
use outrigger_pricing::{BookError, PriceBook};
use sha2::{Digest as _, Sha256};

/// Makes the checked-in price book from open data and the hand-kept overlay.
#[derive(Parser)]
#[command(name = "prices", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Import the data set, lay the overlay and the facts over it, write prices.json and prices.bin.
    Import {
        /// `data/prices.json` of the published genai-prices crate.
        #[arg(long)]
        genai: PathBuf,
        /// Version of that crate.
        #[arg(long)]
        genai_version: String,
        /// The day of that version, YYYY-MM-DD.
        #[arg(long)]
        genai_date: String,
        /// Where overlay.json and facts.json are.
        #[arg(long, default_value = "crates/pricing-import")]
        kept: PathBuf,
        /// Where prices.json and prices.bin go.
        #[arg(long, default_value = "crates/pricing")]
        into: PathBuf,
    },
    /// Compile prices.json to prices.bin, as `import` does at its end.
    Compile {
        /// Where both are.
        #[arg(default_value = "crates/pricing")]
        into: PathBuf,
    },
    /// Read model facts from LiteLLM's map into facts.json.
    Facts {
        /// `model_prices_and_context_window_backup.json` of the litellm wheel.
        #[arg(long)]
        litellm: PathBuf,
        /// The day of that wheel, YYYY-MM-DD.
        #[arg(long)]
        litellm_date: String,
        /// Where facts.json goes.
        #[arg(long, default_value = "crates/pricing-import")]
        kept: PathBuf,
    },
    /// Report where the book differs from LiteLLM's map, but for what is in the reviewed list.
    Compare {
        /// `model_prices_and_context_window_backup.json` of the litellm wheel.
        #[arg(long)]
        litellm: PathBuf,
        /// The list of differences that someone looked into.
        #[arg(long, default_value = "crates/pricing-import/reviewed.json")]
        reviewed: PathBuf,
        /// The day for which both are asked, YYYY-MM-DD; the book's own by default.
        #[arg(long)]
        on: Option<String>,
    },
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{}: {fault}", path.display())]
    File { path: PathBuf, fault: std::io::Error },
    #[error("a file is not of the expected form: {0}")]
    Foreign(serde_json::Error),
    #[error("{0}")]
    Row(String),
    #[error("{0}")]
    Book(BookError),
}

impl Failure {
    pub(crate) fn foreign(fault: serde_json::Error) -> Failure {
        Failure::Foreign(fault)
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(failure) => {
            let _gone = writeln!(std::io::stderr(), "prices  {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Import { genai, genai_version, genai_date, kept, into } => {
            let text = read(&genai)?;
            let mut notes = genai::Notes::default();
            let origin = Origin { source: vec!["genai-prices".to_owned()], checked_on: genai_date.clone() };
            let mut book = genai::read(&text, &origin, &mut notes)?;
            overlay::lay(&mut book, &read(&kept.join("overlay.json"))?)?;
            overlay::lay_facts(&mut book, &read(&kept.join("facts.json"))?)?;
            let says = format!(
                "crate genai-prices {genai_version} of {genai_date}, data/prices.json with SHA-256 {}",
                hash(text.as_bytes())
            );
            book.sources.insert("genai-prices".to_owned(), says);
            let text = write::text(&book)?;
            let compiled = PriceBook::compile(&text).map_err(Failure::Book)?;
            save(&into.join("prices.json"), text.as_bytes())?;
            save(&into.join("prices.bin"), &compiled)?;
            for (what, rows) in [("rounded", notes.rounded), ("left out", notes.left_out)] {
                for row in rows {
                    say(&format!("{what}  {row}"));
                }
            }
            let models: usize = book.providers.iter().map(|provider| provider.models.len()).sum();
            say(&format!(
                "{} providers, {models} models, {} bytes compiled",
                book.providers.len(),
                compiled.len()
            ));
            Ok(ExitCode::SUCCESS)
        }
        Command::Compile { into } => {
            let compiled = PriceBook::compile(&read(&into.join("prices.json"))?).map_err(Failure::Book)?;
            save(&into.join("prices.bin"), &compiled)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Facts { litellm, litellm_date, kept } => {
            let text = facts::read(&read(&litellm)?, &litellm_date)?;
            save(&kept.join("facts.json"), text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Compare { litellm, reviewed, on } => {
            let report =
                compare::compare(PriceBook::builtin(), &read(&litellm)?, &read(&reviewed)?, on.as_deref())?;
            report.iter().for_each(|row| say(row));
            Ok(if report.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|fault| Failure::File { path: path.to_owned(), fault })
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|fault| Failure::File { path: path.to_owned(), fault })
}

fn say(text: &str) {
    let _gone = writeln!(std::io::stdout(), "{text}");
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
