//! `retain`, `renew`, `release`, `usage` and `available`.

use expect_test::expect;

use super::shell::Shell;

const CLIENT: &str = include_str!("../../../crates/license-cli/demo/client.json");
const SQL: &str = include_str!("../../../crates/license-cli/demo/sql.json");

#[test]
fn what_is_retained_is_shown_and_released() {
    let shell = Shell::installed();
    shell.file("client.json", CLIENT);
    shell.file("sql.json", format!("\u{feff}{SQL}"));
    expect![[r#"
        $ license available 0009
        yes: 808464441 (0009) has 15 of 15 left

        $ license retain --product 0009 --session ws-12 --describe client.json
        token 1: 4D Client 808464441 (0009), 1 used, 14 left, since 2026-01-05 10:01:00Z

        $ license retain --product 808464949 --session etl --describe sql.json --reason nightly
        token 2: 4D SQL Server 808464949 (0025), 1 used, 0 left, since 2026-01-05 10:02:00Z

        $ license retain --product 0009 --session job-7
        token 3: 4D Client 808464441 (0009), 2 used, 13 left, since 2026-01-05 10:03:00Z

        $ license retain --product 0009 --session job-7
        token 3: 4D Client 808464441 (0009), 2 used, 13 left, since 2026-01-05 10:03:00Z

        $ license usage
        TOKEN  PRODUCT                         SERVER  USER  HOST   ADDRESS     SINCE                 REASON
            1  4D Client 808464441 (0009)      local   Ann   WS-12  192.0.2.12  2026-01-05 10:01:00Z  CLIENT
            2  4D SQL Server 808464949 (0025)  local   Bob   -      192.0.2.20  2026-01-05 10:02:00Z  nightly
            3  4D Client 808464441 (0009)      local   ann   -      127.0.0.1   2026-01-05 10:03:00Z  CLIENT

        $ license usage --product 0025
        TOKEN  PRODUCT                         SERVER  USER  HOST  ADDRESS     SINCE                 REASON
            2  4D SQL Server 808464949 (0025)  local   Bob   -     192.0.2.20  2026-01-05 10:02:00Z  nightly

        $ license usage --server-name local --product 0009
        TOKEN  PRODUCT                     SERVER  USER  HOST   ADDRESS     SINCE                 REASON
            1  4D Client 808464441 (0009)  local   Ann   WS-12  192.0.2.12  2026-01-05 10:01:00Z  CLIENT
            3  4D Client 808464441 (0009)  local   ann   -      127.0.0.1   2026-01-05 10:03:00Z  CLIENT

        $ license usage --server-name elsewhere
        nothing is retained

        $ license renew --session ws-12 --state sleeping
        token 1: 4D Client 808464441 (0009), 1 used, 14 left, since 2026-01-05 10:01:00Z

        $ license available 0025
        no: 808464949 (0025) has 1 of 1 in use
        [exit code 3]

        $ license release --session job-7 --product 0009
        released token 3: 808464441 (0009)

        $ license release --token 1
        released token 1: 808464441 (0009)

        $ license release --session etl --token 1
        ! license: session `etl` holds no license with token 1
        ! hint: `license usage` shows what is held
        [exit code 3]

        $ license release --session etl --token 2
        released token 2: 808464949 (0025)

        $ license usage
        nothing is retained

    "#]].assert_eq(&shell.transcript(
        "available 0009
         retain --product 0009 --session ws-12 --describe client.json
         retain --product 808464949 --session etl --describe sql.json --reason nightly
         retain --product 0009 --session job-7
         retain --product 0009 --session job-7
         usage
         usage --product 0025
         usage --server-name local --product 0009
         usage --server-name elsewhere
         renew --session ws-12 --state sleeping
         available 0025
         release --session job-7 --product 0009
         release --token 1
         release --session etl --token 1
         release --session etl --token 2
         usage",
    ));
}

