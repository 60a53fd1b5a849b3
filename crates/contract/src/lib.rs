//! What the parts of a pod agree on: constants, and the one function over them that says how trust is given.
//! Whatever stands here is read by at least two programs; a value used by one lives with that one.

pub mod trust_variables;

/// The product's version, as every part reports it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// TCP ports. All but [`ports::METRICS`] listen on loopback only.
pub mod ports {
    /// Redirected connections.
    pub const TRANSPARENT: u16 = 19001;
    /// HTTP `CONNECT` proxy.
    pub const CONNECT: u16 = 19002;
    /// Plain-HTTP base-URL listener, one path prefix per provider.
    pub const BASE_URL: u16 = 19003;
    /// The sidecar's sign of life (UDP): the redirect holds only while it comes.
    pub const HEARTBEAT: u16 = 19004;
    /// The sidecar's farewell (UDP): the redirect holds no longer.
    pub const FAREWELL: u16 = TRANSPARENT;
    /// Metrics and probes, on the pod's own address.
    pub const METRICS: u16 = 19005;
}

/// Numeric user ids; a name would need a user database in every image.
pub mod uid {
    /// The sidecar's. Below 65536 because a pod with a user namespace has no others.
    pub const SIDECAR: u32 = 19015;
    /// Istio's proxy, whose own traffic is not redirected.
    pub const ISTIO: u32 = 1337;
    /// Linkerd's proxy, whose own traffic is not redirected.
    pub const LINKERD: u32 = 2102;
    /// The redirection's, which is nobody: its program has a file capability, and its self-test is made as a user that is
    /// redirected.
    pub const REDIRECT: u32 = 65534;
}

/// What the redirection and the sidecar agree on beside ports and user ids.
pub mod redirection {
    use std::time::Duration;

    /// nftables table, and prefix of every chain of ours under iptables.
    pub const TABLE: &str = "outrigger";
    /// The set that holds the address families for which the sidecar lives.
    pub const ALIVE: &str = "alive";
    /// How often the sidecar gives its sign of life.
    pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
    /// Without a sign of life for this long, new connections go direct.
    pub const ALIVE_FOR: Duration = Duration::from_secs(3);
    /// Mark of ztunnel's sockets inside a pod, with its mask.
    pub const ZTUNNEL_MARK: (u32, u32) = (0x539, 0xfff);
    /// Port on which connections are redirected unless others are named.
    pub const HTTPS: u16 = 443;
}

/// Names of the containers that are added to a pod.
pub mod containers {
    /// The sidecar's.
    pub const SIDECAR: &str = "outrigger";
    /// The one that makes the redirection, and ends.
    pub const REDIRECT: &str = "outrigger-redirect";
}

/// Where the programs lie in the image that both of these containers run.
pub mod programs {
    /// The sidecar.
    pub const SIDECAR: &str = "/usr/local/bin/outrigger-sidecar";
    /// The redirection.
    pub const REDIRECT: &str = "/usr/local/bin/outrigger-redirect";
}

/// Names of the volumes that are added to a pod.
pub mod volumes {
    /// The issuing key and the last good rules, in memory.
    pub const CA: &str = "outrigger-ca";
    /// The public trust files.
    pub const TRUST: &str = "outrigger-trust";
    /// Telemetry that waits, on disk.
    pub const SPOOL: &str = "outrigger-spool";
    /// The ConfigMap with the rules; its name too, unless an annotation names another.
    pub const RULES: &str = "outrigger-rules";
    /// The Secret with what backups are paid by; its name too.
    pub const CREDENTIALS: &str = "outrigger-credentials";
    /// Empty: it lies over the API server's token, which the sidecar does not need.
    pub const NO_TOKEN: &str = "outrigger-no-token";
}

/// The label that asks for injection, and the annotations that say how, or what became of it. `docs/injection.md` has their values.
pub mod annotations {
    /// What all of them begin with.
    pub const PREFIX: &str = "outrigger.dev/";
    /// The label, on a namespace or a pod.
    pub const INJECT: &str = "outrigger.dev/inject";
    /// How calls are led to the sidecar.
    pub const MODE: &str = "outrigger.dev/mode";
    /// The ConfigMap with the rules.
    pub const RULES: &str = "outrigger.dev/rules";
    /// Hosts that pass through undecrypted.
    pub const PASSTHROUGH_HOSTS: &str = "outrigger.dev/passthrough-hosts";
    /// Whether Java's trust store is replaced.
    pub const TRUST_JAVA: &str = "outrigger.dev/trust-java";
    /// What the sidecar asks for and may take.
    pub const RESOURCES: &str = "outrigger.dev/resources";
    /// A promise: what `envFrom` brings in has none of the names that are set.
    pub const IGNORE_ENV_FROM: &str = "outrigger.dev/ignore-env-from";
    /// Written back: whether the pod has a sidecar.
    pub const STATUS: &str = "outrigger.dev/status";
    /// Written back: why not, or what is not as it was asked for.
    pub const REASON: &str = "outrigger.dev/reason";
    /// Written back: where prompts and telemetry may go.
    pub const SENDS_TO: &str = "outrigger.dev/sends-to";
}

