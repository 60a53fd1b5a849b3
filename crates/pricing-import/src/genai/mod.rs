//! Reads the open data set of genai-prices (the JSON inside its published crate) and rewrites it as price cards.

mod foreign;
mod names;

use std::collections::{BTreeMap, BTreeSet};

use outrigger_pricing::document::{
    Card, Clause, Document, Facts, Fallback, Model, Op, Origin, Price, Provider, Schedule, Threshold, When,
};
use outrigger_pricing::{Meter, Tier};
use serde::Deserialize;
use serde_json::value::RawValue;

use self::foreign::{Constraint, ForeignModel, ForeignProvider, Rates, Variant};
use self::names::{flatten, hosts};
use crate::Failure;
use crate::decimal::Decimal;

/// Prices of one meter by prompt length: from more than so many tokens on, so much.
type Steps = Vec<(u64, String)>;
/// `None` where the vendor publishes no price though the standard tier has one.
type Table = BTreeMap<Meter, Option<Steps>>;

/// What the import changed or left out.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) rounded: Vec<String>,
    pub(crate) left_out: Vec<String>,
}

/// The rows of the data set.
pub(crate) fn read(text: &str, origin: &Origin, notes: &mut Notes) -> Result<Document, Failure> {
    let foreign: Vec<ForeignProvider> = serde_json::from_str(text).map_err(Failure::foreign)?;
    let (mut providers, mut reached) = (Vec::new(), BTreeSet::new());
    for provider in &foreign {
        let mut taken: BTreeSet<String> = provider.models.iter().map(|model| model.id.clone()).collect();
        let mut models = Vec::new();
        for model in &provider.models {
            let place = format!("{}/{}", provider.id, model.id);
            let cards = Importer { provider: &provider.id, model, origin, notes, place: &place }.cards()?;
            if cards.is_empty() {
                notes.left_out.push(format!("{place}: the data set gives it no price"));
                continue;
            }
            let mut clauses = Vec::new();
            flatten(&model.matches, &place, &mut clauses)?;
            // The first model of a name has it.
            clauses.retain(|clause| match clause {
                Clause::Equals(name) => name != &model.id && taken.insert(name.clone()),
                _ => true,
            });
            clauses.sort();
            clauses.dedup();
            let facts = model.context_window.map(|window| Facts {
                context_window: Some(window),
                origin: origin.clone(),
                ..Facts::default()
            });
            models.push(Model { id: model.id.clone(), clauses, cards, facts, ..Model::default() });
        }
        models.sort_by(|a, b| a.id.cmp(&b.id));
        let fallbacks = provider.fallback_model_providers.iter().map(|other| Fallback {
            provider: other.clone(),
            same_prices: false,
            origin: origin.clone(),
        });
        providers.push(Provider {
            id: provider.id.clone(),
            // Of several providers at one host the first has it.
            hosts: hosts(&provider.api_pattern)
                .into_iter()
                .filter(|host| reached.insert(host.clone()))
                .collect(),
            fallbacks: fallbacks.collect(),
            models,
            ..Provider::default()
        });
    }
    providers.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Document { providers, ..Document::default() })
}

struct Importer<'a> {
    provider: &'a str,
    model: &'a ForeignModel,
    origin: &'a Origin,
    notes: &'a mut Notes,
    place: &'a str,
}

