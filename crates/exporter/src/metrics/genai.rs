//! The metrics of the GenAI conventions, in their newest names and in those of v1.41. Per call.

use std::sync::Arc;

use opentelemetry::metrics::Meter;
use outrigger_ledger::CallRecord;
use outrigger_pricing::{Meter as TokenMeter, Modality};
use outrigger_providers::Operation;

use super::meter::{counter, numbers, seconds};
use super::series::{Distribution, Labels, Series, Sum};
use crate::schema::{self, keys};

/// What both generations tell of one call.
pub(super) struct Observed<'a> {
    pub(super) call: &'a CallRecord,
    pub(super) error: Option<Arc<str>>,
    /// Seconds.
    pub(super) duration: f64,
    pub(super) first_chunk: Option<f64>,
    /// The label for tokens and money, where steps are told apart.
    pub(super) step: Option<Arc<str>>,
}

/// The newest conventions.
pub(super) struct Latest {
    duration: Distribution<f64>,
    first_chunk: Distribution<f64>,
    /// Where it is asked for.
    per_chunk: Option<Distribution<f64>>,
    embeddings: Distribution<f64>,
    embeddings_input: Distribution<u64>,
    /// Of operations without a metric of their own; `None` where v1.41 tells all durations under that name.
    others: Option<Distribution<f64>>,
    input: Sum,
    output: Sum,
    cache_read: Sum,
    cache_write: Sum,
    reasoning: Sum,
    call_input: Distribution<u64>,
    call_output: Distribution<u64>,
}

impl Latest {
    pub(super) fn new(meter: &Meter, alone: bool, by_chunk: bool) -> Latest {
        Latest {
            duration: seconds(meter, &super::DURATION),
            first_chunk: seconds(meter, &super::FIRST_CHUNK),
            per_chunk: by_chunk.then(|| seconds(meter, &super::PER_CHUNK)),
            embeddings: seconds(meter, &super::EMBEDDINGS),
            embeddings_input: numbers(meter, &super::EMBEDDINGS_INPUT),
            others: alone.then(|| seconds(meter, &super::OLD_DURATION)),
            input: counter(meter, &super::INPUT),
            output: counter(meter, &super::OUTPUT),
            cache_read: counter(meter, &super::CACHE_READ),
            cache_write: counter(meter, &super::CACHE_WRITE),
            reasoning: counter(meter, &super::REASONING),
            call_input: numbers(meter, &super::CALL_INPUT),
            call_output: numbers(meter, &super::CALL_OUTPUT),
        }
    }

    pub(super) fn observe(&self, it: &Observed<'_>, labels: &mut Labels, series: &mut Series) {
        let usage = &it.call.tokens.reported();
        match it.call.operation {
            Operation::Embeddings => {
                labels.with(keys::ERROR_TYPE, it.error.as_ref(), |labels| {
                    self.embeddings.record(it.duration, labels, series);
                });
                if let Some(tokens) = usage.total_prompt() {
                    self.embeddings_input.record(tokens, labels, series);
                }
                // The conventions have no counter for them; the sum over all operations would lack them without this.
                if let Some(step) = &it.step {
                    labels.push(keys::STEP, Arc::clone(step));
                }
                by_modality(&self.input, usage.total_prompt(), None, labels, series);
            }
            Operation::Rerank | Operation::FetchResponse | Operation::CountTokens | Operation::Other => {
                if let Some(others) = &self.others {
                    labels.with(keys::ERROR_TYPE, it.error.as_ref(), |labels| {
                        others.record(it.duration, labels, series);
                    });
                }
            }
            _ => self.inference(it, labels, series),
        }
    }

