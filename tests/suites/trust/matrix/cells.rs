//! The trust matrix: every client calls a listed host, once with what adds alone, once with everything.

use std::collections::BTreeMap;

use outrigger_simulator::{Config, Simulator};
use outrigger_tests::netns::{Network, PROVIDER, PROVIDER_NAMES};

use super::clients::{ALL, Callee, Client};
use super::image::Image;
use super::{ADDED_HOSTS, Counted, in_pods, injected, table};

/// What became of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Its first call was answered, and read.
    Observed,
    /// It does not trust us and works all the same; so many of its calls failed before that was learned.
    Unobserved { failed: usize },
    /// It does not work, or what was counted does not fit.
    Broken(String),
}

struct Pod {
    network: Network,
    image: Image,
    simulator: Simulator,
}

impl Pod {
    fn new() -> Pod {
        let network = Network::new(&[]);
        let names: String = PROVIDER_NAMES
            .iter()
            .chain(&ADDED_HOSTS)
            .map(|name| format!("{} {name}\n", PROVIDER[0]))
            .collect();
        // One address each: gRPC would try a second one by itself, and its failed call would not be seen.
        network.hosts(&format!("127.0.0.1 localhost\n{names}"));
        let simulator = network.simulator(Config::default());
        let image = Image::trusting(&[simulator.ca_pem()]);
        // Closed, so that no call goes around the sidecar while a fresh one begins to beat.
        let output = network.redirect(&["--on-proxy-down", "closed", "--failure-policy", "closed"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Pod { network, image, simulator }
    }

    /// Each cell has a sidecar of its own, so that it learns nothing from the one before.
    fn cell(&self, client: &Client, proven: bool) -> Cell {
        let sidecar = self
            .network
            .sidecar(self.simulator.ca_pem())
            .variable("OUTRIGGER_HOSTS", ADDED_HOSTS.join(","))
            .start();
        let theirs = BTreeMap::new();
        let environment = injected(&sidecar, &theirs, proven)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let mut failed = Vec::new();
        let answered = loop {
            let outcome = client.call(&self.network, &self.image, Callee::Provider, &environment);
            if outcome.answered || failed.len() == 1 {
                break outcome;
            }
            failed.push(outcome);
        };
        let counted = Counted::by(sidecar);
        let (read, untrusted) = (counted.number("requests"), counted.number("\"not_trusted\""));
        match (answered.answered, read, untrusted, failed.len()) {
            (true, 1.., 0, 0) => Cell::Observed,
            (true, 0, 1.., failed) => Cell::Unobserved { failed },
            _ => Cell::Broken(format!(
                "{} and then {}; the sidecar: {}",
                failed.first().map_or("", |one| &one.said),
                answered.said,
                counted.0
            )),
        }
    }
}

#[test]
fn every_runtime_is_observed_or_works_unobserved_as_the_readme_says() {
    let cells: Vec<(Client, bool)> =
        ALL.into_iter().flat_map(|client| [(client, false), (client, true)]).collect();
    let found = in_pods(&cells, Pod::new, |pod, (client, proven)| pod.cell(client, *proven));
    let rows: Vec<(Client, [Cell; 2])> = cells
        .chunks(2)
        .zip(found.chunks(2))
        .map(|(cells, found)| (cells[0].0, [found[0].clone(), found[1].clone()]))
        .collect();
    let shown = table::markdown(&rows);
    table::print(&shown);
    let broken: Vec<String> = rows
        .iter()
        .flat_map(|(client, row)| row.iter().map(move |cell| (client, cell)))
        .filter_map(|(client, cell)| match cell {
            Cell::Broken(why) => Some(format!("{} {}: {why}", client.runtime, client.library)),
            _ => None,
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    table::hold_against_the_readme(&shown);
}
