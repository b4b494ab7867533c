//! `report` on a store, of one user or session, and of the days of another time zone.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::time::Duration;

use expect_test::expect;
use jiff::SignedDuration;
use license_cli::Exit;
use license_pool::{Options, Pool, Seat, Session};
use serde_json::Value;

use super::server::served;
use super::shell::{Shell, conforming};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Two users who want the only SQL connection, over midnight in Berlin; and many who all want it at
/// once.
fn contested() -> Shell {
    let shell = Shell::installed();
    shell.file(
        "eve.json",
        r#"{"userName": "=eve", "userAgent": "ODBC", "userId": 1, "IPAddress": "::1"}"#,
    );
    shell.clock.set("2026-03-28T22:00:00Z".parse().unwrap());
    shell.run("retain --product 0025 --session etl");
    shell.run("retain --product 0009 --session web");
    shell.clock.set("2026-03-29T02:00:00Z".parse().unwrap());
    shell.run("retain --product 0025 --session odbc --describe eve.json");
    shell.run("release --session etl");
    shell.clock.set("2026-03-29T06:00:00Z".parse().unwrap());
    shell.run("retain --product 0025 --session odbc --describe eve.json");
    shell.clock.set("2026-03-29T22:30:00Z".parse().unwrap());
    shell.run("release --session odbc");
    shell.run("release --session web");
    shell
}

