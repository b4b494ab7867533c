//! Every command of the README runs: what it shows works on a fresh clone.

use std::{fs, path::Path, process::Command};

#[test]
fn every_command_of_the_readme_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let checks = fs::read_to_string(root.join(".ci/run")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_license"));
    let path = std::env::join_paths(
        [binary.parent().unwrap().to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    for command in commands(&readme) {
        // The tests cannot run themselves; who runs them all runs this very command.
        if command.starts_with("cargo test") {
            assert!(checks.contains(command), "`.ci/run` does not run `{command}`");
            continue;
        }
        // The binary was built for this test already.
        let line = command.replace("cargo run -q -p license-cli -- ", "license ");
        // What is a chore of the checkout runs there; what leaves files behind runs elsewhere.
        let at = if line.starts_with("cargo") { &root } else { directory.path() };
        let line = line.replace("crates/", &format!("{}/crates/", root.display()));
        let output = Command::new("sh")
            .args(["-c", &line])
            .current_dir(at)
            .env("PATH", &path)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "`{command}` says: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// The lines of the shell examples.
fn commands(readme: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let mut in_shell = false;
    for line in readme.lines() {
        match line {
            "```sh" => in_shell = true,
            "```" => in_shell = false,
            line if in_shell => commands.push(line),
            _ => {}
        }
    }
    assert!(commands.len() > 10, "the README shows too few commands: {commands:?}");
    commands
}
