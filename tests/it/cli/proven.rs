//! What exported reports prove, and where one period ends and the next begins.

use license_cli::Exit;
use serde_json::{Value, json};

use super::exported::{retained, sql};
use super::shell::{LICENSE, Shell, conforming};

/// The figures of one report of that instant, and of other files with theirs.
fn figures(shell: &Shell, records: &[Value], at: &str, others: &str) -> Vec<Value> {
    shell.file("report.json", json!(records).to_string());
    let report = shell.run(&format!("report --json --from report.json --at {at} {others}"));
    assert_eq!(report.exit, Exit::Done, "{report}");
    conforming(&report.stdout, "usage-report")["figures"].as_array().unwrap().clone()
}

#[test]
fn a_counter_proves_the_peak_of_the_day_on_which_it_was_frozen_and_of_no_later_one() {
    let late = retained(9, "Ann", 7, "2026-01-05T23:00:00Z");
    let days = figures(&Shell::new(), &[late], "2026-01-06T01:00:00Z", "");
    let peaks: Vec<_> = days.iter().map(|day| (&day["period"], &day["peakUsedCount"])).collect();
    assert_eq!(peaks, [(&json!("2026-01-05"), &json!(7)), (&json!("2026-01-06"), &json!(1))]);
}

#[test]
fn of_two_counters_that_prove_the_same_peak_the_earlier_one_tells_when() {
    let records = [
        retained(1, "Ann", 7, "2026-01-05T09:30:00Z"),
        retained(2, "Bob", 7, "2026-01-05T09:00:00Z"),
    ];
    let days = figures(&Shell::new(), &records, "2026-01-05T10:00:00Z", "");
    assert_eq!(days[0]["peakAt"], "2026-01-05T09:00:00.000Z");
}

#[test]
fn sessions_that_nothing_tells_apart_count_once_for_each_retention() {
    let records = [sql(1, "Ann", "2026-01-05T09:30:00Z"), sql(2, "Ann", "2026-01-05T09:30:00Z")];
    let days = figures(&Shell::new(), &records, "2026-01-05T10:00:00Z", "");
    assert_eq!((&days[0]["users"], &days[0]["sessions"]), (&json!(1), &json!(2)));
}

#[test]
fn a_license_that_is_told_at_midnight_is_that_of_the_day_that_begins() {
    let shell = Shell::new();
    shell.file("info.json", LICENSE);
    let records = [retained(1, "Ann", 1, "2026-01-05T09:30:00Z")];
    let info = "--from info.json --at 2026-01-06T00:00:00Z --product 0009";
    let days = figures(&shell, &records, "2026-01-06T10:00:00Z", info);
    let allowed: Vec<_> = days.iter().map(|day| day.get("allowedCount")).collect();
    assert_eq!(allowed, [None, Some(&json!(15))]);
}

#[test]
fn an_instant_too_many_is_a_mistake() {
    let shell = Shell::new();
    shell.file("report.json", "[]");
    let twice = "--at 2026-01-06T10:00:00Z --at 2026-01-06T11:00:00Z";
    let report = shell.run(&format!("report --from report.json {twice}"));
    assert_eq!(report.exit, Exit::Usage, "{report}");
    assert!(report.stderr.contains("--at tells 2 of the instants of 1 files"), "{report}");
}

#[test]
fn of_a_file_that_is_all_wrong_the_first_violations_are_shown() {
    let shell = Shell::new();
    shell.file("wrong.json", format!("[{}{{}}]", "{},".repeat(99)));
    let report = shell.run("report --from wrong.json");
    assert_eq!(report.exit, Exit::Usage, "{report}");
    let lines = report.stderr.lines().count();
    assert!((20..25).contains(&lines), "{report}");
}
