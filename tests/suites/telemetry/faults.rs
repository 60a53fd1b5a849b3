//! The catalogue of faults: each made by the simulator before a real sidecar, each named within seconds by the verdict of the
//! README's table and by no other; and traffic that is well, of which nothing is said.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use outrigger_simulator::{Answer, Certificate, Config, Cut, ErrorKind, Rule, Script, Simulator};
use outrigger_tests::http::{free_address, post};
use outrigger_tests::otlp::{Received, Receiver};
use outrigger_tests::sidecar::{Sidecar, Volumes};
use outrigger_tests::{DEADLINE, file};
use serde_json::{Value, json};

use crate::KEY;

/// From the first sign to the verdict.
const SECONDS_TO_THE_CAUSE: Duration = Duration::from_secs(5);

/// Nothing for so long in the middle of a stream is the first sign that it has stopped.
const SILENCE: Duration = Duration::from_secs(20);

/// How many faults are made at a time.
const AT_A_TIME: usize = 6;

/// One call of an app.
#[derive(Clone)]
struct Ask {
    provider: &'static str,
    key: &'static str,
    stream: bool,
    /// Whether it is a response over a WebSocket.
    socket: bool,
}

const OPENAI: Ask = Ask { provider: "openai", key: KEY, stream: false, socket: false };
const STREAM: Ask = Ask { stream: true, ..OPENAI };
const SOCKET: Ask = Ask { socket: true, ..OPENAI };
const ANTHROPIC: Ask = Ask { provider: "anthropic", ..OPENAI };
const GEMINI: Ask = Ask { provider: "gemini", ..OPENAI };
const GROQ: Ask = Ask { provider: "groq", ..OPENAI };
const COHERE: Ask = Ask { provider: "cohere", ..OPENAI };

/// A key that no simulator accepts.
const WRONG: &str = "sk-mistyped-5566778899-qrstuvwx";

/// Keys that no simulator accepts either, and that another provider makes.
const OF_ANTHROPIC: &str = "sk-ant-api03-5566778899-qrstuvwx";
const OF_OPENAI: &str = "sk-proj-5566778899-qrstuvwx";

impl Ask {
    /// The host that the provider is known by.
    fn host(&self) -> &'static str {
        match self.provider {
            "anthropic" => "api.anthropic.com",
            "gemini" => "generativelanguage.googleapis.com",
            "groq" => "api.groq.com",
            "cohere" => "api.cohere.com",
            _ => "api.openai.com",
        }
    }

    /// Makes the call; its status, 0 where none came.
    fn call(&self, sidecar: SocketAddr) -> u16 {
        if self.socket {
            return self.over_socket(sidecar).unwrap_or(0);
        }
        let text = "When does the tide turn?";
        let messages = json!([{"role": "user", "content": text}]);
        let bearer = format!("Bearer {}", self.key);
        let bearer: &[(&str, &str)] = &[("Authorization", &bearer)];
        let (path, headers, body): (_, &[(&str, &str)], _) = match self.provider {
            "anthropic" => (
                "/anthropic/v1/messages",
                &[("x-api-key", self.key), ("anthropic-version", "2023-06-01")],
                json!({"model": "claude-sonnet-5-5", "max_tokens": 64, "messages": messages, "stream": self.stream}),
            ),
            "gemini" => (
                "/gemini/v1beta/models/gemini-3.5-flash:generateContent",
                &[("x-goog-api-key", self.key)],
                json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
            ),
            "groq" => (
                "/groq/openai/v1/chat/completions",
                bearer,
                json!({"model": "llama-3.3-70b-versatile", "messages": messages}),
            ),
            "cohere" => {
                ("/cohere/v2/chat", bearer, json!({"model": "command-a-03-2025", "messages": messages}))
            }
            _ => (
                "/openai/v1/chat/completions",
                bearer,
                json!({"model": "gpt-5-mini", "messages": messages, "stream": self.stream}),
            ),
        };
        let headers = if self.key.is_empty() { &[][..] } else { headers };
        post(sidecar, path, headers, &body).map_or(0, |(status, _)| status)
    }

    /// Makes the call on a WebSocket of its own; 200 once its response is over.
    fn over_socket(&self, sidecar: SocketAddr) -> std::io::Result<u16> {
        let mut app = TcpStream::connect(sidecar)?;
        app.set_read_timeout(Some(DEADLINE))?;
        write!(
            app,
            "GET /openai/v1/responses HTTP/1.1\r\nHost: {sidecar}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {}\r\n\r\n",
            self.key
        )?;
        let event =
            json!({"type": "response.create", "model": "gpt-5-mini", "input": "Which tide?"}).to_string();
        let length = u8::try_from(event.len()).expect("a short message");
        // An app's messages are masked, this one by zeros.
        app.write_all(&[&[0x81, 0x80 | length, 0, 0, 0, 0], event.as_bytes()].concat())?;
        let (mut heard, mut buffer) = (Vec::<u8>::new(), [0; 4096]);
        let over = b"\"response.completed\"";
        while !heard.windows(over.len()).any(|words| words == over) {
            match app.read(&mut buffer)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => heard.extend(&buffer[..read]),
            }
        }
        Ok(200)
    }
}