impl Importer<'_> {
    fn cards(&mut self) -> Result<Vec<Card>, Failure> {
        let model = self.model;
        let mut cards = Vec::new();
        let dated: Vec<(&str, &Rates)> = model
            .prices
            .0
            .iter()
            .filter_map(|entry| match &entry.constraint {
                None => Some(("", &entry.prices)),
                Some(Constraint::Date { start_date }) => Some((start_date.as_str(), &entry.prices)),
                Some(Constraint::Hours { .. }) => None,
            })
            .collect();
        let mut bases = Vec::new();
        for (at, (from, prices)) in dated.iter().enumerate() {
            let until = dated.get(at + 1).map(|(start, _)| *start);
            let table = self.table(prices, None)?;
            self.push(&mut cards, &table, (from, until), When::default());
            bases.push((*from, until, table));
        }
        for entry in &model.prices.0 {
            if let Some(Constraint::Hours { start_time, end_time }) = &entry.constraint {
                let table = self.table(&entry.prices, None)?;
                let hour = |text: &str| text.get(..5).unwrap_or("").to_owned();
                let schedule = Schedule {
                    weekdays: (1..=7).collect(),
                    timezone: "UTC".to_owned(),
                    from: hour(start_time),
                    to: hour(end_time),
                };
                let when = When { schedule: Some(schedule), ..When::default() };
                self.push(&mut cards, &table, ("", None), when);
            }
        }
        let mut kinds: Vec<&BTreeMap<String, String>> =
            model.price_variants.iter().map(|variant| &variant.when).collect();
        kinds.sort();
        kinds.dedup();
        for kind in kinds {
            if let Some(when) = self.when(kind)? {
                self.variants(&mut cards, kind, &when, &bases)?;
            }
        }
        Ok(cards)
    }

    /// What a variant's context says, if it is not the standard one.
    fn when(&self, context: &BTreeMap<String, String>) -> Result<Option<When>, Failure> {
        let pairs: Vec<(&str, &str)> =
            context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let tier = |tier| Ok(Some(When { tier: Some(tier), ..When::default() }));
        match pairs.as_slice() {
            [("service_tier", "default")] | [("search_type", "web")] => Ok(None),
            // OpenAI renamed `priority` to `fast`; both stand in the data set with the same prices.
            [("service_tier", "fast")] => Ok(None),
            [("service_tier", "flex")] => tier(Tier::Flex),
            [("service_tier", "priority")] => tier(Tier::Priority),
            [("processing", "batch")] => tier(Tier::Batch),
            [("speed", "fast")] => tier(Tier::Fast),
            [("route", route)] => Ok(Some(When { route: Some((*route).to_owned()), ..When::default() })),
            [("search_type", variant)] => {
                Ok(Some(When { variant: Some((*variant).to_owned()), ..When::default() }))
            }
            other => Err(Failure::Row(format!(
                "{}: the variant {other:?} is not known; teach it to genai.rs",
                self.place
            ))),
        }
    }

    /// The cards of one kind of variant: for each span of time in which one is active, its prices over the base's.
    fn variants(
        &mut self,
        cards: &mut Vec<Card>,
        kind: &BTreeMap<String, String>,
        when: &When,
        bases: &[(&str, Option<&str>, Table)],
    ) -> Result<(), Failure> {
        let variants: Vec<&Variant> =
            self.model.price_variants.iter().filter(|variant| &variant.when == kind).collect();
        let start = |variant: &Variant| match &variant.constraint {
            Some(Constraint::Date { start_date }) => start_date.clone(),
            _ => String::new(),
        };
        let starts: BTreeSet<String> = variants
            .iter()
            .map(|variant| start(variant))
            .chain(bases.iter().map(|base| base.0.to_owned()))
            .collect();
        let starts: Vec<String> = starts.into_iter().collect();
        for (at, from) in starts.iter().enumerate() {
            let active: Vec<&&Variant> = variants.iter().filter(|variant| start(variant) <= *from).collect();
            let base = bases.iter().rev().find(|base| base.0 <= from.as_str());
            let (false, Some((_, _, base))) = (active.is_empty(), base) else { continue };
            let mut table = base.clone();
            for variant in active.into_iter().rev() {
                let tier = when.tier;
                for (meter, steps) in self.table(&variant.prices, tier)? {
                    table.insert(meter, steps);
                }
                // OpenAI's batch table without a cached price means that none is published.
                let cached = Meter::CacheRead;
                if self.provider == "openai"
                    && tier == Some(Tier::Batch)
                    && base.contains_key(&cached)
                    && !variant.prices.contains_key("cache_read_mtok")
                {
                    table.insert(cached, None);
                }
            }
            let until = starts.get(at + 1).map(String::as_str);
            let first = cards.len();
            self.push(cards, &table, (from, until), when.clone());
            // Where OpenAI's standard prices have a step and those of a tier have none, the tier is not sold past it.
            let flat = cards.len() == first + 1;
            let step =
                base.get(&Meter::Input).and_then(|steps| steps.as_ref()?.get(1)).map(|(tokens, _)| *tokens);
            if let (true, "openai", Some(tokens), Some(card)) = (flat, self.provider, step, cards.last_mut())
            {
                card.threshold = Some(Threshold { op: Op::Le, tokens });
            }
        }
        Ok(())
    }

    /// A map of prices by meter.
    fn table(&mut self, rates: &Rates, tier: Option<Tier>) -> Result<Table, Failure> {
        let mut table = Table::new();
        for (key, raw) in rates {
            let steps = self.steps(key, raw)?;
            for meter in self.meters(key)? {
                table.entry(*meter).or_insert_with(|| Some(steps.clone()));
            }
        }
        // Since Gemini 3 Google bills each search, before it each prompt that was grounded in any number of them.
        if self.provider == "google"
            && let Some(searches) = table.get(&Meter::WebSearch).cloned()
        {
            let free = Some(vec![(0, "0".to_owned())]);
            let by_prompt =
                ["gemini-1", "gemini-2", "gemini-live-2"].iter().any(|old| self.model.id.starts_with(old));
            let (search, prompt) = if by_prompt { (free, searches) } else { (searches, free) };
            table.insert(Meter::WebSearch, search);
            table.insert(Meter::GroundedPrompt, prompt);
        }
        // Google's one price of input covers audio where it names no other.
        if self.provider == "google"
            && tier.is_none()
            && let (Some(input), false) =
                (table.get(&Meter::Input).cloned(), table.contains_key(&Meter::InputAudio))
            && self.model.id.starts_with("gemini")
        {
            table.insert(Meter::InputAudio, input);
            if let Some(cached) = table.get(&Meter::CacheRead).cloned() {
                table.entry(Meter::CacheReadAudio).or_insert(cached);
            }
        }
        // A row without prices is free where its name says so.
        if rates.is_empty()
            && tier.is_none()
            && (self.model.id.ends_with(":free") || self.model.id == "moderation")
        {
            for meter in [Meter::Input, Meter::Output] {
                table.insert(meter, Some(vec![(0, "0".to_owned())]));
            }
        }
        Ok(table)
    }

    fn steps(&mut self, key: &str, raw: &RawValue) -> Result<Steps, Failure> {
        #[derive(Deserialize)]
        struct Tiered {
            base: Box<RawValue>,
            tiers: Vec<Step>,
        }
        #[derive(Deserialize)]
        struct Step {
            start: u64,
            price: Box<RawValue>,
        }
        if raw.get().starts_with('{') {
            let tiered: Tiered = serde_json::from_str(raw.get()).map_err(Failure::foreign)?;
            let mut steps = vec![(0, self.amount(key, tiered.base.get())?)];
            for step in tiered.tiers {
                steps.push((step.start, self.amount(key, step.price.get())?));
            }
            return Ok(steps);
        }
        Ok(vec![(0, self.amount(key, raw.get())?)])
    }

    fn amount(&mut self, key: &str, text: &str) -> Result<String, Failure> {
        let decimal = Decimal::read(text)
            .ok_or_else(|| Failure::Row(format!("{}: `{text}` is not a price ({key})", self.place)))?;
        if decimal.rounded {
            self.notes.rounded.push(format!("{} {key}: {text} as {}", self.place, decimal.text));
        }
        Ok(decimal.text)
    }

    /// The meters of a key. Cache writes without a lifetime have the vendor's usual one.
    fn meters(&self, key: &str) -> Result<&'static [Meter], Failure> {
        let id = &self.model.id;
        Ok(match key {
            "input_mtok" => &[Meter::Input],
            "output_mtok" => &[Meter::Output],
            "cache_read_mtok" => &[Meter::CacheRead],
            "cache_write_mtok" if self.provider == "openrouter" => &[Meter::CacheWrite],
            "cache_write_mtok" if id.contains("claude") => &[Meter::CacheWrite5m],
            "cache_write_mtok" if id.contains("gpt-") => &[Meter::CacheWrite30m],
            "cache_write_mtok" => &[Meter::CacheWrite],
            "cache_write_1h_mtok" => &[Meter::CacheWrite1h],
            "input_audio_mtok" => &[Meter::InputAudio],
            "output_audio_mtok" => &[Meter::OutputAudio],
            "cache_audio_read_mtok" => &[Meter::CacheReadAudio],
            "input_image_mtok" => &[Meter::InputImage],
            "cache_image_read_mtok" => &[Meter::CacheReadImage],
            "output_image_mtok" => &[Meter::OutputImage],
            "input_video_mtok" => &[Meter::InputVideo],
            "output_video_mtok" => &[Meter::OutputVideo],
            "output_reasoning_mtok" => &[Meter::Reasoning],
            "output_citation_mtok" => &[Meter::Citation],
            "web_searches_kcount" => &[Meter::WebSearch],
            "storage_searches_kcount" => &[Meter::FileSearch],
            "requests_kcount" => &[Meter::Request],
            "input_text_messages_kcount" => &[Meter::Message],
            "audio_hours" | "input_audio_hours" => &[Meter::AudioSecond],
            "input_document_kpages" => &[Meter::Page],
            "input_annotated_document_kpages" => &[Meter::AnnotatedPage],
            "input_mchars" => &[Meter::Character],
            _ => {
                return Err(Failure::Row(format!(
                    "{}: the key `{key}` is not known; teach it to genai.rs",
                    self.place
                )));
            }
        })
    }

    /// One card per stretch of prompt lengths.
    fn push(&self, cards: &mut Vec<Card>, table: &Table, (from, until): (&str, Option<&str>), when: When) {
        if table.is_empty() {
            return;
        }
        let starts: BTreeSet<u64> =
            table.values().flatten().flatten().map(|(start, _)| *start).chain([0]).collect();
        for start in starts {
            let line = |steps: &Steps| {
                let step = steps.iter().rev().find(|(from, _)| *from <= start)?;
                Some(Price { amount: step.1.clone(), per: None })
            };
            // The data set writes "at least 200,000" as "more than 199,999".
            let threshold = match start {
                0 => None,
                199_999 => Some(Threshold { op: Op::Ge, tokens: 200_000 }),
                tokens => Some(Threshold { op: Op::Gt, tokens }),
            };
            cards.push(Card {
                valid_from: (!from.is_empty()).then(|| from.to_owned()),
                valid_until: until.map(str::to_owned),
                when: when.clone(),
                threshold,
                lines: table.iter().map(|(meter, steps)| (*meter, steps.as_ref().and_then(line))).collect(),
                origin: self.origin.clone(),
                ..Card::default()
            });
        }
    }
}

#[cfg(test)]
mod tests;
