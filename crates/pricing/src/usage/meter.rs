//! What is counted. A row of the table is all that a meter needs.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What a meter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Prompt tokens outside every cache.
    Input,
    /// Prompt tokens read from a cache.
    CacheRead,
    /// Prompt tokens written to a cache.
    CacheWrite,
    /// Prompt tokens that the provider's tools put in.
    ToolPrompt,
    /// Answer tokens.
    Output,
    /// Answer tokens spent on reasoning.
    Reasoning,
    /// Answer tokens spent on citations.
    Citation,
    /// No tokens: searches, seconds, pages. They stand outside token factors.
    Fee,
}

/// What the tokens of a meter stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modality {
    /// Text, and whatever the provider does not tell apart from it.
    Text,
    /// Audio.
    Audio,
    /// Images.
    Image,
    /// Video.
    Video,
}

macro_rules! meters {
    ($($meter:ident, $word:literal, $kind:ident, $modality:ident, $says:literal;)*) => {
        /// What is counted. Meters are disjoint: a token stands in exactly one of them, so their sums are the totals.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Meter {
            $(#[doc = $says] $meter,)*
        }

        impl Meter {
            /// Every meter, in the order in which they are printed.
            pub const ALL: [Meter; [$($word),*].len()] = [$(Meter::$meter),*];

            /// The word used in records, metrics, JSON and the price book.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Meter::$meter => $word,)* }
            }

            /// The meter of a word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Meter> {
                match word { $($word => Some(Meter::$meter),)* _ => None }
            }

            /// What it counts.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Meter::$meter => Kind::$kind,)* }
            }

            /// What its tokens stand for.
            #[must_use]
            pub const fn modality(self) -> Modality {
                match self { $(Meter::$meter => Modality::$modality,)* }
            }
        }
    };
}

