//! The clients: what is run, whom it calls, and whether it got its answer.

use std::collections::BTreeMap;
use std::path::Path;

use outrigger_tests::netns::{ELSEWHERE_NAME, Network};
use outrigger_tests::process::Program;
use outrigger_tests::{file, setting};

use super::image::Image;

/// One library in one runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    /// The runtime, as the table names it.
    pub(crate) runtime: &'static str,
    /// The library, as the table names it.
    pub(crate) library: &'static str,
    /// Its name for the client program.
    argument: Option<&'static str>,
}

const fn client(runtime: &'static str, library: &'static str, argument: &'static str) -> Client {
    Client { runtime, library, argument: Some(argument) }
}

const fn alone(runtime: &'static str, library: &'static str) -> Client {
    Client { runtime, library, argument: None }
}

/// Every client, in the order of the table.
pub(crate) const ALL: [Client; 40] = [
    client("Python", "openai", "openai"),
    client("Python", "openai (async)", "openai_async"),
    client("Python", "anthropic", "anthropic"),
    client("Python", "anthropic (async)", "anthropic_async"),
    client("Python", "google-genai", "genai"),
    client("Python", "google-genai (async)", "genai_async"),
    client("Python", "urllib", "urllib"),
    client("Python", "httpx", "httpx"),
    client("Python", "aiohttp", "aiohttp"),
    client("Python", "requests", "requests"),
    client("Python", "boto3", "boto3"),
    client("Python", "grpcio", "grpcio"),
    client("Node", "openai", "openai"),
    client("Node", "@anthropic-ai/sdk", "anthropic"),
    client("Node", "@google/genai", "genai"),
    client("Node", "fetch", "fetch"),
    client("Node", "https", "https"),
    client("Node", "@grpc/grpc-js", "grpc"),
    client("Deno", "openai", "openai"),
    client("Deno", "fetch", "fetch"),
    client("Deno", "node:https", "https"),
    client("Deno", "@grpc/grpc-js", "grpc"),
    client("Bun", "openai", "openai"),
    client("Bun", "fetch", "fetch"),
    client("Bun", "node:https", "https"),
    client("Bun", "@grpc/grpc-js", "grpc"),
    client("Go", "net/http", "http"),
    client("Go", "openai-go", "openai"),
    client("Go", "anthropic-sdk-go", "anthropic"),
    client("Go", "genai", "genai"),
    client("Java", "HttpClient", "httpclient"),
    client("Java", "openai-java", "openai"),
    client("Java", "anthropic-java", "anthropic"),
    client("Rust", "reqwest", "platform"),
    client("Rust", "pinned roots", "pinned"),
    alone("Ruby", "net/http"),
    client("PHP", "streams", "streams"),
    client("PHP", "curl", "curl"),
    alone("curl", "curl"),
    alone("git", "git"),
];

/// How a call went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Whether the answer came.
    pub(crate) answered: bool,
    /// What was said instead.
    pub(crate) said: String,
}

/// Whom a client calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callee {
    /// The provider, which is listed.
    Provider,
    /// A gateway in the company's own network, which is not.
    Internal,
}

/// A client of the table.
pub(crate) fn named(runtime: &str, library: &str) -> Client {
    ALL.into_iter()
        .find(|client| client.runtime == runtime && client.library == library)
        .unwrap_or_else(|| panic!("there is no client {runtime} {library}"))
}

impl Client {
    /// Calls once, from a container in `network`'s pod that holds `image`.
    pub(crate) fn call(
        &self,
        network: &Network,
        image: &Image,
        callee: Callee,
        environment: &BTreeMap<String, String>,
    ) -> Outcome {
        let mut command = image.command(network, &self.words(image, callee));
        command.envs(self.own(image, callee)).envs(environment);
        let ended = Program::start(command).end();
        let answered = match self.runtime {
            "curl" => ended.output.contains("\"choices\""),
            "git" => ended.output.contains("refs/heads/main"),
            _ => ended.output.lines().last().is_some_and(|line| {
                serde_json::from_str::<serde_json::Value>(line)
                    .is_ok_and(|told| told["ok"] == true && told["text"].is_string())
            }),
        };
        Outcome { answered, said: format!("{}{}", ended.output, ended.errors).trim().to_owned() }
    }

    fn words(&self, image: &Image, callee: Callee) -> Vec<String> {
        const CHAT: &str =
            r#"{"model":"gpt-5-mini","messages":[{"role":"user","content":"When does the tide turn?"}]}"#;
        let script = |name: &str| file(&format!("clients/{name}")).display().to_string();
        let npm = |name: &str| {
            let folder = Path::new(&setting("OUTRIGGER_TEST_NODE_DIR")).join("node_modules/.bin");
            folder.join(name).display().to_string()
        };
        let module = image.node_module().display().to_string();
        let origin = self.origin(callee);
        let words: &[&str] = match self.runtime {
            "Python" => &[&setting("OUTRIGGER_TEST_PYTHON"), &script("python/trust.py")],
            "Node" => &[&npm("node"), &module],
            "Deno" => &[&npm("deno"), "run", "--quiet", "--node-modules-dir=manual", "--allow-all", &module],
            "Bun" => &[&npm("bun"), &module],
            "Go" => &[&setting("OUTRIGGER_TEST_GO")],
            "Java" => &["java", "-cp", &setting("OUTRIGGER_TEST_JAVA"), "Trust"],
            "Rust" => &[&setting("OUTRIGGER_TEST_RUST")],
            "Ruby" => &["/usr/bin/ruby", &script("ruby/trust.rb")],
            "PHP" => &["/usr/bin/php", &script("php/trust.php")],
            "curl" => &[
                "/usr/bin/curl",
                "--silent",
                "--show-error",
                "--oauth2-bearer",
                "sk-harbour",
                "--json",
                CHAT,
                &format!("{origin}/v1/chat/completions"),
            ],
            "git" => &["/usr/bin/git", "ls-remote", &format!("{origin}/harbour/charts.git")],
            other => panic!("nothing runs {other}"),
        };
        words.iter().copied().chain(self.argument).map(str::to_owned).collect()
    }

    fn origin(&self, callee: Callee) -> String {
        match callee {
            Callee::Provider => "https://api.openai.com".to_owned(),
            Callee::Internal => format!("https://{ELSEWHERE_NAME}"),
        }
    }

    /// What the app's own configuration says, trust aside: keys, and where it calls.
    fn own(&self, image: &Image, callee: Callee) -> BTreeMap<&'static str, String> {
        let origin = self.origin(callee);
        let mut own = BTreeMap::from([
            ("OPENAI_API_KEY", "sk-harbour".to_owned()),
            ("ANTHROPIC_API_KEY", "sk-ant-harbour".to_owned()),
            ("GEMINI_API_KEY", "harbour".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIAHARBOUR".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "harbour".to_owned()),
            ("TEST_PUBLIC_ROOT", image.public_root().display().to_string()),
            ("TEST_ORIGIN", origin.clone()),
        ]);
        if callee == Callee::Internal {
            own.insert("OPENAI_BASE_URL", format!("{origin}/v1"));
            for name in ["ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "AWS_ENDPOINT_URL"] {
                own.insert(name, origin.clone());
            }
        }
        own
    }
}
