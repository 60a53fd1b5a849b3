//! What is to be priced: the call as far as it changes the price.

use crate::TokenUsage;

/// How the provider says it ran the call. This decides the price, the wish of the request does not.
///
/// Processing, tier and speed are one choice here, because no provider sells two of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Tier {
    /// The ordinary tier (`default`, `standard`, absent).
    #[default]
    Standard,
    /// Slower and cheaper.
    Flex,
    /// Between flex and standard.
    Balanced,
    /// Before others and dearer (OpenAI `priority`, since renamed `fast`).
    Priority,
    /// OpenAI's fastest.
    Ultrafast,
    /// The same model run faster (Anthropic `speed: fast`).
    Fast,
    /// Asynchronous batch processing.
    Batch,
    /// Capacity that is paid by the hour: a call adds nothing.
    Provisioned,
    /// A word this version does not know: such a call is unpriced, never guessed.
    Unknown,
}

impl Tier {
    /// Every tier that can have a price of its own.
    pub const SOLD: [Tier; 7] = [
        Tier::Standard,
        Tier::Flex,
        Tier::Balanced,
        Tier::Priority,
        Tier::Ultrafast,
        Tier::Fast,
        Tier::Batch,
    ];

    /// The word used in records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Tier::Standard => "standard",
            Tier::Flex => "flex",
            Tier::Balanced => "balanced",
            Tier::Priority => "priority",
            Tier::Ultrafast => "ultrafast",
            Tier::Fast => "fast",
            Tier::Batch => "batch",
            Tier::Provisioned => "provisioned",
            Tier::Unknown => "unknown",
        }
    }

    /// The tier of [`Tier::as_str`]; any other word is [`Tier::Unknown`].
    #[must_use]
    pub fn from_word(word: &str) -> Tier {
        let known = Tier::SOLD.into_iter().chain([Tier::Provisioned]);
        known.into_iter().find(|tier| tier.as_str() == word).unwrap_or(Tier::Unknown)
    }
}

/// Where the provider processed the call, as far as it changes the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Region {
    /// Anywhere: no residency was asked for.
    #[default]
    Global,
    /// Within a group of regions: an Azure data zone, a `us.` or `eu.` profile of Bedrock.
    Zone,
    /// Within one place: a residency host, an inference geography, a regional endpoint.
    Resident,
}

impl Region {
    /// Every region class.
    pub const ALL: [Region; 3] = [Region::Global, Region::Zone, Region::Resident];

    /// The word used in records, metrics and the price book.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Region::Global => "global",
            Region::Zone => "zone",
            Region::Resident => "resident",
        }
    }

    /// The class of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Region> {
        Region::ALL.into_iter().find(|region| region.as_str() == word)
    }
}

/// What is to be priced.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    /// Provider id or alias as in the book (`openai`, `anthropic`).
    pub provider: &'a str,
    /// The model that the response names.
    pub model: &'a str,
    /// When the request began, seconds since 1970 (UTC): prices have dates and hours.
    pub at: i64,
    /// The tier that was served.
    pub tier: Tier,
    /// The region class that was served.
    pub region: Region,
    /// The way to the model, where a broker has several at different prices (`mistral/eu`).
    pub route: Option<&'a str>,
    /// The feature's variant, where it has a price of its own (a search's depth, an image's quality).
    pub variant: Option<&'a str>,
    /// Disjoint counts.
    pub usage: &'a TokenUsage,
}

impl<'a> Charge<'a> {
    /// A call in the standard tier, without residency, route or variant.
    #[must_use]
    pub const fn standard(provider: &'a str, model: &'a str, at: i64, usage: &'a TokenUsage) -> Charge<'a> {
        Charge {
            provider,
            model,
            at,
            tier: Tier::Standard,
            region: Region::Global,
            route: None,
            variant: None,
            usage,
        }
    }
}
