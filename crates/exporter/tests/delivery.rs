//! The exporter against a receiver on loopback, over real sockets, in both protocols.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use outrigger_exporter::{Count, Counts, DropCause, Drops, Exporter, Settings, Signal};

use crate::support::calls::{answered, failed, numbered};
use crate::support::certificates::Certificates;
use crate::support::receiver::{Answer, Receiver, Speech};

const BOTH: [Speech; 2] = [Speech::Grpc, Speech::Http];
const LONG: Duration = Duration::from_secs(20);

type Variables<'a> = &'a [(&'a str, &'a str)];

fn start(speech: Speech, endpoint: &str, variables: Variables<'_>) -> Exporter {
    let protocol = match speech {
        Speech::Grpc => "grpc",
        Speech::Http => "http/protobuf",
    };
    let get = |name: &str| {
        let given = variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        given.or_else(|| (name == "OTEL_EXPORTER_OTLP_PROTOCOL").then(|| protocol.to_owned()))
    };
    let settings = Settings::from_env(Some(endpoint), get).unwrap().unwrap();
    Exporter::start(settings.default_service_name("test")).unwrap()
}

fn towards(receiver: &Receiver, variables: Variables<'_>) -> Exporter {
    start(receiver.speech, &format!("http://{}", receiver.address), variables)
}

/// A count of whose items these were lost.
fn lost<const N: usize>(seen: u64, exported: u64, dropped: [(DropCause, u64); N]) -> Count {
    let dropped = Drops::from(dropped);
    Count { seen, exported, waiting: seen - exported - dropped.total(), dropped, ..Count::default() }
}

/// A count of which nothing was lost.
fn count(seen: u64, exported: u64) -> Count {
    lost(seen, exported, [])
}

fn balanced(counts: &Counts) -> bool {
    [counts.calls, counts.traces, counts.logs, counts.metrics]
        .iter()
        .all(|count| count.seen == count.exported + count.waiting + count.dropped.total())
}

#[test]
fn a_call_arrives_as_record_spans_and_metrics() {
    for speech in BOTH {
        let receiver = Receiver::start(speech);
        let exporter = towards(&receiver, &[]);
        exporter.recorder().try_record(Arc::new(answered()));
        let (traces, logs) = (receiver.expect(Signal::Traces), receiver.expect(Signal::Logs));
        let spans = traces.spans();
        assert_eq!(spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["chat gpt-5.1", "POST"]);
        assert_eq!(spans[1].parent_span_id, spans[0].span_id);
        assert_eq!(logs.logs()[0].event_name, "outrigger.call");
        assert!(traces.headers["user-agent"].to_str().unwrap().contains("outrigger/"));

        let counts = exporter.shutdown(LONG);
        assert!(receiver.expect(Signal::Metrics).metric_names().contains(&"outrigger.cost.usd".to_owned()));
        assert_eq!((counts.calls, counts.logs, counts.traces), (count(1, 1), count(1, 1), count(2, 2)));
        assert_eq!((counts.metrics.dropped.total(), counts.metrics.waiting), (0, 0), "{speech:?}");
        assert!(counts.metrics.exported > 10);
    }
}

#[test]
fn headers_and_compression_are_as_the_user_said() {
    for speech in BOTH {
        let receiver = Receiver::start(speech);
        let variables = [
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0ken,X-Tenant=a%2Cb"),
        ];
        let exporter = towards(&receiver, &variables);
        exporter.recorder().try_record(Arc::new(failed()));
        let arrival = receiver.expect(Signal::Logs);
        assert_eq!(arrival.headers["authorization"], "Bearer t0ken");
        assert_eq!(arrival.headers["x-tenant"], "a,b");
        let encoding = if speech == Speech::Grpc { "grpc-encoding" } else { "content-encoding" };
        assert_eq!(arrival.headers[encoding], "gzip");
        assert_eq!(arrival.logs().len(), 2, "a record and the event of its failure");
        assert_eq!(exporter.shutdown(LONG).calls, count(1, 1));
    }
}