    fn inference(&self, it: &Observed<'_>, labels: &mut Labels, series: &mut Series) {
        let usage = &it.call.tokens.reported();
        if let Some(first_chunk) = it.first_chunk {
            self.first_chunk.record(first_chunk, labels, series);
        }
        each_chunk(self.per_chunk.as_ref(), it.call, labels, series);
        labels.with(keys::ERROR_TYPE, it.error.as_ref(), |labels| {
            self.duration.record(it.duration, labels, series);
            if let Some(tokens) = usage.total_prompt() {
                self.call_input.record(tokens, labels, series);
            }
            if let Some(tokens) = usage.total_answer() {
                self.call_output.record(tokens, labels, series);
            }
        });
        let audio = |side: fn(TokenMeter) -> bool| {
            usage.sum(|meter| side(meter) && meter.modality() == Modality::Audio)
        };
        let (audio_in, audio_out) = (audio(TokenMeter::is_prompt), audio(TokenMeter::is_answer));
        let cached_audio = usage.get(TokenMeter::CacheReadAudio);
        by_modality(&self.cache_read, usage.total_cached(), cached_audio, labels, series);
        by_modality(&self.cache_write, schema::cache_write(it.call), None, labels, series);
        by_modality(&self.reasoning, schema::reasoning(it.call), None, labels, series);
        if let Some(step) = &it.step {
            labels.push(keys::STEP, Arc::clone(step));
        }
        by_modality(&self.input, usage.total_prompt(), audio_in, labels, series);
        by_modality(&self.output, usage.total_answer(), audio_out, labels, series);
    }
}

/// Adds tokens. What is not known to be audio is of unknown modality: an image in a prompt is counted among its tokens.
/// A call whose count is unknown adds nothing but makes its series exist, as the conventions ask.
fn by_modality(sum: &Sum, total: Option<u64>, audio: Option<u64>, labels: &mut Labels, series: &mut Series) {
    let total = total.unwrap_or(0);
    let audio = audio.unwrap_or(0).min(total);
    labels.with(keys::TOKEN_MODALITY, Some(&"unknown"), |labels| sum.add(total - audio, labels, series));
    if audio > 0 {
        labels.with(keys::TOKEN_MODALITY, Some(&"audio"), |labels| sum.add(audio, labels, series));
    }
}

/// Observes the time of every piece of a stream: as the mean of its bucket, so that counts and sum are the true ones.
fn each_chunk(
    distribution: Option<&Distribution<f64>>,
    call: &CallRecord,
    labels: &Labels,
    series: &mut Series,
) {
    let (Some(distribution), Some(times)) = (distribution, &call.chunk_times) else { return };
    for (count, mean) in times.means() {
        distribution.record_often(count, schema::seconds(mean), labels, series);
    }
}

/// The conventions of v1.41.
pub(super) struct V1_41 {
    duration: Distribution<f64>,
    first_chunk: Distribution<f64>,
    /// Where it is asked for.
    per_chunk: Option<Distribution<f64>>,
    tokens: Distribution<u64>,
}

impl V1_41 {
    pub(super) fn new(meter: &Meter, by_chunk: bool) -> V1_41 {
        V1_41 {
            duration: seconds(meter, &super::OLD_DURATION),
            first_chunk: seconds(meter, &super::OLD_FIRST_CHUNK),
            per_chunk: by_chunk.then(|| seconds(meter, &super::OLD_PER_CHUNK)),
            tokens: numbers(meter, &super::OLD_TOKENS),
        }
    }

    pub(super) fn observe(&self, it: &Observed<'_>, labels: &mut Labels, series: &mut Series) {
        if let Some(first_chunk) = it.first_chunk {
            self.first_chunk.record(first_chunk, labels, series);
        }
        each_chunk(self.per_chunk.as_ref(), it.call, labels, series);
        labels.with(keys::ERROR_TYPE, it.error.as_ref(), |labels| {
            self.duration.record(it.duration, labels, series);
        });
        let usage = &it.call.tokens.reported();
        for (kind, tokens) in [("input", usage.total_prompt()), ("output", usage.total_answer())] {
            if let Some(tokens) = tokens {
                labels
                    .with(keys::TOKEN_TYPE, Some(&kind), |labels| self.tokens.record(tokens, labels, series));
            }
        }
    }
}
