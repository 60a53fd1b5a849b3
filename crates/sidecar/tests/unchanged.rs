//! Default traffic of every wire format and service, streamed or not, over HTTP/1.1 and HTTP/2: what reaches the provider and what reaches
//! the app is held against what was sent, byte for byte. Whatever differs must have its row in docs/what-we-change.md, and whatever
//! has a row there is met.

use std::collections::BTreeSet;
use std::sync::Mutex;

use outrigger_sidecar::Settings;
use rustls::pki_types::pem::PemObject;
use tokio::net::TcpStream;

use crate::support::Bench;
use crate::support::diff::{PARTS, TLS, all_are_met, answer_rows, request_rows};
use crate::support::traffic::{Exchange, exchanges};
use crate::support::wire::{Message, Script, ask, ask_frames, provider};

async fn exchange(bench: &Bench, script: &Mutex<Script>, exchange: &Exchange) -> (Message, Message) {
    script.lock().unwrap().answer = Some(exchange.answer.clone());
    let answer = if exchange.h2 {
        ask_frames(bench.open(&exchange.host, "h2").await, &exchange.request).await
    } else {
        ask(&mut bench.open(&exchange.host, "http/1.1").await, &exchange.request).await
    };
    (script.lock().unwrap().got.take().unwrap(), answer)
}

#[tokio::test]
async fn default_traffic_changes_by_the_rows_of_the_page_alone_and_each_row_is_met() {
    let all = exchanges();
    let hosts: BTreeSet<String> = all.iter().map(|one| one.host.clone()).collect();
    let hosts: Vec<String> = hosts.into_iter().collect();
    let (address, authority, script) = provider(hosts.clone()).await;
    let bench = Bench::at((address, &authority, &hosts), Settings::default());
    let mut met = BTreeSet::new();
    for one in &all {
        let (got, answer) = exchange(&bench, &script, one).await;
        let asked = one.request.body != got.body;
        println!("{} over {}", one.name, if one.h2 { "h2" } else { "h1" });
        met.extend(request_rows(&one.request, &got, false));
        met.extend(answer_rows(&one.answer, &answer, asked));
    }
    // The app did not see the provider's own certificate, or it could not have trusted us.
    let theirs = rustls::pki_types::CertificateDer::from_pem_slice(authority.as_bytes()).unwrap();
    let tls = bench.open(&hosts[0], "http/1.1").await;
    assert!(tls.get_ref().1.peer_certificates().unwrap().iter().all(|one| *one != theirs));
    met.insert(TLS);

    let mut by_base_url = all.iter().find(|one| !one.h2 && one.host == "api.openai.com").unwrap().clone();
    by_base_url.request.start = by_base_url.request.start.replace("POST /", "POST /openai/");
    by_base_url.request.fields[0].1 = bench.base_url().to_string();
    script.lock().unwrap().answer = Some(by_base_url.answer.clone());
    let mut stream = TcpStream::connect(bench.base_url()).await.unwrap();
    let answer = ask(&mut stream, &by_base_url.request).await;
    let got = script.lock().unwrap().got.take().unwrap();
    met.extend(request_rows(&by_base_url.request, &got, true));
    met.extend(answer_rows(&by_base_url.answer, &answer, false));

    all_are_met(&PARTS, &met);
    // Every format was there, and every record says that nothing stumbled.
    let (seen, records) = bench.end().await;
    assert_eq!((seen.panics, records.len()), (0, all.len() + 1));
    let formats: BTreeSet<&str> = records.iter().map(|record| record.dialect).collect();
    assert_eq!(formats, outrigger_providers::dialects::ALL.iter().map(|dialect| dialect.name()).collect());
}
