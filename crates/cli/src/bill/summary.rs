//! The bill as a person reads it, and as JSON. Only what is shown is rounded; sums are exact.

use std::fmt::Write;
use std::time::Duration;

use outrigger_ledger::Outcome;
use outrigger_pricing::{Atto, PriceBook};
use outrigger_sidecar::Seen;
use serde_json::{Value, json};

use crate::bill::failures::clock;
use crate::bill::samples::Samples;
use crate::bill::{ModelRow, State, Sums, Telemetry, Tokens};

/// Decimals of a dollar that are shown.
const SHOWN: u32 = 6;

pub(super) fn text(
    state: &State,
    elapsed: Duration,
    seen: Option<&Seen>,
    telemetry: Option<&Telemetry>,
) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _written = write_text(&mut out, state, elapsed, seen, telemetry);
    out
}

fn write_text(
    out: &mut String,
    state: &State,
    elapsed: Duration,
    seen: Option<&Seen>,
    telemetry: Option<&Telemetry>,
) -> std::fmt::Result {
    writeln!(
        out,
        "\noutrigger  {} in {} · {} · {}",
        counted(state.total.calls, "call"),
        shown(elapsed),
        money(&state.total),
        outcomes(state)
    )?;
    if state.total.calls > 0 {
        write_models(out, state)?;
        write_steps(out, state)?;
        state.people.write(out, &state.total)?;
        state.threads.write(out)?;
        write_failures(out, state)?;
    }
    state.verdicts.write(out)?;
    if state.total.calls > 0 {
        let also =
            |count: u64, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
        let late = also(state.late, "of them after the app had left");
        let estimated = also(state.estimated, "estimated from the texts");
        let rest =
            late + &estimated + &also(state.unknown, "unknown") + &also(state.unused, "refused and free");
        writeln!(
            out,
            "\n  tokens     {} as reported by the provider{rest}        prices of {}",
            counted(state.exact + state.late, "call"),
            PriceBook::builtin().date()
        )?;
    }
    if let Some(seen) = seen {
        if seen.passed > 0 {
            writeln!(
                out,
                "  unread     {} to {} passed through undecrypted",
                counted(seen.passed, "connection"),
                counted(seen.passed_hosts, "other host")
            )?;
        }
        for host in &seen.untrusted {
            writeln!(
                out,
                "  UNTRUSTED  a client refused Outrigger's certificate for {host}: it does not read the trust variables. \
                 Try `--mode base-url`, or give it the file in SSL_CERT_FILE."
            )?;
        }
        if seen.panics > 0 {
            writeln!(
                out,
                "  FAULT      {} of Outrigger's own; please report it",
                counted(seen.panics, "fault")
            )?;
        }
        if seen.calls.lost > 0 {
            writeln!(
                out,
                "  LOST       {} by such a fault: of these nothing is known",
                counted(seen.calls.lost, "call")
            )?;
        }
    }
    if let Some(telemetry) = telemetry {
        let calls = telemetry.counts.calls;
        writeln!(
            out,
            "  telemetry  {} seen{} = {} exported + {} waiting{} + {} dropped, to {}",
            calls.seen,
            beside(calls.recovered, "recovered"),
            calls.exported,
            calls.waiting,
            beside(calls.spooled, "spooled"),
            calls.dropped.total(),
            telemetry.endpoints.join(", ")
        )?;
        let refused: Vec<String> = [
            ("spans", telemetry.counts.traces.dropped.total()),
            ("records", telemetry.counts.logs.dropped.total()),
            ("metric points", telemetry.counts.metrics.dropped.total()),
        ]
        .into_iter()
        .filter(|(_, dropped)| *dropped > 0)
        .map(|(what, dropped)| format!("{dropped} {what}"))
        .collect();
        if !refused.is_empty() {
            writeln!(out, "             not taken by the endpoint: {}", refused.join(", "))?;
        }
    }
    Ok(())
}

/// A part of the sum that is told where it is not zero.
fn beside(count: u64, what: &str) -> String {
    if count == 0 { String::new() } else { format!(" + {count} {what}") }
}

fn write_models(out: &mut String, state: &State) -> std::fmt::Result {
    let name_width = state.models.keys().map(|(_, model)| model.len()).max().unwrap_or(0).max(17);
    writeln!(
        out,
        "\n  {:<10} {:<name_width$} {:>6} {:>12} {:>11} {:>9} {:>12}   first token p50 / p95",
        "provider", "model", "calls", "tokens in", "(cached)", "out", "cost"
    )?;
    let mut rows: Vec<_> = state.models.iter().collect();
    rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.sums.calls));
    for ((provider, model), row) in rows {
        writeln!(
            out,
            "  {provider:<10} {model:<name_width$} {:>6} {:>12} {:>11} {:>9} {:>12}   {}",
            row.sums.calls,
            tokens(&row.input),
            format!("({})", grouped(row.cached)),
            tokens(&row.output),
            row_money(row),
            first_token(&row.first_token)
        )?;
    }
    Ok(())
}

fn write_steps(out: &mut String, state: &State) -> std::fmt::Result {
    // One step without a name says nothing that the total does not.
    if state.steps.len() == 1 && state.steps.contains_key("unnamed") {
        return Ok(());
    }
    let mut steps: Vec<_> = state.steps.iter().collect();
    steps.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.calls));
    let steps: Vec<String> = steps
        .into_iter()
        .take(8)
        .map(|(name, sums)| format!("{name} {} {}", sums.calls, money(sums)))
        .collect();
    writeln!(out, "  steps      {}", steps.join(" · "))
}

