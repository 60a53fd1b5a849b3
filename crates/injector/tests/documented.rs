//! `docs/injection.md` has every annotation and every reason.

use outrigger_injector::{Reason, reference};

const PAGE: &str = include_str!("../../../docs/injection.md");

#[test]
fn every_annotation_stands_on_the_page() {
    let begin = PAGE.find("|---|---|---|\n").unwrap() + "|---|---|---|\n".len();
    let end = PAGE.find("<!-- end -->").unwrap();
    assert_eq!(&PAGE[begin..end], reference(), "paste this between the marks of docs/injection.md");
}

#[test]
fn every_reason_stands_on_the_page() {
    for reason in Reason::ALL {
        assert!(PAGE.contains(&format!("`{}`", reason.as_str())), "{}", reason.as_str());
    }
}
