//! `history` and `store check`.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use expect_test::expect;
use jiff::SignedDuration;
use license_cli::Exit;
use license_pool::{Options, Pool, Release, Session, Target};
use serde_json::json;

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
             2  2026-01-05 10:00:00Z  local  retained token 1: 4D SQL Server 808464949 (0025) for etl of ann (1 used, 0 left, CLIENT)
             3  2026-01-05 10:01:00Z  local  refused 808464949 (0025) to report of ann (no_license_left, 1 of 1 used)
             4  2026-01-05 10:02:00Z  local  retained token 2: 4D Client 808464441 (0009) for ws-12 of ann (1 used, 14 left, CLIENT)
             5  2026-01-05 10:03:00Z  local  ws-12 is postponed
             6  2026-01-05 10:04:00Z  local  released token 1: 808464949 (0025) of etl

    "#]].assert_eq(&busy().transcript("history"));
}

#[test]
fn entries_are_chosen_by_product_session_kind_and_time() {
    expect![[r#"
        $ license history --product 0025
             2  2026-01-05 10:00:00Z  local  retained token 1: 4D SQL Server 808464949 (0025) for etl of ann (1 used, 0 left, CLIENT)
             3  2026-01-05 10:01:00Z  local  refused 808464949 (0025) to report of ann (no_license_left, 1 of 1 used)
             6  2026-01-05 10:04:00Z  local  released token 1: 808464949 (0025) of etl

        $ license history --session ws-12
             4  2026-01-05 10:02:00Z  local  retained token 2: 4D Client 808464441 (0009) for ws-12 of ann (1 used, 14 left, CLIENT)
             5  2026-01-05 10:03:00Z  local  ws-12 is postponed

        $ license history --kind refused,released
             3  2026-01-05 10:01:00Z  local  refused 808464949 (0025) to report of ann (no_license_left, 1 of 1 used)
             6  2026-01-05 10:04:00Z  local  released token 1: 808464949 (0025) of etl

        $ license history --from 2026-01-05T10:02:00Z --to 2026-01-05T11:03:00+01:00
             4  2026-01-05 10:02:00Z  local  retained token 2: 4D Client 808464441 (0009) for ws-12 of ann (1 used, 14 left, CLIENT)

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
        ! license: the chain holds from entry 1 to entry 6, <chain>

    "#]]
    .assert_eq(&without_chain(&shell.transcript(
        "store check
         store check --json
         history --verify --kind installed",
    )));
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
        ! license: the chain holds from entry 1 to entry 2, <chain>: entry 3: its chain value is not the hash of the chain before and itself
        ! hint: keep a copy of the store as it is, then restore the last sound backup
        [exit code 4]

        $ license history --verify --json
        {
          "type": "about:blank",
          "title": "Ledger faulted",
          "status": 503,
          "code": "ledger_faulted",
          "detail": "the chain holds from entry 1 to entry 2, <chain>: entry 3: its chain value is not the hash of the chain before and itself"
        }
        ! license: the chain holds from entry 1 to entry 2, <chain>: entry 3: its chain value is not the hash of the chain before and itself
        ! hint: keep a copy of the store as it is, then restore the last sound backup
        [exit code 4]

        $ license usage
        ! license: the license cannot be used: entry 3 of its log is wrong: entry 3 does not follow from the ledger before it: its chain value is not the hash of the chain before and itself
        ! hint: keep a copy of the store as it is, then restore the last sound backup
        [exit code 4]

    "#]].assert_eq(&without_chain(&shell.transcript(
        "store check
         history --verify
         history --verify --json
         usage",
    )));
}

#[test]
fn a_damaged_file_is_told_with_its_cure() {
    let shell = busy();
    let path = shell.path("license.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let page: usize = {
        let at = bytes.windows(6).position(|window| window == b"report").unwrap();
        at / 4096 * 4096
    };
    bytes[page..page + 8].fill(0xFF);
    std::fs::write(&path, bytes).unwrap();
    let check = shell.run("store check");
    assert_eq!(check.exit, Exit::Refused, "{check:?}");
    assert!(check.stdout.contains("damaged: "), "{check:?}");
    assert!(check.stderr.contains("restore the last sound backup"), "{check:?}");
    for line in ["usage", "history", "retain --product 0009 --session late"] {
        let said = shell.run(line);
        assert_eq!(said.exit, Exit::Unreachable, "{said:?}");
        assert!(said.stderr.contains("restore the last sound backup"), "{said:?}");
    }
}

