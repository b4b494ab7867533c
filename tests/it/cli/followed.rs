//! `history` of one user, and what its lines tell of a release and a refusal.

use expect_test::expect;
use jiff::SignedDuration;
use license_pool::{Release, ReleaseCause, Session, Target};

use super::history::{pool, two_users};
use super::shell::Shell;

#[test]
fn what_a_user_retained_is_followed_to_its_release() {
    expect![[r#"
        $ license history --user =eve
             4  2026-01-05 10:02:00Z  local  refused 808464949 (0025) to odbc of =eve (no_license_left, 1 of 1 used)
             7  2026-01-05 10:05:00Z  local  retained token 3: 4D SQL Server 808464949 (0025) for odbc of =eve (1 used, 0 left, CLIENT)
             9  2026-01-05 10:07:00Z  local  released token 3: 808464949 (0025) of odbc

        $ license history --user ann --from 2026-01-05T10:03:00Z
             6  2026-01-05 10:04:00Z  local  released token 2: 808464949 (0025) of etl

        $ license history --user nobody

    "#]].assert_eq(&two_users().transcript(
        "history --user =eve
         history --user ann --from 2026-01-05T10:03:00Z
         history --user nobody",
    ));
}

#[test]
fn who_gives_back_one_of_two_licenses_is_followed_on() {
    let shell = two_users();
    shell.transcript(
        "retain --product 0009 --session ws-12 --describe client.json
         retain --product 0025 --session ws-12 --describe client.json
         release --session ws-12 --product 0025
         renew --session ws-12 --state postponed
         retain --product 0009 --session shared --describe eve.json
         retain --product 0009 --session shared --describe client.json",
    );
    let words = ["history", "--from", "2026-01-05T10:10:00Z", "--user", "Ann, \"A.\""];
    let shown = shell.run_words(words.to_vec()).stdout;
    let shown: Vec<&str> = shown.lines().map(str::trim_start).collect();
    assert_eq!(
        shown,
        [
            "12  2026-01-05 10:10:00Z  local  released token 5: 808464949 (0025) of ws-12",
            "13  2026-01-05 10:11:00Z  local  ws-12 is postponed",
            "15  2026-01-05 10:13:00Z  local  shared described itself differently",
        ]
    );
}

#[test]
fn a_line_tells_why_a_retention_ended_and_how_often_a_session_was_refused() {
    let shell = Shell::installed();
    let store = pool(&shell, |options| options);
    let retain =
        |session: &str| store.retain("0025", session, Session::rest("ann", session, "::1"));
    let seat = retain("etl").unwrap();
    for _ in 0..3 {
        assert!(retain("report").is_err());
    }
    shell.clock.advance(SignedDuration::from_mins(2));
    let (cause, note) = (ReleaseCause::Revoked, Some("it hung".into()));
    let release = Release { cause, note, ..Release::new(Target::Token(seat.token())) };
    store.release_with(release).wait().unwrap();
    drop((seat, store));
    let shown = shell.run("history --kind refused,released").stdout;
    for said in ["(no_license_left, 1 of 1 used, 2 times)\n", "0025) of etl (revoked): it hung\n"] {
        assert!(shown.contains(said), "{shown}");
    }
}
