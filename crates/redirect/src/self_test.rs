//! Proof that a redirected connection arrives: one is made to an address that nobody has, and a random token must come
//! back from where the sidecar will listen.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use outrigger_contract::ports::TRANSPARENT;

use crate::backend::{self, Applied};
use crate::plan::{Family, Plan};
use crate::route;

const PATIENCE: Duration = Duration::from_secs(2);

/// What was found out for one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The connection arrived.
    Proven,
    /// Nothing could be proven, and why that is no fault.
    Skipped(String),
    /// The connection did not arrive.
    Failed(String),
}

/// Tries one family.
pub(crate) fn run(applied: &Applied, plan: &Plan, family: Family) -> Finding {
    if !applied.families.contains(&family) {
        return Finding::Skipped("it is not redirected".to_owned());
    }
    if route::source(family).is_none() {
        return Finding::Skipped("this pod has no route for it, so nothing can leave by it".to_owned());
    }
    if plan.uids.contains(&rustix::process::getuid().as_raw()) {
        return Finding::Skipped("it runs as a user whose connections are excluded".to_owned());
    }
    if plan.excludes(route::nowhere(family)) {
        return Finding::Skipped(format!("{}, where it would go, is excluded", route::nowhere(family)));
    }
    let loopback: IpAddr = match family {
        Family::Ipv4 => Ipv4Addr::LOCALHOST.into(),
        Family::Ipv6 => Ipv6Addr::LOCALHOST.into(),
    };
    let listener = match TcpListener::bind((loopback, TRANSPARENT)) {
        Ok(listener) => listener,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            return Finding::Skipped(format!("something listens on port {TRANSPARENT} already"));
        }
        Err(error) => return Finding::Failed(format!("cannot listen on {loopback}:{TRANSPARENT}: {error}")),
    };
    if let Err(refused) = backend::arm(applied, plan, family, true) {
        return Finding::Skipped(refused.0);
    }
    let finding = match arrives(&listener, SocketAddr::new(route::nowhere(family), plan.ports[0])) {
        Ok(true) => Finding::Proven,
        Ok(false) => Finding::Failed("something else answered a redirected connection".to_owned()),
        Err(error) => Finding::Failed(format!("a redirected connection did not arrive: {error}")),
    };
    if let Err(refused) = backend::arm(applied, plan, family, false) {
        // It runs out by itself.
        backend::say(&refused.0);
    }
    finding
}

fn arrives(listener: &TcpListener, nowhere: SocketAddr) -> io::Result<bool> {
    let mut token = [0u8; 16];
    getrandom::fill(&mut token).map_err(|_| io::Error::other("no randomness"))?;
    let mut client = TcpStream::connect_timeout(&nowhere, PATIENCE)?;
    client.set_read_timeout(Some(PATIENCE))?;
    // It is connected, so it waits in this very listener's queue, or somebody else took it.
    listener.set_nonblocking(true)?;
    let (mut server, _) = listener.accept()?;
    server.write_all(&token)?;
    let mut heard = [0u8; 16];
    client.read_exact(&mut heard)?;
    Ok(heard == token)
}
