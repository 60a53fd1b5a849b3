//! Decides by the first bytes of a connection whether it is read or passes through. Per connection.
//! Any doubt means that it passes through.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use outrigger_providers::{Service, services};
use outrigger_rules::Mode;
use rustls::server::Accepted;

use crate::downstream::connect::Destination;
use crate::downstream::learned::{Client, Learned};
use crate::policy::Policies;
use crate::settings::{FailurePolicy, Settings};
use crate::tls::accept::Protocol;

/// Only here is TLS terminated; listed names on other ports are somebody's own arrangement.
pub(crate) const HTTPS: u16 = outrigger_contract::redirection::HTTPS;

/// Why a connection passes through. One word each, the same in counts, logs and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reason {
    /// Not TLS, or no whole ClientHello within its bounds.
    NotTls,
    /// A ClientHello without a name.
    NoName,
    /// A name that is not listed.
    NotListed,
    /// The name in the hello is not the one that CONNECT asked for.
    OtherName,
    /// A port on which nothing is read.
    OtherPort,
    /// No protocol offered that is spoken here.
    OtherProtocol,
    /// The server spoke first.
    ServerFirst,
    /// The operator said so.
    Configured,
    /// This client has refused our certificate for this host before.
    NotTrusted,
    /// The certificate authority cannot vouch for the name.
    NotCovered,
    /// As many connections as allowed are being read.
    Budget,
    /// The rules' mode is `passthrough`.
    Mode,
}

impl Reason {
    /// How many there are.
    pub(crate) const COUNT: usize = 12;

    /// Every reason, in the order of its number.
    pub(crate) const ALL: [Reason; Reason::COUNT] = [
        Reason::NotTls,
        Reason::NoName,
        Reason::NotListed,
        Reason::OtherName,
        Reason::OtherPort,
        Reason::OtherProtocol,
        Reason::ServerFirst,
        Reason::Configured,
        Reason::NotTrusted,
        Reason::NotCovered,
        Reason::Budget,
        Reason::Mode,
    ];

    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Reason::NotTls => "not_tls",
            Reason::NoName => "no_name",
            Reason::NotListed => "not_listed",
            Reason::OtherName => "other_name",
            Reason::OtherPort => "other_port",
            Reason::OtherProtocol => "other_protocol",
            Reason::ServerFirst => "server_first",
            Reason::Configured => "configured",
            Reason::NotTrusted => "not_trusted",
            Reason::NotCovered => "not_covered",
            Reason::Budget => "budget",
            Reason::Mode => "mode",
        }
    }
}

/// The protocols that a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offers {
    pub(crate) h1: bool,
    pub(crate) h2: bool,
}

/// A connection to be read.
pub(crate) struct Interception {
    pub(crate) service: &'static Service,
    pub(crate) offers: Offers,
    /// Who speaks, and to whom.
    pub(crate) client: Client,
    /// Held for as long as the connection is read.
    pub(crate) seat: Seat,
}

/// What becomes of a connection.
pub(crate) enum Verdict {
    /// Terminate it and read it.
    Intercept(Interception),
    /// Leave its bytes alone.
    Passthrough(Reason),
}

