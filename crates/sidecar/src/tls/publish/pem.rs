//! Certificates as PEM text.

use base64::Engine as _;

/// Appends one certificate.
pub(super) fn push(text: &mut String, der: &[u8]) {
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    for start in (0..encoded.len()).step_by(64) {
        text.push_str(&encoded[start..encoded.len().min(start + 64)]);
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
}

/// One certificate.
pub(crate) fn text(der: &[u8]) -> String {
    let mut text = String::with_capacity(der.len() * 3 / 2 + 64);
    push(&mut text, der);
    text
}
