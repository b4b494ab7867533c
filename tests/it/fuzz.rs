//! What cargo-fuzz runs on inputs of its own, run here on the seeds that it starts from.

use std::{fs, path::Path};

// The package beside this one, which is not in the workspace.
#[expect(unreachable_pub, reason = "they are public there")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

#[test]
fn what_is_fuzzed_holds_for_its_seeds() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (name, act) in targets::TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        let seeds: Vec<_> = fs::read_dir(fuzz.join("seeds").join(name)).unwrap().collect();
        assert!(!seeds.is_empty(), "{name}");
        for seed in seeds {
            let path = seed.unwrap().path();
            println!("{}", path.display());
            act(&fs::read(path).unwrap());
        }
    }
}
