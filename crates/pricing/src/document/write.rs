//! How the parts of a document are written that are not written as they are kept.

use std::fmt;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::{Price, Threshold, When};
use crate::{Region, Tier};

/// Whether a member says nothing.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.tier {
            None => {}
            Some(Tier::Batch) => map.serialize_entry("processing", "batch")?,
            Some(Tier::Fast) => map.serialize_entry("speed", "fast")?,
            Some(tier) => map.serialize_entry("tier", tier.as_str())?,
        }
        if let Some(region) = self.region {
            map.serialize_entry("region", region.as_str())?;
        }
        if let Some(route) = &self.route {
            map.serialize_entry("route", route)?;
        }
        if let Some(variant) = &self.variant {
            map.serialize_entry("variant", variant)?;
        }
        if let Some(schedule) = &self.schedule {
            map.serialize_entry("schedule", schedule)?;
        }
        map.end()
    }
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("basis", "total_prompt")?;
        map.serialize_entry("op", &self.op)?;
        map.serialize_entry("tokens", &self.tokens)?;
        map.end()
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.per {
            None => serializer.serialize_str(&self.amount),
            Some(per) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("amount", &self.amount)?;
                map.serialize_entry("per", &per)?;
                map.end()
            }
        }
    }
}

/// The words of a card's condition, for messages: `batch`, `standard, resident`.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tier.unwrap_or_default().as_str())?;
        let words = [self.region.map(Region::as_str), self.route.as_deref(), self.variant.as_deref()];
        words.into_iter().flatten().try_for_each(|word| write!(f, ", {word}"))
    }
}
