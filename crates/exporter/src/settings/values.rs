//! Values of single variables: lists of pairs, times, counts, words.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::error::SettingsError;

/// Variables, with empty ones counting as unset.
pub(super) struct Variables<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
}

/// A variable's name and value.
pub(super) struct Found {
    /// Its name.
    pub(super) variable: String,
    /// What it holds, trimmed, never empty.
    pub(super) value: String,
}

impl Found {
    /// The error that this value is.
    pub(super) fn fault(&self, problem: &str, mend: impl Into<String>) -> SettingsError {
        SettingsError::new(&self.variable, &self.value, problem, mend)
    }
}

impl<'a> Variables<'a> {
    pub(super) fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Variables<'a> {
        Variables { get }
    }

    /// One variable.
    pub(super) fn find(&self, variable: &str) -> Option<Found> {
        let value = (self.get)(variable)?.trim().to_owned();
        (!value.is_empty()).then(|| Found { variable: variable.to_owned(), value })
    }

    /// The first of several variables that is set.
    pub(super) fn first<'n>(&self, variables: impl IntoIterator<Item = &'n str>) -> Option<Found> {
        variables.into_iter().find_map(|variable| self.find(variable))
    }

    /// A time in whole milliseconds.
    pub(super) fn milliseconds(&self, variable: &str, least: u64) -> Result<Option<Duration>, SettingsError> {
        let Some(found) = self.find(variable) else { return Ok(None) };
        whole(&found, least, "milliseconds").map(|value| Some(Duration::from_millis(value)))
    }

    /// A count of at least one.
    pub(super) fn count(&self, variable: &str) -> Result<Option<usize>, SettingsError> {
        let Some(found) = self.find(variable) else { return Ok(None) };
        let value = whole(&found, 1, "items")?;
        // A bound far above any use; it keeps what the process can hold finite.
        const MOST: u64 = 1 << 20;
        if value > MOST {
            return Err(found.fault("too large", format!("write at most {MOST}")));
        }
        usize::try_from(value).map(Some).map_err(|_| found.fault("too large", "write a smaller number"))
    }

    /// `true` or `false`; unset is false.
    pub(super) fn flag(&self, variable: &str) -> Result<bool, SettingsError> {
        let Some(found) = self.find(variable) else { return Ok(false) };
        match found.value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(found.fault("neither true nor false", "write true or false")),
        }
    }
}

/// A whole number of at least `least`.
pub(super) fn whole(found: &Found, least: u64, what: &str) -> Result<u64, SettingsError> {
    match found.value.parse::<u64>() {
        Ok(value) if value >= least => Ok(value),
        _ => Err(found.fault(
            &format!("not a whole number of {what}, {least} or more"),
            format!("write a number of {what} such as 1000"),
        )),
    }
}

/// `key=value` with commas or line breaks between them and percent-encoded values, as headers. No value is ever repeated in an error, which
/// begins with `place`.
pub(crate) fn headers_of(place: &str, text: &str) -> Result<HeaderMap, SettingsError> {
    let mut headers = HeaderMap::new();
    for entry in text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty()) {
        let fault = |problem: String| {
            SettingsError::secret(
                place,
                problem,
                "write name=value pairs separated by commas, values percent-encoded",
            )
        };
        let (name, value) = entry.split_once('=').ok_or_else(|| fault("an entry has no '='".to_owned()))?;
        let name = name.trim();
        let parsed =
            HeaderName::try_from(name).map_err(|_| fault(format!("{name:?} is not a header name")))?;
        let value = percent_decode(value.trim())
            .ok_or_else(|| fault(format!("the value of {name:?} is not properly percent-encoded")))?;
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| fault(format!("the value of {name:?} cannot stand in a header")))?;
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    Ok(headers)
}

/// `key=value,key=value` with percent-encoded values, as text.
pub(super) fn attributes(found: &Found) -> Result<Vec<(String, String)>, SettingsError> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for entry in found.value.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let fault = |problem: &str| {
            SettingsError::new(
                &found.variable,
                entry,
                problem,
                "write key=value pairs separated by commas, values percent-encoded",
            )
        };
        let (key, value) = entry.split_once('=').ok_or_else(|| fault("an entry has no '='"))?;
        let key = percent_decode(key.trim()).filter(|key| !key.is_empty());
        let value = percent_decode(value.trim());
        let (Some(key), Some(value)) = (key, value) else {
            return Err(fault("an entry is not properly percent-encoded"));
        };
        pairs.retain(|(earlier, _)| *earlier != key);
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// Decodes `%41`; `None` for a stray `%` or what is not UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}
