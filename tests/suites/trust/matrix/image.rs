//! What a container image trusts: the machine's own stores, with authorities of the test's added to each that is a file.
//! Node, Deno, Bun and programs with pinned roots carry theirs inside the program; nothing is added there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use outrigger_tests::netns::Network;
use outrigger_tests::{file, setting};

/// Copies of the stores, seen in place of the machine's by the commands that run in the image.
pub(crate) struct Image {
    directory: tempfile::TempDir,
    /// What is seen, and where.
    mounts: Vec<(PathBuf, PathBuf)>,
}

impl Image {
    /// With these authorities, PEM, in every store that is a file. The first one is the public one, from which the
    /// simulated providers have their certificates.
    pub(crate) fn trusting(authorities: &[&str]) -> Image {
        let mut image =
            Image { directory: tempfile::tempdir().expect("a temporary directory"), mounts: Vec::new() };
        let files: Vec<PathBuf> = authorities
            .iter()
            .enumerate()
            .map(|(number, pem)| image.write(&format!("authority-{number}.pem"), pem))
            .collect();
        image.system(&files, authorities);
        image.java(&files);
        for store in python_stores() {
            let name = format!("python-{}.pem", image.mounts.len());
            let text =
                fs::read_to_string(&store).unwrap_or_else(|error| panic!("{}: {error}", store.display()));
            let copy = image.write(&name, &format!("{text}\n{}", authorities.concat()));
            image.mounts.push((copy, store));
        }
        // Modules are looked for beside the file.
        let modules = Path::new(&setting("OUTRIGGER_TEST_NODE_DIR")).join("node_modules");
        std::os::unix::fs::symlink(modules, image.path("node_modules")).expect("a link");
        fs::copy(file("clients/node/trust.mjs"), image.node_module()).expect("a copy");
        image
    }

    /// Debian's store: a bundle, and a directory of hashed names.
    fn system(&mut self, files: &[PathBuf], authorities: &[&str]) {
        let copy = self.path("ssl");
        run(Command::new("cp").arg("--archive").arg("/etc/ssl").arg(&copy));
        let certificates = copy.join("certs");
        let bundle = certificates.join("ca-certificates.crt");
        let text = fs::read_to_string(&bundle).expect("Debian's bundle");
        fs::write(&bundle, format!("{text}\n{}", authorities.concat())).expect("a copy of ours");
        for file in files {
            fs::copy(file, certificates.join(hashed_name(file))).expect("a copy of ours");
        }
        self.mounts.push((copy, "/etc/ssl".into()));
    }

    fn java(&mut self, files: &[PathBuf]) {
        let store = java_store();
        let copy = self.path("cacerts");
        fs::copy(&store, &copy).unwrap_or_else(|error| panic!("{}: {error}", store.display()));
        for (number, file) in files.iter().enumerate() {
            run(Command::new("keytool")
                .args([
                    "-importcert",
                    "-noprompt",
                    "-storepass",
                    "changeit",
                    "-alias",
                    &format!("ours-{number}"),
                ])
                .arg("-file")
                .arg(file)
                .arg("-keystore")
                .arg(&copy));
        }
        self.mounts.push((copy, store));
    }

    /// A directory that holds one authority alone, under its hashed name.
    pub(crate) fn hashed(&self, pem: &str) -> PathBuf {
        let folder = self.path("hashed");
        fs::create_dir_all(&folder).expect("a temporary directory");
        let file = self.write("hashed.pem", pem);
        fs::copy(&file, folder.join(hashed_name(&file))).expect("a copy");
        folder
    }

    /// A Java key store that holds one authority alone.
    pub(crate) fn java_store_of(&self, pem: &str) -> PathBuf {
        let store = self.path("own.jks");
        if store.exists() {
            return store;
        }
        let file = self.write("own-java.pem", pem);
        run(Command::new("keytool")
            .args([
                "-importcert",
                "-noprompt",
                "-storepass",
                "changeit",
                "-storetype",
                "JKS",
                "-alias",
                "own",
            ])
            .arg("-file")
            .arg(file)
            .arg("-keystore")
            .arg(&store));
        store
    }

    /// A command that runs in the image, in the pod, with an empty environment.
    pub(crate) fn command(&self, network: &Network, words: &[String]) -> Command {
        let mut script = String::new();
        for (from, to) in &self.mounts {
            script.push_str(&format!("mount --bind '{}' '{}' && ", from.display(), to.display()));
        }
        // As root, as many images run: what the installers keep lies where only its owner may look.
        let mut command = network.pod.command(0, "sh");
        command.args(["-c", &format!("{script}exec \"$@\""), "sh"]).args(words);
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.directory.path());
        command
    }

    /// The public authority's file.
    pub(crate) fn public_root(&self) -> PathBuf {
        self.path("authority-0.pem")
    }

    /// The client program for Node, Deno and Bun.
    pub(crate) fn node_module(&self) -> PathBuf {
        self.path("trust.mjs")
    }

    /// Puts a file into the image's own folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a temporary file");
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// The name under which OpenSSL looks for a certificate.
fn hashed_name(file: &Path) -> String {
    let hash = run(Command::new("openssl").args(["x509", "-noout", "-hash", "-in"]).arg(file));
    format!("{}.0", hash.trim())
}

/// The stores that Python libraries bring along.
fn python_stores() -> Vec<PathBuf> {
    let script = "import os, botocore, certifi, grpc; print(certifi.where()); \
         print(os.path.join(os.path.dirname(botocore.__file__), 'cacert.pem')); \
         print(os.path.join(os.path.dirname(grpc.__file__), '_cython', '_credentials', 'roots.pem'))";
    run(Command::new(setting("OUTRIGGER_TEST_PYTHON")).args(["-c", script]))
        .lines()
        .map(PathBuf::from)
        .collect()
}

/// The store of the Java that stands first on the path.
fn java_store() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let java = std::env::split_paths(&path)
        .find_map(|folder| folder.join("java").canonicalize().ok())
        .expect("Java is installed");
    let home = java.parent().and_then(Path::parent).expect("a program lies in HOME/bin");
    home.join("lib/security/cacerts").canonicalize().expect("Java has a trust store")
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
