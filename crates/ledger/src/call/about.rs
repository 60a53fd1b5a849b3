//! What is known of a call from its first byte on, and how that and what was seen become a record. Per call.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use outrigger_pricing::{Atto, Charge, Completeness, Cost, PriceBook, Region, Tier, TokenUsage};
use outrigger_providers::{
    Addressed, FailureClass, Operation, Reading, Recognised, RequestFacts, Service, without_keys,
};

use crate::call::attempts::Moved;
use crate::call::estimate::{Calibrations, Model, Texts, cost_between};
use crate::call::verdict::Verdict;
use crate::call::{CallStart, End};
use crate::cause::is_good;
use crate::guard::{FAULT, guarded};
use crate::identity::{Candidates, tidy};
use crate::query::shown;
use crate::resets::resets;
use crate::{
    Accounted, Attempt, CallId, CallRecord, Deployments, Identity, Instrumented, KeyHint, Logical, Marks,
    Mode, Provenance, Resent, Routed, SpanContext, Times, Timestamp, Transport,
};

/// Who asks whom, and by which way. The responses of one WebSocket have it in common.
#[derive(Clone)]
pub(super) struct About {
    pub(super) id: CallId,
    pub(super) span: SpanContext,
    pub(super) instrumented: Option<Instrumented>,
    pub(super) service: &'static Service,
    pub(super) recognised: Recognised,
    pub(super) mode: Mode,
    pub(super) method: Method,
    pub(super) path: String,
    /// Its query, without what may be a secret.
    pub(super) query: Option<String>,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) peer: Option<SocketAddr>,
    pub(super) http_version: &'static str,
    pub(super) identity: Candidates,
    pub(super) key: Option<KeyHint>,
    /// What stands behind names that the customer gave; nothing is known without it.
    pub(super) deployments: Option<Arc<Deployments>>,
    /// Attempts before the last one, each with its answer.
    pub(super) earlier: Vec<Attempt>,
    /// When the one under way began, if not with the call.
    pub(super) begun: Option<Timestamp>,
    /// Where it went, while that is not where the app addressed the call.
    pub(super) elsewhere: Option<Box<Moved>>,
    /// What a rule had to do with the call.
    pub(super) routed: Option<Box<Routed>>,
    /// Whether the app gets the answer of an attempt that is over.
    pub(super) given: bool,
    /// When the app hung up, if more was read behind that.
    pub(super) hung_up: Option<Timestamp>,
    /// Why the provider was not asked for a usage that the app did not ask for.
    pub(super) not_asked: Option<&'static str>,
    pub(super) resent: Resent,
    /// What reported calls have taught.
    pub(super) calibrations: Option<Arc<Calibrations>>,
}

/// A response's head, as far as a record needs it.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    /// The headers that a verdict needs, and no others.
    pub(super) headers: HeaderMap,
    request_id: Option<String>,
    /// When the provider says that it answers again.
    pub(super) resets: Option<Timestamp>,
}

/// What was seen of one call.
pub(super) struct Seen<'a> {
    pub(super) operation: Operation,
    pub(super) facts: RequestFacts,
    pub(super) reading: Reading,
    /// Its texts, where both bodies were read.
    pub(super) texts: Option<Texts>,
    /// Whether a fault of ours kept something from being seen.
    pub(super) fault: bool,
    pub(super) marks: Marks,
    pub(super) head: Option<&'a Head>,
    pub(super) times: Times,
    pub(super) transport: Transport,
    pub(super) end: End,
}

impl Head {
    pub(super) fn new(service: &Service, status: StatusCode, headers: &HeaderMap, at: Timestamp) -> Head {
        let kind = headers.get(CONTENT_TYPE).map(|value| (CONTENT_TYPE, value.clone()));
        Head {
            status,
            headers: kind.into_iter().collect(),
            request_id: headers
                .get(service.request_id_header)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| tidy(value.to_owned())),
            resets: if is_good(status) { None } else { resets(headers, at) },
        }
    }
}

