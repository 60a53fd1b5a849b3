//! Makes the streams of apps that did not ask tell what they used: the question is added when a request leaves, and its
//! traces are taken out of the answer (`rewritten`). Where that cannot be done for certain nothing is changed. Per request.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, request};
use http_body::Body;
use hyper::body::Incoming;
use memchr::memchr2_iter;
use outrigger_providers::include_usage::{Ask, UsageStrip, ask, is_refusal};
use outrigger_providers::{Recognised, StreamedUsage, is_encoded};

use crate::exchange::body::{Ahead, bytes_of, read_refusal};
use crate::exchange::forwarded::{ForwardedBody, HeldBody, ReadBody, Share};
use crate::exchange::request::Route;
use crate::exchange::watch::Watch;

/// The longest body that is held until it is known what it asks; a prompt with a few images is shorter.
const LONGEST: usize = 4 * 1024 * 1024;
/// All bodies that are held at a time.
const TOGETHER: usize = 32 * 1024 * 1024;
/// What one body may take, and all.
pub(crate) const LIMITS: (usize, usize) = (LONGEST, TOGETHER);
/// So many hosts are remembered; one more, and all are forgotten.
const HOSTS: usize = 256;

/// Parts of the names of headers that vouch for a body's bytes.
const DIGESTS: [&str; 4] = ["digest", "sha256", "md5", "signature"];

const SIGNED: &str = "the app did not ask for the usage, and the request is signed";
const ENCODED: &str = "the app did not ask for the usage, and the request is encoded";
const TOO_LONG: &str = "the app did not ask for the usage, and the request is too long to be changed";
const UNCLEAR: &str = "the app did not ask for the usage, and the request could not be read for certain";
const REFUSED: &str = "the app did not ask for the usage, and the provider refuses to be asked";

/// What a host made of the question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Answers,
    Refuses,
}

/// What the requests of the process have in common.
pub(crate) struct IncludeUsage {
    on: bool,
    hosts: RefCell<HashMap<Rc<str>, Standing>>,
    held: Rc<Cell<usize>>,
}

/// A request that asks although its app did not, as it was before.
pub(crate) struct Asked {
    head: request::Parts,
    body: HeldBody,
    host: Rc<str>,
    /// Whether the host is known to answer.
    usual: bool,
}

/// What became of the question.
pub(crate) enum Answered {
    /// A stream out of which its traces are to be taken.
    Stream(Box<UsageStrip>),
    /// Something in which there are none; these frames of it have been read.
    Otherwise(Ahead),
}

/// It was taken for an error, so the request is to be sent without it. Whether the answer was read to its end.
pub(crate) struct Refused {
    pub(crate) whole: bool,
}

impl IncludeUsage {
    pub(crate) fn new(on: bool) -> IncludeUsage {
        IncludeUsage { on, hosts: RefCell::default(), held: Rc::default() }
    }

    /// The request as it leaves: with the question, where its app did not ask and it may be added.
    pub(crate) async fn prepare(
        &self,
        route: &Route,
        recognised: &Recognised,
        head: request::Parts,
        body: Incoming,
        watch: Option<&Rc<Watch>>,
        sent: &Rc<Cell<bool>>,
    ) -> (Request<ForwardedBody>, Option<Asked>) {
        let concerned = self.concerns(route, recognised, watch);
        let length = body.size_hint().lower();
        let hindrance = if concerned { self.hindrance(route, &head.headers, length) } else { None };
        note(watch, hindrance);
        if !concerned || hindrance.is_some() {
            let body = ForwardedBody::new(body, watch.cloned(), Rc::clone(sent));
            return (Request::from_parts(head, body), None);
        }
        match ReadBody::read(body, self.share(), LIMITS, watch).await.whole() {
            Ok(whole) => self.question(route, head, whole, watch, sent),
            Err(part) => {
                note(watch, Some(TOO_LONG));
                let body = part.forwarded(watch.cloned(), Rc::clone(sent));
                (Request::from_parts(head, body), None)
            }
        }
    }

    /// The same for a body that is held.
    pub(crate) fn prepare_held(
        &self,
        route: &Route,
        recognised: &Recognised,
        head: request::Parts,
        body: HeldBody,
        watch: Option<&Rc<Watch>>,
        sent: &Rc<Cell<bool>>,
    ) -> (Request<ForwardedBody>, Option<Asked>) {
        let concerned = self.concerns(route, recognised, watch);
        let hindrance = if concerned { self.hindrance(route, &head.headers, 0) } else { None };
        note(watch, hindrance);
        if !concerned || hindrance.is_some() {
            return (Request::from_parts(head, body.forwarded(watch.cloned(), Rc::clone(sent))), None);
        }
        self.question(route, head, body, watch, sent)
    }

    /// A part of what may be held together.
    pub(crate) fn share(&self) -> Share {
        Share::of(&self.held)
    }

    fn concerns(&self, route: &Route, recognised: &Recognised, watch: Option<&Rc<Watch>>) -> bool {
        self.on
            && watch.is_some()
            && recognised.dialect.has_include_usage()
            && route.service.streamed_usage != StreamedUsage::Unasked
    }

