//! A request's query as it may be shown. Per call.

/// Parameters whose values say how an API is spoken, and never who speaks.
const HARMLESS: [&str; 6] = ["alt", "$alt", "api-version", "api_version", "beta", "stream"];
const REDACTED: &str = "REDACTED";
/// Bytes of a name or a value that are shown at most.
const LONGEST: usize = 64;
/// Parameters that are shown at most.
const MOST: usize = 16;

/// The query with the values of [`HARMLESS`] parameters. All others may hold a key, under whatever name: a list of what to hide
/// would lack the next gateway's.
pub(crate) fn shown(query: &str) -> String {
    let mut text = String::new();
    for (at, parameter) in query.split('&').filter(|parameter| !parameter.is_empty()).enumerate() {
        if at > 0 {
            text.push('&');
        }
        if at == MOST {
            text.push('…');
            break;
        }
        match parameter.split_once('=') {
            Some((name, value)) if is_name(name) => {
                let shows = HARMLESS.contains(&name) && is_word(value);
                text.extend([name, "=", if shows { value } else { REDACTED }]);
            }
            _ => text.push_str(REDACTED),
        }
    }
    text
}

/// Whether it is the name of a parameter: what is longer, or has digits in it, may be a secret in a name's place.
fn is_name(text: &str) -> bool {
    (1..=LONGEST / 2).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_' | b'.' | b'$'))
}

fn is_word(text: &str) -> bool {
    text.len() <= LONGEST
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_shows_how_an_api_is_spoken_and_no_secret() {
        for (query, expected) in [
            ("alt=sse&key=AIzaSecret", "alt=sse&key=REDACTED"),
            ("api-version=2025-04-01-preview&api-key=abc", "api-version=2025-04-01-preview&api-key=REDACTED"),
            (
                "sig=x&X-Amz-Signature=y&token=z&unheard_of=w",
                "sig=REDACTED&X-Amz-Signature=REDACTED&token=REDACTED&unheard_of=REDACTED",
            ),
            ("AIzaSecret&&sk-0123456789abcdef=", "REDACTED&REDACTED"),
            ("alt=<secret>", "alt=REDACTED"),
            ("", ""),
        ] {
            assert_eq!(shown(query), expected, "{query}");
        }
        assert!(shown(&"a=b&".repeat(1000)).len() < 300);
    }
}
