//! A pod that a mesh redirects too, as Istio's is: the app's calls come to the sidecar, and what that sends goes out by the mesh.

use std::io::Write as _;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use outrigger_tests::{DEADLINE, setting};
use serde_json::json;

use crate::crew::{is_recorded, now};
use crate::harbour::{HARBOUR, Harbour, app, pod, send};

/// Istio's user, and where its proxy takes what leaves the pod.
const USER: u32 = 1337;
const PORT: u16 = 15001;

/// Redirects as Istio's own rules do what leaves a process's pod, but for what the proxy itself sends and what stays in the pod.
fn redirect_to_the_mesh(process: u32) {
    let rules = format!(
        "table ip mesh {{
            chain output {{
                type nat hook output priority -100
                meta skuid {USER} return
                ip daddr 127.0.0.0/8 return
                tcp dport 443 redirect to :{PORT}
            }}
        }}"
    );
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{process}/ns/net")).args(["nft", "-f", "-"]).stdin(Stdio::piped());
    let mut nft = command.spawn().expect("nsenter can be run");
    nft.stdin.take().expect("a pipe").write_all(rules.as_bytes()).expect("it reads");
    assert!(nft.wait().expect("it was started").success(), "{rules}");
}

fn python(harbour: &Harbour, namespace: &str, pod: &str) -> u32 {
    harbour.process(namespace, pod, &format!("python{}", setting("PYTHON_DEBIAN")))
}

#[test]
fn calls_of_a_pod_in_a_mesh_come_to_the_sidecar_first_and_leave_by_the_mesh() {
    let harbour = &*HARBOUR;
    let sound = harbour.namespace("sound", json!({}));
    let asking = [&app("gpt-4.1-sound", "0", "0.2")[..], &["fresh"]].concat();
    let mut meshed = pod(&sound, "meshed", &asking);
    let mut proxy = meshed["spec"]["containers"][0].clone();
    proxy["name"] = "istio-proxy".into();
    proxy["command"] = json!(["python3", "/srv/mesh.py", PORT.to_string()]);
    proxy["restartPolicy"] = "Always".into();
    proxy["securityContext"] = json!({"runAsUser": USER});
    meshed["spec"]["initContainers"] = json!([proxy]);
    let (pod, said) = harbour.start(&sound, &meshed);
    harbour.next(&said, &sound, |said| said["text"].is_string());

    redirect_to_the_mesh(python(harbour, &sound, &pod));
    // What it had open to the provider it opened before.
    send(Signal::SIGTERM, harbour.process(&sound, &pod, "outrigger-sidecar"));
    let mesh = harbour.node.logs(&sound, &pod, "istio-proxy");
    let provider = format!("{}:443", harbour.node.machine());
    let carried = harbour.next(&mesh, &sound, |_| true);
    assert_eq!(carried["to"], provider.as_str());
    let moment = now();
    let recorded = harbour.telemetry.wait_for(DEADLINE, |received| is_recorded(received, &pod, moment));
    assert!(recorded.is_some(), "{}", harbour.node.sidecar_log(&sound, &pod));
    harbour.next(&said, &sound, |said| said["text"].is_string() && said["at"].as_f64() > Some(moment));
}