#[test]
fn headers_of_a_file_are_those_that_it_has_by_then() {
    for speech in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("headers");
        let receiver = Receiver::start(speech);
        let variables = [
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a,authorization=none"),
            ("OUTRIGGER_OTLP_HEADERS_FILE", file.to_str().unwrap()),
            // One signal alone, so that what comes is what was asked for.
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "none"),
        ];
        let exporter = towards(&receiver, &variables);
        let recorder = exporter.recorder();
        // A namespace may be there before its Secret: what is to be sent waits.
        recorder.try_record(numbered(failed(), 0));
        until(|| exporter.counts().logs.waiting > 0);
        std::fs::write(&file, "authorization=Bearer first\n").unwrap();
        let arrival = receiver.expect(Signal::Logs);
        assert_eq!(
            (&arrival.headers["authorization"], &arrival.headers["x-tenant"]),
            (&"Bearer first".parse().unwrap(), &"a".parse().unwrap())
        );

        std::fs::write(&file, "authorization=Bearer second\n").unwrap();
        recorder.try_record(numbered(failed(), 1));
        assert_eq!(receiver.expect(Signal::Logs).headers["authorization"], "Bearer second");

        // The endpoint knows the next one before kubelet has brought it: nothing is lost over that.
        receiver.always(
            Signal::Logs,
            if speech == Speech::Grpc { Answer::Code(16) } else { Answer::Status(401, None) },
        );
        recorder.try_record(numbered(failed(), 2));
        assert_eq!(receiver.expect(Signal::Logs).headers["authorization"], "Bearer second");
        std::fs::write(&file, "authorization=Bearer third\n").unwrap();
        while receiver.expect(Signal::Logs).headers["authorization"] != "Bearer third" {}
        receiver.next(Signal::Logs, Answer::Taken);
        let counts = exporter.shutdown(LONG);
        assert_eq!((counts.calls, counts.logs), (count(3, 3), count(6, 6)), "{speech:?}");
    }
}

/// Waits for something that comes.
fn until(mut came: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !came() {
        assert!(Instant::now() < deadline, "it does not come");
        std::thread::yield_now();
    }
}

/// What a Jaeger does: it takes spans and nothing else.
#[test]
fn an_endpoint_that_takes_only_spans_gets_them() {
    for (speech, no) in [(Speech::Grpc, Answer::Code(12)), (Speech::Http, Answer::Status(404, None))] {
        let receiver = Receiver::start(speech);
        receiver.always(Signal::Logs, no.clone());
        receiver.always(Signal::Metrics, no);
        let exporter = towards(&receiver, &[]);
        let recorder = exporter.recorder();
        for number in 0..3 {
            recorder.try_record(numbered(failed(), number));
            receiver.expect(Signal::Traces);
        }
        let counts = exporter.shutdown(LONG);
        assert_eq!((counts.calls, counts.traces), (count(3, 3), count(6, 6)));
        assert_eq!(counts.logs, lost(6, 0, [(DropCause::Refused, 6)]));
        assert_eq!((counts.metrics.exported, counts.metrics.waiting), (0, 0));
        let asked = receiver.rest().iter().filter(|arrival| arrival.signal == Signal::Logs).count();
        assert!(asked <= 1, "a refused signal is not offered again at once: {asked} times");
    }
}

#[test]
fn what_a_partial_success_leaves_out_is_dropped() {
    for speech in BOTH {
        let receiver = Receiver::start(speech);
        receiver.next(Signal::Traces, Answer::Partly(1));
        receiver.next(Signal::Logs, Answer::Partly(2));
        let exporter = towards(&receiver, &[]);
        let recorder = exporter.recorder();
        (0..5).for_each(|number| recorder.try_record(numbered(answered(), number)));
        let counts = exporter.shutdown(LONG);
        let partial = |seen, items| lost(seen, seen - items, [(DropCause::Partial, items)]);
        assert_eq!((counts.traces, counts.logs), (partial(10, 1), partial(5, 2)), "{speech:?}");
        assert_eq!(counts.calls, count(5, 5), "of each call something arrived");
    }
}

