//! Judges what the sidecar tells of itself. Pure.

use std::collections::BTreeSet;

use outrigger_contract::redirection;
use outrigger_exporter::Signal;

use crate::doctor::checks;
use crate::doctor::finding::Finding;
use crate::status::{Standing, Status};

/// This long before its end a restart should be planned, in seconds.
const ENDING: u64 = 30 * 86_400;

/// `own` is the fingerprint of the doctor's own round trips, which say nothing about the app.
/// `now` is in seconds since the epoch.
pub(super) fn judge(status: &Status, own: Option<&str>, now: u64) -> Vec<Finding> {
    let mut findings = vec![checks::RUNNING.found(format!(
        "outrigger-sidecar {} has run for {}; CONNECT on {}, base URLs on {}; {} connections, {} read, {} passed through",
        status.version,
        lasting(status.uptime_seconds),
        status.listeners.connect,
        status.listeners.base_url,
        status.counts.connections,
        status.counts.intercepted,
        status.counts.passed,
    ))];
    if status.counts.panics > 0 {
        findings.push(
            checks::PANICS
                .found(format!("{} faults of Outrigger's own since the start", status.counts.panics)),
        );
    }
    findings.extend(status.left_out.iter().map(|text| checks::LEFT_OUT.found(text.clone())));
    telemetry(status, &mut findings);
    spool(status, &mut findings);
    findings.extend(status.verdicts.iter().map(|verdict| {
        let text =
            format!("{}. Evidence: {}; {} calls so far", verdict.cause, verdict.evidence, verdict.calls);
        checks::VERDICT.found_with(text, verdict.next_step.clone())
    }));
    if status.counts.connections == 0 {
        findings.push(checks::NO_TRAFFIC.found("no connection has reached the sidecar yet"));
    }
    authority(status, now, &mut findings);
    redirect(status, &mut findings);
    clients(status, own, &mut findings);
    passed(status, &mut findings);
    super::rules::judge(status.rules.as_ref(), &mut findings);
    findings
}

fn telemetry(status: &Status, findings: &mut Vec<Finding>) {
    let lost: Vec<String> = status
        .telemetry
        .iter()
        .flatten()
        // Metrics that a newer collection supersedes lack nothing.
        .filter(|(kind, _)| *kind != Signal::Metrics.as_str())
        .filter(|(_, flow)| !flow.dropped.is_empty())
        .map(|(kind, flow)| {
            let causes: Vec<String> =
                flow.dropped.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
            format!("{kind} {} of {} ({})", flow.dropped.values().sum::<u64>(), flow.seen, causes.join(", "))
        })
        .collect();
    if !lost.is_empty() {
        findings.push(checks::TELEMETRY_LOST.found(format!("dropped: {}", lost.join("; "))));
    }
}

fn spool(status: &Status, findings: &mut Vec<Finding>) {
    let Some(spool) = &status.spool else { return };
    let place = spool.directory.display();
    if let Some(fault) = &spool.fault {
        findings.push(checks::SPOOL_OFF.found(format!("there is no spool in {place}: {fault}")));
        return;
    }
    let held: Vec<String> = status
        .telemetry
        .iter()
        .flatten()
        .filter(|(_, flow)| flow.spooled > 0)
        .map(|(kind, flow)| format!("{} {kind}", flow.spooled))
        .collect();
    let held = if held.is_empty() { "nothing".to_owned() } else { held.join(", ") };
    let text = format!("{held} in {place}: {} of {} bytes", spool.bytes, spool.limit);
    let filling = spool.bytes > spool.limit / 2;
    findings.push(if filling { checks::SPOOL_FILLING.found(text) } else { checks::SPOOL.found(text) });
    if spool.broken > 0 {
        findings
            .push(checks::SPOOL_BROKEN.found(format!("{} bytes in {place} could not be read", spool.broken)));
    }
}

fn authority(status: &Status, now: u64, findings: &mut Vec<Finding>) {
    let authority = &status.authority;
    if let Some(fault) = &authority.fault {
        findings.push(checks::AUTHORITY_LOST.found(format!("everything passes through: {fault}")));
        return;
    }
    if !authority.not_covered.is_empty() {
        findings.push(checks::NOT_COVERED.found(format!(
            "the authority of this pod does not vouch for {}: they pass through",
            authority.not_covered.join(", ")
        )));
    }
    match authority.not_after.map(|last| last.saturating_sub(now)) {
        Some(left) if left < ENDING => findings.push(
            checks::AUTHORITY_ENDS.found(format!("the certificate authority ends in {}", lasting(left))),
        ),
        _ => findings.push(checks::AUTHORITY.found(format!(
            "the certificate authority is {}, and vouches for {} hosts",
            authority.state,
            authority.covered.len()
        ))),
    }
}

