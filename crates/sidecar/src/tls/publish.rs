//! The public trust files: what an app needs to accept our leaves and everything it accepted before.

use std::io::{self, Write};
use std::path::Path;

use outrigger_contract::trust_files;

/// The public certificate authorities (Mozilla's set, compiled in) as PEM text.
#[must_use]
pub fn public_roots_pem() -> String {
    let mut text = String::with_capacity(256 * 1024);
    for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        push_pem(&mut text, root);
    }
    text
}

/// Writes `ca.pem` (our root) and `bundle.pem` (public roots, `extra`, our root) into `dir`, each by one rename.
///
/// # Errors
/// The system's, when the directory cannot be made or written.
pub fn write(dir: &Path, root_pem: &str, extra_pem: &str) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    write_file(dir, trust_files::CA, root_pem)?;
    write_file(dir, trust_files::BUNDLE, &format!("{}{extra_pem}{root_pem}", public_roots_pem()))
}

fn write_file(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let fresh = dir.join(format!(".{name}.new"));
    let mut file = std::fs::File::create(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(fresh, dir.join(name))
}

fn push_pem(text: &mut String, der: &[u8]) {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    for start in (0..encoded.len()).step_by(64) {
        text.push_str(&encoded[start..encoded.len().min(start + 64)]);
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn the_bundle_holds_the_public_roots_the_extras_and_ours() {
        let dir = tempfile::tempdir().unwrap();
        let first = webpki_root_certs::TLS_SERVER_ROOT_CERTS.first().unwrap();
        let mut pem = String::new();
        push_pem(&mut pem, first);
        write(dir.path(), &pem, &pem).unwrap();
        let count =
            |name| CertificateDer::pem_file_iter(dir.path().join(name)).unwrap().map(Result::unwrap).count();
        assert_eq!(count(trust_files::CA), 1);
        assert_eq!(count(trust_files::BUNDLE), webpki_root_certs::TLS_SERVER_ROOT_CERTS.len() + 2);
    }
}
