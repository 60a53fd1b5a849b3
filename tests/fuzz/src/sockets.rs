//! Wire formats over WebSockets: whatever is said, every response that ends was asked for, and none ends twice.

use outrigger_providers::{Dialect, Peer, SocketEvent, dialects};

use crate::Target;
use crate::input::{expanded, pieces};

pub(crate) fn targets() -> Vec<Target> {
    let target = |dialect: &'static dyn Dialect| {
        Target::new(format!("socket_{}", dialect.name()), Shown(dialect).target())
    };
    dialects::SOCKETS.into_iter().map(target).collect()
}

/// A wire format is nothing that a panic could leave half changed.
struct Shown(&'static dyn Dialect);

impl std::panic::RefUnwindSafe for Shown {}

impl Shown {
    fn target(self) -> impl Fn(&[u8]) + std::panic::RefUnwindSafe + 'static {
        move |input| self.talk(input)
    }

    /// A line is a message: of the app where it begins with `>`, else of the provider.
    fn talk(&self, input: &[u8]) {
        let Some(mut meter) = self.0.socket_meter(Some("model=m")) else { return };
        let (mut asked, mut ended) = (Vec::new(), Vec::new());
        let mut hear = |event| match event {
            SocketEvent::Asked(number) => asked.push(number),
            SocketEvent::Ended(one) => ended.push(one.number),
            SocketEvent::Begun(_) | SocketEvent::Content(_) => {}
        };
        for line in input.split(|byte| *byte == b'\n') {
            let (from, line) = match line.strip_prefix(b">") {
                Some(line) => (Peer::Client, line),
                None => (Peer::Server, line),
            };
            meter.begin(from, true);
            let message = expanded(line);
            for piece in pieces(&message) {
                if !meter.part(from, piece) {
                    break;
                }
            }
            meter.end(from, &mut hear);
        }
        meter.finish(&mut hear);
        ended.sort_unstable();
        assert_eq!(ended, asked);
    }
}
