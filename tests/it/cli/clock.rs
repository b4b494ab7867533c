//! A clock that was wrong for long: an administrator says when it is right.

use jiff::Timestamp;
use license_cli::Exit;

use super::shell::Shell;

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

#[test]
fn history_goes_on_from_what_the_clock_shows_once_an_administrator_says_that_it_is_right() {
    let shell = Shell::installed();
    shell.clock.set(at("2099-01-05T10:00:00Z"));
    assert_eq!(shell.run("retain --product 0009 --session far").exit, Exit::Refused);
    shell.clock.set(at("2026-01-05T10:01:00Z"));
    // History never steps back by itself, and by 2099 everything has expired.
    assert_eq!(shell.run("retain --product 0009 --session near").exit, Exit::Refused);
    let corrected = shell.json("store correct-clock --json", "clock-correction");
    assert_eq!(corrected["time"], "2026-01-05T10:01:00.000Z");
    assert_eq!(corrected["licenseNumbers"], serde_json::json!(["DEMO-2001"]));
    assert_eq!(shell.run("retain --product 0009 --session near").exit, Exit::Done);
    let history = shell.run("history --json").stdout;
    let last: Vec<_> = history.lines().rev().take(2).collect();
    assert!(last[1].contains(r#""kind":"clock_corrected""#), "{history}");
    assert!(last.iter().all(|line| line.contains("2026-01-05T10:01:00.000Z")), "{history}");
    assert!(shell.run("store check").exit == Exit::Done);
    let output = shell.run("store correct-clock");
    let said = "2026-01-05T10:01:00.000Z: the clock is right, says the history of DEMO-2001\n";
    assert_eq!((output.exit, output.stdout.as_str()), (Exit::Done, said));
}

#[test]
fn where_no_license_is_installed_no_history_can_be_wrong() {
    let shell = Shell::new();
    assert_eq!(shell.run("store correct-clock").exit, Exit::Unreachable);
    let empty = shell.run("store correct-clock --store memory:");
    assert_eq!((empty.exit, empty.stdout.as_str()), (Exit::Done, ""));
    assert!(empty.stderr.contains("no license is installed"));
}
