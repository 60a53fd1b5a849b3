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
use tokio::sync::watch;

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
    /// Lease whose holder writes; made here too.
    pub lease: String,
    /// Deployment of the replicas: the owner of Secret and Lease, so that they go with it. Without it they stay.
    pub deployment: Option<String>,
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

/// Keeps what is shown as the Secret has it, for ever. Once it is `leaving` another replica writes.
pub(crate) async fn keep(
    keeping: Keeping,
    shown: Arc<Shown>,
    counts: Arc<Counts>,
    mut leaving: watch::Receiver<bool>,
) {
    let mut keeper =
        Keeper { keeping, lease: Watched::default(), told: None, showing: None, is_leaving: false };
    loop {
        let done = keeper.look(&shown, &counts).await;
        counts.looked(done.is_ok());
        keeper.tell(done.err());
        let every = keeper.keeping.rotation.every;
        tokio::select! {
            () = tokio::time::sleep(if shown.is_ready() { every } else { every.min(AT_FIRST) }) => {}
            true = async { leaving.wait_for(|leaving| *leaving).await.is_ok() }, if !keeper.is_leaving => {
                keeper.release().await;
            }
        }
    }
}

struct Keeper {
    keeping: Keeping,
    lease: Watched,
    /// The Lease was given back, and is not taken again.
    is_leaving: bool,
    /// What was complained of last: once per change.
    told: Option<String>,
    showing: Option<Pair>,
}

/// A Secret as it was read.
struct Found {
    secret: Option<Value>,
    held: Option<Held>,
}

/// Who has been told whom to trust.
struct Published {
    /// Every configuration that there is has the bundle.
    wherever_it_can: bool,
    /// One that is not there: nobody calls by it yet.
    missing: Option<String>,
}

impl Keeper {
    async fn look(&mut self, shown: &Shown, counts: &Counts) -> Result<(), ClusterError> {
        let leads = self.claim().await?;
        for _ in 0..WRITES {
            let found = self.find().await?;
            let Some(held) = &found.held else {
                if !leads {
                    return Ok(());
                }
                self.advance(Step::Begin, found).await?;
                continue;
            };
            // A first one at once; another only when the API server can have been told of it.
            if self.showing.is_none() {
                self.show(held, shown, counts);
            }
            let published = self.publish(&held.bundle, leads).await?;
            if published.wherever_it_can {
                self.show(held, shown, counts);
            }
            if let Some(missing) = published.missing {
                return Err(ClusterError::Missing(missing));
            }
            if published.wherever_it_can {
                shown.published();
            }
            let now = (self.keeping.clock)();
            match step(Some(held), published.wherever_it_can, now, &self.keeping.rotation) {
                Step::Wait => return Ok(()),
                _ if !leads => return Ok(()),
                step => self.advance(step, found).await?,
            }
        }
        Ok(())
    }

    /// Where Leases are, and ours.
    fn leases(&self) -> (String, String) {
        let Names { namespace, lease, .. } = &self.keeping.names;
        let all = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
        let one = format!("{all}/{lease}");
        (all, one)
    }

    /// Whether this replica may write.
    async fn claim(&mut self) -> Result<bool, ClusterError> {
        if self.is_leaving {
            return Ok(false);
        }
        let Names { namespace, lease, .. } = &self.keeping.names;
        let (all, path) = self.leases();
        let found = match self.keeping.cluster.get(&path).await? {
            Some(found) => found,
            None => {
                let mut new = json!({
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": {"name": lease, "namespace": namespace}, "spec": {},
                });
                self.give_owner(&mut new).await?;
                match self.keeping.cluster.create(&all, &new).await {
                    Err(ClusterError::Conflict(_)) => return Ok(false),
                    made => made?,
                }
            }
        };
        let now = (Instant::now(), (self.keeping.clock)());
        match self.lease.claim(&found, &self.keeping.replica, self.keeping.rotation.lease, now) {
            Claim::Ours => Ok(true),
            Claim::Others => Ok(false),
            Claim::Write(held) => match self.keeping.cluster.replace(&path, &held).await {
                Ok(_) => Ok(true),
                Err(ClusterError::Conflict(_)) => Ok(false),
                Err(error) => Err(error),
            },
        }
    }

    /// Gives the Lease back, if it is ours.
    async fn release(&mut self) {
        self.is_leaving = true;
        let (_, path) = self.leases();
        let Keeping { cluster, replica, clock, .. } = &self.keeping;
        let given = async {
            let found = cluster.get(&path).await?.unwrap_or_default();
            match lease::released(&found, replica, clock()) {
                Some(released) => cluster.replace(&path, &released).await.map(|_| true),
                None => Ok(false),
            }
        };
        match given.await {
            Ok(true) => tracing::info!("the Lease is given back"),
            Ok(false) | Err(ClusterError::Conflict(_)) => {}
            Err(fault) => tracing::warn!("{fault}; the Lease is not given back and runs out by itself"),
        }
    }

    /// What is made goes with the Deployment. Where that is gone nothing is made: nobody would take it away.
    async fn give_owner(&self, object: &mut Value) -> Result<(), ClusterError> {
        let Names { namespace, deployment: Some(name), .. } = &self.keeping.names else { return Ok(()) };
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
        let found = self.keeping.cluster.get(&path).await?;
        let living = found.filter(|found| found["metadata"]["deletionTimestamp"].is_null());
        let Some(living) = living else {
            return Err(ClusterError::Missing(format!("Deployment {name}")));
        };
        let uid = &living["metadata"]["uid"];
        object["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": uid}]);
        Ok(())
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
    async fn advance(&self, step: Step, found: Found) -> Result<(), ClusterError> {
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
                let before = found.held.as_ref().map(|held| held.bundle.as_str()).unwrap_or_default();
                match self.showing.clone().filter(|showing| now < showing.until) {
                    // Somebody deleted the Secret: what is shown is replaced, in the order of any rotation.
                    Some(showing) if found.held.is_none() => {
                        let next = made()?;
                        let bundle = with(showing.authority(), next.authority());
                        Held { current: showing, next: Some(next), bundle, published: None, drops: None }
                    }
                    _ => Held::first(made()?, before, now, rotation),
                }
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
                self.give_owner(&mut secret).await?;
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

    /// Gives the bundle to the configurations that lack it, if this replica may.
    async fn publish(&self, bundle: &str, leads: bool) -> Result<Published, ClusterError> {
        let coded = STANDARD.encode(bundle);
        let names = &self.keeping.names;
        let mutating = names.mutating.iter().map(|name| ("MutatingWebhookConfiguration", name));
        let validating = names.validating.iter().map(|name| ("ValidatingWebhookConfiguration", name));
        let mut published = Published { wherever_it_can: true, missing: None };
        for (kind, name) in mutating.chain(validating) {
            let path = format!("/apis/admissionregistration.k8s.io/v1/{}s/{name}", kind.to_ascii_lowercase());
            let Some(found) = self.keeping.cluster.get(&path).await? else {
                published.missing = Some(format!("{kind} {name}"));
                continue;
            };
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
            published.wherever_it_can &= leads
                && match self.keeping.cluster.patch(&path, &Value::Array(patch)).await {
                    Ok(_) => true,
                    // It was changed meanwhile, which this patch does not bear; the next look sees it.
                    Err(ClusterError::Conflict(_) | ClusterError::Refused { status: 422, .. }) => false,
                    Err(error) => return Err(error),
                };
        }
        Ok(published)
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
