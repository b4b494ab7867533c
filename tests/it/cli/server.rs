//! `--server`: every command that makes sense acts through a server as it would on the store.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use expect_test::expect;
use license_cli::Exit;
use license_http::Running;
use license_pool::{OpenError, Pool, ServerName};

use super::shell::Shell;

/// A server of the store in the directory, on a free port.
pub(super) fn served(shell: &Shell, name: &str) -> Running {
    let options = Pool::options().clock(shell.clock.clone()).server(ServerName::new(name).unwrap());
    let store = format!("sqlite:{}", shell.path("license.db").display());
    let since = Instant::now();
    let pool = loop {
        match options.clone().open(&store) {
            // The one before has not quite ended.
            Err(OpenError::Register(_)) if since.elapsed() < Duration::from_secs(60) => {}
            pool => break pool.unwrap(),
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = license_http::Options::new().clock(shell.clock.clone());
    license_http::start(listener, pool, options).unwrap()
}

/// A shell with a license installed, whose commands act through a server.
fn remote() -> (Shell, Running) {
    let mut shell = Shell::installed();
    shell.become_admin();
    let running = served(&shell, "here");
    shell.variables.insert("LICENSE_SERVER".into(), running.url().into());
    (shell, running)
}

#[test]
fn commands_act_through_a_server_as_on_the_store() {
    let (shell, _running) = remote();
    assert_eq!(shell.run("retain --product 0025 --session job-7").exit, Exit::Done);
    // The clock stands still, so that the lease lasts.
    let lines = [
        "retain --product 0025 --session job-8",
        "available 0025",
        "usage",
        "usage --server-name elsewhere",
        "usage --product 0009 --json",
        "release --session job-7",
        "release --session job-7",
        "history --kind refused,released",
        "install license.json",
        "info --license-number NONE",
    ];
    let page: String =
        lines.iter().map(|line| format!("$ license {line}\n{}\n", shell.run(line))).collect();
    let secret = shell.variables[OsStr::new("LICENSE_CREDENTIAL")].to_string_lossy();
    let (id, _) = secret.rsplit_once('_').unwrap();
    expect![[r#"
        $ license retain --product 0025 --session job-8
        ! license: the only license of 4D SQL Server (0025) is in use
        ! hint: `license usage` shows who holds them; `license release --token N` frees one
        [exit code 3]

        $ license available 0025
        no: 808464949 (0025) has 1 of 1 in use
        [exit code 3]

        $ license usage
        TOKEN  PRODUCT                         SERVER  USER  HOST  ADDRESS    SINCE                 REASON
            1  4D SQL Server 808464949 (0025)  here    ann   -     127.0.0.1  2026-01-05 10:00:00Z  CLIENT

        $ license usage --server-name elsewhere
        nothing is retained

        $ license usage --product 0009 --json
        []

        $ license release --session job-7
        released token 1: 808464949 (0025)

        $ license release --session job-7
        ! license: session `job-7` holds no license
        ! hint: `license usage` shows what is held
        [exit code 3]

        $ license history --kind refused,released
             3  2026-01-05 10:00:00Z  here  refused 808464949 (0025) to job-8 of ann (no_license_left, 1 of 1 used), asked by lk_admin
             4  2026-01-05 10:00:00Z  here  released token 1: 808464949 (0025) of job-7, asked by lk_admin

        $ license install license.json
        license DEMO-2001 is installed already: nothing changed
        PRODUCT                         ALLOWED BEFORE    ALLOWED  HELD  OVER
        4D Client 808464441 (0009)                  15         15     0     0
        4D SQL Server 808464949 (0025)               1          1     0     0
        4D REST Only 808464439 (0007)        unlimited  unlimited     0     0

        $ license info --license-number NONE
        ! license: license `NONE` is not installed
        ! hint: `license install FILE` installs a license, `license store check` lists them
        [exit code 3]

    "#]].assert_eq(&page.replace(id, "lk_admin"));
}

#[test]
fn what_a_server_tells_of_the_past_and_of_others_is_what_the_store_tells() {
    let (mut shell, _running) = remote();
    for line in ["retain --product 0025 --session job-7", "release --session job-7"] {
        assert_eq!(shell.run(line).exit, Exit::Done);
    }
    shell.clock.advance(jiff::SignedDuration::from_hours(24));
    let lines = [
        "report",
        "report --json --since 2026-01-06",
        "report --until 2026-01-05 --by month",
        "report --since 2027-01-01 --json",
        "servers",
        "servers --json",
        "history --verify --kind installed",
    ];
    let told = |shell: &Shell| lines.map(|line| shell.run(line).to_string());
    let through = told(&shell);
    shell.variables.remove(OsStr::new("LICENSE_SERVER"));
    let direct = told(&shell);
    assert_eq!(through, direct);
    assert!(direct[0].contains("2026-01-05") && direct[4].contains("here"), "{direct:?}");
    assert!(direct[6].contains("the chain holds from entry 1 to entry 3"), "{direct:?}");
}

#[test]
fn a_document_that_is_no_json_is_told_as_without_a_server() {
    let (mut shell, _running) = remote();
    shell.file("cut.json", "// A comment is none.\n{ \"name\": 1,");
    let through = shell.run("install cut.json").to_string();
    shell.variables.remove(OsStr::new("LICENSE_SERVER"));
    assert_eq!(through, shell.run("install cut.json").to_string());
    assert!(through.contains("license: cut.json:2:"), "{through}");
}

/// Answers one request after the other by lines, or by such that break off, and gives what was asked.
fn scripted(answers: Vec<(String, bool)>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |(lines, is_whole): (String, bool)| {
        let (mut connection, _) = listener.accept().unwrap();
        let head = BufReader::new(&connection).lines().map(Result::unwrap);
        let asked = head.take_while(|line| !line.is_empty()).next().unwrap();
        let end = if is_whole { "0\r\n\r\n" } else { "" };
        write!(
            connection,
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\
             transfer-encoding: chunked\r\n\r\n{:x}\r\n{lines}\r\n{end}",
            lines.len(),
        )
        .unwrap();
        asked
    };
    (url, thread::spawn(move || answers.into_iter().map(answer).collect()))
}

#[test]
fn a_history_that_breaks_off_goes_on_and_what_is_missing_is_said() {
    let mut shell = Shell::installed();
    for line in ["retain --product 0025 --session a", "release --session a"].repeat(3) {
        shell.run(line);
    }
    let told = shell.run("history --json").stdout;
    let told: Vec<&str> = told.split_inclusive('\n').collect();
    assert_eq!(told.len(), 7);
    let answers = [(0..7, true), (0..2, false), (4..5, false), (5..7, true), (4..7, true)];
    let answers = answers.map(|(range, is_whole)| (told[range].concat(), is_whole));
    let (url, asked) = scripted(answers.to_vec());
    shell.variables.insert("LICENSE_SERVER".into(), url.into());
    let output = shell.run("history --json --license-number DEMO-2001");
    assert_eq!(output.exit, Exit::Done, "{output}");
    assert_eq!(output.stdout, [&told[..2], &told[4..]].concat().concat());
    let said = "license: entries 1 to 4 were deleted while the log was read";
    assert!(output.stderr.starts_with(said), "{output}");
    let asked = asked.join().unwrap();
    assert!(asked[2].contains("history?after=2 ") && asked[3].contains("?after=5 "), "{asked:?}");
}

#[test]
fn a_client_is_told_what_it_can_have_though_it_may_not_see_the_license() {
    let mut shell = Shell::installed();
    let secret = shell.run("credential create --role client").stdout;
    let running = served(&shell, "here");
    shell.variables.insert("LICENSE_SERVER".into(), running.url().into());
    shell.variables.insert("LICENSE_CREDENTIAL".into(), secret.trim_end().into());
    assert!(shell.run("info").stderr.contains("viewer or admin"));
    let lines = ["available 9999", "available 9999 --json", "available 0009", "available 0007"];
    let told = lines.map(|line| shell.run(line).to_string()).concat();
    expect![[r#"
        no: the license has no product 960051513 (9999)
        [exit code 3]
        {
          "available": false,
          "productId": 960051513,
          "allowedCount": 0,
          "usedCount": 0,
          "productBalance": 0,
          "code": "unknown_product"
        }
        [exit code 3]
        yes: 808464441 (0009) has 15 of 15 left
        yes: 808464439 (0007) is unlimited
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_store_is_not_checked_from_afar() {
    let (shell, _running) = remote();
    let output = shell.run("store check");
    assert_eq!(output.exit, Exit::Usage, "{output}");
    assert!(output.stderr.contains("--store"), "{output}");
}

#[test]
fn what_is_typed_counts_more_than_variables() {
    let (mut shell, _running) = remote();
    shell.run("retain --product 0009 --session there");
    assert_eq!(shell.run("usage --json --store memory:").stdout, "[]\n");
    shell.variables.insert("LICENSE_STORE".into(), "memory:".into());
    let output = shell.run("usage");
    assert_eq!(output.exit, Exit::Usage);
    assert!(output.stderr.contains("--server"), "{output}");
    assert_eq!(shell.run("usage --json --store memory:").stdout, "[]\n");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let (mut shell, running) = remote();
    let url = running.url();
    // A path of a server is the address of none.
    let output = shell.run(&format!("info --server {url}/v1"));
    assert_eq!(output.exit, Exit::Unreachable, "{output}");
    assert!(output.stderr.contains(&format!("{url}/v1 answers as no license server")), "{output}");
    running.stop();
    for line in
        ["info", "usage --json", "retain --product 0009 --session a", "run --product 9 -- true"]
    {
        let output = shell.run(line);
        assert_eq!(output.exit, Exit::Unreachable, "{line}: {output}");
        let names = format!("license: no license server answers at {url}");
        assert!(output.stderr.starts_with(&names), "{line}: {output}");
    }
    // Another of the same store is asked instead.
    let other = served(&shell, "other");
    let both = format!("{url},{}", other.url());
    shell.variables.insert("LICENSE_SERVER".into(), both.into());
    assert_eq!(shell.run("info").exit, Exit::Done);
}

#[test]
fn a_credential_comes_from_a_file_or_the_environment_and_is_never_shown() {
    let (mut shell, _running) = remote();
    let secret = shell.variables.remove(OsStr::new("LICENSE_CREDENTIAL")).unwrap();
    assert_eq!(shell.run("info").exit, Exit::Refused);
    shell.file("credential", "");
    let output = shell.run("info --credential-file credential");
    assert_eq!(output.exit, Exit::Usage, "{output}");
    assert_eq!(shell.run("info --credential-file none").exit, Exit::Usage);
    shell.variables.insert("LICENSE_CREDENTIAL".into(), "two words".into());
    let output = shell.run("info");
    assert_eq!(output.exit, Exit::Usage, "{output}");
    assert!(!output.stderr.contains("two words"), "{output}");
    // A flag counts more than a variable.
    shell.file("credential", secret.into_encoded_bytes());
    assert_eq!(shell.run("info --credential-file credential").exit, Exit::Done);
}
