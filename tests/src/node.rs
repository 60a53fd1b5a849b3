//! A real Kubernetes of one node, in namespaces of its own (`tools/node/up`), asked as an operator asks it: by kubectl. Needs root.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::evidence::keep;
use crate::process::{Program, clean};
use crate::{file, setting};

/// A running node; ends, and everything that it made with it, when dropped or when the test's process ends in any way.
pub struct Node {
    program: Mutex<Option<Program>>,
    state: PathBuf,
    number: u8,
    first: String,
    sweeper: u32,
}

impl Node {
    /// Starts one and waits until its node is Ready.
    ///
    /// # Panics
    /// If it cannot run here or does not become ready; then the components' last words are said.
    #[must_use]
    pub fn start() -> Node {
        let mut command = Command::new(file("tools/node/up"));
        clean(&mut command);
        let program = Program::start(command);
        // It has deadlines of its own, and its output ends with it.
        let Some(line) = program.next_output(Duration::from_secs(240)) else {
            panic!("the node is not ready: {}", program.end().errors);
        };
        let words: Vec<&str> = line.split(' ').collect();
        let ["ready", state, number, first, sweeper] = words[..] else { panic!("{line}") };
        let number = number.parse().expect("the node's number");
        let sweeper = sweeper.parse().expect("a process");
        Node {
            program: Mutex::new(Some(program)),
            state: state.into(),
            number,
            first: first.to_owned(),
            sweeper,
        }
    }

