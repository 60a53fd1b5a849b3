//! A pod and the network beyond it: two network namespaces joined by a virtual cable. Needs root.
//!
//! No packet of theirs reaches another machine: the far end has no other cable and forwards nothing.

use std::ffi::OsStr;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use nix::sched::{CloneFlags, setns};
use outrigger_simulator::{Config, Simulator};

use crate::process::{Program, clean};
use crate::{DEADLINE, setting};

/// Where the providers' names lead.
pub const PROVIDER: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10)),
];
/// Another machine out there, for what is no provider.
pub const ELSEWHERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 20)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x20)),
];
/// The pod's own addresses.
pub const POD: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 99, 0, 2)), IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 2))];
/// Names that lead to [`PROVIDER`] in every pod.
pub const PROVIDER_NAMES: [&str; 3] = ["api.openai.com", "eu.api.openai.com", "api.anthropic.com"];
/// A name that leads to [`ELSEWHERE`].
pub const ELSEWHERE_NAME: &str = "intranet.example.test";
/// Whom an app runs as.
pub const APP: u32 = 1000;

const POD_MAC: &str = "02:00:00:00:00:02";
const BEYOND_MAC: &str = "02:00:00:00:00:01";
const PREFIX: &str = "outrigger-test";
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A network namespace; gone when dropped.
pub struct Namespace {
    name: String,
}

impl Namespace {
    fn new(name: String) -> Namespace {
        run("ip", &["netns", "add", &name]);
        let namespace = Namespace { name };
        namespace.ip("link set lo up");
        namespace
    }

