//! `outrigger`: what a person runs. Reads the command line; the commands are in their own modules.

mod bill;
mod cost;
mod demo;
mod diagnosis;
mod doctor;
mod exec;
mod inject;
mod input;
mod output;
mod rules;
mod tail;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

const EXIT_CODES: &str = "Exit codes:
  0    done; tail: the program or the call that was watched has ended
  1    the command failed; doctor: something failed; rules: a document has a fault, an example differs; tail: nobody to watch
  2    the command line is wrong
  126  exec: the program cannot be executed
  127  exec: the program was not found
  128+ exec: the program was ended by this signal
  else exec: the program's own";

/// Watches a program's LLM calls: what each cost, how long it took and why it failed.
#[derive(Parser)]
#[command(name = "outrigger", version, about, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a program with its LLM calls watched, and print the bill at its end.
    Exec(exec::Arguments),
    /// See it at work: fake providers, the sidecar and a small app on loopback; no key, no network.
    Demo(demo::Arguments),
    /// Examine this machine: what would lead calls around Outrigger, and what each installed runtime will trust.
    Doctor(doctor::Arguments),
    /// Show each call as it ends, live: of the program under `exec`, or of a sidecar.
    Tail(tail::Arguments),
    /// What calls cost, from their records.
    Cost(cost::Arguments),
    /// Check rules, explain what they do for a call, and test them.
    Rules(rules::Arguments),
    /// Print manifests with the sidecar in their pods, as the cluster's webhook would put it there.
    Inject(inject::Arguments),
    /// Print the version and the date of the prices.
    Version,
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let logging = outrigger_sidecar::logging::start(match arguments.command {
        // That something is over is worth a line to who saw it begin.
        Command::Exec(_) | Command::Demo(_) => {
            "warn,outrigger_sidecar::diagnostician=info,outrigger_sidecar::failover::periods=info"
        }
        _ => "warn",
    });
    output::share(&logging);
    outrigger_sidecar::panics::print_place_only();
    match arguments.command {
        Command::Exec(arguments) => exec::run(arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Tail(arguments) => tail::run(arguments),
        Command::Cost(arguments) => cost::run(&arguments),
        Command::Rules(arguments) => rules::run(&arguments),
        Command::Inject(arguments) => inject::run(&arguments),
        Command::Version => {
            let book = outrigger_pricing::PriceBook::builtin();
            output::line(&format!("outrigger {}, prices of {}", env!("CARGO_PKG_VERSION"), book.date()));
            ExitCode::SUCCESS
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "outrigger", &mut script);
            output::bytes(&script);
            ExitCode::SUCCESS
        }
    }
}
