//! Dependencies between our crates point one way, every crate keeps the project's lints, and the guide
//! to the code leads somewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// The layers of the pool, from the lowest: each is a module of `license-pool`.
const POOL_LAYERS: [&str; 4] = ["log", "turn", "writer", "pool"];

#[test]
fn a_layer_of_the_pool_names_none_above_it() {
    let sources = root().join("crates/license-pool/src");
    for (at, layer) in POOL_LAYERS.iter().enumerate() {
        let files: Vec<_> = files(&sources.join(layer))
            .into_iter()
            .filter(|file| file.extension().is_some_and(|end| end == "rs"))
            .collect();
        assert!(files.len() > 1, "{layer} has no files");
        for file in files {
            let source = std::fs::read_to_string(&file).unwrap();
            let above = POOL_LAYERS[at + 1..].iter().map(|above| format!("crate::{above}::"));
            let named: Vec<String> = above.filter(|above| source.contains(above)).collect();
            assert!(named.is_empty(), "{} must not name {named:?}", file.display());
        }
    }
}

#[test]
fn the_guide_to_the_code_names_files_that_there_are() {
    let there_are: Vec<String> = ["crates", "schemas", "tests", "xtask"]
        .iter()
        .flat_map(|folder| files(&root().join(folder)))
        .map(|file| file.display().to_string())
        .collect();
    let guide = std::fs::read_to_string(root().join("crates/README.md")).unwrap();
    // What stands between two backticks, and ends as a file does.
    let named: Vec<&str> = guide
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|it| [".rs", ".sql", ".json"].iter().any(|end| it.ends_with(end)))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let end = format!("/{}", name.trim_start_matches("../"));
        assert!(there_are.iter().any(|file| file.ends_with(&end)), "there is no {name}");
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
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    array(&metadata["packages"]).clone()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The files in a folder, at any depth.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, mut files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| self::files(folder)));
    files
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
