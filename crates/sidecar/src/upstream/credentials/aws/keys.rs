//! AWS keys in the forms in which people have them: AWS's own credentials file, the JSON that its tools print, or a folder with
//! one file for each.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use crate::upstream::credentials::mounted::Found;

/// The profile that counts where a file has several.
const DEFAULT: &str = "default";
const MEND: &str = "write AWS's own credentials file, the JSON that its tools print, or a folder with the files access-key-id and \
                    secret-access-key";

/// An access key.
pub(crate) struct Keys {
    pub(super) id: Zeroizing<String>,
    pub(super) secret: Zeroizing<String>,
    /// Of keys that live for a while only.
    pub(super) token: Option<Zeroizing<String>>,
    /// Seconds since 1970, where the file says so.
    pub(super) expires: Option<i64>,
}

/// What was found on the way.
#[derive(Default)]
struct Draft {
    id: Option<Zeroizing<String>>,
    secret: Option<Zeroizing<String>>,
    token: Option<Zeroizing<String>>,
    expires: Option<i64>,
}

impl Keys {
    /// Reads them. An error never repeats what stands there.
    pub(crate) fn read(found: &Found) -> Result<Keys, String> {
        let mut draft = Draft::default();
        match found {
            Found::Folder(files) => {
                for (name, text) in files {
                    draft.take(name, text.expose());
                }
            }
            Found::Text(text) if text.expose().starts_with('{') => draft.read_json(text.expose())?,
            Found::Text(text) => draft.read_lines(text.expose()),
        }
        draft.keys()
    }

