//! The images that `deploy/images` makes: unpacked, and their programs run from what is in them alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use outrigger_contract::{VERSION, programs, uid};
use outrigger_tests::{file, setting, sha256};
use serde_json::Value;
use tempfile::TempDir;

use crate::chart::template;

/// What a registry may have to send for the sidecar's image.
const MOST_BYTES: u64 = 15_000_000;

const ALL: [&str; 3] = ["outrigger-sidecar", "outrigger-injector", "outrigger-simulator"];

/// The images, made once for every test that only looks at them. Nothing takes them away but the next run.
static BUILT: LazyLock<Built> =
    LazyLock::new(|| build(&ALL, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("images"), &[]));

/// Images as they were written, and what was said of them.
struct Built {
    folder: PathBuf,
    /// Name, reference, digest and bytes, a line each.
    said: String,
}

fn build(images: &[&str], folder: &Path, more: &[&str]) -> Built {
    let sidecar = PathBuf::from(setting("OUTRIGGER_SIDECAR_BIN"));
    let mut command = Command::new(file("../deploy/images"));
    command.arg("--binaries").arg(sidecar.parent().expect("a folder")).arg("--out").arg(folder);
    for image in images {
        command.args(["--image", image]);
    }
    command.args(more);
    let output = command.output().expect("deploy/images can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Built { folder: folder.to_owned(), said: String::from_utf8(output.stdout).expect("UTF-8") }
}

impl Built {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.file(name)).expect("a file")).expect("JSON")
    }

    /// An archive's layout and its root filesystem, unpacked as a container engine does.
    fn unpack(&self, name: &str) -> Unpacked {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let layout = folder.path().join("layout");
        let root = folder.path().join("root");
        for folder in [&layout, &root] {
            fs::create_dir(folder).expect("a temporary directory");
        }
        unpack(&self.file(&format!("{name}.tar")), &layout);
        let unpacked = Unpacked { folder };
        let index = unpacked.read("index.json");
        let manifest = unpacked.blob(&index["manifests"][0]["digest"]);
        for layer in manifest["layers"].as_array().expect("layers") {
            unpack(&layout.join(path_of(&layer["digest"])), &root);
        }
        // A container engine makes these.
        for made in ["dev", "proc"] {
            fs::create_dir(root.join(made)).expect("the image has none");
        }
        unpacked
    }
}

struct Unpacked {
    folder: TempDir,
}

impl Unpacked {
    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn read(&self, name: &str) -> Value {
        let bytes = fs::read(self.folder.path().join("layout").join(name)).expect("a file of the layout");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    fn blob(&self, digest: &Value) -> Value {
        self.read(&path_of(digest))
    }

    fn manifest(&self) -> Value {
        self.blob(&self.read("index.json")["manifests"][0]["digest"])
    }

    /// Runs a program with the image as its root, in a network and a set of mounts of its own, as a user of its own and with the
    /// image's environment.
    fn run(&self, user: u32, words: &[&str]) -> Output {
        let root = self.root();
        let config = self.blob(&self.manifest()["config"]["digest"]);
        let variables = config["config"]["Env"].as_array().expect("an environment");
        let script = "mount --bind -o ro \"$1\" \"$1\" && mount --bind /dev \"$1/dev\" && mount -t proc proc \"$1/proc\" && \
                      shift && exec env -i \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--fork", "sh", "-c", script, "sh"]);
        command.arg(&root);
        command.args(variables.iter().map(|one| one.as_str().expect("a variable")));
        command.args(["unshare", "--root"]).arg(&root);
        command.args(["--setgid", &user.to_string(), "--setuid", &user.to_string()]);
        command.args(words).output().expect("unshare can be run")
    }
}

