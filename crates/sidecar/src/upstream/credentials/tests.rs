use http::HeaderValue;
use outrigger_pricing::PriceBook;
use outrigger_rules::{Policy, Site, Translation};

use super::*;
use crate::upstream::reach::Reach;
use crate::upstream::resolve::Resolver;

/// The backups of a document, in its order.
pub(super) fn targets(backups: &str) -> Vec<std::sync::Arc<Target>> {
    let document = format!("version: 1\nbackups:\n{backups}");
    let site = Site {
        book: PriceBook::builtin(),
        now: 1_794_830_400,
        allowed_providers: None,
        in_cluster: false,
        gate: &Translation,
    };
    let (policy, _) = Policy::read(document.as_bytes(), &site).unwrap();
    policy.targets.to_vec()
}

pub(super) fn head(uri: &str, headers: &[(&str, &str)]) -> request::Parts {
    let mut builder = http::Request::post(uri);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

pub(super) fn open(settings: &Settings) -> (Credentials, Rc<Dialer>, Rc<Connector>) {
    let dialer = Rc::new(Dialer {
        resolver: Resolver::new(&settings.upstreams),
        proxy: None,
        reach: Reach::new(true),
    });
    let connector = Rc::new(Connector::new(settings, crate::tls::provider()).unwrap());
    (Credentials::open(settings, Rc::clone(&dialer), Rc::clone(&connector)), dialer, connector)
}

fn credentials(folder: &std::path::Path) -> Credentials {
    open(&Settings { credentials: Some(folder.to_owned()), ..Settings::default() }).0
}

/// What is said before a call of the one backup.
fn examined(folder: &std::path::Path, backup: &str) -> Result<(), String> {
    let settings = Settings { credentials: Some(folder.to_owned()), ..Settings::default() };
    Sources::of(&settings).examine(&targets(backup)[0]).map_err(|unpaid| unpaid.text)
}

async fn authorise(
    credentials: &Credentials,
    target: &Target,
    head: &mut request::Parts,
) -> Result<(), String> {
    credentials.authorise(target, head, &Bytes::new()).await.map_err(|unpaid| unpaid.text)
}

fn said(head: &request::Parts, name: &str) -> Option<String> {
    head.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_key_stands_where_the_backup_expects_it_and_the_apps_own_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    std::fs::write(folder.path().join("keys/one"), "sk-harbour-0123456789\n").unwrap();
    let credentials = credentials(folder.path());
    let targets = targets(
        "  openai: { provider: openai, credential: { file: keys/one } }
  anthropic: { provider: anthropic, credential: { file: keys/one } }
  gemini: { provider: gemini, credential: { file: keys/one } }
  azure: { provider: azure, host: shop.openai.azure.com, deployment: d, model: gpt-5, credential: { file: keys/one } }
  token: { provider: azure, host: shop.openai.azure.com, deployment: d, model: gpt-5, credential: { file: keys/one, kind: bearer } }
  bedrock: { provider: bedrock, region: us-east-1, credential: { file: keys/one, kind: bearer } }
",
    );
    let expected = [
        ("openai", "authorization", "Bearer sk-harbour-0123456789"),
        ("anthropic", "x-api-key", "sk-harbour-0123456789"),
        ("gemini", "x-goog-api-key", "sk-harbour-0123456789"),
        ("azure", "api-key", "sk-harbour-0123456789"),
        ("token", "authorization", "Bearer sk-harbour-0123456789"),
        ("bedrock", "authorization", "Bearer sk-harbour-0123456789"),
    ];
    for target in &targets {
        let (_, header, value) = expected.into_iter().find(|(name, ..)| *name == &*target.name).unwrap();
        let uri = format!("https://{}/v1/x?key=mistyped-5566778899&alt=sse", target.host);
        let mut head = head(
            &uri,
            &[
                ("authorization", "Bearer mistyped-5566778899"),
                ("x-api-key", "mistyped-5566778899"),
                ("x-goog-api-key", "mistyped-5566778899"),
                ("api-key", "mistyped-5566778899"),
                ("x-amz-security-token", "mistyped-5566778899"),
                ("openai-organization", "mistyped-5566778899"),
                ("content-type", "application/json"),
            ],
        );
        authorise(&credentials, target, &mut head).await.unwrap();
        assert_eq!(said(&head, header).as_deref(), Some(value), "{}", target.name);
        assert_eq!(head.headers.len(), 2, "{:?}", head.headers);
        assert_eq!(head.uri.to_string(), format!("https://{}/v1/x?alt=sse", target.host));
        assert!(!format!("{head:?}").contains("harbour"), "{head:?}");
    }
}

#[tokio::test]
async fn a_credential_goes_into_a_request_for_its_own_host_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "sk-harbour-0123456789").unwrap();
    let credentials = credentials(folder.path());
    let claude = &targets("  claude: { provider: anthropic, credential: { file: key } }\n")[0];
    for own in
        ["https://api.anthropic.com/v1/messages", "https://API.anthropic.com:443/v1/messages", "/v1/messages"]
    {
        authorise(&credentials, claude, &mut head(own, &[])).await.unwrap();
    }
    let named = [("host", "api.anthropic.com")];
    authorise(&credentials, claude, &mut head("/v1/messages", &named)).await.unwrap();
    let foreign = [
        head("https://api.openai.com/v1/messages", &[]),
        head("https://api.anthropic.com:8443/v1/messages", &[]),
        head("/v1/messages", &[("host", "api.anthropic.com.example")]),
        head("https://api.anthropic.com/v1/messages", &[("host", "api.openai.com")]),
        head("/v1/messages", &[("host", "api.anthropic.com"), ("host", "api.openai.com")]),
    ];
    for mut foreign in foreign {
        foreign.headers.insert("x-api-key", HeaderValue::from_static("mistyped-5566778899"));
        let error = authorise(&credentials, claude, &mut foreign).await.unwrap_err();
        assert!(error.contains("is not addressed to api.anthropic.com"), "{error}");
        assert!(!foreign.headers.contains_key("x-api-key"), "no key at all, not the app's either");
    }
}

