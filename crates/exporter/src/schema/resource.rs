//! Who the telemetry is about: the watched program.

use super::keys;
use super::value::{Attributes, Bounds, hex};
use crate::Settings;

/// Field of `Resource`.
const ATTRIBUTES: u32 = 1;

/// The resource of all signals, encoded.
pub(super) fn resource(settings: &Settings) -> Vec<u8> {
    let mut resource = Vec::new();
    let bounds = Bounds { longest: settings.longest_value, ..Bounds::default() };
    let mut encoded = Attributes::new(&mut resource, ATTRIBUTES, bounds);
    for (key, value) in attributes(settings) {
        encoded.text(&key, value);
    }
    resource
}

/// The resource's attributes. What the user gave wins.
pub(crate) fn attributes(settings: &Settings) -> Vec<(String, String)> {
    let given = |key: &str| settings.resource.iter().any(|(given, _)| given == key);
    let named = std::iter::once((keys::SERVICE_NAME.to_owned(), settings.service_name().to_owned()));
    let theirs = settings.resource.iter().filter(|(key, _)| key != keys::SERVICE_NAME).cloned();
    let made_up = [
        (keys::SDK_NAME, outrigger_contract::telemetry::NAMESPACE.to_owned()),
        (keys::SDK_LANGUAGE, "rust".to_owned()),
        (keys::SDK_VERSION, outrigger_contract::VERSION.to_owned()),
    ];
    let instance = settings.instance.clone().map(|id| (keys::SERVICE_INSTANCE_ID, id));
    let pod = settings.pod.attributes();
    let made_up = made_up.into_iter().chain(pod).chain(instance).filter(|(key, _)| !given(key));
    named.chain(theirs).chain(made_up.map(|(key, value)| (key.to_owned(), value))).collect()
}

/// A random UUID, so that two runs of a program do not add to one series; nothing where the system has no randomness to give.
pub(crate) fn random_instance() -> Option<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).ok()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.get(range).unwrap_or_default());
    Some(parts.join("-"))
}
