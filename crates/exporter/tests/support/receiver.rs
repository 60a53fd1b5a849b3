//! An OTLP endpoint on loopback that tells what came and answers as told.
//!
//! Below HTTP and gRPC lies one handler over hyper; gRPC is framed here by hand, so that a misreading cannot be shared
//! with the library that the exporter sends through.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use outrigger_exporter::Signal;
use prost::Message as _;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use super::certificates::Certificates;

/// Longest wait for something that should come.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the receiver is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    Grpc,
    Http,
}

/// What the receiver answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Everything is taken.
    Taken,
    /// All but so many items are taken.
    Partly(i64),
    /// An HTTP status and a `Retry-After`.
    Status(u16, Option<&'static str>),
    /// A gRPC status.
    Code(u8),
    /// No answer ever.
    Silence,
}

/// One request that came.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) signal: Signal,
    pub(crate) headers: HeaderMap,
    /// The message, decompressed.
    pub(crate) body: Bytes,
}

impl Arrival {
    pub(crate) fn spans(&self) -> Vec<Span> {
        let request = ExportTraceServiceRequest::decode(self.body.clone()).unwrap();
        request.resource_spans.into_iter().flat_map(|it| it.scope_spans).flat_map(|it| it.spans).collect()
    }

    pub(crate) fn logs(&self) -> Vec<LogRecord> {
        let request = ExportLogsServiceRequest::decode(self.body.clone()).unwrap();
        request.resource_logs.into_iter().flat_map(|it| it.scope_logs).flat_map(|it| it.log_records).collect()
    }

    pub(crate) fn metric_names(&self) -> Vec<String> {
        let request = ExportMetricsServiceRequest::decode(self.body.clone()).unwrap();
        let metrics = request.resource_metrics.into_iter().flat_map(|it| it.scope_metrics);
        metrics.flat_map(|it| it.metrics).map(|metric| metric.name).collect()
    }
}

type Answers = Arc<Mutex<Plan>>;

#[derive(Default)]
struct Plan {
    /// Answers to single requests, used up in order.
    next: VecDeque<(Signal, Answer)>,
    /// Answers to all others.
    always: Vec<(Signal, Answer)>,
}

impl Plan {
    fn answer(&mut self, signal: Signal) -> Answer {
        if let Some(index) = self.next.iter().position(|(of, _)| *of == signal) {
            return self.next.remove(index).unwrap().1;
        }
        self.always.iter().find(|(of, _)| *of == signal).map_or(Answer::Taken, |(_, answer)| answer.clone())
    }
}

/// An OTLP endpoint, until it is dropped.
pub(crate) struct Receiver {
    pub(crate) speech: Speech,
    pub(crate) address: SocketAddr,
    arrivals: mpsc::Receiver<Arrival>,
    kept: Mutex<Vec<Arrival>>,
    answers: Answers,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Receiver {
    pub(crate) fn start(speech: Speech) -> Receiver {
        Self::listen(speech, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), None)
    }

    pub(crate) fn start_tls(speech: Speech, certificates: &Certificates) -> Receiver {
        let protocol: &[u8] = if speech == Speech::Grpc { b"h2" } else { b"http/1.1" };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self::listen(speech, listener, Some(certificates.server(protocol)))
    }

    pub(crate) fn listen(speech: Speech, listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> Receiver {
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (arriving, arrivals) = mpsc::channel();
        let answers = Answers::default();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let planned = Arc::clone(&answers);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(speech, listener, tls.map(TlsAcceptor::from), arriving, planned) => {}
                    _ = stopped => {}
                }
            });
        });
        Receiver { speech, address, arrivals, kept: Mutex::default(), answers, _stop: stop }
    }

    /// Answers the next request of a signal so.
    pub(crate) fn next(&self, signal: Signal, answer: Answer) {
        self.answers.lock().unwrap().next.push_back((signal, answer));
    }

    /// Answers all requests of a signal so.
    pub(crate) fn always(&self, signal: Signal, answer: Answer) {
        self.answers.lock().unwrap().always.push((signal, answer));
    }

    /// The next request of a signal; those of others are kept for later.
    pub(crate) fn expect(&self, signal: Signal) -> Arrival {
        let end = Instant::now() + PATIENCE;
        let mut kept = self.kept.lock().unwrap();
        loop {
            if let Some(index) = kept.iter().position(|arrival| arrival.signal == signal) {
                return kept.remove(index);
            }
            let left = end.saturating_duration_since(Instant::now());
            kept.push(self.arrivals.recv_timeout(left).expect("nothing came in time"));
        }
    }

    /// Everything that came and was not asked for yet.
    pub(crate) fn rest(&self) -> Vec<Arrival> {
        let mut rest = std::mem::take(&mut *self.kept.lock().unwrap());
        rest.extend(self.arrivals.try_iter());
        rest
    }
}

