//! What reached a provider or an app, held against what was sent: whatever differs has its row in docs/what-we-change.md.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::wire::{Framing, Message};

pub(crate) const PAGE: &str = include_str!("../../../../docs/what-we-change.md");
/// The parts of the page that are about default traffic.
pub(crate) const PARTS: [&str; 3] =
    ["Requests to a listed host", "Streams that do not tell their usage", "Responses"];
/// What is put into a request, and what is taken out for it.
pub(crate) const ASKED: [(&str, &str); 4] = [
    (r#","stream_options":{"include_usage":true}"#, ""),
    (r#""include_usage":true"#, ""),
    ("true", "false"),
    ("true", "null"),
];

/// A row of the page: its part, and what its first cell begins with.
pub(crate) type Row = (&'static str, &'static str);

pub(crate) const HOP: Row = (PARTS[0], "`Connection` and the headers it names");
pub(crate) const TE: Row = (PARTS[0], "`TE` is dropped");
pub(crate) const EXPECT: Row = (PARTS[0], "`Expect: 100-continue`");
pub(crate) const OURS: Row = (PARTS[0], "`x-outrigger-user`");
pub(crate) const TLS: Row = (PARTS[0], "TLS is terminated");
pub(crate) const BASE_URL: Row = (PARTS[0], "in base-URL mode");
pub(crate) const BODY: Row = (PARTS[1], "the body");
pub(crate) const LENGTH: Row = (PARTS[1], "`Content-Length` |");
pub(crate) const ENCODING: Row = (PARTS[1], "`Accept-Encoding`");
pub(crate) const CHUNK: Row = (PARTS[1], "the event whose `choices` are empty");
pub(crate) const NULL: Row = (PARTS[1], "`\"usage\":null`");
pub(crate) const DIGEST: Row = (PARTS[1], "`Content-Length`, and headers that digest");
pub(crate) const SPELLED: Row = (PARTS[0], "white space around");
pub(crate) const SPELLED_BACK: Row = (PARTS[2], "white space around");
pub(crate) const BACK: Row = (PARTS[2], "the hop-by-hop headers");
pub(crate) const ALT_SVC: Row = (PARTS[2], "`alt-svc`");
pub(crate) const CLOSE: Row = (PARTS[2], "an HTTP/1.0 or close-delimited answer");

/// Which rows explain how two lists of fields differ; `spelling` is the one for what HTTP takes for the same. Panics at what none does.
pub(crate) fn fields(
    sent: &Message,
    got: &Message,
    spelling: Row,
    explain: impl Fn(&str, Option<&str>, Option<&str>) -> Option<Row>,
) -> BTreeSet<Row> {
    let why = |name: &str, before: Option<&str>, after: Option<&str>| {
        explain(&name.to_ascii_lowercase(), before, after).unwrap_or_else(|| {
            let (sent, got) = (&sent.fields, &got.fields);
            panic!("{name}: {before:?} became {after:?}, and the page does not say so\n{sent:?}\n{got:?}")
        })
    };
    let (mut rows, mut left, mut stayed) = (BTreeSet::new(), got.fields.clone(), Vec::new());
    for (name, value) in &sent.fields {
        let same = left.iter().position(|one| one == &(name.clone(), value.clone()));
        let Some(at) = same.or_else(|| left.iter().position(|(one, _)| one == name)) else {
            rows.insert(why(name, Some(value), None));
            continue;
        };
        let now = left.remove(at);
        if now.1 != *value {
            let trimmed = value.trim() == now.1;
            rows.insert(if trimmed { spelling } else { why(name, Some(value), Some(&now.1)) });
        }
        stayed.push(now);
    }
    rows.extend(left.iter().map(|(name, value)| why(name, None, Some(value))));
    let order: Vec<_> = got.fields.iter().filter(|field| !left.contains(field)).cloned().collect();
    if stayed != order {
        assert_eq!(together(&stayed), order, "the order of the headers");
        rows.insert(spelling);
    }
    rows
}

/// Each header's lines behind the first of them.
pub(crate) fn together(fields: &[(String, String)]) -> Vec<(String, String)> {
    let mut names: Vec<String> = Vec::new();
    for name in fields.iter().map(|(name, _)| name.to_ascii_lowercase()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let of = |name: &String| {
        fields.iter().filter(|(one, _)| one.eq_ignore_ascii_case(name)).cloned().collect::<Vec<_>>()
    };
    names.iter().flat_map(of).collect()
}

/// Which rows explain what the provider got.
pub(crate) fn request_rows(sent: &Message, got: &Message, base_url: bool) -> BTreeSet<Row> {
    let hop = ["connection", "keep-alive", "x-hop"];
    let asked = sent.body != got.body;
    let mut rows = fields(sent, got, SPELLED, |name, before, after| match (name, before, after) {
        (name, Some(_), None) if hop.contains(&name) => Some(HOP),
        ("te", Some(value), None) if value != "trailers" => Some(TE),
        ("expect", Some(_), None) => Some(EXPECT),
        (name, Some(_), None) if name.starts_with("x-outrigger-") => Some(OURS),
        ("host", Some(_), Some(_)) if base_url => Some(BASE_URL),
        ("content-length", Some(_), Some(length)) if asked && length == got.body.len().to_string() => {
            Some(LENGTH)
        }
        ("accept-encoding", _, Some("identity")) if asked => Some(ENCODING),
        _ => None,
    });
    if sent.start != got.start {
        assert!(base_url && sent.start.replace("/openai/", "/") == got.start, "{} {}", sent.start, got.start);
        rows.insert(BASE_URL);
    }
    assert_eq!(sent.framing, got.framing);
    if asked {
        let (sent, got) = (String::from_utf8_lossy(&sent.body), String::from_utf8_lossy(&got.body));
        assert!(is_question(&sent, &got), "{sent}\n{got}");
        rows.insert(BODY);
    }
    rows
}

/// Whether one differs from the other by the question for the usage alone.
pub(crate) fn is_question(sent: &str, got: &str) -> bool {
    ASKED.iter().any(|(put_in, taken_out)| {
        got.match_indices(put_in).any(|(at, _)| {
            let rest = &got[at + put_in.len()..];
            let comma = rest.strip_prefix(',').filter(|_| taken_out.is_empty());
            [Some(rest), comma]
                .into_iter()
                .flatten()
                .any(|rest| format!("{}{taken_out}{rest}", &got[..at]) == sent)
        })
    })
}

/// Which rows explain what the app got.
pub(crate) fn answer_rows(sent: &Message, got: &Message, asked: bool) -> BTreeSet<Row> {
    let mut rows = fields(sent, got, SPELLED_BACK, |name, before, after| match (name, before, after) {
        ("connection" | "keep-alive", Some(_), None) => Some(BACK),
        ("alt-svc", Some(_), None) => Some(ALT_SVC),
        ("content-length" | "content-digest", Some(_), None) if asked => Some(DIGEST),
        _ => None,
    });
    if sent.framing == Framing::Close {
        assert_eq!((got.start.as_str(), got.framing), ("HTTP/1.1 200 OK", Framing::Chunked));
        rows.insert(CLOSE);
    } else {
        assert_eq!(sent.start, got.start);
        let anew = asked && (sent.framing, got.framing) == (Framing::Length, Framing::Chunked);
        assert!(anew || sent.framing == got.framing, "{:?} became {:?}", sent.framing, got.framing);
    }
    if sent.body != got.body {
        assert!(asked, "an answer that nobody asked anything was changed");
        rows.extend(stripped(&sent.body, &got.body));
    }
    rows
}

/// What was taken out of a stream, by other means than ours.
pub(crate) fn stripped(sent: &[u8], got: &[u8]) -> BTreeSet<Row> {
    let (mut rows, mut expected) = (BTreeSet::new(), String::new());
    for event in std::str::from_utf8(sent).unwrap().split_inclusive("\n\n") {
        let data = event.strip_prefix("data: ").and_then(|data| serde_json::from_str::<Value>(data).ok());
        let is_usage =
            data.is_some_and(|data| data["choices"] == Value::Array(Vec::new()) && data["usage"].is_object());
        if is_usage {
            rows.insert(CHUNK);
        } else if event.contains(r#","usage":null"#) {
            rows.insert(NULL);
            expected.push_str(&event.replace(r#","usage":null"#, ""));
        } else {
            expected.push_str(event);
        }
    }
    assert_eq!(String::from_utf8_lossy(got), expected);
    rows
}

/// The rows of these parts of the page.
pub(crate) fn documented(parts: &[&'static str]) -> BTreeSet<(&'static str, &'static str)> {
    let mut rows = BTreeSet::new();
    for part in parts.iter().copied() {
        let text = PAGE
            .split("\n## ")
            .find(|text| text.starts_with(part))
            .unwrap_or_else(|| panic!("no part {part}"));
        let cells = text.lines().filter_map(|line| line.strip_prefix("| "));
        rows.extend(cells.filter(|row| !row.starts_with("what |")).map(|row| (part, row)));
    }
    rows
}

/// Every row was met, and none that does not stand there.
pub(crate) fn all_are_met(parts: &[&'static str], met: &BTreeSet<Row>) {
    let rows = documented(parts);
    for (part, begin) in met {
        assert!(
            rows.iter().any(|row| row.0 == *part && row.1.starts_with(begin)),
            "{part} has no row {begin}"
        );
    }
    for (part, row) in rows {
        assert!(met.iter().any(|one| one.0 == part && row.starts_with(one.1)), "{part}: nothing shows {row}");
    }
}
