//! `history` and `store check`.

use expect_test::expect;

use super::shell::{Shell, conforming};

fn busy() -> Shell {
    let shell = Shell::installed();
    shell.transcript(
        "retain --product 0025 --session etl
         retain --product 0025 --session report
         retain --product 0009 --session ws-12
         renew --session ws-12 --state postponed
         release --session etl",
    );
    shell
}

#[test]
fn every_entry_is_a_line() {
    expect![[r#"
        $ license history
             1  2026-01-05 10:00:00Z  local  installed license DEMO-2001 (unsigned)
             2  2026-01-05 10:00:00Z  local  retained token 1: 4D SQL Server 808464949 (0025) for etl (1 used, 0 left, CLIENT)
             3  2026-01-05 10:01:00Z  local  refused 808464949 (0025) to report (no_license_left, 1 of 1 used)
             4  2026-01-05 10:02:00Z  local  retained token 2: 4D Client 808464441 (0009) for ws-12 (1 used, 14 left, CLIENT)
             5  2026-01-05 10:03:00Z  local  ws-12 is postponed
             6  2026-01-05 10:04:00Z  local  released token 1: 808464949 (0025) of etl

    "#]].assert_eq(&busy().transcript("history"));
}

#[test]
fn entries_are_chosen_by_product_session_kind_and_time() {
    expect![[r#"
        $ license history --product 0025
             2  2026-01-05 10:00:00Z  local  retained token 1: 4D SQL Server 808464949 (0025) for etl (1 used, 0 left, CLIENT)
             3  2026-01-05 10:01:00Z  local  refused 808464949 (0025) to report (no_license_left, 1 of 1 used)
             6  2026-01-05 10:04:00Z  local  released token 1: 808464949 (0025) of etl

        $ license history --session ws-12
             4  2026-01-05 10:02:00Z  local  retained token 2: 4D Client 808464441 (0009) for ws-12 (1 used, 14 left, CLIENT)
             5  2026-01-05 10:03:00Z  local  ws-12 is postponed

        $ license history --kind refused,released
             3  2026-01-05 10:01:00Z  local  refused 808464949 (0025) to report (no_license_left, 1 of 1 used)
             6  2026-01-05 10:04:00Z  local  released token 1: 808464949 (0025) of etl

        $ license history --from 2026-01-05T10:02:00Z --to 2026-01-05T11:03:00+01:00
             4  2026-01-05 10:02:00Z  local  retained token 2: 4D Client 808464441 (0009) for ws-12 (1 used, 14 left, CLIENT)

        $ license history --from 2026-01-06

        $ license history --to 2026-01-05 --kind installed
             1  2026-01-05 10:00:00Z  local  installed license DEMO-2001 (unsigned)

    "#]].assert_eq(&busy().transcript(
        "history --product 0025
         history --session ws-12
         history --kind refused,released
         history --from 2026-01-05T10:02:00Z --to 2026-01-05T11:03:00+01:00
         history --from 2026-01-06
         history --to 2026-01-05 --kind installed",
    ));
}

#[test]
fn programs_read_one_entry_a_line() {
    let output = busy().run("history --json");
    let entries: Vec<_> = output.stdout.lines().map(|line| conforming(line, "entry")).collect();
    let sequences: Vec<_> = entries.iter().map(|entry| entry["sequence"].as_u64()).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6].map(Some));
}

#[test]
fn a_sound_store_is_said_to_be_sound() {
    let shell = busy();
    expect![[r#"
        $ license store check
        sqlite:/dir/license.db, format 2
        LICENSE    ENTRIES  HELD  FOUND
        DEMO-2001        6     1  sound

        $ license store check --json
        {
          "store": "sqlite:/dir/license.db",
          "format": 2,
          "faults": [],
          "ledgers": [
            {
              "licenseNumbers": [
                "DEMO-2001"
              ],
              "entries": 6,
              "held": 1,
              "sound": true
            }
          ]
        }

        $ license history --verify --kind installed
             1  2026-01-05 10:00:00Z  local  installed license DEMO-2001 (unsigned)
        ! license: the chain of every ledger verifies

    "#]]
    .assert_eq(&shell.transcript(
        "store check
         store check --json
         history --verify --kind installed",
    ));
}

#[test]
fn a_store_that_was_tampered_with_is_found_out() {
    let shell = busy();
    let bytes = std::fs::read(shell.path("license.db")).unwrap();
    let at = bytes.windows(6).position(|window| window == b"report").unwrap();
    shell.file("license.db", [&bytes[..at], b"nobody", &bytes[at + 6..]].concat());
    expect![[r#"
        $ license store check
        sqlite:/dir/license.db, format 2
        LICENSE    ENTRIES  HELD  FOUND
        DEMO-2001        2     1  entry 3 does not follow from the ledger before it: its chain value is not the hash of the chain before and itself
        ! license: the store is damaged: keep a copy as it is, then restore the last sound backup
        [exit code 3]

        $ license history --verify
        ! license: entry 3 does not follow from the ledger before it: its chain value is not the hash of the chain before and itself
        ! hint: keep a copy of the store as it is, then restore the last sound backup
        [exit code 4]

        $ license history --verify --json
        {
          "type": "about:blank",
          "title": "Ledger faulted",
          "status": 503,
          "code": "ledger_faulted",
          "detail": "entry 3 does not follow from the ledger before it: its chain value is not the hash of the chain before and itself"
        }
        ! license: entry 3 does not follow from the ledger before it: its chain value is not the hash of the chain before and itself
        ! hint: keep a copy of the store as it is, then restore the last sound backup
        [exit code 4]

        $ license usage
        ! license: the license cannot be used: entry 3 of its log is wrong: entry 3 does not follow from the ledger before it: its chain value is not the hash of the chain before and itself
        ! hint: keep a copy of the store as it is, then restore the last sound backup
        [exit code 4]

    "#]].assert_eq(&shell.transcript(
        "store check
         history --verify
         history --verify --json
         usage",
    ));
}
