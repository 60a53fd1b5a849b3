//! What splitters hand on: events that were held as a whole, and those that are too long for it, in parts. Which of the
//! two an event is depends on its length alone, never on how it was cut.

/// An event longer than this is not held: it passes in parts.
pub(crate) const HELD: usize = 16 * 1024;

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its name where it stands outside of the data, else empty.
    pub name: &'a [u8],
    /// What it carries.
    pub data: &'a [u8],
}

/// Takes events as they pass. A closure takes those of ordinary length alone.
pub trait Events {
    /// An event of ordinary length (up to 16 KiB, its frame included).
    fn event(&mut self, event: Event<'_>);
    /// A longer one begins.
    fn begin(&mut self, name: &[u8]);
    /// The next bytes of its data.
    fn part(&mut self, data: &[u8]);
    /// It is whole.
    fn end(&mut self);
}

impl<F: FnMut(Event<'_>)> Events for F {
    fn event(&mut self, event: Event<'_>) {
        self(event);
    }

    fn begin(&mut self, _name: &[u8]) {}

    fn part(&mut self, _data: &[u8]) {}

    fn end(&mut self) {}
}