#[tokio::test]
async fn what_cannot_be_paid_names_the_place_and_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("empty"), "\n").unwrap();
    std::fs::write(path.join("lines"), "harbour-987654321\nharbour-987654321\n").unwrap();
    std::fs::write(path.join("scheme"), "Bearer harbour-987654321").unwrap();
    std::fs::write(path.join("letters"), "schlüssel-harbour-987654321\u{7}").unwrap();
    std::fs::create_dir(path.join("folder")).unwrap();
    let credentials = credentials(path);
    for (file, why) in [
        ("missing", "it is not there; mount the Secret with it there, or correct `credential.file`"),
        ("empty", "it is empty; mount the Secret"),
        ("lines", "it holds more than one line"),
        ("scheme", "it begins with `Bearer`; write the key alone"),
        ("letters", "it holds a character that no header can carry"),
        ("folder", "it is a folder, and this is one file"),
    ] {
        let backup = format!("  claude: {{ provider: anthropic, credential: {{ file: {file} }} }}\n");
        let error =
            authorise(&credentials, &targets(&backup)[0], &mut head("/v1/messages", &[])).await.unwrap_err();
        assert_eq!(examined(path, &backup).unwrap_err(), error, "who looks before hears the same");
        let begin = format!("the backup claude cannot be paid: the file {}: ", path.join(file).display());
        assert!(error.starts_with(&begin) && error.contains(why), "{error}");
        assert!(!error.contains("harbour"), "{error}");
    }
    let backup = "  claude: { provider: anthropic, credential: { env: OUTRIGGER_TEST_NOBODY_SETS_THIS } }\n";
    let error =
        authorise(&credentials, &targets(backup)[0], &mut head("/v1/messages", &[])).await.unwrap_err();
    assert!(
        error.contains(
            "the variable OUTRIGGER_TEST_NOBODY_SETS_THIS: it is not set; set it where Outrigger is started"
        ),
        "{error}"
    );
    // One that every process of a test has.
    let backup = "  claude: { provider: anthropic, credential: { env: PATH } }\n";
    let mut head = head("/v1/messages", &[]);
    authorise(&credentials, &targets(backup)[0], &mut head).await.unwrap();
    assert_eq!(said(&head, "x-api-key"), std::env::var("PATH").ok());
}

const AWS: &str = "  nova: { provider: bedrock, region: eu-central-1, model: eu.amazon.nova-pro-v1:0, credential: { file: aws } }\n";

