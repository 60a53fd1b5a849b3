//! Each wire format's request reader: whole and cut a request says the same, and names the model that is found without it.

use outrigger_providers::{Dialect, RequestFacts, dialects, named_model};
use serde_json::value::RawValue;

use crate::Target;
use crate::input::{expanded, pieces};

pub(crate) fn targets() -> Vec<Target> {
    let target = |dialect: &'static dyn Dialect| {
        Target::new(format!("request_{}", dialect.name()), Shown(dialect).target())
    };
    dialects::ALL.into_iter().map(target).collect()
}

/// A wire format is nothing that a panic could leave half changed.
struct Shown(&'static dyn Dialect);

impl std::panic::RefUnwindSafe for Shown {}

impl Shown {
    fn target(self) -> impl Fn(&[u8]) + std::panic::RefUnwindSafe + 'static {
        move |input| {
            let bytes = expanded(input);
            let (whole, cut) = (self.read(&[&bytes]), self.read(&pieces(&bytes)));
            // As text, so that a number that equals nothing, not even itself, equals itself.
            assert_eq!(format!("{whole:?}"), format!("{cut:?}"));
            if serde_json::from_slice::<&RawValue>(&bytes).is_ok()
                && let Some(found) = named_model(self.0, &bytes)
            {
                assert_eq!(whole.model.as_deref(), Some(found));
            }
        }
    }

    fn read(&self, pieces: &[&[u8]]) -> RequestFacts {
        let mut reader = self.0.request_reader();
        for piece in pieces {
            reader.chunk(piece);
        }
        reader.finish()
    }
}