    fn question(
        &self,
        route: &Route,
        mut head: request::Parts,
        mut whole: HeldBody,
        watch: Option<&Rc<Watch>>,
        sent: &Rc<Cell<bool>>,
    ) -> (Request<ForwardedBody>, Option<Asked>) {
        let bytes = whole.bytes();
        let edit = match ask(&bytes) {
            Ask::With(edit) => edit,
            other => {
                note(watch, (other == Ask::Unclear).then_some(UNCLEAR));
                let body = whole.forwarded(watch.cloned(), Rc::clone(sent));
                return (Request::from_parts(head, body), None);
            }
        };
        let asked = Asked {
            head: head.clone(),
            body: whole.clone(),
            host: Rc::clone(&route.target.host),
            usual: route.service.streamed_usage == StreamedUsage::WhenAsked
                || self.standing(&route.target.host) == Some(Standing::Answers),
        };
        let length = bytes.len() - edit.out.len() + edit.within.len();
        if head.headers.contains_key(CONTENT_LENGTH) {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        // What is taken out must be read, and what the app did not ask for cannot be decoded for it.
        head.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let within = Bytes::from_static(edit.within);
        let body = whole.with([bytes.slice(..edit.out.start), within, bytes.slice(edit.out.end..)]);
        (Request::from_parts(head, body.forwarded(watch.cloned(), Rc::clone(sent))), Some(asked))
    }

    /// Why a request may not be changed, as far as its head tells.
    fn hindrance(&self, route: &Route, headers: &HeaderMap, length: u64) -> Option<&'static str> {
        if self.standing(&route.target.host) == Some(Standing::Refuses) {
            Some(REFUSED)
        } else if is_signed(headers, route.path_and_query.query()) {
            Some(SIGNED)
        } else if is_encoded(headers) {
            Some(ENCODED)
        } else if length > LONGEST as u64 {
            Some(TOO_LONG)
        } else {
            None
        }
    }

    fn standing(&self, host: &str) -> Option<Standing> {
        self.hosts.borrow().get(host).copied()
    }

    fn learn(&self, host: &Rc<str>, standing: Standing) {
        let mut hosts = self.hosts.borrow_mut();
        if hosts.len() >= HOSTS && !hosts.contains_key(host) {
            hosts.clear();
        }
        hosts.insert(Rc::clone(host), standing);
    }

    /// What an answer says to the question. Its head is made fit for a body of another length.
    pub(crate) async fn answered(
        &self,
        asked: &Asked,
        response: &mut Response<Incoming>,
    ) -> Result<Answered, Refused> {
        let headers = response.headers();
        let encoded = is_encoded(headers);
        if is_refusing(response.status()) {
            let (ahead, whole) =
                if encoded { (Ahead::new(), false) } else { read_refusal(response.body_mut(), None).await };
            return if is_refusal(&bytes_of(&ahead)) || !asked.usual {
                Err(Refused { whole })
            } else {
                Ok(Answered::Otherwise(ahead))
            };
        }
        let streamed =
            headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if !response.status().is_success() || !streamed {
            return Ok(Answered::Otherwise(Ahead::new()));
        }
        if encoded {
            tracing::warn!(
                host = &*asked.host,
                "a stream came compressed although that was not asked for: its app sees the usage that was; \
                 this host is not asked again"
            );
            self.learn(&asked.host, Standing::Refuses);
            return Ok(Answered::Otherwise(Ahead::new()));
        }
        if !asked.usual {
            self.learn(&asked.host, Standing::Answers);
        }
        let headers = response.headers_mut();
        let digests: Vec<_> = headers.keys().filter(|name| vouches(name.as_str())).cloned().collect();
        for name in digests.iter().chain([&CONTENT_LENGTH]) {
            headers.remove(name);
        }
        Ok(Answered::Stream(Box::default()))
    }

    /// How the request fared without the question: if better, the host is not asked again.
    pub(crate) fn fared(&self, host: &Rc<str>, status: StatusCode, watch: Option<&Rc<Watch>>) {
        if !is_refusing(status) {
            tracing::info!(
                host = &**host,
                "the provider refuses stream_options.include_usage; it is not added for this host any more"
            );
            self.learn(host, Standing::Refuses);
            note(watch, Some(REFUSED));
        }
    }
}

impl Asked {
    pub(crate) const fn host(&self) -> &Rc<str> {
        &self.host
    }

    /// The request as its app sent it.
    pub(crate) fn without(self, sent: &Rc<Cell<bool>>) -> Request<ForwardedBody> {
        sent.set(false);
        Request::from_parts(self.head, self.body.forwarded(None, Rc::clone(sent)))
    }
}

fn note(watch: Option<&Rc<Watch>>, why: Option<&'static str>) {
    if let (Some(watch), Some(why)) = (watch, why) {
        watch.show(|call| call.usage_not_asked(why));
    }
}

/// Statuses with which a field is refused that a server does not know.
const fn is_refusing(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY)
}

/// Whether a signature or a digest may cover the body.
pub(super) fn is_signed(headers: &HeaderMap, query: Option<&str>) -> bool {
    let has = |text: &[u8], word: &[u8]| {
        let mut begins = memchr2_iter(word[0], word[0].to_ascii_uppercase(), text);
        begins.any(|at| text[at..].get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word)))
    };
    headers.keys().any(|name| vouches(name.as_str()))
        || headers.get_all(AUTHORIZATION).iter().any(|value| {
            let value = value.as_bytes();
            value.starts_with(b"AWS4-") || has(value, b"signature") || has(value, b"hmac")
        })
        || query.is_some_and(|query| has(query.as_bytes(), b"signature="))
}

fn vouches(name: &str) -> bool {
    // Most names have none of their beginnings in them.
    let mut pairs = name.as_bytes().windows(2);
    pairs.any(|two| DIGESTS.iter().any(|digest| digest.as_bytes()[..2] == *two))
        && DIGESTS.iter().any(|digest| name.contains(digest))
}
