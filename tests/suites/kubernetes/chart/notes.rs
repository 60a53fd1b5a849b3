//! What Helm prints after an installation: the next commands, and what is not as it should be.

use std::path::Path;

use outrigger_contract::VERSION;

use super::{MAJORS, documents, folder, template_of, word};

/// The notes that these values give. They are not part of what is rendered, so a template of the test's own shows them.
fn notes(major: &str, more: &[&str]) -> String {
    let copy = tempfile::tempdir().expect("a temporary directory");
    copy_folder(Path::new(&folder()), copy.path());
    let shown = r#"notes: {{ include (print .Template.BasePath "/NOTES.txt") . | quote }}"#;
    std::fs::write(copy.path().join("templates/shown.yaml"), shown).expect("a temporary file");
    let words = [&["--show-only", "templates/shown.yaml"][..], more].concat();
    let text = template_of(major, &copy.path().to_string_lossy(), &words).expect("it is rendered");
    word(&documents(&text)[0]["notes"]).to_owned()
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let there = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            std::fs::create_dir(&there).expect("a temporary folder");
            copy_folder(&entry.path(), &there);
        } else {
            std::fs::copy(entry.path(), there).expect("a temporary file");
        }
    }
}

#[test]
fn they_lead_on_and_warn_where_an_image_is_not_pinned() {
    let digest = |image: &str| format!("image.{image}.digest=sha256:{}", "1".repeat(64));
    let (sidecar, injector) = (digest("sidecar"), digest("injector"));
    for major in MAJORS {
        let all = notes(major, &[]);
        assert!(all.starts_with(&format!("Outrigger {VERSION} gives a sidecar")), "{all}");
        assert!(all.contains("kubectl label namespace NAMESPACE outrigger.dev/inject=enabled"), "{all}");
        assert!(all.contains("WARNING: image.sidecar and image.injector: named by a tag"), "{all}");
        assert!(all.contains("-f images/values.yaml"), "{all}");
        let half = notes(major, &["--set", &sidecar]);
        assert!(half.contains("WARNING: image.injector: named by a tag"), "{half}");
        let pinned = notes(major, &["--set", &sidecar, "--set", &injector]);
        assert!(!pinned.contains("WARNING"), "{pinned}");
        assert!(pinned.contains("--set sidecar.otlpEndpoint="), "{pinned}");
        let told = notes(major, &["--set", "sidecar.otlpEndpoint=http://collector:4317"]);
        assert!(!told.contains("--set sidecar.otlpEndpoint="), "{told}");
    }
}
