//! Which headers say where in a trace a call belongs, and what they say: W3C Trace Context (level 1) and B3, in one header or
//! in several. Per request.

use std::str::FromStr;

use http::HeaderMap;

use crate::ids::unhex;

/// Headers in which a span may be named.
pub(crate) const HEADERS: [&str; 6] =
    ["traceparent", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"];

/// The headers of an app that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Propagators {
    /// `traceparent`.
    pub tracecontext: bool,
    /// `baggage`, which may name users, sessions and steps.
    pub baggage: bool,
    /// `b3`.
    pub b3: bool,
    /// `x-b3-traceid` and its companions.
    pub b3multi: bool,
}

impl Default for Propagators {
    /// The standard's: Trace Context and baggage.
    fn default() -> Propagators {
        Propagators { tracecontext: true, baggage: true, b3: false, b3multi: false }
    }
}

impl FromStr for Propagators {
    /// The word that is not known.
    type Err = String;

    /// A list as in `OTEL_PROPAGATORS`.
    fn from_str(list: &str) -> Result<Propagators, String> {
        let mut read = Propagators { tracecontext: false, baggage: false, b3: false, b3multi: false };
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "tracecontext" => read.tracecontext = true,
                "baggage" => read.baggage = true,
                "b3" => read.b3 = true,
                "b3multi" => read.b3multi = true,
                "none" => {}
                unknown => return Err(unknown.to_owned()),
            }
        }
        Ok(read)
    }
}

/// What the headers say of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parent {
    /// Its span.
    Span { trace_id: [u8; 16], span_id: [u8; 8], flags: u8 },
    /// No span; whether the trace is to be sampled.
    None { flags: u8 },
}

impl Propagators {
    /// The first that names a valid span. Trace Context is asked first: it is the standard.
    pub(crate) fn parent(self, headers: &HeaderMap) -> Parent {
        let traceparent = || self.tracecontext.then(|| traceparent(only(headers, "traceparent")?)).flatten();
        let single = || self.b3.then(|| b3(only(headers, "b3")?)).flatten();
        let several = || self.b3multi.then(|| b3_of_several(headers)).flatten();
        traceparent().or_else(single).or_else(several).unwrap_or(Parent::None { flags: 1 })
    }
}

