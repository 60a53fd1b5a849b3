//! What becomes of settings that cannot be used where no fault may stop a pod: each is left out and told. What it asked to be careful
//! with is then handled more carefully, never less. Once at the start.

use outrigger_exporter::{LeftOut, SpoolSettings};
use outrigger_providers::services;

use super::reading::is_setting;
use super::{Settings, is_host};
use crate::StartError;
use crate::identity::{self, IdentityHash};
use crate::upstream::proxy::UpstreamProxy;

/// What became of settings that could not be used. None of it is a setting.
#[derive(Debug, Clone, Default)]
pub struct InPart {
    /// Each with its fault.
    pub left_out: Vec<LeftOut>,
    /// Whether a salt of this pod's own stands in for one that was asked for.
    pub(crate) own_salt: bool,
    /// What stands in for the variable `OTEL_PROPAGATORS`; without it the variable itself.
    pub(crate) propagators: Option<String>,
    /// Whether every connection passes through.
    pub(crate) reads_nothing: bool,
}

/// What is looked at for faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Look {
    /// Values and the files that they name.
    All,
    /// Values alone: the files may be another pod's.
    Values,
}

impl Settings {
    /// Leaves out one that cannot be read, `whole` or an item of it.
    pub(super) fn leave_out(&mut self, key: &str, fault: String, whole: bool) {
        let instead = match key {
            "identity_hash" => {
                self.identity_hash = Some(IdentityHash::All);
                self.in_part.own_salt = true;
                "Until then every name of a user, a session and a tenant is kept as a hash"
            }
            "identity_order" if whole => {
                self.identity_order.clear();
                "Until then no name is read anywhere"
            }
            "passthrough_hosts" => {
                self.in_part.reads_nothing = true;
                "Until then every connection passes through unread"
            }
            "allowed_providers" if whole => {
                self.allowed_providers = Some(Vec::new());
                "Until then no call moves to another provider"
            }
            "include_usage" => {
                self.include_usage = false;
                "Until then no stream is asked for its usage"
            }
            _ if whole => "Until then its default is used",
            _ => "Until then it is left out",
        };
        let variable = format!("{}_{}", outrigger_contract::ENV_PREFIX, key.to_uppercase());
        let known = if is_setting(&variable) { format!(" ({variable})") } else { String::new() };
        let fault = format!("`{key}`{known}: {fault}; correct it, or take it out");
        self.in_part.left_out.push(told(key, &fault, instead));
    }

    /// Leaves out whatever else [`crate::bind`] would refuse, and tells it in `in_part`.
    pub fn leave_out_unusable(&mut self, look: Look) {
        let mut left_out = self.leave_out_values();
        let proxy = self.upstream_proxy.as_deref().and_then(|url| UpstreamProxy::parse(url).err());
        if let Some(fault) = proxy {
            self.upstream_proxy = None;
            left_out.push(told("upstream_proxy", &fault, "Until then everything leaves without a proxy"));
        }
        left_out.extend(self.leave_out_unread_authorities(look));
        left_out.extend(identity::leave_out_unusable(self, look));
        self.in_part.left_out.extend(left_out);
    }

    /// What their types do not say. The mend stands in the error.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        match self.clone().leave_out_values().into_iter().next() {
            None => Ok(()),
            Some(fault) => Err(StartError::Settings(fault.fault)),
        }
    }

    fn leave_out_values(&mut self) -> Vec<LeftOut> {
        let mut left_out = Vec::new();
        for (key, names, instead) in [
            ("hosts", &mut self.hosts, "Until then it is not read"),
            (
                "passthrough_hosts",
                &mut self.passthrough_hosts,
                "Until then every connection passes through unread",
            ),
        ] {
            names.retain(|name| {
                let sound = is_host(name.trim_end_matches('.'));
                if !sound {
                    let fault = format!(
                        "`{name}` in `{key}` is not a host name; write exact names such as gateway.example.com, without scheme, port \
                         or wildcard"
                    );
                    left_out.push(told(key, &fault, instead));
                }
                sound
            });
        }
        // Which hosts were meant nobody knows, and what was not to be decrypted is not.
        self.in_part.reads_nothing |= left_out.iter().any(|one| one.setting == "passthrough_hosts");
        if let Some(allowed) = &mut self.allowed_providers {
            allowed.retain(|word| {
                let unknown = services::by_word(word).err();
                left_out.extend(unknown.iter().map(|known| {
                    let fault = format!("`{word}` in `allowed_providers` is not a provider; {known}");
                    told("allowed_providers", &fault, "Until then it allows none")
                }));
                unknown.is_none()
            });
        }
        let floor = SpoolSettings::LEAST_BYTES;
        if let Some(bytes) = self.spool_bytes.take_if(|bytes| *bytes < floor) {
            let fault = format!("`spool_bytes` is {bytes}; give it {floor} bytes at least, or leave it out");
            left_out.push(told("spool_bytes", &fault, "Until then its default is used"));
        }
        left_out
    }
}