fn write_failures(out: &mut String, state: &State) -> std::fmt::Result {
    for (at, group) in state.failures.groups().into_iter().enumerate() {
        let label = if at == 0 { "\n  FAILED  " } else { "          " };
        // The status already stands at the head; a code that repeats it adds nothing.
        let status = group.status.map(|status| status.to_string());
        let head: Vec<&str> = status
            .iter()
            .map(String::as_str)
            .chain((status.as_deref() != Some(&group.error_type)).then_some(group.error_type.as_str()))
            .collect();
        let text = group.text.split_once(": ").map_or(group.text.as_str(), |(_, rest)| rest);
        let other = state.failures.other_key(group).map(|other| format!(" {other}")).unwrap_or_default();
        writeln!(
            out,
            "{label} {} × {} {}, first {}: {text}{other}",
            group.count,
            group.provider,
            head.join(" "),
            clock(group.first)
        )?;
    }
    Ok(())
}

fn outcomes(state: &State) -> String {
    let mut parts = vec![format!("{} answered", state.outcome(Outcome::Answered))];
    for (outcome, word) in [
        (Outcome::Failed, "failed"),
        (Outcome::Cancelled, "cancelled by the app"),
        (Outcome::Unknown, "not followed to their end"),
    ] {
        let count = state.outcome(outcome);
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    parts.join(", ")
}

pub(super) fn money(sums: &Sums) -> String {
    let mut text = if sums.partial > 0 { "at least ".to_owned() } else { String::new() };
    text.push_str(&dollars(sums.cost));
    if sums.estimated > 0 {
        let _written = write!(text, " ({} of it estimated)", dollars(sums.estimated_cost));
    }
    if sums.borrowed > 0 {
        let _written = write!(text, " ({} at a borrowed price)", sums.borrowed);
    }
    if sums.unpriced > 0 {
        let _written = write!(text, " + {} unpriced", sums.unpriced);
    }
    text
}

fn row_money(row: &ModelRow) -> String {
    if row.sums.unpriced == row.sums.calls && row.sums.cost == Atto::ZERO {
        return "unpriced".to_owned();
    }
    let bound = mark(row.sums.partial + row.sums.unpriced, row.sums.estimated);
    format!("{bound}{}", dollars(row.sums.cost))
}

/// What stands before a number that is less than the truth, or partly estimated.
const fn mark(incomplete: u64, estimated: u64) -> &'static str {
    match (incomplete, estimated) {
        (0, 0) => "",
        (0, _) => "~",
        (_, 0) => "≥",
        _ => "≥~",
    }
}

/// Tokens, marked where they are less than the truth.
fn tokens(tokens: &Tokens) -> String {
    let bound = mark(tokens.incomplete, tokens.estimated);
    format!("{bound}{}", grouped(tokens.known))
}

/// Whole seconds, or milliseconds of less than one.
fn shown(elapsed: Duration) -> humantime::FormattedDuration {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    humantime::format_duration(Duration::from_millis(if millis < 1000 {
        millis
    } else {
        millis / 1000 * 1000
    }))
}

/// Dollars with six decimals; the sum itself stays exact.
pub(super) fn dollars(amount: Atto) -> String {
    let shown = amount.rounded(SHOWN).unwrap_or(amount).to_string();
    let (whole, decimals) = shown.split_once('.').unwrap_or((&shown, ""));
    format!("${whole}.{decimals:0<6}")
}

fn first_token(samples: &Samples) -> String {
    match (samples.percentile(0.5), samples.percentile(0.95)) {
        (Some(p50), Some(p95)) => format!("{p50:.2} s / {p95:.2} s"),
        _ => "–".to_owned(),
    }
}

pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// 61204 as 61,204.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(super) fn json(state: &State) -> Value {
    let sums = |sums: &Sums| json!({"calls": sums.calls, "cost": sums.cost.to_string(), "partly_priced": sums.partial, "at_borrowed_price": sums.borrowed, "unpriced": sums.unpriced, "estimated": sums.estimated, "estimated_cost": sums.estimated_cost.to_string()});
    json!({
        "total": sums(&state.total),
        "outcomes": state.outcomes,
        "tokens": {"exact": state.exact, "provider_late": state.late, "estimated": state.estimated, "unknown": state.unknown, "unused": state.unused},
        "models": state.models.iter().map(|((provider, model), row)| json!({
            "provider": provider, "model": model, "sums": sums(&row.sums),
            "input": row.input.known, "input_incomplete": row.input.incomplete, "input_estimated": row.input.estimated, "cached": row.cached,
            "output": row.output.known, "output_incomplete": row.output.incomplete, "output_estimated": row.output.estimated,
        })).collect::<Vec<_>>(),
        "steps": state.steps.iter().map(|(name, step)| json!({"step": name, "sums": sums(step)})).collect::<Vec<_>>(),
        "people": state.people.json(&state.total, sums),
        "threads": state.threads.json(sums),
        "failures": state.failures.groups().iter().map(|group| json!({
            "count": group.count, "provider": group.provider, "class": group.class.as_str(), "status": group.status,
            "error_type": group.error_type, "message": group.text,
        })).collect::<Vec<_>>(),
    })
}