/// Of two nobody knows which is meant.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut given = headers.get_all(name).iter();
    match (given.next(), given.next()) {
        (Some(one), None) => one.to_str().ok().map(str::trim),
        _ => None,
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`; later versions may append fields behind a dash.
fn traceparent(text: &str) -> Option<Parent> {
    let mut fields = text.split('-');
    let version: [u8; 1] = unhex(fields.next()?)?;
    let trace_id: [u8; 16] = unhex(fields.next()?)?;
    let span_id: [u8; 8] = unhex(fields.next()?)?;
    let flags: [u8; 1] = unhex(fields.next()?)?;
    let valid = version[0] != 0xff && (version[0] > 0 || fields.next().is_none());
    span(trace_id, span_id, flags[0]).filter(|_| valid)
}

/// `<32 or 16 hex>-<16 hex>[-<0, 1 or d>[-<16 hex>]]`, or the sampling alone.
fn b3(text: &str) -> Option<Parent> {
    let fields: Vec<&str> = text.split('-').collect();
    match fields[..] {
        [sampling] => sampled(sampling).map(|flags| Parent::None { flags }),
        [trace, parent] => span(trace_of(trace)?, unhex(parent)?, 1),
        [trace, parent, sampling] | [trace, parent, sampling, _] => {
            span(trace_of(trace)?, unhex(parent)?, sampled(sampling)?)
        }
        _ => None,
    }
}

fn b3_of_several(headers: &HeaderMap) -> Option<Parent> {
    let debug = only(headers, "x-b3-flags").is_some_and(|flags| flags == "1");
    let flags = match only(headers, "x-b3-sampled") {
        Some(sampling) => Some(sampled(sampling)?),
        None => None,
    };
    let flags = if debug { Some(1) } else { flags };
    match (only(headers, "x-b3-traceid"), only(headers, "x-b3-spanid")) {
        (Some(trace), Some(parent)) => span(trace_of(trace)?, unhex(parent)?, flags.unwrap_or(1)),
        _ => flags.map(|flags| Parent::None { flags }),
    }
}

/// Whoever does not say leaves it to us.
fn sampled(word: &str) -> Option<u8> {
    match word {
        "1" | "d" | "true" => Some(1),
        "0" | "false" => Some(0),
        _ => None,
    }
}

/// Short ids of old stand at the end of ours.
fn trace_of(text: &str) -> Option<[u8; 16]> {
    unhex(text).or_else(|| {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&unhex::<8>(text)?);
        Some(id)
    })
}

fn span(trace_id: [u8; 16], span_id: [u8; 8], flags: u8) -> Option<Parent> {
    (trace_id != [0; 16] && span_id != [0; 8]).then_some(Parent::Span { trace_id, span_id, flags })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::hex;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn told(list: &str, pairs: &[(&str, &str)]) -> String {
        match list.parse::<Propagators>().unwrap().parent(&headers(pairs)) {
            Parent::Span { trace_id, span_id, flags } => {
                format!("{} {} {flags}", hex(&trace_id), hex(&span_id))
            }
            Parent::None { flags } => format!("none {flags}"),
        }
    }

    #[test]
    fn lists_are_the_standards() {
        assert_eq!("tracecontext, baggage".parse(), Ok(Propagators::default()));
        let none = Propagators { tracecontext: false, baggage: false, b3: false, b3multi: false };
        assert_eq!("none".parse(), Ok(none));
        assert_eq!("b3multi".parse(), Ok(Propagators { b3multi: true, ..none }));
        assert_eq!("b3,xray".parse::<Propagators>(), Err("xray".to_owned()));
    }

    #[test]
    fn only_what_is_listed_is_read_and_the_standard_first() {
        let traceparent = format!("00-{TRACE}-{SPAN}-00");
        let b3 = format!("{}-{SPAN}-1", "a".repeat(32));
        let both = [("traceparent", traceparent.as_str()), ("b3", b3.as_str())];
        assert_eq!(told("tracecontext,b3", &both), format!("{TRACE} {SPAN} 0"));
        assert_eq!(told("b3", &both), format!("{} {SPAN} 1", "a".repeat(32)));
        assert_eq!(told("b3multi", &both), "none 1");
        assert_eq!(told("none", &both), "none 1");
    }

    #[test]
    fn b3_in_one_header_in_every_form() {
        let one = |value: &str| told("b3", &[("b3", value)]);
        assert_eq!(one(&format!("{TRACE}-{SPAN}")), format!("{TRACE} {SPAN} 1"));
        assert_eq!(one(&format!("{TRACE}-{SPAN}-0")), format!("{TRACE} {SPAN} 0"));
        assert_eq!(one(&format!("{TRACE}-{SPAN}-d-{SPAN}")), format!("{TRACE} {SPAN} 1"));
        assert_eq!(one(&format!("{SPAN}-{SPAN}-1")), format!("{}{SPAN} {SPAN} 1", "0".repeat(16)));
        assert_eq!(one("0"), "none 0");
        for bad in ["", "x", &format!("{TRACE}-{SPAN}-2"), &format!("{TRACE}-{}", "0".repeat(16)), "1-2"] {
            assert_eq!(one(bad), "none 1", "{bad:?}");
        }
    }

    #[test]
    fn b3_in_several_headers() {
        let ids = [("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)];
        let with = |more: &[(&str, &str)]| told("b3multi", &[&ids, more].concat());
        assert_eq!(with(&[]), format!("{TRACE} {SPAN} 1"));
        assert_eq!(with(&[("x-b3-sampled", "0")]), format!("{TRACE} {SPAN} 0"));
        assert_eq!(with(&[("x-b3-sampled", "0"), ("x-b3-flags", "1")]), format!("{TRACE} {SPAN} 1"));
        assert_eq!(told("b3multi", &[("x-b3-sampled", "0")]), "none 0");
        assert_eq!(told("b3multi", &[("x-b3-traceid", TRACE)]), "none 1");
    }

    proptest! {
        #[test]
        fn hostile_headers_name_no_span_and_break_nothing(text in "[0-9a-fA-Fd -]{0,80}") {
            let all = "tracecontext,b3,b3multi".parse::<Propagators>().unwrap();
            let given: Vec<(&str, &str)> = HEADERS.iter().map(|name| (*name, text.as_str())).collect();
            if let Parent::Span { trace_id, span_id, .. } = all.parent(&headers(&given)) {
                prop_assert!(trace_id != [0; 16] && span_id != [0; 8]);
                prop_assert!(text.contains(&hex(&span_id)));
            }
        }
    }
}
