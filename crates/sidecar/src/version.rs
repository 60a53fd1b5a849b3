//! Whether this program understands what a newer one tells it. Once per process.

use std::str::FromStr;

use outrigger_contract::VERSION;

/// A version, `MAJOR.MINOR.PATCH` and perhaps more behind it. Of one number a release comes after everything before it (`-rc.1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    numbers: [u64; 3],
    is_release: bool,
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.split('+').next().unwrap_or_default();
        let (numbers, is_release) = match plain.split_once('-') {
            None => (plain, true),
            Some((numbers, _)) => (numbers, false),
        };
        let numbers: Option<Vec<u64>> = numbers.split('.').map(|number| number.parse().ok()).collect();
        let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
        let numbers = numbers.ok_or_else(|| {
            format!("`{text}` is not a version; write MAJOR.MINOR.PATCH, such as {VERSION}")
        })?;
        Ok(Version { numbers, is_release })
    }
}

/// What to do where this program is older than what tells it its settings.
#[must_use]
pub fn older_than(asked: Version) -> Option<String> {
    let ours = VERSION.parse::<Version>().ok()?;
    let [major, minor, patch] = asked.numbers;
    (ours < asked).then(|| {
        format!(
            "this image is of version {VERSION}, older than the chart that would give it to pods, and may not understand what they are \
             told: give `image.sidecar` (tag or digest) the image of {major}.{minor}.{patch} or a later one"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        let ascending = ["0.1.0-rc.1", "0.1.0", "0.1.1+build.7", "0.2.0", "0.10.0", "1.0.0-rc.1", "1.0.0"];
        assert!(ascending.windows(2).all(|pair| version(pair[0]) < version(pair[1])));
        for wrong in ["", "1", "1.0", "1.0.0.0", "v1.0.0", "1.x.0", "-1.0.0"] {
            assert!(wrong.parse::<Version>().unwrap_err().contains("MAJOR.MINOR.PATCH"), "{wrong}");
        }
    }

    #[test]
    fn one_that_is_older_says_what_is_needed() {
        assert_eq!(older_than(VERSION.parse().unwrap()), None);
        assert_eq!(older_than("0.0.1".parse().unwrap()), None);
        let said = older_than("999.0.1".parse().unwrap()).unwrap();
        assert!(said.contains(VERSION) && said.contains("999.0.1 or a later one"), "{said}");
    }
}