#[tokio::test(start_paused = true)]
async fn aws_keys_sign_in_each_form_and_new_ones_count_from_the_next_call_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("aws");
    let credentials = credentials(folder.path());
    let nova = &targets(AWS)[0];
    let request = || {
        let app = "AWS4-HMAC-SHA256 Credential=AKIAAPP/20261126/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=ab";
        head(
            "https://bedrock-runtime.eu-central-1.amazonaws.com/model/eu.amazon.nova-pro-v1:0/converse",
            &[
                ("authorization", app),
                ("x-amz-security-token", "mistyped-5566778899"),
                ("x-amz-date", "20261126T000000Z"),
            ],
        )
    };
    let signed = async || {
        // What was seen is believed for a second.
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let mut head = request();
        credentials
            .authorise(nova, &mut head, &Bytes::from_static(b"{}"))
            .await
            .map_err(|unpaid| unpaid.text)?;
        assert_eq!(head.uri.path(), "/model/eu.amazon.nova-pro-v1%3A0/converse");
        let key = said(&head, "authorization").unwrap();
        let id = key.strip_prefix("AWS4-HMAC-SHA256 Credential=").unwrap().split_once('/').unwrap();
        assert!(id.1.contains("/eu-central-1/bedrock/aws4_request, "), "{key}");
        Ok::<_, String>((id.0.to_owned(), said(&head, "x-amz-security-token")))
    };
    std::fs::write(
        &path,
        "[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = harbour-987654321\n",
    )
    .unwrap();
    assert_eq!(signed().await, Ok(("AKIAONE".to_owned(), None)));
    let json = |expires: &str| {
        format!(
            "{{\"accessKeyId\": \"AKIATWO\", \"secretAccessKey\": \"harbour-987654321\", \"sessionToken\": \"t\", \"expiration\": \"{expires}\"}}"
        )
    };
    std::fs::write(&path, json("2126-11-26T00:00:00Z")).unwrap();
    assert_eq!(signed().await, Ok(("AKIATWO".to_owned(), Some("t".to_owned()))));
    std::fs::write(&path, json("2016-11-26T00:00:00Z")).unwrap();
    let error = signed().await.unwrap_err();
    assert!(error.contains("the keys in it have expired"), "{error}");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("accessKeyId"), "AKIATHREE\n").unwrap();
    let error = signed().await.unwrap_err();
    assert!(
        error.contains("it has no secret access key") && error.contains(&*path.to_string_lossy()),
        "{error}"
    );
    std::fs::write(path.join("secretAccessKey"), "harbour-987654321\n").unwrap();
    assert_eq!(signed().await, Ok(("AKIATHREE".to_owned(), None)));
}

#[tokio::test]
async fn a_signature_carries_the_time_of_the_place_it_goes_to() {
    let folder = tempfile::tempdir().unwrap();
    let keys = "[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = harbour-987654321\n";
    std::fs::write(folder.path().join("aws"), keys).unwrap();
    let credentials = credentials(folder.path());
    let nova = &targets(AWS)[0];
    let answer = HeaderMap::from_iter([(
        http::header::DATE,
        HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"),
    )]);
    credentials.answered(nova, &answer);
    let mut head = head("/model/m/converse", &[]);
    authorise(&credentials, nova, &mut head).await.unwrap();
    assert!(said(&head, "x-amz-date").unwrap().starts_with("19941106T08"), "{:?}", head.headers);
}

#[test]
fn what_could_be_paid_is_known_before_a_call_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let kinds = [
        ("key", "  a: { provider: openai, credential: { file: key } }\n", "sk-harbour-0123456789"),
        ("aws", AWS, "aws_access_key_id=AKIAONE\naws_secret_access_key=harbour-987654321"),
        (
            "google.json",
            "  a: { provider: vertex, region: us-central1, project: p, credential: { file: google.json } }\n",
            &google::test_file("https://oauth2.googleapis.com/token"),
        ),
    ];
    for (file, backup, good) in kinds {
        let missing = examined(path, backup).unwrap_err();
        assert!(missing.contains(file) && missing.contains("it is not there"), "{missing}");
        std::fs::write(path.join(file), "harbour-987654321\nharbour-987654321").unwrap();
        let broken = examined(path, backup).unwrap_err();
        assert!(broken.contains(file) && !broken.contains("harbour"), "{broken}");
        std::fs::write(path.join(file), good).unwrap();
        examined(path, backup).unwrap();
    }
}
