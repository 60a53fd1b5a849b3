//! The file names under which OpenSSL looks for an authority in a directory: a hash of its subject, so that it need not
//! read them all.

use std::collections::HashMap;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::tls::der::{BMP_STRING, Certificate, Element, SEQUENCE, SET, UTF8_STRING, element, elements};

const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const VISIBLE_STRING: u8 = 0x1a;
const UNIVERSAL_STRING: u8 = 0x1c;

/// Gives out names; equal subjects get consecutive numbers.
#[derive(Default)]
pub(super) struct Names(HashMap<u32, u32>);

impl Names {
    /// The name of the next file for a certificate.
    pub(super) fn next(&mut self, certificate: &Certificate<'_>) -> String {
        self.of(subject_hash(certificate.subject))
    }

    /// The name of a file that nobody looks up and those find who read all of them.
    pub(super) fn nobodys(&mut self) -> String {
        self.of(0)
    }

    fn of(&mut self, hash: u32) -> String {
        let number = self.0.entry(hash).or_default();
        let name = format!("{hash:08x}.{number}");
        *number += 1;
        name
    }
}

/// As `openssl x509 -subject_hash` prints it: the first four bytes, lowest first, of SHA-1 over the canonical subject.
fn subject_hash(subject: &[u8]) -> u32 {
    let canonical: Vec<u8> = elements(subject).flat_map(|name| canonical_name(&name)).collect();
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &canonical);
    let mut first = [0; 4];
    first.copy_from_slice(&hash.as_ref()[..4]);
    u32::from_le_bytes(first)
}

fn canonical_name(name: &Element<'_>) -> Vec<u8> {
    let mut attributes: Vec<Vec<u8>> = elements(name.content).map(|one| canonical_attribute(&one)).collect();
    attributes.sort();
    let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
    element(SET, &attributes)
}

fn canonical_attribute(attribute: &Element<'_>) -> Vec<u8> {
    let mut fields = elements(attribute.content);
    match (fields.next(), fields.next()) {
        (Some(kind), Some(value)) => {
            let value = match text(&value) {
                Some(text) => element(UTF8_STRING, &[&folded(&text)]),
                None => value.whole.to_vec(),
            };
            element(SEQUENCE, &[kind.whole, &value])
        }
        _ => attribute.whole.to_vec(),
    }
}

/// The text of a value in a string type that is compared without regard to case and space.
fn text(value: &Element<'_>) -> Option<Vec<u8>> {
    let from = |units: &mut dyn Iterator<Item = u32>| {
        units
            .map(|unit| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect::<String>()
            .into_bytes()
    };
    match value.tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING | VISIBLE_STRING => Some(value.content.to_vec()),
        TELETEX_STRING => Some(from(&mut value.content.iter().map(|byte| u32::from(*byte)))),
        BMP_STRING => Some(from(
            &mut value.content.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))),
        )),
        UNIVERSAL_STRING => Some(from(
            &mut value
                .content
                .chunks_exact(4)
                .map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]])),
        )),
        _ => None,
    }
}

/// ASCII in lower case, without white space at the ends and with one blank for each run of it inside.
fn folded(text: &[u8]) -> Vec<u8> {
    // As C's isspace has it; the vertical tab is missing in Rust's.
    let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let words = text.split(blank).filter(|word| !word.is_empty());
    let mut folded = Vec::with_capacity(text.len());
    for word in words {
        if !folded.is_empty() {
            folded.push(b' ');
        }
        folded.extend(word.iter().map(u8::to_ascii_lowercase));
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compared_without_regard_to_case_and_space() {
        assert_eq!(folded(b"  Quay\x0b \tOne "), b"quay one");
        let value = |tag, content| text(&Element { tag, content, whole: &[] });
        assert_eq!(value(BMP_STRING, &[0, b'A', 0x20, 0xac][..]), Some("A€".into()));
        assert_eq!(value(TELETEX_STRING, &[0xe9][..]), Some("é".into()));
        assert_eq!(value(0x03, &[0][..]), None);
    }

    #[test]
    fn equal_subjects_are_numbered() {
        let root = &webpki_root_certs::TLS_SERVER_ROOT_CERTS[0];
        let certificate = Certificate::parse(root).unwrap();
        let mut names = Names::default();
        let [first, second] = [names.next(&certificate), names.next(&certificate)];
        assert_eq!((first.len(), &first[8..], &second[8..]), (10, ".0", ".1"));
        assert_eq!(first[..8], second[..8]);
        assert_eq!([names.nobodys(), names.nobodys()], ["00000000.0", "00000000.1"]);
    }
}