    /// This machine, as pods see it: whatever a test binds to this address can be reached by them.
    #[must_use]
    pub fn machine(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 90, self.number, 1))
    }

    /// The process that everything in the node is a child of, and that the others die with.
    #[must_use]
    pub fn first_process(&self) -> &str {
        &self.first
    }

    /// Kills what started it; the sweeper then takes everything away, unless it was killed before.
    pub fn kill(self) {
        drop(self.take());
    }

    /// The process that takes away what is left once what started the node has ended.
    #[must_use]
    pub fn sweeper(&self) -> u32 {
        self.sweeper
    }

    fn take(&self) -> Option<Program> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Its number among the nodes of this machine, and where its files are.
    #[must_use]
    pub fn place(&self) -> (u8, &Path) {
        (self.number, &self.state)
    }

    /// What the cluster's DNS says of these names from now on (within two seconds): this machine's address.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn lead_here(&self, names: impl IntoIterator<Item = impl std::fmt::Display>) {
        let machine = self.machine();
        let text: String = names.into_iter().map(|name| format!("{machine} {name}\n")).collect();
        std::fs::write(self.state.join("hosts"), text).expect("a file of ours");
    }

    /// Brings an image's archive onto the node.
    ///
    /// # Panics
    /// If containerd does not take it.
    pub fn import(&self, archive: &Path) {
        let mut command = self.containerd();
        command.args(["images", "import"]).arg(archive);
        said(command).unwrap_or_else(|error| panic!("{}: {error}", archive.display()));
    }

    /// Gives an image that is there a second reference.
    ///
    /// # Panics
    /// If containerd does not.
    pub fn tag(&self, image: &str, reference: &str) {
        let mut command = self.containerd();
        command.args(["images", "tag", image, reference]);
        said(command).unwrap_or_else(|error| panic!("{image} {reference}: {error}"));
    }

    /// Containerd's own client, for the images that kubelet knows.
    fn containerd(&self) -> Command {
        let mut command = self.inside(Path::new(&setting("OUTRIGGER_TEST_CONTAINERS")).join("bin/ctr"));
        command.args(["-a", "/run/containerd/containerd.sock", "-n", "k8s.io"]);
        command
    }

    /// A command among the node's processes, in its network and file system.
    #[must_use]
    pub fn inside(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.first, "-n", "-m", "-p", "--"]).arg(program);
        clean(&mut command);
        command
    }

    /// A kubectl that is not started yet, as the cluster's administrator.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(&setting("OUTRIGGER_TEST_KUBERNETES")).join("kubectl"));
        command.args(arguments).env("KUBECONFIG", self.kubeconfig());
        clean(&mut command);
        command
    }

    /// How its administrator reaches it.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.state.join("pki/admin.conf")
    }

    /// What kubectl says.
    ///
    /// # Errors
    /// What it says of a failure.
    ///
    /// # Panics
    /// If it cannot be run.
    pub fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        said(self.command(arguments))
    }

    /// What kubectl says.
    ///
    /// # Panics
    /// If it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.ask(arguments).unwrap_or_else(|error| panic!("kubectl {arguments:?}: {error}"))
    }

    /// An object, or a list of them, as the cluster has it.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn get(&self, arguments: &[&str]) -> Value {
        let text = self.kubectl(&[&["get", "--output=json"], arguments].concat());
        serde_json::from_str(&text).expect("kubectl writes JSON")
    }

    /// Gives the cluster an object by a verb of kubectl's, such as `apply`, with further options.
    ///
    /// # Errors
    /// Why the cluster does not take it.
    ///
    /// # Panics
    /// If kubectl cannot be run.
    pub fn give(&self, verb: &str, object: &Value, options: &[&str]) -> Result<String, String> {
        let (input, path) = written(object);
        let told = self.ask(&[&[verb, "-f", &path], options].concat());
        drop(input);
        told
    }

    /// What kubectl warns of when this object is created; nothing is made.
    ///
    /// # Panics
    /// If the cluster does not take it.
    #[must_use]
    pub fn warned(&self, object: &Value) -> String {
        let (_input, path) = written(object);
        let output = self.command(&["create", "--dry-run=server", "-f", &path]).output();
        let output = output.expect("kubectl can be run");
        let warned = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{warned}\n{object:#}");
        warned
    }

    /// Gives the cluster objects.
    ///
    /// # Panics
    /// If it does not take one.
    pub fn apply(&self, objects: &[Value]) {
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
        self.give("apply", &list, &[]).unwrap_or_else(|error| panic!("{error}\n{list:#}"));
    }

    /// Follows what a container says, from its beginning.
    #[must_use]
    pub fn logs(&self, namespace: &str, pod: &str, container: &str) -> Program {
        Program::start(self.command(&["logs", "--follow", "-n", namespace, pod, "-c", container]))
    }

    /// Waits for a condition that kubectl can wait for, such as `--for=condition=Ready pod -l app=shop`.
    ///
    /// # Panics
    /// If it does not come; says what is known of the namespace's pods.
    pub fn wait(&self, namespace: &str, arguments: &[&str]) {
        let all = [&["wait", "-n", namespace, "--timeout=90s"], arguments].concat();
        if let Err(error) = self.ask(&all) {
            panic!("{error}\n{}", self.told(namespace));
        }
    }

    /// Waits for what shows in a namespace's pods: looks at them whenever one changes.
    ///
    /// # Panics
    /// If it does not come in time; says what is known of the pods.
    pub fn until_pods<T>(
        &self,
        namespace: &str,
        what: &str,
        deadline: Duration,
        mut holds: impl FnMut() -> Option<T>,
    ) -> T {
        let until = Instant::now() + deadline;
        // Those that are there already are told first.
        let changes =
            Program::start(self.command(&["get", "pods", "--watch", "--output=name", "-n", namespace]));
        while changes.next_output(until.saturating_duration_since(Instant::now())).is_some() {
            while changes.has_output() {}
            if let Some(found) = holds() {
                return found;
            }
        }
        panic!("it never came: {what}\n{}", self.told(namespace))
    }

    /// Waits for what only asking again shows.
    ///
    /// # Panics
    /// If it does not come in time; says what is known of the namespace's pods.
    pub fn until<T>(
        &self,
        namespace: &str,
        what: &str,
        deadline: Duration,
        holds: impl FnMut() -> Option<T>,
    ) -> T {
        let found = self.within(deadline, holds);
        found.unwrap_or_else(|| panic!("it never came: {what}\n{}", self.told(namespace)))
    }

    /// The same; `None` if it does not come in time.
    pub fn within<T>(&self, deadline: Duration, mut holds: impl FnMut() -> Option<T>) -> Option<T> {
        let until = Instant::now() + deadline;
        loop {
            let found = holds();
            if found.is_some() || Instant::now() >= until {
                return found;
            }
        }
    }

    /// What a sidecar has said until now.
    #[must_use]
    pub fn sidecar_log(&self, namespace: &str, pod: &str) -> String {
        let text =
            self.kubectl(&["logs", "-n", namespace, pod, "-c", outrigger_contract::containers::SIDECAR]);
        keep("log", text.as_bytes());
        text
    }

    /// What is known of a namespace's pods, for a failure's message.
    #[must_use]
    pub fn told(&self, namespace: &str) -> String {
        let mut told = String::new();
        for arguments in [
            &["get", "pods,events", "--output=wide", "-n", namespace][..],
            &["describe", "pods", "-n", namespace],
            // Every pod is without that label.
            &["logs", "--all-containers", "--prefix", "--tail=20", "-n", namespace, "-l", "!no-pod-has-it"],
        ] {
            told.push_str(&self.ask(arguments).unwrap_or_else(|error| error));
            told.push('\n');
        }
        told
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(program) = self.take() {
            let ended = program.end();
            if !ended.status.success() && !std::thread::panicking() {
                panic!("the node did not end well: {}", ended.errors);
            }
        }
    }
}

/// An object as a file that is there as long as its handle.
fn written(object: &Value) -> (tempfile::NamedTempFile, String) {
    use std::io::Write as _;
    let mut input = tempfile::NamedTempFile::new().expect("a temporary file");
    write!(input, "{object}").expect("a temporary file");
    let path = input.path().to_str().expect("a temporary name").to_owned();
    (input, path)
}

fn said(mut command: Command) -> Result<String, String> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}
