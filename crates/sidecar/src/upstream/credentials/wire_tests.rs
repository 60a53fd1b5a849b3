//! Credentials over real sockets: what reaches which host, and when.

use std::convert::Infallible;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{HeaderValue, Request};
use http_body_util::combinators::MapErr;
use http_body_util::{BodyExt, Full};
use outrigger_providers::FailureClass;
use outrigger_simulator::{Certificate, Config, Script, Simulator};

use super::google;
use super::tests::{head, open, targets};
use super::*;
use crate::settings::UpstreamOverride;
use crate::tls::accept::Protocol;
use crate::upstream::client::{Client, OwnH2, Towards};
use crate::upstream::{DialError, Target as Place};

const DEADLINE: Duration = Duration::from_secs(60);
const KEY: &str = "sk-harbour-0123456789";
const CLAUDE: &str = "  claude: { provider: anthropic, credential: { file: key } }\n";
const NOVA: &str = "  nova: { provider: bedrock, region: us-east-1, credential: { file: aws } }\n";
const IOWA: &str = "  iowa: { provider: vertex, region: us-central1, project: harbour, credential: { file: google.json } }\n";
const CONVERSE: &str = "/model/us.amazon.nova-pro-v1:0/converse";
const GENERATE: &str =
    "/v1/projects/harbour/locations/us-central1/publishers/google/models/gemini-3.5-flash:generateContent";
const TOKENS: &str = "oauth2.googleapis.com";

type Body = MapErr<Full<Bytes>, fn(Infallible) -> hyper::Error>;

/// A sidecar's way out, before simulators.
struct Bench {
    folder: tempfile::TempDir,
    credentials: Credentials,
    client: Client<Body>,
}

impl Bench {
    /// Each host is reached at a simulator whose authority is trusted.
    fn before(hosts: &[(&str, &Simulator)]) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let mut extra_cas = Vec::new();
        for (host, simulator) in hosts {
            let path = folder.path().join(format!("{host}.pem"));
            std::fs::write(&path, simulator.ca_pem()).unwrap();
            extra_cas.push(path);
        }
        let upstreams = hosts
            .iter()
            .map(|(host, simulator)| UpstreamOverride {
                host: (*host).to_owned(),
                address: simulator.address(),
            })
            .collect();
        let settings = Settings {
            credentials: Some(folder.path().to_owned()),
            extra_cas,
            upstreams,
            ..Settings::default()
        };
        let (credentials, dialer, connector) = open(&settings);
        Bench { folder, credentials, client: Client::new(dialer, connector, Rc::new(|| {})) }
    }

    fn holds(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).unwrap();
    }

    /// Pays for a request and sends it: the status of the answer.
    async fn call(&self, target: &Target, path: &str, protocol: Protocol) -> Result<u16, String> {
        let mut head = head(
            &format!("https://{}{path}", target.host),
            &[("content-type", "application/json"), ("authorization", "Bearer mistyped-5566778899")],
        );
        let body = Bytes::from_static(b"{\"messages\":[]}");
        self.credentials.authorise(target, &mut head, &body).await.map_err(|unpaid| unpaid.text)?;
        self.send(target, head, body, protocol)
            .await
            .map_err(|error| format!("{}: {}", error.class.as_str(), error.text))
    }

    async fn send(
        &self,
        target: &Target,
        mut head: request::Parts,
        body: Bytes,
        protocol: Protocol,
    ) -> Result<u16, DialError> {
        if protocol == Protocol::H1 {
            head.headers.insert(HOST, HeaderValue::from_str(&target.host).unwrap());
            head.uri = head.uri.path_and_query().unwrap().as_str().parse().unwrap();
        } else {
            head.version = http::Version::HTTP_2;
        }
        let place = Place { host: (*target.host).into(), port: 443 };
        let body = Full::new(body).map_err((|never| match never {}) as fn(Infallible) -> hyper::Error);
        let own = OwnH2::default();
        let sent = self
            .client
            .send(
                &place,
                Towards { original: None, within: None, took: None },
                protocol,
                &own,
                Request::from_parts(head, body),
            )
            .await?;
        Ok(sent.response.status().as_u16())
    }
}

async fn on_one_thread(test: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(test).await;
}

fn simulator(config: Config) -> Simulator {
    Simulator::start(config).unwrap()
}

fn script(json: serde_json::Value) -> Script {
    serde_json::from_value(json).unwrap()
}

/// A value of each request that came, in order.
fn came(simulator: &Simulator, header: &str) -> Vec<String> {
    let received = simulator.received();
    received
        .iter()
        .map(|one| one.headers.get(header).map_or("", |value| value.to_str().unwrap()).to_owned())
        .collect()
}

