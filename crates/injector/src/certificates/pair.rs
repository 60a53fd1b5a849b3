//! A new authority and the one certificate that it signs; its key is gone with that. A leaked Secret lets nobody sign another.

use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};
use time::OffsetDateTime;

use super::Rotation;

/// What is shown: a chain of the leaf and its authority, and the leaf's key, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) chain: String,
    pub(super) key: String,
    pub(super) until: SystemTime,
}

impl Pair {
    /// A new one for these names of hosts.
    pub(super) fn new(hosts: &[String], now: SystemTime, rotation: &Rotation) -> Result<Pair, rcgen::Error> {
        let until = now + rotation.life;
        let valid = |params: &mut CertificateParams| {
            // Clocks of a cluster need not agree.
            params.not_before = OffsetDateTime::from(now - rotation.leeway);
            params.not_after = OffsetDateTime::from(until);
        };
        let mut authority = CertificateParams::default();
        valid(&mut authority);
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        authority.distinguished_name = named("outrigger-injector authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

        let mut leaf = CertificateParams::new(hosts.to_vec())?;
        valid(&mut leaf);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.distinguished_name = named("outrigger-injector");
        leaf.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let leaf = leaf.signed_by(&key, &authority)?;
        Ok(Pair { chain: leaf.pem() + &authority.pem(), key: key.serialize_pem(), until })
    }

    /// The authority that signed it; empty where the chain has none.
    pub(super) fn authority(&self) -> &str {
        certificates(&self.chain).last().copied().unwrap_or_default()
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// Each certificate of a text of PEM.
pub(super) fn certificates(pem: &str) -> Vec<&str> {
    const END: &str = "-----END CERTIFICATE-----";
    let mut found = Vec::new();
    let mut rest = pem.trim_start();
    while let Some(at) = rest.find(END) {
        let (one, after) = rest.split_at(at + END.len());
        found.push(one);
        rest = after.trim_start();
    }
    found
}
