//! Claude Code puts account and session into the one member that Anthropic has for a user.

use serde::Deserialize;

use crate::{Names, Who};

const PLACE: &str = "metadata.user_id";

/// The JSON of newer versions.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    device_id: Option<String>,
    #[serde(default)]
    account_uuid: Option<String>,
    session_id: String,
}

/// Account and session apart, where the user is one of Claude Code's; all others as they are.
pub(super) fn told_apart(names: Names) -> Names {
    let Some(told) = names.get(Who::User).and_then(|name| read(&name.text)) else { return names };
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let mut apart = Names::default();
    apart.offer(Who::User, filled(&told.account_uuid), format!("{PLACE} (account)"));
    apart.offer(Who::User, filled(&told.device_id), format!("{PLACE} (device)"));
    apart.offer(Who::Session, Some(told.session_id), format!("{PLACE} (session)"));
    apart
}

fn read(text: &str) -> Option<Told> {
    if text.starts_with('{') {
        return serde_json::from_str(text).ok();
    }
    let (device, rest) = text.strip_prefix("user_")?.split_once("_account_")?;
    let (account, session) = rest.split_once("_session_")?;
    Some(Told {
        device_id: Some(device.to_owned()),
        account_uuid: Some(account.to_owned()),
        session_id: session.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> [Option<(String, String)>; 2] {
        let mut names = Names::default();
        names.offer(Who::User, Some(text.to_owned()), PLACE);
        let apart = told_apart(names);
        [Who::User, Who::Session]
            .map(|who| apart.get(who).map(|name| (name.text.clone(), name.place.clone())))
    }

    #[test]
    fn account_and_session_are_told_apart_in_both_forms() {
        let both = [
            "user_9f3a_account_0b0e2f0a-5c4b_session_6a3c1f9f-2d11",
            r#"{"device_id":"9f3a","account_uuid":"0b0e2f0a-5c4b","session_id":"6a3c1f9f-2d11"}"#,
        ];
        for text in both {
            let [user, session] = told(text);
            assert_eq!(user.unwrap(), ("0b0e2f0a-5c4b".to_owned(), "metadata.user_id (account)".to_owned()));
            assert_eq!(session.unwrap().0, "6a3c1f9f-2d11");
        }
        let [device, _] = told("user_9f3a_account__session_6a3c");
        assert_eq!(device.unwrap(), ("9f3a".to_owned(), "metadata.user_id (device)".to_owned()));
    }

    #[test]
    fn any_other_user_stays_as_it_is() {
        for text in ["u_81", "user_81", "{not json", r#"{"name":"zoe"}"#] {
            let [user, session] = told(text);
            assert_eq!((user.unwrap().0.as_str(), session), (text, None));
        }
    }
}
