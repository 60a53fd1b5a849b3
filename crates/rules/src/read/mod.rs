//! From tree to document: every fault is noted, none ends the reading.

pub(crate) mod leaves;
mod reader;
mod section;
pub(crate) mod words;

pub(crate) use reader::{Reader, Step, nearest};
pub(crate) use section::section;

use schemars::JsonSchema;
use serde::Serialize;

use crate::yaml::Node;

/// A value that a person writes.
pub(crate) trait Written: Sized + Serialize + JsonSchema {
    /// Reads it; `None` where a fault was noted in its place.
    fn read(node: &Node, reader: &mut Reader) -> Option<Self>;
}

impl<T: Written> Written for Vec<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Vec<T>> {
        let items = reader.list(node)?;
        let read: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                reader.within(Step::Item(index), item.at, item, |reader| T::read(item, reader))
            })
            .collect();
        read.into_iter().collect()
    }
}