/// What the provider, or the way to it, does.
#[derive(Default)]
struct Weather {
    rules: Vec<Rule>,
    certificate: Certificate,
    /// Whether the sidecar is told which authority vouches for the provider.
    distrusted: bool,
    /// Whether nobody listens where the providers should be.
    away: bool,
    /// Whether the way there has a name that nobody knows.
    nameless: bool,
}

/// One row of the catalogue.
struct Fault {
    name: &'static str,
    verdict: &'static str,
    weather: Weather,
    /// Calls that are well before it, all at once.
    before: Vec<Ask>,
    /// Calls that show it.
    asks: Vec<Ask>,
    /// Whether these are made all at once: each takes long.
    together: bool,
    /// Whether they end only with the test, and the first sign is that they fell silent 20 s ago.
    silent: bool,
    /// Whether an app comes that trusts somebody else.
    distrusting: bool,
}

fn fault(name: &'static str, verdict: &'static str, answer: Answer, asks: &[Ask]) -> Fault {
    let weather = Weather { rules: vec![Rule { answer, ..Rule::default() }], ..Weather::default() };
    Fault {
        name,
        verdict,
        weather,
        before: Vec::new(),
        asks: asks.to_vec(),
        together: false,
        silent: false,
        distrusting: false,
    }
}

fn error(kind: ErrorKind) -> Answer {
    Answer { error: Some(kind), ..Answer::default() }
}

fn raw(status: u16, content_type: &str, body: &str) -> Answer {
    Answer {
        status: Some(status),
        raw_body: Some(body.to_owned()),
        content_type: Some(content_type.to_owned()),
        ..Answer::default()
    }
}

fn three(ask: &Ask) -> Vec<Ask> {
    vec![ask.clone(); 3]
}

