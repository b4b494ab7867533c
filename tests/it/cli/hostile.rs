//! Text from others is harmless on a terminal, and passwords are never shown.

use std::os::unix::ffi::OsStringExt;

use expect_test::expect;
use license_cli::Exit;

use super::shell::{LICENSE, Shell};

const ESCAPE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}";
const REVERSED: &str = "\u{202e}nimda";

#[test]
fn hostile_text_is_escaped_for_people_and_kept_for_programs() {
    let shell = Shell::new();
    let name = serde_json::to_string(&format!("4D {ESCAPE}\nClient{REVERSED}")).unwrap();
    let license = LICENSE
        .replace(r#""4D Client""#, &name)
        .replace("Example Ltd", "Ex\\u001b[31mample\\u2066\\nfor Eve")
        .replace("DEMO-2001", "DEMO\\u202e-2001");
    shell.file("license.json", license);
    let session = format!(
        r#"{{"userName": "\u001b[8m{REVERSED}", "sessionID": "x", "IPAddress": "\u009b1A", "isDatastore": false}}"#
    );
    shell.file("session.json", session);
    let mut words =
        vec!["retain", "--product", "0009", "--session", "a", "--describe", "session.json"];
    words.extend(["--reason", ESCAPE]);
    shell.run("install license.json");
    let retained = shell.run_words(words);
    assert_eq!(retained.exit, Exit::Done, "{retained}");
    let page = shell.transcript(
        "install license.json
         retain --product 0009 --session a
         usage
         info
         history
         release --session a",
    );
    let hostile = |c: char| (c.is_control() && c != '\n') || ('\u{2000}'..'\u{2070}').contains(&c);
    assert!(!page.contains(hostile), "{page:?}");
    expect![[r#"
        $ license install license.json
        license DEMO\u{202e}-2001 is installed already: nothing changed
        PRODUCT                                                                ALLOWED BEFORE    ALLOWED  HELD  OVER
        4D \u{1b}[2J\u{1b}]0;owned\u{7}\nClient\u{202e}nimda 808464441 (0009)              15         15     1     0
        4D SQL Server 808464949 (0025)                                                      1          1     0     0
        4D REST Only 808464439 (0007)                                               unlimited  unlimited     0     0
        ! license: warning: /products/0/usedCount says 0; 1 is computed and counts

        $ license retain --product 0009 --session a
        token 1: 4D \u{1b}[2J\u{1b}]0;owned\u{7}\nClient\u{202e}nimda 808464441 (0009), 1 used, 14 left, since 2026-01-05 10:00:00Z

        $ license usage
        TOKEN  PRODUCT                                                                SERVER  USER                    HOST  ADDRESS   SINCE                 REASON
            1  4D \u{1b}[2J\u{1b}]0;owned\u{7}\nClient\u{202e}nimda 808464441 (0009)  local   \u{1b}[8m\u{202e}nimda  -     \u{9b}1A  2026-01-05 10:00:00Z  \u{1b}[2J\u{1b}]0;owned\u{7}

        $ license info
        4D Server v20, license DEMO\u{202e}-2001, valid until 2036-06-02
        for Ex\u{1b}[31mample\u{2066}\nfor Eve, Ann Example <ann@example.com>
        PRODUCT                                                                USED    ALLOWED       LEFT  RIGHTS
        4D \u{1b}[2J\u{1b}]0;owned\u{7}\nClient\u{202e}nimda 808464441 (0009)     1         15         14  5 until 2035-02-01, 10 until 2034-11-01, 10 until 2015-11-01 (expired)
        4D SQL Server 808464949 (0025)                                            0          1          1  1
        4D REST Only 808464439 (0007)                                             0  unlimited  unlimited  unlimited

        $ license history
             1  2026-01-05 10:00:00Z  local  installed license DEMO\u{202e}-2001 (unsigned)
             2  2026-01-05 10:00:00Z  local  retained token 1: 4D \u{1b}[2J\u{1b}]0;owned\u{7}\nClient\u{202e}nimda 808464441 (0009) for a of \u{1b}[8m\u{202e}nimda (1 used, 14 left, \u{1b}[2J\u{1b}]0;owned\u{7})
             3  2026-01-05 10:01:00Z  local  a described itself differently

        $ license release --session a
        released token 1: 808464441 (0009)

    "#]].assert_eq(&page);
    let info = shell.json("info --json", "license-info");
    assert_eq!(info["products"][0]["name"], format!("4D {ESCAPE}\nClient{REVERSED}"));
}

#[test]
fn what_was_typed_is_echoed_harmlessly() {
    let shell = Shell::new();
    for words in [
        vec![ESCAPE],
        vec!["usage", ESCAPE],
        vec!["usage", "--product", ESCAPE],
        vec!["usage", "--store", ESCAPE],
        vec!["validate", ESCAPE],
        vec!["retain", "--product", "0009", "--session", ESCAPE],
    ] {
        let output = shell.run_words(&words);
        assert_eq!(output.exit, Exit::Usage, "{words:?}: {output}");
        assert!(!output.stderr.contains(['\u{1b}', '\u{7}']), "{:?}", output.stderr);
    }
}

#[test]
fn violations_of_hostile_documents_are_one_line_each() {
    let shell = Shell::new();
    shell.file("bad.json", "[{\"\\u001b[31m\\n\": 1, \"productName\": \"\\u202e\\n\"}]");
    let output = shell.run("validate --profile documented bad.json");
    assert!(!output.stdout.contains(['\u{1b}', '\u{202e}']), "{:?}", output.stdout);
    assert!(output.stdout.lines().all(|line| line.starts_with("bad.json:1:")), "{output}");
}

#[test]
fn a_password_is_masked_wherever_it_is_echoed() {
    let mut shell = Shell::new();
    let url = "postgres://ann:geheim@db/licenses?password=geheim";
    for line in [
        format!("usage --store {url}"),
        format!("usage --json --store {url}"),
        format!("usage {url}"),
        format!("--store={url}"),
        format!("install {url}"),
    ] {
        let output = shell.run(&line);
        assert!(!output.to_string().contains("geheim"), "{line}: {output}");
    }
    shell.variables.insert("LICENSE_STORE".into(), url.into());
    assert!(!shell.run("usage").to_string().contains("geheim"));
}

#[test]
fn arguments_that_are_no_text_are_refused_where_text_is_needed() {
    let shell = Shell::new();
    let broken = || std::ffi::OsString::from_vec(vec![b'a', 0xff]);
    assert_eq!(shell.run_words(["usage".into(), "--product".into(), broken()]).exit, Exit::Usage);
    assert_eq!(shell.run_words([broken()]).exit, Exit::Usage);
    // A file may have such a name.
    std::fs::write(shell.directory.path().join(broken()), "[]").unwrap();
    assert_eq!(shell.run_words(["validate".into(), broken()]).exit, Exit::Done);
}
