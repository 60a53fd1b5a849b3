//! A call that goes on with an answer of a backup's by its id: only that place knows it. Per answer of a backup, and per call that names
//! one.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use http::Response;
use outrigger_ledger::response_id;
use outrigger_providers::FailureClass;
use outrigger_rules::Target;

use super::give::calm;
use super::{Run, Turn};
use crate::exchange::body::{RelayedBody, pieces};
use crate::exchange::failed;
use crate::exchange::relay::Came;
use crate::failover::given::Given;
use crate::failover::plan;
use crate::upstream::DialError;

const LED: &str = "it goes on with an answer that a backup gave, which no other place knows";

impl Run<'_> {
    /// Remembers the id of a backup's answer, where the app may name it later.
    pub(super) fn remember(&self, target: &Arc<Target>, came: &Came) {
        let recognised = self.wanted.recognised;
        if !recognised.dialect.keeps_answers() {
            return;
        }
        let id = match &came.anew {
            Some(said) => said.id.clone(),
            None => {
                let (status, headers) = (came.sent.response.status(), came.sent.response.headers());
                response_id(recognised, status, headers, pieces(&came.ahead))
            }
        };
        if let Some(id) = id {
            let given = Given { by: Arc::clone(target), is_kept: came.anew.is_none() };
            self.connection.shared.failovers.gifts.note(&id, given);
        }
    }

    /// Who gave the answer that the call goes on with, if it was a backup.
    pub(super) fn gone_on_with(&self) -> Option<Given> {
        let gifts = &self.connection.shared.failovers.gifts;
        // Else it need not be read before it is sent.
        if gifts.is_empty() || !self.wanted.recognised.dialect.keeps_answers() {
            return None;
        }
        gifts.of(self.watch.asked().previous_response_id.as_deref()?)
    }

    /// Asks whoever gave that answer, and nobody else: all others would know nothing of it.
    pub(super) async fn follow(mut self, given: Given) -> Response<RelayedBody> {
        self.watch.show(|call| call.hindered(LED));
        let (by, provider) = (&given.by.name, given.by.provider.id);
        let said = format!("this call goes on with an answer that the backup {by} ({provider}) gave");
        let target = match self.led_to(&given) {
            Ok(target) => target,
            Err(why) => {
                let text = format!("{said}: {why}; send the conversation so far as input");
                return self.refuse(FailureClass::InvalidRequest, text);
            }
        };
        (self.follows, self.backups) = (true, Some(VecDeque::new()));
        let turn = Turn::Backup(target);
        let failovers = &self.connection.shared.failovers;
        let place = self.place(&turn);
        let admitted =
            failovers.admit(self.rule, &place).unwrap_or_else(|| failovers.insist(self.rule, &place));
        if let Some((came, leave)) = self.at(&turn, admitted).await {
            return self.give(&turn, came, leave);
        }
        self.watch.show(|call| call.give(true));
        match self.failed {
            Some(class) => self.refuse(class, format!("{said}, and it failed there: {}", class.as_str())),
            None => self.refuse(FailureClass::Other, format!("{said}, and it cannot be asked now")),
        }
    }

    /// The place that keeps the answer, as the rule has it now. Why the call cannot go there, in plain words.
    fn led_to(&self, given: &Given) -> Result<Arc<Target>, String> {
        if !given.is_kept {
            return Err("it was written anew in this format, and nobody keeps it".to_owned());
        }
        let is_it = |target: &&Arc<Target>| {
            let (now, then) = (target, &given.by);
            (now.provider.id, &now.host, &now.credential) == (then.provider.id, &then.host, &then.credential)
        };
        let failover = self.rule.failover.as_ref();
        let found = failover.and_then(|failover| Some((failover, failover.to.iter().find(is_it)?)));
        let Some((failover, target)) = found else {
            return Err(format!("the rule {} lets no call go there", self.rule.name));
        };
        match plan::unled(failover, &self.asked(&self.watch.asked()), target, self.known()) {
            Some(why) => Err(why),
            None => Ok(Arc::clone(target)),
        }
    }

    fn refuse(self, class: FailureClass, text: String) -> Response<RelayedBody> {
        let recognised = self.wanted.recognised;
        let status = recognised.dialect.error_status(class);
        let error = DialError { class, text };
        let mut response = failed(recognised, Some(Rc::clone(self.watch)), error, status);
        calm(response.status(), response.headers_mut());
        response
    }
}
