//! OTLP over gRPC.

use std::error::Error as _;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::headers::Headers;
use super::{
    MEND_CREDENTIALS, MEND_ENDPOINT, MachineRoots, Reply, TlsError, USER_AGENT, chain, partial, quoted,
    retry_after, tls,
};
use crate::settings::{Signal, Target};

/// Most that is read of an answer: room for a partial success and its message.
const ANSWER: usize = 64 * 1024;

/// The way to one signal's service.
pub(crate) struct Grpc {
    signal: Signal,
    channel: Channel,
    method: PathAndQuery,
    headers: Headers,
    gzip: bool,
    timeout: std::time::Duration,
}

impl Grpc {
    pub(super) fn new(signal: Signal, target: &Target, machine: &MachineRoots) -> Result<Grpc, TlsError> {
        let library = |error: tonic::transport::Error| TlsError::Library(chain(&error));
        let mut endpoint = Endpoint::from_shared(target.endpoint.uri().to_string())
            .and_then(|endpoint| endpoint.user_agent(USER_AGENT))
            .map_err(library)?
            .connect_timeout(target.timeout);
        if target.endpoint.is_tls() {
            endpoint = endpoint.tls_config(tls::for_grpc(target, machine)?).map_err(library)?;
        }
        Ok(Grpc {
            signal,
            channel: endpoint.connect_lazy(),
            method: PathAndQuery::from_static(match signal {
                Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
                Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            }),
            headers: Headers::of(target),
            gzip: target.gzip,
            timeout: target.timeout,
        })
    }

    pub(super) async fn send(&self, body: Bytes) -> Reply {
        let headers = match self.headers.now() {
            Ok(headers) => headers,
            Err(why) => return Reply::unreached(why),
        };
        let mut client = tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(ANSWER);
        if self.gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        let mut request = Request::new(body);
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        let exchange = async {
            client.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
            client.unary(request, self.method.clone(), Encoded).await
        };
        // Our own clock, not the channel's: it covers connecting as well.
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(Ok(response)) => partial::read(self.signal, response.get_ref()),
            Ok(Err(status)) => match (classify(&status), status.code()) {
                (Reply::Rejected { why, mend }, Code::Unauthenticated) => match self.headers.stale(&why) {
                    Some(why) => Reply::Later { after: None, reached: true, why },
                    None => Reply::Rejected { why, mend },
                },
                (reply, _) => reply,
            },
            Err(_) => Reply::unreached("no answer in time".to_owned()),
        }
    }
}

/// What a status means, by the OTLP specification's list of what may be repeated.
fn classify(status: &Status) -> Reply {
    // A status made here, not by the endpoint, has the transport's error beneath it.
    if let Some(error) = status.source() {
        return Reply::unreached(chain(error));
    }
    let words = quoted(status.message());
    let why = format!("gRPC status {:?}{}{words}", status.code(), if words.is_empty() { "" } else { ": " });
    let after = retry_after::from_details(status.details());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Reply::Later { after, reached: true, why },
        Code::ResourceExhausted if after.is_some() => Reply::Later { after, reached: true, why },
        Code::ResourceExhausted if words.contains("larger than max") => Reply::TooLarge { why },
        Code::Unimplemented => Reply::Refused { why },
        Code::Unauthenticated | Code::PermissionDenied => Reply::Rejected { why, mend: MEND_CREDENTIALS },
        _ => Reply::Rejected { why, mend: MEND_ENDPOINT },
    }
}

/// Messages that are encoded already, so that a repeated request is not encoded again.
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Encoded;
    type Decoder = Encoded;

    fn encoder(&mut self) -> Encoded {
        Encoded
    }

    fn decoder(&mut self) -> Encoded {
        Encoded
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::retry_after::{Delay, Detail, RetryInfo, RpcStatus};
    use super::*;

    fn kind(reply: &Reply) -> &'static str {
        match reply {
            Reply::Taken => "taken",
            Reply::Partly { .. } => "partly",
            Reply::Later { .. } => "later",
            Reply::Refused { .. } => "refused",
            Reply::TooLarge { .. } => "too large",
            Reply::Rejected { .. } => "rejected",
        }
    }

    #[test]
    fn every_code_is_read_as_the_specification_says() {
        let later = [1, 4, 10, 11, 14, 15];
        for code in 1..=16 {
            let expected = match code {
                12 => "refused",
                code if later.contains(&code) => "later",
                _ => "rejected",
            };
            assert_eq!(kind(&classify(&Status::new(Code::from(code), "words"))), expected, "code {code}");
        }
    }

    #[test]
    fn exhaustion_is_repeated_only_where_the_endpoint_says_when() {
        let info = RetryInfo { retry_delay: Some(Delay { seconds: 7, nanos: 0 }) };
        let details = RpcStatus {
            details: vec![Detail {
                type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
                value: info.encode_to_vec(),
            }],
        };
        let status = Status::with_details(Code::ResourceExhausted, "later", details.encode_to_vec().into());
        let Reply::Later { after, reached: true, .. } = classify(&status) else {
            panic!("not to be repeated")
        };
        assert_eq!(after, Some(std::time::Duration::from_secs(7)));
        let large = "grpc: received message after decompression larger than max 4194304";
        assert_eq!(kind(&classify(&Status::resource_exhausted(large))), "too large");
    }
}
