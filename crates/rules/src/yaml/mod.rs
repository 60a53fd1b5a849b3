//! YAML as a tree that knows where each part stands. Bounded in size, depth and what aliases may repeat.

mod manifest;
mod node;
mod parse;

pub(crate) use manifest::document_in;
pub(crate) use node::{Key, Kind, Node, Scalar, shortened};
pub(crate) use parse::{LONGEST_TEXT, is_ambiguous, parse, readable};
