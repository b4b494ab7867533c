//! Exit codes: one for each way in which a command can end.

use std::io::{self, Write};
use std::ops::ControlFlow;

use expect_test::expect;
use license_cli::Exit;

use super::shell::Shell;

fn check(shell: &Shell, exit: Exit, lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let output = shell.run(line);
        assert_eq!(output.exit, exit, "license {line}\n{output}");
        let silent = output.stderr.is_empty();
        assert!(silent || output.stderr.starts_with("license: "), "{}", output.stderr);
    }
}

#[test]
fn the_codes_are_those_that_are_documented() {
    let codes = [Exit::Done, Exit::Fault, Exit::Usage, Exit::Refused, Exit::Unreachable];
    assert_eq!(codes.map(Exit::code), [0, 1, 2, 3, 4]);
}

#[test]
fn zero_is_done() {
    check(
        &Shell::installed(),
        Exit::Done,
        "--help
         help retain
         --version
         info
         usage
         available 0009
         retain --product 0009 --session a
         renew --session a
         release --session a
         history --verify
         store check
         schema
         schema license-usage --profile observed
         completions bash
         demo --print license
         install license.json",
    );
}

#[test]
fn two_is_wrong_usage_or_malformed_input() {
    let shell = Shell::installed();
    shell.file("cut.json", "[{");
    shell.file("bad.json", "[{}]");
    check(
        &shell,
        Exit::Usage,
        "retan
         usage --prodct 0009
         usage --product client
         retain --product 0009 --session a,b
         release
         release --product 0009
         release --token 0
         renew --session a --state awake
         history --kind retain
         history --from yesterday
         schema license-usages
         completions tcsh
         validate
         validate cut.json
         validate missing.json
         validate bad.json cut.json
         validate --rules sum bad.json
         install missing.json
         install cut.json
         usage --store license.db
         usage --store postgres://db/licenses
         usage --store mysql:licenses
         usage --server localhost:7427
         usage --license-number=
         usage --license-number= --server http://127.0.0.1:1
         usage --server http://localhost:7427 --store memory:
         store check --server http://localhost:7427
         serve --server http://localhost:7427
         demo --server http://localhost:7427
         demo --store memory:
         demo --json",
    );
}

#[test]
fn three_is_refused() {
    let shell = Shell::installed();
    shell.run("retain --product 0025 --session a");
    shell.file("bad.json", "[{}]");
    check(
        &shell,
        Exit::Refused,
        "retain --product 0025 --session b
         retain --product 12 --session b
         available 0025
         available 12
         renew --session b
         release --session b
         release --token 7
         info --license-number NONE
         validate bad.json",
    );
}

/// Takes nothing, as a pipe that nobody reads.
struct Unread;

impl Write for Unread {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_answer_stands_although_nobody_reads_it() {
    let shell = Shell::installed();
    shell.run("retain --product 0025 --session a --reason report");
    shell.file("bad.json", "[{}]");
    shell.file("cut.json", "[{");
    let store = std::fs::read(shell.path("license.db")).unwrap();
    let at = store.windows(6).position(|window| window == b"report").unwrap();
    shell.file("damaged.db", [&store[..at], b"nobody", &store[at + 6..]].concat());
    for (line, exit) in [
        ("available 0009", Exit::Done),
        ("available 0025", Exit::Refused),
        ("available 0025 --json", Exit::Refused),
        ("validate bad.json", Exit::Refused),
        ("validate bad.json --json", Exit::Refused),
        ("validate bad.json --summary", Exit::Refused),
        ("validate bad.json --summary --json", Exit::Refused),
        ("validate cut.json", Exit::Usage),
        ("store check", Exit::Done),
        ("store check --store sqlite:damaged.db", Exit::Refused),
    ] {
        let words = line.split(' ');
        let output = shell.run_into(&mut Unread, words, |_| ControlFlow::Break(()));
        assert_eq!(output.exit, exit, "license {line}");
    }
}

#[test]
fn four_is_a_store_that_is_not_there_and_the_path_is_named() {
    let shell = Shell::new();
    check(
        &shell,
        Exit::Unreachable,
        "info
         usage
         available 0009
         retain --product 0009 --session a
         renew --session a
         release --session a
         history
         store check",
    );
    expect![[r#"
        $ license usage --store sqlite:sub/other.db --json
        {
          "type": "about:blank",
          "title": "Store unavailable",
          "status": 503,
          "code": "store_unavailable",
          "detail": "there is no store at /dir/sub/other.db: install a license to create one"
        }
        ! license: there is no store at /dir/sub/other.db: install a license to create one
        ! hint: --store or LICENSE_STORE names another
        [exit code 4]

    "#]]
    .assert_eq(&shell.transcript("usage --store sqlite:sub/other.db --json"));
    assert_eq!(std::fs::read_dir(shell.directory.path()).unwrap().count(), 0, "nothing is created");
}

#[test]
fn a_folder_that_is_missing_is_named_with_the_cure() {
    let shell = Shell::installed();
    let output = shell.run("install license.json --store sqlite:sub/license.db");
    assert_eq!(output.exit, Exit::Unreachable);
    assert!(output.stderr.contains("hint: create the folder /dir/sub first"), "{output}");
}

#[test]
fn a_file_of_another_kind_is_no_store() {
    let shell = Shell::new();
    shell.file("license.db", "this is a text");
    let before = std::fs::read(shell.path("license.db")).unwrap();
    expect![[r#"
        $ license usage
        ! license: /dir/license.db is not a license store: choose another place
        [exit code 4]

    "#]]
    .assert_eq(&shell.transcript("usage"));
    assert_eq!(std::fs::read(shell.path("license.db")).unwrap(), before);
}

#[test]
fn the_store_comes_from_the_flag_then_the_environment_then_the_directory() {
    let mut shell = Shell::installed();
    shell.run("retain --product 0009 --session here");
    shell.variables.insert("LICENSE_STORE".into(), "memory:".into());
    assert_eq!(shell.run("usage --json").stdout, "[]\n");
    let usage = shell.json("usage --json --store sqlite:license.db", "license-usage");
    assert_eq!(usage.as_array().unwrap().len(), 1);
    shell.variables.insert("LICENSE_STORE".into(), "".into());
    assert_eq!(shell.json("usage --json", "license-usage"), usage);
}