fn redirect(status: &Status, findings: &mut Vec<Finding>) {
    if status.listeners.transparent.is_empty() {
        findings.push(checks::REDIRECT_OFF.found("no redirected connections are listened for"));
        return;
    }
    let Some(report) = &status.redirect else {
        let arrived: u64 = status.redirected.iter().map(|family| family.connections).sum();
        findings.push(checks::REDIRECT_UNKNOWN.found(format!(
            "there is no report of a redirect; {arrived} redirected connections have arrived"
        )));
        return;
    };
    if report["redirected"] != true {
        let reason = report["reason"].as_str().unwrap_or("no reason was given");
        findings.push(checks::REDIRECT_FAILED.found(format!("nothing is redirected: {reason}")));
        return;
    }
    let words = |value: &serde_json::Value| value.as_str().unwrap_or("unknown").to_owned();
    let ports: Vec<String> =
        report["ports"].as_array().into_iter().flatten().map(ToString::to_string).collect();
    for family in report["families"].as_array().into_iter().flatten().filter_map(|family| family.as_str()) {
        let place = format!("{family} to port {} by {}", ports.join(", "), words(&report["backend"]));
        let Some(served) = status.redirected.iter().find(|one| one.family == family) else {
            findings.push(
                checks::REDIRECT_UNSERVED.found(format!("{place} is redirected, and nothing listens for it")),
            );
            continue;
        };
        let arrived = format!("{} connections have arrived", served.connections);
        let test = &report["self_test"][family];
        findings.push(if test["proven"] == true {
            checks::REDIRECT_PROVEN.found(format!("{place} is redirected and proven; {arrived}"))
        } else {
            let why = words(&test["reason"]);
            checks::REDIRECT_UNPROVEN.found(format!("{place} is redirected, unproven ({why}); {arrived}"))
        });
        let ago = served.sign_of_life_seconds_ago;
        findings.push(sign_of_life(family, ago, status.uptime_seconds, &words(&report["on_proxy_down"])));
    }
}

fn sign_of_life(family: &str, ago: Option<u64>, uptime: u64, on_proxy_down: &str) -> Finding {
    let fate = if on_proxy_down == "closed" { "are refused" } else { "go direct" };
    let patience = redirection::ALIVE_FOR.as_secs();
    match ago {
        // Whole seconds: the fraction is given to the sidecar.
        Some(ago) if ago <= patience => {
            checks::HEARTBEAT.found(format!("{family}: the last sign of life is {ago} s old"))
        }
        None if uptime <= patience => checks::HEARTBEAT
            .found(format!("{family}: it was started just now, and its first sign of life is due")),
        Some(ago) => checks::HEARTBEAT_LOST
            .found(format!("{family}: no sign of life for {ago} s; new connections {fate}")),
        None => checks::HEARTBEAT_LOST
            .found(format!("{family}: no sign of life was ever given; new connections {fate}")),
    }
}

fn clients(status: &Status, own: Option<&str>, findings: &mut Vec<Finding>) {
    let of_apps = || status.clients.iter().filter(|client| own != Some(client.fingerprint.as_str()));
    let trusting: Vec<_> = of_apps().filter(|client| client.standing == Standing::Trusts).collect();
    if of_apps().next().is_none() {
        findings.push(checks::CLIENTS_NONE.found("no client has made a handshake with the sidecar yet"));
    }
    if !trusting.is_empty() {
        let stacks: BTreeSet<_> = trusting.iter().map(|client| client.fingerprint.as_str()).collect();
        let hosts: BTreeSet<_> = trusting.iter().map(|client| client.host.as_str()).collect();
        findings.push(checks::CLIENTS_TRUST.found(format!(
            "{} TLS clients trust Outrigger, for {}",
            stacks.len(),
            hosts.into_iter().collect::<Vec<_>>().join(", ")
        )));
    }
    for client in of_apps().filter(|client| client.standing == Standing::Refuses) {
        findings.push(checks::CLIENT_REFUSED.found(format!(
            "client {} refused Outrigger's certificate for {}: its calls there go unobserved ({} connections so far)",
            client.fingerprint, client.host, client.connections
        )));
    }
}

fn passed(status: &Status, findings: &mut Vec<Finding>) {
    let reasons = &status.counts.reasons;
    if let Some(count) = reasons.get("budget") {
        findings.push(checks::BUDGET.found(format!(
            "{count} connections passed through because {} were being read already",
            status.settings.max_intercepted
        )));
    }
    if !reasons.is_empty() {
        let listed: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        findings.push(checks::PASSED.found(format!("passed through unread: {}", listed.join(", "))));
    }
}

