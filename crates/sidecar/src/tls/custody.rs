//! The authority's life over restarts: made, kept, or lost. Once per start.
//!
//! Programs read their trust store once. So an authority that they do not know yet may be made only before any of them has
//! started; afterwards it is kept, or nothing is read until the pod restarts.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

use crate::StartError;
use crate::control::{control_span, failed};
use crate::settings::{FailurePolicy, Settings};
use crate::tls::authority::Authority;
use crate::tls::leaf::Leaves;
use crate::tls::{publish, store};

/// What became of the certificate authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ca {
    /// Made at this start.
    #[default]
    Fresh,
    /// Made by an earlier start in this pod.
    Kept,
    /// The one that programs trust is gone; everything passes through.
    Lost,
    /// It, or its trust files, could not be made; everything passes through.
    Failed,
}

impl Ca {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Ca::Fresh => "fresh",
            Ca::Kept => "kept",
            Ca::Lost => "lost",
            Ca::Failed => "failed",
        }
    }
}

/// The authority's state, for who asks what is read and why not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Custody {
    /// What became of it.
    pub ca: Ca,
    /// Why nothing is read, and the mend; none while it is in order.
    pub fault: Option<String>,
    /// Listed hosts for which it cannot vouch, sorted; they are read from the next pod start.
    pub not_covered: Vec<String>,
}

/// Brings the authority into being for `hosts` and publishes what programs need to trust it.
///
/// # Errors
/// The failure policy is `closed` and there is none; under `open` the leaves returned then cover no host.
pub(crate) fn open(
    settings: &Settings,
    hosts: &[String],
    provider: &Arc<CryptoProvider>,
) -> Result<(Leaves, Custody), StartError> {
    let authority = control_span!("authority");
    let found = authority.in_scope(|| find(settings, hosts, provider));
    if let Err(fault) = &found {
        failed(&authority, &fault.text);
    }
    let publishing = control_span!("publishing");
    let found = found.and_then(|(leaves, ca)| {
        let published = publishing.in_scope(|| publish(settings, leaves.root_pem()));
        published
            .map_err(|fault| {
                failed(&publishing, &fault);
                Fault { ca: Ca::Failed, text: fault }
            })
            .map(|()| (leaves, ca))
    });
    let fault = match found {
        Ok((leaves, ca)) => {
            let mut not_covered: Vec<String> =
                hosts.iter().filter(|host| !leaves.covers(host)).cloned().collect();
            not_covered.sort();
            for host in &not_covered {
                tracing::warn!(
                    %host,
                    "the certificate authority of this pod was made before this host was listed and cannot vouch for it; it is read \
                     from the next pod start, and passes through until then"
                );
            }
            return Ok((leaves, Custody { ca, fault: None, not_covered }));
        }
        Err(fault) => fault,
    };
    if settings.failure_policy == FailurePolicy::Closed {
        return Err(StartError::Authority(fault.text));
    }
    tracing::error!(
        ca = fault.ca.as_str(),
        "{}. Until then every connection passes through unobserved; only base URLs are read",
        fault.text
    );
    // Covers nothing, so no handshake is ever answered with it.
    let none = Leaves::new(Authority::generate(std::iter::empty())?, provider)?;
    let mut not_covered = hosts.to_vec();
    not_covered.sort();
    Ok((none, Custody { ca: fault.ca, fault: Some(fault.text), not_covered }))
}

struct Fault {
    ca: Ca,
    text: String,
}

/// The stored authority, or a fresh one where nobody can know another.
fn find(
    settings: &Settings,
    hosts: &[String],
    provider: &Arc<CryptoProvider>,
) -> Result<(Leaves, Ca), Fault> {
    let failed = |text: String| Fault { ca: Ca::Failed, text };
    let fresh = || {
        Authority::generate(hosts.iter().map(String::as_str))
            .map_err(|error| error.to_string())
            .and_then(|authority| checked(authority, provider))
            .map_err(|error| {
                failed(format!("no certificate authority could be made: {error}; restart the pod"))
            })
    };
    let Some(dir) = &settings.ca_dir else { return fresh().map(|leaves| (leaves, Ca::Fresh)) };
    let stored = match store::read(dir) {
        Ok(None) => Err("nothing is stored".to_owned()),
        Ok(Some(text)) => Authority::from_pem(&text)
            .map_err(str::to_owned)
            .and_then(|authority| checked(authority, provider)),
        Err(error) => Err(error.to_string()),
    };
    let published = settings.trust_dir.as_deref().and_then(publish::published_root);
    match (stored, published) {
        (Ok(leaves), None) => Ok((leaves, Ca::Kept)),
        (Ok(leaves), Some(theirs)) if theirs == leaves.root_pem().as_bytes() => Ok((leaves, Ca::Kept)),
        (Ok(_), Some(_)) => Err(lost(settings, "the trust files hold another one")),
        (Err(reason), Some(_)) => Err(lost(settings, &reason)),
        (Err(_), None) => {
            let leaves = fresh()?;
            match store::write(dir, &leaves.to_pem()) {
                Ok(()) => Ok((leaves, Ca::Fresh)),
                Err(error) => {
                    let mut text = format!(
                        "the certificate authority cannot be stored in {}: {error}; make the volume writable and restart the pod",
                        dir.display()
                    );
                    // The files must be there all the same: programs that are told to read them would trust nothing.
                    if let Err(more) = publish(settings, leaves.root_pem()) {
                        text = format!("{text}. Also, {more}");
                    }
                    Err(failed(text))
                }
            }
        }
    }
}

