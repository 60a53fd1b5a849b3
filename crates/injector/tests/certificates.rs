//! Certificates that the injector looks after by itself, before an API server of the test's own and over real TLS: whoever trusts what is published
//! at that moment always gets on with every replica.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use outrigger_injector::Options;
use outrigger_injector::certificates::{Keeping, Names, Rotation};
use outrigger_injector::server::{Certificate, Drain, Service, Webhook};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::api_server::ApiServer;

const DEADLINE: Duration = Duration::from_secs(60);
const HOST: &str = "outrigger-injector.outrigger-system.svc";
const SECRET: &str = "/api/v1/namespaces/outrigger-system/secrets/outrigger-injector-certificate";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/outrigger-system/leases/outrigger-injector";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/outrigger-system/deployments/outrigger-injector";
const PODS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/outrigger";
const RULES: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/outrigger";

/// The time of day, which the test moves.
#[derive(Debug, Clone)]
struct Clock(Arc<Mutex<SystemTime>>);

impl Clock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

impl rustls::time_provider::TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.now().duration_since(SystemTime::UNIX_EPOCH).unwrap()))
    }
}

struct Scene {
    api: ApiServer,
    clock: Clock,
}

struct Replica {
    listen: SocketAddr,
    metrics: SocketAddr,
    clock: Clock,
    drain: Drain,
    task: tokio::task::JoinHandle<()>,
}

fn rotation() -> Rotation {
    Rotation { every: Duration::from_millis(20), lease: Duration::from_millis(300), ..Rotation::default() }
}

impl Scene {
    /// With the webhooks' configurations as a chart leaves them.
    async fn new() -> Scene {
        let clock = Clock(Arc::new(Mutex::new(SystemTime::now())));
        let scene = Scene { api: ApiServer::start().await, clock };
        scene.api.put(DEPLOYMENT, json!({"metadata": {"name": "outrigger-injector"}}));
        scene.install();
        scene
    }

    fn install(&self) {
        let webhook = |name: &str| json!({"name": name, "clientConfig": {"service": {"name": "outrigger-injector", "path": "/x"}}});
        self.api
            .put(PODS, json!({"metadata": {"name": "outrigger"}, "webhooks": [webhook("a"), webhook("b")]}));
        self.api.put(RULES, json!({"metadata": {"name": "outrigger"}, "webhooks": [webhook("c")]}));
    }

    fn advance(&self, by: Duration) {
        *self.clock.0.lock().unwrap() += by;
    }

    async fn replica(&self, name: &str) -> Replica {
        self.replica_that(name, rotation()).await
    }

    async fn replica_that(&self, name: &str, rotation: Rotation) -> Replica {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let clock = self.clock.clone();
        let owned = |text: &str| text.to_owned();
        let keeping = Keeping {
            cluster: self.api.client(),
            names: Names {
                namespace: owned("outrigger-system"),
                secret: owned("outrigger-injector-certificate"),
                lease: owned("outrigger-injector"),
                deployment: Some(owned("outrigger-injector")),
                service: owned("outrigger-injector"),
                mutating: vec![owned("outrigger")],
                validating: vec![owned("outrigger")],
            },
            replica: owned(name),
            rotation,
            clock: Arc::new(move || clock.now()),
        };
        let webhook = Webhook::bind(Service {
            listen: any,
            metrics: any,
            certificate: Certificate::Kept(Box::new(keeping)),
            options: Options::default(),
        })
        .await
        .unwrap();
        let (listen, metrics) = webhook.addresses().unwrap();
        let drain = webhook.drain();
        let task = tokio::spawn(async move { webhook.serve().await.unwrap() });
        Replica { listen, metrics, clock: self.clock.clone(), drain, task }
    }

    /// The authorities that the API server trusts now, of each webhook.
    fn bundles(&self) -> Vec<String> {
        let of = |path| {
            let configuration: Value = self.api.get(path);
            let all = configuration["webhooks"].as_array().cloned().unwrap_or_default();
            all.into_iter()
                .map(|webhook| webhook["clientConfig"]["caBundle"].as_str().unwrap_or_default().to_owned())
        };
        of(PODS)
            .chain(of(RULES))
            .map(|coded| String::from_utf8(STANDARD.decode(coded).unwrap()).unwrap())
            .collect()
    }

    /// Whether the Secret says that the next authority is published.
    fn is_noted(&self) -> bool {
        self.api.get(SECRET)["metadata"]["annotations"]["outrigger.dev/next-published"].is_string()
    }

    /// How many authorities every webhook trusts, where they agree.
    fn authorities(&self) -> Option<usize> {
        let bundles = self.bundles();
        let same = bundles.iter().all(|bundle| *bundle == bundles[0]);
        same.then(|| bundles[0].matches("BEGIN CERTIFICATE").count())
    }
}

