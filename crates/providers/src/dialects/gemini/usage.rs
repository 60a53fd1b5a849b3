//! Gemini usage as disjoint meters. On the wire the prompt contains what a cache held, the candidates leave the thoughts
//! out, and what server tools put in stands apart.

use outrigger_pricing::{Meter, Tier, TokenUsage};
use serde::Deserialize;

use crate::Reading;

/// `usageMetadata` on the wire. It comes with nearly every chunk and is cumulative.
#[derive(Debug, Default, Deserialize, Clone, Copy)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct UsageMetadata {
    prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
    total_token_count: Option<u64>,
    prompt_tokens_details: Option<ByModality>,
    cache_tokens_details: Option<ByModality>,
    candidates_tokens_details: Option<ByModality>,
    traffic_type: Option<Traffic>,
    service_tier: Option<Traffic>,
}

/// A list of modalities with their counts, as fixed places; what is left of the sum is text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ByModality {
    audio: u64,
    image: u64,
    video: u64,
}

impl ByModality {
    /// Audio, image and video tokens; the rest of the sum is text.
    pub(crate) const fn places(self) -> (u64, u64, u64) {
        (self.audio, self.image, self.video)
    }
}

impl<'de> Deserialize<'de> for ByModality {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ByModality, D::Error> {
        struct List;

        #[derive(Deserialize, Default)]
        #[serde(default, rename_all = "camelCase")]
        struct One {
            modality: Option<Modality>,
            token_count: Option<u64>,
        }

        #[derive(Deserialize, Clone, Copy)]
        enum Modality {
            #[serde(rename = "AUDIO", alias = "audio")]
            Audio,
            // Documents are billed as images.
            #[serde(rename = "IMAGE", alias = "DOCUMENT", alias = "image", alias = "document")]
            Image,
            #[serde(rename = "VIDEO", alias = "video")]
            Video,
            #[serde(other)]
            Text,
        }

        impl<'de> serde::de::Visitor<'de> for List {
            type Value = ByModality;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of modalities with their token counts")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<ByModality, A::Error> {
                let mut sums = ByModality::default();
                while let Some(one) = list.next_element::<One>()? {
                    let count = one.token_count.unwrap_or(0);
                    let slot = match one.modality.unwrap_or(Modality::Text) {
                        Modality::Text => continue,
                        Modality::Audio => &mut sums.audio,
                        Modality::Image => &mut sums.image,
                        Modality::Video => &mut sums.video,
                    };
                    *slot = slot.saturating_add(count);
                }
                Ok(sums)
            }
        }

        deserializer.deserialize_seq(List)
    }
}

/// How the call was served, under either of the two names of the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Traffic {
    #[serde(rename = "ON_DEMAND", alias = "standard", alias = "STANDARD", alias = "SERVICE_TIER_STANDARD")]
    OnDemand,
    #[serde(rename = "ON_DEMAND_FLEX", alias = "flex", alias = "FLEX", alias = "SERVICE_TIER_FLEX")]
    Flex,
    #[serde(
        rename = "ON_DEMAND_PRIORITY",
        alias = "priority",
        alias = "PRIORITY",
        alias = "SERVICE_TIER_PRIORITY"
    )]
    Priority,
    #[serde(rename = "PROVISIONED_THROUGHPUT")]
    Provisioned,
    #[serde(rename = "BATCH", alias = "batch")]
    Batch,
    #[serde(other)]
    Other,
}

impl Traffic {
    const fn tier(self) -> (Tier, &'static str) {
        match self {
            Traffic::OnDemand => (Tier::Standard, "standard"),
            Traffic::Flex => (Tier::Flex, "flex"),
            Traffic::Priority => (Tier::Priority, "priority"),
            Traffic::Batch => (Tier::Batch, "batch"),
            Traffic::Provisioned => (Tier::Provisioned, "provisioned_throughput"),
            Traffic::Other => (Tier::Unknown, "other"),
        }
    }
}