fn lasting(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::doctor::finding::Level;
    use crate::status::{
        Authority, Calls, Client, Counts, Flow, Listeners, Redirected, Shown, Spool, Verdict,
    };

    const NOW: u64 = 1_700_000_000;

    fn status() -> Status {
        Status {
            version: "1".to_owned(),
            uptime_seconds: 7300,
            listeners: Listeners {
                transparent: vec!["127.0.0.1:19001".parse().unwrap()],
                connect: "127.0.0.1:19002".parse().unwrap(),
                base_url: "127.0.0.1:19003".parse().unwrap(),
                metrics: None,
            },
            settings: Shown::default(),
            left_out: Vec::new(),
            counts: Counts { connections: 3, intercepted: 2, passed: 1, ..Counts::default() },
            calls: Calls { begun: 2, recorded: 2, ..Calls::default() },
            telemetry: Some(flows([("calls", 2, &[]), ("metrics", 9, &[("superseded", 3)])])),
            spool: None,
            verdicts: Vec::new(),
            rules: None,
            redirected: vec![Redirected {
                family: "ipv4".to_owned(),
                connections: 3,
                sign_of_life_seconds_ago: Some(1),
            }],
            redirect: Some(json!({
                "redirected": true, "backend": "nft", "families": ["ipv4"], "on_proxy_down": "open", "ports": [443],
                "self_test": { "ipv4": { "proven": true }, "ipv6": { "proven": false, "reason": "not redirected" } },
            })),
            authority: Authority {
                state: "kept".to_owned(),
                fault: None,
                not_after: Some(NOW + 2 * ENDING),
                ca_pem: String::new(),
                covered: vec!["api.openai.com".to_owned()],
                not_covered: Vec::new(),
            },
            clients: vec![client("a", Standing::Trusts)],
        }
    }

    /// A kind, how many of it were seen, and how many lost by which causes.
    type Kind<'a> = (&'a str, u64, &'a [(&'a str, u64)]);

    fn flows<const N: usize>(kinds: [Kind<'_>; N]) -> BTreeMap<String, Flow> {
        let flow = |seen: u64, lost: &[(&str, u64)]| Flow {
            seen,
            dropped: lost.iter().map(|(cause, count)| ((*cause).to_owned(), *count)).collect(),
            ..Flow::default()
        };
        kinds.into_iter().map(|(kind, seen, lost)| (kind.to_owned(), flow(seen, lost))).collect()
    }

    fn client(fingerprint: &str, standing: Standing) -> Client {
        Client {
            host: "api.openai.com".to_owned(),
            fingerprint: fingerprint.to_owned(),
            standing,
            since: 0,
            connections: 2,
        }
    }

    fn ids(status: &Status) -> Vec<&'static str> {
        judge(status, Some("own"), NOW).into_iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn a_spool_that_fills_or_is_missing_is_a_warning() {
        let spool = |bytes, broken, fault: Option<&str>| {
            let spool = Spool {
                directory: "/spool".into(),
                bytes,
                limit: 1000,
                broken,
                fault: fault.map(str::to_owned),
            };
            Status { spool: Some(spool), ..status() }
        };
        assert!(ids(&spool(500, 0, None)).contains(&"spool"));
        assert!(ids(&spool(501, 0, None)).contains(&"spool-filling"));
        assert!(ids(&spool(0, 3, None)).contains(&"spool-broken"));
        let off = ids(&spool(0, 0, Some("held by another process")));
        assert!(off.contains(&"spool-off") && !off.contains(&"spool"), "{off:?}");
        assert!(!ids(&status()).iter().any(|id| id.starts_with("spool")));
    }

    #[test]
    fn a_healthy_pod_has_nothing_to_mend() {
        let findings = judge(&status(), None, NOW);
        assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:?}");
        assert_eq!(ids(&status()), ["running", "authority", "redirect-proven", "heartbeat", "clients-trust"]);
    }

    #[test]
    fn a_setting_that_is_left_out_is_a_warning_in_its_own_words() {
        let mut status = status();
        status.left_out =
            vec!["OTEL_BSP_SCHEDULE_DELAY=\"x\": no. Until then it counts as not set".to_owned()];
        let findings = judge(&status, None, NOW);
        let found = findings.iter().find(|one| one.id == "settings-left-out").unwrap();
        assert_eq!((found.level, &found.text), (Level::Warn, &status.left_out[0]));
    }

    #[test]
    fn lost_telemetry_is_told_by_cause() {
        let mut status = status();
        status.telemetry =
            Some(flows([("calls", 9, &[]), ("logs", 9, &[("no_room", 2), ("partial_success", 1)])]));
        let finding = judge(&status, None, NOW).into_iter().find(|one| one.id == "telemetry-lost").unwrap();
        assert_eq!(finding.text, "dropped: logs 3 of 9 (no_room 2, partial_success 1)");
    }

    #[test]
    fn what_is_wrong_with_the_calls_is_told_with_its_next_step() {
        let mut status = status();
        status.verdicts = vec![Verdict {
            kind: "missing_key".to_owned(),
            provider: Some("openai".to_owned()),
            model: None,
            key: None,
            since: 0,
            calls: 3,
            cause: "requests carry no key".to_owned(),
            evidence: "call 7".to_owned(),
            next_step: "set it".to_owned(),
        }];
        let finding = judge(&status, None, NOW).into_iter().find(|one| one.id == "verdict").unwrap();
        assert_eq!(finding.text, "requests carry no key. Evidence: call 7; 3 calls so far");
        assert_eq!(finding.mend.as_deref(), Some("set it"));
    }

    #[test]
    fn the_authoritys_state_is_told_in_each_case() {
        let told = |change: &dyn Fn(&mut Authority)| {
            let mut status = status();
            change(&mut status.authority);
            ids(&status)
                .into_iter()
                .filter(|id| id.starts_with("auth") || id.starts_with("hosts"))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&|authority| authority.fault = Some("it is lost".to_owned())), ["authority-lost"]);
        assert_eq!(told(&|authority| authority.not_after = Some(NOW + ENDING - 1)), ["authority-ends"]);
        assert_eq!(told(&|authority| authority.not_after = Some(NOW - 1)), ["authority-ends"]);
        let added = vec!["new.example".to_owned()];
        assert_eq!(
            told(&|authority| authority.not_covered = added.clone()),
            ["hosts-not-covered", "authority"]
        );
    }

    #[test]
    fn the_redirects_state_is_told_in_each_case() {
        let told = |change: &dyn Fn(&mut Status)| {
            let mut status = status();
            change(&mut status);
            ids(&status).into_iter().find(|id| id.starts_with("redirect")).unwrap()
        };
        assert_eq!(told(&|status| status.listeners.transparent.clear()), "redirect-off");
        assert_eq!(told(&|status| status.redirect = None), "redirect-unknown");
        let failed = json!({ "redirected": false, "reason": "no NET_ADMIN" });
        assert_eq!(told(&|status| status.redirect = Some(failed.clone())), "redirect-failed");
        assert_eq!(told(&|status| status.redirected.clear()), "redirect-unserved");
        let unproven = |status: &mut Status| {
            status.redirect.as_mut().unwrap()["self_test"]["ipv4"] =
                json!({ "proven": false, "reason": "busy" });
        };
        assert_eq!(told(&unproven), "redirect-unproven");
    }

    #[test]
    fn a_lost_sign_of_life_says_what_becomes_of_connections() {
        let text = |ago, on_proxy_down: &str| {
            let mut status = status();
            status.redirected[0].sign_of_life_seconds_ago = ago;
            status.redirect.as_mut().unwrap()["on_proxy_down"] = json!(on_proxy_down);
            judge(&status, None, NOW)
                .into_iter()
                .find(|finding| finding.id == "heartbeat-lost")
                .map(|finding| finding.text)
        };
        assert_eq!(text(Some(3), "open"), None);
        assert!(text(Some(4), "open").unwrap().ends_with("go direct"));
        assert!(text(None, "closed").unwrap().ends_with("are refused"));
        let mut young = status();
        young.uptime_seconds = 1;
        young.redirected[0].sign_of_life_seconds_ago = None;
        assert!(ids(&young).contains(&"heartbeat"));
    }

    #[test]
    fn a_refusing_client_is_named_and_the_doctor_is_not() {
        let mut status = status();
        status.clients = vec![client("own", Standing::Trusts), client("b", Standing::Refuses)];
        let findings = judge(&status, Some("own"), NOW);
        let refused = findings.iter().find(|finding| finding.id == "client-refused").unwrap();
        assert_eq!(refused.level, Level::Warn);
        assert!(
            refused.text.contains("client b refused") && refused.text.contains("api.openai.com"),
            "{refused:?}"
        );
        assert!(refused.mend.as_ref().unwrap().contains("passthrough_hosts"));
        status.clients.pop();
        assert!(ids(&status).contains(&"clients-none"));
    }

    #[test]
    fn what_passes_through_is_told_with_its_reason() {
        let mut status = status();
        status.counts.reasons = [("budget".to_owned(), 4), ("not_listed".to_owned(), 9)].into();
        let found = ids(&status);
        for id in ["budget-reached", "passed-through"] {
            assert!(found.contains(&id), "{id}: {found:?}");
        }
    }
}