#[test]
fn a_time_that_ends_before_it_begins_is_a_mistake() {
    let shell = busy();
    for line in [
        "history --from 2026-01-05 --to 2026-01-04",
        "history --from 2026-01-05T12:00:00Z --to 2026-01-05T12:00:00Z --csv",
        "report --since 2026-01-05 --until 2026-01-04",
        "report --from 2026-01-05 --to 2026-01-04 --csv",
    ] {
        let said = shell.run(line);
        assert_eq!((said.exit, &*said.stdout), (Exit::Usage, ""), "{line}: {said:?}");
        assert!(said.stderr.contains("takes the earlier time"), "{line}: {said:?}");
    }
    let day = "history --from 2026-01-05 --to 2026-01-05";
    assert_eq!(shell.run(day).exit, Exit::Done);
}

/// The text without values of the chain, in which each turn's random id shows.
fn without_chain(text: &str) -> String {
    let is_digit = |character: char| character.is_ascii_hexdigit();
    let words = text.split_inclusive(|character: char| !is_digit(character));
    let shown = words.map(|word| match word.trim_end_matches(|end| !is_digit(end)) {
        digits if digits.len() == 64 => word.replace(digits, "<chain>"),
        _ => word.to_owned(),
    });
    shown.collect()
}

/// A busy day: ann's client and etl, eve who is refused and then granted.
pub(super) fn two_users() -> Shell {
    let shell = Shell::installed();
    let client = json!({
        "type": "remote", "userName": "Ann, \"A.\"", "machineName": "WS-12", "systemUserName": "ann",
        "IPAddress": "192.0.2.12", "hostType": "mac", "creationDateTime": "2026-01-05T09:00:00Z",
        "state": "active", "ID": "3C81A8D7AFE64C2E9CCFFCDC35DC52F5",
        "persistentID": "3c81a8d7-afe6-4c2e-9ccf-fcdc35dc52f5",
    });
    let eve = json!({
        "userName": "=eve", "userAgent": "ODBC on EVE-PC", "userId": 12, "IPAddress": "::1",
    });
    shell.file("client.json", client.to_string());
    shell.file("eve.json", eve.to_string());
    shell.file("key", "0123456789abcdef\n");
    shell.transcript(
        "retain --product 0009 --session ws-12 --describe client.json --reason Payroll
         retain --product 0025 --session etl
         retain --product 0025 --session odbc --describe eve.json
         renew --session ws-12 --state sleeping
         release --session etl
         retain --product 0025 --session odbc --describe eve.json
         release --session ws-12
         release --session odbc",
    );
    shell
}

#[test]
fn days_and_times_are_those_of_the_time_zone() {
    let shell = Shell::installed();
    shell.clock.set("2026-03-28T23:30:00Z".parse().unwrap());
    shell.run("retain --product 0009 --session late");
    shell.clock.set("2026-03-29T22:30:00Z".parse().unwrap());
    shell.run("release --session late");
    expect![[r#"
        $ license history --time-zone Europe/Berlin --from 2026-03-29 --to 2026-03-29
             2  2026-03-29 00:30:00+01:00  local  retained token 1: 4D Client 808464441 (0009) for late of ann (1 used, 14 left, CLIENT)

        $ license history --from 2026-03-29
             3  2026-03-29 22:30:00Z  local  released token 1: 808464441 (0009) of late

        $ license history --time-zone Mars/Olympus
        ! license: invalid value 'Mars/Olympus' for '--time-zone <NAME>': write a name such as UTC or Europe/Berlin
        ! 
        ! For more information, try '--help'.
        [exit code 2]

    "#]].assert_eq(&shell.transcript(
        "history --time-zone Europe/Berlin --from 2026-03-29 --to 2026-03-29
         history --from 2026-03-29
         history --time-zone Mars/Olympus",
    ));
}

