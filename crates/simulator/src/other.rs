//! What is no provider's API: a gRPC service, a git repository, and an echo of hashes.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sha2::{Digest, Sha256};

use crate::answer::whole;
use crate::body::Sent;
use crate::server::Shared;

/// Whether a request is a gRPC call.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// Any unary method: an empty message, then the status in the trailers.
pub(crate) async fn grpc(shared: &Shared, at: usize, body: Incoming) -> Response<Sent> {
    let asked = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    // Not compressed, of no length.
    let message = Bytes::from_static(&[0; 5]);
    shared.log.change(at, |received| {
        received.body = asked.to_vec();
        received.status = 200;
        received.sent = message.to_vec();
        received.ended = true;
    });
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let mut response = Response::new(Sent::Trailed(Some(message), Some(trailers)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// What `git ls-remote` asks for: the references of a repository with one branch. `None` when it asks for something else.
pub(crate) fn git(shared: &Shared, at: usize, request: &Request<Incoming>) -> Option<Response<Sent>> {
    let asks = request.method() == Method::GET
        && request.uri().path().ends_with("/info/refs")
        && request.uri().query() == Some("service=git-upload-pack");
    asks.then(|| {
        let commit = "5a17".repeat(10);
        let line = |text: String| format!("{:04x}{text}", text.len() + 4);
        let references = [
            line("# service=git-upload-pack\n".to_owned()),
            "0000".to_owned(),
            line(format!("{commit} HEAD\0symref=HEAD:refs/heads/main object-format=sha1\n")),
            line(format!("{commit} refs/heads/main\n")),
            "0000".to_owned(),
        ]
        .concat();
        whole(shared, at, 200, "application/x-git-upload-pack-advertisement", references.into_bytes(), false)
    })
}

/// A host that is no provider: takes a body and tells its SHA-256, or sends one of the length that the path names.
pub(crate) async fn echo(shared: &Shared, at: usize, path: &str, mut body: Incoming) -> Response<Sent> {
    let mut digest = Sha256::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(bytes) = frame.data_ref() {
            digest.update(bytes);
        }
    }
    if let Some(length) = path.strip_prefix("/bytes/").and_then(|text| text.parse::<usize>().ok()) {
        return whole(shared, at, 200, "application/octet-stream", pattern(length), false);
    }
    let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    whole(shared, at, 200, "text/plain", digest.into_bytes(), false)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}