fn unpack(archive: &Path, to: &Path) {
    let mut command = Command::new("tar");
    command
        .args(["--extract", "--xattrs", "--xattrs-include=*", "--file"])
        .arg(archive)
        .arg("--directory")
        .arg(to);
    let output = command.output().expect("tar can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn path_of(digest: &Value) -> String {
    format!("blobs/{}", digest.as_str().expect("a digest").replace(':', "/"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_same_programs_make_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    // Those that are made where none is named.
    let second = build(&[], folder.path(), &[]);
    assert_eq!(second.said.lines().count(), 2);
    for line in second.said.lines() {
        assert!(BUILT.said.lines().any(|other| other == line), "{line}\n{}", BUILT.said);
        let name = line.split(' ').next().expect("a name");
        for ending in ["tar", "spdx.json"] {
            let file = format!("{name}.{ending}");
            let [one, other] = [&*BUILT, &second].map(|built| fs::read(built.file(&file)).expect("a file"));
            assert!(one == other, "{file} differs");
        }
    }
}

#[test]
fn every_blob_is_what_its_digest_says_and_the_digest_is_printed() {
    for line in BUILT.said.lines() {
        let [name, reference, digest, bytes] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("not NAME REFERENCE DIGEST BYTES: {line}");
        };
        assert_eq!(reference, format!("localhost/{name}:{VERSION}"));
        let unpacked = BUILT.unpack(name);
        let described = &unpacked.read("index.json")["manifests"][0];
        assert_eq!(described["digest"], digest);
        assert_eq!(described["annotations"]["io.containerd.image.name"], reference);
        let folder = unpacked.folder.path().join("layout/blobs/sha256");
        let mut sum = 0;
        for blob in fs::read_dir(folder).expect("blobs") {
            let blob = blob.expect("a blob");
            let content = fs::read(blob.path()).expect("a blob");
            assert_eq!(sha256(&content), blob.file_name().to_string_lossy());
            sum += content.len();
        }
        assert_eq!(sum.to_string(), bytes);
    }
}

#[test]
fn the_values_beside_them_have_the_chart_install_these_images_and_no_others() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let registry = "registry.example.com/outrigger";
    let pushed = build(&[], folder.path(), &["--repository", registry, "--tag", "nightly"]);
    let of = |built: &Built| {
        let values = built.file("values.yaml");
        template("helm3", &["--values", &values.to_string_lossy()]).expect("it is rendered")
    };
    let rendered = of(&pushed);
    let named = |rendered: &str, reference: &str| rendered.matches(&format!("image: {reference}\n")).count();
    for line in pushed.said.lines() {
        let [name, _, digest, _] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        // The sidecar's is tried and told to the injector and to a test; the injector's is run, and twice by tests.
        assert_eq!(named(&rendered, &format!("{registry}/{name}@{digest}")), 3, "{rendered}");
    }
    assert!(!rendered.contains("nightly") && !rendered.contains(&format!("outrigger-sidecar:{VERSION}")));
    // What is loaded into nodes is known there by its tag.
    let rendered = of(&BUILT);
    assert_eq!(named(&rendered, &format!("localhost/outrigger-sidecar:{VERSION}")), 3);
    assert!(!rendered.contains("@sha256:"), "{rendered}");
}

#[test]
fn programs_run_from_what_is_in_the_image() {
    for (image, user, program) in [
        ("outrigger-sidecar", uid::SIDECAR, programs::SIDECAR),
        ("outrigger-sidecar", uid::REDIRECT, programs::REDIRECT),
        ("outrigger-injector", 65532, "/usr/local/bin/outrigger-injector"),
        ("outrigger-simulator", 65534, "/usr/local/bin/outrigger-simulator"),
    ] {
        let unpacked = BUILT.unpack(image);
        let output = unpacked.run(user, &[program, "--version"]);
        let name = program.rsplit('/').next().expect("a name");
        assert_eq!(text(&output.stdout), format!("{name} {VERSION}\n"), "{}", text(&output.stderr));
        let config = unpacked.blob(&unpacked.manifest()["config"]["digest"]);
        let expected = if program == programs::REDIRECT { uid::SIDECAR } else { user };
        assert_eq!(config["config"]["User"], format!("{expected}:{expected}"));
        assert_eq!(config["config"]["Entrypoint"][0], format!("/usr/local/bin/{image}"));
    }
}

#[test]
fn the_redirection_makes_its_rules_without_being_root() {
    let unpacked = BUILT.unpack("outrigger-sidecar");
    for backend in ["nft", "iptables-nft"] {
        // Without the file's capability, or without a library or an extension, there would be no rules and this would be a failure.
        let words = [programs::REDIRECT, "--backend", backend, "--failure-policy", "closed"];
        let output = unpacked.run(uid::REDIRECT, &words);
        let said = text(&output.stderr);
        assert!(output.status.success(), "{backend}: {said}");
        assert!(said.contains(&format!("{backend} IPv4")), "{backend}: {said}");
    }
}

#[test]
fn nothing_else_is_in_the_sidecars_image_and_it_is_small() {
    let unpacked = BUILT.unpack("outrigger-sidecar");
    let programs: BTreeSet<String> = ["usr/local/bin", "usr/sbin"]
        .iter()
        .flat_map(|folder| fs::read_dir(unpacked.root().join(folder)).expect("a folder"))
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let expected = "ip6tables-nft ip6tables-nft-restore iptables-nft iptables-nft-restore nft outrigger-redirect outrigger-sidecar \
                    xtables-nft-multi";
    assert_eq!(programs.into_iter().collect::<Vec<_>>().join(" "), expected);
    assert!(!unpacked.root().join("bin").exists() && !unpacked.root().join("usr/bin").exists());
    let line = BUILT.said.lines().find(|line| line.starts_with("outrigger-sidecar ")).expect("a line");
    let bytes: u64 = line.rsplit(' ').next().expect("bytes").parse().expect("a number");
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
}

#[test]
fn an_image_says_what_it_is_made_of() {
    for (image, in_it, not_in_it) in
        [("outrigger-sidecar", "rustls", "kube-client"), ("outrigger-injector", "axum", "aws-sigv4")]
    {
        let document = BUILT.json(&format!("{image}.spdx.json"));
        assert_eq!(document["spdxVersion"], "SPDX-2.3");
        let packages = document["packages"].as_array().expect("packages");
        let named = |name: &str| packages.iter().find(|package| package["name"] == name);
        assert!(named(in_it).is_some() && named(not_in_it).is_none(), "{image}");
        assert!(named("proptest").is_none(), "what tests need is not in it");
        assert_eq!(named(image).expect("itself")["versionInfo"], VERSION);
        let digest = BUILT.said.lines().find(|line| line.starts_with(image)).expect("a line");
        let digest = digest.split(' ').nth(2).expect("a digest").trim_start_matches("sha256:");
        let whole = packages.iter().find(|package| package["SPDXID"] == "SPDXRef-image").expect("the image");
        assert_eq!(whole["checksums"][0]["checksumValue"], digest);
        let ids: BTreeSet<&str> = packages.iter().map(|one| one["SPDXID"].as_str().expect("an id")).collect();
        assert_eq!(ids.len(), packages.len(), "an id is given twice");
        for relation in document["relationships"].as_array().expect("relationships") {
            assert!(ids.contains(relation["relatedSpdxElement"].as_str().expect("an id")));
        }
    }
}

#[test]
fn what_is_missing_is_named_with_its_mend() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(file("../deploy/images"));
    command.arg("--binaries").arg(folder.path()).arg("--out").arg(folder.path().join("out"));
    let output = command.output().expect("deploy/images can be run");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("outrigger-sidecar is not there; build it: cargo build"), "{said}");
}
