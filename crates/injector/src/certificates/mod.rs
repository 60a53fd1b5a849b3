//! Certificates of the injector's own: an authority and a leaf in a Secret, the authority in the webhooks' configurations, both renewed with
//! overlap. Every replica shows what the Secret holds; the holder of the Lease writes. What cannot be asked or written is tried
//! again; what is shown meanwhile stays.

mod cluster;
mod held;
mod lease;
mod pair;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

pub use cluster::{Cluster, ClusterError};
use held::{Held, Step, step, with};
use lease::{Claim, Watched};
use pair::Pair;

use crate::server::{Counts, Shown};

/// The objects that it takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Namespace of Secret, Lease and Service.
    pub namespace: String,
    /// Secret that keeps certificate and key; made here.
    pub secret: String,
    /// Lease whose holder writes. The Secret goes with it: it is the Secret's owner.
    pub lease: String,
    /// Service by which the API server calls.
    pub service: String,
    /// MutatingWebhookConfigurations that get the authority.
    #[serde(default)]
    pub mutating: Vec<String>,
    /// ValidatingWebhookConfigurations that get it.
    #[serde(default)]
    pub validating: Vec<String>,
}

/// How long things last.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Of authority and leaf.
    pub life: Duration,
    /// By how much they are valid before they were made.
    pub leeway: Duration,
    /// How long before its end a certificate is replaced.
    pub renew_before: Duration,
    /// From a new authority's publication to the first time its leaf is shown: API servers read configurations by a watch.
    pub settle: Duration,
    /// How long an old authority is trusted after its leaf was replaced.
    pub overlap: Duration,
    /// Of the Lease, without renewal.
    pub lease: Duration,
    /// Between two looks.
    pub every: Duration,
}

impl Default for Rotation {
    fn default() -> Rotation {
        const DAY: Duration = Duration::from_secs(86_400);
        Rotation {
            life: 90 * DAY,
            leeway: Duration::from_secs(300),
            renew_before: 30 * DAY,
            settle: Duration::from_secs(60),
            overlap: Duration::from_secs(600),
            lease: Duration::from_secs(15),
            every: Duration::from_secs(5),
        }
    }
}