/// One of the connections that may be read at a time.
pub(crate) struct Seat(Rc<Cell<usize>>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// What is known about hosts.
pub(crate) struct Classifier {
    added: HashMap<String, &'static Service>,
    /// Whether anything is read at all.
    reads: bool,
    passthrough: HashSet<String>,
    covered: Box<dyn Fn(&str) -> bool>,
    policies: Arc<Policies>,
    pub(crate) learned: Arc<Learned>,
    /// Whether a client that refused us passes through. Otherwise it keeps failing.
    pub(crate) lets_go: bool,
    seats: Rc<Cell<usize>>,
}

impl Classifier {
    /// `covered` tells whether the certificate authority can vouch for a name.
    pub(crate) fn new(
        settings: &Settings,
        learned: Arc<Learned>,
        covered: Box<dyn Fn(&str) -> bool>,
        policies: Arc<Policies>,
    ) -> Classifier {
        Classifier {
            added: settings
                .added_hosts()
                .map(|host| {
                    let service = services::of_listed(&host);
                    (host, service)
                })
                .collect(),
            reads: !settings.in_part.reads_nothing,
            passthrough: settings.passthrough_hosts.iter().map(|host| plain(host)).collect(),
            covered,
            policies,
            learned,
            lets_go: settings.failure_policy == FailurePolicy::Open,
            seats: Rc::new(Cell::new(settings.max_intercepted)),
        }
    }

    /// The service of a listed name, in any case and with or without the root's dot.
    pub(crate) fn service(&self, host: &str) -> Option<&'static Service> {
        services::by_host(host).or_else(|| self.added.get(&plain(host)).copied())
    }

    /// Judges a whole ClientHello on its way to `to`.
    pub(crate) fn judge(&self, hello: &Accepted, to: &Destination) -> Verdict {
        let hello = hello.client_hello();
        let Some(name) = hello.server_name().map(plain) else { return Verdict::Passthrough(Reason::NoName) };
        let Some(service) = self.service(&name) else { return Verdict::Passthrough(Reason::NotListed) };
        if to.port != HTTPS {
            return Verdict::Passthrough(Reason::OtherPort);
        }
        if name != to.host && to.address().is_none() {
            return Verdict::Passthrough(Reason::OtherName);
        }
        let offers = match hello.alpn() {
            None => Offers { h1: true, h2: false },
            Some(names) => names.fold(Offers { h1: false, h2: false }, |offers, name| Offers {
                h1: offers.h1 || name == Protocol::H1_NAME,
                h2: offers.h2 || name == Protocol::H2_NAME,
            }),
        };
        if !(offers.h1 || offers.h2) {
            return Verdict::Passthrough(Reason::OtherProtocol);
        }
        if !self.reads || self.passthrough.contains(&name) {
            return Verdict::Passthrough(Reason::Configured);
        }
        if self.policies.mode() == Mode::Passthrough {
            return Verdict::Passthrough(Reason::Mode);
        }
        if !(self.covered)(&name) {
            return Verdict::Passthrough(Reason::NotCovered);
        }
        let client = Client::of(&hello, name);
        if self.lets_go && self.learned.refuses(&client) {
            return Verdict::Passthrough(Reason::NotTrusted);
        }
        match self.seats.get().checked_sub(1) {
            None => Verdict::Passthrough(Reason::Budget),
            Some(left) => {
                self.seats.set(left);
                Verdict::Intercept(Interception {
                    service,
                    offers,
                    client,
                    seat: Seat(Rc::clone(&self.seats)),
                })
            }
        }
    }
}

