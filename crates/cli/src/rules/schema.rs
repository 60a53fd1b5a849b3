//! `outrigger rules schema`: what editors and people are told of documents.

use outrigger_rules::reference;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// What to print.
    #[arg(long, value_enum, default_value_t = What::Document)]
    of: What,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// The JSON Schema of a document.
    Document,
    /// The JSON Schema of a table of examples.
    Examples,
    /// Every key as Markdown: the reference part of docs/rules.md.
    Markdown,
}

pub(super) fn told(arguments: &Arguments) -> String {
    let schema = match arguments.of {
        What::Document => reference::schema(),
        What::Examples => reference::examples_schema(),
        What::Markdown => return reference::markdown(),
    };
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}