/// Every fault. The table of the README has these rows.
fn catalogue() -> Vec<Fault> {
    let wrong = |ask: &Ask| Ask { key: WRONG, ..ask.clone() };
    let with = |weather: Weather, fault: Fault| Fault { weather, ..fault };
    let well = Answer::default;
    let half = Weather {
        rules: vec![Rule { every: Some(2), answer: error(ErrorKind::ServerError), ..Rule::default() }],
        ..Weather::default()
    };
    let later = |answer: Answer| Weather {
        rules: (13..40)
            .map(|nth| Rule { nth: Some(nth), answer: answer.clone(), ..Rule::default() })
            .collect(),
        ..Weather::default()
    };
    let certificate = |certificate| Weather { certificate, ..Weather::default() };
    let length = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1794830400,"model":"gpt-5-mini","choices":[{"index":0,"message":{"role":"assistant","content":"It"},"finish_reason":"length"}],"usage":{"prompt_tokens":9,"completion_tokens":64,"total_tokens":73}}"#;
    let policy = r#"{"error":{"message":"The content was refused.","type":"invalid_request_error","param":null,"code":"content_policy_violation"}}"#;
    vec![
        fault("OpenAI key mistyped", "mistyped_key", well(), &[wrong(&OPENAI)]),
        fault("Anthropic key mistyped", "mistyped_key", well(), &[wrong(&ANTHROPIC)]),
        fault("Gemini key mistyped", "mistyped_key", well(), &[wrong(&GEMINI)]),
        fault("Groq key mistyped", "mistyped_key", well(), &[wrong(&GROQ)]),
        fault(
            "OpenAI asked with a key of Anthropic",
            "key_of_another_provider",
            well(),
            &[Ask { key: OF_ANTHROPIC, ..OPENAI }],
        ),
        fault(
            "Groq asked with a key of OpenAI",
            "key_of_another_provider",
            well(),
            &[Ask { key: OF_OPENAI, ..GROQ }],
        ),
        with(
            later(error(ErrorKind::Authentication)),
            Fault {
                before: vec![OPENAI; 12],
                ..fault("key revoked after it worked", "revoked_key", well(), &[OPENAI])
            },
        ),
        fault("no key at all", "missing_key", well(), &[Ask { key: "", ..OPENAI }]),
        fault("key without the right", "permission", error(ErrorKind::Permission), &[OPENAI]),
        fault("Anthropic key without the right", "permission", error(ErrorKind::Permission), &[ANTHROPIC]),
        fault("model that does not exist", "model_not_found", error(ErrorKind::NotFound), &[OPENAI]),
        fault("Cohere model that does not exist", "model_not_found", error(ErrorKind::NotFound), &[COHERE]),
        fault("credit used up", "quota_exhausted", error(ErrorKind::Quota), &[OPENAI]),
        fault("Anthropic credit used up", "quota_exhausted", error(ErrorKind::Quota), &[ANTHROPIC]),
        fault("429 on every call", "rate_limited", error(ErrorKind::RateLimit), &three(&OPENAI)),
        fault("Gemini limits the rate", "rate_limited", error(ErrorKind::RateLimit), &three(&GEMINI)),
        fault("500 on every call", "outage", error(ErrorKind::ServerError), &three(&OPENAI)),
        with(half, fault("500 on half of the calls", "partial_outage", well(), &vec![OPENAI; 16])),
        fault("529, overloaded", "outage", error(ErrorKind::Overloaded), &three(&ANTHROPIC)),
        fault(
            "HTML page of an edge network",
            "outage",
            raw(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>"),
            &three(&OPENAI),
        ),
        fault(
            "gateway gives up waiting",
            "outage",
            raw(504, "text/html", "<html><h1>504 Gateway Time-out</h1></html>"),
            &three(&OPENAI),
        ),
        fault(
            "200 with an error as first event",
            "outage",
            Answer { error_after: Some(0), ..Answer::default() },
            &three(&Ask { stream: true, ..ANTHROPIC }),
        ),
        fault(
            "connection breaks in mid-stream",
            "broken_streams",
            Answer { cut_after: Some(2), cut: Cut::Broken, ..Answer::default() },
            &three(&STREAM),
        ),
        fault(
            "stream ends without its last event",
            "broken_streams",
            Answer { cut_after: Some(2), cut: Cut::Clean, ..Answer::default() },
            &three(&STREAM),
        ),
        fault(
            "prompt longer than the window",
            "context_overflow",
            error(ErrorKind::ContextLength),
            &[OPENAI],
        ),
        fault(
            "Anthropic prompt longer than the window",
            "context_overflow",
            error(ErrorKind::ContextLength),
            &[ANTHROPIC],
        ),
        fault("body larger than allowed", "too_large", error(ErrorKind::TooLarge), &[ANTHROPIC]),
        fault("schema refused", "invalid_requests", error(ErrorKind::InvalidRequest), &three(&OPENAI)),
        fault("content refused", "content_refused", raw(400, "application/json", policy), &three(&OPENAI)),
        fault(
            "answers cut short by their limit",
            "truncated",
            raw(200, "application/json", length),
            &three(&OPENAI),
        ),
        with(
            Weather { nameless: true, ..Weather::default() },
            fault("name that nobody knows", "unreachable", well(), &three(&OPENAI)),
        ),
        with(
            Weather { away: true, ..Weather::default() },
            fault("connections refused", "unreachable", well(), &three(&OPENAI)),
        ),
        with(
            Weather { away: true, ..Weather::default() },
            fault(
                "no way out to any provider",
                "own_network",
                well(),
                &[three(&OPENAI), three(&ANTHROPIC)].concat(),
            ),
        ),
        with(
            Weather { distrusted: true, ..Weather::default() },
            fault("proxy that breaks TLS open", "provider_tls", well(), &[OPENAI]),
        ),
        with(
            certificate(Certificate::Expired),
            fault("certificate expired", "provider_tls", well(), &[OPENAI]),
        ),
        with(
            certificate(Certificate::WrongName),
            fault("certificate of another name", "provider_tls", well(), &[OPENAI]),
        ),
        Fault {
            distrusting: true,
            ..fault("program that does not trust us", "authority_not_trusted", well(), &[])
        },
        Fault {
            silent: true,
            ..fault(
                "stream that falls silent",
                "stalled_streams",
                Answer { gated: true, ..Answer::default() },
                &[STREAM],
            )
        },
        Fault {
            silent: true,
            ..fault(
                "response on a WebSocket that falls silent",
                "stalled_streams",
                Answer { gated: true, ..Answer::default() },
                &[SOCKET],
            )
        },
        with(
            later(Answer { delay_ms: 5500, ..Answer::default() }),
            Fault {
                before: vec![STREAM; 12],
                together: true,
                ..fault("first token late", "slow_first_token", well(), &three(&STREAM))
            },
        ),
        Fault {
            together: true,
            ..fault(
                "calls take longer than 30 s",
                "slow_calls",
                Answer { delay_ms: 30_500, ..Answer::default() },
                &three(&OPENAI),
            )
        },
    ]
}

