//! An encoded request that is too large for its endpoint, as two. Only what comes out of the spool needs this: what is in memory
//! is encoded anew.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

use crate::Signal;

/// The two halves with their items; nothing where there is only one item, or none that can be read.
pub(crate) fn halves(signal: Signal, body: &Bytes) -> Option<[(Bytes, u64); 2]> {
    match signal {
        Signal::Logs => {
            let whole = ExportLogsServiceRequest::decode(body.clone()).ok()?;
            split(&whole, |request| {
                let resources = request.resource_logs.iter_mut();
                resources.flat_map(|one| &mut one.scope_logs).map(|one| &mut one.log_records).collect()
            })
        }
        Signal::Traces => {
            let whole = ExportTraceServiceRequest::decode(body.clone()).ok()?;
            split(&whole, |request| {
                let resources = request.resource_spans.iter_mut();
                resources.flat_map(|one| &mut one.scope_spans).map(|one| &mut one.spans).collect()
            })
        }
        Signal::Metrics => None,
    }
}

fn split<R: prost::Message + Clone, T>(
    whole: &R,
    lists: impl for<'a> Fn(&'a mut R) -> Vec<&'a mut Vec<T>>,
) -> Option<[(Bytes, u64); 2]> {
    let (mut first, mut second) = (whole.clone(), whole.clone());
    let items: usize = lists(&mut first).iter().map(|list| list.len()).sum();
    let half = items / 2;
    if half == 0 {
        return None;
    }
    let mut left = half;
    for (keep, rest) in lists(&mut first).into_iter().zip(lists(&mut second)) {
        let here = keep.len().min(left);
        keep.truncate(here);
        rest.drain(..here);
        left -= here;
    }
    let encoded = |request: &R| Bytes::from(request.encode_to_vec());
    Some([(encoded(&first), half as u64), (encoded(&second), (items - half) as u64)])
}
