//! `outrigger exec` as a process: statuses, signals, the environment, and that it costs the program nothing.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// For any line: far longer than it takes.
const DEADLINE: Duration = Duration::from_secs(30);

fn outrigger() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outrigger"));
    for (name, _) in std::env::vars() {
        let upper = name.to_ascii_uppercase();
        let trust = outrigger_contract::trust_variables::ALL.iter().any(|variable| variable.name == name);
        if trust || upper.ends_with("_PROXY") || upper.starts_with("OTEL_") || upper.ends_with("_BASE_URL") {
            command.env_remove(name);
        }
    }
    command
}

fn exec(options: &[&str], script: &str) -> Command {
    let mut command = outrigger();
    command.arg("exec").args(options).args(["--", "/bin/sh", "-c", script]);
    command
}

fn run(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn the_status_is_the_programs_own() {
    for (script, status) in
        [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + 15), ("kill -KILL $$", 128 + 9)]
    {
        assert_eq!(run(exec(&[], script)).0, Some(status), "{script}");
    }
}

#[test]
fn a_program_that_cannot_run_is_named() {
    let mut missing = outrigger();
    missing.args(["exec", "--", "no-such-program-anywhere"]);
    let (status, _, errors) = run(missing);
    assert_eq!(status, Some(127));
    assert!(errors.contains("`no-such-program-anywhere` was not found"), "{errors}");

    let file = tempfile::NamedTempFile::new().unwrap();
    let mut forbidden = outrigger();
    forbidden.args(["exec", "--"]).arg(file.path());
    let (status, _, errors) = run(forbidden);
    assert_eq!(status, Some(126));
    assert!(errors.contains("may not be executed"), "{errors}");
}

#[test]
fn bad_options_are_refused_with_what_is_wrong() {
    for (options, words) in [
        (["--summary-every", "soon"], "write 30s, 5m or 1h"),
        (["--summary-every", "10ms"], "at least 1s"),
        (["--upstream", "api.openai.com"], "HOST=ADDR"),
        (["--upstream", "api.openai.com=nowhere"], "is not an IP address with a port"),
    ] {
        let (status, _, errors) = run(exec(&options, "exit 0"));
        assert_eq!(status, Some(2), "{options:?}");
        assert!(errors.contains(words), "{errors}");
    }
}

#[test]
fn the_program_finds_a_proxy_and_files_that_exist_and_hold_what_it_trusted() {
    let theirs = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(theirs.path(), "-----BEGIN CERTIFICATE-----\ntheirs\n-----END CERTIFICATE-----").unwrap();
    let script = "echo $HTTPS_PROXY; test $https_proxy = $HTTPS_PROXY && echo same; echo $NO_PROXY; echo base=$OPENAI_BASE_URL; \
                  echo $NODE_USE_ENV_PROXY; echo $SSL_CERT_FILE; grep -c BEGIN $SSL_CERT_FILE; grep -c theirs $REQUESTS_CA_BUNDLE; \
                  grep -c BEGIN $REQUESTS_CA_BUNDLE; grep -c BEGIN $NODE_EXTRA_CA_CERTS";
    let mut command = exec(&[], script);
    command.env("NO_PROXY", "intranet.example").env("REQUESTS_CA_BUNDLE", theirs.path());
    let (status, output, errors) = run(command);
    assert_eq!(status, Some(0), "{errors}");
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[0].starts_with("http://127.0.0.1:"), "{output}");
    assert_eq!(lines[1], "same");
    assert!(lines[2].starts_with("intranet.example,localhost,"), "{output}");
    assert_eq!((lines[3], lines[4]), ("base=", "1"));
    assert!(lines[6].parse::<u32>().unwrap() > 100, "the public authorities: {output}");
    assert_eq!(&lines[7..9], ["1", "2"], "theirs and ours");
    assert!(
        lines[9].parse::<u32>().unwrap() < lines[6].parse().unwrap(),
        "ours, and no public ones: {output}"
    );
    assert!(!std::path::Path::new(lines[5]).exists(), "the trust files outlive the program");
}