/// The events of verdicts that began.
fn verdicts(received: &Received) -> Vec<BTreeMap<String, Value>> {
    let events = received.events.iter().filter(|(name, _)| name == "outrigger.diagnosis");
    events
        .map(|(_, event)| event.clone())
        .filter(|event| event["outrigger.diagnosis.state"] == "began")
        .collect()
}

/// What came of one fault.
struct Found {
    /// From the end of the last call that showed it: what many calls show is not shown before.
    took: Duration,
    /// Verdicts that were not asked for.
    others: Vec<String>,
}

impl Fault {
    /// Makes it; fails the test if the verdict does not come, in the log, as an event, on the span and in the metrics.
    fn make(&self) -> Found {
        let config = Config {
            script: Script(self.weather.rules.clone()),
            valid_keys: vec![KEY.to_owned()],
            certificate: self.weather.certificate,
            ..Config::default()
        };
        let simulator = Simulator::start(config).expect("a simulator");
        let (receiver, volumes) = (Receiver::start(), Volumes::new());
        let ca = volumes.write("provider.pem", simulator.ca_pem());
        let at = if self.weather.away { free_address() } else { simulator.address() };
        let hosts = [OPENAI, ANTHROPIC, GEMINI, GROQ, COHERE].map(|ask| format!("{}={at}", ask.host()));
        let mut variables = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url())];
        variables.push(("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".to_owned()));
        if !self.weather.distrusted {
            variables.push(("OUTRIGGER_EXTRA_CAS", ca.display().to_string()));
        }
        if self.weather.nameless {
            // Not the provider's own name: where there is a resolver that one is known.
            variables.push(("OUTRIGGER_UPSTREAM_PROXY", "http://proxy.invalid:3128".to_owned()));
        } else {
            variables.push(("OUTRIGGER_UPSTREAMS", hosts.join(",")));
        }
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let sidecar = volumes.sidecar(&variables);
        let base_url = sidecar.base_url();

        for ask in &self.before {
            assert_eq!(ask.call(base_url), 200, "{}: it was well before", self.name);
        }
        if self.silent {
            return self.fall_silent(&simulator, &receiver, sidecar);
        }
        if self.distrusting {
            // The provider's own authority is not the one that vouches for what it is shown here.
            let refused = sidecar.handshake("api.openai.com", simulator.ca_pem());
            assert!(refused.is_err(), "{}", self.name);
        }
        if self.together {
            std::thread::scope(|scope| {
                self.asks.iter().for_each(|ask| drop(scope.spawn(|| ask.call(base_url))))
            });
        } else {
            for ask in &self.asks {
                ask.call(base_url);
            }
        }
        let shown = Instant::now();
        let named = |received: &Received| {
            verdicts(received).iter().any(|event| event["outrigger.diagnosis.kind"] == self.verdict)
        };
        let Some(received) = receiver.wait_for(DEADLINE, named) else {
            panic!(
                "{}: no {}, but {:?}; {}",
                self.name,
                self.verdict,
                verdicts(&receiver.received()),
                sidecar.end().errors
            );
        };
        let took = shown.elapsed();
        let event =
            verdicts(&received).into_iter().find(|event| event["outrigger.diagnosis.kind"] == self.verdict);
        let event = event.expect("it was there");
        for part in ["cause", "evidence", "next_step"] {
            assert!(event[&format!("outrigger.diagnosis.{part}")].is_string(), "{}: {event:?}", self.name);
        }
        let spans = |received: &Received| {
            received.spans.iter().any(|span| format!("{span:?}").contains(&format!("{:?}", self.verdict)))
        };
        assert!(
            self.asks.is_empty() || receiver.wait_for(DEADLINE, spans).is_some(),
            "{}: no span tells of it",
            self.name
        );
        let ended = sidecar.end();
        let said = format!("verdict=\"{}\"", self.verdict);
        assert_eq!(ended.errors.matches(&said).count(), 1, "{}: said once: {}", self.name, ended.errors);
        for key in [KEY, WRONG, OF_ANTHROPIC, OF_OPENAI] {
            assert!(!ended.errors.contains(key), "{}", self.name);
        }
        let others = verdicts(&receiver.received())
            .iter()
            .filter_map(|event| event["outrigger.diagnosis.kind"].as_str().map(str::to_owned))
            .filter(|kind| kind != self.verdict && !self.leads_to(kind))
            .collect();
        Found { took, others }
    }

    /// A stream that has begun stops in its middle, and its app waits for it.
    fn fall_silent(&self, simulator: &Simulator, receiver: &Receiver, sidecar: Sidecar) -> Found {
        let base_url = sidecar.base_url();
        let begun = Instant::now();
        simulator.release(3);
        let kinds = |received: &Received| -> Vec<Value> {
            verdicts(received).iter().map(|event| event["outrigger.diagnosis.kind"].clone()).collect()
        };
        std::thread::scope(|scope| {
            scope.spawn(|| self.asks.iter().for_each(|ask| drop(scope.spawn(|| ask.call(base_url)))));
            let named =
                receiver.wait_for(DEADLINE, |received| kinds(received).contains(&json!(self.verdict)));
            let took = begun.elapsed();
            // It goes on, so that the app and this test end.
            simulator.release(10_000);
            assert!(named.is_some(), "{}", self.name);
            let over = |received: &Received| received.events.len() > 1;
            assert!(receiver.wait_for(DEADLINE, over).is_some(), "{}: it is over once it goes on", self.name);
            let said = sidecar.end().errors.matches(&format!("verdict=\"{}\"", self.verdict)).count();
            assert_eq!(said, 2, "{}: its begin and its end", self.name);
            let others = kinds(&receiver.received())
                .iter()
                .filter_map(Value::as_str)
                .filter(|kind| *kind != self.verdict)
                .map(str::to_owned)
                .collect();
            Found { took: took.saturating_sub(SILENCE), others }
        })
    }

    /// Whether another verdict is a part of this one, on the way to it.
    fn leads_to(&self, kind: &str) -> bool {
        self.verdict == "own_network" && kind == "unreachable"
    }
}

