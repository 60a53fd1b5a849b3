//! The places that a call may be asked at, and the request as each is to have it. Per attempt.

use std::collections::VecDeque;
use std::sync::Arc;

use http::HeaderValue;
use http::header::ACCEPT_ENCODING;
use outrigger_ledger::Elsewhere;
use outrigger_providers::RequestFacts;
use outrigger_rules::Target;

use super::{Run, Turn, Wanted};
use crate::exchange::attempt::{self, Prepared};
use crate::exchange::say;
use crate::failover::plan::{self, Asked, Known, Way};
use crate::failover::{Admitted, Place};
use crate::tls::accept::Protocol;

impl Run<'_> {
    pub(super) fn as_addressed(&self) -> Prepared {
        let mut head = self.wanted.head.clone();
        if self.is_to_be_read() {
            head.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        Prepared {
            route: self.wanted.route.clone(),
            protocol: self.connection.protocol,
            recognised: *self.wanted.recognised,
            head,
            body: self.body.clone(),
            saying: None,
        }
    }

    /// The request for a backup, unless the whole call is over before it can be paid.
    pub(super) async fn in_time(&self, target: &Target) -> Result<Prepared, String> {
        let prepared = self.for_backup(target);
        match self.rule.deadlines.total.acting() {
            None => prepared.await,
            Some(total) => tokio::time::timeout_at(self.begun + total, prepared).await.unwrap_or_else(|_| {
                Err(format!("its credential did not come within the total of {total:?}"))
            }),
        }
    }

    /// The request as a backup is to have it, with what pays for it.
    async fn for_backup(&self, target: &Target) -> Result<Prepared, String> {
        let (head, own) = (self.wanted.head, &self.body);
        let facts = self.watch.asked();
        let asked = self.asked(&facts);
        let way = if self.follows {
            plan::as_it_is(&asked, target).map(Way::AsItIs)
        } else {
            plan::way(&asked, target)
        };
        let mut prepared = match way? {
            Way::AsItIs(endpoint) => {
                self.watch.show(|call| call.says_less(Vec::new()));
                attempt::for_backup(target, &endpoint, head, own)?
            }
            Way::Said(place) => {
                let (body, call) = (own.clone().bytes(), self.watch.id.to_string());
                let (said, saying) = say::request(&self.wanted, &facts, &body, place, self.known(), call)?;
                let losses = said.losses.iter().map(ToString::to_string).collect();
                self.watch.show(|call| call.says_less(losses));
                attempt::in_other_words(target, said, saying, head, own)?
            }
        };
        if self.goes_on {
            // What is to be said anew must be read.
            prepared.head.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let body = prepared.body.bytes();
        let credentials = &self.connection.shared.credentials;
        credentials.authorise(target, &mut prepared.head, &body).await.map_err(|unpaid| unpaid.text)?;
        Ok(prepared)
    }

    /// Says where the attempt goes.
    pub(super) fn announce(&self, turn: &Turn, prepared: &Prepared) {
        let at = self.watch.clock.now();
        let Turn::Backup(target) = turn else {
            // The first one began with the call.
            if self.attempts > 1 {
                self.watch.show(|call| call.attempt(None, at));
            }
            return;
        };
        let route = &prepared.route;
        self.watch.show(|call| {
            let elsewhere = Elsewhere {
                backup: &target.name,
                service: route.service,
                recognised: prepared.recognised,
                host: &route.target.host,
                port: route.target.port,
                path: route.path_and_query.path(),
                query: route.path_and_query.query(),
                http_version: Protocol::H1.version(),
                model: target.deployment.as_deref().or(target.model.as_deref()),
                deployed: target.deployment.as_ref().and(target.model.as_deref()),
            };
            call.attempt(Some(&elsewhere), at);
        });
    }

    pub(super) fn asked<'b>(&'b self, facts: &'b RequestFacts) -> Asked<'b> {
        let Wanted { route, recognised, readable, .. } = self.wanted;
        Asked {
            service: route.service,
            recognised,
            host: &route.target.host,
            path: route.path_and_query.path(),
            query: route.path_and_query.query(),
            facts,
            readable,
        }
    }

    pub(super) fn place(&self, turn: &Turn) -> Place {
        match turn {
            Turn::Addressed => self.addressed.clone(),
            Turn::Backup(target) => Place {
                host: Arc::clone(&target.host),
                model: target.deployment.clone().or(target.model.clone()).or(self.addressed.model.clone()),
            },
        }
    }

    /// The backups that can take the call and have not been asked.
    fn backups(&mut self) -> &mut VecDeque<Arc<Target>> {
        if self.backups.is_none() {
            let known = self.known();
            let left_out = |target: &Target, why: &str| {
                self.watch.show(|call| call.passed_over(&target.name, why));
            };
            let fitting = self.rule.failover.as_ref().map(|failover| {
                let facts = self.watch.asked();
                plan::fitting(failover, &self.asked(&facts), self.failed, known, left_out)
            });
            self.backups = Some(fitting.unwrap_or_default());
        }
        self.backups.get_or_insert_default()
    }

    pub(super) fn known(&self) -> Known<'_> {
        let book = self.connection.shared.records.book();
        Known { book, now: self.watch.clock.started().unix_seconds() }
    }

    pub(super) fn has_backup(&mut self) -> bool {
        self.rule.failover.is_some() && !self.backups().is_empty()
    }

    pub(super) fn next_backup(&mut self) -> Option<(Turn, Admitted)> {
        while let Some(target) = self.backups().pop_front() {
            let turn = Turn::Backup(target);
            match self.connection.shared.failovers.admit(self.rule, &self.place(&turn)) {
                Some(admitted) => return Some((turn, admitted)),
                None => {
                    if let Turn::Backup(target) = &turn {
                        self.watch.show(|call| call.left_alone(&target.name));
                    }
                }
            }
        }
        None
    }
}
