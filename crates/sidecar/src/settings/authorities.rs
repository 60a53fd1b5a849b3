//! Authorities to trust upstream beside the public ones: of files, and, where nobody can mount one, of a variable's text.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use outrigger_exporter::LeftOut;

use super::Settings;
use super::in_part::{Look, told};
use crate::StartError;

/// What one source holds.
pub(crate) struct Authorities {
    /// As it was given.
    pub(crate) pem: String,
    /// One at least.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

impl Settings {
    /// Those of every source.
    ///
    /// # Errors
    /// [`StartError::ExtraCa`] names the file or setting, and what is wrong with it.
    pub(crate) fn extra_authorities(&self) -> Result<Vec<Authorities>, StartError> {
        let files = self.extra_cas.iter().map(|path| file(path));
        files.chain(self.extra_cas_pem.iter().map(|pem| text(pem))).collect()
    }

    /// Leaves out every source that holds none, and tells why: a Secret that is not there shall stop no pod.
    pub(super) fn leave_out_unread_authorities(&mut self, look: Look) -> Vec<LeftOut> {
        let mut left_out = Vec::new();
        let mut is_sound = |key, read: Result<Authorities, StartError>| {
            let instead = "Until then calls to hosts that only it vouches for will fail";
            read.map_err(|fault| left_out.push(told(key, &fault, instead))).is_ok()
        };
        if look == Look::All {
            self.extra_cas.retain(|path| is_sound("extra_cas", file(path)));
        }
        self.extra_cas_pem.take_if(|pem| !is_sound("extra_cas_pem", text(pem)));
        left_out
    }
}

fn file(path: &Path) -> Result<Authorities, StartError> {
    let pem = std::fs::read_to_string(path).map_err(|error| fault(path, error.to_string()))?;
    read(path, pem)
}

fn text(pem: &str) -> Result<Authorities, StartError> {
    read(Path::new("extra_cas_pem"), pem.to_owned())
}

fn read(place: &Path, pem: String) -> Result<Authorities, StartError> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let certificates = found.map_err(|error| fault(place, error.to_string()))?;
    if certificates.is_empty() {
        return Err(fault(place, "it holds no certificate".to_owned()));
    }
    Ok(Authorities { pem, certificates })
}

fn fault(place: &Path, reason: String) -> StartError {
    StartError::ExtraCa { path: place.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::authority::Authority;

    #[test]
    fn files_and_text_are_taken_and_what_holds_none_is_named() {
        let [one, other] =
            ["a.example", "b.example"].map(|host| Authority::generate(std::iter::once(host)).unwrap());
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("one.pem");
        std::fs::write(&file, one.root_pem()).unwrap();
        let settings = Settings {
            extra_cas: vec![file.clone()],
            extra_cas_pem: Some(other.root_pem().to_owned()),
            ..Settings::default()
        };
        let found = settings.extra_authorities().unwrap();
        let told: Vec<(&str, usize)> =
            found.iter().map(|one| (one.pem.as_str(), one.certificates.len())).collect();
        assert_eq!(told, [(one.root_pem(), 1), (other.root_pem(), 1)]);

        let empty = Settings { extra_cas_pem: Some("none".to_owned()), ..Settings::default() };
        let said = empty.extra_authorities().err().unwrap().to_string();
        assert!(said.contains("extra_cas_pem") && said.contains("no certificate"), "{said}");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n").unwrap();
        let said = settings.extra_authorities().err().unwrap().to_string();
        assert!(said.contains("one.pem"), "{said}");
    }

    #[test]
    fn what_holds_none_can_be_left_out_and_is_told() {
        let sound = Authority::generate(std::iter::once("a.example")).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let [here, gone] = ["here.pem", "gone.pem"].map(|name| directory.path().join(name));
        std::fs::write(&here, sound.root_pem()).unwrap();
        let mut settings = Settings {
            extra_cas: vec![gone, here.clone()],
            extra_cas_pem: Some("none".to_owned()),
            ..Settings::default()
        };
        assert_eq!(
            settings.clone().leave_out_unread_authorities(Look::Values).len(),
            1,
            "no file is looked at"
        );
        let faults = settings.leave_out_unread_authorities(Look::All);
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(
            told.len() == 2 && told[0].contains("gone.pem") && told[1].contains("extra_cas_pem"),
            "{told:?}"
        );
        assert_eq!((&settings.extra_cas, &settings.extra_cas_pem), (&vec![here], &None));
        assert_eq!(settings.extra_authorities().unwrap().len(), 1);
    }
}
