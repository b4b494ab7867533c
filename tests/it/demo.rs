//! `license demo`: the first command that a reader runs.

use expect_test::expect;
use license_cli::Exit;

use crate::cli::shell::Shell;

#[test]
fn the_demo_plays_a_true_session() {
    expect![[r#"
        $ export LICENSE_STORE=sqlite:license-demo.db

        # A license for 15 clients (10 more have expired), one SQL connection and any REST session
        $ license demo --print license | license install -
        installed license DEMO-2001 (unsigned)
        PRODUCT                         ALLOWED BEFORE    ALLOWED  HELD  OVER
        4D Client 808464441 (0009)                   0         15     0     0
        4D SQL Server 808464949 (0025)               0          1     0     0
        4D REST Only 808464439 (0007)                0  unlimited     0     0

        # Three kinds of session retain: a client, an SQL connection and a REST session
        $ license demo --print client | license retain --product 0009 --session ws-12 --describe -
        token 1: 4D Client 808464441 (0009), 1 used, 14 left, since 2026-01-05 10:00:00Z
        $ license demo --print sql | license retain --product 0025 --session etl --describe -
        token 2: 4D SQL Server 808464949 (0025), 1 used, 0 left, since 2026-01-05 10:00:00Z
        $ license demo --print rest | license retain --product 0007 --session portal --describe -
        token 3: 4D REST Only 808464439 (0007), 1 used, unlimited left, since 2026-01-05 10:00:00Z

        # Nothing is left for a second SQL connection
        $ license retain --product 0025 --session report
        license: the only license of 4D SQL Server (0025) is in use
        hint: `license usage` shows who holds them; `license release --token N` frees one
        (exit code 3)

        # Who holds what
        $ license usage
        TOKEN  PRODUCT                         SERVER  USER  HOST   ADDRESS      SINCE                 REASON
            1  4D Client 808464441 (0009)      local   Ann   WS-12  192.0.2.12   2026-01-05 10:00:00Z  CLIENT
            2  4D SQL Server 808464949 (0025)  local   Bob   -      192.0.2.20   2026-01-05 10:00:00Z  CLIENT
            3  4D REST Only 808464439 (0007)   local   Eve   -      2001:db8::7  2026-01-05 10:00:00Z  CLIENT
        $ license info
        4D Server v20, license DEMO-2001, valid until 2036-06-02
        for Example Ltd, Ann Example <ann@example.com>
        PRODUCT                         USED    ALLOWED       LEFT  RIGHTS
        4D Client 808464441 (0009)         1         15         14  5 until 2035-02-01, 10 until 2034-11-01, 10 until 2015-11-01 (expired)
        4D SQL Server 808464949 (0025)     1          1          0  1
        4D REST Only 808464439 (0007)      1  unlimited  unlimited  unlimited

        # What it writes is what the documented schemas ask for
        $ license usage --json | license validate --profile documented -
        license: 3 records: valid
        $ license info --json | license validate --profile documented -
        license: 1 record: valid

        # What is released can be retained again
        $ license release --session etl
        released token 2: 808464949 (0025)
        $ license retain --product 0025 --session report
        token 4: 4D SQL Server 808464949 (0025), 1 used, 0 left, since 2026-01-05 10:00:00Z
        $ license release --session report
        released token 4: 808464949 (0025)

        The store stays. Try next:
          license usage --watch --store sqlite:license-demo.db
          license history --store sqlite:license-demo.db
          license release --token 1 --store sqlite:license-demo.db
          license retain --product 0009 --session job-7 --json --store sqlite:license-demo.db
          license store check --store sqlite:license-demo.db
          license --help
    "#]].assert_eq(&Shell::new().run("demo").to_string());
}

#[test]
fn it_can_be_played_again_on_the_store_that_it_leaves() {
    let shell = Shell::new();
    assert_eq!(shell.run("demo").exit, Exit::Done);
    let again = shell.run("demo");
    assert_eq!(again.exit, Exit::Done, "{again}");
    assert!(again.stdout.contains("is installed already"), "{again}");
}

#[test]
fn it_keeps_away_from_real_licenses() {
    let shell = Shell::installed();
    let license = super::cli::shell::LICENSE.replace("DEMO-2001", "REAL-1");
    shell.file("real.json", license);
    shell.run("install real.json --store sqlite:real.db");
    let before = shell.run("history --store sqlite:real.db").stdout;
    let refused = shell.run("demo --store sqlite:real.db");
    assert_eq!(refused.exit, Exit::Usage, "{refused}");
    assert_eq!(shell.run("history --store sqlite:real.db").stdout, before);
}

#[test]
fn every_line_that_it_suggests_works_as_it_stands() {
    let shell = Shell::new();
    let page = shell.run("demo").stdout;
    let (_, suggested) = page.split_once("Try next:\n").unwrap();
    assert!(suggested.lines().count() >= 4, "{suggested}");
    for line in suggested.lines() {
        let words = line.trim().strip_prefix("license ").unwrap();
        let output = shell.run(words);
        assert_eq!(output.exit, Exit::Done, "{line}: {output}");
    }
}

#[test]
fn every_line_that_it_plays_works_as_it_stands() {
    let shell = Shell::new();
    let page = shell.run("demo --store sqlite:played.db").stdout;
    let mut shell = Shell::new();
    shell.variables.insert("LICENSE_STORE".into(), "sqlite:played.db".into());
    let mut again = String::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("$ license ")) {
        for command in line.split(" | ") {
            let output = shell.run(command.trim_start_matches("license "));
            shell.stdin = output.stdout.clone().into_bytes();
            again += &output.stdout;
        }
        shell.stdin.clear();
    }
    assert!(again.contains("DEMO-2001") && again.contains("released token 2"), "{again}");
}
