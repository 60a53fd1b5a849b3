//! The book as text: sorted, a card a line, so that a change of prices reads as one.

use outrigger_pricing::document::{Document, Model, Provider};
use serde::Serialize;

use crate::Failure;

/// The text of `prices.json`.
pub(crate) fn text(book: &Document) -> Result<String, Failure> {
    let mut out = String::from("{\n");
    out += &format!(" \"schema\": 2,\n \"currency\": \"USD\",\n \"version\": {},\n", json(&book.version)?);
    out += &format!(
        " \"date\": {},\n \"license\": {},\n \"sources\": {{\n",
        json(&book.date)?,
        json(&book.license)?
    );
    let sources = book.sources.iter().map(|(name, says)| Ok(format!("  {}: {}", json(name)?, json(says)?)));
    out += &sources.collect::<Result<Vec<_>, Failure>>()?.join(",\n");
    out += "\n },\n \"providers\": [\n";
    let providers = book.providers.iter().map(provider).collect::<Result<Vec<_>, Failure>>()?;
    out += &providers.join(",\n");
    out += "\n ]\n}\n";
    Ok(out)
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(Failure::foreign)
}

fn list<T: Serialize>(out: &mut String, key: &str, indent: &str, items: &[T]) -> Result<(), Failure> {
    if items.is_empty() {
        return Ok(());
    }
    let rows = items.iter().map(|item| Ok(format!("{indent} {}", json(item)?)));
    *out += &format!(
        ",\n{indent}\"{key}\": [\n{}\n{indent}]",
        rows.collect::<Result<Vec<_>, Failure>>()?.join(",\n")
    );
    Ok(())
}

fn provider(provider: &Provider) -> Result<String, Failure> {
    let mut out = format!("  {{\"id\": {}", json(&provider.id)?);
    for (key, words) in [("hosts", &provider.hosts), ("aliases", &provider.aliases)] {
        if !words.is_empty() {
            out += &format!(",\n   \"{key}\": {}", json(words)?);
        }
    }
    list(&mut out, "fallbacks", "   ", &provider.fallbacks)?;
    list(&mut out, "pointers", "   ", &provider.pointers)?;
    list(&mut out, "factors", "   ", &provider.factors)?;
    let models = provider.models.iter().map(model).collect::<Result<Vec<_>, Failure>>()?;
    Ok(format!("{out},\n   \"models\": [\n{}\n   ]}}", models.join(",\n")))
}

fn model(model: &Model) -> Result<String, Failure> {
    let mut out = format!("    {{\"id\": {}", json(&model.id)?);
    if !model.clauses.is_empty() {
        out += &format!(", \"match\": {}", json(&model.clauses)?);
    }
    list(&mut out, "cards", "     ", &model.cards)?;
    list(&mut out, "factors", "     ", &model.factors)?;
    list(&mut out, "minimums", "     ", &model.minimums)?;
    list(&mut out, "allowances", "     ", &model.allowances)?;
    if let Some(facts) = &model.facts {
        out += &format!(",\n     \"facts\": {}", json(facts)?);
    }
    Ok(out + "}")
}
