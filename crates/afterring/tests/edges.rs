//! The layout is the architecture: the crate graph holds exactly the edges that ARCHITECTURE.md allows.

use std::collections::BTreeSet;
use std::process::Command;

/// From a crate of ours to those that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("routing", &["model"]),
    ("store", &["model", "routing", "throwaway-postgres"]),
    ("smpp-client", &["model"]),
    ("ingress", &["model"]),
    ("console", &["model", "routing", "store"]),
    ("simulator", &["model"]),
    (
        "afterring",
        &["model", "routing", "store", "smpp-client", "ingress", "console", "simulator", "throwaway-postgres"],
    ),
    ("throwaway-postgres", &[]),
    ("integration-tests", &["throwaway-postgres"]),
];

/// Libraries that only some crates may name.
const ONLY: &[(&str, &[&str])] = &[
    ("rusmpp", &["smpp-client"]),
    ("rusqlite", &["store"]),
    ("tokio-postgres", &["store"]),
    ("deadpool-postgres", &["store"]),
    ("figment", &["afterring"]),
    ("throwaway-postgres", &["integration-tests"]),
    ("anyhow", &["afterring", "simulator", "integration-tests"]),
];

/// Crates that are pure: no runtime, no sockets, no randomness.
const PURE: &[&str] = &["model", "routing"];
const IMPURE: &[&str] = &["tokio", "rand", "rusqlite", "axum", "tracing"];

#[test]
fn every_edge_between_crates_is_one_that_the_architecture_allows() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert_eq!(ours, ALLOWED.iter().map(|(name, _)| *name).collect(), "a crate is missing here, or gone");
    let mut faults = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let allowed = ALLOWED.iter().find(|(known, _)| *known == name).unwrap().1;
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            let dev = dependency["kind"].as_str() == Some("dev");
            let forbidden = (ours.contains(to) && !allowed.contains(&to))
                || ONLY.iter().any(|(library, by)| *library == to && !by.contains(&name) && !dev)
                || (PURE.contains(&name) && IMPURE.contains(&to) && !dev);
            if forbidden {
                faults.push(format!("{name} → {to}"));
            }
        }
    }
    assert!(faults.is_empty(), "edges that ARCHITECTURE.md does not allow: {faults:?}");
}
