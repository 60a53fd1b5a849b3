//! The pod's certificate authority: root > issuing CA > leaf. Made at the first start in a pod, kept by the later ones.
//!
//! The root's key signs one certificate and is destroyed: nothing can mint a second issuing CA. The issuing CA is
//! constrained to the listed hosts, so even a stolen key is good for those alone, in this pod alone.

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};
use zeroize::{Zeroize, Zeroizing};

use crate::StartError;
use crate::tls::der::Certificate;
use crate::tls::publish::pem;

const DAY: Duration = Duration::from_secs(86_400);
/// Longer than any pod lives: most runtimes read their trust store once, so a renewed CA would break them.
const CA_LIFETIME: Duration = DAY.saturating_mul(730);
/// For clocks that are behind ours.
const BACKDATED: Duration = DAY;

const ROOT_NAME: &str = "Outrigger root";
const ISSUING_NAME: &str = "Outrigger issuing CA";

/// The issuing CA and what the world may know of the root.
pub(crate) struct Authority {
    issuing: Issuer<'static, KeyPair>,
    issuing_der: CertificateDer<'static>,
    root_der: CertificateDer<'static>,
    root_pem: String,
    hosts: HashSet<String>,
}

impl Authority {
    /// Makes a fresh authority that can vouch for `hosts` and nothing else.
    pub(crate) fn generate<'a>(hosts: impl Iterator<Item = &'a str>) -> Result<Authority, StartError> {
        generate(hosts).map_err(|error| StartError::Authority(error.to_string()))
    }

    /// The authority that [`Authority::to_pem`] described. Whether its parts belong together is for the caller to check, by a
    /// leaf.
    pub(crate) fn from_pem(text: &str) -> Result<Authority, &'static str> {
        let mut certificates =
            CertificateDer::pem_slice_iter(text.as_bytes()).map(|one| one.map_err(|_| "it is damaged"));
        let mut next = || certificates.next().unwrap_or(Err("a certificate is missing"));
        let (issuing_der, root_der) = (next()?, next()?);
        let key = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| "the key is missing or damaged")?;
        let key = KeyPair::try_from(&key).map_err(|_| "the key cannot be used")?;
        let hosts =
            Certificate::parse(&issuing_der).ok_or("the issuing certificate is damaged")?.permitted_hosts();
        let params = ca_params(ISSUING_NAME, 0).map_err(|_| "the system has no randomness")?;
        Ok(Authority {
            issuing: Issuer::new(params, key),
            issuing_der,
            root_pem: pem::text(&root_der),
            root_der,
            hosts: hosts.into_iter().collect(),
        })
    }

    /// Key, issuing certificate and root in one text, so that one rename stores them all. The root's key is no part of it.
    pub(crate) fn to_pem(&self) -> Zeroizing<String> {
        let mut key = self.issuing.key().serialize_pem();
        let text = Zeroizing::new(format!("{key}{}{}", pem::text(&self.issuing_der), self.root_pem));
        key.zeroize();
        text
    }

    /// The root's certificate.
    pub(crate) fn root_der(&self) -> &CertificateDer<'static> {
        &self.root_der
    }

    /// The root's certificate, for the app's trust store.
    pub(crate) fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// Whether its leaves are accepted for a name.
    pub(crate) fn covers(&self, host: &str) -> bool {
        // A constraint holds for a name and everything below it.
        let mut name = Some(host);
        std::iter::from_fn(|| {
            let this = name?;
            name = this.split_once('.').map(|(_, parent)| parent);
            Some(this)
        })
        .any(|name| self.hosts.contains(name))
    }

    /// One of the names that it covers.
    pub(crate) fn example(&self) -> Option<&str> {
        self.hosts.iter().next().map(String::as_str)
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
    let mut root_params = ca_params(ROOT_NAME, 1)?;
    root_params.name_constraints = Some(constraints.clone());
    let mut root_key = KeyPair::generate()?;
    let root_der = root_params.self_signed(&root_key)?.der().clone();

    let mut issuing_params = ca_params(ISSUING_NAME, 0)?;
    issuing_params.name_constraints = Some(constraints);
    issuing_params.use_authority_key_identifier_extension = true;
    issuing_params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let issuing_key = KeyPair::generate()?;
    let root = Issuer::from_params(&root_params, &root_key);
    let issuing_der = issuing_params.signed_by(&issuing_key, &root)?.der().clone();
    drop(root);
    root_key.zeroize();
    Ok(Authority {
        issuing: Issuer::new(issuing_params, issuing_key),
        issuing_der,
        root_pem: pem::text(&root_der),
        root_der,
        hosts,
    })
}

fn ca_params(name: &str, path_length: u8) -> Result<CertificateParams, rcgen::Error> {
    let mut params = dated_params(CA_LIFETIME)?;
    params.distinguished_name = DistinguishedName::new();
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