    /// A command inside, as a user without capabilities. Root keeps its own.
    #[must_use]
    pub fn command(&self, uid: u32, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]);
        if uid != 0 {
            let uid = uid.to_string();
            command.args(["setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups", "--inh-caps=-all"]);
        }
        command.arg(program);
        clean(&mut command);
        command
    }

    /// Runs a command inside as root to its end.
    ///
    /// # Panics
    /// If it fails.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let mut words = vec!["netns", "exec", self.name.as_str(), program];
        words.extend(arguments);
        run("ip", &words)
    }

    /// Does something on a thread that is inside: sockets that it opens belong there for good.
    ///
    /// # Panics
    /// If the namespace cannot be entered, or `act` panics.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let file = fs::File::open(Path::new("/var/run/netns").join(&self.name)).expect("a namespace of ours");
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    setns(file, CloneFlags::CLONE_NEWNET).expect("root may enter");
                    act()
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn ip(&self, words: &str) {
        let mut all = vec!["-n", self.name.as_str()];
        all.extend(words.split(' '));
        run("ip", &all);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// A pod and what lies beyond it.
pub struct Network {
    /// Where apps and the sidecar run.
    pub pod: Namespace,
    /// Where providers run.
    pub beyond: Namespace,
    directory: tempfile::TempDir,
}

impl Network {
    /// Both namespaces, cable and names. Every name in `more` leads to [`PROVIDER`].
    ///
    /// # Panics
    /// Without root, or if the system refuses.
    #[must_use]
    pub fn new(more: &[&str]) -> Network {
        sweep();
        let base = format!("{PREFIX}-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let beyond = Namespace::new(format!("{base}-beyond"));
        let pod = Namespace::new(format!("{base}-pod"));
        pod.ip(&format!(
            "link add eth0 address {POD_MAC} type veth peer name eth0 address {BEYOND_MAC} netns {}",
            beyond.name
        ));
        for (namespace, v4, v6) in [(&pod, "10.99.0.2", "fd99::2"), (&beyond, "10.99.0.1", "fd99::1")] {
            namespace.ip(&format!("addr add {v4}/24 dev eth0"));
            namespace.ip(&format!("addr add {v6}/64 dev eth0 nodad"));
            namespace.ip("link set eth0 up");
        }
        // Finding a neighbour is done by multicast, which takes the cable's ends a second to be ready for.
        pod.ip(&format!("-6 neigh add fd99::1 lladdr {BEYOND_MAC} dev eth0 nud permanent"));
        beyond.ip(&format!("-6 neigh add fd99::2 lladdr {POD_MAC} dev eth0 nud permanent"));
        pod.ip("route add default via 10.99.0.1");
        pod.ip("-6 route add default via fd99::1");
        for address in PROVIDER.into_iter().chain(ELSEWHERE) {
            let length = if address.is_ipv4() { 32 } else { 128 };
            let tail = if address.is_ipv4() { "" } else { " nodad" };
            beyond.ip(&format!("addr add {address}/{length} dev lo{tail}"));
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        // The sidecar and the app are other users.
        mode(directory.path(), 0o755);
        let network = Network { pod, beyond, directory };
        let names = PROVIDER_NAMES.iter().chain(more).copied();
        let mut hosts = "127.0.0.1 localhost\n::1 localhost\n".to_owned();
        for (name, addresses) in names.map(|name| (name, PROVIDER)).chain([(ELSEWHERE_NAME, ELSEWHERE)]) {
            for address in addresses {
                hosts.push_str(&format!("{address} {name}\n"));
            }
        }
        network.hosts(&hosts);
        network
    }

    /// What `/etc/hosts` says in the pod, for commands that start from here on. Other names are refused at once.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn hosts(&self, text: &str) {
        let folder = Path::new("/etc/netns").join(&self.pod.name);
        fs::create_dir_all(&folder).expect("root may write");
        fs::write(folder.join("hosts"), text).expect("root may write");
        fs::write(folder.join("resolv.conf"), "nameserver 127.0.0.1\n").expect("root may write");
    }

    /// Where that stands.
    #[must_use]
    pub fn hosts_file(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.pod.name).join("hosts")
    }

    /// A folder that everybody may read.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Puts a file there, for everybody to read.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("a temporary file");
        mode(&path, 0o644);
        path
    }

    /// A copy of a program of ours that every user may run: a build lies where only its owner may look.
    ///
    /// # Panics
    /// If it cannot be copied.
    #[must_use]
    pub fn program(&self, variable: &str) -> PathBuf {
        let source = PathBuf::from(setting(variable));
        let copy = self.directory.path().join(source.file_name().expect("a program has a name"));
        if !copy.exists() {
            fs::copy(&source, &copy).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
            mode(&copy, 0o755);
        }
        copy
    }

    /// A simulator beyond the pod, on port 443 of all its addresses unless `config` says otherwise.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn simulator(&self, mut config: Config) -> Simulator {
        config.listen.get_or_insert(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 443)));
        self.beyond.enter(|| Simulator::start(config)).expect("a simulator")
    }

    /// Redirects the pod's HTTPS, or does what else `arguments` say. Everything that was said.
    ///
    /// # Panics
    /// If the program cannot be run.
    #[must_use]
    pub fn redirect(&self, arguments: &[&str]) -> Output {
        let mut command = self.pod.command(0, setting("OUTRIGGER_REDIRECT_BIN"));
        command.args(arguments).output().expect("outrigger-redirect can be run")
    }

    /// The sidecar in the pod, not started yet. It trusts `ca_pem` upstream.
    ///
    /// # Panics
    /// If its files cannot be written.
    #[must_use]
    pub fn sidecar(&self, ca_pem: &str) -> Sidecar {
        let uid = outrigger_contract::uid::SIDECAR;
        let extra_ca = self.file("providers.pem", ca_pem);
        let trust = self.directory.path().join("trust");
        fs::create_dir_all(&trust).expect("a temporary directory");
        mode(&trust, 0o755);
        chown(&trust, Some(uid), Some(uid)).expect("root may give away");
        let mut command = self.pod.command(uid, self.program("OUTRIGGER_SIDECAR_BIN"));
        command.env("OUTRIGGER_TRUST_DIR", &trust).env("OUTRIGGER_EXTRA_CAS", extra_ca);
        Sidecar { command, trust }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Made here, so removable here; a leftover harms nobody.
        let _removed = fs::remove_dir_all(Path::new("/etc/netns").join(&self.pod.name));
    }
}

/// A sidecar to be started.
pub struct Sidecar {
    command: Command,
    trust: PathBuf,
}

impl Sidecar {
    /// A variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Sidecar {
        self.command.env(name, value);
        self
    }

    /// Where its public trust files will be.
    #[must_use]
    pub fn trust(&self) -> &Path {
        &self.trust
    }

    /// The command, for a test that does not wait until it is ready.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    #[must_use]
    pub fn start(self) -> RunningSidecar {
        let program = Program::start(self.command);
        assert!(
            program.error_line(DEADLINE, |line| line.contains("ready")).is_some(),
            "the sidecar is not ready: {}",
            program.end().errors
        );
        RunningSidecar { program, trust: self.trust }
    }
}

/// A running sidecar.
pub struct RunningSidecar {
    /// The process.
    pub program: Program,
    trust: PathBuf,
}

impl RunningSidecar {
    /// Where its public trust files are.
    #[must_use]
    pub fn trust(&self) -> &Path {
        &self.trust
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} {arguments:?}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file of ours");
}

/// Takes away what a test process left behind that was killed.
fn sweep() {
    for entry in fs::read_dir("/var/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1));
        if owner.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            remove(&name);
            // Another test may have been quicker.
            let _removed = fs::remove_dir_all(Path::new("/etc/netns").join(&name));
        }
    }
}

fn remove(name: &str) {
    // Whatever is left of it is swept by the next test.
    let _removed = Command::new("ip").args(["netns", "del", name]).output();
}