/// The rows of the README's table: fault, verdict, time.
fn documented() -> BTreeMap<String, (String, String)> {
    let readme = std::fs::read_to_string(file("../README.md")).expect("the README");
    let table = readme.split("<!-- faults -->").nth(1).expect("the README has the table");
    let rows = table.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1].to_owned(), (cells[2].trim_matches('`').to_owned(), cells[3].to_owned()))
    })
    .collect()
}

#[test]
fn every_fault_of_the_catalogue_is_named_within_seconds_and_nothing_else_is() {
    let catalogue = catalogue();
    assert!(catalogue.len() >= 25);
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(fault) = catalogue.get(next.fetch_add(1, Relaxed)) {
                    let made = fault.make();
                    found.lock().expect("no other failed").insert(fault.name, made);
                }
            });
        }
    });
    let found = found.into_inner().expect("none failed");
    let documented = documented();
    assert_eq!(documented.len(), catalogue.len(), "{:?}", documented.keys());
    for fault in &catalogue {
        let made = &found[fault.name];
        assert!(made.others.is_empty(), "{}: {:?} besides", fault.name, made.others);
        assert!(made.took < SECONDS_TO_THE_CAUSE, "{}: {:?}", fault.name, made.took);
        let (verdict, time) =
            documented.get(fault.name).unwrap_or_else(|| panic!("{} is not in the README", fault.name));
        assert_eq!((verdict.as_str(), time.as_str()), (fault.verdict, "< 5 s"), "{}", fault.name);
    }
}

