//! Lets a fuzzer from outside read what the server says of itself, `/openapi.json`, and try to break
//! it over the network: schemathesis, which knows nothing of this project.
//!
//! It needs `python3` with venv, and PyPI once. The server is a build for tests, in which every
//! answer that is off its schema becomes a fault.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context as _, bail, ensure};

/// What it may not take for wrong: what cannot be read is told before who may not ask, by contract;
/// and no schema says all that is refused, such as a text with U+0000 in it or the 30th of February.
const CONTRACT: &str = "\
[checks.missing_required_header]
enabled = false
[checks.positive_data_acceptance]
expected-statuses = [\"2xx\", \"400\", \"401\", \"403\", \"404\", \"409\", \"422\", \"429\", \"503\"]
";

/// How long to look.
#[derive(clap::Args)]
pub struct Arguments {
    /// Cases of each operation, in each phase that makes them up.
    #[arg(long, value_name = "N", default_value_t = 300)]
    cases: u32,
    /// Repeats a run.
    #[arg(long, value_name = "SEED", default_value_t = 7427)]
    seed: u64,
    /// The program to fuzz, where a build for tests is there already.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Fuzzes a server of its own; fails where anything is found.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in a folder")?;
    let python = root.join("target/python");
    if !python.join("bin/python").exists() {
        done(Command::new("python3").args(["-m", "venv"]).arg(&python))?;
    }
    let given = root.join("tests/fuzz/http");
    let pip = ["install", "--quiet", "--disable-pip-version-check", "--requirement"];
    done(Command::new(python.join("bin/pip")).args(pip).arg(given.join("requirements.txt")))?;
    let program = match &arguments.program {
        Some(program) => fs::canonicalize(program)?,
        None => {
            done(Command::new(env!("CARGO")).args(["build", "--quiet", "-p", "license-cli"]))?;
            root.join("target/debug/license")
        }
    };

    let folder = root.join("target/fuzz-http");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("schemathesis.toml"), CONTRACT)?;
    let license = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(&folder);
        command
    };
    fs::write(folder.join("license.json"), said(&mut license(&["demo", "--print", "license"]))?)?;
    done(&mut license(&["install", "license.json"]))?;
    let secret = said(&mut license(&["credential", "create", "--role", "admin"]))?;
    let mut serve = license(&["serve", "--listen", "127.0.0.1:0"]);
    serve.stdout(Stdio::piped()).stderr(File::create(folder.join("server.log"))?);
    let mut server = Server(serve.spawn()?);
    let said = server.0.stdout.take().context("its output is piped")?;
    let mut url = String::new();
    BufReader::new(said).read_line(&mut url)?;
    ensure!(!url.is_empty(), "the server does not start: see {}", folder.display());

    let found = Command::new(python.join("bin/schemathesis"))
        .args(["run", &format!("{}/openapi.json", url.trim()), "--checks", "all"])
        // A stream that never ends is none of its business.
        .args(["--exclude-operation-id", "follow_events"])
        .args(["--header", &format!("Authorization: Bearer {}", secret.trim())])
        .args(["--max-examples", &arguments.cases.to_string()])
        .args(["--seed", &arguments.seed.to_string()])
        .args(["--request-timeout", "60", "--continue-on-failure"])
        // How fast the machine makes cases up says nothing of the server.
        .args(["--suppress-health-check", "all"])
        .env("SCHEMATHESIS_HOOKS", "likely")
        .env("PYTHONPATH", given)
        .current_dir(&folder)
        .status()
        .context("the fuzzer cannot be started")?;
    ensure!(server.0.try_wait()?.is_none(), "the server ended: see {}", folder.display());
    let log = fs::read_to_string(folder.join("server.log"))?;
    ensure!(!log.contains("panicked"), "the server panicked: see {}", folder.display());
    Ok(if found.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A server that does not outlive this.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

fn done(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?} cannot be started"))?;
    if !status.success() {
        bail!("{command:?} failed");
    }
    Ok(())
}

fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stderr(Stdio::null()).output()?;
    ensure!(output.status.success(), "{command:?} failed");
    Ok(String::from_utf8(output.stdout)?)
}
