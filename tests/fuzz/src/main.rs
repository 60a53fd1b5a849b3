//! Fuzz targets: everything that reads bytes of others.
//!
//! `outrigger-fuzz --list` names them, `outrigger-fuzz TARGET FILE…` shows files to one. Built by `tests/fuzz/run` it is a
//! libFuzzer program, guided by coverage.

mod answers;
mod framing;
mod injection;
mod input;
mod prices;
mod requests;
mod rules;
mod sockets;
mod translations;

#[cfg(test)]
mod corpus;

use std::io::Write;
use std::process::ExitCode;

/// What is done with an input. It panics where something does not hold.
type Run = Box<dyn Fn(&[u8]) + std::panic::RefUnwindSafe>;

struct Target {
    name: String,
    run: Run,
}

impl Target {
    fn new(name: impl Into<String>, run: impl Fn(&[u8]) + std::panic::RefUnwindSafe + 'static) -> Target {
        Target { name: name.into(), run: Box::new(run) }
    }
}

/// Every target. Each wire format has its own without being named here.
fn targets() -> Vec<Target> {
    [
        framing::targets(),
        answers::targets(),
        requests::targets(),
        sockets::targets(),
        prices::targets(),
        rules::targets(),
        translations::targets(),
        injection::targets(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn say(line: &str) {
    // Nobody may be listening any more.
    let _gone = writeln!(std::io::stdout(), "{line}");
}

/// Tries inputs until it is told to stop, or one does not hold.
fn fuzz(target: &Target) {
    bolero::check!().for_each(|input: &[u8]| (target.run)(input));
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let wanted = words.next().unwrap_or_default();
    if wanted == "--list" {
        for target in targets() {
            say(&target.name);
        }
        return ExitCode::SUCCESS;
    }
    let Some(target) = targets().into_iter().find(|target| target.name == wanted) else {
        say(&format!("there is no target '{wanted}'; outrigger-fuzz --list names them"));
        return ExitCode::from(2);
    };
    let mut files = words.peekable();
    if files.peek().is_none() {
        fuzz(&target);
        return ExitCode::SUCCESS;
    }
    for file in files {
        match std::fs::read(&file) {
            Ok(input) => (target.run)(&input),
            Err(error) => {
                say(&format!("{file}: {error}"));
                return ExitCode::from(2);
            }
        }
        say(&format!("{file}: holds"));
    }
    ExitCode::SUCCESS
}
