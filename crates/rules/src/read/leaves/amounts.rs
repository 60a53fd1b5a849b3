//! Times, shares, factors, counts, switches.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::leaf;
use crate::read::{Reader, Written};
use crate::yaml::Node;

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    pub(crate) const fn milliseconds(milliseconds: u64) -> Time {
        Time(Duration::from_millis(milliseconds))
    }

    pub(crate) const fn seconds(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }
}

leaf!(Time, "Time", {"type": "string", "pattern": "^[1-9][0-9]*(ms|s|m|h)$", "examples": ["15s", "250ms"]});

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let (count, unit) = match milliseconds {
            whole if whole % 3_600_000 == 0 => (whole / 3_600_000, "h"),
            whole if whole % 60_000 == 0 => (whole / 60_000, "m"),
            whole if whole % 1000 == 0 => (whole / 1000, "s"),
            whole => (whole, "ms"),
        };
        write!(f, "{count}{unit}")
    }
}

impl Written for Time {
    fn read(node: &Node, reader: &mut Reader) -> Option<Time> {
        const MEND: &str = "write a whole number with its unit: `250ms`, `15s`, `2m`, `1h`";
        const LONGEST: u64 = 24 * 3600 * 1000;
        let text = reader.text(node, "a time such as `15s`")?;
        let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let (count, unit) = text.split_at(digits);
        let Ok(count) = count.parse::<u64>() else {
            return reader.wrong(format!("`{text}` is not a time"), MEND);
        };
        let of_unit = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "" => {
                return reader
                    .wrong(format!("the time `{text}` has no unit"), format!("write `{text}s` for seconds"));
            }
            _ => return reader.wrong(format!("`{text}` is not a time"), MEND),
        };
        match count.checked_mul(of_unit) {
            Some(milliseconds @ 1..=LONGEST) => Some(Time::milliseconds(milliseconds)),
            _ => reader.wrong(format!("`{text}` is out of range"), "write a time from 1ms to 24h"),
        }
    }
}

/// A share of the whole, 1 % to 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u8);

leaf!(Percent, "Percent", {"type": "string", "pattern": "^([1-9][0-9]?|100)%$", "examples": ["20%"]});

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Written for Percent {
    fn read(node: &Node, reader: &mut Reader) -> Option<Percent> {
        let text = reader.text(node, "a share such as `20%`")?;
        let Some(count) = text.strip_suffix('%') else {
            return reader.wrong(format!("`{text}` is not a share"), "write it with its sign: `20%`");
        };
        match count.parse::<u8>() {
            Ok(count @ 1..=100) if !text.starts_with(['0', '+']) => Some(Percent(count)),
            _ => reader.wrong(format!("`{text}` is out of range"), "write a whole share from 1% to 100%"),
        }
    }
}

/// So many times as much, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor(pub u32);

leaf!(Factor, "Factor", {"type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,2})?x$", "examples": ["2x", "1.5x"]});

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match rest {
            0 => write!(f, "{whole}x"),
            tenths if tenths % 10 == 0 => write!(f, "{whole}.{}x", tenths / 10),
            _ => write!(f, "{whole}.{rest:02}x"),
        }
    }
}

impl Written for Factor {
    fn read(node: &Node, reader: &mut Reader) -> Option<Factor> {
        const MEND: &str = "write a factor from 0.01x to 1000x: `2x`, `1.5x`";
        let text = reader.text(node, "a factor such as `2x`")?;
        let hundredths = text.strip_suffix('x').and_then(|number| {
            let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
            let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if !digits(whole) || !digits(rest) || rest.len() > 2 {
                return None;
            }
            let scale = if rest.len() == 1 { 10 } else { 1 };
            whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(rest.parse::<u32>().ok()? * scale)
        });
        match hundredths {
            Some(hundredths @ 1..=100_000) => Some(Factor(hundredths)),
            _ => reader.wrong(format!("`{text}` is not a factor"), MEND),
        }
    }
}

/// A whole number within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Count<const LEAST: u32, const MOST: u32>(pub u32);

impl<const LEAST: u32, const MOST: u32> JsonSchema for Count<LEAST, MOST> {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": LEAST, "maximum": MOST})
    }
}

impl<const LEAST: u32, const MOST: u32> Written for Count<LEAST, MOST> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a whole number")?;
        match text.parse::<u32>() {
            Ok(count) if (LEAST..=MOST).contains(&count) && !text.starts_with('+') => Some(Count(count)),
            _ => reader.wrong(
                format!("`{text}` is not a whole number in range"),
                format!("write a whole number from {LEAST} to {MOST}"),
            ),
        }
    }
}

/// True or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Switch(pub bool);

leaf!(schema Switch, "Switch", {"type": "boolean"});

impl Written for Switch {
    fn read(node: &Node, reader: &mut Reader) -> Option<Switch> {
        let scalar = reader.scalar(node, "true or false")?;
        match (&*scalar.text, scalar.plain) {
            ("true", true) => Some(Switch(true)),
            ("false", true) => Some(Switch(false)),
            (text, true) if crate::yaml::is_ambiguous(text) => reader.wrong(
                format!("`{text}` is a text to some readers of YAML and a switch to others"),
                "write true or false",
            ),
            (text, _) => reader.wrong(
                format!("`{}` is not a switch", crate::yaml::shortened(text)),
                "write true or false, without quotes",
            ),
        }
    }
}
