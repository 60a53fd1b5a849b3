//! `docs/injection.md` has every annotation and every reason.

use outrigger_injector::{Reason, Settings, reference};

const PAGE: &str = include_str!("../../../docs/injection.md");

#[test]
fn every_annotation_stands_on_the_page() {
    let (_, table) = PAGE.split_once("annotations.rs -->\n").unwrap();
    let (_, rows) = table.split_once("|---|---|---|\n").unwrap();
    assert_eq!(
        rows.split("<!-- end -->").next().unwrap(),
        reference(),
        "paste this between the marks of docs/injection.md"
    );
}

#[test]
fn every_reason_stands_on_the_page() {
    for reason in Reason::ALL {
        assert!(PAGE.contains(&format!("`{}`", reason.as_str())), "{}", reason.as_str());
    }
}

#[test]
fn the_settings_on_the_page_are_read() {
    let text = PAGE.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let settings = Settings::read(text).unwrap();
    let known = Settings::default();
    assert_eq!(
        (settings.listen, settings.metrics, settings.grace_seconds),
        (known.listen, known.metrics, known.grace_seconds)
    );
    assert_eq!(
        (settings.pods.resources, settings.pods.spool_mib),
        (known.pods.resources, known.pods.spool_mib)
    );
}