impl Replica {
    async fn get(&self, path: &str) -> (StatusCode, String) {
        let stream = TcpStream::connect(self.metrics).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(path).header("host", "x").body(Empty::<axum::body::Bytes>::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn is_ready(&self) -> bool {
        self.get("/readyz").await.0 == StatusCode::OK
    }

    async fn failed_looks(&self) -> u64 {
        self.counted("failed").await
    }

    async fn looks(&self) -> u64 {
        self.counted("done").await
    }

    async fn counted(&self, result: &str) -> u64 {
        let page = self.get("/metrics").await.1;
        let line = format!("outrigger_injector_certificate_looks_total{{result=\"{result}\"}} ");
        page.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok()).unwrap()
    }

    /// The leaf that is shown to who trusts these authorities.
    async fn shown(&self, bundle: &str) -> Result<CertificateDer<'static>, String> {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(authority.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_details(provider, Arc::new(self.clock.clone()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        let stream = TcpStream::connect(self.listen).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(config);
        let tls = connector.connect(ServerName::try_from(HOST).unwrap(), stream).await;
        let tls = tls.map_err(|error| error.to_string())?;
        Ok(tls.get_ref().1.peer_certificates().unwrap()[0].clone())
    }
}

async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is().await {
            tokio::task::yield_now().await
        }
    };
    assert!(tokio::time::timeout(DEADLINE, wait).await.is_ok(), "{what} never came");
}

#[tokio::test]
async fn a_first_start_makes_what_is_needed_and_a_restart_keeps_it() {
    let scene = Scene::new().await;
    let first = scene.replica("a").await;
    until("readiness", async || first.is_ready().await).await;
    assert_eq!(scene.authorities(), Some(1), "all three webhooks have it");
    let leaf = first.shown(&scene.bundles()[0]).await.unwrap();
    let secret = scene.api.get(SECRET);
    assert_eq!(secret["type"], "kubernetes.io/tls");
    let owner = scene.api.get(DEPLOYMENT)["metadata"]["uid"].clone();
    for made in [&secret, &scene.api.get(LEASE)] {
        assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], owner, "it goes with the Deployment");
    }

    first.task.abort();
    let second = scene.replica("b").await;
    until("readiness", async || second.is_ready().await).await;
    assert_eq!(second.shown(&scene.bundles()[0]).await.unwrap(), leaf);
    assert_eq!(scene.api.writes(SECRET), 1);
    until("the Lease's new holder", async || scene.api.get(LEASE)["spec"]["holderIdentity"] == "b").await;
}

