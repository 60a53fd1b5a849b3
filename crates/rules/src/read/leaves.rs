//! Single values: what they share.

mod amounts;
mod names;
mod version;

pub use amounts::{Count, Factor, Percent, Switch, Time};
pub use names::{Format, Host, Label, Provider, SecretFile, Segment, Text, Variable};
pub use version::Version;

/// Serializes a leaf as it is written, and gives it a schema of its own.
macro_rules! leaf {
    ($name:ident, $title:literal, $schema:tt) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        leaf!(schema $name, $title, $schema);
    };
    (schema $name:ident, $title:literal, $schema:tt) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}
use leaf;
