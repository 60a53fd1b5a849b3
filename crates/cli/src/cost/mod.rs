//! `outrigger cost …`: what calls cost, from records.

mod show;

use std::process::ExitCode;

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
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Show(arguments) => show::run(arguments),
    }
}
