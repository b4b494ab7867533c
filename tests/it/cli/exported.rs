//! `usage` and `report` over reports that were exported.

use std::{fs::File, time::Duration, time::SystemTime};

use expect_test::expect;
use license_cli::Exit;
use license_tests::records::Records;
use license_validate::{Profile, Validator};
use serde_json::{Value, json};

use super::shell::{LICENSE, Shell, conforming};

/// A retention as a 4D Server writes it, of a session of the REST shape.
pub(super) fn retained(token: u64, user: &str, used: u64, time: &str) -> Value {
    json!({
        "productId": 808464441, "productName": "4D Client", "productUsedCount": used,
        "productBalance": 15 - used, "token": token, "time": time, "reason": "CLIENT",
        "session": {
            "userName": user, "sessionID": format!("S{token}"), "IPAddress": "::1",
            "isDatastore": false,
        },
        "build": 7,
    })
}

/// The same, of a SQL session and another product.
pub(super) fn sql(token: u64, user: &str, time: &str) -> Value {
    let mut retained = retained(token, user, 1, time);
    retained["productId"] = json!(808464949);
    retained["productName"] = json!("=4D SQL \"Server\"");
    retained["session"] =
        json!({"userName": user, "userAgent": "ODBC", "userId": 3, "IPAddress": "10.0.0.9"});
    retained
}

fn ann() -> Value {
    retained(1, "Ann", 1, "2026-01-05T09:00+01:00")
}