impl About {
    pub(super) fn new(start: CallStart<'_>) -> About {
        let span = SpanContext::for_call(start.id, start.headers, start.identity.propagators());
        let key = start
            .service
            .credential(start.headers, start.query)
            .filter(|credential| !credential.secret.is_empty())
            .as_ref()
            .map(KeyHint::of);
        About {
            id: start.id,
            identity: Candidates::of_head(start.headers, &span, start.identity),
            instrumented: span.parent_span_id.and_then(|_| Instrumented::of(start.headers)),
            span,
            service: start.service,
            recognised: start.recognised,
            mode: start.mode,
            method: start.method.clone(),
            path: without_keys(start.path).into_owned(),
            query: start.query.map(shown),
            host: start.host.to_owned(),
            port: start.port,
            peer: None,
            http_version: start.http_version,
            resent: Resent::of_head(&start, key.as_ref().map(|key| key.fingerprint.as_str())),
            key,
            deployments: None,
            earlier: Vec::new(),
            begun: None,
            elsewhere: None,
            routed: None,
            given: false,
            hung_up: None,
            not_asked: None,
            calibrations: None,
        }
    }

    /// What is known of the attempt under way.
    pub(super) fn attempt(
        &self,
        times: &Times,
        status: Option<StatusCode>,
        (class, error_type): (Option<FailureClass>, Option<String>),
    ) -> Attempt {
        let number = self.earlier.len() + 1;
        Attempt {
            span_id: self.id.derived(&format!("attempt {number}")),
            number: number as u32,
            provider: self.service.id,
            host: self.host.clone(),
            port: self.port,
            peer: self.peer,
            path: self.path.clone(),
            query: self.query.clone(),
            model: self.elsewhere.as_ref().and_then(|moved| moved.model.clone()),
            backup: self.elsewhere.as_ref().map(|moved| Arc::clone(&moved.backup)),
            method: self.method.as_str().to_owned(),
            http_version: self.http_version,
            status: status.map(|status| status.as_u16()),
            class,
            error_type,
            started: self.begun.unwrap_or(times.started),
            ended: times.ended,
            used: None,
        }
    }

    /// The record. If judging what was seen fails by a fault of ours, it says what is known without a judgement.
    pub(super) fn record(&self, mut seen: Seen<'_>, book: &PriceBook) -> CallRecord {
        let identity = guarded(|| self.identity.with_body(&mut seen.facts));
        if identity.is_none() {
            // Who it is has not been made fit for a record there.
            (seen.facts.names, seen.facts.conversation) = Default::default();
        }
        let judged = guarded(|| self.judge(&mut seen, book));
        seen.fault |= identity.is_none() || judged.is_none();
        let judgement = judged.unwrap_or_else(|| Judgement::withheld(&seen.end));
        self.assemble(seen, identity.unwrap_or_default(), judgement, book)
    }

    /// What the address says that the app asked: what is asked for stands there, wherever the call goes.
    pub(super) fn addressed(&self) -> Addressed {
        match &self.elsewhere {
            Some(moved) => (moved.origin.service.addressed)(&moved.origin.host, &moved.origin.path),
            None => (self.service.addressed)(&self.host, &self.path),
        }
    }

    /// What an attempt used, and what that costs.
    pub(super) fn used(&self, seen: &mut Seen<'_>, book: &PriceBook) -> (Accounted, Cost) {
        let Judgement { verdict, cost, .. } = self.judge(seen, book);
        (verdict.tokens, cost)
    }

    fn judge(&self, seen: &mut Seen<'_>, book: &PriceBook) -> Judgement {
        let addressed = (self.service.addressed)(&self.host, &self.path);
        let asked = self.elsewhere.is_some().then(|| self.addressed());
        seen.facts = asked.as_ref().unwrap_or(&addressed).complete(std::mem::take(&mut seen.facts));
        let mut verdict = self.verdict(seen);
        let tier = seen.reading.tier.unwrap_or_default();
        let region = if seen.reading.resident { Region::Resident } else { addressed.region };
        let deployed = self.deployed(&seen.facts);
        self.settle(&mut verdict.tokens, seen, deployed.as_deref(), book);
        let price = |tokens: &Accounted| {
            self.cost(tokens, seen, (tier, region), &addressed, deployed.as_deref(), book)
        };
        let cost = price(&verdict.tokens);
        let between = cost_between(&verdict.tokens, |usage| {
            let priced = price(&Accounted { usage: *usage, ..verdict.tokens.clone() });
            priced.total.filter(|_| priced.completeness == Completeness::Estimated)
        });
        Judgement { verdict, deployed, tier, region, cost, between }
    }

