//! Makes one call with reqwest and prints a JSON line: its text, or why there was none.
//!
//! Usage: outrigger-test-clients platform|pinned
//! `platform` verifies as reqwest does by default. `pinned` knows the public roots alone, compiled in, as programs built on
//! webpki-roots do; TEST_PUBLIC_ROOT names the one that the simulated providers' certificates come from.

use std::error::Error;

use reqwest::Certificate;
use reqwest::blocking::Client;
use serde_json::{Value, json};

fn pinned() -> Result<Client, Box<dyn Error>> {
    let mut roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|root| Certificate::from_der(root))
        .collect::<Result<Vec<_>, _>>()?;
    roots.push(Certificate::from_pem(&std::fs::read(std::env::var("TEST_PUBLIC_ROOT")?)?)?);
    Ok(Client::builder().tls_certs_only(roots).build()?)
}

fn call() -> Result<Value, Box<dyn Error>> {
    let client = match std::env::args().nth(1).as_deref() {
        Some("platform") => Client::new(),
        Some("pinned") => pinned()?,
        other => return Err(format!("{other:?} is neither platform nor pinned").into()),
    };
    let url = format!("{}/v1/chat/completions", std::env::var("TEST_ORIGIN")?);
    let body = json!({"model": "gpt-5-mini", "messages": [{"role": "user", "content": "When does the tide turn?"}]});
    let answer: Value = client.post(url).bearer_auth(std::env::var("OPENAI_API_KEY")?).json(&body).send()?.json()?;
    Ok(answer["choices"][0]["message"]["content"].clone())
}

fn main() {
    let told = match call() {
        Ok(text) => json!({"ok": true, "text": text}),
        Err(error) => {
            let mut causes = error.to_string();
            let mut cause = error.source();
            while let Some(one) = cause {
                causes = format!("{causes} < {one}");
                cause = one.source();
            }
            json!({"ok": false, "error": causes})
        }
    };
    println!("{told}");
}
