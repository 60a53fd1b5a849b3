//! `outrigger tail` beside `outrigger exec`: found by itself, shown live, over when the program is.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use outrigger_simulator::{Config, Simulator};

use crate::support::beside::{call, end, lines, outrigger, program, wait_for};

const BODY: &str = r#"{"model": "gpt-5-mini", "messages": [{"role": "user", "content": "tide?"}]}"#;

#[test]
fn the_program_under_exec_is_found_and_its_calls_are_shown_until_it_ends() {
    let (temporary, simulator) = (tempfile::tempdir().unwrap(), Simulator::start(Config::default()).unwrap());
    let temporary = temporary.path();
    let nobody = outrigger(temporary, &["tail"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    let said = String::from_utf8(nobody.stderr).unwrap();
    assert!(
        said.contains("no program of yours runs under `outrigger exec`") && said.contains("--socket"),
        "{said}"
    );

    let (running, base_url) = program(temporary, &simulator, &[]);
    let mut tail =
        outrigger(temporary, &["tail"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (shown, notes) = (lines(tail.stdout.take().unwrap()), lines(tail.stderr.take().unwrap()));
    wait_for(&notes, "watching calls at");
    let answer = call(&base_url, BODY);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let line = wait_for(&shown, "openai gpt-5-mini");
    for part in ["answered 200", " tokens  $0.", "id="] {
        assert!(line.contains(part), "{line}");
    }

    let (other, _) = program(temporary, &simulator, &[]);
    let several = outrigger(temporary, &["tail"]).output().unwrap();
    let said = String::from_utf8(several.stderr).unwrap();
    assert_eq!((several.status.code(), said.matches("--socket ").count()), (Some(1), 2), "{said}");
    end(other);
    end(running);
    wait_for(&notes, "the program has ended");
    assert!(tail.wait().unwrap().success());
}

#[test]
fn a_pod_is_reached_by_kubectl_and_its_sidecar_tells() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, programs) = (folder.path(), folder.path().join("bin"));
    std::fs::create_dir(&programs).unwrap();
    let tail = |words: &[&str]| {
        let mut tail = outrigger(folder, &["tail"]);
        tail.env("PATH", format!("{}:/bin:/usr/bin", programs.display())).args(words).output().unwrap()
    };
    let kubectl = programs.join("kubectl");
    std::fs::write(&kubectl, "#!/bin/sh\necho \"$@\"\nexit 7\n").unwrap();
    std::fs::set_permissions(&kubectl, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (words, asked) in [
        (&["shop-0"][..], "exec shop-0 --container outrigger -- /usr/local/bin/outrigger-sidecar tail\n"),
        (
            &["-n", "shop", "shop-0", "--failed", "--call", "C0F3", "--output", "json"],
            "exec --namespace shop shop-0 --container outrigger -- /usr/local/bin/outrigger-sidecar tail --failed --call c0f3 --output json\n",
        ),
    ] {
        let ended = tail(words);
        assert_eq!((String::from_utf8_lossy(&ended.stdout).as_ref(), ended.status.code()), (asked, Some(7)));
    }
    std::fs::write(&kubectl, "").unwrap();
    std::fs::set_permissions(&kubectl, std::fs::Permissions::from_mode(0o644)).unwrap();
    let without = outrigger(folder, &["tail", "shop-0"]).env("PATH", &programs).output().unwrap();
    assert_eq!(without.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&without.stderr).contains("kubectl"), "{without:?}");
    assert_eq!(tail(&["-n", "shop"]).status.code(), Some(2), "a namespace alone names nobody");
}
