//! Everything that `outrigger-sidecar doctor` can find: the source of the first table in `docs/doctor.md`.

crate::checks! {
    ADMIN_OFF: "admin-off", Fail,
        "No admin socket is configured, so the sidecar cannot be asked.",
        "set `ca_dir` or `admin_socket` (`OUTRIGGER_CA_DIR`, `OUTRIGGER_ADMIN_SOCKET`) for the sidecar, or name its socket with `--admin-socket`";
    NOT_RUNNING: "not-running", Fail,
        "Nobody answers on the admin socket: no sidecar runs in this container, or it runs with another socket.",
        "look at the sidecar's log for why it ended; run doctor in the sidecar's own container, with its settings";
    FORBIDDEN: "forbidden", Fail,
        "The admin socket may not be opened by this user.",
        "run doctor as the sidecar's user";
    ANSWER: "answer-unreadable", Fail,
        "What answers on the admin socket is no sidecar of this version.",
        "run the doctor of the same image as the sidecar";
    RUNNING: "running", Ok, "The sidecar runs.", "";
    PANICS: "panics", Warn,
        "A fault of Outrigger's own ended connections, or the watching of calls.",
        "please report it with the sidecar's log; the log names the place";
    LEFT_OUT: "settings-left-out", Warn,
        "A setting or variable could not be used, or a file that it names: the sidecar runs without it, as the line says.",
        "correct what the line names and restart the pod; `outrigger-sidecar --check` says the same before anything is started";
    TELEMETRY_LOST: "telemetry-lost", Warn,
        "Calls, records or spans were not taken by the OTLP endpoint and are lost; each cause is counted.",
        "look at the sidecar's log, which names the endpoint and the mend; `docs/accounting.md` explains the causes";
    SPOOL: "spool", Ok,
        "Telemetry that its endpoint does not take is kept on disk; the line says how much of the room is used.",
        "";
    SPOOL_FILLING: "spool-filling", Warn,
        "More than half of the spool is used: when it is full the oldest telemetry in it is dropped and counted.",
        "bring the OTLP endpoint back, or raise spool_bytes; `docs/spool.md`";
    SPOOL_OFF: "spool-off", Warn,
        "There should be a spool, and its directory cannot be used: telemetry is held in memory only.",
        "give the sidecar a directory of its own that it may write (spool_dir); `docs/spool.md`";
    SPOOL_BROKEN: "spool-broken", Warn,
        "Parts of the spool could not be read: writes that a kill cut short, or a damaged disk.",
        "after a kill a cut write is expected, and nothing in it had been acknowledged; if it grows, look at the disk; the log names each place";
    VERDICT: "verdict", Warn,
        "Calls show that something is wrong; `docs/diagnosis.md` lists what can be.",
        "do what the line says";
    NO_TRAFFIC: "no-traffic", Note,
        "No connection has reached the sidecar yet.",
        "if the app has made calls: it was started before the redirect or the variables, or it goes around them";
    AUTHORITY: "authority", Ok, "The certificate authority is in order.", "";
    AUTHORITY_LOST: "authority-lost", Fail,
        "The certificate authority that the pod's programs trust is gone, or none could be made: everything passes through.",
        "delete the pod";
    AUTHORITY_ENDS: "authority-ends", Warn,
        "The certificate authority is near the end of its validity; afterwards programs refuse it.",
        "delete the pod: the next one has a fresh authority";
    REDIRECT_OFF: "redirect-off", Note,
        "Connections are not redirected to this sidecar: it is reached by proxy variables and base URLs only.",
        "";
    REDIRECT_UNKNOWN: "redirect-unknown", Note,
        "There is no report of the redirect, so nothing is known of it but what arrives.",
        "let outrigger-redirect write its report: `--report` with `redirect.json` in the trust directory";
    REDIRECT_FAILED: "redirect-failed", Warn,
        "The redirect could not be made; only programs that honour the variables are observed.",
        "give outrigger-redirect NET_ADMIN, or rely on the proxy and base-URL variables";
    REDIRECT_PROVEN: "redirect-proven", Ok, "The redirect was made, and its self-test arrived.", "";
    REDIRECT_UNPROVEN: "redirect-unproven", Note,
        "The redirect was made, but its self-test proved nothing for a family.",
        "";
    REDIRECT_UNSERVED: "redirect-unserved", Warn,
        "A family is redirected for which the sidecar does not listen: those connections go direct.",
        "look at the start of the sidecar's log for why it does not listen";
    HEARTBEAT: "heartbeat", Ok, "The redirect hears that the sidecar lives.", "";
    HEARTBEAT_LOST: "heartbeat-lost", Fail,
        "The sidecar has given no sign of life for longer than the redirect waits: new connections go direct, or are refused under `closed`.",
        "look at the sidecar's log for what keeps its traffic thread; restart the container";
    CLIENTS_TRUST: "clients-trust", Ok, "These clients accepted Outrigger's certificate.", "";
    CLIENTS_NONE: "clients-none", Note,
        "No client has shown yet whether it trusts Outrigger.",
        "";
    CLIENT_REFUSED: "client-refused", Warn,
        "A client refused Outrigger's certificate, so its connections to that host pass through unobserved.",
        "give that program the trust files (docs/doctor.md says which variable its runtime reads) and restart it; if its roots are built in, list the host under `passthrough_hosts` or lead it by base URL";
    NOT_COVERED: "hosts-not-covered", Warn,
        "Listed hosts that the certificate authority of this pod cannot vouch for: they pass through.",
        "they are read from the next pod start; delete the pod";
    BUDGET: "budget-reached", Warn,
        "More connections than allowed were to be read at a time; the rest passed through.",
        "raise `max_intercepted`";
    PASSED: "passed-through", Note,
        "Connections that passed through unread, by reason.",
        "";
    RULES: "rules", Note, "The rules in force: their mode, their hash and where else prompts may go.", "";
    RULES_REFUSED: "rules-refused", Warn,
        "The rules that were read last are refused: the last good ones go on, or none.",
        "follow what is said of each line; `outrigger rules check FILE` says the same before a document is mounted";
    RULES_UNPAID: "rules-unpaid", Warn,
        "A backup of the rules cannot be paid, so no call can move there: its credential is missing, cannot be read or has expired.",
        "do what the line says; `docs/rules.md` has the forms of credentials";
    TRUST_OFF: "trust-off", Warn,
        "No trust files are published, so no program can be given Outrigger's authority.",
        "set `trust_dir` (`OUTRIGGER_TRUST_DIR`), or lead programs by base URL";
    TRUST_OK: "trust-ok", Ok, "The published trust files are whole and belong to the running authority.", "";
    TRUST_MISSING: "trust-missing", Fail,
        "A trust file is missing or cannot be read: programs that were given it trust nothing, or not Outrigger.",
        "restart the pod; if it comes back, look for who else writes to that volume";
    TRUST_LINK: "trust-link-broken", Fail,
        "A symbolic link among the trust files leads nowhere.",
        "restart the pod; mount the trust volume as a directory, without subPath";
    TRUST_CLOSED: "trust-unreadable", Fail,
        "A trust file may not be read by other users: the app's containers run as others.",
        "restart the sidecar; the volume must not be mounted with an fsGroup or mode that takes the others' right away";
    TRUST_DIFFERS: "trust-ca-differs", Fail,
        "A trust file does not hold the authority that the sidecar uses: programs that read it refuse Outrigger.",
        "restart the pod, so that app and sidecar agree on one authority";
    TRUST_EMPTY: "trust-bundle-thin", Fail,
        "The bundle holds next to nothing beside Outrigger's authority: programs that were given it trust no other server.",
        "restart the sidecar; the bundle is written at its start";
    TRIP_OK: "round-trip", Ok,
        "A request went to the provider and its answer came back, read by the sidecar, trusted by the published bundle.", "";
    TRIP_NONE: "round-trip-none", Note, "Every listed host passes through, so no round trip can be proven.", "";
    TRIP_LISTENER: "round-trip-listener", Fail,
        "The CONNECT listener does not answer.",
        "look at the sidecar's log; restart the container";
    TRIP_DENIED: "round-trip-denied", Fail,
        "The CONNECT listener refused or could not reach the host.",
        "follow what it said";
    TRIP_UNREAD: "round-trip-unread", Warn,
        "The connection passed through unread: the certificate is not Outrigger's.",
        "see the `passed-through` reasons above";
    TRIP_TRUST: "round-trip-trust", Fail,
        "The sidecar's certificate is not accepted with the published bundle: programs refuse it too.",
        "restart the pod, so that app and sidecar agree on one authority";
    TRIP_DNS: "round-trip-dns", Fail,
        "The sidecar could not resolve the provider's name.",
        "check the pod's DNS settings and the network policy for port 53";
    TRIP_CONNECT: "round-trip-connect", Fail,
        "The sidecar could not connect to the provider.",
        "allow egress to the provider on port 443 (network policy, firewall), or set `upstream_proxy`";
    TRIP_TLS: "round-trip-upstream-tls", Fail,
        "The provider's certificate was refused, or its handshake failed.",
        "if a gateway of yours answers in the provider's place, add its authority to `extra_cas`";
    TRIP_TIMEOUT: "round-trip-timeout", Fail,
        "The provider, or the way there, did not answer in time.",
        "check the route and firewall: a silent drop looks like this";
    TRIP_BROKEN: "round-trip-broken", Fail,
        "The round trip broke off in a way that has no word of its own.",
        "look at the sidecar's log with OUTRIGGER_LOG=debug";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level::Warn;

    #[test]
    fn ids_are_unique_and_what_is_wrong_has_a_mend() {
        let mut ids: Vec<_> = ALL.iter().map(|check| check.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ALL.len());
        for check in ALL {
            assert!(check.level < Warn || !check.mend.is_empty(), "{}", check.id);
        }
    }
}