async fn accept(
    speech: Speech,
    listener: tokio::net::TcpListener,
    tls: Option<TlsAcceptor>,
    arriving: mpsc::Sender<Arrival>,
    answers: Answers,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, arriving, answers) = (tls.clone(), arriving.clone(), Arc::clone(&answers));
        tokio::spawn(async move {
            match tls {
                None => serve(speech, stream, arriving, answers).await,
                // A client that does not like our certificate goes away.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(speech, stream, arriving, answers).await;
                    }
                }
            }
        });
    }
}

async fn serve<S>(speech: Speech, stream: S, arriving: mpsc::Sender<Arrival>, answers: Answers)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| handle(speech, request, arriving.clone(), Arc::clone(&answers)));
    let io = TokioIo::new(stream);
    // Connections end as clients please.
    let _ = match speech {
        Speech::Http => hyper::server::conn::http1::Builder::new().serve_connection(io, service).await,
        Speech::Grpc => {
            hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
        }
    };
}

async fn handle(
    speech: Speech,
    request: Request<Incoming>,
    arriving: mpsc::Sender<Arrival>,
    answers: Answers,
) -> Result<Response<Frames>, Infallible> {
    let (head, body) = request.into_parts();
    let signal = match head.uri.path() {
        "/v1/traces" | "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Signal::Traces,
        "/v1/logs" | "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Signal::Logs,
        "/v1/metrics" | "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Signal::Metrics,
        other => panic!("a request for {other}"),
    };
    let body = body.collect().await.unwrap().to_bytes();
    let message = match speech {
        Speech::Http => {
            assert_eq!(head.headers["content-type"], "application/x-protobuf");
            decompress(head.headers.get("content-encoding").is_some(), &body)
        }
        Speech::Grpc => {
            assert_eq!(head.headers["content-type"], "application/grpc");
            let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
            assert_eq!(length, body.len() - 5, "one message per request");
            decompress(body[0] == 1, &body[5..])
        }
    };
    // First: what a test changes once it has seen a request is for later ones.
    let answer = answers.lock().unwrap().answer(signal);
    let _ = arriving.send(Arrival { signal, headers: head.headers, body: message });
    Ok(match answer {
        Answer::Silence => std::future::pending().await,
        answer => respond(speech, answer),
    })
}

fn decompress(compressed: bool, body: &[u8]) -> Bytes {
    if !compressed {
        return Bytes::copy_from_slice(body);
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
    plain.into()
}

fn respond(speech: Speech, answer: Answer) -> Response<Frames> {
    // The three responses have one shape.
    let message = match answer {
        Answer::Partly(rejected_spans) => ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans,
                error_message: "some were too old".to_owned(),
            }),
        }
        .encode_to_vec(),
        _ => Vec::new(),
    };
    let mut response = Response::builder();
    let mut frames = Vec::new();
    match (speech, answer) {
        (_, Answer::Status(status, retry_after)) => {
            response = response.status(status);
            if let Some(retry_after) = retry_after {
                response = response.header("retry-after", retry_after);
            }
        }
        (Speech::Http, _) => frames.push(Frame::data(message.into())),
        (Speech::Grpc, answer) => {
            response = response.header("content-type", "application/grpc");
            let code = if let Answer::Code(code) = answer { code } else { 0 };
            if code == 0 {
                let mut framed = BytesMut::new();
                framed.put_u8(0);
                framed.put_u32(u32::try_from(message.len()).unwrap());
                framed.put_slice(&message);
                frames.push(Frame::data(framed.freeze()));
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from(u16::from(code)));
            frames.push(Frame::trailers(trailers));
        }
    }
    response.body(Frames(frames.into())).unwrap()
}

/// A body of frames that are there already.
struct Frames(VecDeque<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}