    /// Whether they have expired, by their own word.
    pub(crate) fn expired(&self, now: i64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Draft {
    /// Takes a value where its name, however it is spelled, is one of those looked for: `accessKeyId`, `AWS_ACCESS_KEY_ID`,
    /// `access-key-id`.
    fn take(&mut self, name: &str, value: &str) {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = name.to_ascii_lowercase();
        let held = || Some(Zeroizing::new(value.to_owned())).filter(|value| !value.is_empty());
        match name.strip_prefix("aws").unwrap_or(&name) {
            "accesskeyid" => self.id = held(),
            "secretaccesskey" => self.secret = held(),
            "sessiontoken" | "securitytoken" => self.token = held(),
            "expiration" => {
                self.expires =
                    OffsetDateTime::parse(value, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp);
            }
            _ => {}
        }
    }

    /// An object with the values, or one level deeper, as `aws sts assume-role` and `aws iam create-access-key` print it.
    fn read_json(&mut self, text: &str) -> Result<(), String> {
        let wrong = |error: serde_json::Error| {
            format!("it is no JSON (line {}, column {}); {MEND}", error.line(), error.column())
        };
        let json: serde_json::Value = serde_json::from_str(text).map_err(wrong)?;
        let members = |json: &serde_json::Value, draft: &mut Draft| {
            for (name, value) in json.as_object().into_iter().flatten() {
                draft.take(name, value.as_str().unwrap_or_default());
            }
        };
        members(&json, self);
        for inner in ["Credentials", "AccessKey"] {
            members(&json[inner], self);
        }
        Ok(())
    }

    /// `name = value`, with or without profiles and `export`.
    fn read_lines(&mut self, text: &str) {
        let profile = |line: &str| Some(line.strip_prefix('[')?.strip_suffix(']')?.trim().to_owned());
        let profiles: Vec<String> = text.lines().filter_map(|line| profile(line.trim())).collect();
        let wanted = profiles.iter().find(|name| *name == DEFAULT).or(profiles.first());
        let mut at = None;
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
            if let Some(name) = profile(line) {
                at = Some(name);
            } else if at.as_ref() == wanted
                && let Some((name, value)) = line.split_once('=')
            {
                let value = value.trim();
                let bare =
                    ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote));
                self.take(name.trim_start_matches("export "), bare.unwrap_or(value));
            }
        }
    }

    fn keys(self) -> Result<Keys, String> {
        let missing = |what: &str| format!("it has no {what}; {MEND}");
        let id = self.id.ok_or_else(|| missing("access key id"))?;
        let secret = self.secret.ok_or_else(|| missing("secret access key"))?;
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        for (what, text) in [
            ("access key id", Some(&id)),
            ("secret access key", Some(&secret)),
            ("session token", self.token.as_ref()),
        ] {
            if text.is_some_and(|text| !plain(text)) {
                return Err(format!("its {what} has spaces or other characters that no key has; {MEND}"));
            }
        }
        Ok(Keys { id, secret, token: self.token, expires: self.expires })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::credentials::secret::Secret;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn secret(text: &str) -> Secret {
        Secret::new(Zeroizing::new(text.to_owned()))
    }

    fn read(text: &str) -> Result<(String, String, Option<String>), String> {
        told(&Found::Text(secret(text)))
    }

    fn told(found: &Found) -> Result<(String, String, Option<String>), String> {
        Keys::read(found).map(|keys| {
            (keys.id.to_string(), keys.secret.to_string(), keys.token.map(|token| token.to_string()))
        })
    }

    #[test]
    fn every_form_that_people_have_is_read() {
        let long_lived = Ok(("AKIDEXAMPLE".to_owned(), SECRET.to_owned(), None));
        let for_a_while = Ok(("AKIDEXAMPLE".to_owned(), SECRET.to_owned(), Some("token==".to_owned())));
        for text in [
            format!("[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET}"),
            format!(
                "[old]\naws_access_key_id=X\naws_secret_access_key=Y\naws_session_token=Z\n# note\n[default]\naws_access_key_id=AKIDEXAMPLE\naws_secret_access_key={SECRET}"
            ),
            format!(
                "[harbour]\r\naws_access_key_id = AKIDEXAMPLE\r\naws_secret_access_key = {SECRET}\r\n[other]\r\naws_access_key_id = X"
            ),
            format!(
                "export AWS_ACCESS_KEY_ID=AKIDEXAMPLE\nexport AWS_SECRET_ACCESS_KEY=\"{SECRET}\"\nAWS_REGION=x"
            ),
            format!("{{\"accessKeyId\": \"AKIDEXAMPLE\", \"secretAccessKey\": \"{SECRET}\"}}"),
            format!(
                "{{\"AccessKey\": {{\"UserName\": \"u\", \"AccessKeyId\": \"AKIDEXAMPLE\", \"SecretAccessKey\": \"{SECRET}\"}}}}"
            ),
        ] {
            assert_eq!(read(&text), long_lived, "{text}");
        }
        for text in [
            format!(
                "aws_access_key_id=AKIDEXAMPLE\naws_secret_access_key='{SECRET}'\naws_session_token=token=="
            ),
            format!(
                "{{\"Version\": 1, \"AccessKeyId\": \"AKIDEXAMPLE\", \"SecretAccessKey\": \"{SECRET}\", \"SessionToken\": \"token==\", \"Expiration\": \"2026-11-26T00:00:00Z\"}}"
            ),
            format!(
                "{{\"Credentials\": {{\"AccessKeyId\": \"AKIDEXAMPLE\", \"SecretAccessKey\": \"{SECRET}\", \"SessionToken\": \"token==\"}}}}"
            ),
        ] {
            assert_eq!(read(&text), for_a_while, "{text}");
        }
        for names in [
            ["accessKeyId", "secretAccessKey", "sessionToken"],
            ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
            ["access-key-id", "secret-access-key", "session-token"],
        ] {
            let files = names.into_iter().zip(["AKIDEXAMPLE", SECRET, "token=="]);
            let files = files.map(|(name, text)| (name.to_owned(), secret(text))).collect();
            assert_eq!(told(&Found::Folder(files)), for_a_while, "{names:?}");
        }
    }

    #[test]
    fn what_is_missing_or_broken_is_said_without_repeating_it() {
        for (text, why) in [
            ("{\"accessKeyId\": ", "it is no JSON (line 1, column 16)"),
            ("{\"secretAccessKey\": \"hushhush\"}", "it has no access key id"),
            ("[default]\naws_access_key_id = hushhush", "it has no secret access key"),
            ("[default]\naws_access_key_id =\naws_secret_access_key = hushhush", "it has no access key id"),
            ("aws_access_key_id=hush hush\naws_secret_access_key=x", "its access key id has spaces"),
            ("hushhush", "it has no access key id"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(why) && error.contains(MEND), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn keys_expire_by_their_own_word() {
        let text = format!(
            "{{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"{SECRET}\", \"Expiration\": \"2026-11-26T00:00:00+00:00\"}}"
        );
        let keys = Keys::read(&Found::Text(secret(&text))).unwrap();
        assert_eq!(keys.expires, Some(1_795_651_200));
        assert!(!keys.expired(1_795_651_199) && keys.expired(1_795_651_200));
    }
}
