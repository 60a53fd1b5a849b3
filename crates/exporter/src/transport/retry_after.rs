//! How long an endpoint asks us to wait: HTTP's `Retry-After` and gRPC's `RetryInfo`.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use prost::Message;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Longest wait that is honoured: an endpoint that says "tomorrow" is asked again sooner.
const LONGEST: Duration = Duration::from_secs(300);

/// Reads `Retry-After`: seconds, or a date.
pub(super) fn from_header(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = OffsetDateTime::parse(value, &Rfc2822).ok()?;
            SystemTime::from(date).duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST))
}

/// Reads `google.rpc.RetryInfo` out of the details of a gRPC status.
pub(super) fn from_details(details: &[u8]) -> Option<Duration> {
    let status = RpcStatus::decode(details).ok()?;
    let info = status.details.iter().find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay?;
    let seconds = u64::try_from(delay.seconds).ok()?;
    let nanos = u32::try_from(delay.nanos).ok()?.min(999_999_999);
    Some(Duration::new(seconds, nanos).min(LONGEST))
}

/// `google.rpc.Status`, as far as it is needed.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Detail {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(super) retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Delay {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::RETRY_AFTER, value.parse().unwrap());
        from_header(&headers, SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_470))
    }

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        assert_eq!(header("3"), Some(Duration::from_secs(3)));
        assert_eq!(header("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(header("Wed, 21 Oct 2015 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(header("86400"), Some(LONGEST));
        assert_eq!(header("soon"), None);
    }

    #[test]
    fn retry_info_is_found_among_other_details() {
        let info = RetryInfo { retry_delay: Some(Delay { seconds: 2, nanos: 500_000_000 }) };
        let detail = |url: &str, value| Detail { type_url: url.to_owned(), value };
        let status = RpcStatus {
            details: vec![
                detail("type.googleapis.com/google.rpc.Help", vec![1, 2]),
                detail("type.googleapis.com/google.rpc.RetryInfo", info.encode_to_vec()),
            ],
        };
        assert_eq!(from_details(&status.encode_to_vec()), Some(Duration::from_millis(2500)));
        assert_eq!(from_details(b""), None);
        assert_eq!(from_details(b"\xff\xff"), None);
    }
}
