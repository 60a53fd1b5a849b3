//! What the two ends agreed on in their handshake. Per connection.

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;

/// How messages of one direction are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflate {
    /// Whether a message may refer to the ones before it.
    pub context_takeover: bool,
    /// The window's size, its binary logarithm, 9 to 15.
    pub window_bits: u8,
}

/// What was agreed on for each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions {
    /// What the client sends.
    pub client: Option<Deflate>,
    /// What the server sends.
    pub server: Option<Deflate>,
}

impl Extensions {
    /// Reads the header of the server's 101.
    ///
    /// # Errors
    /// In plain words: something was agreed on that is not known here, so its frames cannot be read.
    pub fn agreed(response: &HeaderMap) -> Result<Extensions, &'static str> {
        const UNKNOWN: &str = "the WebSocket uses an extension that is not known";
        let mut agreed = Extensions::default();
        for value in response.get_all(SEC_WEBSOCKET_EXTENSIONS) {
            for extension in value.to_str().map_err(|_| UNKNOWN)?.split(',') {
                let mut words = extension.split(';').map(str::trim);
                let name = words.next().unwrap_or_default();
                if name.is_empty() {
                    continue;
                }
                if !name.eq_ignore_ascii_case("permessage-deflate") || agreed.client.is_some() {
                    return Err(UNKNOWN);
                }
                let both = Deflate { context_takeover: true, window_bits: 15 };
                let (mut client, mut server) = (both, both);
                for word in words {
                    let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| {
                        (name.trim(), Some(value.trim().trim_matches('"')))
                    });
                    // A window of 8 bits is read with one of 9: what was written for a smaller window fits a larger one.
                    let bits = || match value.map_or(Some(15), |value| value.parse().ok()) {
                        Some(bits @ 8..=15) => Ok(std::cmp::max(bits, 9)),
                        _ => Err(UNKNOWN),
                    };
                    match name.to_ascii_lowercase().as_str() {
                        "server_no_context_takeover" => server.context_takeover = false,
                        "client_no_context_takeover" => client.context_takeover = false,
                        "server_max_window_bits" => server.window_bits = bits()?,
                        "client_max_window_bits" => client.window_bits = bits()?,
                        _ => return Err(UNKNOWN),
                    }
                }
                agreed = Extensions { client: Some(client), server: Some(server) };
            }
        }
        Ok(agreed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(value: &str) -> Result<Extensions, &'static str> {
        Extensions::agreed(&[(SEC_WEBSOCKET_EXTENSIONS, value.parse().unwrap())].into_iter().collect())
    }

    #[test]
    fn what_was_agreed_is_read_for_each_direction() {
        assert_eq!(Extensions::agreed(&HeaderMap::new()), Ok(Extensions::default()));
        let whole = Deflate { context_takeover: true, window_bits: 15 };
        assert_eq!(agreed("permessage-deflate"), Ok(Extensions { client: Some(whole), server: Some(whole) }));
        assert_eq!(
            agreed(
                "Permessage-Deflate; server_no_context_takeover;client_max_window_bits=\"8\"; server_max_window_bits=12"
            ),
            Ok(Extensions {
                client: Some(Deflate { context_takeover: true, window_bits: 9 }),
                server: Some(Deflate { context_takeover: false, window_bits: 12 }),
            })
        );
        for other in [
            "permessage-deflate, permessage-deflate",
            "x-mux",
            "permessage-deflate; tide=1",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=x",
        ] {
            assert!(agreed(other).is_err(), "{other}");
        }
    }
}
