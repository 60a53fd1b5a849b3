//! Messages as they stand on the wire: an app and a provider that write and read HTTP/1.1 byte by byte, and HTTP/2 field by field.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Frame;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{certified, head, within};

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length,
    Chunked,
    /// By the end of the connection.
    Close,
    /// By HTTP/2's own frames.
    Frames,
    /// Not at all: chunks that break off.
    Broken,
}

/// A request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its first line; of HTTP/2 what stands in its place.
    pub(crate) start: String,
    /// As spelled, in order, without `transfer-encoding`.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) framing: Framing,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn new(start: &str, fields: &[(&str, &str)], framing: Framing, body: &[u8]) -> Message {
        let mut fields: Vec<(String, String)> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if framing == Framing::Length {
            fields.push(("Content-Length".to_owned(), body.len().to_string()));
        }
        Message { start: start.to_owned(), fields, framing, body: body.to_vec() }
    }

    /// With names as HTTP/2 has them.
    pub(crate) fn lower(mut self) -> Message {
        self.fields.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        self.framing = Framing::Frames;
        self
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// As HTTP/1.1 has it; a chunked body in pieces.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.start).into_bytes();
        for (name, value) in &self.fields {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        match self.framing {
            Framing::Chunked | Framing::Broken => {
                bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for piece in self.body.chunks(self.body.len().div_ceil(3).max(1)) {
                    bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
                    bytes.extend(piece);
                    bytes.extend(b"\r\n");
                }
                if self.framing == Framing::Chunked {
                    bytes.extend(b"0\r\n\r\n");
                }
            }
            Framing::Length | Framing::Close | Framing::Frames => {
                bytes.extend(b"\r\n");
                bytes.extend(&self.body);
            }
        }
        bytes
    }

    /// Reads one, as spelled.
    pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Message {
        let head = head(stream).await;
        let mut lines = head.trim_end().split("\r\n");
        let start = lines.next().unwrap().to_owned();
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned())
        });
        let (framing, fields): (Vec<_>, Vec<_>) =
            fields.partition(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
        let mut message = Message { start, fields, framing: Framing::Close, body: Vec::new() };
        if !framing.is_empty() {
            message.framing = Framing::Chunked;
            loop {
                let mut size = Vec::new();
                while !size.ends_with(b"\r\n") {
                    let Ok(byte) = within(stream.read_u8()).await else {
                        return Message { framing: Framing::Broken, ..message };
                    };
                    size.push(byte);
                }
                let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
                let mut piece = vec![0; size + 2];
                within(stream.read_exact(&mut piece)).await.unwrap();
                message.body.extend(&piece[..size]);
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = message.field("content-length").map(|length| length.parse().unwrap()) {
            message.framing = Framing::Length;
            message.body = vec![0; length];
            within(stream.read_exact(&mut message.body)).await.unwrap();
        } else if message.start.starts_with("HTTP/") {
            within(stream.read_to_end(&mut message.body)).await.unwrap();
        }
        message
    }

    async fn of_frames<B: hyper::body::Body<Error = hyper::Error> + Unpin>(
        start: String,
        headers: &HeaderMap,
        body: B,
    ) -> Message {
        let body = within(body.collect()).await.unwrap();
        assert!(body.trailers().is_none_or(HeaderMap::is_empty));
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let fields = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Message { start, fields, framing: Framing::Frames, body: body.to_bytes().to_vec() }
    }

    fn headers(&self) -> HeaderMap {
        let field = |(name, value): &(String, String)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        };
        self.fields.iter().map(field).collect()
    }
}

/// What the provider is to answer next, and what it got last.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) answer: Option<Message>,
    pub(crate) got: Option<Message>,
}

impl Script {
    fn exchange(&mut self, got: Message) -> Message {
        self.got = Some(got);
        self.answer.clone().unwrap()
    }
}

/// A provider for these hosts: address, authority, what it answers.
pub(crate) async fn provider(hosts: Vec<String>) -> (std::net::SocketAddr, String, Arc<Mutex<Script>>) {
    let (acceptor, authority) = certified(hosts);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let script = Arc::new(Mutex::new(Script::default()));
    let shared = Arc::clone(&script);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, script) = (acceptor.clone(), Arc::clone(&shared));
            tokio::spawn(async move {
                // The other end may leave as it likes.
                let Ok(mut tls) = acceptor.accept(stream).await else { return };
                if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
                    let service = service_fn(move |request| answer_frames(request, Arc::clone(&script)));
                    let io = TokioIo::new(tls);
                    let _ended = http2::Builder::new(TokioExecutor::new())
                        .auto_date_header(false)
                        .serve_connection(io, service)
                        .await;
                    return;
                }
                let mut first = [0];
                // Probes of what is spoken here send nothing.
                while tls.read_exact(&mut first).await.is_ok() {
                    let mut stream = (&first[..]).chain(&mut tls);
                    let got = Message::read(&mut stream).await;
                    let answer = script.lock().unwrap().exchange(got);
                    tls.write_all(&answer.bytes()).await.unwrap();
                    if answer.framing == Framing::Close {
                        tls.shutdown().await.unwrap();
                        return;
                    }
                }
            });
        }
    });
    (address, authority, script)
}

type Unmeasured = http_body_util::combinators::MapFrame<Full<Bytes>, fn(Frame<Bytes>) -> Frame<Bytes>>;

async fn answer_frames(
    request: Request<hyper::body::Incoming>,
    script: Arc<Mutex<Script>>,
) -> Result<Response<Unmeasured>, std::convert::Infallible> {
    let (head, body) = request.into_parts();
    let got = Message::of_frames(format!("{} {}", head.method, head.uri), &head.headers, body).await;
    let answer = script.lock().unwrap().exchange(got);
    // Where no length is to be told, none may be known.
    let body: Unmeasured = Full::from(answer.body.clone()).map_frame(std::convert::identity);
    let mut response = Response::new(body);
    *response.headers_mut() = answer.headers();
    *response.status_mut() = answer.start.parse::<u16>().unwrap().try_into().unwrap();
    Ok(response)
}

/// Sends a request over HTTP/1.1 and reads its answer; what says that the body is wanted is skipped.
pub(crate) async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &Message) -> Message {
    stream.write_all(&request.bytes()).await.unwrap();
    loop {
        let answer = Message::read_interim(stream).await;
        if let Some(answer) = answer {
            return answer;
        }
    }
}

impl Message {
    /// `None`: it was `100 Continue`.
    async fn read_interim(stream: &mut (impl AsyncRead + Unpin)) -> Option<Message> {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut begun = vec![0; CONTINUE.len()];
        within(stream.read_exact(&mut begun)).await.unwrap();
        if begun == CONTINUE {
            return None;
        }
        Some(Message::read(&mut (&begun[..]).chain(stream)).await)
    }
}

/// The same over HTTP/2.
pub(crate) async fn ask_frames(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: &Message,
) -> Message {
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let (method, uri) = request.start.split_once(' ').unwrap();
    let mut out = Request::new(Full::<Bytes>::from(request.body.clone()));
    *out.method_mut() = method.parse().unwrap();
    *out.uri_mut() = uri.parse::<Uri>().unwrap();
    *out.version_mut() = Version::HTTP_2;
    *out.headers_mut() = request.headers();
    let (head, body) = within(sender.send_request(out)).await.unwrap().into_parts();
    Message::of_frames(head.status.as_u16().to_string(), &head.headers, body).await
}