impl UsageMetadata {
    /// Lays a later report over this one, member by member: a later one may leave out what an earlier one told.
    pub(crate) fn overlay(&mut self, later: UsageMetadata) {
        self.prompt_token_count = later.prompt_token_count.or(self.prompt_token_count);
        self.cached_content_token_count =
            later.cached_content_token_count.or(self.cached_content_token_count);
        self.candidates_token_count = later.candidates_token_count.or(self.candidates_token_count);
        self.thoughts_token_count = later.thoughts_token_count.or(self.thoughts_token_count);
        self.tool_use_prompt_token_count =
            later.tool_use_prompt_token_count.or(self.tool_use_prompt_token_count);
        self.total_token_count = later.total_token_count.or(self.total_token_count);
        self.prompt_tokens_details = later.prompt_tokens_details.or(self.prompt_tokens_details);
        self.cache_tokens_details = later.cache_tokens_details.or(self.cache_tokens_details);
        self.candidates_tokens_details = later.candidates_tokens_details.or(self.candidates_tokens_details);
        self.traffic_type = later.traffic_type.or(self.traffic_type);
        self.service_tier = later.service_tier.or(self.service_tier);
    }

    /// Puts meters and tier into the reading.
    pub(crate) fn read(&self, reading: &mut Reading) {
        let Some(prompt) = self.prompt_token_count else {
            reading.usage_fault = Some("the usage names no prompt tokens");
            return;
        };
        if let Some((tier, word)) = self.traffic_type.or(self.service_tier).map(Traffic::tier) {
            reading.tier = Some(tier);
            reading.tier_word = Some(word.to_owned());
        }
        let mut fault = None;
        let mut less = |total: u64, parts: &[u64], what: &'static str| {
            let parts = parts.iter().fold(0u64, |sum, part| sum.saturating_add(*part));
            total.checked_sub(parts).unwrap_or_else(|| {
                fault = Some(what);
                0
            })
        };
        let count = |count: Option<u64>| count.unwrap_or(0);
        let list = |list: Option<ByModality>| list.unwrap_or_default();
        let cached = count(self.cached_content_token_count);
        let (of_prompt, of_cache) = (list(self.prompt_tokens_details), list(self.cache_tokens_details));
        let beyond = "the usage's cached tokens exceed its prompt";
        let odd = "the usage's parts by modality exceed their sum";
        let fresh = less(prompt, &[cached], beyond);
        let heard = less(of_prompt.audio, &[of_cache.audio], odd);
        let seen = less(of_prompt.image, &[of_cache.image], odd);
        let watched = less(of_prompt.video, &[of_cache.video], odd);
        let answer = count(self.candidates_token_count);
        let of_answer = list(self.candidates_tokens_details);
        let usage = TokenUsage::ZERO
            .with(Meter::Input, less(fresh, &[heard, seen, watched], odd))
            .with(Meter::InputAudio, heard)
            .with(Meter::InputImage, seen)
            .with(Meter::InputVideo, watched)
            .with(Meter::CacheRead, less(cached, &[of_cache.audio, of_cache.image, of_cache.video], odd))
            .with(Meter::CacheReadAudio, of_cache.audio)
            .with(Meter::CacheReadImage, of_cache.image)
            .with(Meter::CacheReadVideo, of_cache.video)
            .with(Meter::ToolPrompt, count(self.tool_use_prompt_token_count))
            .with(Meter::Output, less(answer, &[of_answer.audio, of_answer.image, of_answer.video], odd))
            .with(Meter::OutputAudio, of_answer.audio)
            .with(Meter::OutputImage, of_answer.image)
            .with(Meter::OutputVideo, of_answer.video)
            .with(Meter::Reasoning, count(self.thoughts_token_count));
        let sum = [prompt, answer, count(self.thoughts_token_count), count(self.tool_use_prompt_token_count)]
            .into_iter()
            .fold(0, u64::saturating_add);
        if self.total_token_count.is_some_and(|total| total != sum) {
            fault.get_or_insert("the usage's total is not the sum of its parts");
        }
        reading.usage = usage;
        reading.usage_final = true;
        reading.usage_fault = fault;
    }
}
