//! The metrics of a program under `exec`, for who scrapes them.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use outrigger_exporter::{Pull, Scrape, Settings};
use outrigger_sidecar::MetricsPort;
use outrigger_sidecar::status::Observer;

use crate::output;

/// Where they are offered, if anywhere: where the option says, else where the variables do.
pub(super) fn address(option: Option<SocketAddr>, settings: &Settings) -> Result<Option<SocketAddr>, String> {
    match (option, &settings.pull) {
        (Some(address), _) => Ok(Some(address)),
        (None, Pull::At(host, port)) => {
            let found = (host.as_str(), *port).to_socket_addrs().ok().and_then(|mut all| all.next());
            found.map(Some).ok_or_else(|| {
                format!("OTEL_EXPORTER_PROMETHEUS_HOST={host:?}: no address of this machine; write localhost or 0.0.0.0")
            })
        }
        (None, Pull::Offered | Pull::Off) => Ok(None),
    }
}

/// Serves on a thread of its own, which ends with the process.
pub(super) fn serve(port: MetricsPort, observer: Arc<Observer>, scrape: Option<Scrape>) -> io::Result<()> {
    output::note(&format!("metrics at http://{}/metrics", port.address()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("outrigger-metrics".to_owned()).spawn(move || {
        if let Err(error) = runtime.block_on(port.serve(observer, scrape)) {
            output::note(&format!("the metrics are not served: {error}"));
        }
    })?;
    Ok(())
}