#[tokio::test]
async fn a_credential_leaves_only_after_the_certificate_is_verified() {
    on_one_thread(async {
        let claude = &targets(CLAUDE)[0];
        for certificate in [Certificate::WrongName, Certificate::ForeignAuthority, Certificate::Expired] {
            let backup = simulator(Config { certificate, ..Config::default() });
            let bench = Bench::before(&[("api.anthropic.com", &backup)]);
            bench.holds("key", KEY);
            for protocol in [Protocol::H1, Protocol::H2] {
                let error = bench.call(claude, "/v1/messages", protocol).await.unwrap_err();
                assert!(error.starts_with("tls: "), "{error}");
            }
            assert_eq!(backup.bytes_received(), 0, "{certificate:?}");
        }
        let backup = simulator(Config { valid_keys: vec![KEY.to_owned()], ..Config::default() });
        let bench = Bench::before(&[("api.anthropic.com", &backup)]);
        bench.holds("key", KEY);
        for protocol in [Protocol::H1, Protocol::H2] {
            assert_eq!(bench.call(claude, "/v1/messages", protocol).await, Ok(200));
        }
        assert_eq!(came(&backup, "x-api-key"), [KEY, KEY]);
        assert_eq!(came(&backup, "authorization"), ["", ""], "the app's own key stays here");
    })
    .await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_a_key() {
    on_one_thread(async {
        let elsewhere = simulator(Config::default());
        let to = "https://api.openai.com/v1/messages";
        let answer =
            serde_json::json!([{"answer": {"status": 307, "raw_body": "", "headers": {"location": to}}}]);
        let backup = simulator(Config { script: script(answer), ..Config::default() });
        let bench = Bench::before(&[("api.anthropic.com", &backup), ("api.openai.com", &elsewhere)]);
        bench.holds("key", KEY);
        assert_eq!(bench.call(&targets(CLAUDE)[0], "/v1/messages", Protocol::H1).await, Ok(307));
        assert_eq!(came(&backup, "x-api-key"), [KEY]);
        assert_eq!((elsewhere.bytes_received(), elsewhere.received().len()), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_new_key_counts_while_calls_are_under_way() {
    on_one_thread(async {
        let backup = simulator(Config::default());
        let bench = Bench::before(&[("api.anthropic.com", &backup)]);
        let claude = &targets(CLAUDE)[0];
        // As kubelet does: the link is swapped.
        let folder = bench.folder.path();
        let publish = |version: &str, key: &str| {
            std::fs::create_dir(folder.join(version)).unwrap();
            std::fs::write(folder.join(version).join("key"), key).unwrap();
            std::os::unix::fs::symlink(version, folder.join("..next")).unwrap();
            std::fs::rename(folder.join("..next"), folder.join("..data")).unwrap();
        };
        publish("..1", "harbour-0123456789-old");
        std::os::unix::fs::symlink("..data/key", folder.join("key")).unwrap();
        assert_eq!(bench.call(claude, "/v1/messages", Protocol::H1).await, Ok(200));
        publish("..2", "harbour-0123456789-new");
        let begun = Instant::now();
        while came(&backup, "x-api-key").last().map(String::as_str) != Some("harbour-0123456789-new") {
            assert!(begun.elapsed() < DEADLINE);
            assert_eq!(bench.call(claude, "/v1/messages", Protocol::H1).await, Ok(200));
        }
        let keys = came(&backup, "x-api-key");
        let new = keys.iter().position(|key| key.ends_with("-new")).unwrap();
        assert!(keys[..new].iter().all(|key| key.ends_with("-old")), "one or the other, and never back");
    })
    .await;
}

#[tokio::test]
async fn a_signature_holds_before_another_reading_of_the_specification() {
    on_one_thread(async {
        let secret = "wJalrXUtnFEMI/K7MDENG+harbour-987654321";
        let aws_keys = vec![("AKIAHARBOUR".to_owned(), secret.to_owned())];
        let backup = simulator(Config { aws_keys, ..Config::default() });
        let bench = Bench::before(&[("bedrock-runtime.us-east-1.amazonaws.com", &backup)]);
        let nova = &targets(NOVA)[0];
        let keys = |more: &str| {
            format!("[default]\naws_access_key_id=AKIAHARBOUR\naws_secret_access_key={secret}\n{more}")
        };
        bench.holds("aws", &keys(""));
        for (path, protocol) in [
            (CONVERSE, Protocol::H1),
            (CONVERSE, Protocol::H2),
            ("/model/us.amazon.nova-pro-v1%3A0/converse-stream", Protocol::H2),
            (
                "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/converse?b=2&a=1",
                Protocol::H1,
            ),
        ] {
            assert_eq!(bench.call(nova, path, protocol).await, Ok(200), "{path}");
        }
        // Another body than the one that was signed.
        let mut changed = head(&format!("https://{}{CONVERSE}", nova.host), &[]);
        bench.credentials.authorise(nova, &mut changed, &Bytes::from_static(b"{}")).await.unwrap();
        bench.send(nova, changed, Bytes::from_static(b"{ }"), Protocol::H1).await.unwrap();
        let held: Vec<_> = backup.received().iter().map(|one| one.signature_holds).collect();
        assert_eq!(held, [Some(true), Some(true), Some(true), Some(true), Some(false)]);
    })
    .await;
}

/// A service account, and simulators of Vertex and of the place where its tokens are had.
fn google(tokens: Certificate, answers: serde_json::Value) -> (Bench, Simulator, Simulator) {
    let account = google::test_file("https://oauth2.googleapis.com/token");
    let service_accounts = vec![account.clone()];
    let desk = simulator(Config {
        certificate: tokens,
        service_accounts,
        script: script(answers),
        ..Config::default()
    });
    let vertex = simulator(Config::default());
    let bench = Bench::before(&[("us-central1-aiplatform.googleapis.com", &vertex), (TOKENS, &desk)]);
    bench.holds("google.json", &account);
    (bench, vertex, desk)
}

#[tokio::test]
async fn a_service_account_pays_by_one_token_for_many_calls() {
    on_one_thread(async {
        let (bench, vertex, desk) = google(Certificate::Good, serde_json::json!([]));
        let iowa = &targets(IOWA)[0];
        let call = || bench.call(iowa, GENERATE, Protocol::H1);
        let (one, two, three) = tokio::join!(call(), call(), call());
        assert_eq!([one, two, three, call().await], [Ok(200), Ok(200), Ok(200), Ok(200)]);
        assert_eq!(came(&vertex, "authorization"), ["Bearer ya29.harbour-0123456789-0"; 4]);
        let asked = desk.received();
        assert_eq!((asked.len(), asked[0].status), (1, 200), "the assertion holds, and one token is enough");
        assert_eq!(asked[0].server_name.as_deref(), Some(TOKENS));
        assert!(asked[0].headers.get("authorization").is_none());
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_off_is_put_right_by_the_one_who_minds() {
    on_one_thread(async {
        // Of the first answer only, which is refused.
        let refused = serde_json::json!([{"nth": 1, "answer": {
            "status": 400,
            "raw_body": "{\"error\": \"invalid_grant\"}",
            "headers": {"date": "Sun, 06 Nov 1994 08:49:37 GMT"},
        }}]);
        let (bench, _vertex, desk) = google(Certificate::Good, refused);
        let error = bench.call(&targets(IOWA)[0], GENERATE, Protocol::H1).await.unwrap_err();
        assert!(error.contains("gave no token (400 invalid_grant)"), "{error}");
        let forms: Vec<_> =
            desk.received().iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()).collect();
        let issued = |form: &str| {
            use base64::Engine as _;
            let claims = form.split_once("assertion=").unwrap().1.split('.').nth(1).unwrap();
            let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
            serde_json::from_slice::<serde_json::Value>(&claims).unwrap()["iat"].as_i64().unwrap()
        };
        assert_eq!(forms.len(), 2, "once more with the time that the answer says, and no more");
        assert!(issued(&forms[0]) > 1_700_000_000);
        assert!((issued(&forms[1]) - 784_111_777).abs() < 30);
    })
    .await;
}

#[tokio::test]
async fn no_token_is_told_by_its_class_and_no_assertion_goes_astray() {
    on_one_thread(async {
        let iowa = &targets(IOWA)[0];
        for certificate in [Certificate::WrongName, Certificate::ForeignAuthority] {
            let (bench, vertex, desk) = google(certificate, serde_json::json!([]));
            let error = bench.call(iowa, GENERATE, Protocol::H1).await.unwrap_err();
            assert!(
                error.contains("google.json: the certificate of oauth2.googleapis.com was refused"),
                "{error}"
            );
            assert!(error.ends_with("(tls)"), "{error}");
            assert_eq!((desk.bytes_received(), vertex.bytes_received()), (0, 0));
        }
        let to = "https://us-central1-aiplatform.googleapis.com/token";
        for (answer, class) in [
            (
                serde_json::json!({"status": 400, "raw_body": "{\"error\": \"invalid_grant\"}"}),
                FailureClass::Authentication,
            ),
            (serde_json::json!({"status": 403, "raw_body": "{}"}), FailureClass::Permission),
            (serde_json::json!({"status": 429, "raw_body": "{}"}), FailureClass::RateLimit),
            (serde_json::json!({"status": 503, "raw_body": "<html>"}), FailureClass::ServerError),
            (serde_json::json!({"raw_body": "<html>"}), FailureClass::Malformed),
            // It would be a token, were it not so long.
            (
                serde_json::json!({"raw_body": format!("{{\"access_token\":\"{}\",\"expires_in\":3599}}", "x".repeat(65_536))}),
                FailureClass::Malformed,
            ),
            (
                serde_json::json!({"status": 307, "raw_body": "", "headers": {"location": to}}),
                FailureClass::Other,
            ),
        ] {
            let (bench, vertex, desk) = google(Certificate::Good, serde_json::json!([{"answer": answer}]));
            for _ in 0..2 {
                let error = bench.call(iowa, GENERATE, Protocol::H1).await.unwrap_err();
                assert!(error.ends_with(&format!("({})", class.as_str())), "{error}");
            }
            assert_eq!(
                (desk.received().len(), vertex.bytes_received()),
                (1, 0),
                "asked once, sent nowhere else"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_that_does_not_come_is_waited_for_ten_seconds() {
    on_one_thread(async {
        let silent = serde_json::json!([{"answer": {"delay_ms": 3_600_000}}]);
        let (bench, vertex, desk) = google(Certificate::Good, silent);
        let iowa = &targets(IOWA)[0];
        let call = bench.call(iowa, GENERATE, Protocol::H1);
        tokio::pin!(call);
        let begun = Instant::now();
        while desk.received().is_empty() {
            assert!(begun.elapsed() < DEADLINE);
            tokio::select! {
                biased;
                ended = &mut call => panic!("{ended:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        // From here on nothing but the clock can end it.
        tokio::time::pause();
        let paused = tokio::time::Instant::now();
        let error = call.await.unwrap_err();
        assert!(error.ends_with("gave no token within 10 s (timeout)"), "{error}");
        assert!(paused.elapsed() <= Duration::from_secs(10), "{:?}", paused.elapsed());
        assert_eq!(vertex.bytes_received(), 0);
    })
    .await;
}

/// Takes what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_of_any_level_has_a_credential() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    on_one_thread(async {
        let secret = "wJalrXUtnFEMI/K7MDENG+harbour-987654321";
        let token = "AQoDYXdzharbour-987654321";
        let backup = simulator(Config::default());
        let bench = Bench::before(&[
            ("api.anthropic.com", &backup),
            ("bedrock-runtime.us-east-1.amazonaws.com", &backup),
        ]);
        bench.holds("key", KEY);
        bench.holds(
            "aws",
            &format!(
                "aws_access_key_id=AKIAHARBOUR\naws_secret_access_key={secret}\naws_session_token={token}\n"
            ),
        );
        // A place that another test's thread is just registering misses who began to listen: so before each call.
        let listen = tracing::callsite::rebuild_interest_cache;
        listen();
        bench.call(&targets(CLAUDE)[0], "/v1/messages?key=mistyped-5566778899", Protocol::H1).await.unwrap();
        listen();
        bench.call(&targets(NOVA)[0], CONVERSE, Protocol::H2).await.unwrap();
        let (bench, _vertex, _desk) = google(Certificate::Good, serde_json::json!([]));
        listen();
        bench.call(&targets(IOWA)[0], GENERATE, Protocol::H1).await.unwrap();
        let refused =
            serde_json::json!([{"answer": {"status": 400, "raw_body": "{\"error\": \"invalid_grant\"}"}}]);
        let (bench, _vertex, _desk) = google(Certificate::Good, refused);
        listen();
        bench.call(&targets(IOWA)[0], GENERATE, Protocol::H1).await.unwrap_err();
        bench.holds("google.json", "{\"private_key\": \"harbour-987654321\"}");
        listen();
        bench.call(&targets(IOWA)[0], GENERATE, Protocol::H1).await.unwrap_err();
    })
    .await;
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("no new token for a backup") && log.contains("signing"), "it listens: {log}");
    let planted =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/secrets.txt"))
            .unwrap();
    for secret in planted.lines().chain(["wJalrXUtnFEMI", "AQoDYXdz", "ya29.", "assertion=", "PRIVATE KEY"]) {
        let at = log.find(secret);
        assert!(at.is_none(), "{secret}: {}", &log[at.unwrap_or(0)..][..200.min(log.len())]);
    }
}
