//! Who the telemetry is about: the watched program.

use super::keys;
use super::value::{Attributes, hex};
use crate::Settings;

/// Field of `Resource`.
const ATTRIBUTES: u32 = 1;

/// The resource of all signals, encoded. What the user gave wins; an instance id is made up where none was given, so that two
/// runs of a program do not add to one series.
pub(super) fn resource(settings: &Settings) -> Vec<u8> {
    let given = |key: &str| settings.resource.iter().any(|(given, _)| given == key);
    let mut resource = Vec::new();
    let mut attributes = Attributes::new(&mut resource, ATTRIBUTES);
    attributes.text(
        keys::SERVICE_NAME,
        settings.service_name.as_deref().unwrap_or(settings.fallback_service_name.as_str()),
    );
    for (key, value) in settings.resource.iter().filter(|(key, _)| key != keys::SERVICE_NAME) {
        attributes.text(key, value.as_str());
    }
    let made_up = [
        (keys::SDK_NAME, outrigger_contract::telemetry::NAMESPACE.to_owned()),
        (keys::SDK_LANGUAGE, "rust".to_owned()),
        (keys::SDK_VERSION, outrigger_contract::VERSION.to_owned()),
    ];
    for (key, value) in made_up.into_iter().chain(instance()).filter(|(key, _)| !given(key)) {
        attributes.text(key, value);
    }
    resource
}

/// A random UUID; nothing where the system has no randomness to give.
fn instance() -> Option<(&'static str, String)> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).ok()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.get(range).unwrap_or_default());
    Some((keys::SERVICE_INSTANCE_ID, parts.join("-")))
}
