//! Dependencies between our crates point one way, and every crate keeps the project's lints.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::Value;

/// Each crate, and the crates of ours that it may name.
const LAYERS: &[(&str, &[&str])] = &[
    ("license-types", &[]),
    ("license-core", &["license-types"]),
    ("license-validate", &["license-types"]),
    ("license-pool", &["license-types", "license-core"]),
    ("license-client", &["license-types"]),
    ("license-http", &["license-types", "license-core", "license-pool", "license-validate"]),
    (
        "license-cli",
        &[
            "license-types",
            "license-core",
            "license-pool",
            "license-validate",
            "license-http",
            "license-client",
        ],
    ),
    (
        "license-tests",
        &[
            "license-types",
            "license-validate",
            "license-core",
            "license-pool",
            "license-http",
            "license-cli",
        ],
    ),
    ("xtask", &[]),
];

#[test]
fn a_crate_depends_only_on_the_layers_below_it() {
    for package in packages() {
        let name = text(&package["name"]);
        let (_, allowed) = LAYERS
            .iter()
            .find(|(layer, _)| *layer == name)
            .unwrap_or_else(|| panic!("{name} has no place among the layers: give it one"));
        let named: BTreeSet<&str> = array(&package["dependencies"])
            .iter()
            .filter(|dependency| dependency["kind"] != "dev")
            .map(|dependency| text(&dependency["name"]))
            .filter(|dependency| LAYERS.iter().any(|(layer, _)| layer == dependency))
            .collect();
        let unwanted: Vec<_> = named.iter().filter(|name| !allowed.contains(name)).collect();
        assert!(unwanted.is_empty(), "{name} must not depend on {unwanted:?}");
    }
}

#[test]
fn every_crate_inherits_the_lints_of_the_workspace() {
    for package in packages() {
        let manifest = std::fs::read_to_string(text(&package["manifest_path"])).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{} lacks `[lints] workspace = true`",
            package["name"]
        );
    }
}

fn packages() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    array(&metadata["packages"]).clone()
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