/// Two reports of one license: at 10:00 on one day and at 02:00 on the next, and the license.
fn exported() -> Shell {
    let shell = Shell::new();
    let bob = retained(2, "Bob", 2, "2026-01-05T09:00:00Z");
    let cid = retained(5, "Cid", 4, "2026-01-05T09:30:00Z");
    shell.file("monday.json", json!([ann(), bob, cid]).to_string());
    let dora = sql(6, "Dora", "2026-01-05T23:00:00Z");
    shell.file("tuesday.ndjson", format!("{}\n{dora}\n", ann()));
    shell.file("info.json", LICENSE);
    shell.file("null.json", "null");
    for (name, second) in [
        ("monday.json", "2026-01-05T10:00:00Z"),
        ("info.json", "2026-01-05T10:00:01Z"),
        ("tuesday.ndjson", "2026-01-06T02:00:00Z"),
        ("null.json", "2026-02-01T00:00:00Z"),
    ] {
        let timestamp: jiff::Timestamp = second.parse().unwrap();
        let seconds = Duration::from_secs(timestamp.as_second().try_into().unwrap());
        let file = File::options().append(true).open(shell.path(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + seconds).unwrap();
    }
    shell
}

#[test]
fn exported_reports_are_shown_as_one_table_and_the_same_record_once() {
    let mut shell = exported();
    shell.stdin = json!([retained(1, "Eve", 1, "2026-01-05T08:00:00Z")]).to_string().into();
    expect![[r#"
        $ license usage --from monday.json tuesday.ndjson null.json -
        TOKEN  PRODUCT                            FILE            USER  HOST  ADDRESS   SINCE                 REASON
            1  4D Client 808464441 (0009)         monday.json     Ann   -     ::1       2026-01-05 08:00:00Z  CLIENT
            2  4D Client 808464441 (0009)         monday.json     Bob   -     ::1       2026-01-05 09:00:00Z  CLIENT
            5  4D Client 808464441 (0009)         monday.json     Cid   -     ::1       2026-01-05 09:30:00Z  CLIENT
            6  =4D SQL "Server" 808464949 (0025)  tuesday.ndjson  Dora  -     10.0.0.9  2026-01-05 23:00:00Z  CLIENT
            1  4D Client 808464441 (0009)         <stdin>         Eve   -     ::1       2026-01-05 08:00:00Z  CLIENT
        ! license: monday.json: 3 retentions as of 2026-01-05 10:00:00Z
        ! license: tuesday.ndjson: 2 retentions as of 2026-01-06 02:00:00Z
        ! license: null.json: 0 retentions as of 2026-02-01 00:00:00Z
        ! license: <stdin>: 1 retention as of 2026-01-05 10:00:00Z

        $ license usage --from monday.json tuesday.ndjson --product 0025
        TOKEN  PRODUCT                            FILE            USER  HOST  ADDRESS   SINCE                 REASON
            6  =4D SQL "Server" 808464949 (0025)  tuesday.ndjson  Dora  -     10.0.0.9  2026-01-05 23:00:00Z  CLIENT
        ! license: monday.json: 3 retentions as of 2026-01-05 10:00:00Z
        ! license: tuesday.ndjson: 2 retentions as of 2026-01-06 02:00:00Z

        $ license usage --from null.json --at 2026-01-03T00:00:00Z
        nothing is retained
        ! license: null.json: 0 retentions as of 2026-01-03 00:00:00Z

    "#]].assert_eq(&shell.transcript(
        "usage --from monday.json tuesday.ndjson null.json -
         usage --from monday.json tuesday.ndjson --product 0025
         usage --from null.json --at 2026-01-03T00:00:00Z",
    ));
    // In one file it stands twice because the file says so twice.
    shell.file("twice.json", json!([ann(), ann()]).to_string());
    assert_eq!(shell.run("usage --from twice.json").stdout.matches("Ann").count(), 2);
    let output = shell.run("usage --json --from monday.json tuesday.ndjson");
    let observed = Validator::new("license-usage", Profile::Observed).unwrap();
    assert_eq!(observed.check(output.stdout.as_bytes()), Ok(Vec::new()));
    let records: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((records.len(), &records[0]), (4, &ann()));
}

#[test]
fn what_cannot_be_asked_of_files_is_said_with_the_cure() {
    let shell = exported();
    shell.file("bad.json", "[{}]");
    shell.file("cut.json", "[");
    shell.file("other.json", "{}");
    expect![[r#"
        $ license usage --from monday.json --server-name local
        ! license: --server-name cannot narrow exported reports: no record tells its server
        ! hint: give only the files that were exported from that server
        [exit code 2]

        $ license usage --from monday.json --store memory:
        ! license: --from reads files: --store, --server and --license-number say nothing of them
        [exit code 2]

        $ license report --from monday.json --server http://127.0.0.1:7427
        ! license: --from reads files: --store, --server and --license-number say nothing of them
        [exit code 2]

        $ license usage --from monday.json --watch
        ! license: the argument '--from <FILE>...' cannot be used with '--watch'
        ! 
        ! Usage: license usage --from <FILE>...
        ! 
        ! For more information, try '--help'.
        [exit code 2]

        $ license usage --from monday.json tuesday.ndjson --at 2026-01-03T00:00:00Z
        ! license: --at tells 1 of the instants of 2 files
        ! hint: give it once for each file, in their order
        [exit code 2]

        $ license usage --from info.json
        ! license: info.json is a License info and lists no retentions
        ! hint: `license report` reads it beside usage reports
        [exit code 2]

        $ license usage --from monday.json --at 2026-01-03
        ! license: invalid value '2026-01-03' for '--at <TIME>': write an instant as 2026-01-31T12:00:00Z
        ! 
        ! For more information, try '--help'.
        [exit code 2]

        $ license usage --at 2026-01-03T00:00:00Z
        ! license: the following required arguments were not provided:
        !   --from <FILE>...
        ! 
        ! Usage: license usage --from <FILE>... --at <TIME>
        ! 
        ! For more information, try '--help'.
        [exit code 2]

        $ license usage --from bad.json
        ! license: bad.json does not conform to the schema license-usage
        ! 1:2: /0: "productId" is missing
        ! 1:2: /0: "productName" is missing
        ! 1:2: /0: "productUsedCount" is missing
        ! 1:2: /0: "productBalance" is missing
        ! 1:2: /0: "token" is missing
        ! 1:2: /0: "time" is missing
        ! 1:2: /0: "reason" is missing
        ! 1:2: /0: "session" is missing
        ! hint: `license schema license-usage` prints it
        ! hint: `license validate` lists all that is wrong
        [exit code 2]

        $ license report --from cut.json
        ! license: cut.json:1:2: a value is cut off here
        ! hint: correct the JSON here
        [exit code 2]

        $ license report --from other.json
        ! license: other.json is no License usage and no License info
        ! hint: one record alone is read from a file named .ndjson
        [exit code 2]

        $ license report --from none.json
        ! license: cannot read none.json: No such file or directory (os error 2)
        [exit code 2]

        $ license report
        ! license: there is no store at /dir/license.db: install a license to create one
        ! hint: --store or LICENSE_STORE names another
        [exit code 4]

        $ license report --from monday.json --time-zone Berlin
        ! license: invalid value 'Berlin' for '--time-zone <NAME>': write a name such as UTC or Europe/Berlin
        ! 
        ! For more information, try '--help'.
        [exit code 2]

        $ license report --from monday.json --json --csv
        {
          "type": "about:blank",
          "title": "Bad request",
          "status": 400,
          "code": "bad_request",
          "detail": "the argument '--json' cannot be used with '--csv'\n\nUsage: license report --from <FILE>... --json\n\nFor more information, try '--help'."
        }
        ! license: the argument '--json' cannot be used with '--csv'
        ! 
        ! Usage: license report --from <FILE>... --json
        ! 
        ! For more information, try '--help'.
        [exit code 2]

    "#]].assert_eq(&shell.transcript(
        "usage --from monday.json --server-name local
         usage --from monday.json --store memory:
         report --from monday.json --server http://127.0.0.1:7427
         usage --from monday.json --watch
         usage --from monday.json tuesday.ndjson --at 2026-01-03T00:00:00Z
         usage --from info.json
         usage --from monday.json --at 2026-01-03
         usage --at 2026-01-03T00:00:00Z
         usage --from bad.json
         report --from cut.json
         report --from other.json
         report --from none.json
         report
         report --from monday.json --time-zone Berlin
         report --from monday.json --json --csv",
    ));
}

#[test]
fn a_report_shows_what_the_exports_prove_and_no_more() {
    let shell = exported();
    expect![[r#"
        $ license report --from monday.json
        PERIOD      PRODUCT                     REPORTS  ALLOWED  PEAK  AT                    USERS  SESSIONS  RETENTIONS  HOURS
        2026-01-05  4D Client 808464441 (0009)        1        -     4  2026-01-05 09:30:00Z      3         3           3    3.5
        ! license: each figure is what the reports prove, at least: see `license report --help`

        $ license report --from tuesday.ndjson info.json monday.json
        PERIOD      PRODUCT                            REPORTS  ALLOWED  PEAK  AT                    USERS  SESSIONS  RETENTIONS  HOURS
        2026-01-05  4D REST Only 808464439 (0007)            1    32767     0  2026-01-05 10:00:00Z      0         0           0    0.0
        2026-01-05  4D Client 808464441 (0009)               1       15     4  2026-01-05 09:30:00Z      3         3           3   17.5
        2026-01-05  =4D SQL "Server" 808464949 (0025)        1        1     1  2026-01-05 23:00:00Z      1         1           1    1.0
        2026-01-06  4D REST Only 808464439 (0007)            1    32767     0  2026-01-06 02:00:00Z      0         0           0    0.0
        2026-01-06  4D Client 808464441 (0009)               1       15     1  2026-01-06 00:00:00Z      1         1           1    2.0
        2026-01-06  =4D SQL "Server" 808464949 (0025)        1        1     1  2026-01-06 00:00:00Z      1         1           1    2.0
        ! license: each figure is what the reports prove, at least: see `license report --help`

        $ license report --from monday.json tuesday.ndjson --product 0009 --time-zone America/New_York
        PERIOD      PRODUCT                     REPORTS  ALLOWED  PEAK  AT                         USERS  SESSIONS  RETENTIONS  HOURS
        2026-01-05  4D Client 808464441 (0009)        2        -     4  2026-01-05 04:30:00-05:00      3         3           3   19.5
        ! license: each figure is what the reports prove, at least: see `license report --help`

        $ license report --from monday.json tuesday.ndjson null.json info.json --by month
        PERIOD   PRODUCT                            REPORTS  ALLOWED  PEAK  AT                    USERS  SESSIONS  RETENTIONS  HOURS
        2026-01  4D REST Only 808464439 (0007)            2    32767     0  2026-01-05 10:00:00Z      0         0           0    0.0
        2026-01  4D Client 808464441 (0009)               2       15     4  2026-01-05 09:30:00Z      3         3           3   19.5
        2026-01  =4D SQL "Server" 808464949 (0025)        2        1     1  2026-01-05 23:00:00Z      1         1           1    3.0
        2026-02  4D REST Only 808464439 (0007)            1    32767     0  2026-02-01 00:00:00Z      0         0           0    0.0
        2026-02  4D Client 808464441 (0009)               1       15     0  2026-02-01 00:00:00Z      0         0           0    0.0
        2026-02  =4D SQL "Server" 808464949 (0025)        1        1     0  2026-02-01 00:00:00Z      0         0           0    0.0
        ! license: each figure is what the reports prove, at least: see `license report --help`

        $ license report --from monday.json tuesday.ndjson --product 0009 --user Cid
        PERIOD      PRODUCT                     REPORTS  ALLOWED  PEAK  AT                    USERS  SESSIONS  RETENTIONS  HOURS
        2026-01-05  4D Client 808464441 (0009)        1        -     1  2026-01-05 09:30:00Z      1         1           1    0.5
        2026-01-06  4D Client 808464441 (0009)        1        -     0  2026-01-06 02:00:00Z      0         0           0    0.0
        ! license: each figure is what the reports prove, at least: see `license report --help`

        $ license report --from monday.json tuesday.ndjson --since 2026-01-06
        PERIOD      PRODUCT                            REPORTS  ALLOWED  PEAK  AT                    USERS  SESSIONS  RETENTIONS  HOURS
        2026-01-06  4D Client 808464441 (0009)               1        -     1  2026-01-06 00:00:00Z      1         1           1    2.0
        2026-01-06  =4D SQL "Server" 808464949 (0025)        1        -     1  2026-01-06 00:00:00Z      1         1           1    2.0
        ! license: each figure is what the reports prove, at least: see `license report --help`

        $ license report --from monday.json tuesday.ndjson --until 2026-01-05T09:15:00Z
        PERIOD      PRODUCT                     REPORTS  ALLOWED  PEAK  AT                    USERS  SESSIONS  RETENTIONS  HOURS
        2026-01-05  4D Client 808464441 (0009)        0        -     2  2026-01-05 09:00:00Z      2         2           2    1.5
        ! license: each figure is what the reports prove, at least: see `license report --help`

        $ license report --from monday.json --user Nobody --since 2027-01-01
        the reports show nothing of it
        ! license: each figure is what the reports prove, at least: see `license report --help`

        $ license report --from monday.json --at 2026-01-05T09:10:00Z
        PERIOD      PRODUCT                     REPORTS  ALLOWED  PEAK  AT                    USERS  SESSIONS  RETENTIONS  HOURS
        2026-01-05  4D Client 808464441 (0009)        1        -     3  2026-01-05 09:10:00Z      3         3           3    1.3
        ! license: warning: monday.json lists 1 retained after 2026-01-05 09:10:00Z, when it is said to be exported
        ! hint: tell the instant with --at
        ! license: each figure is what the reports prove, at least: see `license report --help`

    "#]].assert_eq(&shell.transcript(
        "report --from monday.json
         report --from tuesday.ndjson info.json monday.json
         report --from monday.json tuesday.ndjson --product 0009 --time-zone America/New_York
         report --from monday.json tuesday.ndjson null.json info.json --by month
         report --from monday.json tuesday.ndjson --product 0009 --user Cid
         report --from monday.json tuesday.ndjson --since 2026-01-06
         report --from monday.json tuesday.ndjson --until 2026-01-05T09:15:00Z
         report --from monday.json --user Nobody --since 2027-01-01
         report --from monday.json --at 2026-01-05T09:10:00Z",
    ));
}

#[test]
fn programs_read_a_report_as_json_or_csv() {
    let shell = exported();
    let line = "report --from monday.json tuesday.ndjson info.json --json";
    let output = shell.run(line);
    assert_eq!((output.exit, output.stderr.as_str()), (Exit::Done, ""));
    let report = conforming(&output.stdout, "usage-report");
    expect![[r#"
        {
          "period": "2026-01-05",
          "productId": 808464439,
          "productName": "4D REST Only",
          "snapshots": 1,
          "allowedCount": 32767,
          "peakUsedCount": 0,
          "peakAt": "2026-01-05T10:00:00.000Z",
          "users": 0,
          "sessions": 0,
          "retentions": 0,
          "heldSeconds": 0
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&report["figures"][0]).unwrap());
    let sources = report["sources"].as_array().unwrap();
    let sources: Vec<String> = sources.iter().map(|source| source["file"].to_string()).collect();
    assert_eq!(sources, ["\"monday.json\"", "\"info.json\"", "\"tuesday.ndjson\""]);
    let csv = shell.run("report --from monday.json tuesday.ndjson info.json --csv");
    expect![[r#"
        period,productId,productName,snapshots,allowedCount,peakUsedCount,peakAt,users,sessions,retentions,heldSeconds␍
        2026-01-05,808464439,4D REST Only,1,32767,0,2026-01-05T10:00:00.000Z,0,0,0,0␍
        2026-01-05,808464441,4D Client,1,15,4,2026-01-05T09:30:00.000Z,3,3,3,63000␍
        2026-01-05,808464949,"'=4D SQL ""Server""",1,1,1,2026-01-05T23:00:00.000Z,1,1,1,3600␍
        2026-01-06,808464439,4D REST Only,1,32767,0,2026-01-06T02:00:00.000Z,0,0,0,0␍
        2026-01-06,808464441,4D Client,1,15,1,2026-01-06T00:00:00.000Z,1,1,1,7200␍
        2026-01-06,808464949,"'=4D SQL ""Server""",1,1,1,2026-01-06T00:00:00.000Z,1,1,1,7200␍
    "#]].assert_eq(&csv.stdout.replace('\r', "␍"));
}

#[test]
fn a_retention_of_all_times_is_refused_and_not_counted_for_ever() {
    let shell = Shell::new();
    let records: Vec<Value> =
        (1..400).map(|token| retained(token, "Ann", 1, "0000-01-01T00:00:00+23:59")).collect();
    shell.file("old.json", Value::from(records).to_string());
    let at = "--at 9999-12-30T00:00:00Z";
    expect![[r#"
        $ license report --from old.json --at 9999-12-30T00:00:00Z
        ! license: the retentions span more than a million days
        ! hint: narrow them with --since, or count --by month
        [exit code 2]

        $ license report --from old.json --at 9999-12-30T00:00:00Z --until 0001-01-05
        PERIOD      PRODUCT                     REPORTS  ALLOWED  PEAK  AT                    USERS  SESSIONS  RETENTIONS   HOURS
        0001-01-02  4D Client 808464441 (0009)        0        -   399  0001-01-02 00:00:00Z      1       399         399  9576.0
        0001-01-03  4D Client 808464441 (0009)        0        -   399  0001-01-03 00:00:00Z      1       399         399  9576.0
        0001-01-04  4D Client 808464441 (0009)        0        -   399  0001-01-04 00:00:00Z      1       399         399  9576.0
        0001-01-05  4D Client 808464441 (0009)        0        -   399  0001-01-05 00:00:00Z      1       399         399  9576.0
        ! license: each figure is what the reports prove, at least: see `license report --help`

        $ license report --from old.json --at 9999-12-30T00:00:00Z --since 9999-12-30
        PERIOD      PRODUCT                     REPORTS  ALLOWED  PEAK  AT                    USERS  SESSIONS  RETENTIONS  HOURS
        9999-12-30  4D Client 808464441 (0009)        1        -   399  9999-12-30 00:00:00Z      1       399         399    0.0
        ! license: each figure is what the reports prove, at least: see `license report --help`

    "#]].assert_eq(&shell.transcript(&format!(
        "report --from old.json {at}
         report --from old.json {at} --until 0001-01-05
         report --from old.json {at} --since 9999-12-30"
    )));
}

#[test]
fn a_long_file_is_read_with_progress_on_a_terminal() {
    let mut shell = Shell::new();
    shell.file("long.ndjson", Records::lines(10_500));
    for line in ["usage --from long.ndjson --product 0025", "report --from long.ndjson --by month"]
    {
        shell.terminal = Some(80);
        let output = shell.run(line);
        assert_eq!(output.exit, Exit::Done, "{line}");
        let painted = "\r\u{1b}[2Klong.ndjson: 9";
        assert!(output.stderr.contains(painted), "{:?}", output.stderr);
        let wiped = output.stderr.rfind("\r\u{1b}[2K").unwrap();
        assert!(output.stderr[wiped..].starts_with("\r\u{1b}[2Klicense: "), "{}", output.stderr);
        shell.terminal = None;
        assert!(!shell.run(line).stderr.contains('%'));
    }
}

#[test]
fn packed_reports_that_are_cut_or_changed_are_refused_or_read() {
    const GZIP: &[u8] = include_bytes!("../../data/packed/retention.ndjson.gz");
    const ZSTD: &[u8] = include_bytes!("../../data/packed/retention.ndjson.zst");
    let mut shell = Shell::new();
    for packed in [GZIP, ZSTD] {
        for at in 0..packed.len() {
            let mut changed = packed.to_vec();
            changed[at] ^= 1 << (at % 8);
            for input in [packed[..at].to_vec(), changed] {
                shell.stdin = input;
                for line in ["usage --from -", "report --from -"] {
                    let output = shell.run(line);
                    let is_read = output.exit == Exit::Done && !output.stdout.is_empty();
                    let is_refused = output.exit == Exit::Usage && output.stdout.is_empty();
                    assert!(is_read || is_refused, "{line}: byte {at}: {output}");
                }
            }
        }
    }
}
