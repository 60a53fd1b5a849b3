//! `outrigger rules explain FILE --provider … --model …`: which rule decides a call, and what it does.

use http::{HeaderMap, HeaderName, HeaderValue};
use outrigger_providers::{Operation, services};
use outrigger_rules::Call;

use super::{Failure, Subject, faults_text};
use crate::output::{self, Output};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// The provider that the app addresses.
    #[arg(long, value_parser = super::provider)]
    provider: String,
    /// The model asked for.
    #[arg(long)]
    model: Option<String>,
    /// What the call asks for.
    #[arg(long, default_value = "chat", value_parser = operation)]
    operation: Operation,
    /// A header of the request; repeat it for more.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The host that the app addresses; the provider's first, if left out.
    #[arg(long)]
    host: Option<String>,
    /// `service.name` of the app.
    #[arg(long)]
    service: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
}

fn operation(word: &str) -> Result<Operation, String> {
    let words = || Operation::ALL.map(Operation::as_str).join(", ");
    Operation::from_word(word).ok_or_else(|| format!("the operations are {}", words()))
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `NAME: VALUE`")?;
    let name = name.trim().parse().map_err(|_| format!("`{name}` is not the name of a header"))?;
    let value = value.trim().parse().map_err(|_| format!("`{value}` is not the value of a header"))?;
    Ok((name, value))
}

pub(super) fn told(arguments: &Arguments) -> Result<(String, bool), Failure> {
    let compiled = arguments.subject.compile()?;
    if !compiled.warnings.is_empty() && arguments.output == Output::Text {
        output::block(&format!("{}\n", faults_text(&compiled.name, &compiled.warnings)));
    }
    let headers: HeaderMap = arguments.headers.iter().cloned().collect();
    let own = services::ALL.into_iter().find(|service| service.id == arguments.provider);
    let own = own.and_then(|service| service.hosts.first().copied()).unwrap_or_default();
    let call = Call {
        provider: &arguments.provider,
        host: arguments.host.as_deref().unwrap_or(own),
        model: arguments.model.as_deref(),
        operation: arguments.operation,
        headers: &headers,
        service: arguments.service.as_deref(),
    };
    let explanation = compiled.policy.explain(&call, &compiled.site());
    let text = match arguments.output {
        Output::Text => explanation.to_string(),
        Output::Json => serde_json::to_string(&explanation).unwrap_or_default(),
    };
    Ok((text, true))
}