/// What a replica keeps its certificate by.
#[derive(Clone)]
pub struct Keeping {
    /// The API server.
    pub cluster: Cluster,
    /// What is written there.
    pub names: Names,
    /// Who this replica is: its pod's name.
    pub replica: String,
    /// How long things last.
    pub rotation: Rotation,
    /// The time of day.
    pub clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

/// Looks between two looks until something is shown.
const AT_FIRST: Duration = Duration::from_millis(250);
/// Writes that follow on each other within one look: those of a rotation, and one that came too late.
const WRITES: usize = 6;

/// Keeps what is shown as the Secret has it, for ever.
pub(crate) async fn keep(keeping: Keeping, shown: Arc<Shown>, counts: Arc<Counts>) {
    let mut keeper = Keeper { keeping, lease: Watched::default(), told: None, showing: None };
    loop {
        let done = keeper.look(&shown, &counts).await;
        keeper.tell(done.err());
        let every = keeper.keeping.rotation.every;
        tokio::time::sleep(if shown.is_ready() { every } else { every.min(AT_FIRST) }).await;
    }
}

struct Keeper {
    keeping: Keeping,
    lease: Watched,
    /// What was complained of last: once per change.
    told: Option<String>,
    showing: Option<Pair>,
}

/// A Secret as it was read.
struct Found {
    secret: Option<Value>,
    held: Option<Held>,
}

impl Keeper {
    async fn look(&mut self, shown: &Shown, counts: &Counts) -> Result<(), ClusterError> {
        let (leads, owner) = self.claim().await?;
        for _ in 0..WRITES {
            let found = self.find().await?;
            if let Some(held) = &found.held {
                self.show(held, shown, counts);
                let published = self.publish(&held.bundle, leads).await?;
                if published {
                    shown.published();
                }
                let now = (self.keeping.clock)();
                match step(Some(held), published, now, &self.keeping.rotation) {
                    Step::Wait => return Ok(()),
                    _ if !leads => return Ok(()),
                    step => self.advance(step, found, owner.as_ref()).await?,
                }
            } else if leads {
                self.advance(Step::Begin, found, owner.as_ref()).await?;
            } else {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether this replica may write, and the Lease as the owner of what it writes.
    async fn claim(&mut self) -> Result<(bool, Option<Value>), ClusterError> {
        let Names { namespace, lease, .. } = &self.keeping.names;
        let all = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
        let path = format!("{all}/{lease}");
        let found = match self.keeping.cluster.get(&path).await? {
            Some(found) => found,
            None => {
                let new = json!({
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": {"name": lease, "namespace": namespace}, "spec": {},
                });
                self.keeping.cluster.create(&all, &new).await?
            }
        };
        let owner = found["metadata"]["uid"].as_str().map(
            |uid| json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "name": lease, "uid": uid}),
        );
        let now = (Instant::now(), (self.keeping.clock)());
        match self.lease.claim(&found, &self.keeping.replica, self.keeping.rotation.lease, now) {
            Claim::Ours => Ok((true, owner)),
            Claim::Others => Ok((false, owner)),
            Claim::Write(held) => match self.keeping.cluster.replace(&path, &held).await {
                Ok(_) => Ok((true, owner)),
                Err(ClusterError::Conflict(_)) => Ok((false, owner)),
                Err(error) => Err(error),
            },
        }
    }

    fn secrets(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", self.keeping.names.namespace)
    }

    async fn find(&self) -> Result<Found, ClusterError> {
        let path = format!("{}/{}", self.secrets(), self.keeping.names.secret);
        let secret = self.keeping.cluster.get(&path).await?;
        let held = secret.as_ref().and_then(Held::read);
        Ok(Found { secret, held })
    }

    fn show(&mut self, held: &Held, shown: &Shown, counts: &Counts) {
        if self.showing.as_ref() == Some(&held.current) {
            return;
        }
        self.showing = Some(held.current.clone());
        let secret = &self.keeping.names.secret;
        match shown.show(held.current.chain.as_bytes(), held.current.key.as_bytes(), secret, secret) {
            Ok(()) => {
                counts.certificate(true);
                let until = humantime::format_rfc3339(held.current.until);
                tracing::info!(%secret, %until, "a new certificate is shown");
            }
            Err(fault) => {
                counts.certificate(false);
                tracing::error!("Secret {fault}; delete it, and a new one is made");
            }
        }
    }

    /// Writes what a step asks for. Who wrote meanwhile was faster: it is looked at again.
    async fn advance(&self, step: Step, found: Found, owner: Option<&Value>) -> Result<(), ClusterError> {
        let now = (self.keeping.clock)();
        let rotation = &self.keeping.rotation;
        let made = || {
            let pair = Pair::new(&self.hosts(), now, rotation);
            pair.map_err(|error| ClusterError::Away(format!("no certificate could be made: {error}")))
        };
        let held = match step {
            Step::Wait => return Ok(()),
            Step::Write(held) => held,
            Step::Begin => {
                // A Secret may have been deleted under what replicas show.
                let showing = self.showing.as_ref().map(Pair::authority);
                let before = found.held.as_ref().map(|held| held.bundle.as_str()).or(showing);
                Held::first(made()?, before.unwrap_or_default(), now, rotation)
            }
            Step::Prepare => {
                let Some(held) = found.held else { return Ok(()) };
                let next = made()?;
                Held { bundle: with(&held.bundle, next.authority()), next: Some(next), ..held }
            }
        };
        let Names { namespace, secret: name, .. } = &self.keeping.names;
        let written = match found.secret {
            Some(mut secret) => {
                held.write(&mut secret);
                self.keeping.cluster.replace(&format!("{}/{name}", self.secrets()), &secret).await
            }
            None => {
                let mut secret = json!({
                    "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
                    "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "outrigger-injector"}},
                });
                if let Some(owner) = owner {
                    secret["metadata"]["ownerReferences"] = json!([owner]);
                }
                held.write(&mut secret);
                self.keeping.cluster.create(&self.secrets(), &secret).await
            }
        };
        match written {
            Ok(_) | Err(ClusterError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn hosts(&self) -> Vec<String> {
        let Names { namespace, service, .. } = &self.keeping.names;
        vec![format!("{service}.{namespace}.svc"), format!("{service}.{namespace}.svc.cluster.local")]
    }

    /// Whether every configuration that there is has the bundle; gives it to those that lack it if this replica may.
    async fn publish(&self, bundle: &str, leads: bool) -> Result<bool, ClusterError> {
        let coded = STANDARD.encode(bundle);
        let names = &self.keeping.names;
        let mutating = names.mutating.iter().map(|name| ("mutatingwebhookconfigurations", name));
        let validating = names.validating.iter().map(|name| ("validatingwebhookconfigurations", name));
        let mut everywhere = true;
        for (kind, name) in mutating.chain(validating) {
            let path = format!("/apis/admissionregistration.k8s.io/v1/{kind}/{name}");
            // One that is not there calls nobody.
            let Some(found) = self.keeping.cluster.get(&path).await? else { continue };
            let webhooks = found["webhooks"].as_array().map(Vec::as_slice).unwrap_or_default();
            let version = &found["metadata"]["resourceVersion"];
            let mut patch =
                vec![json!({"op": "test", "path": "/metadata/resourceVersion", "value": version})];
            for (at, webhook) in webhooks.iter().enumerate() {
                if webhook["clientConfig"]["caBundle"] != coded.as_str() {
                    let path = format!("/webhooks/{at}/clientConfig/caBundle");
                    patch.push(json!({"op": "add", "path": path, "value": coded}));
                }
            }
            if patch.len() == 1 {
                continue;
            }
            everywhere &= leads
                && match self.keeping.cluster.patch(&path, &Value::Array(patch)).await {
                    Ok(_) => true,
                    // It was changed meanwhile, which this patch does not bear; the next look sees it.
                    Err(ClusterError::Conflict(_) | ClusterError::Refused { status: 422, .. }) => false,
                    Err(error) => return Err(error),
                };
        }
        Ok(everywhere)
    }

    /// Says what is wrong, once until it changes.
    fn tell(&mut self, fault: Option<ClusterError>) {
        let fault = fault.map(|fault| fault.to_string());
        if fault == self.told {
            return;
        }
        match &fault {
            Some(fault) => tracing::warn!("{fault}; the certificate stays as it is, and it is tried again"),
            None => tracing::info!("the certificate is looked after again"),
        }
        self.told = fault;
    }
}
