//! A Java key store of trusted certificates. The old format, since it alone is read with and without a password.
//! Format: version 2 of JKS, as `sun.security.provider.JavaKeyStore` reads it.

use std::time::{SystemTime, UNIX_EPOCH};

use outrigger_contract::trust_files::TRUSTSTORE_PASSWORD;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
const TRUSTED_CERTIFICATE: u32 = 2;
/// Stands between the password and the entries in what the trailer digests.
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// The store, from aliases and certificates.
pub(super) fn store(entries: &[(String, &[u8])]) -> Vec<u8> {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let date = u64::try_from(millis).unwrap_or_default().to_be_bytes();
    let mut store = Vec::new();
    for number in [MAGIC, VERSION, length(entries.len())] {
        store.extend_from_slice(&number.to_be_bytes());
    }
    for (alias, certificate) in entries {
        store.extend_from_slice(&TRUSTED_CERTIFICATE.to_be_bytes());
        push_text(&mut store, alias);
        store.extend_from_slice(&date);
        push_text(&mut store, "X.509");
        store.extend_from_slice(&length(certificate.len()).to_be_bytes());
        store.extend_from_slice(certificate);
    }
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for unit in TRUSTSTORE_PASSWORD.encode_utf16() {
        digest.update(&unit.to_be_bytes());
    }
    digest.update(WHITENER);
    digest.update(&store);
    store.extend_from_slice(digest.finish().as_ref());
    store
}

fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Text with its length before it. Ours is ASCII, where Java's own UTF-8 is the usual one.
fn push_text(store: &mut Vec<u8>, text: &str) {
    store.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    store.extend_from_slice(text.as_bytes());
}