#[test]
fn a_busy_endpoint_is_asked_again_with_the_same_request() {
    let busy = [(Speech::Grpc, Answer::Code(14)), (Speech::Http, Answer::Status(503, Some("0")))];
    for (speech, busy) in busy {
        let receiver = Receiver::start(speech);
        receiver.next(Signal::Logs, busy);
        let exporter = towards(&receiver, &[]);
        exporter.recorder().try_record(Arc::new(failed()));
        let first = receiver.expect(Signal::Logs);
        let second = receiver.expect(Signal::Logs);
        assert_eq!(first.body, second.body);
        assert_eq!(exporter.shutdown(LONG).logs, count(2, 2));
    }
}

#[test]
fn what_is_refused_for_good_is_dropped_and_the_next_goes_on() {
    let no = [(Speech::Grpc, Answer::Code(16)), (Speech::Http, Answer::Status(401, None))];
    for (speech, no) in no {
        let receiver = Receiver::start(speech);
        receiver.next(Signal::Logs, no);
        let exporter = towards(&receiver, &[("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "1")]);
        let recorder = exporter.recorder();
        (0..2).for_each(|number| recorder.try_record(numbered(answered(), number)));
        assert_eq!(exporter.shutdown(LONG).logs, lost(2, 1, [(DropCause::Rejected, 1)]));
    }
}

#[test]
fn an_endpoint_that_comes_up_later_gets_what_waited() {
    for speech in BOTH {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let exporter = start(speech, &format!("http://{address}"), &[]);
        exporter.recorder().try_record(Arc::new(failed()));
        let listener = TcpListener::bind(address).unwrap();
        let receiver = Receiver::listen(speech, listener, None);
        assert_eq!(receiver.expect(Signal::Logs).logs().len(), 2);
        assert_eq!(exporter.shutdown(LONG).calls, count(1, 1));
    }
}

#[test]
fn without_an_endpoint_the_end_comes_at_once_and_everything_is_counted() {
    for speech in BOTH {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let exporter = start(speech, &format!("http://{address}"), &[]);
        let recorder = exporter.recorder();
        (0..1000).for_each(|number| recorder.try_record(numbered(answered(), number)));
        let begun = Instant::now();
        let counts = exporter.shutdown(Duration::from_secs(60));
        assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
        let ended = |items| lost(items, 0, [(DropCause::Ended, items)]);
        assert_eq!((counts.calls, counts.logs, counts.traces), (ended(1000), ended(1000), ended(2000)));
        assert_eq!((counts.metrics.exported, counts.metrics.waiting), (0, 0));
    }
}

#[test]
fn a_silent_endpoint_does_not_delay_the_end_beyond_its_deadline() {
    for speech in BOTH {
        let receiver = Receiver::start(speech);
        Signal::ALL.into_iter().for_each(|signal| receiver.always(signal, Answer::Silence));
        let variables = [("OTEL_BLRP_MAX_QUEUE_SIZE", "5"), ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "1")];
        let exporter = towards(&receiver, &variables);
        let recorder = exporter.recorder();
        recorder.try_record(numbered(failed(), 0));
        receiver.expect(Signal::Logs);
        (1..10).for_each(|number| recorder.try_record(numbered(answered(), number)));
        let begun = Instant::now();
        let counts = exporter.shutdown(Duration::from_millis(300));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let five_fit = |ended| lost(5 + ended, 0, [(DropCause::NoRoom, 5), (DropCause::Ended, ended)]);
        // The failure is an event as well.
        assert_eq!((counts.calls, counts.logs), (five_fit(5), five_fit(6)));
        recorder.try_record(Arc::new(answered()));
    }
}

#[test]
fn many_threads_may_record_at_once_and_the_count_always_adds_up() {
    const THREADS: u64 = 4;
    const EACH: u64 = 5000;
    let receiver = Receiver::start(Speech::Http);
    let exporter = towards(&receiver, &[("OTEL_METRICS_EXPORTER", "none")]);
    std::thread::scope(|scope| {
        let recorders: Vec<_> = (0..THREADS)
            .map(|thread| {
                let recorder = exporter.recorder();
                scope.spawn(move || {
                    for number in 0..EACH {
                        recorder.try_record(numbered(answered(), thread * EACH + number));
                    }
                })
            })
            .collect();
        while !recorders.iter().all(|recorder| recorder.is_finished()) {
            assert!(balanced(&exporter.counts()));
            std::thread::yield_now();
        }
    });
    let counts = exporter.shutdown(LONG);
    assert!(balanced(&counts));
    assert_eq!((counts.calls.seen, counts.calls.waiting), (THREADS * EACH, 0));
    let arrivals = receiver.rest();
    let logs: usize = arrivals.iter().filter(|it| it.signal == Signal::Logs).map(|it| it.logs().len()).sum();
    let spans: usize =
        arrivals.iter().filter(|it| it.signal == Signal::Traces).map(|it| it.spans().len()).sum();
    assert_eq!((logs as u64, spans as u64), (counts.logs.exported, counts.traces.exported));
}

#[test]
fn tls_is_verified_with_the_users_ca_and_shows_his_certificate() {
    let certificates = Certificates::new();
    let file = |name: &str| certificates.path(name).display().to_string();
    let (ca, certificate, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    for speech in BOTH {
        let receiver = Receiver::start_tls(speech, &certificates);
        let endpoint = format!("https://localhost:{}", receiver.address.port());
        let variables = [
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", ca.as_str()),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate.as_str()),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", key.as_str()),
        ];
        let exporter = start(speech, &endpoint, &variables);
        exporter.recorder().try_record(Arc::new(failed()));
        assert_eq!(receiver.expect(Signal::Logs).logs().len(), 2);
        assert_eq!(exporter.shutdown(LONG).calls, count(1, 1));

        let stranger = start(speech, &endpoint, &[]);
        stranger.recorder().try_record(Arc::new(failed()));
        assert_eq!(
            stranger.shutdown(LONG).calls,
            lost(1, 0, [(DropCause::Ended, 1)]),
            "nothing goes to whom we cannot verify"
        );
        assert!(
            receiver
                .rest()
                .iter()
                .all(|arrival| arrival.signal == Signal::Metrics || arrival.signal == Signal::Traces)
        );
    }
}

#[test]
fn a_certificate_file_that_is_no_use_is_named_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for path in [directory.path().join("missing.pem"), empty] {
        let path = path.display().to_string();
        for protocol in ["grpc", "http/protobuf"] {
            let variables = [
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", path.as_str()),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ];
            let get =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, it)| (*it).to_owned());
            let settings = Settings::from_env(Some("https://localhost:4317"), get).unwrap().unwrap();
            let error = Exporter::start(settings).unwrap_err().to_string();
            assert!(error.starts_with(&format!("OTEL_EXPORTER_OTLP_CERTIFICATE={path}: ")), "{error}");
        }
    }
}

/// `outrigger exec` sets proxy variables for its child; the exporter in the same environment must not follow them.
#[test]
fn the_proxy_variables_of_the_environment_are_not_followed() {
    const MARK: &str = "OUTRIGGER_TEST_BEHIND_A_PROXY";
    if std::env::var_os(MARK).is_none() {
        // Nobody listens at the proxy; the variables are set for a copy of this test alone.
        let proxy = "http://127.0.0.1:9";
        let mut copy = std::process::Command::new(std::env::current_exe().unwrap());
        copy.args(["--exact", "delivery::the_proxy_variables_of_the_environment_are_not_followed"])
            .env(MARK, "1");
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            copy.env(name, proxy);
        }
        copy.env_remove("NO_PROXY").env_remove("no_proxy");
        let output = copy.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    for speech in BOTH {
        let receiver = Receiver::start(speech);
        let exporter = towards(&receiver, &[]);
        exporter.recorder().try_record(Arc::new(failed()));
        receiver.expect(Signal::Logs);
        assert_eq!(exporter.shutdown(LONG).calls, count(1, 1));
    }
}
