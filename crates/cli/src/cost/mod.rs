//! `outrigger cost …`: what calls cost, from records and recorded traffic.

mod har;
mod show;

use std::process::ExitCode;

use clap::Subcommand;

use crate::input::{book, read};
use crate::output::{self, Output};

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
