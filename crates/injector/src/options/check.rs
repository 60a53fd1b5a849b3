//! What is wrong with what an operator decided: values with which no pod could start, and values that contradict each other.

use outrigger_providers::services;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::Options;
use super::variables::LONGEST_VALUE;
use crate::resources::Fault;
use crate::wishes::is_host;

impl Options {
    /// Whether a pod could start with them.
    ///
    /// # Errors
    /// The first fault, with its key below `pods` and the mend.
    pub fn check(&self) -> Result<(), String> {
        if self.image.trim().is_empty() {
            return Err("`pods.image` is empty; name the sidecar's image".to_owned());
        }
        for word in self.allowed_providers.iter().flatten() {
            if let Err(known) = services::by_word(word) {
                return Err(format!("`{word}` in `pods.allowed_providers` is not a provider; {known}"));
            }
        }
        if let Some(wrong) = self.passthrough_hosts.iter().find(|host| !is_host(host)) {
            return Err(format!(
                "`{wrong}` in `pods.passthrough_hosts` is not a host name; write exact names, without scheme, port or wildcard"
            ));
        }
        if let Some(text) = &self.extra_cas {
            check_authorities(text).map_err(|fault| format!("`pods.extra_cas` {fault}"))?;
        }
        if let Some(endpoint) = &self.otlp_endpoint {
            check_endpoint(endpoint).map_err(|fault| format!("`pods.otlp_endpoint` {fault}"))?;
        }
        match self.resources.fault() {
            None => {}
            Some(Fault::NoQuantity { name, amount }) => {
                return Err(format!(
                    "`{amount}` in `pods.resources.{name}` is not a quantity; write such as 10m or 128Mi"
                ));
            }
            Some(Fault::OutOfRange { name, amount, range }) => {
                return Err(format!(
                    "`pods.resources.{name}` is {amount}, with which no pod would start; give it {} to {}",
                    range.least, range.most
                ));
            }
            Some(Fault::AboveLimit { name, amount, limit }) => {
                return Err(format!(
                    "`pods.resources.{name}` {amount} is more than `{name}_limit` {limit}; lower one or raise the other"
                ));
            }
        }
        if !(1..=65_536).contains(&self.spool_mib) {
            return Err(format!("`pods.spool_mib` is {}; give it 1 to 65536", self.spool_mib));
        }
        self.check_variables()
    }
}

/// Whether a text can be [`Options::extra_cas`].
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with its place.
pub fn check_authorities(pem: &str) -> Result<(), String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let are_good = |found: Vec<_>| {
        let mut roots = RootCertStore::empty();
        !found.is_empty() && found.into_iter().all(|one| roots.add(one).is_ok())
    };
    if !found.is_ok_and(are_good) {
        return Err(
            "holds no certificate, or one that cannot be read; give PEM, with its lines -----BEGIN CERTIFICATE-----"
                .to_owned(),
        );
    }
    if pem.len() > LONGEST_VALUE {
        return Err(format!(
            "has {} bytes of the {LONGEST_VALUE} that a pod's variable takes; give only the authorities of your own, since the public \
             ones are trusted already, and only their PEM, without text between",
            pem.len()
        ));
    }
    Ok(())
}

/// Whether a text can be [`Options::otlp_endpoint`]. It is not repeated: it may hold a password.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with its place.
pub fn check_endpoint(url: &str) -> Result<(), String> {
    if url.contains('@') {
        return Err(
            "has credentials in its URL, and a sidecar takes none there; leave them out, and send them as \
             OTEL_EXPORTER_OTLP_HEADERS, or by a Secret (docs/telemetry.md)"
                .to_owned(),
        );
    }
    if url.is_empty() || url.contains(|one: char| one.is_whitespace() || one == '#') {
        return Err("is no URL; write such as http://otel-collector.observability:4317".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_fit_into_a_variable() {
        let issued = rcgen::generate_simple_self_signed(["gateway.example".to_owned()]).unwrap();
        let pem = issued.cert.pem();
        let most = LONGEST_VALUE / pem.len();
        assert_eq!(check_authorities(&pem.repeat(most)), Ok(()));
        let fault = check_authorities(&pem.repeat(most + 1)).unwrap_err();
        assert!(fault.contains("98304") && fault.contains("public ones are trusted"), "{fault}");
    }

    #[test]
    fn an_endpoint_has_no_credentials_and_none_are_repeated() {
        for fine in ["http://collector:4318/base", "https://otlp.example", "collector:4317"] {
            assert_eq!(check_endpoint(fine), Ok(()), "{fine}");
        }
        for (wrong, part) in [
            ("https://me:planted@otlp.example", "OTEL_EXPORTER_OTLP_HEADERS"),
            ("http://a b", "no URL"),
            ("", "no URL"),
        ] {
            let fault = check_endpoint(wrong).unwrap_err();
            assert!(fault.contains(part) && !fault.contains("planted"), "{fault}");
        }
    }
}
