//! Days and instants as they are written.

use time::{Date, Month};

/// A day from its written parts: four, two and two digits.
pub(crate) fn date(year: &str, month: &str, day: &str) -> Option<Date> {
    let number = |text: &str, digits: usize| -> Option<u16> {
        (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let month = Month::try_from(u8::try_from(number(month, 2)?).ok()?).ok()?;
    Date::from_calendar_date(i32::from(number(year, 4)?), month, u8::try_from(number(day, 2)?).ok()?).ok()
}

/// The first second of a `YYYY-MM-DD` day in UTC; `None` if it is none.
#[must_use]
pub fn day_of(text: &str) -> Option<i64> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    Some(date(year, month, day)?.midnight().assume_utc().unix_timestamp())
}

/// The second of `YYYY-MM-DD` or `YYYY-MM-DDTHH:MMZ`.
pub(crate) fn instant(text: &str) -> Option<i64> {
    match text.split_once('T') {
        None => day_of(text),
        Some((day, time)) => Some(day_of(day)? + 60 * i64::from(minute(time.strip_suffix('Z')?)?)),
    }
}

/// The minute of the day of `HH:MM`; `24:00` is the last.
pub(super) fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |text: &str| -> Option<u16> {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
}

/// Minutes east of UTC of `UTC` or `+08:00`.
pub(super) fn offset(text: &str) -> Option<i16> {
    if text == "UTC" {
        return Some(0);
    }
    let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return None,
    };
    let minutes = i16::try_from(minute(rest)?).ok()?;
    (minutes <= 14 * 60).then_some(sign * minutes)
}

#[cfg(test)]
mod tests {
    use super::{instant, minute, offset};

    #[test]
    fn days_instants_minutes_and_offsets_are_read_or_refused() {
        assert_eq!(instant("2026-11-16"), Some(1_794_787_200));
        assert_eq!(instant("2026-11-16T12:00Z"), Some(1_794_830_400));
        for text in ["2026-11-16T12:00", "2026-11-16T24:01Z", "2026-02-30", "2026-1-1", "today", ""] {
            assert_eq!(instant(text), None, "{text}");
        }
        assert_eq!((minute("24:00"), minute("09:30"), minute("9:30")), (Some(1440), Some(570), None));
        assert_eq!((offset("UTC"), offset("+08:00"), offset("-05:30")), (Some(0), Some(480), Some(-330)));
        for text in ["", "08:00", "+8", "+15:00", "Asia/Shanghai"] {
            assert_eq!(offset(text), None, "{text}");
        }
    }
}
