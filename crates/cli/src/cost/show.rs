//! `outrigger cost show RECORD`: the arithmetic of one call, so that a person can follow each figure to its source.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use outrigger_ledger::ToldCall;
use outrigger_pricing::{Completeness, Cost, CostLine, Explanation, PriceBook};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Output, book, har, read};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// File with one record as JSON (as `--output json` prints it, or an OTLP log record), or with an entry of an HTTP Archive;
    /// `-` for standard input.
    record: PathBuf,
    /// The file is a whole HTTP Archive: take the entry at this place, from 0.
    #[arg(long, value_name = "N")]
    entry: Option<usize>,
    /// A host of such an entry that speaks a known format, such as a gateway of one's own.
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// File with prices of one's own, laid over the built-in book.
    #[arg(long)]
    prices: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) fn shown(arguments: &Arguments) -> Result<String, String> {
    let path = arguments.record.display();
    let book = Arc::new(book(arguments.prices.as_ref())?);
    let given = read(&arguments.record)?;
    let record = har::one(&given, arguments.entry, &arguments.hosts, &book)
        .map_err(|fault| format!("{path}: {fault}"))?
        .unwrap_or(given);
    let call = ToldCall::read(&record).map_err(|fault| format!("{path}: {fault}"))?;
    let charge = call.charge(&book);
    let mut cost = book.cost(&charge);
    if let (Some(_), Some(doubt)) = (cost.total, &call.doubt) {
        cost.completeness = match cost.completeness {
            Completeness::Exact | Completeness::Fallback if call.estimated => Completeness::Estimated,
            _ => Completeness::Partial,
        };
        cost.reasons.push(doubt.clone());
    }
    let explanation = book.explain(&charge);
    Ok(match arguments.output {
        Output::Text => text(&call, &book, &cost, explanation.as_ref()),
        Output::Json => json(&call, &book, &cost, explanation.as_ref()).to_string(),
    })
}

fn started(call: &ToldCall) -> String {
    let at = OffsetDateTime::from_unix_timestamp(call.at).ok();
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(|| format!("second {}", call.at))
}

/// The same call at the same prices gave another figure.
fn disagrees(call: &ToldCall, book: &PriceBook, cost: &Cost) -> Option<&'static str> {
    match (call.recorded, call.price_book.as_deref()) {
        (Some(recorded), Some(hash)) if cost.total != Some(recorded) => Some(if hash == &**book.hash() {
            "with the same prices; please report it"
        } else {
            "with other prices"
        }),
        _ => None,
    }
}

fn text(call: &ToldCall, book: &PriceBook, cost: &Cost, explanation: Option<&Explanation<'_>>) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _written = write_text(&mut out, call, book, cost, explanation);
    out.trim_end().to_owned()
}

fn write_text(
    out: &mut String,
    call: &ToldCall,
    book: &PriceBook,
    cost: &Cost,
    explanation: Option<&Explanation<'_>>,
) -> std::fmt::Result {
    let id = call.id.as_deref().unwrap_or("call");
    let (tier, region) = (call.tier.as_str(), call.region.as_str());
    writeln!(out, "{id}  {} {} at {}, {tier} tier, {region}", call.provider, call.model, started(call))?;
    if let Some(explanation) = explanation {
        let own = if explanation.own_prices { ", with prices of your own" } else { "" };
        let span = match (&explanation.since, &explanation.until) {
            (Some(since), Some(until)) => format!(" from {since} until {until}"),
            (Some(since), None) => format!(" since {since}"),
            (None, Some(until)) => format!(" until {until}"),
            (None, None) => String::new(),
        };
        writeln!(
            out,
            "priced as {} {}{span} ({}; {}, read {}){own}",
            explanation.provider,
            explanation.model,
            explanation.status,
            explanation.source,
            explanation.checked_on
        )?;
    }
    writeln!(out)?;
    let rows: Vec<[String; 3]> = cost.lines.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    for [meter, sum, amount] in &rows {
        writeln!(out, "  {meter:<0$}  {sum:<1$}  = ${amount}", widths[0], widths[1])?;
    }
    match cost.total {
        Some(total) => {
            let bound = match cost.completeness {
                Completeness::Partial => "at least ",
                Completeness::Estimated => "about ",
                _ => "",
            };
            writeln!(
                out,
                "  {:<1$}    {bound}${total}  {2}",
                "total",
                widths[0] + widths[1] + 2,
                cost.completeness.as_str()
            )?;
        }
        None => writeln!(out, "  unpriced")?,
    }
    for reason in &cost.reasons {
        writeln!(out, "  because {reason}")?;
    }
    for free in explanation.into_iter().flat_map(|explanation| &explanation.free) {
        let shared = if free.shared_group.is_empty() {
            String::new()
        } else {
            format!(", shared by {}", free.shared_group)
        };
        writeln!(
            out,
            "  {} {} a {} are free{shared}; that is not taken off here",
            free.quantity,
            free.meter.as_str(),
            free.period
        )?;
    }
    if let (Some(recorded), Some(how)) = (call.recorded, disagrees(call, book, cost)) {
        writeln!(out, "\nthe record says ${recorded}, {how}")?;
    }
    writeln!(out, "\nprices of {}, book {}", book.date(), book.hash().get(..12).unwrap_or_default())
}

/// Meter, sum and amount of a line.
fn row(line: &CostLine) -> [String; 3] {
    let mut sum = format!("{} × ${}", line.quantity, line.rate);
    if line.per != 1 {
        let _written = write!(sum, " / {}", line.per);
    }
    if line.factor != (1, 1) {
        let _written = write!(sum, " × {}/{}", line.factor.0, line.factor.1);
    }
    [line.meter.as_str().to_owned(), sum, line.amount.to_string()]
}

fn json(call: &ToldCall, book: &PriceBook, cost: &Cost, explanation: Option<&Explanation<'_>>) -> Value {
    let line = |line: &CostLine| {
        json!({
            "meter": line.meter.as_str(), "quantity": line.quantity, "rate": line.rate.to_string(), "per": line.per,
            "factor": (line.factor != (1, 1)).then(|| format!("{}/{}", line.factor.0, line.factor.1)),
            "amount": line.amount.to_string(),
        })
    };
    let priced_as = explanation.map(|explanation| {
        let free = explanation.free.iter().map(|free| {
            json!({"meter": free.meter.as_str(), "quantity": free.quantity, "period": free.period, "shared_group": free.shared_group})
        });
        json!({
            "provider": explanation.provider, "model": explanation.model, "since": explanation.since,
            "until": explanation.until, "status": explanation.status, "source": explanation.source,
            "checked_on": explanation.checked_on, "own_prices": explanation.own_prices,
            "free": free.collect::<Vec<_>>(),
        })
    });
    json!({
        "id": call.id, "provider": call.provider, "model": call.model, "started": started(call),
        "tier": call.tier.as_str(), "region": call.region.as_str(),
        "cost": cost.total.map(|total| total.to_string()), "cost_status": cost.completeness.as_str(),
        "cost_reasons": cost.reasons, "cost_lines": cost.lines.iter().map(line).collect::<Vec<_>>(),
        "priced_as": priced_as, "recorded_cost": call.recorded.map(|recorded| recorded.to_string()),
        "price_book": {"hash": &**book.hash(), "date": book.date()},
    })
}
