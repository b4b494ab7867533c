//! `report` and `servers` on a store.

use std::fs;

use expect_test::expect;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::shell::{Shell, conforming};

/// Two days of one SQL connection that several want, and a client over midnight.
fn two_days() -> Shell {
    let shell = Shell::installed();
    shell.transcript(
        "retain --product 0025 --session etl
         retain --product 0025 --session report
         retain --product 0025 --session report
         retain --product 0009 --session ws-12",
    );
    shell.clock.advance(SignedDuration::from_mins(56));
    shell.run("release --session etl");
    shell.clock.set("2026-01-06T02:00:00Z".parse().unwrap());
    shell.transcript("retain --product 0007 --session web\n release --session ws-12");
    shell.clock.set("2026-02-01T02:00:00Z".parse().unwrap());
    shell.run("release --session web");
    shell
}

#[test]
fn a_store_tells_what_became_of_each_day() {
    let page = two_days().transcript(
        "report --until 2026-01-06
         report --by month
         report --by month --product 0025 --csv
         report --from 2026-01-06T02:00:00Z --to 2026-01-06 --csv
         report --since 2026-02-02",
    );
    expect![[r#"
        $ license report --until 2026-01-06
        PERIOD      PRODUCT                           ALLOWED  PEAK  AT                    NONE LEFT  HOURS  RETAINED  REFUSED  SESSIONS  IN VAIN
        2026-01-05  4D Client 808464441 (0009)             15     1  2026-01-05 10:03:00Z      0 min   13.9         1        0         0        0
        2026-01-05  4D SQL Server 808464949 (0025)          1     1  2026-01-05 10:00:00Z     60 min    1.0         1        2         1        1
        2026-01-06  4D REST Only 808464439 (0007)   unlimited     1  2026-01-06 02:00:00Z      0 min   22.0         1        0         0        0
        2026-01-06  4D Client 808464441 (0009)             15     1  2026-01-06 00:00:00Z      0 min    2.0         0        0         0        0

        $ license report --by month
        PERIOD   PRODUCT                           ALLOWED  PEAK  AT                    NONE LEFT  HOURS  RETAINED  REFUSED  SESSIONS  IN VAIN
        2026-01  4D REST Only 808464439 (0007)   unlimited     1  2026-01-06 02:00:00Z      0 min  622.0         1        0         0        0
        2026-01  4D Client 808464441 (0009)             15     1  2026-01-05 10:03:00Z      0 min   15.9         1        0         0        0
        2026-01  4D SQL Server 808464949 (0025)          1     1  2026-01-05 10:00:00Z     60 min    1.0         1        2         1        1
        2026-02  4D REST Only 808464439 (0007)   unlimited     1  2026-02-01 00:00:00Z      0 min    2.0         0        0         0        0

        $ license report --by month --product 0025 --csv
        period,productId,productName,allowedCount,peakUsedCount,peakAt,secondsWithNothingLeft,heldSeconds,retained,refused,sessionsRefused,trueRefusals
        2026-01,808464949,4D SQL Server,1,1,2026-01-05T10:00:00.000Z,3600,3600,1,2,1,1

        $ license report --from 2026-01-06T02:00:00Z --to 2026-01-06 --csv
        period,productId,productName,allowedCount,peakUsedCount,peakAt,secondsWithNothingLeft,heldSeconds,retained,refused,sessionsRefused,trueRefusals
        2026-01-06,808464439,4D REST Only,32767,1,2026-01-06T02:00:00.000Z,0,79200,1,0,0,0
        2026-01-06,808464441,4D Client,15,1,2026-01-06T00:00:00.000Z,0,7260,0,0,0,0

        $ license report --since 2026-02-02
        nothing was retained or refused

    "#]].assert_eq(&page.replace("\r\n", "\n"));
}

#[test]
fn a_month_is_called_and_allows_what_its_last_day_does() {
    let mut shell = two_days();
    shell.transcript("retain --product 0025 --session early\n release --session early");
    shell.clock.set("2026-02-02T02:00:00Z".parse().unwrap());
    let license = fs::read_to_string(shell.path("license.json")).unwrap();
    let mut license: Value = serde_json::from_str(&license).unwrap();
    let products = license["products"].as_array_mut().unwrap();
    let sql = products.iter_mut().find(|product| product["id"] == 808_464_949).unwrap();
    sql["name"] = "4D SQL".into();
    sql["rights"].as_array_mut().unwrap().push(json!({"count": 4}));
    sql["allowedCount"] = 5.into();
    shell.file("renewed.json", license.to_string());
    shell.become_admin();
    let page = shell.transcript(
        "install renewed.json
         retain --product 0025 --session late
         report --by month --product 0025 --since 2026-02-01",
    );
    expect![[r#"
        $ license install renewed.json
        replaced license DEMO-2001 (unsigned)
        PRODUCT                        ALLOWED BEFORE    ALLOWED  HELD  OVER
        4D Client 808464441 (0009)                 15         15     0     0
        4D SQL 808464949 (0025)                     1          5     0     0
        4D REST Only 808464439 (0007)       unlimited  unlimited     0     0

        $ license retain --product 0025 --session late
        token 5: 4D SQL 808464949 (0025), 1 used, 4 left, since 2026-02-02 02:01:00Z

        $ license report --by month --product 0025 --since 2026-02-01
        PERIOD   PRODUCT                  ALLOWED  PEAK  AT                    NONE LEFT  HOURS  RETAINED  REFUSED  SESSIONS  IN VAIN
        2026-02  4D SQL 808464949 (0025)        5     1  2026-02-01 02:00:00Z      1 min    0.0         2        0         0        0

    "#]].assert_eq(&page);
}

#[test]
fn any_of_the_kinds_that_are_asked_for_makes_a_line() {
    let shell = two_days();
    let asked = |kinds: &str| {
        let days = shell.json(&format!("report --json {kinds}"), "license-report");
        let days = days.as_array().unwrap();
        days.iter().map(|day| format!("{} {}", day["date"], day["productId"])).collect::<Vec<_>>()
    };
    expect![[r#"
        "2026-01-05" 808464441
        "2026-01-05" 808464949
        "2026-01-06" 808464439"#]]
    .assert_eq(&asked("--kind retained,refused").join("\n"));
    expect![[r#""2026-01-05" 808464949"#]].assert_eq(&asked("--kind refused").join("\n"));
}

#[test]
fn programs_read_days_and_months() {
    let shell = two_days();
    let days = shell.json("report --json --until 2026-01-05", "license-report");
    assert_eq!(
        (&days[0]["date"], &days[0]["productId"]),
        (&"2026-01-05".into(), &808_464_441.into())
    );
    assert_eq!(days[1]["secondsWithNothingLeft"], 3600);
    let months = shell.json("report --json --by month", "month-report");
    assert_eq!(
        (&months[1]["month"], &months[1]["heldSeconds"]),
        (&"2026-01".into(), &57_480.into())
    );
    assert_eq!(
        shell.run("report --csv").stdout.lines().count(),
        1 + shell.json("report --json", "license-report").as_array().unwrap().len()
    );
}

#[test]
fn who_shares_the_store_is_listed() {
    let shell = Shell::installed();
    let url = format!("sqlite:{}", shell.path("license.db").display());
    let options = || license_pool::Pool::options().clock(shell.clock.clone());
    let server = options().server("db1:7427".parse().unwrap()).open(&url).unwrap();
    expect![[r#"
        $ license servers
        SERVER    STATE  EPOCH  LEASE  GRACE  LICENSES  FORMAT  ENDS
        db1:7427  live       1   90 s   90 s         0       2  -

    "#]]
    .assert_eq(&shell.transcript("servers"));
    let listed = conforming(&shell.run("servers --json").stdout, "server-list");
    assert_eq!((&listed[0]["name"], &listed[0]["state"]), (&"db1:7427".into(), &"live".into()));
    drop(server);
    assert!(shell.run("servers").stdout.contains("dead"));
    assert!(shell.run("servers --server-name db1:7427").stdout.contains("dead"));
    assert_eq!(shell.run("servers --server-name db2:7427 --json").stdout, "[]\n");
}
