//! What a Python interpreter can import, and whether what it trusts today is kept under `exec`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use outrigger_sidecar::doctor::finding::Finding;

use crate::doctor::checks;
use crate::doctor::runtimes::{self, PYTHON};
use crate::doctor::stores::Bundles;

/// Prints one JSON object; imports nothing that has side effects.
pub(super) const SCRIPT: &str = r#"
import json, ssl, sys, importlib.util
from importlib import metadata
told = {"version": "%d.%d.%d" % sys.version_info[:3], "modules": {}, "stores": []}
names = {"grpc": "grpcio"}
for module in sys.argv[1:]:
    if module == "ssl":
        told["modules"][module] = told["version"]
    elif importlib.util.find_spec(module):
        try:
            told["modules"][module] = metadata.version(names.get(module, module))
        except Exception:
            told["modules"][module] = "unknown"
paths = ssl.get_default_verify_paths()
told["stores"] += [["ssl", paths.openssl_cafile]]
try:
    import certifi
    told["stores"] += [["certifi", certifi.where()]]
except Exception:
    pass
print(json.dumps(told))
"#;

/// The modules to ask for.
pub(super) fn modules() -> Vec<&'static str> {
    PYTHON.iter().map(|(module, _)| *module).collect()
}

/// What the script told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) version: String,
    modules: BTreeMap<String, String>,
    /// Who reads it, and the file.
    stores: Vec<(String, PathBuf)>,
}

/// Reads the script's output.
pub(super) fn parse(output: &str) -> Option<Told> {
    let told: serde_json::Value = serde_json::from_str(output.trim()).ok()?;
    let modules = told["modules"].as_object()?.iter();
    let stores = told["stores"].as_array()?.iter();
    Some(Told {
        version: told["version"].as_str()?.to_owned(),
        modules: modules
            .filter_map(|(name, version)| Some((name.clone(), version.as_str()?.to_owned())))
            .collect(),
        stores: stores
            .filter_map(|pair| Some((pair[0].as_str()?.to_owned(), PathBuf::from(pair[1].as_str()?))))
            .collect(),
    })
}

/// One finding per library, and one per store.
pub(super) fn judge(told: &Told, set: &BTreeMap<String, OsString>, bundles: &Bundles) -> Vec<Finding> {
    let libraries = PYTHON.iter().filter_map(|(module, library)| {
        let version = told.modules.get(*module)?;
        let mut finding = runtimes::judge(library, version, set);
        if *module == "aiohttp" {
            finding.mend = Some(
                "write `ClientSession(trust_env=True)`, or run it with `outrigger exec --mode base-url`"
                    .to_owned(),
            );
        }
        Some(finding)
    });
    let kept = told.stores.iter().filter_map(|(reader, file)| {
        let variable = if reader == "certifi" { "REQUESTS_CA_BUNDLE" } else { "SSL_CERT_FILE" };
        bundles.judge(&format!("Python {}, {reader}", told.version), file, &[variable])
    });
    libraries.chain(kept).collect()
}

/// Whatever it is that did not tell.
pub(super) fn unreadable() -> Finding {
    checks::UNPROBED.found("Python: what it said about itself cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_importable_library_is_judged() {
        let told = parse(
            r#"{"version": "3.13.1", "modules": {"ssl": "3.13.1", "requests": "2.33", "aiohttp": "3.14"}, "stores": [["certifi", "/nowhere.pem"]]}"#,
        )
        .unwrap();
        let set = [("SSL_CERT_FILE".to_owned(), OsString::new())].into();
        let findings = judge(&told, &set, &Bundles::default());
        let ids: Vec<_> = findings.iter().map(|finding| finding.id).collect();
        assert_eq!(ids, ["runtime-observed", "runtime-limited", "runtime-limited"]);
        assert!(findings[1].text.contains("REQUESTS_CA_BUNDLE"), "{findings:?}");
        assert!(findings[2].mend.as_ref().unwrap().contains("trust_env=True"), "{findings:?}");
        assert!(parse("Traceback").is_none());
    }
}
