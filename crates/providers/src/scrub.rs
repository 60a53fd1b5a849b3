//! A provider's own words, made fit for a log: cut to a length, keys taken out. Per failed call.

const LONGEST: usize = 500;
const REDACTED: &str = "[redacted]";
/// A run of key-like characters with digits in it that is at least this long is taken for a secret.
const KEY_LIKE: usize = 20;
const KEY_PREFIXES: [&str; 4] = ["sk-", "sk_", "pk-", "rk-"];

/// The text without anything that looks like a key, at most 500 bytes long.
pub(crate) fn scrubbed(text: &str) -> String {
    let mut clean = String::with_capacity(text.len().min(LONGEST));
    let mut after_bearer = false;
    for piece in text.split_inclusive(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '(' | ')' | '<' | '>')
    }) {
        let word = piece.trim_end_matches(|c: char| !is_key_character(c)).trim_end_matches('.');
        if !word.is_empty() && (after_bearer || looks_like_a_key(word)) {
            clean.push_str(REDACTED);
            clean.push_str(&piece[word.len()..]);
        } else {
            clean.push_str(piece);
        }
        after_bearer = word.eq_ignore_ascii_case("bearer");
        if clean.len() > LONGEST {
            break;
        }
    }
    let mut end = clean.len().min(LONGEST);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean.truncate(end);
    clean.retain(|c| !c.is_control());
    clean
}

fn is_key_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*' | '.' | '=' | '/' | '+')
}

fn looks_like_a_key(word: &str) -> bool {
    let bare = word.rsplit([':', '=']).next().unwrap_or(word).trim_end_matches('.');
    if bare.contains("**") || word.contains("**") {
        return true;
    }
    if KEY_PREFIXES.iter().any(|prefix| bare.len() > prefix.len() + 4 && bare.starts_with(prefix)) {
        return true;
    }
    let digits = bare.bytes().filter(u8::is_ascii_digit).count();
    let letters = bare.bytes().filter(u8::is_ascii_alphabetic).count();
    // Model names and dates have digits too, but are short; a path has slashes.
    bare.len() >= KEY_LIKE && digits >= 3 && letters >= 6 && !bare.contains('/') && !is_a_name(bare)
}

/// `claude-sonnet-5-5-20260922` is long and has digits, but is made of short words.
fn is_a_name(word: &str) -> bool {
    word.split(['-', '_', '.']).all(|part| {
        part.len() <= 12
            && (part.bytes().all(|b| b.is_ascii_digit())
                || part.bytes().all(|b| b.is_ascii_lowercase())
                || part.len() <= 4)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_go_and_the_rest_stays() {
        for (text, clean) in [
            (
                "Incorrect API key provided: sk-proj-abcdEFGH1234. You can find it.",
                "Incorrect API key provided: [redacted]. You can find it.",
            ),
            ("Incorrect API key provided: sk-ab***********xyz9.", "Incorrect API key provided: [redacted]."),
            ("header Authorization: Bearer abc refused", "header Authorization: Bearer [redacted] refused"),
            (
                "The model `claude-sonnet-5-5-20260922` does not exist",
                "The model `claude-sonnet-5-5-20260922` does not exist",
            ),
            ("maximum context length is 272000 tokens", "maximum context length is 272000 tokens"),
        ] {
            assert_eq!(scrubbed(text), clean);
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let text = "é".repeat(1000);
        assert_eq!(scrubbed(&text).len(), LONGEST);
    }

    proptest! {
        #[test]
        fn no_key_of_a_known_form_survives(key in "sk-[A-Za-z0-9_]{8,60}", before in "[a-z :\"]{0,20}", after in "[ .,\"]{0,3}") {
            let clean = scrubbed(&format!("{before} {key}{after} end"));
            prop_assert!(!clean.contains(&key), "{}", clean);
        }
    }
}