    /// Estimates what was not reported, by the model that the price goes by too.
    fn settle(&self, tokens: &mut Accounted, seen: &Seen<'_>, deployed: Option<&str>, book: &PriceBook) {
        let name = deployed.or(seen.reading.model.as_deref()).or(self.asked(&seen.facts)).unwrap_or("");
        let seller = book.seller(self.service.id, &self.host);
        let model = Model { name, facts: book.facts(seller, name, seen.times.started.unix_seconds()) };
        match &self.calibrations {
            Some(calibrations) => calibrations.settle(tokens, seen, &model),
            None => Calibrations::default().settle(tokens, seen, &model),
        }
    }

    fn assemble(
        &self,
        seen: Seen<'_>,
        identity: Identity,
        judgement: Judgement,
        book: &PriceBook,
    ) -> CallRecord {
        let Judgement { mut verdict, deployed, tier, region, mut cost, between } = judgement;
        let Seen { operation, facts, reading, marks, fault, head, times, transport, .. } = seen;
        let status = head.map(|head| head.status);
        let error_type = verdict.cause.as_ref().map(|cause| match status {
            Some(status) if !is_good(status) => status.as_str().to_owned(),
            _ => cause.error_type.clone(),
        });
        let class = verdict.cause.as_ref().map(|cause| cause.class);
        let mut attempts = self.earlier.clone();
        let mut routed = self.routed.clone();
        if !self.given {
            attempts.push(self.attempt(&times, status, (class, error_type)));
            if let Some(routed) = &mut routed {
                routed.serving = attempts.len() as u32;
            }
        }
        // What the app is told of an answer that began and failed is no answer of its own.
        let serving = routed.as_ref().filter(|_| self.given).map(|routed| routed.serving);
        let given = attempts.iter_mut().find(|attempt| Some(attempt.number) == serving);
        if let Some(used) = given.and_then(|attempt| attempt.used.take())
            && head.is_none()
        {
            (verdict.tokens, cost) = (used.tokens, used.cost);
        }
        for attempt in attempts.iter_mut().filter(|attempt| attempt.model.is_none()) {
            attempt.model.clone_from(&facts.model);
        }
        CallRecord {
            id: self.id,
            span: self.span,
            instrumented: self.instrumented,
            mode: self.mode,
            provider: self.service.id,
            otel_provider: self.service.otel_name,
            dialect: self.recognised.dialect.name(),
            api_type: self.recognised.dialect.api_type(),
            operation,
            identity,
            key: self.key.clone(),
            served_model: reading.model.and_then(tidy),
            deployed_model: deployed,
            served_tier: reading.tier_word.and_then(tidy),
            system_fingerprint: reading.system_fingerprint.and_then(tidy),
            response_id: reading.response_id.and_then(tidy),
            request_id: head.and_then(|head| head.request_id.clone()),
            finish_reasons: verdict.finish_reasons,
            facts,
            tokens: verdict.tokens,
            tier,
            region,
            cost,
            cost_between: between,
            reported_cost: reading.reported_cost,
            price_book: Arc::clone(book.hash()),
            outcome: verdict.outcome,
            cause: verdict.cause,
            verdicts: Vec::new(),
            fault,
            times,
            transport,
            attempts,
            routed,
            logical: Logical::alone(self.id),
            chain: None,
            chunk_times: None,
            content: None,
            marks,
        }
    }

    /// The model that was asked for where the attempt went.
    pub(super) fn asked<'a>(&'a self, facts: &'a RequestFacts) -> Option<&'a str> {
        let other = self.elsewhere.as_ref().and_then(|moved| moved.model.as_deref());
        other.or(facts.model.as_deref())
    }

