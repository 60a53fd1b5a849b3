//! What prices are usually given for.

use crate::{Kind, Meter};

/// What a price can be per.
pub(crate) const PERS: [u64; 5] = [1, 1_000, 3_600, 1_000_000, 1_000_000_000];

/// What a meter's price is per where the book does not say.
pub(super) const fn usual(meter: Meter) -> u64 {
    match meter {
        Meter::ContainerSession | Meter::Image | Meter::VideoSecond => 1,
        Meter::ContainerSecond | Meter::AudioSecond | Meter::SpeechSecond => 3_600,
        Meter::Pixel | Meter::Character | Meter::CacheTokenHour => 1_000_000,
        Meter::VectorByteDay => 1_000_000_000,
        meter if matches!(meter.kind(), Kind::Fee) => 1_000,
        _ => 1_000_000,
    }
}