#[test]
fn directories_are_added_to_and_nothing_hides_a_file_of_the_users_own() {
    let theirs = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(theirs.path(), "-----BEGIN CERTIFICATE-----\ntheirs\n-----END CERTIFICATE-----").unwrap();
    let script = "echo $SSL_CERT_DIR; ls ${SSL_CERT_DIR%%:*} | wc -l; for file in $REQUESTS_CA_BUNDLE $AWS_CA_BUNDLE $CURL_CA_BUNDLE; \
                  do grep -c theirs $file; done; echo java=$JAVA_TOOL_OPTIONS";
    // What requests, boto and curl looked at so far is in the files that they are given instead.
    let (_, output, errors) = run({
        let mut command = exec(&[], script);
        command.env("CURL_CA_BUNDLE", theirs.path()).env("REQUESTS_CA_BUNDLE", theirs.path());
        command
    });
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[0].ends_with(
        "/hashed:/etc/ssl/certs:/etc/pki/tls/certs:/etc/pki/ca-trust/extracted/pem/directory-hash"
    ));
    assert!(lines[1].trim().parse::<u32>().unwrap() > 100, "the public authorities: {output}");
    assert_eq!(&lines[2..], ["1", "1", "1", "java="], "{output}{errors}");

    let (_, output, _) = run({
        let mut command = exec(&["--trust-java"], "echo $SSL_CERT_DIR; echo $JAVA_TOOL_OPTIONS");
        command.env("SSL_CERT_DIR", "/theirs").env("JAVA_TOOL_OPTIONS", "-Xmx64m");
        command
    });
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[0].starts_with("/theirs:/") && lines[0].ends_with("/hashed"), "{output}");
    assert!(lines[1].starts_with("-Xmx64m -Djavax.net.ssl.trustStore=/"), "{output}");
}

#[test]
fn base_url_mode_sets_base_urls_and_keeps_what_is_set() {
    let mut command = exec(
        &["--mode", "base-url"],
        "echo $OPENAI_BASE_URL; echo $ANTHROPIC_BASE_URL; echo proxy=$HTTPS_PROXY",
    );
    command.env("ANTHROPIC_BASE_URL", "https://gateway.example");
    let (_, output, errors) = run(command);
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[0].starts_with("http://127.0.0.1:") && lines[0].ends_with("/openai/v1"), "{output}");
    assert_eq!(&lines[1..], ["https://gateway.example", "proxy="]);
    assert!(
        errors.contains("ANTHROPIC_BASE_URL is set already (https://gateway.example) and is kept"),
        "{errors}"
    );
}

#[test]
fn what_of_ours_cannot_start_is_said_and_the_program_runs() {
    for (name, value, words) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "smoke-signals", "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ("HTTPS_PROXY", "socks5://proxy.example:1080", "only plain http proxies"),
    ] {
        let mut command = exec(&["--otlp", "http://127.0.0.1:9"], "echo ran; exit 3");
        command.env(name, value);
        let (status, output, errors) = run(command);
        assert_eq!((status, output.as_str()), (Some(3), "ran\n"), "{errors}");
        assert!(errors.contains(words) && errors.contains("runs without Outrigger"), "{errors}");
    }
}

#[test]
fn a_program_that_never_appeared_is_named_with_the_mend() {
    let (_, _, errors) = run(exec(&[], "exit 0"));
    assert!(
        errors.contains("no connection of `/bin/sh` reached Outrigger") && errors.contains("--mode base-url"),
        "{errors}"
    );
}

/// A running `exec` whose lines are read as they come.
struct Running {
    child: Child,
    output: Receiver<String>,
    errors: Receiver<String>,
}

fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // A test that has seen enough reads no more.
            let _gone = sender.send(line);
        }
    });
    receiver
}

impl Running {
    fn start(mut command: Command) -> Running {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (output, errors) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Running { child, output, errors }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    fn expect(lines: &Receiver<String>, words: &str) {
        while !lines.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("`{words}` never came")).contains(words)
        {
        }
    }
}

#[test]
fn signals_reach_the_program() {
    for (signal, name) in [
        (Signal::SIGTERM, "TERM"),
        (Signal::SIGHUP, "HUP"),
        (Signal::SIGUSR2, "USR2"),
        (Signal::SIGINT, "INT"),
    ] {
        let script =
            format!("trap 'echo got {name}; exit 5' {name}; echo ready; while :; do read line; done");
        let mut running = Running::start(exec(&[], &script));
        Running::expect(&running.output, "ready");
        running.signal(signal);
        // A shell runs its trap when what it waits for is over.
        drop(running.child.stdin.take());
        Running::expect(&running.output, &format!("got {name}"));
        assert_eq!(running.child.wait().unwrap().code(), Some(5));
    }
}

#[test]
fn the_bill_so_far_is_printed_on_demand_and_at_intervals() {
    let mut running = Running::start(exec(&[], "echo ready; read line"));
    Running::expect(&running.output, "ready");
    running.signal(Signal::SIGUSR1);
    Running::expect(&running.errors, "0 calls");
    drop(running.child.stdin.take());
    running.child.wait().unwrap();

    let mut running = Running::start(exec(&["--summary-every", "1s"], "read line"));
    Running::expect(&running.errors, "0 calls");
    Running::expect(&running.errors, "0 calls");
    drop(running.child.stdin.take());
    running.child.wait().unwrap();
}
