//! An API server of the test's own, as far as certificates ask it: objects by path, over TLS, to who has the token; nobody overwrites what
//! he has not read.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use outrigger_injector::certificates::Cluster;
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const TOKEN: &str = "of the test's service account";

#[derive(Default)]
struct Objects {
    all: BTreeMap<String, Value>,
    version: u64,
    away: bool,
    written: Vec<String>,
}

/// It, for as long as the test runs.
#[derive(Clone)]
pub(crate) struct ApiServer {
    objects: Arc<Mutex<Objects>>,
    address: SocketAddr,
    roots: RootCertStore,
    token: Arc<tempfile::NamedTempFile>,
}

impl ApiServer {
    pub(crate) async fn start() -> ApiServer {
        let objects = Arc::<Mutex<Objects>>::default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&objects));

        let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(issued.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::Pkcs8(issued.signing_key.serialize_der().into());
        let config =
            config.with_no_client_auth().with_single_cert(vec![issued.cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
                tokio::spawn(async move {
                    let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
                    // Clients that the test dropped end it early.
                    let _ended =
                        hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await;
                });
            }
        });

        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), format!("{TOKEN}\n")).unwrap();
        ApiServer { objects, address, roots, token: Arc::new(token) }
    }

    /// As a replica speaks to it.
    pub(crate) fn client(&self) -> Cluster {
        let token = Some(self.token.path().to_owned());
        Cluster::new(&format!("https://{}", self.address), self.roots.clone(), token).unwrap()
    }

    /// Puts an object there, or another in its place.
    pub(crate) fn put(&self, path: &str, object: Value) {
        let mut objects = self.objects.lock().unwrap();
        let stored = objects.stamped(object);
        objects.all.insert(path.to_owned(), stored);
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.objects.lock().unwrap().all.get(path).cloned().unwrap_or_default()
    }

    pub(crate) fn delete(&self, path: &str) {
        self.objects.lock().unwrap().all.remove(path);
    }

    /// From now on it answers nothing of use, or does again.
    pub(crate) fn away(&self, away: bool) {
        self.objects.lock().unwrap().away = away;
    }

    /// How often something was written by a client.
    pub(crate) fn writes(&self, path: &str) -> usize {
        self.objects.lock().unwrap().written.iter().filter(|written| *written == path).count()
    }
}

impl Objects {
    fn stamped(&mut self, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        object
    }

    fn write(&mut self, path: &str, object: Value) -> (StatusCode, Value) {
        let object = self.stamped(object);
        self.written.push(path.to_owned());
        self.all.insert(path.to_owned(), object.clone());
        (StatusCode::OK, object)
    }
}

async fn answer(
    State(objects): State<Arc<Mutex<Objects>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let mut objects = objects.lock().unwrap();
    let refused = |status: StatusCode| (status, json!({"kind": "Status", "message": status.to_string()}));
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = uri.path();
    let found = objects.all.get(path).cloned();
    let (status, answer) = match (method, found) {
        _ if objects.away => refused(StatusCode::SERVICE_UNAVAILABLE),
        _ if headers.get("authorization").is_none_or(|sent| sent != &format!("Bearer {TOKEN}")) => {
            refused(StatusCode::UNAUTHORIZED)
        }
        (Method::GET, Some(found)) => (StatusCode::OK, found),
        (Method::POST, _) => {
            let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap());
            if objects.all.contains_key(&path) {
                refused(StatusCode::CONFLICT)
            } else {
                objects.write(&path, body)
            }
        }
        (Method::PUT, Some(found)) => {
            if body["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"] {
                objects.write(path, body)
            } else {
                refused(StatusCode::CONFLICT)
            }
        }
        (Method::PATCH, Some(mut found)) => {
            let patch: json_patch::Patch = serde_json::from_value(body).unwrap();
            match json_patch::patch(&mut found, &patch) {
                Ok(()) => objects.write(path, found),
                Err(_) => refused(StatusCode::UNPROCESSABLE_ENTITY),
            }
        }
        _ => refused(StatusCode::NOT_FOUND),
    };
    (status, answer.to_string())
}
