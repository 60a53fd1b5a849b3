//! Values that are one of a set of words, each with what it means.

use std::borrow::Cow;
use std::fmt;

use outrigger_pricing::Capability;
use outrigger_providers::FailureClass;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::{Reader, Written};
use crate::yaml::Node;

/// Declares an enum of words.
macro_rules! words {
    (
        $(#[doc = $about:literal])+
        $name:ident, $wanted:literal {
            $($(#[doc = $word_about:literal])+ $word:literal $variant:ident,)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[doc = $word_about])+ $variant,)+
        }

        impl $name {
            const WORDS: &[&str] = &[$($word),+];

            /// The word that is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            /// The value of a word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"oneOf": [$({"const": $word, "description": concat!($($word_about),+).trim()}),+]})
            }
        }

        impl Written for $name {
            fn read(node: &Node, reader: &mut Reader) -> Option<$name> {
                reader.word(node, $wanted, $name::WORDS, $name::from_word)
            }
        }
    };
}

words! {
    /// How far Outrigger goes.
    Mode, "a mode" {
        /// Decrypts nothing.
        "passthrough" Passthrough,
        /// Watches, and changes nothing. It is the mode without a document.
        "observe" Observe,
        /// Does what the rules say.
        "act" Act,
    }
}

words! {
    /// What is done when a deadline passes.
    Exceeded, "what is done when a deadline passes" {
        /// It is told, and the call goes on.
        "report" Report,
        /// The attempt ends as a `timeout`, which the rule may retry or move.
        "act" Act,
    }
}

words! {
    /// What a credential is.
    CredentialKind, "a kind of credential" {
        /// A key, in the header where the provider expects one.
        "api_key" ApiKey,
        /// A token, as `authorization: Bearer`.
        "bearer" Bearer,
        /// AWS access keys, which sign each request by SigV4: a file as `~/.aws/credentials`.
        "aws_sigv4" AwsSigv4,
        /// The JSON of a Google service account, exchanged for short-lived tokens.
        "google_service_account" GoogleServiceAccount,
    }
}

/// A set of failure classes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Classes(u32);

impl Classes {
    /// Whether a failure of this class is one of them.
    #[must_use]
    pub const fn contains(self, class: FailureClass) -> bool {
        self.0 & (1 << class as u32) != 0
    }

    /// In the order of [`FailureClass::ALL`].
    pub fn iter(self) -> impl Iterator<Item = FailureClass> {
        FailureClass::ALL.into_iter().filter(move |class| self.contains(*class))
    }

    pub(crate) const fn with(self, class: FailureClass) -> Classes {
        Classes(self.0 | (1 << class as u32))
    }
}

impl fmt::Debug for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(FailureClass::as_str)).finish()
    }
}

impl Serialize for Classes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(FailureClass::as_str))
    }
}

/// Whether a rule may answer a class of failure in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// It does where `when` is not written.
    ByDefault,
    /// Where it is named.
    WhenNamed,
    /// Never, and why.
    Never(&'static str),
}

/// Whether a class is tried again at the same place.
pub(crate) const fn retried(class: FailureClass) -> Allowed {
    match class {
        FailureClass::RateLimit
        | FailureClass::Overloaded
        | FailureClass::ServerError
        | FailureClass::Timeout
        | FailureClass::Edge
        | FailureClass::Dns
        | FailureClass::Connect
        | FailureClass::StreamCut
        | FailureClass::Malformed => Allowed::ByDefault,
        FailureClass::Other => Allowed::WhenNamed,
        FailureClass::Authentication | FailureClass::Permission => {
            Allowed::Never("the same key is refused again")
        }
        FailureClass::NotFound => Allowed::Never("what is not there is not there the next time either"),
        FailureClass::Quota => Allowed::Never("a limit that is used up stays so; name it in `failover`"),
        FailureClass::ContextLength => Allowed::Never("the prompt stays as long as it is"),
        FailureClass::InvalidRequest => Allowed::Never("the request stays as it is"),
        FailureClass::ContentPolicy => Allowed::Never("the content stays as it is"),
        FailureClass::TooLarge => Allowed::Never("the body stays as large as it is"),
        FailureClass::Tls => Allowed::Never("a certificate that does not hold is not tried until it does"),
    }
}