#[tokio::test]
async fn a_leader_that_leaves_gives_its_lease_to_the_next_one_and_shows_on() {
    let scene = Scene::new().await;
    // It would not run out while the test waits.
    let patient = || Rotation { lease: Duration::from_secs(3600), ..rotation() };
    let first = scene.replica_that("a", patient()).await;
    until("readiness", async || first.is_ready().await).await;
    let second = scene.replica_that("b", patient()).await;
    until("readiness", async || second.is_ready().await).await;
    assert_eq!(scene.api.get(LEASE)["spec"]["holderIdentity"], "a");
    first.drain.begin();
    until("the Lease's next holder", async || scene.api.get(LEASE)["spec"]["holderIdentity"] == "b").await;
    assert!(first.shown(&scene.bundles()[0]).await.is_ok());

    // Who did not hold it takes it from nobody.
    let third = scene.replica_that("c", patient()).await;
    until("readiness", async || third.is_ready().await).await;
    third.drain.begin();
    let looks = third.looks().await;
    until("looks", async || third.looks().await > looks + 2).await;
    assert_eq!(scene.api.get(LEASE)["spec"]["holderIdentity"], "b");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_together_agree() {
    let scene = Scene::new().await;
    let replicas = [scene.replica("a").await, scene.replica("b").await, scene.replica("c").await];
    let mut leaves = Vec::new();
    for replica in &replicas {
        until("readiness", async || replica.is_ready().await).await;
        leaves.push(replica.shown(&scene.bundles()[0]).await.unwrap());
    }
    assert!(leaves.iter().all(|leaf| *leaf == leaves[0]));
    assert_eq!(scene.api.writes(SECRET), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_under_load_fails_no_handshake() {
    let scene = Arc::new(Scene::new().await);
    let replicas = Arc::new([scene.replica("a").await, scene.replica("b").await]);
    for replica in replicas.iter() {
        until("readiness", async || replica.is_ready().await).await;
    }
    let old = replicas[0].shown(&scene.bundles()[0]).await.unwrap();
    // The API server: trusts what is published, asks either replica, over and over.
    let asked = Arc::new(AtomicU64::new(0));
    let load = tokio::spawn({
        let (scene, replicas, asked) = (Arc::clone(&scene), Arc::clone(&replicas), Arc::clone(&asked));
        async move {
            loop {
                for replica in replicas.iter() {
                    let bundle = scene.bundles().remove(0);
                    if let Err(fault) = replica.shown(&bundle).await {
                        return fault;
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    });
    let Rotation { life, renew_before, settle, overlap, .. } = rotation();
    scene.advance(life - renew_before);
    until("a second authority", async || scene.authorities() == Some(2)).await;
    for replica in replicas.iter() {
        assert_eq!(
            replica.shown(&scene.bundles()[0]).await.unwrap(),
            old,
            "it is not shown before it is trusted"
        );
    }
    until("a note of it", async || scene.is_noted()).await;
    scene.advance(settle);
    for replica in replicas.iter() {
        until("the new leaf", async || {
            replica.shown(&scene.bundles()[0]).await.is_ok_and(|leaf| leaf != old)
        })
        .await;
    }
    assert_eq!(scene.authorities(), Some(2), "the old one is trusted on");
    scene.advance(overlap);
    until("the end of the old authority", async || scene.authorities() == Some(1)).await;
    let before = asked.load(Ordering::Relaxed);
    until("some more handshakes", async || load.is_finished() || asked.load(Ordering::Relaxed) > before + 20)
        .await;
    assert!(!load.is_finished(), "{:?}", load.await);
    load.abort();
}

#[tokio::test]
async fn what_is_taken_away_is_put_back() {
    let scene = Scene::new().await;
    let replica = scene.replica("a").await;
    until("readiness", async || replica.is_ready().await).await;
    let old = replica.shown(&scene.bundles()[0]).await.unwrap();

    // A chart's upgrade wrote them anew.
    scene.install();
    until("the bundle", async || scene.authorities() == Some(1)).await;
    assert_eq!(replica.shown(&scene.bundles()[0]).await.unwrap(), old);
}

#[tokio::test]
async fn a_deleted_secret_is_a_rotation_in_its_order() {
    let scene = Scene::new().await;
    let replica = scene.replica("a").await;
    until("readiness", async || replica.is_ready().await).await;
    let old = replica.shown(&scene.bundles()[0]).await.unwrap();

    scene.api.delete(SECRET);
    until("a note of it", async || scene.is_noted()).await;
    assert_eq!(scene.authorities(), Some(2));
    assert_eq!(replica.shown(&scene.bundles()[0]).await.unwrap(), old, "the new one is not shown yet");
    scene.advance(rotation().settle);
    until("the new leaf", async || {
        replica.shown(&scene.bundles()[0]).await.expect("what is published is shown") != old
    })
    .await;
    scene.advance(rotation().overlap);
    until("the end of the old authority", async || scene.authorities() == Some(1)).await;
    assert!(replica.shown(&scene.bundles()[0]).await.is_ok());
}

#[tokio::test]
async fn it_is_ready_only_when_every_webhook_trusts_it() {
    let scene = Scene::new().await;
    scene.api.delete(RULES);
    let replica = scene.replica("a").await;
    until("the others' bundle", async || {
        scene.api.get(PODS)["webhooks"][1]["clientConfig"]["caBundle"].is_string()
    })
    .await;
    let (status, text) = replica.get("/readyz").await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && text.contains("told to trust"), "{text}");
    scene.install();
    until("readiness", async || replica.is_ready().await).await;
    // Whoever takes one away later takes no replica away.
    scene.api.delete(RULES);
    let failed = replica.failed_looks().await;
    until("a look", async || replica.failed_looks().await > failed).await;
    assert!(replica.is_ready().await);
}

#[tokio::test]
async fn nothing_is_made_for_a_deployment_that_is_gone() {
    let scene = Scene::new().await;
    let replica = scene.replica("a").await;
    until("readiness", async || replica.is_ready().await).await;
    scene.api.delete(DEPLOYMENT);
    scene.api.delete(SECRET);
    scene.api.delete(LEASE);
    let failed = replica.failed_looks().await;
    until("looks", async || replica.failed_looks().await > failed + 2).await;
    assert_eq!((scene.api.get(SECRET), scene.api.get(LEASE)), (Value::Null, Value::Null));
    assert!(replica.shown(&scene.bundles()[0]).await.is_ok(), "and it answers on while it leaves");
}

#[tokio::test]
async fn without_the_api_server_it_shows_what_it_has() {
    let scene = Scene::new().await;
    let replica = scene.replica("a").await;
    until("readiness", async || replica.is_ready().await).await;
    let bundle = scene.bundles().remove(0);
    let old = replica.shown(&bundle).await.unwrap();
    scene.api.away(true);
    let new = scene.replica("b").await;
    let failed = replica.failed_looks().await;
    until("looks that fail", async || replica.failed_looks().await > failed + 2).await;
    assert!(replica.is_ready().await);
    assert_eq!(replica.shown(&bundle).await.unwrap(), old);
    assert!(!new.is_ready().await, "it has nothing to show");

    scene.advance(rotation().life + Duration::from_secs(1));
    assert!(replica.shown(&bundle).await.is_err(), "it has run out meanwhile");
    scene.api.away(false);
    until("a new leaf", async || replica.shown(&scene.bundles()[0]).await.is_ok_and(|leaf| leaf != old))
        .await;
    until("readiness", async || new.is_ready().await).await;
}
