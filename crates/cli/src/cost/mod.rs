//! `outrigger cost …`: what calls cost, from records and recorded traffic.

mod har;
mod show;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use outrigger_pricing::PriceBook;

use crate::output;

use clap::Subcommand;

/// What calls cost.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the arithmetic of one call, line by line.
    Show(show::Arguments),
    /// Print what the calls of recorded traffic cost: an HTTP Archive, as browsers and mitmproxy export it.
    Har(har::Arguments),
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Output {
    /// For a person.
    Text,
    /// JSON.
    Json,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Show(arguments) => ended(show::shown(arguments)),
        Command::Har(arguments) => ended(har::told(arguments)),
    }
}

fn ended(told: Result<String, String>) -> ExitCode {
    match told {
        Ok(text) => {
            output::line(&text);
            ExitCode::SUCCESS
        }
        Err(fault) => {
            output::note(&fault);
            ExitCode::FAILURE
        }
    }
}

/// A file, or standard input.
fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().read_to_string(&mut text).map(|_| text),
        _ => std::fs::read_to_string(path),
    };
    read.map_err(|fault| {
        format!("{}: {fault}; give a file that can be read, or - for standard input", path.display())
    })
}

/// The built-in prices, with those of a file laid over them.
fn book(own: Option<&PathBuf>) -> Result<PriceBook, String> {
    match own {
        None => Ok(PriceBook::builtin().clone()),
        Some(prices) => PriceBook::builtin()
            .with_own_prices(&read(prices)?)
            .map_err(|faults| format!("{}: {faults}", prices.display())),
    }
}
