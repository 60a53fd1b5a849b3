//! `outrigger-simulator`: the simulator as a process of its own.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use outrigger_simulator::{Config, Script, Simulator};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// How often the script's file is looked at: a ConfigMap's volume sends no events that everybody has.
const LOOK: Duration = Duration::from_secs(1);

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
    /// JSON file with rules: how calls are answered. It is followed as it changes; one that cannot be read changes nothing.
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
    let text = arguments.script.as_deref().map(read).transpose()?;
    let simulator = Simulator::start(Config {
        listen: Some(arguments.listen),
        valid_keys: arguments.valid_key,
        script: match (&arguments.script, &text) {
            (Some(file), Some(text)) => parse(file, text)?,
            _ => Script::default(),
        },
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
    let (closed, stdin_closed) = oneshot::channel::<()>();
    let held = if arguments.until_stdin_closes {
        // A thread of its own, which nobody waits for: reading a terminal cannot be called off.
        std::thread::spawn(move || {
            let _closed_all_the_same = std::io::stdin().read_to_end(&mut Vec::new());
            drop(closed);
        });
        None
    } else {
        Some(closed)
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = stdin_closed => {}
            () = follow(&simulator, arguments.script.as_deref(), text.unwrap_or_default()) => {}
        }
        drop(held);
        Ok(())
    })
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn parse(file: &Path, text: &str) -> Result<Script, String> {
    serde_json::from_str(text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Has the simulator follow the file's text as it changes from `known`; never ends.
async fn follow(simulator: &Simulator, file: Option<&Path>, mut known: String) {
    let Some(file) = file else { return std::future::pending().await };
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        // While it is replaced there may be none.
        let Ok(text) = read(file) else { continue };
        if text == known {
            continue;
        }
        let said = match parse(file, &text) {
            Ok(script) => {
                simulator.follow(script);
                format!("follows {}", file.display())
            }
            Err(error) => format!("{error}; it goes on as before"),
        };
        known = text;
        let _gone = writeln!(std::io::stderr(), "outrigger-simulator: {said}");
    }
}