#[test]
fn a_spreadsheet_gets_text_and_no_formulas() {
    let output = two_users().run("history --csv --time-zone Asia/Kolkata --kind retained,refused");
    expect![[r#"
        sequence,time,kind,licenseNumber,replacedNumber,signed,productId,productName,token,sessionId,sessionIds,userName,systemUserName,machineName,IPAddress,state,reason,cause,note,code,times,sessions,waitedSeconds,allowedCount,usedCount,productUsedCount,globalProductUsedCount,productBalance,leaseSeconds,fromServer,fromEpoch,server,epoch,principal,chain
        2,2026-01-05T15:30:00.000+05:30,retained,,,,808464441,4D Client,1,ws-12,,"Ann, ""A.""",ann,WS-12,192.0.2.12,,Payroll,,,,,,,,,1,1,14,,,,local,0,,<chain>
        3,2026-01-05T15:31:00.000+05:30,retained,,,,808464949,4D SQL Server,2,etl,,ann,,,127.0.0.1,,CLIENT,,,,,,,,,1,1,0,,,,local,0,,<chain>
        4,2026-01-05T15:32:00.000+05:30,refused,,,,808464949,,,odbc,,'=eve,,,::1,,CLIENT,,,no_license_left,1,,,1,1,,,,,,,local,0,,<chain>
        7,2026-01-05T15:35:00.000+05:30,retained,,,,808464949,4D SQL Server,3,odbc,,'=eve,,,::1,,CLIENT,,,,,,,,,1,1,0,,,,local,0,,<chain>
    "#]].assert_eq(&without_chain(&output.stdout.replace("\r\n", "\n")));
    assert_eq!(output.stdout.matches("\r\n").count(), 5);
}

#[test]
fn who_gets_an_anonymized_history_learns_no_name() {
    let shell = two_users();
    let store = pool(&shell, |options| options);
    let seat = store.retain("0009", "job", Session::rest("ann", "job", "::1")).unwrap();
    let note = Some("since Zoe asked".into());
    let release = Release { note, ..Release::new(Target::Token(seat.token())) };
    store.release_with(release).wait().unwrap();
    drop((seat, store));
    let names = [
        "Ann",
        "ann",
        "=eve",
        "WS-12",
        "EVE-PC",
        "ws-12",
        "etl",
        "odbc",
        "192.0.2.12",
        "::1",
        "3C81A8D7",
        "Payroll",
        "Example",
        "example.com",
        "Zoe",
    ];
    let plain = shell.run("history --json").stdout;
    let digests = plain.lines().map(|line| conforming(line, "entry"));
    let digests: Vec<String> = digests
        .flat_map(|entry| {
            let event = &entry["event"];
            let digests = [&entry["chain"], &event["descriptionDigest"], &event["documentDigest"]];
            digests.map(Clone::clone)
        })
        .filter_map(|digest| Some(digest.as_str()?.to_owned()))
        .collect();
    assert!(names.iter().all(|name| plain.contains(name)), "{plain}");
    for form in ["--json", "--csv", ""] {
        let words = format!("history --anonymize --anonymize-key key {form}");
        let shown = shell.run(&words).stdout;
        let told = |name: &&str| shown.contains(*name);
        assert_eq!(names.iter().find(|name| told(name)), None, "{form}: {shown}");
        assert_eq!(digests.iter().find(|digest| shown.contains(*digest)), None, "{form}");
        assert_eq!(shell.run(&words).stdout, shown, "the same key, the same pseudonyms");
    }
    let shown = shell.run("history --anonymize --json").stdout;
    let entries: Vec<_> = shown.lines().map(|line| conforming(line, "entry")).collect();
    let described = |at: usize| &entries[at]["event"]["description"];
    let (client, eve, again) = (described(1), described(3), described(6));
    assert_eq!(client["ID"], client["persistentID"], "one UUID in two spellings");
    assert_eq!((&eve["userName"], &eve["userId"]), (&again["userName"], &again["userId"]));
    assert_ne!(client["userName"], eve["userName"]);
    assert_eq!(entries[1]["event"]["sessionId"], entries[7]["event"]["sessionId"]);
    assert_ne!(shell.run("history --anonymize --json").stdout, shown, "a key for each run");
    shell.file("unbroken", "0123456789abcdef");
    let by = |key: &str| shell.run(&format!("history --anonymize --anonymize-key {key}")).stdout;
    assert_eq!(by("key"), by("unbroken"), "an editor adds a line break");
}

#[test]
fn what_cannot_be_shown_is_said_with_the_cure() {
    let shell = two_users();
    shell.file("short", "secret");
    expect![[r#"
        $ license history --kind granted
        ! license: invalid value 'granted' for '--kind <KIND>'
        !   [possible values: installed, uninstalled, retained, released, refused, state_changed, described, moved, adopted, clock_corrected]
        ! 
        !   tip: a similar value exists: 'retained'
        ! 
        ! For more information, try '--help'.
        [exit code 2]

        $ license history --csv --json
        {
          "type": "about:blank",
          "title": "Bad request",
          "status": 400,
          "code": "bad_request",
          "detail": "the argument '--csv' cannot be used with '--json'\n\nUsage: license history --csv\n\nFor more information, try '--help'."
        }
        ! license: the argument '--csv' cannot be used with '--json'
        ! 
        ! Usage: license history --csv
        ! 
        ! For more information, try '--help'.
        [exit code 2]

        $ license history --anonymize-key key
        ! license: the following required arguments were not provided:
        !   --anonymize
        ! 
        ! Usage: license history --anonymize --anonymize-key <FILE>
        ! 
        ! For more information, try '--help'.
        [exit code 2]

        $ license history --anonymize --anonymize-key short
        ! license: the key in short has less than 16 bytes
        ! hint: `head -c 32 /dev/urandom | base64 > FILE` makes a good one
        [exit code 2]

        $ license history --anonymize --anonymize-key none
        ! license: cannot read none: No such file or directory (os error 2)
        [exit code 2]

    "#]].assert_eq(&shell.transcript(
        "history --kind granted
         history --csv --json
         history --anonymize-key key
         history --anonymize --anonymize-key short
         history --anonymize --anonymize-key none",
    ));
}

/// Takes what is printed, and deletes all old entries when the first of it comes.
struct Deletes<'s> {
    shell: &'s Shell,
    printed: Vec<u8>,
}

impl Write for Deletes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.printed.is_empty() {
            self.shell.clock.advance(SignedDuration::from_hours(1));
            pool(self.shell, |options| options.history(Duration::ZERO)).archive().unwrap();
        }
        self.printed.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn pool(shell: &Shell, options: impl FnOnce(Options) -> Options) -> Pool {
    let file = format!("sqlite:{}", shell.path("license.db").display());
    options(Pool::options().local().clock(shell.clock.clone())).open(&file).unwrap()
}

#[test]
fn what_is_deleted_while_it_is_read_is_said_to_be_missing() {
    let shell = Shell::installed();
    let store = pool(&shell, |options| options);
    // More than are read at once.
    for job in 0..300 {
        let session = format!("job-{job}");
        let described = Session::rest("ann", &session, "127.0.0.1");
        store.retain("0009", &session, described).unwrap().release().unwrap();
    }
    drop(store);
    let mut deletes = Deletes { shell: &shell, printed: Vec::new() };
    let words = ["history", "--json", "--kind", "retained,released"];
    let output = shell.run_into(&mut deletes, words, |_| ControlFlow::Break(()));
    let lines = String::from_utf8(deletes.printed).unwrap().lines().count();
    assert!((2..600).contains(&lines), "{lines}");
    expect![[r#"
        ! license: entries 1 to 600 were deleted while the log was read: some may be missing here
    "#]]
    .assert_eq(&output.to_string());
    // Afterwards there is nothing to say.
    assert_eq!(shell.run("history --json").stderr, "");
}