    /// The model behind the deployment that was asked for, where a setting names it.
    fn deployed(&self, facts: &RequestFacts) -> Option<String> {
        if let Some(deployed) = self.elsewhere.as_ref().and_then(|moved| moved.deployed.as_ref()) {
            return Some(deployed.clone());
        }
        let name = self.asked(facts).filter(|name| (self.service.is_deployment)(name))?;
        self.deployments.as_ref()?.model(&self.host, name).map(str::to_owned)
    }

    fn cost(
        &self,
        tokens: &Accounted,
        seen: &Seen<'_>,
        (tier, region): (Tier, Region),
        addressed: &Addressed,
        deployed: Option<&str>,
        book: &PriceBook,
    ) -> Cost {
        let reading = &seen.reading;
        if tokens.usage == TokenUsage::ZERO && tokens.provenance.is_reported() {
            // Nothing was used, whatever the model costs.
            let total = Some(Atto::ZERO);
            return Cost { total, lines: Vec::new(), completeness: Completeness::Exact, reasons: Vec::new() };
        }
        let asked = self.asked(&seen.facts);
        let Some(model) = deployed.or(reading.model.as_deref()).or(asked) else {
            return Cost::unpriced("neither request nor response names a model".to_owned());
        };
        // The name of a deployment says nothing, even where it looks like that of a model.
        if deployed.is_none() && reading.model.is_none() && (self.service.is_deployment)(model) {
            return Cost::unpriced(format!(
                "`{model}` is a deployment, and the answer names no model: say what stands behind it by the setting `deployments`"
            ));
        }
        let mut cost = book.cost(&Charge {
            provider: book.seller(self.service.id, &self.host),
            model,
            at: seen.times.started.unix_seconds(),
            tier,
            region,
            route: None,
            variant: None,
            usage: &tokens.usage,
        });
        let doubts = [
            tokens.reason.filter(|_| !tokens.provenance.is_reported()),
            (reading.model.is_none() && addressed.model.is_none() && deployed.is_none())
                .then_some("the answer names no model: priced as the one asked for"),
        ];
        if cost.total.is_some() {
            for (at, doubt) in doubts.into_iter().enumerate() {
                let Some(doubt) = doubt else { continue };
                let estimated = at == 0 && tokens.provenance == Provenance::Estimated;
                // A price that lacks something lacks it for an estimate too.
                cost.completeness = match cost.completeness {
                    Completeness::Exact | Completeness::Fallback if estimated => Completeness::Estimated,
                    _ => Completeness::Partial,
                };
                cost.reasons.push(doubt.to_owned());
            }
        }
        cost
    }
}

/// What is concluded from what was seen.
struct Judgement {
    verdict: Verdict,
    /// The model that the operator says is deployed there.
    deployed: Option<String>,
    tier: Tier,
    region: Region,
    cost: Cost,
    between: Option<(Atto, Atto)>,
}

impl Judgement {
    /// Nothing is concluded, but that an app that hung up has done so.
    fn withheld(end: &End) -> Judgement {
        Judgement {
            verdict: Verdict::withheld(end),
            deployed: None,
            tier: Tier::Unknown,
            region: Region::default(),
            cost: Cost::unpriced(FAULT.to_owned()),
            between: None,
        }
    }
}

/// Texts that are kept of a list in a request, and bytes of each: no provider takes more of them.
const LIST: usize = 16;
const LIST_TEXT: usize = 64;

/// A text that may well be a line break, which must stay one.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LIST_TEXT));
    text
}

/// What a request said, its free texts made fit for a record.
pub(super) fn tidied(facts: RequestFacts) -> RequestFacts {
    RequestFacts {
        model: facts.model.and_then(tidy),
        reasoning_level: facts.reasoning_level.and_then(tidy),
        tier_word: facts.tier_word.and_then(tidy),
        previous_response_id: facts.previous_response_id.and_then(tidy),
        conversation: facts.conversation.and_then(tidy),
        stop_sequences: facts.stop_sequences.into_iter().take(LIST).map(cut).collect(),
        encoding_formats: facts.encoding_formats.into_iter().take(LIST).filter_map(tidy).collect(),
        prompt_template: facts
            .prompt_template
            .and_then(|(id, version)| Some((tidy(id)?, version.and_then(tidy)))),
        guardrail: facts.guardrail.and_then(tidy),
        ..facts
    }
}