/// Whether a class moves the call to a backup.
pub(crate) const fn moved(class: FailureClass) -> Allowed {
    match class {
        FailureClass::RateLimit
        | FailureClass::Quota
        | FailureClass::Overloaded
        | FailureClass::ServerError
        | FailureClass::Timeout
        | FailureClass::Edge
        | FailureClass::Dns
        | FailureClass::Connect
        | FailureClass::Tls
        | FailureClass::StreamCut
        | FailureClass::Malformed => Allowed::ByDefault,
        FailureClass::Authentication
        | FailureClass::Permission
        | FailureClass::NotFound
        | FailureClass::ContextLength
        | FailureClass::Other => Allowed::WhenNamed,
        FailureClass::InvalidRequest => {
            Allowed::Never("another provider would refuse the request too, or answer another one")
        }
        FailureClass::ContentPolicy => {
            Allowed::Never("asking elsewhere what one provider refuses is no repair")
        }
        FailureClass::TooLarge => Allowed::Never("the body stays as large as it is"),
    }
}

/// Declares the classes of one key, by what [`Allowed`] says of each.
macro_rules! classes {
    ($(#[doc = $about:literal])+ $name:ident, $allowed:path, $does:literal) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub Classes);

        impl $name {
            /// The classes that count where none are written.
            pub const DEFAULT: $name = {
                let (mut classes, mut at) = (Classes(0), 0);
                while at < FailureClass::ALL.len() {
                    if matches!($allowed(FailureClass::ALL[at]), Allowed::ByDefault) {
                        classes = classes.with(FailureClass::ALL[at]);
                    }
                    at += 1;
                }
                $name(classes)
            };
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let words = FailureClass::ALL.into_iter().filter(|class| !matches!($allowed(*class), Allowed::Never(_)));
                let words: Vec<&str> = words.map(FailureClass::as_str).collect();
                json_schema!({"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": words}})
            }
        }

        impl Written for $name {
            fn read(node: &Node, reader: &mut Reader) -> Option<$name> {
                let words = FailureClass::ALL.map(FailureClass::as_str);
                let items = reader.list(node)?;
                if items.is_empty() {
                    return reader.wrong("the list is empty", "name one at least, or leave the key out");
                }
                let read = reader.one_or_more(node, |node, reader| {
                    let class = reader.word(node, "a failure class", &words, FailureClass::from_word)?;
                    match $allowed(class) {
                        Allowed::Never(why) => reader.wrong(
                            format!(concat!("`{}` is never ", $does, ": {}"), class.as_str(), why),
                            "remove it",
                        ),
                        _ => Some(class),
                    }
                })?;
                Some($name(read.into_iter().fold(Classes::default(), Classes::with)))
            }
        }
    };
}

classes! {
    /// The failures that are tried again at the same place.
    RetriedClasses, retried, "tried again"
}

classes! {
    /// The failures that move a call to a backup.
    MovedClasses, moved, "moved"
}

/// What a model must be able to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities(pub Vec<Capability>);

impl Serialize for Capabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|capability| capability.as_str()))
    }
}

impl JsonSchema for Capabilities {
    fn schema_name() -> Cow<'static, str> {
        "Capabilities".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words = Capability::ALL.map(Capability::as_str);
        json_schema!({"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": words}})
    }
}

impl Written for Capabilities {
    fn read(node: &Node, reader: &mut Reader) -> Option<Capabilities> {
        let words = Capability::ALL.map(Capability::as_str);
        reader
            .one_or_more(node, |node, reader| {
                reader.word(node, "a capability", &words, Capability::from_word)
            })
            .map(Capabilities)
    }
}