fn lost(settings: &Settings, reason: &str) -> Fault {
    let place = settings.ca_dir.as_deref().unwrap_or_else(|| std::path::Path::new("")).display();
    Fault {
        ca: Ca::Lost,
        text: format!(
            "the certificate authority that this pod's programs trust is lost ({reason}, in {place}), and they would refuse a new \
             one; restart the pod"
        ),
    }
}

/// Leaves that were proven to be accepted where they should be, and nowhere else.
fn checked(authority: Authority, provider: &Arc<CryptoProvider>) -> Result<Leaves, String> {
    let leaves = Leaves::new(authority, provider).map_err(|error| error.to_string())?;
    leaves.check(provider)?;
    Ok(leaves)
}

fn publish(settings: &Settings, root_pem: &str) -> Result<(), String> {
    let Some(dir) = &settings.trust_dir else { return Ok(()) };
    let mut extra = String::new();
    for one in settings.extra_authorities().map_err(|error| error.to_string())? {
        extra.push_str(&one.pem);
        extra.push('\n');
    }
    publish::write(dir, root_pem, &extra).map_err(|error| {
        format!(
            "the trust files cannot be written to {}: {error}; make the volume writable and restart the pod",
            dir.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use outrigger_contract::trust_files;

    use super::*;
    use crate::tls::provider;

    const HOST: &str = "api.openai.com";

    struct Pod {
        dir: tempfile::TempDir,
        settings: Settings,
    }

    impl Pod {
        fn new() -> Pod {
            let dir = tempfile::tempdir().unwrap();
            let settings = Settings {
                ca_dir: Some(dir.path().join("ca")),
                trust_dir: Some(dir.path().join("trust")),
                ..Settings::default()
            };
            Pod { dir, settings }
        }

        fn start(&self, hosts: &[&str]) -> Result<(Leaves, Custody), StartError> {
            let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
            open(&self.settings, &hosts, &provider())
        }

        fn published(&self) -> String {
            let dir = self.settings.trust_dir.as_ref().unwrap();
            std::fs::read_to_string(dir.join(trust_files::CA)).unwrap()
        }

        fn stored(&self) -> std::path::PathBuf {
            self.settings.ca_dir.as_ref().unwrap().join("authority.pem")
        }

        fn store(&self, text: &str) {
            store::write(self.settings.ca_dir.as_ref().unwrap(), text).unwrap();
        }
    }

    #[test]
    fn a_restart_keeps_the_authority() {
        let pod = Pod::new();
        let (first, custody) = pod.start(&[HOST]).unwrap();
        assert_eq!(custody, Custody::default());
        let mode = pod.stored().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400);
        let stored = std::fs::read(pod.stored()).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&stored).matches("PRIVATE KEY-----\n").count(),
            2,
            "one key: the issuing one"
        );

        let (second, custody) = pod.start(&[HOST]).unwrap();
        assert_eq!((custody.ca, custody.fault), (Ca::Kept, None));
        assert_eq!((second.root_pem(), pod.published().as_str()), (first.root_pem(), first.root_pem()));
        assert_eq!(std::fs::read(pod.stored()).unwrap(), stored);
        assert!(second.covers(HOST));
    }

    #[test]
    fn a_host_that_the_kept_authority_does_not_cover_waits_for_the_next_pod() {
        let pod = Pod::new();
        pod.start(&[HOST]).unwrap();
        let (leaves, custody) = pod.start(&[HOST, "gateway.example"]).unwrap();
        assert_eq!((custody.ca, custody.not_covered), (Ca::Kept, vec!["gateway.example".to_owned()]));
        assert!(leaves.covers(HOST) && !leaves.covers("gateway.example"));
    }

    #[test]
    fn an_authority_that_programs_trust_is_never_replaced() {
        let other = Pod::new();
        other.start(&[HOST]).unwrap();
        let others = std::fs::read_to_string(other.stored()).unwrap();
        type Harm<'a> = &'a dyn Fn(&Pod);
        let cases: [(&str, Harm<'_>); 5] = [
            ("gone", &|pod| std::fs::remove_file(pod.stored()).unwrap()),
            ("empty", &|pod| pod.store("")),
            ("cut", &|pod| {
                let text = std::fs::read_to_string(pod.stored()).unwrap();
                pod.store(&text[..text.len() / 2]);
            }),
            ("another pod's", &|pod| pod.store(&others)),
            ("mixed", &|pod| {
                let own = std::fs::read_to_string(pod.stored()).unwrap();
                let (key, _) = others.split_once("-----BEGIN CERTIFICATE").unwrap();
                let (_, certificates) = own.split_once("-----BEGIN CERTIFICATE").unwrap();
                pod.store(&format!("{key}-----BEGIN CERTIFICATE{certificates}"));
            }),
        ];
        for (name, harm) in cases {
            let mut pod = Pod::new();
            pod.start(&[HOST]).unwrap();
            let before = pod.published();
            harm(&pod);
            let (leaves, custody) = pod.start(&[HOST]).unwrap();
            assert_eq!(custody.ca, Ca::Lost, "{name}");
            assert!(custody.fault.unwrap().contains("restart the pod") && !leaves.covers(HOST), "{name}");
            assert_eq!(pod.published(), before, "{name}: what programs read stays");
            pod.settings.failure_policy = FailurePolicy::Closed;
            assert!(matches!(pod.start(&[HOST]), Err(StartError::Authority(_))), "{name}");
        }
    }

    #[test]
    fn before_anything_is_published_a_broken_one_is_replaced() {
        let pod = Pod::new();
        pod.store("nonsense");
        let (leaves, custody) = pod.start(&[HOST]).unwrap();
        assert_eq!(custody.ca, Ca::Fresh);
        assert!(leaves.covers(HOST));
        assert_eq!(pod.start(&[HOST]).unwrap().1.ca, Ca::Kept);
    }

    #[test]
    fn what_was_published_before_the_machine_booted_binds_nobody() {
        let pod = Pod::new();
        let (first, _) = pod.start(&[HOST]).unwrap();
        // The key's volume is in memory, the other one may be on disk.
        std::fs::remove_dir_all(pod.settings.ca_dir.as_ref().unwrap()).unwrap();
        let origin = pod.settings.trust_dir.as_ref().unwrap().join("..data/origin");
        std::fs::remove_file(&origin).unwrap();
        std::fs::write(&origin, "another boot\n").unwrap();
        let (second, custody) = pod.start(&[HOST]).unwrap();
        assert_eq!(custody.ca, Ca::Fresh);
        assert_ne!(second.root_pem(), first.root_pem());
        assert_eq!(pod.published(), second.root_pem());
    }

    #[test]
    fn a_crash_between_storing_and_publishing_is_made_good() {
        let pod = Pod::new();
        let (first, _) = pod.start(&[HOST]).unwrap();
        std::fs::remove_dir_all(pod.settings.trust_dir.as_ref().unwrap()).unwrap();
        assert_eq!(pod.start(&[HOST]).unwrap().1.ca, Ca::Kept);
        assert_eq!(pod.published(), first.root_pem());
    }

    #[test]
    fn where_nothing_can_be_written_everything_passes_and_starts() {
        // A file in the place of a directory stops everybody, root too.
        for harmed in ["ca", "trust"] {
            let mut pod = Pod::new();
            std::fs::write(pod.dir.path().join(harmed), "").unwrap();
            let (leaves, custody) = pod.start(&[HOST]).unwrap();
            assert_eq!(custody.ca, Ca::Failed, "{harmed}");
            assert!(custody.fault.unwrap().contains(harmed) && !leaves.covers(HOST));
            if harmed == "ca" {
                assert!(pod.published().contains("CERTIFICATE"), "what programs are told to read is there");
            }
            pod.settings.failure_policy = FailurePolicy::Closed;
            assert!(pod.start(&[HOST]).is_err());
        }
    }

    #[test]
    fn a_changed_extra_authority_is_published_under_the_same_root() {
        let mut pod = Pod::new();
        let (first, _) = pod.start(&[HOST]).unwrap();
        let extra = pod.dir.path().join("extra.pem");
        let other = Authority::generate(std::iter::once("intranet.example")).unwrap();
        std::fs::write(&extra, other.root_pem()).unwrap();
        pod.settings.extra_cas = vec![extra];
        let text = Authority::generate(std::iter::once("gateway.example")).unwrap();
        pod.settings.extra_cas_pem = Some(text.root_pem().to_owned());
        assert_eq!(pod.start(&[HOST]).unwrap().1.ca, Ca::Kept);
        let bundle = pod.settings.trust_dir.as_ref().unwrap().join(trust_files::BUNDLE);
        let bundle = std::fs::read_to_string(bundle).unwrap();
        for root in [&other, &text].map(Authority::root_pem).into_iter().chain([first.root_pem()]) {
            assert!(bundle.contains(root));
        }
    }
}