#[test]
fn programs_read_the_documented_values() {
    let shell = Shell::installed();
    expect![[r#"
        $ license retain --product 0009 --session job-7 --json
        {
          "retention": {
            "productId": 808464441,
            "productName": "4D Client",
            "productUsedCount": 1,
            "productBalance": 14,
            "globalProductUsedCount": 1,
            "token": 1,
            "time": "2026-01-05T10:00:00.000Z",
            "reason": "CLIENT",
            "session": {
              "userName": "ann",
              "sessionID": "job-7",
              "IPAddress": "127.0.0.1",
              "isDatastore": false
            }
          },
          "lease": null
        }

        $ license usage --json
        [
          {
            "productId": 808464441,
            "productName": "4D Client",
            "productUsedCount": 1,
            "productBalance": 14,
            "globalProductUsedCount": 1,
            "token": 1,
            "time": "2026-01-05T10:00:00.000Z",
            "reason": "CLIENT",
            "session": {
              "userName": "ann",
              "sessionID": "job-7",
              "IPAddress": "127.0.0.1",
              "isDatastore": false
            }
          }
        ]

        $ license available 0009 --json
        {
          "available": true,
          "productId": 808464441,
          "allowedCount": 15,
          "usedCount": 1,
          "productBalance": 14
        }

        $ license renew --session job-7 --json
        {
          "held": [
            {
              "retention": {
                "productId": 808464441,
                "productName": "4D Client",
                "productUsedCount": 1,
                "productBalance": 14,
                "globalProductUsedCount": 1,
                "token": 1,
                "time": "2026-01-05T10:00:00.000Z",
                "reason": "CLIENT",
                "session": {
                  "userName": "ann",
                  "sessionID": "job-7",
                  "IPAddress": "127.0.0.1",
                  "isDatastore": false
                }
              },
              "lease": null
            }
          ]
        }

        $ license release --session job-7 --json
        {
          "released": [
            {
              "productId": 808464441,
              "token": 1,
              "time": "2026-01-05T10:04:00.000Z",
              "cause": "released"
            }
          ]
        }

    "#]]
    .assert_eq(&shell.transcript(
        "retain --product 0009 --session job-7 --json
         usage --json
         available 0009 --json
         renew --session job-7 --json
         release --session job-7 --json",
    ));
}

#[test]
fn a_refusal_says_why_and_how_to_go_on() {
    let shell = Shell::installed();
    shell.run("retain --product 0025 --session etl");
    expect![[r#"
        $ license retain --product 0025 --session report
        ! license: the only license of 4D SQL Server (0025) is in use
        ! hint: `license usage` shows who holds them; `license release --token N` frees one
        [exit code 3]

        $ license retain --product 0025 --session report --json
        {
          "type": "about:blank",
          "title": "No license left",
          "status": 409,
          "code": "no_license_left",
          "detail": "the only license of 4D SQL Server (0025) is in use",
          "allowedCount": 1,
          "usedCount": 1
        }
        ! license: the only license of 4D SQL Server (0025) is in use
        ! hint: `license usage` shows who holds them; `license release --token N` frees one
        [exit code 3]

        $ license retain --product 0042 --session report
        ! license: the license has no product 808465458 (0042)
        ! hint: `license info` lists the products
        [exit code 3]

        $ license available 0042
        no: the license has no product 808465458 (0042)
        [exit code 3]

        $ license renew --session report
        ! license: session `report` holds no license
        ! hint: `license usage` shows what is held
        [exit code 3]

        $ license release --session report --product 0025
        ! license: session `report` holds no license of product 808464949 (0025)
        ! hint: `license usage` shows what is held
        [exit code 3]

        $ license release --token 99 --json
        {
          "type": "about:blank",
          "title": "Not retained",
          "status": 404,
          "code": "not_retained",
          "detail": "no session holds a license with token 99"
        }
        ! license: no session holds a license with token 99
        ! hint: `license usage` shows what is held
        [exit code 3]

    "#]]
    .assert_eq(&shell.transcript(
        "retain --product 0025 --session report
         retain --product 0025 --session report --json
         retain --product 0042 --session report
         available 0042
         renew --session report
         release --session report --product 0025
         release --token 99 --json",
    ));
    shell.clock.set("2040-01-01T00:00:00Z".parse().unwrap());
    expect![[r#"
        $ license retain --product 0009 --session late
        ! license: the license for 4D Client (0009) expired on 2036-06-02
        ! hint: `license info` shows the dates; install the renewed license over this one
        [exit code 3]

        $ license available 0009
        no: the license for 808464441 (0009) has expired
        [exit code 3]

    "#]]
    .assert_eq(&shell.transcript(
        "retain --product 0009 --session late
         available 0009",
    ));
}

#[test]
fn a_session_that_is_described_wrongly_is_not_retained() {
    let shell = Shell::installed();
    shell.file(
        "both.json",
        CLIENT.replace("\"remote\"", "\"standalone\"").replace("\"ID\"", "\"Id\""),
    );
    shell.file("cut.json", "{\n  \"userName\": ");
    expect![[r#"
        $ license retain --product 0009 --session ws-12 --describe both.json
        ! license: both.json does not conform to the schema session
        ! 1:1: "ID" is missing
        ! 2:11: /type: "standalone" is not one of "remote", "storedProcedure", "web", "rest"
        ! 10:9: /Id: "Id" is not allowed here
        ! hint: `license schema session` prints it
        [exit code 2]

        $ license retain --product 0009 --session ws-12 --describe cut.json
        ! license: cut.json:2:14: a value is cut off here
        ! hint: correct the JSON here
        [exit code 2]

        $ license retain --product 0009 --session ws-12 --describe gone.json
        ! license: cannot read gone.json: No such file or directory (os error 2)
        [exit code 2]

        $ license usage
        nothing is retained

    "#]]
    .assert_eq(&shell.transcript(
        "retain --product 0009 --session ws-12 --describe both.json
         retain --product 0009 --session ws-12 --describe cut.json
         retain --product 0009 --session ws-12 --describe gone.json
         usage",
    ));
}

#[test]
fn without_a_license_reports_are_empty_and_say_what_to_do() {
    let shell = Shell::new();
    expect![[r#"
        $ license info --store memory:
        ! license: no license is installed
        ! hint: `license install FILE` installs one

        $ license info --store memory: --json
        null
        ! license: no license is installed
        ! hint: `license install FILE` installs one

        $ license usage --store memory:
        nothing is retained
        ! license: no license is installed
        ! hint: `license install FILE` installs one

        $ license usage --store memory: --json
        []
        ! license: no license is installed
        ! hint: `license install FILE` installs one

        $ license available 0009 --store memory:
        no: the license has no product 808464441 (0009)
        ! license: no license is installed
        ! hint: `license install FILE` installs one
        [exit code 3]

        $ license history --store memory:
        ! license: no license is installed
        ! hint: `license install FILE` installs one

        $ license store check --store memory:
        memory:, format 2
        no license is installed

        $ license retain --product 0009 --session job-7 --store memory:
        ! license: no license is installed
        ! hint: `license install FILE` installs a license, `license store check` lists them
        [exit code 3]

    "#]]
    .assert_eq(&shell.transcript(
        "info --store memory:
         info --store memory: --json
         usage --store memory:
         usage --store memory: --json
         available 0009 --store memory:
         history --store memory:
         store check --store memory:
         retain --product 0009 --session job-7 --store memory:",
    ));
}
