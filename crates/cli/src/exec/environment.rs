//! What the program finds in its environment. What the user had set is kept.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use outrigger_contract::environment::DIRECT;
use outrigger_contract::trust_variables::{JAVA_TOOL_OPTIONS, Trust};
use outrigger_providers::services;

use crate::exec::Mode;

/// A variable that more clients read than it is meant for …
const OPENAI: &str = "OPENAI_BASE_URL";
/// … where any of these is set.
const AZURE: [&str; 2] = ["AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"];
/// What the Java properties for a proxy begin with.
const JAVA_PROXY: &str = "https.proxy";

/// The user's environment, as far as it matters here.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserEnvironment(BTreeMap<String, String>);

impl UserEnvironment {
    pub(crate) fn read() -> UserEnvironment {
        UserEnvironment(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every variable.
    pub(crate) const fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// The proxy that the user's programs went through so far.
    pub(crate) fn proxy(&self) -> Option<String> {
        ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
            .into_iter()
            .find_map(|name| self.get(name))
            .map(str::to_owned)
    }

    /// The file of authorities that the user's programs trusted so far.
    pub(crate) fn trusted_file(&self) -> Option<PathBuf> {
        self.get("SSL_CERT_FILE").map(PathBuf::from).filter(|file| file.is_file())
    }

    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> UserEnvironment {
        UserEnvironment(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}

/// Where the sidecar listens.
pub(crate) struct Listeners {
    pub(crate) connect: SocketAddr,
    pub(crate) base_url: SocketAddr,
}

/// What is set for the program, and what its user should know.
pub(crate) struct ChildEnvironment {
    pub(crate) variables: BTreeMap<String, OsString>,
    pub(crate) notes: Vec<String>,
}

/// The variables for the program; never both modes for one provider.
pub(crate) fn for_child(
    mode: Mode,
    user: &UserEnvironment,
    listeners: &Listeners,
    trust: &Trust,
) -> ChildEnvironment {
    let mut child = ChildEnvironment { variables: BTreeMap::new(), notes: Vec::new() };
    match mode {
        Mode::Proxy => proxy(user, listeners, trust, &mut child),
        Mode::BaseUrl => base_url(user, listeners, &mut child),
    }
    child
}

fn proxy(user: &UserEnvironment, listeners: &Listeners, trust: &Trust, child: &mut ChildEnvironment) {
    let url = format!("http://{}", listeners.connect);
    let direct = match user.get("no_proxy").or_else(|| user.get("NO_PROXY")) {
        Some(theirs) => format!("{theirs},{DIRECT}"),
        None => DIRECT.to_owned(),
    };
    for (upper, lower, value) in [("HTTPS_PROXY", "https_proxy", &url), ("NO_PROXY", "no_proxy", &direct)] {
        child.variables.insert(upper.to_owned(), value.into());
        child.variables.insert(lower.to_owned(), value.into());
    }
    child.variables.insert("NODE_USE_ENV_PROXY".to_owned(), "1".into());
    for (name, value) in &trust.variables {
        let mut value = value.clone();
        // Java knows no proxy variable. Whoever chose to have its trust replaced wants its calls led through, too.
        if *name == JAVA_TOOL_OPTIONS && !value.contains(JAVA_PROXY) {
            let (host, port) = (listeners.connect.ip(), listeners.connect.port());
            value = format!("{value} -D{JAVA_PROXY}Host={host} -D{JAVA_PROXY}Port={port}");
        }
        child.variables.insert((*name).to_owned(), value.into());
    }
    child.notes.extend(trust.notes.iter().map(|note| note.text.clone()));
    let unproxied: Vec<&str> = direct.split(',').map(str::trim).collect();
    for service in services::ALL {
        if service.hosts.iter().any(|host| unproxied.iter().any(|entry| bypasses(entry, host))) {
            child.notes.push(format!(
                "NO_PROXY leads {} around Outrigger, so its calls go unwatched; take `{}` out of it",
                service.id,
                unproxied
                    .iter()
                    .find(|entry| service.hosts.iter().any(|host| bypasses(entry, host)))
                    .unwrap_or(&"")
            ));
        }
        let Some((variable, _)) = service.base_url else { continue };
        if let Some(value) = user.get(variable).filter(|value| services_host(value).is_none()) {
            child.notes.push(format!(
                "{variable} is set to a host that Outrigger does not read ({}), so {} calls go unwatched",
                without_credentials(value),
                service.id
            ));
        }
    }
}

fn bypasses(entry: &str, host: &str) -> bool {
    let entry = entry.trim_start_matches('*').trim_start_matches('.');
    !entry.is_empty() && (host == entry || host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.')))
}

/// The provider that a base URL leads to, if it is one that is read.
fn services_host(url: &str) -> Option<&'static str> {
    let authority = url.split_once("://")?.1.split(['/', '?']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    services::by_host(host).map(|service| service.id)
}

pub(crate) fn without_credentials(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => url.to_owned(),
    }
}

fn base_url(user: &UserEnvironment, listeners: &Listeners, child: &mut ChildEnvironment) {
    for service in services::ALL {
        let Some((variable, path)) = service.base_url else { continue };
        match user.get(variable) {
            Some(theirs) => child.notes.push(format!(
                "{variable} is set already ({}) and is kept, so {} calls go unwatched; unset it to have them watched",
                without_credentials(theirs),
                service.id
            )),
            // Node's client for Azure reads it as well, and then fails or asks for no deployment at all.
            None if variable == OPENAI && AZURE.iter().any(|name| user.get(name).is_some()) => {
                child.notes.push(format!(
                    "{variable} is not set, because this environment is set up for Azure and Node's client for Azure \
                     would follow it; {} calls go unwatched in base-URL mode",
                    service.id
                ));
            }
            None => {
                child.variables.insert(variable.to_owned(), format!("http://{}{path}", listeners.base_url).into());
            }
        }
    }
    // Clients that honour a proxy would otherwise send loopback there.
    if user.proxy().is_some() || user.get("http_proxy").or_else(|| user.get("HTTP_PROXY")).is_some() {
        let direct = user.get("no_proxy").or_else(|| user.get("NO_PROXY"));
        let value = direct.map_or_else(|| "127.0.0.1".to_owned(), |theirs| format!("{theirs},127.0.0.1"));
        child.variables.insert("NO_PROXY".to_owned(), value.clone().into());
        child.variables.insert("no_proxy".to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners() -> Listeners {
        Listeners { connect: ([127, 0, 0, 1], 4001).into(), base_url: ([127, 0, 0, 1], 4002).into() }
    }

    fn trust() -> Trust {
        Trust {
            variables: vec![
                ("SSL_CERT_FILE", "/t/bundle.pem".to_owned()),
                (JAVA_TOOL_OPTIONS, "-Djavax.net.ssl.trustStore=/t/truststore.jks".to_owned()),
            ],
            notes: Vec::new(),
        }
    }

    fn text<'a>(child: &'a ChildEnvironment, name: &str) -> Option<&'a str> {
        child.variables.get(name).and_then(|value| value.to_str())
    }

    #[test]
    fn proxy_mode_sets_the_proxy_and_trust_and_no_base_url() {
        let user = UserEnvironment::of(&[("NO_PROXY", "intranet.example")]);
        let child = for_child(Mode::Proxy, &user, &listeners(), &trust());
        assert_eq!(text(&child, "HTTPS_PROXY"), Some("http://127.0.0.1:4001"));
        assert_eq!(text(&child, "https_proxy"), Some("http://127.0.0.1:4001"));
        assert!(text(&child, "no_proxy").unwrap().starts_with("intranet.example,localhost,"));
        assert_eq!(text(&child, "SSL_CERT_FILE"), Some("/t/bundle.pem"));
        assert_eq!(text(&child, "NODE_USE_ENV_PROXY"), Some("1"));
        let java =
            "-Djavax.net.ssl.trustStore=/t/truststore.jks -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=4001";
        assert_eq!(text(&child, JAVA_TOOL_OPTIONS), Some(java));
        assert_eq!(text(&child, "OPENAI_BASE_URL"), None);
        assert!(child.notes.is_empty());
    }

    #[test]
    fn base_url_mode_sets_the_base_urls_and_no_proxy() {
        let child = for_child(Mode::BaseUrl, &UserEnvironment::default(), &listeners(), &trust());
        assert_eq!(text(&child, "OPENAI_BASE_URL"), Some("http://127.0.0.1:4002/openai/v1"));
        assert_eq!(text(&child, "ANTHROPIC_BASE_URL"), Some("http://127.0.0.1:4002/anthropic"));
        assert_eq!(text(&child, "GOOGLE_GEMINI_BASE_URL"), Some("http://127.0.0.1:4002/gemini"));
        // What has no variable of its own, or could not be reached by it, is left alone.
        assert_eq!(child.variables.len(), services::ALL.iter().filter(|one| one.base_url.is_some()).count());
    }

    #[test]
    fn openais_variable_is_left_alone_where_azures_client_would_follow_it() {
        let user = UserEnvironment::of(&[("AZURE_OPENAI_ENDPOINT", "https://team-a.openai.azure.com")]);
        let child = for_child(Mode::BaseUrl, &user, &listeners(), &trust());
        assert_eq!(text(&child, "OPENAI_BASE_URL"), None);
        assert!(child.notes[0].contains("Azure"), "{:?}", child.notes);
        assert!(text(&child, "ANTHROPIC_BASE_URL").is_some());
    }

    #[test]
    fn what_the_user_set_is_kept_and_said() {
        let user = UserEnvironment::of(&[("OPENAI_BASE_URL", "https://me:secret@gateway.example/v1")]);
        let child = for_child(Mode::BaseUrl, &user, &listeners(), &trust());
        assert_eq!(text(&child, "OPENAI_BASE_URL"), None);
        assert!(child.notes[0].contains("gateway.example") && !child.notes[0].contains("secret"));
        let child = for_child(Mode::Proxy, &user, &listeners(), &trust());
        assert!(child.notes[0].contains("unwatched"));
        let user = UserEnvironment::of(&[("no_proxy", ".openai.com")]);
        assert!(for_child(Mode::Proxy, &user, &listeners(), &trust()).notes[0].contains(".openai.com"));
    }
}
