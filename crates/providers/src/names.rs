//! Who and what a call is for, by the request's own words. Per request.

use serde_json::{Map, Value};

/// What a name can tell of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The end user.
    User,
    /// The conversation or session.
    Session,
    /// The step of a workflow.
    Step,
    /// The agent.
    Agent,
    /// Whose account it is: a customer, a team, a workspace.
    Tenant,
}

impl Who {
    /// All of them.
    pub const ALL: [Who; 5] = [Who::User, Who::Session, Who::Step, Who::Agent, Who::Tenant];

    /// The word used in records and settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Who::User => "user",
            Who::Session => "session",
            Who::Step => "step",
            Who::Agent => "agent",
            Who::Tenant => "tenant",
        }
    }

    /// What a word means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Who> {
        Who::ALL.into_iter().find(|who| who.as_str() == word)
    }

    /// What a tag of this name tells, however it is spelt (`user_id`, `endUser`, `_user`); `None` for any other tag.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Who> {
        /// No tag that means something is longer.
        const LONGEST: usize = 16;
        let mut plain = [0u8; LONGEST];
        let mut length = 0;
        for byte in tag.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b' ')) {
            *plain.get_mut(length)? = byte.to_ascii_lowercase();
            length += 1;
        }
        Some(match &plain[..length] {
            b"user" | b"userid" | b"enduser" | b"enduserid" | b"customer" | b"customerid" => Who::User,
            b"session" | b"sessionid" | b"conversation" | b"conversationid" | b"thread" | b"threadid" => {
                Who::Session
            }
            b"step" | b"stepname" | b"node" | b"langgraphnode" => Who::Step,
            b"agent" | b"agentid" | b"agentname" => Who::Agent,
            b"tenant" | b"tenantid" | b"organization" | b"organizationid" | b"org" | b"orgid" | b"team"
            | b"teamid" | b"workspace" | b"workspaceid" => Who::Tenant,
            _ => return None,
        })
    }
}

/// A name, and where it stood (`metadata.user_id`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// As it was sent.
    pub text: String,
    /// The member, header or entry that carried it.
    pub place: String,
}

/// What a request body says of who and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    names: [Option<Name>; Who::ALL.len()],
    /// `prompt_cache_key`: often a conversation's id, sometimes a whole app's.
    pub cache_key: Option<String>,
}

impl Names {
    /// One of them.
    #[must_use]
    pub fn get(&self, who: Who) -> Option<&Name> {
        self.names[who as usize].as_ref()
    }

    /// Sets one that is not set yet.
    pub fn offer(&mut self, who: Who, text: Option<String>, place: impl Into<String>) {
        let slot = &mut self.names[who as usize];
        if let (None, Some(text)) = (&slot, text.filter(|text| !text.is_empty())) {
            *slot = Some(Name { text, place: place.into() });
        }
    }

    /// Sets what the tags of a JSON object name; `place` is where the object stands. Anything but an object names nothing.
    pub fn offer_tags(&mut self, object: &[u8], place: &str) {
        let Ok(tags) = serde_json::from_slice::<Map<String, Value>>(object) else { return };
        for (tag, value) in tags {
            let Some(who) = Who::of_tag(&tag) else { continue };
            let text = match value {
                Value::String(text) => Some(text),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            self.offer(who, text, format!("{place}.{tag}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_means_the_same_however_it_is_spelt() {
        for tag in ["user", "userId", "user_id", "_user", "end-user.id", "CUSTOMER_ID"] {
            assert_eq!(Who::of_tag(tag), Some(Who::User), "{tag}");
        }
        assert_eq!(Who::of_tag("langgraph_node"), Some(Who::Step));
        for tag in ["", "username of the month", "users", "model"] {
            assert_eq!(Who::of_tag(tag), None, "{tag}");
        }
    }

    #[test]
    fn the_first_word_stands_and_tags_say_where_they_stood() {
        let mut names = Names::default();
        names.offer(Who::User, Some(String::new()), "user");
        names.offer(Who::User, Some("u_81".to_owned()), "safety_identifier");
        names.offer_tags(br#"{"user_id":"other","session_id":42,"tenant":{"a":1},"note":"x"}"#, "metadata");
        let told = |who| names.get(who).map(|name| (name.text.as_str(), name.place.as_str()));
        assert_eq!(told(Who::User), Some(("u_81", "safety_identifier")));
        assert_eq!(told(Who::Session), Some(("42", "metadata.session_id")));
        assert_eq!(told(Who::Tenant), None);
        names.offer_tags(b"[1", "metadata");
    }
}
