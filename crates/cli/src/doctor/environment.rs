//! Judges the variables that a program would inherit. Pure but for looking whether files are there.

use outrigger_contract::trust_variables::{self, JAVA_TOOL_OPTIONS, SSL_CERT_DIR};
use outrigger_sidecar::doctor::finding::Finding;

use crate::doctor::checks;
use crate::exec::environment::{UserEnvironment, without_credentials};

pub(super) fn judge(user: &UserEnvironment) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(proxy) = user.proxy() {
        findings.push(checks::PROXY.found(format!(
            "a proxy is set ({}): Outrigger sends everything on through it",
            without_credentials(&proxy)
        )));
    }
    let names = trust_variables::ALL.iter().map(|variable| variable.name);
    for name in names.filter(|name| ![SSL_CERT_DIR, JAVA_TOOL_OPTIONS].contains(name)) {
        let Some(file) = user.get(name) else { continue };
        findings.push(match std::fs::File::open(file) {
            Ok(_) => checks::TRUST_KEPT.found(format!(
                "{name} is set ({file}): programs get a copy of it with Outrigger's authority"
            )),
            Err(error) => {
                checks::TRUST_NOWHERE.found(format!("{name} names {file}, which cannot be read ({error})"))
            }
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inherited_is_told_without_secrets() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let user = UserEnvironment::of(&[
            ("HTTPS_PROXY", "http://me:hunter2@proxy.example:3128"),
            ("SSL_CERT_FILE", file.path().to_str().unwrap()),
            ("DENO_CERT", "/nowhere.pem"),
        ]);
        let findings = judge(&user);
        let ids: Vec<_> = findings.iter().map(|finding| finding.id).collect();
        assert_eq!(ids, ["proxy-kept", "trust-nowhere", "trust-kept"]);
        assert!(findings[0].text.contains("proxy.example:3128") && !findings[0].text.contains("hunter2"));
        assert_eq!(judge(&UserEnvironment::default()), []);
    }
}
