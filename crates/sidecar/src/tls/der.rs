//! As much of DER as certificates and key stores need: walking and writing elements. Only at start.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT_ID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const BMP_STRING: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// A constructed element with a tag of its context.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// Tag, length and content.
    pub(crate) whole: &'a [u8],
}

/// The elements that stand one behind the other in `bytes`. Ends early where they are damaged.
pub(crate) fn elements(mut bytes: &[u8]) -> impl Iterator<Item = Element<'_>> {
    std::iter::from_fn(move || {
        let (element, rest) = split(bytes)?;
        bytes = rest;
        Some(element)
    })
}

/// The first element and what follows it.
fn split(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    let whole = bytes.get(..bytes.len() - after.len())?;
    Some((Element { tag, content, whole }, after))
}

/// Writes one element whose content is the given parts.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(length + 6);
    bytes.push(tag);
    let digits = length.to_be_bytes();
    let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
    match (digits, u8::try_from(digits.len())) {
        ([], _) => bytes.push(0),
        ([short @ ..=0x7f], _) => bytes.push(*short),
        (long, count) => {
            bytes.push(0x80 | count.unwrap_or(8));
            bytes.extend_from_slice(long);
        }
    }
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The fields of a certificate that are wanted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Certificate<'a> {
    /// The subject's relative names, one `SET` each.
    pub(crate) subject: &'a [u8],
    validity: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Walks through a certificate; `None` if it is none.
    pub(crate) fn parse(der: &'a [u8]) -> Option<Certificate<'a>> {
        let (certificate, rest) = split(der)?;
        let body = elements(certificate.content).next().filter(|body| body.tag == SEQUENCE)?;
        let mut fields = elements(body.content).skip_while(|field| field.tag == context(0));
        let serial = fields.next()?;
        let [algorithm, issuer, validity, subject, key] = std::array::from_fn(|_| fields.next());
        let shape = [algorithm, issuer, validity, subject, key]
            .iter()
            .all(|field| field.is_some_and(|field| field.tag == SEQUENCE));
        if !(rest.is_empty() && certificate.tag == SEQUENCE && serial.tag == INTEGER && shape) {
            return None;
        }
        let extensions = fields.find(|field| field.tag == context(3)).map_or(&[][..], |field| field.content);
        Some(Certificate { subject: subject?.content, validity: validity?.content, extensions })
    }

    /// The last second of its validity, since the epoch.
    pub(crate) fn not_after(&self) -> Option<u64> {
        const UTC_TIME: u8 = 0x17;
        let last = elements(self.validity).nth(1)?;
        let digits = std::str::from_utf8(last.content).ok()?;
        // Two digits of the year stand for 1950 to 2049 (RFC 5280, section 4.1.2.5.1).
        let century = match last.tag {
            UTC_TIME if digits < "5" => "20",
            UTC_TIME => "19",
            _ => "",
        };
        let format = time::macros::format_description!("[year][month][day][hour][minute][second]Z");
        let at = time::PrimitiveDateTime::parse(&format!("{century}{digits}"), format).ok()?;
        u64::try_from(at.assume_utc().unix_timestamp()).ok()
    }

    /// The host names to which a certificate authority is constrained.
    pub(crate) fn permitted_hosts(&self) -> Vec<String> {
        const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
        const DNS_NAME: u8 = 0x82;
        let mut hosts = Vec::new();
        let extensions = elements(self.extensions).flat_map(|list| elements(list.content));
        for extension in extensions {
            let mut fields = elements(extension.content);
            if fields.next().is_none_or(|id| id.content != NAME_CONSTRAINTS) {
                continue;
            }
            let value = fields.find(|field| field.tag == OCTET_STRING).map_or(&[][..], |value| value.content);
            let permitted = elements(value)
                .flat_map(|constraints| elements(constraints.content))
                .filter(|subtrees| subtrees.tag == context(0))
                .flat_map(|subtrees| elements(subtrees.content))
                .filter_map(|subtree| elements(subtree.content).next())
                .filter(|base| base.tag == DNS_NAME)
                .filter_map(|base| std::str::from_utf8(base.content).ok());
            hosts.extend(permitted.map(str::to_owned));
        }
        hosts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_of_every_size_come_back() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let bytes = element(SEQUENCE, &[&content]);
            let found: Vec<_> = elements(&bytes).collect();
            assert_eq!(found, [Element { tag: SEQUENCE, content: &content, whole: &bytes }]);
        }
    }

    #[test]
    fn the_end_of_validity_is_read_in_both_notations() {
        let params = |year| {
            let mut params = rcgen::CertificateParams::default();
            params.not_after = rcgen::date_time_ymd(year, 3, 1);
            let key = rcgen::KeyPair::generate().unwrap();
            params.self_signed(&key).unwrap().der().clone()
        };
        // From 2050 on the year has four digits.
        for (year, seconds) in [(2049, 2_498_169_600), (2051, 2_561_241_600)] {
            assert_eq!(Certificate::parse(&params(year)).unwrap().not_after(), Some(seconds), "{year}");
        }
    }

    #[test]
    fn every_public_authority_has_a_subject() {
        for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
            assert!(!Certificate::parse(root).unwrap().subject.is_empty());
        }
    }

    proptest! {
        #[test]
        fn a_damaged_certificate_is_none_or_one_but_never_a_fault(at in 0usize..600, byte: u8, cut in 0usize..600) {
            let mut der = webpki_root_certs::TLS_SERVER_ROOT_CERTS[0].to_vec();
            let at = at % der.len();
            der[at] = byte;
            for certificate in [Certificate::parse(&der), Certificate::parse(&der[..cut.min(der.len())])].into_iter().flatten() {
                let _hosts = certificate.permitted_hosts();
            }
        }
    }
}