/// 1 % random errors and a long tail, all at once as an app in a hurry would.
#[test]
fn traffic_that_is_well_has_no_verdict() {
    let noise = |every, answer| Rule { every: Some(every), answer, ..Rule::default() };
    let config = Config {
        script: Script(vec![
            noise(100, error(ErrorKind::ServerError)),
            noise(37, Answer { delay_ms: 900, ..Answer::default() }),
        ]),
        valid_keys: vec![KEY.to_owned()],
        ..Config::default()
    };
    let simulator = Simulator::start(config).expect("a simulator");
    let (receiver, volumes) = (Receiver::start(), Volumes::new());
    let ca = volumes.write("provider.pem", simulator.ca_pem()).display().to_string();
    let upstream = format!("api.openai.com={}", simulator.address());
    let sidecar = volumes.sidecar(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OUTRIGGER_EXTRA_CAS", &ca),
        ("OUTRIGGER_UPSTREAMS", &upstream),
    ]);
    let base_url = sidecar.base_url();
    let failed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let bad = (0..300).filter(|_| OPENAI.call(base_url) != 200).count();
                failed.fetch_add(bad, Relaxed);
            });
        }
    });
    assert_eq!(failed.into_inner(), 12, "there was noise");
    assert!(receiver.wait_for(DEADLINE, |received| received.calls.len() == 1200).is_some());
    let errors = sidecar.end().errors;
    let verdicts = verdicts(&receiver.received());
    assert!(verdicts.is_empty() && !errors.contains("verdict="), "{verdicts:?} {errors}");
}
