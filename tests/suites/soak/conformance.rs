//! h2spec through the sidecar and past it, in one run: what fails of plain hyper behind it may fail of the sidecar, nothing else.

use std::collections::BTreeSet;
use std::process::Child;

use outrigger_simulator::Config;
use outrigger_tests::app::{NAME, Pod};
use outrigger_tests::netns::APP;

/// Starts h2spec as a user of the pod: an app's connections are redirected, the sidecar's own are not.
fn start(pod: &Pod, uid: u32, report: &str) -> Child {
    let mut command = pod.network.pod.command(uid, pod.network.program("OUTRIGGER_TEST_H2SPEC"));
    command
        .args([
            "--host",
            NAME,
            "--port",
            "443",
            "--path",
            "/v1/models",
            "--tls",
            "--insecure",
            "--junit-report",
            report,
        ])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("h2spec can be run")
}

/// The cases of a report that failed, and how many there were.
fn failures(report: &str) -> (BTreeSet<String>, usize) {
    let text = std::fs::read_to_string(report).expect("h2spec has written its report");
    let mut failed = BTreeSet::new();
    let mut count = 0;
    for case in text.split("<testcase ").skip(1) {
        count += 1;
        let attribute = |name: &str| {
            case.split_once(&format!("{name}=\""))
                .and_then(|(_, rest)| rest.split_once('"'))
                .map_or("", |(value, _)| value)
        };
        if case.contains("<failure") || case.contains("<error") {
            failed.insert(format!("{}: {}", attribute("package"), attribute("classname")));
        }
    }
    (failed, count)
}

#[test]
fn nothing_fails_that_plain_hyper_does_not_fail() {
    let pod = Pod::before_simulator(Config::default());
    // A folder of their own, into which both users may write.
    let reports = tempfile::tempdir().expect("a temporary directory");
    std::fs::set_permissions(reports.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .expect("a folder of ours");
    let path = |name: &str| reports.path().join(name).to_string_lossy().into_owned();
    let through = start(&pod, APP, &path("through.xml"));
    let past = start(&pod, outrigger_contract::uid::SIDECAR, &path("past.xml"));
    for mut run in [through, past] {
        // It fails when a case fails; the reports tell which.
        run.wait().expect("h2spec ends");
    }
    let (through, count) = failures(&path("through.xml"));
    let (past, same_count) = failures(&path("past.xml"));
    assert!(count > 100 && count == same_count, "{count} cases through, {same_count} past");
    println!("{count} cases; plain hyper fails {past:#?}\nthe sidecar fails {through:#?}");
    let own: Vec<_> = through.difference(&past).collect();
    assert!(own.is_empty(), "only through the sidecar: {own:#?}");
    let seen = pod.drained();
    assert!(!seen.contains("not_trusted"), "all of it was read: {seen}");
}
