//! A second opinion: fake providers that other people wrote (vidaimock). What the official SDKs read of their answers, our
//! records must say too.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use outrigger_tests::app::answer;
use outrigger_tests::otlp::Receiver;
use outrigger_tests::process::{Exec, Program};
use outrigger_tests::tls::{Accepted, TlsServer};
use outrigger_tests::{DEADLINE, setting};
use serde_json::Value;

use super::{KEY, at, python, refs};

const HOSTS: [&str; 4] = [
    "api.openai.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "bedrock-runtime.us-east-1.amazonaws.com",
];

/// Members of an SDK's usage whose sum a meter must have, those of the second list taken off.
type Counted = (&'static str, &'static [&'static str], &'static [&'static str]);

const CHAT: &[Counted] = &[
    ("input", &["/prompt_tokens"], &["/prompt_tokens_details/cached_tokens"]),
    ("cache_read", &["/prompt_tokens_details/cached_tokens"], &[]),
    ("output", &["/completion_tokens"], &["/completion_tokens_details/reasoning_tokens"]),
    ("reasoning", &["/completion_tokens_details/reasoning_tokens"], &[]),
];
const RESPONSES: &[Counted] = &[
    ("input", &["/input_tokens"], &["/input_tokens_details/cached_tokens"]),
    ("cache_read", &["/input_tokens_details/cached_tokens"], &[]),
    ("output", &["/output_tokens"], &["/output_tokens_details/reasoning_tokens"]),
    ("reasoning", &["/output_tokens_details/reasoning_tokens"], &[]),
];
const EMBEDDINGS: &[Counted] = &[("input", &["/prompt_tokens"], &[])];
const MESSAGES: &[Counted] = &[
    ("input", &["/input_tokens"], &[]),
    ("cache_read", &["/cache_read_input_tokens"], &[]),
    ("cache_write_5m", &["/cache_creation_input_tokens"], &[]),
    ("output", &["/output_tokens"], &[]),
];
const GEMINI: &[Counted] = &[
    ("input", &["/prompt_token_count"], &["/cached_content_token_count"]),
    ("output", &["/candidates_token_count"], &[]),
    ("reasoning", &["/thoughts_token_count"], &[]),
];
const CONVERSE: &[Counted] = &[("input", &["/inputTokens"], &[]), ("output", &["/outputTokens"], &[])];

/// Call, provider, dialect, what to compare.
const CALLS: [(&str, &str, &str, &[Counted]); 10] = [
    ("chat", "openai", "openai_chat", CHAT),
    ("chat_stream", "openai", "openai_chat", CHAT),
    ("responses", "openai", "openai_responses", RESPONSES),
    ("responses_stream", "openai", "openai_responses", RESPONSES),
    ("embeddings", "openai", "openai_embeddings", EMBEDDINGS),
    ("messages", "anthropic", "anthropic_messages", MESSAGES),
    ("messages_stream", "anthropic", "anthropic_messages", MESSAGES),
    ("gemini", "gcp.gemini", "gemini", GEMINI),
    ("gemini_stream", "gcp.gemini", "gemini", GEMINI),
    ("converse", "aws.bedrock", "bedrock_converse", CONVERSE),
];

/// Takes a request in by TLS, passes it on in the clear, and passes the answer back to its end. One per connection.
fn pass(mut tls: Accepted, to: SocketAddr) -> std::io::Result<()> {
    let (head, body) = answer(&mut tls)?;
    let mut plain = TcpStream::connect(to)?;
    plain.set_read_timeout(Some(DEADLINE))?;
    let kept =
        head.lines().filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("connection:"));
    for line in kept {
        write!(plain, "{line}\r\n")?;
    }
    plain.write_all(b"Connection: close\r\n\r\n")?;
    plain.write_all(&body)?;
    let mut piece = [0; 16 * 1024];
    loop {
        match plain.read(&mut piece)? {
            0 => break,
            read => {
                tls.write_all(&piece[..read])?;
                tls.flush()?;
            }
        }
    }
    tls.conn.send_close_notify();
    tls.flush()
}

fn told(usage: &Value, members: &[&str]) -> u64 {
    members.iter().map(|member| usage.pointer(member).and_then(Value::as_u64).unwrap_or(0)).sum()
}

#[test]
fn what_an_independent_mock_says_is_what_is_recorded() {
    let mut command = Command::new(setting("OUTRIGGER_TEST_MOCK"));
    let empty = tempfile::tempdir().expect("a temporary directory");
    command.args(["--host", "127.0.0.1", "--port", "0", "--latency", "0"]).current_dir(empty.path());
    let mock = Program::start(command);
    let line = mock.output_line(|line| line.contains("http://"));
    let address: SocketAddr =
        line.rsplit("http://").next().and_then(|address| address.trim().parse().ok()).expect("an address");

    let servers = HOSTS.map(TlsServer::listen);
    let authorities: String = servers.iter().map(TlsServer::ca_pem).collect();
    let mut exec = Exec::trusting(&authorities);
    for (host, server) in HOSTS.into_iter().zip(servers) {
        exec = exec.upstream(host, server.address());
        std::thread::spawn(move || {
            loop {
                let tls = server.accept();
                // A client may leave as it likes.
                std::thread::spawn(move || drop(pass(tls, address)));
            }
        });
    }
    let receiver = Receiver::start();
    let ended = exec
        .option("--otlp", &receiver.url())
        .variable("OPENAI_API_KEY", KEY)
        .variable("ANTHROPIC_API_KEY", KEY)
        .variable("GEMINI_API_KEY", KEY)
        .variable("AWS_BEARER_TOKEN_BEDROCK", KEY)
        .variable("AWS_EC2_METADATA_DISABLED", "true")
        .run(&refs(&python("clients/python/usage.py", &CALLS.map(|(call, ..)| call))));
    let program = format!("{}\n{}", ended.output, ended.errors);
    assert!(ended.status.success(), "{program}");
    let received =
        receiver.wait_for(DEADLINE, |received| received.calls.len() >= CALLS.len()).expect(&program);
    let lines = ended.json_lines();
    assert_eq!((lines.len(), received.calls.len()), (CALLS.len(), CALLS.len()), "{program}");
    for (((call, provider, dialect, counted), line), record) in
        CALLS.into_iter().zip(&lines).zip(&received.calls)
    {
        let what = format!("{call}: {line} {record:#?}");
        assert_eq!(at(record, "gen_ai.provider.name"), provider, "{what}");
        assert_eq!(at(record, "outrigger.dialect"), dialect, "{what}");
        assert_eq!(at(record, "outrigger.outcome"), "answered", "{what}");
        assert_eq!(at(record, "outrigger.usage.provenance"), "exact", "{what}");
        let mut all = 0;
        for (meter, of, off) in counted {
            let count = told(&line["usage"], of) - told(&line["usage"], off);
            let recorded = at(record, &format!("outrigger.usage.{meter}")).as_u64().unwrap_or(0);
            assert_eq!(recorded, count, "{meter} of {what}");
            all += count;
        }
        assert!(all > 0, "the mock told nothing: {what}");
    }
}