meters! {
Input, "input", Input, Text, "Prompt tokens that were neither read from nor written to a cache.";
    InputAudio, "input_audio", Input, Audio, "Prompt tokens that were neither read from nor written to a cache: audio ones.";
    InputImage, "input_image", Input, Image, "Prompt tokens that were neither read from nor written to a cache: image ones.";
    InputVideo, "input_video", Input, Video, "Prompt tokens that were neither read from nor written to a cache: video ones.";
    CacheRead, "cache_read", CacheRead, Text, "Prompt tokens read from the provider's prompt cache.";
    CacheReadAudio, "cache_read_audio", CacheRead, Audio, "Prompt tokens read from the provider's prompt cache: audio ones.";
    CacheReadImage, "cache_read_image", CacheRead, Image, "Prompt tokens read from the provider's prompt cache: image ones.";
    CacheReadVideo, "cache_read_video", CacheRead, Video, "Prompt tokens read from the provider's prompt cache: video ones.";
    CacheWrite, "cache_write", CacheWrite, Text, "Prompt tokens written to a cache whose lifetime the provider does not say.";
    CacheWriteAudio, "cache_write_audio", CacheWrite, Audio, "Prompt tokens written to a cache whose lifetime the provider does not say: audio ones.";
    CacheWriteImage, "cache_write_image", CacheWrite, Image, "Prompt tokens written to a cache whose lifetime the provider does not say: image ones.";
    CacheWriteVideo, "cache_write_video", CacheWrite, Video, "Prompt tokens written to a cache whose lifetime the provider does not say: video ones.";
    CacheWrite5m, "cache_write_5m", CacheWrite, Text, "Prompt tokens written to the cache for five minutes.";
    CacheWrite5mAudio, "cache_write_5m_audio", CacheWrite, Audio, "Prompt tokens written to the cache for five minutes: audio ones.";
    CacheWrite5mImage, "cache_write_5m_image", CacheWrite, Image, "Prompt tokens written to the cache for five minutes: image ones.";
    CacheWrite5mVideo, "cache_write_5m_video", CacheWrite, Video, "Prompt tokens written to the cache for five minutes: video ones.";
    CacheWrite30m, "cache_write_30m", CacheWrite, Text, "Prompt tokens written to the cache for thirty minutes.";
    CacheWrite30mAudio, "cache_write_30m_audio", CacheWrite, Audio, "Prompt tokens written to the cache for thirty minutes: audio ones.";
    CacheWrite30mImage, "cache_write_30m_image", CacheWrite, Image, "Prompt tokens written to the cache for thirty minutes: image ones.";
    CacheWrite30mVideo, "cache_write_30m_video", CacheWrite, Video, "Prompt tokens written to the cache for thirty minutes: video ones.";
    CacheWrite1h, "cache_write_1h", CacheWrite, Text, "Prompt tokens written to the cache for an hour.";
    CacheWrite1hAudio, "cache_write_1h_audio", CacheWrite, Audio, "Prompt tokens written to the cache for an hour: audio ones.";
    CacheWrite1hImage, "cache_write_1h_image", CacheWrite, Image, "Prompt tokens written to the cache for an hour: image ones.";
    CacheWrite1hVideo, "cache_write_1h_video", CacheWrite, Video, "Prompt tokens written to the cache for an hour: video ones.";
    CacheWrite12h, "cache_write_12h", CacheWrite, Text, "Prompt tokens written to the cache for twelve hours.";
    CacheWrite12hAudio, "cache_write_12h_audio", CacheWrite, Audio, "Prompt tokens written to the cache for twelve hours: audio ones.";
    CacheWrite12hImage, "cache_write_12h_image", CacheWrite, Image, "Prompt tokens written to the cache for twelve hours: image ones.";
    CacheWrite12hVideo, "cache_write_12h_video", CacheWrite, Video, "Prompt tokens written to the cache for twelve hours: video ones.";
    ToolPrompt, "tool_prompt", ToolPrompt, Text, "Prompt tokens that the provider's own tools put in (Gemini).";
    Output, "output", Output, Text, "Answer tokens the app can see (all answer tokens where the provider does not split them).";
    OutputAudio, "output_audio", Output, Audio, "Answer tokens the app can see (all answer tokens where the provider does not split them): audio ones.";
    OutputImage, "output_image", Output, Image, "Answer tokens the app can see (all answer tokens where the provider does not split them): image ones.";
    OutputVideo, "output_video", Output, Video, "Answer tokens the app can see (all answer tokens where the provider does not split them): video ones.";
    Reasoning, "reasoning", Reasoning, Text, "Answer tokens spent on reasoning.";
    ReasoningAudio, "reasoning_audio", Reasoning, Audio, "Answer tokens spent on reasoning: audio ones.";
    ReasoningImage, "reasoning_image", Reasoning, Image, "Answer tokens spent on reasoning: image ones.";
    ReasoningVideo, "reasoning_video", Reasoning, Video, "Answer tokens spent on reasoning: video ones.";
    Citation, "citation", Citation, Text, "Answer tokens spent on citations (Perplexity).";
    CitationAudio, "citation_audio", Citation, Audio, "Answer tokens spent on citations (Perplexity): audio ones.";
    CitationImage, "citation_image", Citation, Image, "Answer tokens spent on citations (Perplexity): image ones.";
    CitationVideo, "citation_video", Citation, Video, "Answer tokens spent on citations (Perplexity): video ones.";
    WebSearch, "web_search", Fee, Text, "Web searches the provider ran for this call.";
    WebSearchPreview, "web_search_preview", Fee, Text, "Web searches by the older preview tool (OpenAI).";
    GroundedPrompt, "grounded_prompt", Fee, Text, "Prompts grounded in a search, however many searches that took (Gemini 2).";
    MapsSearch, "maps_search", Fee, Text, "Searches on a map.";
    FileSearch, "file_search", Fee, Text, "Searches in the customer's own files or collections.";
    SocialSearch, "social_search", Fee, Text, "Searches in a social network.";
    CodeRun, "code_run", Fee, Text, "Runs of hosted code.";
    Attachment, "attachment", Fee, Text, "Attachments searched.";
    Rerank, "rerank", Fee, Text, "Queries reranked.";
    Request, "request", Fee, Text, "Requests, where a provider bills them as such.";
    Message, "message", Fee, Text, "Messages, where a provider bills them as such.";
    ContainerSession, "container_session", Fee, Text, "Hosted containers started.";
    ContainerSecond, "container_second", Fee, Text, "Seconds for which hosted containers ran.";
    AudioSecond, "audio_second", Fee, Text, "Seconds of audio heard.";
    SpeechSecond, "speech_second", Fee, Text, "Seconds of audio spoken.";
    Image, "image", Fee, Text, "Images made.";
    Pixel, "pixel", Fee, Text, "Pixels read or made.";
    VideoSecond, "video_second", Fee, Text, "Seconds of video made.";
    Page, "page", Fee, Text, "Pages of documents read.";
    AnnotatedPage, "annotated_page", Fee, Text, "Pages of documents read and annotated.";
    Character, "character", Fee, Text, "Characters read or spoken.";
    CacheTokenHour, "cache_token_hour", Fee, Text, "Tokens kept in an explicit cache, times hours.";
    VectorByteDay, "vector_byte_day", Fee, Text, "Bytes kept in a vector store, times days.";
}

impl Meter {
    /// The four that every chat provider reports: written down even when they are zero or unknown.
    pub const COMMON: [Meter; 4] = [Meter::Input, Meter::CacheRead, Meter::Output, Meter::Reasoning];

    /// Whether the meter counts prompt tokens.
    #[must_use]
    pub const fn is_prompt(self) -> bool {
        matches!(self.kind(), Kind::Input | Kind::CacheRead | Kind::CacheWrite | Kind::ToolPrompt)
    }

    /// Whether the meter counts answer tokens.
    #[must_use]
    pub const fn is_answer(self) -> bool {
        matches!(self.kind(), Kind::Output | Kind::Reasoning | Kind::Citation)
    }
}

impl Serialize for Meter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Meter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Meter, D::Error> {
        struct Word;

        impl de::Visitor<'_> for Word {
            type Value = Meter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a meter, such as \"input\"")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Meter, E> {
                Meter::from_word(word).ok_or_else(|| E::custom(format_args!("`{word}` is not a meter")))
            }
        }

        deserializer.deserialize_str(Word)
    }
}
