//! Where one answer ends and the other goes on. A model that is told to go on may say again what stands right before the seam; that is
//! left out where it is certain. Per streamed answer that is gone on with.

use outrigger_pricing::{Meter, TokenUsage};

use super::super::blocks::Step;
use crate::canonical::{Begun, Block, StreamWriter};

/// So much must be said twice to be taken for a repetition: shorter texts come again by chance.
const LEAST: usize = 24;
const LEAST_WORDS: usize = 3;
/// No longer repetition is looked for.
const LONGEST: usize = 4096;

/// The seam of one answer, and what is still to be told of the part before it.
pub(in crate::translate) struct Seam {
    overlap: Overlap,
    /// Whether the block that the app has open was taken up, or closed.
    joined: bool,
    /// Whether what is said still belongs to that block.
    within: bool,
    /// What the first place reported.
    before: TokenUsage,
}

impl Seam {
    pub(in crate::translate) fn new(begun: &Begun, before: TokenUsage) -> Seam {
        Seam { overlap: Overlap::behind(&begun.text), joined: false, within: false, before }
    }

    /// Bytes of text that were said twice and left out, so far.
    pub(in crate::translate) const fn left_out(&self) -> usize {
        self.overlap.left_out
    }

    /// Tells a step of the second answer as one of the first. Its first text goes on with the one that the app has open.
    pub(in crate::translate) fn step(
        &mut self,
        step: Step,
        writer: &mut dyn StreamWriter,
        out: &mut Vec<u8>,
    ) {
        match step {
            Step::Open(Block::Text) if !self.joined => (self.joined, self.within) = (true, true),
            Step::Open(block) => {
                self.join(writer, out);
                writer.open(&block, out);
            }
            Step::Grow(text) if self.within => {
                let rest = self.overlap.push(&text);
                tell(&rest, writer, out);
            }
            Step::Grow(text) => writer.grow(&text, out),
            Step::Close => {
                self.flush(writer, out);
                writer.close(out);
            }
        }
    }

    /// The second answer is whole. What both took, as far as it was reported.
    pub(in crate::translate) fn end(
        &mut self,
        usage: &TokenUsage,
        writer: &mut dyn StreamWriter,
        out: &mut Vec<u8>,
    ) -> TokenUsage {
        self.join(writer, out);
        let mut sum = *usage;
        for meter in Meter::ALL {
            if let (Some(first), Some(second)) = (self.before.get(meter), usage.get(meter)) {
                sum.set(meter, Some(first.saturating_add(second)));
            }
        }
        sum
    }

    /// Closes the block that the app has open, where nothing was added to it.
    fn join(&mut self, writer: &mut dyn StreamWriter, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.joined, true) {
            writer.close(out);
        }
    }

    fn flush(&mut self, writer: &mut dyn StreamWriter, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.within) {
            let rest = self.overlap.finish();
            tell(&rest, writer, out);
        }
    }
}

fn tell(text: &str, writer: &mut dyn StreamWriter, out: &mut Vec<u8>) {
    if !text.is_empty() {
        writer.grow(text, out);
    }
}

/// Finds what is said again. The beginning of the second text is held for as long as it may be a repetition, and no longer.
struct Overlap {
    /// The end of the first text.
    before: String,
    /// Where in it the repetition may begin, in order.
    begins: Vec<usize>,
    /// The second text so far; none once it is settled.
    held: Option<String>,
    /// The longest repetition that came whole.
    found: usize,
    left_out: usize,
}

impl Overlap {
    fn behind(text: &str) -> Overlap {
        let before = text[text.ceil_char_boundary(text.len().saturating_sub(LONGEST))..].to_owned();
        let far_enough = before.len().saturating_sub(LEAST);
        let begins =
            before.char_indices().map(|(at, _)| at).filter(|at| *at <= far_enough && before.len() >= LEAST);
        let begins = begins.collect();
        Overlap { before, begins, held: Some(String::new()), found: 0, left_out: 0 }
    }

    /// The next piece of the second text: what of it, and of what was held, the app gets.
    fn push(&mut self, text: &str) -> String {
        let Some(held) = &mut self.held else { return text.to_owned() };
        let known = held.len();
        held.push_str(text);
        let (before, now) = (self.before.as_bytes(), held.as_bytes());
        let mut found = self.found;
        self.begins.retain(|begin| {
            let again = &before[*begin..];
            let length = again.len().min(now.len());
            let same = again[known.min(length)..length] == now[known.min(length)..length];
            if same && again.len() <= now.len() {
                found = found.max(again.len());
            }
            same && again.len() > now.len()
        });
        self.found = found;
        if self.begins.is_empty() { self.finish() } else { String::new() }
    }

    /// Settles it by what has come.
    fn finish(&mut self) -> String {
        let Some(held) = self.held.take() else { return String::new() };
        let again = &self.before[self.before.len() - self.found..];
        let certain = self.found >= LEAST
            && again.split_whitespace().count() >= LEAST_WORDS
            && self.before.match_indices(again).count() == 1
            && self.before.find(again) == Some(self.before.len() - self.found);
        if !certain {
            return held;
        }
        self.left_out = self.found;
        held[self.found..].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(before: &str, after: &str, step: usize) -> (String, usize) {
        let mut overlap = Overlap::behind(before);
        let mut text = before.to_owned();
        let characters: Vec<char> = after.chars().collect();
        for piece in characters.chunks(step) {
            text.push_str(&overlap.push(&piece.iter().collect::<String>()));
        }
        text.push_str(&overlap.finish());
        (text, overlap.left_out)
    }

    #[test]
    fn what_is_certainly_said_twice_is_left_out() {
        let before = "The ebb at the quay begins when the moon has passed its height, and";
        let again = "the moon has passed its height, and";
        let whole = format!("{before} it ends at nine.");
        for step in [1, 3, 400] {
            let after = format!("{again} it ends at nine.");
            assert_eq!(joined(before, &after, step), (whole.clone(), again.len()), "{step}");
            assert_eq!(joined(before, " it ends at nine.", step), (whole.clone(), 0), "{step}");
        }
    }

    #[test]
    fn what_may_be_meant_stays() {
        for (before, after, why) in [
            ("no more, no more", " no more, no more", "it begins with a blank"),
            ("It is not so, it is not so", "it is not so.", "too short"),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "no words"),
            (
                "| --- | --- | --- | --- |\n| --- | --- | --- | --- |",
                "| --- | --- | --- | --- |\n",
                "it stands there twice",
            ),
            (
                "the moon has passed its height, and",
                "the moon has passed its height, but",
                "it is not the same",
            ),
        ] {
            assert_eq!(joined(before, after, 2), (format!("{before}{after}"), 0), "{why}");
        }
    }

    proptest! {
        /// Nothing is lost but what stands right before the seam, and nothing is held for ever.
        #[test]
        fn the_text_is_whole_however_it_comes(before in "[ab é]{0,80}", again in 0usize..80, after in "[ab é]{0,40}", step in 1usize..9) {
            let from = before.floor_char_boundary(before.len().saturating_sub(again));
            let second = format!("{}{after}", &before[from..]);
            let (text, left_out) = joined(&before, &second, step);
            prop_assert!(second.is_char_boundary(left_out) && before.ends_with(&second[..left_out]));
            prop_assert_eq!(text, format!("{before}{}", &second[left_out..]));
        }
    }
}
