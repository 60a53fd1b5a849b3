//! A map of the document, said once: its type, its reader, its schema and its documentation come of one list of members.

/// Declares a section. What is optional and not written stays so in the document; where it has a default, a method of its
/// name gives the value that counts.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            required {
                $($(#[doc = $required_about:literal])+ $required_key:literal $required:ident: $required_type:ty,)*
            }
            optional {
                $($(#[doc = $optional_about:literal])+ $optional_key:literal $optional:ident: $optional_type:ty
                    $(= $default:expr)?,)*
            }
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[doc = $required_about])+
                #[serde(rename = $required_key)]
                pub $required: $required_type,
            )*
            $(
                $(#[doc = $optional_about])+
                #[serde(rename = $optional_key, skip_serializing_if = "Option::is_none")]
                #[schemars(required $(, extend("default" = $default))?)]
                pub $optional: Option<$optional_type>,
            )*
        }

        impl $name {
            $($(
                /// What counts: what is written, else the default.
                #[must_use]
                pub fn $optional(&self) -> $optional_type {
                    self.$optional.unwrap_or($default)
                }
            )?)*
        }

        impl $crate::read::Written for $name {
            fn read(node: &$crate::yaml::Node, reader: &mut $crate::read::Reader) -> Option<$name> {
                let members = reader.members(node)?;
                $(let $required = members.require($required_key, reader, $crate::read::Written::read);)*
                $(let $optional = members.read($optional_key, reader, $crate::read::Written::read);)*
                members.refuse_others(&[$($required_key,)* $($optional_key,)*], reader);
                Some($name { $($required: $required?,)* $($optional,)* })
            }
        }
    };
}
pub(crate) use section;
