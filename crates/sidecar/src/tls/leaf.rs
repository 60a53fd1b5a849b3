//! Leaves: minted on the first handshake for a listed name, kept for its lifetime. Per connection one look-up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rcgen::{DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use zeroize::Zeroizing;

use crate::StartError;
use crate::tls::authority::{Authority, dated_params};
use crate::tls::der::Certificate;

/// A name that no authority of ours covers; `.invalid` is nobody's.
const OUTSIDE: &str = "outrigger.invalid";
/// With the day by which it is backdated, a week.
const LIFETIME: Duration = Duration::from_secs(6 * 86_400);
/// How many leaves are kept at a time; past that the oldest is minted anew when it is asked for.
const KEPT: usize = 512;
/// Renewed while it is still good for everybody who just received it.
const RENEWED_AFTER: Duration = Duration::from_secs(5 * 86_400);

/// Mints leaves for listed names and hands them to handshakes.
pub(crate) struct Leaves {
    authority: Authority,
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    // Locked once per handshake. An app may call any number of names below a listed domain, so it is bounded.
    minted: Mutex<HashMap<String, (Instant, Arc<CertifiedKey>)>>,
}

impl Leaves {
    /// Makes the one key that all leaves share.
    pub(crate) fn new(authority: Authority, provider: &CryptoProvider) -> Result<Leaves, StartError> {
        let key = KeyPair::generate().map_err(|error| StartError::Authority(error.to_string()))?;
        let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let signing = provider
            .key_provider
            .load_private_key(der)
            .map_err(|error| StartError::Authority(error.to_string()))?;
        Ok(Leaves { authority, key, signing, minted: Mutex::default() })
    }

    /// The root's certificate.
    pub(crate) fn root_pem(&self) -> &str {
        self.authority.root_pem()
    }

    /// The authority with its issuing key, to be stored.
    pub(crate) fn to_pem(&self) -> Zeroizing<String> {
        self.authority.to_pem()
    }

    /// Proves that a leaf is accepted by who trusts the root, and that one outside the constraint is not.
    pub(crate) fn check(&self, provider: &Arc<CryptoProvider>) -> Result<(), String> {
        let host = self.authority.example().ok_or("it covers no host")?;
        self.verify(host, provider)
            .map_err(|error| format!("its certificate for {host} is refused: {error}"))?;
        match self.verify(OUTSIDE, provider) {
            Ok(()) => Err("its constraint to the listed hosts does not hold".to_owned()),
            Err(_) => Ok(()),
        }
    }

    fn verify(&self, host: &str, provider: &Arc<CryptoProvider>) -> Result<(), String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.root_der().clone()).map_err(|error| error.to_string())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|error| error.to_string())?;
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        let chain = self.mint(host).map_err(|error| error.to_string())?;
        let leaf = chain.cert.first().ok_or("it is empty")?;
        verifier
            .verify_server_cert(leaf, chain.cert.get(1..).unwrap_or_default(), &name, &[], UnixTime::now())
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// The last second of the root's validity, since the epoch.
    pub(crate) fn root_not_after(&self) -> Option<u64> {
        Certificate::parse(self.authority.root_der())?.not_after()
    }

    /// Whether a leaf for this name would be accepted.
    pub(crate) fn covers(&self, host: &str) -> bool {
        self.authority.covers(host)
    }

    fn leaf(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        let mut minted = self.minted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, leaf)) = minted.get(host)
            && at.elapsed() < RENEWED_AFTER
        {
            return Some(Arc::clone(leaf));
        }
        let leaf = match self.mint(host) {
            Ok(leaf) => Arc::new(leaf),
            Err(error) => {
                tracing::error!(%host, %error, "no certificate could be made; the handshake fails");
                return None;
            }
        };
        if minted.len() >= KEPT {
            let oldest = minted.iter().min_by_key(|(_, (at, _))| *at).map(|(host, _)| host.clone());
            oldest.and_then(|oldest| minted.remove(&oldest));
        }
        minted.insert(host.to_owned(), (Instant::now(), Arc::clone(&leaf)));
        Some(leaf)
    }

    fn mint(&self, host: &str) -> Result<CertifiedKey, rcgen::Error> {
        let mut params = dated_params(LIFETIME)?;
        params.subject_alt_names = vec![SanType::DnsName(host.try_into()?)];
        // A constant subject: names live in the SAN, and a long name would not fit here.
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Outrigger leaf");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = self.authority.sign(&params, &self.key)?;
        Ok(CertifiedKey::new(vec![leaf, self.authority.issuing_der().clone()], Arc::clone(&self.signing)))
    }
}

impl std::fmt::Debug for Leaves {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaves").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Leaves {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.leaf(&hello.server_name()?.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{CertificateError, Error, RootCertStore};

    use super::*;
    use crate::tls::provider;

    fn leaves() -> Leaves {
        let hosts = ["api.openai.com", "api.anthropic.com"];
        Leaves::new(Authority::generate(hosts.into_iter()).unwrap(), &provider()).unwrap()
    }

    fn verify(leaves: &Leaves, chain: &CertifiedKey, name: &str) -> Result<(), Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(leaves.root_pem().as_bytes()).unwrap()).unwrap();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(&chain.cert[0], &chain.cert[1..], &name, &[], UnixTime::now()).map(drop)
    }

    #[test]
    fn a_leaf_verifies_for_its_own_name_only() {
        let leaves = leaves();
        let leaf = leaves.leaf("api.openai.com").unwrap();
        verify(&leaves, &leaf, "api.openai.com").unwrap();
        assert!(matches!(
            verify(&leaves, &leaf, "api.anthropic.com"),
            Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }))
        ));
    }

    #[test]
    fn a_name_outside_the_constraint_is_refused_even_when_signed() {
        let leaves = leaves();
        let foreign = leaves.mint("www.example.com").unwrap();
        assert!(verify(&leaves, &foreign, "www.example.com").is_err());
    }

    #[test]
    fn no_more_leaves_are_kept_than_that() {
        let leaves = leaves();
        let first = leaves.leaf("0.api.openai.com").unwrap();
        for number in 1..=KEPT {
            leaves.leaf(&format!("{number}.api.openai.com")).unwrap();
        }
        assert_eq!(leaves.minted.lock().unwrap().len(), KEPT);
        assert!(!Arc::ptr_eq(&first, &leaves.leaf("0.api.openai.com").unwrap()), "the oldest made room");
    }

    #[test]
    fn leaves_are_cached_and_their_serials_differ() {
        let leaves = leaves();
        let first = leaves.leaf("api.openai.com").unwrap();
        assert!(Arc::ptr_eq(&first, &leaves.leaf("api.openai.com").unwrap()));
        assert_ne!(first.cert[0], leaves.mint("api.openai.com").unwrap().cert[0]);
    }
}
