//! Who a call is for and which step it is, by the app's own words; and what it takes to put anybody's words into a record:
//! cut to a length, and cleaned. Per request.

use http::HeaderMap;
use outrigger_contract::headers::{SESSION, STEP, USER};

/// Bytes that a name may have.
const LONGEST: usize = 128;

/// What the app's headers say.
#[derive(Debug, Default, Clone)]
pub(crate) struct Identity {
    pub(crate) step: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) session: Option<String>,
}

impl Identity {
    /// Reads the headers that the contract names.
    pub(crate) fn read(headers: &HeaderMap) -> Identity {
        let named = |name: &str| {
            let value = headers.get(name)?;
            tidy(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Identity { step: named(STEP), user: named(USER), session: named(SESSION) }
    }
}

/// The text without control characters and outer blanks, at most 128 bytes long; `None` if nothing is left.
pub(crate) fn tidy(mut text: String) -> Option<String> {
    text.retain(|c| !c.is_control());
    let kept = text.trim();
    let mut end = kept.len().min(LONGEST);
    while !kept.is_char_boundary(end) {
        end -= 1;
    }
    match &kept[..end] {
        "" => None,
        whole if whole.len() == text.len() => Some(text),
        part => Some(part.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn names_are_cleaned_and_cut_at_a_character() {
        assert_eq!(tidy(" a\u{7}b\n".to_owned()).as_deref(), Some("ab"));
        assert_eq!(tidy(format!("x{}", "é".repeat(100))).map(|text| text.len()), Some(127));
        assert_eq!(tidy("\t ".to_owned()), None);
    }

    #[test]
    fn headers_name_step_user_and_session() {
        let mut headers = HeaderMap::new();
        headers.insert("x-outrigger-step", HeaderValue::from_static("plan"));
        headers.insert("x-outrigger-user", HeaderValue::from_bytes("zoë".as_bytes()).unwrap());
        headers.insert("x-outrigger-session", HeaderValue::from_static(""));
        let identity = Identity::read(&headers);
        assert_eq!(identity.step.as_deref(), Some("plan"));
        assert_eq!(identity.user.as_deref(), Some("zoë"));
        assert_eq!(identity.session, None);
    }
}
