//! An API server of the test's own, as far as certificates ask it: objects by path, and nobody overwrites what he has not read.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;

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
    pub(crate) address: SocketAddr,
}

impl ApiServer {
    pub(crate) async fn start() -> ApiServer {
        let objects = Arc::<Mutex<Objects>>::default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&objects));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        ApiServer { objects, address }
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
    body: Bytes,
) -> (StatusCode, String) {
    let mut objects = objects.lock().unwrap();
    let refused = |status: StatusCode| (status, json!({"kind": "Status", "message": status.to_string()}));
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = uri.path();
    let found = objects.all.get(path).cloned();
    let (status, answer) = match (method, found) {
        _ if objects.away => refused(StatusCode::SERVICE_UNAVAILABLE),
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
