//! `outrigger-simulator`: the simulator as a process of its own.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use outrigger_simulator::{Config, Script, Simulator};
use tokio::signal::unix::{SignalKind, signal};

/// Fake LLM providers over TLS, for tests.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write the authority's certificate here; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    ca_out: PathBuf,
    /// JSON file with rules: how calls are answered.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// A key that is accepted; without one every key is.
    #[arg(long, value_name = "KEY")]
    valid_key: Vec<String>,
    /// A name to serve beside the providers' own.
    #[arg(long, value_name = "HOST")]
    name: Vec<String>,
    /// End when standard input closes.
    #[arg(long)]
    until_stdin_closes: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _gone = writeln!(std::io::stderr(), "outrigger-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let script = match &arguments.script {
        None => Script::default(),
        Some(file) => {
            let text =
                std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?
        }
    };
    let simulator = Simulator::start(Config {
        listen: Some(arguments.listen),
        valid_keys: arguments.valid_key,
        script,
        extra_names: arguments.name,
        ..Config::default()
    })?;
    if arguments.ca_out == Path::new("-") {
        writeln!(std::io::stdout(), "{}", simulator.ca_pem())?;
    } else {
        std::fs::write(&arguments.ca_out, simulator.ca_pem())?;
    }
    let started = serde_json::json!({"address": simulator.address().to_string(), "ca": arguments.ca_out});
    writeln!(std::io::stdout(), "{started}")?;
    if arguments.until_stdin_closes {
        std::io::stdin().read_to_end(&mut Vec::new())?;
        return Ok(());
    }
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}