/// One that is left out.
pub(crate) fn told(key: &str, fault: &impl ToString, instead: &str) -> LeftOut {
    let fault = fault.to_string();
    let fault = fault.strip_prefix("settings: ").unwrap_or(&fault).to_owned();
    LeftOut { setting: key.to_owned(), fault, instead: instead.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a file, after everything that cannot be used is left out.
    fn read(text: &str, look: Look) -> (Settings, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sidecar.yaml");
        std::fs::write(&file, text).unwrap();
        let mut settings = Settings::read(Some(&file)).unwrap();
        settings.leave_out_unusable(look);
        settings.check().unwrap();
        let told = settings.in_part.left_out.iter().map(ToString::to_string).collect();
        (settings, told)
    }

    #[test]
    fn each_key_is_left_out_alone_with_its_variable_and_what_is_done_instead() {
        let (settings, told) =
            read("grace_seconds: ten\nhang_up: keep\nspool_age: 60\nconect: x\n", Look::All);
        let usual = Settings::default();
        assert_eq!(
            (settings.grace_seconds, settings.hang_up, settings.spool_age),
            (usual.grace_seconds, usual.hang_up, 60)
        );
        let [unknown, seconds, word] = told.as_slice() else { panic!("{told:?}") };
        assert!(unknown.starts_with("`conect`: ") && unknown.contains("expected one of"), "{unknown}");
        assert!(seconds.starts_with("`grace_seconds` (OUTRIGGER_GRACE_SECONDS): "), "{seconds}");
        assert!(
            seconds.contains("\"ten\"") && seconds.ends_with("take it out. Until then its default is used")
        );
        assert!(word.contains("OUTRIGGER_HANG_UP") && word.contains("keep"), "{word}");
    }

    #[test]
    fn of_a_list_the_one_item_is_left_out() {
        let (settings, told) = read(
            "upstreams: [a.example, b.example=127.0.0.1:9]\nhosts: [c.example, '*.d.example']\n",
            Look::All,
        );
        assert_eq!((settings.upstreams.len(), settings.hosts.as_slice()), (1, &["c.example".to_owned()][..]));
        assert!(
            told.len() == 2 && told[0].contains("`a.example`") && told[1].contains("`*.d.example`"),
            "{told:?}"
        );
    }

    #[test]
    fn what_asked_for_care_gets_more_of_it_not_less() {
        for (text, is_careful) in [
            ("include_usage: perhaps", (|it| !it.include_usage) as fn(&Settings) -> bool),
            ("passthrough_hosts: ['*.example.com', a.example]", |it| {
                it.in_part.reads_nothing && it.passthrough_hosts == ["a.example"]
            }),
            ("passthrough_hosts: {a: b}", |it| it.in_part.reads_nothing),
            ("allowed_providers: [opnai, anthropic]", |it| {
                it.allowed_providers.as_deref() == Some(&["anthropic".to_owned()])
            }),
            ("allowed_providers: {a: b}", |it| it.allowed_providers.as_deref() == Some(&[])),
            ("identity_order: {a: b}", |it| it.identity_order.is_empty()),
            ("identity_order: [header, cookie, header]", |it| it.identity_order == ["header"]),
            ("identity_headers: [x-user, user=x-user]", |it| it.identity_headers == ["user=x-user"]),
            ("identity_hash: some", |it| it.identity_hash == Some(IdentityHash::All) && it.in_part.own_salt),
            ("identity_hash: all", |it| it.in_part.own_salt),
            ("identity_hash: all\nidentity_salt_file: /nowhere/salt", |it| {
                it.in_part.own_salt && it.identity_salt_file.is_none()
            }),
            ("upstream_proxy: socks5://me:hunter2@proxy", |it| it.upstream_proxy.is_none()),
        ] {
            let (settings, told) = read(text, Look::All);
            assert!(is_careful(&settings) && !told.is_empty(), "{text}: {told:?} {settings:?}");
            assert!(
                told.iter().all(|one| one.contains("Until then") && !one.contains("hunter2")),
                "{told:?}"
            );
            identity::rules(&settings).unwrap();
        }
    }

    #[test]
    fn files_are_another_pods_where_values_alone_are_looked_at() {
        let text = "identity_hash: all\nidentity_salt_file: /nowhere/salt\nextra_cas: [/nowhere/ca.pem]\nspool_bytes: 10\n";
        let (_, told) = read(text, Look::Values);
        assert!(told.len() == 1 && told[0].contains("`spool_bytes`"), "{told:?}");
        assert_eq!(read(text, Look::All).1.len(), 3);
    }
}