#[test]
fn the_figures_of_a_user_or_session_are_its_own_and_what_is_allowed_is_for_all() {
    let page = contested().transcript(
        "report --user =eve
         report --user ann --product 0025
         report --session web --by month
         report --session odbc --user ann
         report --user =eve --csv
         report --user nobody --session none --time-zone Europe/Berlin --csv
         report --kind refused
         report --kind retained,refused --since 2026-03-29",
    );
    expect![[r#"
        $ license report --user =eve
        PERIOD      PRODUCT                         ALLOWED  PEAK  AT                    NONE LEFT  HOURS  RETAINED  REFUSED  SESSIONS  IN VAIN  USER
        2026-03-29  4D SQL Server 808464949 (0025)        1     1  2026-03-29 06:00:00Z   1110 min   16.5         1        1         1        1  =eve

        $ license report --user ann --product 0025
        PERIOD      PRODUCT                         ALLOWED  PEAK  AT                    NONE LEFT  HOURS  RETAINED  REFUSED  SESSIONS  IN VAIN  USER
        2026-03-28  4D SQL Server 808464949 (0025)        1     1  2026-03-28 22:00:00Z    120 min    2.0         1        0         0        0  ann
        2026-03-29  4D SQL Server 808464949 (0025)        1     1  2026-03-29 00:00:00Z   1110 min    2.0         0        0         0        0  ann

        $ license report --session web --by month
        PERIOD   PRODUCT                     ALLOWED  PEAK  AT                    NONE LEFT  HOURS  RETAINED  REFUSED  SESSIONS  IN VAIN  SESSION
        2026-03  4D Client 808464441 (0009)       15     1  2026-03-28 22:00:00Z      0 min   24.5         1        0         0        0  web

        $ license report --session odbc --user ann
        nothing was retained or refused

        $ license report --user =eve --csv
        period,productId,productName,allowedCount,peakUsedCount,peakAt,secondsWithNothingLeft,heldSeconds,retained,refused,sessionsRefused,trueRefusals,userName
        2026-03-29,808464949,4D SQL Server,1,1,2026-03-29T06:00:00.000Z,66600,59400,1,1,1,1,'=eve

        $ license report --user nobody --session none --time-zone Europe/Berlin --csv
        period,productId,productName,allowedCount,peakUsedCount,peakAt,secondsWithNothingLeft,heldSeconds,retained,refused,sessionsRefused,trueRefusals,timeZone,userName,sessionId

        $ license report --kind refused
        PERIOD      PRODUCT                         ALLOWED  PEAK  AT                    NONE LEFT  HOURS  RETAINED  REFUSED  SESSIONS  IN VAIN
        2026-03-29  4D SQL Server 808464949 (0025)        1     1  2026-03-29 00:00:00Z   1110 min   18.5         1        1         1        1

        $ license report --kind retained,refused --since 2026-03-29
        PERIOD      PRODUCT                         ALLOWED  PEAK  AT                    NONE LEFT  HOURS  RETAINED  REFUSED  SESSIONS  IN VAIN
        2026-03-29  4D SQL Server 808464949 (0025)        1     1  2026-03-29 00:00:00Z   1110 min   18.5         1        1         1        1

    "#]]
    .assert_eq(&page.replace("\r\n", "\n"));
}

#[test]
fn days_are_those_of_the_time_zone_and_23_hours_long_where_its_clocks_are() {
    let page = contested().transcript(
        "report --time-zone Europe/Berlin
         report --time-zone Europe/Berlin --from 2026-03-29 --to 2026-03-29 --product 0009 --csv
         report --time-zone Europe/Berlin --by month --user ann",
    );
    expect![[r#"
        $ license report --time-zone Europe/Berlin
        PERIOD      PRODUCT                         ALLOWED  PEAK  AT                         NONE LEFT  HOURS  RETAINED  REFUSED  SESSIONS  IN VAIN
        2026-03-28  4D Client 808464441 (0009)           15     1  2026-03-28 23:00:00+01:00      0 min    1.0         1        0         0        0
        2026-03-28  4D SQL Server 808464949 (0025)        1     1  2026-03-28 23:00:00+01:00     60 min    1.0         1        0         0        0
        2026-03-29  4D Client 808464441 (0009)           15     1  2026-03-29 00:00:00+01:00      0 min   23.0         0        0         0        0
        2026-03-29  4D SQL Server 808464949 (0025)        1     1  2026-03-29 00:00:00+01:00   1140 min   19.0         1        1         1        1
        2026-03-30  4D Client 808464441 (0009)           15     1  2026-03-30 00:00:00+02:00      0 min    0.5         0        0         0        0
        2026-03-30  4D SQL Server 808464949 (0025)        1     1  2026-03-30 00:00:00+02:00     30 min    0.5         0        0         0        0

        $ license report --time-zone Europe/Berlin --from 2026-03-29 --to 2026-03-29 --product 0009 --csv
        period,productId,productName,allowedCount,peakUsedCount,peakAt,secondsWithNothingLeft,heldSeconds,retained,refused,sessionsRefused,trueRefusals,timeZone
        2026-03-29,808464441,4D Client,15,1,2026-03-29T00:00:00.000+01:00,0,82800,0,0,0,0,Europe/Berlin

        $ license report --time-zone Europe/Berlin --by month --user ann
        PERIOD   PRODUCT                         ALLOWED  PEAK  AT                         NONE LEFT  HOURS  RETAINED  REFUSED  SESSIONS  IN VAIN  USER
        2026-03  4D Client 808464441 (0009)           15     1  2026-03-28 23:00:00+01:00      0 min   24.5         1        0         0        0  ann
        2026-03  4D SQL Server 808464949 (0025)        1     1  2026-03-28 23:00:00+01:00   1200 min    4.0         1        0         0        0  ann

    "#]]
    .assert_eq(&page.replace("\r\n", "\n"));
}

#[test]
fn programs_are_told_what_figures_are_of() {
    let shell = contested();
    let days = shell.json("report --json --time-zone Europe/Berlin --user =eve", "license-report");
    assert_eq!(
        (&days[0]["timeZone"], &days[0]["userName"]),
        (&"Europe/Berlin".into(), &"=eve".into())
    );
    let months = shell.json("report --json --by month --session web", "month-report");
    assert_eq!((&months[0]["sessionId"], &months[0]["timeZone"]), (&"web".into(), &Value::Null));
    let plain = shell.json("report --json", "license-report");
    assert!(plain[0].get("userName").is_none() && plain[0].get("timeZone").is_none());
}

#[test]
fn an_anonymized_report_names_nobody_and_a_key_makes_the_pseudonyms_of_the_history() {
    let shell = contested();
    shell.file("key", "0123456789abcdef\n");
    let pseudonyms = "--anonymize --anonymize-key key";
    let history = shell.run(&format!("history --json --kind refused {pseudonyms}")).stdout;
    let refused = &conforming(history.lines().next().unwrap(), "entry")["event"];
    for form in ["--json", "--csv", ""] {
        let words = format!("report --user =eve --session odbc {pseudonyms} {form}");
        let shown = shell.run(&words).stdout;
        assert!(!shown.contains("eve") && !shown.contains("odbc"), "{shown}");
        for name in [&refused["description"]["userName"], &refused["sessionId"]] {
            assert!(shown.contains(name.as_str().unwrap()), "{name}: {shown}");
        }
    }
    assert_eq!(shell.run("report --anonymize --json").stdout, shell.run("report --json").stdout);
    shell.run_words(["usage", "--json"]);
    shell.file("ann.json", "[]");
    let shown = shell.run("report --from ann.json --json --anonymize");
    assert!(shown.exit == Exit::Done && !shown.stdout.contains("ann"), "{shown}");
}

#[test]
fn what_exported_reports_do_not_tell_is_refused_with_the_cure() {
    let shell = Shell::new();
    shell.file("usage.json", "[]");
    for words in ["report --from usage.json --session a", "report --from usage.json --kind refused"]
    {
        let output = shell.run(words);
        assert_eq!(output.exit, Exit::Usage, "{output}");
        assert!(output.stderr.contains("hint: without --from FILE"), "{output}");
    }
}

/// A store in which each of 60 days somebody was granted and somebody else refused, while ann held a
/// license, and long held another.
fn two_months() -> Shell {
    let mut shell = Shell::installed();
    shell.become_admin();
    let pool = pool(&shell, Options::local);
    let retain = |session: &str, user: &str| -> Option<Seat> {
        pool.retain("0025", session, Session::rest(user, session, "::1")).ok()
    };
    let client = pool.retain("0009", "long", Session::rest("ann", "long", "::1")).unwrap();
    pool.retain("0009", "ever", Session::rest("ann", "ever", "::1")).unwrap().keep();
    for day in 0..60 {
        let seat = retain(&format!("job-{day}"), "bob");
        shell.clock.advance(SignedDuration::from_mins(70));
        assert!(retain("etl", "eve").is_none());
        seat.unwrap().release().unwrap();
        shell.clock.advance(DAY - SignedDuration::from_mins(70));
    }
    client.release().unwrap();
    pool.close().wait().unwrap();
    shell
}

fn pool(shell: &Shell, options: impl FnOnce(Options) -> Options) -> Pool {
    let url = format!("sqlite:{}", shell.path("license.db").display());
    options(Pool::options().clock(shell.clock.clone())).open(&url).unwrap()
}

/// Deletes all entries that are older than ten days.
fn shorten(shell: &Shell) {
    let pool = pool(shell, |options| options.history(Duration::from_secs(10 * 24 * 60 * 60)));
    pool.archive().unwrap();
    pool.close().wait().unwrap();
}

fn days(text: &str) -> Vec<Value> {
    let mut days = conforming(text, "license-report").as_array().unwrap().clone();
    for day in &mut days {
        day.as_object_mut().unwrap().remove("timeZone");
    }
    days
}

#[test]
fn figures_counted_anew_are_those_that_are_kept_and_go_on_where_entries_are_deleted() {
    let shell = two_months();
    // Its days are those of UTC, and it is another zone.
    let kept = days(&shell.run("report --json").stdout);
    assert_eq!(days(&shell.run("report --json --time-zone Africa/Abidjan").stdout), kept);
    assert!(kept.len() > 120, "{}", kept.len());
    let lines = [
        "report --json --time-zone Africa/Abidjan",
        "report --json --time-zone Asia/Kolkata",
        "report --json --user bob --product 0025",
        "report --json --user eve --time-zone Europe/Berlin --product 0025",
        "report --json --session ever",
        "report --json --session long",
        "report --json --user ann",
    ];
    let whole = lines.map(|line| days(&shell.run(line).stdout));
    shorten(&shell);
    assert_eq!(days(&shell.run("report --json").stdout), kept);
    for (line, whole) in lines.iter().zip(&whole) {
        let left = shell.run(line);
        assert_eq!(left.exit, Exit::Done, "{line}: {left}");
        assert!(left.stderr.contains("can be told from 2026-02-25 on"), "{line}: {left}");
        let since = |day: &&Value| day["date"].as_str().unwrap() >= "2026-02-25";
        let mut expected: Vec<Value> = whole.iter().filter(since).cloned().collect();
        if line.ends_with("ann") {
            // Whose the one was that ended meanwhile, only the entry told that is deleted.
            assert!(left.stderr.contains("whose they were: retentions 1, refusals 0"), "{left}");
            for day in &mut expected {
                let held = day["heldSeconds"].as_u64().unwrap();
                day["heldSeconds"] = (held / 2).into();
                day["peakUsedCount"] = 1.into();
            }
        } else {
            assert!(!left.stderr.contains("not counted"), "{line}: {left}");
        }
        assert_eq!(days(&left.stdout), expected, "{line}");
        assert!(expected.len() > 5, "{line}");
    }
}

#[test]
fn what_was_allowed_by_a_license_that_is_replaced_and_deleted_is_told_in_utc() {
    let shell = two_months();
    let license = fs::read(shell.path("license.json")).unwrap();
    let mut renewed: Value = serde_json::from_slice(&license).unwrap();
    let products = renewed["products"].as_array_mut().unwrap().iter_mut();
    for right in products.flat_map(|product| product["rights"].as_array_mut().unwrap()) {
        if let Some(count) = right["count"].as_u64().filter(|count| *count == 5) {
            right["count"] = (count + 2).into();
        }
    }
    shell.file("renewed.json", renewed.to_string());
    assert_eq!(shell.run("install renewed.json").exit, Exit::Done);
    shell.clock.advance(DAY * 2);
    shell.run("retain --product 0025 --session last");
    let line = "report --json --session ever";
    let whole = days(&shell.run(line).stdout);
    shorten(&shell);
    let left = days(&shell.run(line).stdout);
    assert!(left.len() < whole.len(), "the first of them are deleted");
    assert_eq!(left, whole[whole.len() - left.len()..]);
    let allowed: BTreeSet<u64> =
        left.iter().map(|day| day["allowedCount"].as_u64().unwrap()).collect();
    assert_eq!(allowed, BTreeSet::from([15, 17]), "before it was replaced, and since");
    // The days of another zone are not kept, and nobody knows what the license before allowed.
    let elsewhere = shell.run("report --json --session ever --time-zone Africa/Abidjan");
    assert!(elsewhere.stderr.contains("can be told from 2026-03-07 on"), "{elsewhere}");
    assert_eq!(days(&elsewhere.stdout).len(), 2);
    // What began after the oldest entry that is left was not held before.
    assert_eq!(days(&shell.run("report --json --session last").stdout).len(), 1);
}

#[test]
fn days_whose_entries_are_deleted_are_refused_with_the_first_that_can_be_told() {
    let shell = two_months();
    shorten(&shell);
    expect![[r#"
        $ license report --user bob --since 2026-02-01
        ! license: such figures can be told from 2026-02-25 on: entries before are deleted
        ! hint: begin with --since 2026-02-25
        [exit code 2]

        $ license report --time-zone Europe/Berlin --from 2026-02-24
        ! license: such figures can be told from 2026-02-25 on: entries before are deleted
        ! hint: begin with --since 2026-02-25
        [exit code 2]

        $ license report --time-zone Europe/Berlin --until 2026-02-24
        ! license: such figures can be told from 2026-02-25 on: entries before are deleted
        [exit code 2]

        $ license report --user bob --since 2026-02-25 --until 2026-02-26
        PERIOD      PRODUCT                         ALLOWED  PEAK  AT                    NONE LEFT  HOURS  RETAINED  REFUSED  SESSIONS  IN VAIN  USER
        2026-02-25  4D SQL Server 808464949 (0025)        1     1  2026-02-25 10:00:00Z     70 min    1.1         1        0         0        0  bob
        2026-02-26  4D SQL Server 808464949 (0025)        1     1  2026-02-26 10:00:00Z     70 min    1.1         1        0         0        0  bob
        ! license: not counted, since nobody knows whose they were: retentions 1, refusals 0; descriptions are erased or deleted, or the log names no session

        $ license report --since 2026-02-01 --until 2026-02-01
        PERIOD      PRODUCT                         ALLOWED  PEAK  AT                    NONE LEFT  HOURS  RETAINED  REFUSED  SESSIONS  IN VAIN
        2026-02-01  4D Client 808464441 (0009)           15     2  2026-02-01 00:00:00Z      0 min   48.0         0        0         0        0
        2026-02-01  4D SQL Server 808464949 (0025)        1     1  2026-02-01 10:00:00Z     70 min    1.1         1        1         1        1

    "#]]
    .assert_eq(&shell.transcript(
        "report --user bob --since 2026-02-01
         report --time-zone Europe/Berlin --from 2026-02-24
         report --time-zone Europe/Berlin --until 2026-02-24
         report --user bob --since 2026-02-25 --until 2026-02-26
         report --since 2026-02-01 --until 2026-02-01",
    ));
}

#[test]
fn where_every_entry_is_deleted_nothing_is_told_of_the_days_up_to_now() {
    let shell = two_months();
    shell.clock.advance(SignedDuration::from_hours(1));
    pool(&shell, |options| options.history(Duration::ZERO)).archive().unwrap();
    let told = shell.run("report --user bob");
    assert_eq!(told.exit, Exit::Usage, "{told}");
    assert!(told.stderr.contains("can be told from 2026-03-07 on"), "{told}");
}

#[test]
fn a_server_tells_the_same() {
    let mut shell = two_months();
    shorten(&shell);
    let lines = [
        "report --time-zone Asia/Kolkata",
        "report --user bob --json",
        "report --user ann --by month",
        "report --session ever --csv",
        "report --session long",
        "report --user eve --since 2026-01-01",
        "report --until 2026-01-20",
        "history --server-name local --kind released",
        "history --server-name there",
    ];
    let told = |shell: &Shell| lines.map(|line| shell.run(line).to_string());
    let direct = told(&shell);
    let running = served(&shell, "here");
    shell.variables.insert("LICENSE_SERVER".into(), running.url().into());
    let through = told(&shell);
    for ((line, direct), through) in lines.iter().zip(&direct).zip(&through) {
        assert_eq!(direct, through, "{line}");
    }
    shell.variables.remove(OsStr::new("LICENSE_SERVER"));
    assert!(direct[7].lines().count() > 5 && direct[8].is_empty(), "{direct:?}");
}
