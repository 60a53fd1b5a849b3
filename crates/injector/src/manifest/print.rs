//! A tree as YAML in blocks. Texts that were quoted, and new ones that some reader could take for something else, are quoted.

use super::tree::Node;

/// Writes a tree, each line of it indented by so many spaces.
pub(super) fn print(node: &Node, indent: usize, into: &mut String) {
    match node {
        Node::Map(members) if !members.is_empty() => {
            for (key, value) in members {
                pad(indent, into);
                into.push_str(&scalar(key));
                into.push(':');
                match value {
                    // Under a key a list needs no further indentation, and kubectl gives it none.
                    Node::List(items) if !items.is_empty() => {
                        into.push('\n');
                        print(value, indent, into);
                    }
                    Node::Map(members) if !members.is_empty() => {
                        into.push('\n');
                        print(value, indent + 2, into);
                    }
                    value => leaf(value, indent, into),
                }
            }
        }
        Node::List(items) if !items.is_empty() => {
            for item in items {
                pad(indent, into);
                into.push('-');
                match item {
                    Node::Map(inner) if inner.is_empty() => leaf(item, indent, into),
                    Node::List(inner) if inner.is_empty() => leaf(item, indent, into),
                    Node::Scalar { .. } => leaf(item, indent, into),
                    _ => {
                        // Its first line goes behind the dash.
                        let mut block = String::new();
                        print(item, indent + 2, &mut block);
                        into.push(' ');
                        into.push_str(block.trim_start_matches(' '));
                    }
                }
            }
        }
        leafy => {
            pad(indent, into);
            into.push_str(&scalar(leafy));
            into.push('\n');
        }
    }
}

/// What stands behind a key or a dash in one line, or as a literal block.
fn leaf(node: &Node, indent: usize, into: &mut String) {
    if let Node::Scalar { text, is_plain: false } = node
        && let Some(chomping) = chomping(text)
    {
        into.push_str(" |");
        into.push_str(chomping);
        into.push('\n');
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            if !line.is_empty() {
                pad(indent + 2, into);
                into.push_str(line);
            }
            into.push('\n');
        }
        return;
    }
    let text = scalar(node);
    if !text.is_empty() {
        into.push(' ');
        into.push_str(&text);
    }
    into.push('\n');
}

/// Whether a text can be a literal block, and what keeps its end: the mark behind the `|`.
fn chomping(text: &str) -> Option<&'static str> {
    let body = text.trim_end_matches('\n');
    let fits = body.contains('\n')
        && !body.starts_with([' ', '\t', '\n'])
        && !text.chars().any(|one| one != '\n' && one != '\t' && is_escaped(one));
    // What ends in lines of spaces reads differently to some.
    let ends_well = !body.lines().any(|line| line.ends_with([' ', '\t']));
    if !fits || !ends_well {
        return None;
    }
    Some(match text.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    })
}

fn scalar(node: &Node) -> String {
    match node {
        Node::List(_) => "[]".to_owned(),
        Node::Map(_) => "{}".to_owned(),
        Node::Scalar { text, is_plain: true } if !text.contains('\n') => text.clone(),
        Node::Scalar { text, .. } if is_safe(text) => text.clone(),
        Node::Scalar { text, .. } => quoted(text),
    }
}

/// Whether every reader takes it for a text without quotes.
fn is_safe(text: &str) -> bool {
    const WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let goes_on = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    begins && goes_on && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// In double quotes, whose escapes YAML shares with JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for one in text.chars() {
        match one {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            one if is_escaped(one) => quoted.push_str(&format!("\\u{:04x}", u32::from(one))),
            one => quoted.push(one),
        }
    }
    quoted.push('"');
    quoted
}

/// What is a line's end to some, or nothing that can be seen.
fn is_escaped(one: char) -> bool {
    one.is_control() || matches!(one, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn pad(indent: usize, into: &mut String) {
    into.extend(std::iter::repeat_n(' ', indent));
}