/// A name as it is compared.
pub(crate) fn plain(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;
    use rustls::server::Acceptor;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;
    use crate::downstream::learned::Refusal;
    use crate::policy::Source;
    use crate::tls::provider;

    fn hello(name: &str, alpn: &[&str]) -> Accepted {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        let mut acceptor = Acceptor::default();
        acceptor.read_tls(&mut bytes.as_slice()).unwrap();
        acceptor.accept().unwrap().unwrap()
    }

    fn classifier() -> Classifier {
        with_policy(FailurePolicy::Open)
    }

    fn with_policy(failure_policy: FailurePolicy) -> Classifier {
        let settings = Settings {
            failure_policy,
            hosts: vec!["Gateway.example.".to_owned()],
            passthrough_hosts: vec!["eu.api.openai.com".to_owned()],
            max_intercepted: 1,
            ..Settings::default()
        };
        let policies = Policies::open(None, Arc::new(outrigger_pricing::PriceBook::builtin().clone()));
        Classifier::new(&settings, Arc::default(), Box::new(|host| host != "jp.api.openai.com"), policies)
    }

    fn anywhere(port: u16) -> Destination {
        Destination { host: "203.0.113.10".to_owned(), port }
    }

    fn reason(verdict: Verdict) -> Option<Reason> {
        match verdict {
            Verdict::Intercept(_) => None,
            Verdict::Passthrough(reason) => Some(reason),
        }
    }

    #[test]
    fn only_listed_names_in_a_protocol_of_ours_are_read() {
        let classifier = classifier();
        let cases: [(&str, &[&str], u16, Option<Reason>); 10] = [
            ("api.openai.com", &[], 443, None),
            ("api.openai.com", &["h2", "http/1.1"], 443, None),
            ("gateway.example", &["http/1.1"], 443, None),
            ("api.openai.com", &["acme-tls/1"], 443, Some(Reason::OtherProtocol)),
            ("api.openai.com", &[], 8443, Some(Reason::OtherPort)),
            ("mtls.api.openai.com", &[], 443, Some(Reason::NotListed)),
            ("203.0.113.10", &[], 443, Some(Reason::NoName)),
            ("eu.api.openai.com", &[], 443, Some(Reason::Configured)),
            ("jp.api.openai.com", &[], 443, Some(Reason::NotCovered)),
            ("api.openai.com.evil.example", &[], 443, Some(Reason::NotListed)),
        ];
        for (name, alpn, port, expected) in cases {
            assert_eq!(
                reason(classifier.judge(&hello(name, alpn), &anywhere(port))),
                expected,
                "{name} {alpn:?}"
            );
        }
        let to = Destination { host: "api.anthropic.com".to_owned(), port: 443 };
        assert_eq!(reason(classifier.judge(&hello("api.openai.com", &[]), &to)), Some(Reason::OtherName));
    }

    #[test]
    fn past_the_budget_connections_pass_through_and_seats_come_back() {
        let classifier = classifier();
        let judge = || classifier.judge(&hello("api.openai.com", &[]), &anywhere(443));
        let first = judge();
        assert!(matches!(first, Verdict::Intercept(_)));
        assert_eq!(reason(judge()), Some(Reason::Budget));
        drop(first);
        assert_eq!(reason(judge()), None);
    }

    #[test]
    fn a_client_that_refused_us_passes_through_from_then_on() {
        let classifier = classifier();
        let judge = |alpn: &[&str]| classifier.judge(&hello("api.openai.com", alpn), &anywhere(443));
        let Verdict::Intercept(refused) = judge(&[]) else { panic!("it is listed") };
        assert!(
            classifier.learned.refused(&refused.client, Refusal::Certificate),
            "the first refusal is news"
        );
        drop(refused);
        assert_eq!(reason(judge(&[])), Some(Reason::NotTrusted));
        // Another TLS stack in the same pod is not judged by its neighbour.
        assert_eq!(reason(judge(&["h2"])), None);

        let classifier = with_policy(FailurePolicy::Closed);
        let judge = || classifier.judge(&hello("api.openai.com", &[]), &anywhere(443));
        let Verdict::Intercept(refused) = judge() else { panic!("it is listed") };
        classifier.learned.refused(&refused.client, Refusal::Certificate);
        drop(refused);
        assert_eq!(reason(judge()), None, "nothing goes unobserved by its client's choice");
    }

    #[test]
    fn nothing_is_read_where_nobody_knows_what_was_to_pass_through() {
        let mut settings = Settings::default();
        settings.in_part.reads_nothing = true;
        let policies = Policies::open(None, Arc::new(outrigger_pricing::PriceBook::builtin().clone()));
        let classifier = Classifier::new(&settings, Arc::default(), Box::new(|_| true), policies);
        let verdict = classifier.judge(&hello("api.openai.com", &[]), &anywhere(443));
        assert_eq!(reason(verdict), Some(Reason::Configured));
    }

    #[test]
    fn in_mode_passthrough_nothing_is_read_until_the_mode_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.yaml");
        std::fs::write(&path, "version: 1\nmode: passthrough\n").unwrap();
        let source = Source {
            path: path.clone(),
            private: None,
            allowed_providers: None,
            in_cluster: false,
            payable: Box::new(|_| Ok(())),
        };
        let book = Arc::new(outrigger_pricing::PriceBook::builtin().clone());
        let policies = Policies::open(Some(source), book);
        let settings = Settings::default();
        let classifier =
            Classifier::new(&settings, Arc::default(), Box::new(|_| true), Arc::clone(&policies));
        let judge = || reason(classifier.judge(&hello("api.openai.com", &[]), &anywhere(443)));
        assert_eq!(judge(), Some(Reason::Mode));
        std::fs::write(&path, "version: 1\n").unwrap();
        policies.reload();
        assert_eq!(judge(), None);
    }

    #[test]
    fn the_reasons_are_numbered_in_order() {
        for (number, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
        }
    }
}
