//! The pod's certificate authority: root > issuing CA > leaf. Made once at start.
//!
//! The root's key signs one certificate and is destroyed: nothing can mint a second issuing CA. The issuing CA is
//! constrained to the listed hosts, so even a stolen key is good for those alone, in this pod alone.

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};
use zeroize::Zeroize;

use crate::StartError;

const DAY: Duration = Duration::from_secs(86_400);
/// Longer than any pod lives: most runtimes read their trust store once, so a renewed CA would break them.
const CA_LIFETIME: Duration = DAY.saturating_mul(730);
/// For clocks that are behind ours.
const BACKDATED: Duration = DAY;

/// The issuing CA and what the world may know of the root.
pub(crate) struct Authority {
    issuing: Issuer<'static, KeyPair>,
    issuing_der: CertificateDer<'static>,
    root_pem: String,
    hosts: HashSet<String>,
}

impl Authority {
    /// Makes a fresh authority that can vouch for `hosts` and nothing else.
    pub(crate) fn generate<'a>(hosts: impl Iterator<Item = &'a str>) -> Result<Authority, StartError> {
        generate(hosts).map_err(|error| StartError::Authority(error.to_string()))
    }

    /// The root's certificate, for the app's trust store.
    pub(crate) fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// Whether its leaves are accepted for a name.
    pub(crate) fn covers(&self, host: &str) -> bool {
        self.hosts.contains(host)
    }

    /// The certificate to send behind a leaf.
    pub(crate) fn issuing_der(&self) -> &CertificateDer<'static> {
        &self.issuing_der
    }

    /// Signs a leaf for `key`.
    pub(crate) fn sign(
        &self,
        params: &CertificateParams,
        key: &KeyPair,
    ) -> Result<CertificateDer<'static>, rcgen::Error> {
        Ok(params.signed_by(key, &self.issuing)?.der().clone())
    }
}

fn generate<'a>(hosts: impl Iterator<Item = &'a str>) -> Result<Authority, rcgen::Error> {
    let hosts: HashSet<String> = hosts.map(str::to_owned).collect();
    let constraints = NameConstraints {
        permitted_subtrees: hosts.iter().map(|host| GeneralSubtree::DnsName(host.clone())).collect(),
        // A name form that is not mentioned is unconstrained: addresses are shut out by name.
        excluded_subtrees: vec![
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(Ipv4Addr::UNSPECIFIED.octets(), 0)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(Ipv6Addr::UNSPECIFIED.octets(), 0)),
        ],
    };
    let mut root_params = ca_params("Outrigger root", 1)?;
    root_params.name_constraints = Some(constraints.clone());
    let mut root_key = KeyPair::generate()?;
    let root_pem = root_params.self_signed(&root_key)?.pem();

    let mut issuing_params = ca_params("Outrigger issuing CA", 0)?;
    issuing_params.name_constraints = Some(constraints);
    issuing_params.use_authority_key_identifier_extension = true;
    issuing_params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let issuing_key = KeyPair::generate()?;
    let root = Issuer::from_params(&root_params, &root_key);
    let issuing_der = issuing_params.signed_by(&issuing_key, &root)?.der().clone();
    drop(root);
    root_key.zeroize();
    Ok(Authority { issuing: Issuer::new(issuing_params, issuing_key), issuing_der, root_pem, hosts })
}

fn ca_params(name: &str, path_length: u8) -> Result<CertificateParams, rcgen::Error> {
    let mut params = dated_params(CA_LIFETIME)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// Parameters with a random serial: the library would derive it from the key, and one key serves all leaves.
pub(crate) fn dated_params(lifetime: Duration) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    let mut serial = [0u8; 16];
    getrandom::fill(&mut serial).map_err(|_| rcgen::Error::RingUnspecified)?;
    // Positive and of full length in DER.
    serial[0] = (serial[0] & 0x7f) | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + lifetime).into();
    Ok(params)
}
