//! A connection pool full of dead sockets: closed while nobody looked, or leading nowhere without a word.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use outrigger_simulator::{Answer, Config};
use outrigger_tests::process::Program;

use super::table::Row;
use super::{HOSTS, Sdk, Seen, document, exec, folder, keys_stayed_at_home, primary, refs, right, simulator};

const RULE: &str = "  - name: storm
    match: { provider: openai }
    deadlines: { responseHead: 2s, firstToken: 2s }
    retry: { attempts: 2, backoff: { initial: 10ms } }
    failover: { to: [second] }
";

const CLOSED: &str = "connection pool full of closed sockets";
const LOST: &str = "connection pool full of sockets that lead nowhere";

/// How many calls a crowd makes at once.
const CROWD: usize = 8;

/// What stands between the sidecar and a provider, and may stop to pass on what it is given.
struct Relay {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Connections in the order in which they were accepted.
    open: Mutex<Vec<TcpStream>>,
    /// So many of them lead nowhere.
    lost: AtomicUsize,
}

impl Relay {
    /// Its threads end with the process.
    fn to(provider: SocketAddr) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let state = Arc::new(State::default());
        let relay = Relay { address, state: Arc::clone(&state) };
        std::thread::spawn(move || {
            for app in listener.incoming().flatten() {
                // Either end may leave as it likes.
                drop(state.accept(&app, provider));
            }
        });
        relay
    }

    fn opened(&self) -> usize {
        self.state.open().len()
    }

    /// Closes every connection that stands.
    fn close(&self) {
        for connection in self.state.open().iter() {
            drop(connection.shutdown(Shutdown::Both));
        }
    }

    /// Passes nothing on any more over those that stand.
    fn lose(&self) {
        self.state.lost.store(self.opened(), Relaxed);
    }
}

impl State {
    fn open(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<State>, app: &TcpStream, provider: SocketAddr) -> std::io::Result<()> {
        let server = TcpStream::connect(provider)?;
        let mut open = self.open();
        let number = open.len();
        open.push(app.try_clone()?);
        for (from, to) in [(app.try_clone()?, server.try_clone()?), (server.try_clone()?, app.try_clone()?)] {
            let state = Arc::clone(self);
            std::thread::spawn(move || drop(state.pass(number, from, to)));
        }
        Ok(())
    }

    fn pass(&self, number: usize, mut from: TcpStream, mut to: TcpStream) -> std::io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer)?;
            if read == 0 {
                return to.shutdown(Shutdown::Both);
            }
            if number >= self.lost.load(Relaxed) {
                to.write_all(&buffer[..read])?;
            }
        }
    }
}

/// What a crowd sees that calls all at once.
fn called(program: &mut Program) -> Vec<Seen> {
    program.say("");
    let lines = (0..CROWD).map(|_| program.output_line(|line| line.contains("\"call\"")));
    lines.map(|line| Seen::of(&serde_json::from_str(&line).expect("a line of JSON"))).collect()
}

fn die(name: &str, how: impl Fn(&Relay) + Sync) {
    std::thread::scope(|scope| {
        for sdk in Sdk::ALL {
            scope.spawn({
                let how = &how;
                move || die_before(sdk, name, how)
            });
        }
    });
}

fn die_before(sdk: Sdk, name: &str, how: impl Fn(&Relay)) {
    // Slow enough for every call of a crowd to need a connection of its own.
    let simulator = simulator([primary(Answer { delay_ms: 500, ..right() })], Config::default());
    let relay = Relay::to(simulator.address());
    let folder = folder(&document(RULE));
    let exec = exec(simulator.ca_pem(), folder.path())
        .upstream(HOSTS[0], relay.address)
        .upstream(HOSTS[1], simulator.address());
    let program = sdk.program(&["crowd"]);
    let mut running = exec.start(&refs(&program));
    let mut seen = called(&mut running.program);
    assert!(relay.opened() > CROWD / 2, "{name}, {sdk:?}: a crowd on {} connections", relay.opened());
    how(&relay);
    seen.extend(called(&mut running.program));
    seen.extend(called(&mut running.program));
    let ended = running.program.end();
    assert!(seen.iter().all(Seen::is_right), "{name}, {sdk:?}: {seen:?}\n{}", ended.errors);
    keys_stayed_at_home(&simulator, &[HOSTS[0]], &[HOSTS[1]], name);
}

#[test]
fn sockets_that_were_closed_meanwhile_cost_no_call() {
    die(CLOSED, Relay::close);
}

#[test]
fn sockets_that_lead_nowhere_cost_no_call() {
    die(LOST, Relay::lose);
}

/// The rows of the table that these stand for.
pub(super) fn rows() -> Vec<Row> {
    vec![Row::right(CLOSED), Row::right(LOST)]
}