/// Variables by which the sidecar learns what pod it is in: the injector fills them by the downward API.
pub mod environment {
    /// `metadata.name`.
    pub const POD_NAME: &str = "OUTRIGGER_POD_NAME";
    /// `metadata.namespace`.
    pub const POD_NAMESPACE: &str = "OUTRIGGER_POD_NAMESPACE";
    /// `metadata.uid`.
    pub const POD_UID: &str = "OUTRIGGER_POD_UID";
    /// `status.podIP`.
    pub const POD_IP: &str = "OUTRIGGER_POD_IP";
    /// `spec.nodeName`.
    pub const NODE_NAME: &str = "OUTRIGGER_NODE_NAME";
    /// The name of the sidecar's own container.
    pub const CONTAINER_NAME: &str = "OUTRIGGER_CONTAINER_NAME";
    /// Where each container has its keys from, names only, as JSON:
    /// `{"app": {"OPENAI_API_KEY": {"secret": "openai", "key": "api-key"}, "*": {"secret": "keys"}}}`. A place is a `secret` or a
    /// `configMap` with its `key`, or `"value"` for one that is written in the pod; `*` is a whole Secret that `envFrom` brings in, and a list of
    /// them where it brings in several.
    pub const KEY_NAMES: &str = "OUTRIGGER_KEY_NAMES";
    /// Set in every pod of a cluster, by the kubelet.
    pub const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";
    /// Where a proxy must not be used: the pod itself, the cluster, the cloud's metadata.
    pub const DIRECT: &str =
        "localhost,127.0.0.1,::1,.svc,.cluster.local,169.254.169.254,metadata.google.internal";
    /// The standard's list of headers by which an app's trace and baggage are known.
    pub const PROPAGATORS: &str = "OTEL_PROPAGATORS";
}

/// Where the volumes are mounted in every container that has them.
pub mod mounts {
    /// The issuing key, in memory; the sidecar's alone.
    pub const CA: &str = "/var/run/outrigger/ca";
    /// The public trust files; read-only in the app's containers.
    pub const TRUST: &str = "/var/run/outrigger/trust";
    /// Telemetry that an endpoint which is away has not taken, on disk; the sidecar's alone.
    pub const SPOOL: &str = "/var/run/outrigger/spool";
    /// The ConfigMap with the rules, read-only; the sidecar's alone.
    pub const RULES: &str = "/var/run/outrigger/rules";
    /// What backups are paid by, read-only; the sidecar's alone.
    pub const CREDENTIALS: &str = "/var/run/outrigger/credentials";
}

/// Request headers by which an application names who and what a call is for.
/// They are read, recorded and removed before the request leaves.
pub mod headers {
    /// The step of a workflow, such as `plan` or `answer`.
    pub const STEP: &str = "x-outrigger-step";
    /// The end user.
    pub const USER: &str = "x-outrigger-user";
    /// The conversation or session.
    pub const SESSION: &str = "x-outrigger-session";
    /// The agent.
    pub const AGENT: &str = "x-outrigger-agent";
    /// Whose account it is: a customer, a team.
    pub const TENANT: &str = "x-outrigger-tenant";
    /// Every header of our own starts with this.
    pub const PREFIX: &str = "x-outrigger-";
}

/// File names inside the public trust directory.
pub mod trust_files {
    /// Our root certificate alone, for variables that add to a trust store.
    pub const CA: &str = "ca.pem";
    /// Our root and configured extra CAs, for variables that add to a trust store and may hide what an image adds by them.
    pub const ADDITIONS: &str = "additions.pem";
    /// Public roots, configured extra CAs and our root, for variables that replace a trust store.
    pub const BUNDLE: &str = "bundle.pem";
    /// The bundle as a Java key store, readable with or without the password.
    pub const TRUSTSTORE_JKS: &str = "truststore.jks";
    /// The bundle as PKCS #12.
    pub const TRUSTSTORE_P12: &str = "truststore.p12";
    /// Password of both; a convention, not a secret.
    pub const TRUSTSTORE_PASSWORD: &str = "changeit";
    /// Every certificate of the bundle under its OpenSSL subject-hash name, for `SSL_CERT_DIR`. The whole set, since some
    /// readers of that variable know nothing else once it is set.
    pub const HASHED: &str = "hashed";
    /// Where distributions keep their own such directories; they stand behind ours in `SSL_CERT_DIR`.
    pub const SYSTEM_DIRECTORIES: [&str; 3] =
        ["/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted/pem/directory-hash"];
    /// Where distributions keep their bundles. Our directory has links to them, since some readers of that variable split no list or read no
    /// bundle beside it: what the image itself trusts is then still found.
    pub const SYSTEM_BUNDLES: [&str; 4] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];
    /// What the redirect did, JSON: give it to `outrigger-redirect --report`, and `outrigger-sidecar doctor` finds it.
    pub const REDIRECT_REPORT: &str = "redirect.json";
}

/// File names inside the sidecar's private directory.
pub mod private_files {
    /// Where the sidecar tells its state, a Unix socket.
    pub const ADMIN_SOCKET: &str = "admin.sock";
}

/// Names under which telemetry is exported.
pub mod telemetry {
    /// Namespace of every attribute and metric of our own.
    pub const NAMESPACE: &str = "outrigger";
    /// Event name of the one log record per call.
    pub const CALL_EVENT: &str = "outrigger.call";
    /// Event name of the log records about what is wrong: one when a verdict begins, one when it ends.
    pub const DIAGNOSIS_EVENT: &str = "outrigger.diagnosis";
    /// Event name of the log record that the GenAI conventions recommend for a failure.
    pub const EXCEPTION_EVENT: &str = "gen_ai.client.operation.exception";
    /// Event name of the log record that holds a call's content, where that is asked for.
    pub const DETAILS_EVENT: &str = "gen_ai.client.inference.operation.details";
}

/// Prefix of the sidecar's own environment variables.
pub const ENV_PREFIX: &str = "OUTRIGGER";
