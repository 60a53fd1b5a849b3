//! Which connections reach the sidecar, and where they go from there.

use outrigger_simulator::Config;

use super::{APP, CHAT, Network, curl, redirected};

#[test]
fn an_apps_call_is_read_in_both_families() {
    let network = Network::new(&[]);
    let simulator = network.simulator(Config::default());
    let said = redirected(&network, &[]);
    for family in ["IPv4", "IPv6"] {
        assert!(said.contains(&format!("nft {family}: a redirected connection arrives")), "{said}");
    }
    let sidecar = network.sidecar(simulator.ca_pem()).start();
    for family in ["-4", "-6"] {
        let answer = curl(
            &network,
            &sidecar,
            APP,
            &[
                family,
                "--oauth2-bearer",
                "sk-tide",
                "https://api.openai.com/v1/chat/completions",
                "--json",
                CHAT,
            ],
        );
        assert_eq!(answer.status, 200, "{family}: {}", answer.error);
        assert!(answer.issuer.contains("Outrigger issuing CA"), "{family}: {}", answer.issuer);
    }
    assert_eq!(simulator.received().len(), 2);
}
