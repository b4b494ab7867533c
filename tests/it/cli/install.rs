//! `install` and `info`.

use expect_test::expect;
use license_cli::Exit;

use super::shell::{LICENSE, Shell};

#[test]
fn a_license_is_installed_once_and_shown() {
    let shell = Shell::new();
    shell.file("license.json", LICENSE);
    expect![[r#"
        $ license install license.json
        installed license DEMO-2001 (unsigned)
        PRODUCT                         ALLOWED BEFORE    ALLOWED  HELD  OVER
        4D Client 808464441 (0009)                   0         15     0     0
        4D SQL Server 808464949 (0025)               0          1     0     0
        4D REST Only 808464439 (0007)                0  unlimited     0     0

        $ license install license.json
        license DEMO-2001 is installed already: nothing changed
        PRODUCT                         ALLOWED BEFORE    ALLOWED  HELD  OVER
        4D Client 808464441 (0009)                  15         15     0     0
        4D SQL Server 808464949 (0025)               1          1     0     0
        4D REST Only 808464439 (0007)        unlimited  unlimited     0     0

        $ license info
        4D Server v20, license DEMO-2001, valid until 2036-06-02
        for Example Ltd, Ann Example <ann@example.com>
        PRODUCT                         USED    ALLOWED       LEFT  RIGHTS
        4D Client 808464441 (0009)         0         15         15  5 until 2035-02-01, 10 until 2034-11-01, 10 until 2015-11-01 (expired)
        4D SQL Server 808464949 (0025)     0          1          1  1
        4D REST Only 808464439 (0007)      0  unlimited  unlimited  unlimited

    "#]].assert_eq(&shell.transcript(
        "install license.json
         install license.json
         info",
    ));
}

#[test]
fn a_trial_shows_what_would_change_and_changes_nothing() {
    let shell = Shell::new();
    shell.file("license.json", LICENSE);
    expect![[r#"
        $ license install license.json --dry-run
        would install license DEMO-2001 (unsigned)
        PRODUCT                         ALLOWED BEFORE    ALLOWED  HELD  OVER
        4D Client 808464441 (0009)                   0         15     0     0
        4D SQL Server 808464949 (0025)               0          1     0     0
        4D REST Only 808464439 (0007)                0  unlimited     0     0

    "#]]
    .assert_eq(&shell.transcript("install license.json --dry-run"));
    assert!(!shell.path("license.db").exists());

    let shell = Shell::installed();
    shell.run("retain --product 0025 --session etl");
    shell.file("less.json", LICENSE.replace(r#""rights": [{ "count": 1 }]"#, r#""rights": []"#));
    expect![[r#"
        $ license install less.json --dry-run
        would replace license DEMO-2001 (unsigned)
        PRODUCT                         ALLOWED BEFORE    ALLOWED  HELD  OVER
        4D Client 808464441 (0009)                  15         15     0     0
        4D SQL Server 808464949 (0025)               1          0     1     1
        4D REST Only 808464439 (0007)        unlimited  unlimited     0     0
        ! license: warning: /products/1/usedCount says 0; 1 is computed and counts
        ! license: warning: /products/1/allowedCount says 1; 0 is computed and counts

    "#]]
    .assert_eq(&shell.transcript("install less.json --dry-run"));
    assert_eq!(shell.json("info --json", "license-info")["products"][1]["allowedCount"], 1);
}

#[test]
fn a_renewed_license_bears_a_new_number_and_keeps_what_is_held() {
    let shell = Shell::installed();
    shell.run("retain --product 0009 --session job-7");
    shell.file("renewed.json", LICENSE.replace("DEMO-2001", "DEMO-2002"));
    expect![[r#"
        $ license install renewed.json --replaces DEMO-2001
        installed license DEMO-2002 (unsigned) in place of DEMO-2001
        PRODUCT                         ALLOWED BEFORE    ALLOWED  HELD  OVER
        4D Client 808464441 (0009)                  15         15     1     0
        4D SQL Server 808464949 (0025)               1          1     0     0
        4D REST Only 808464439 (0007)        unlimited  unlimited     0     0
        ! license: warning: /products/0/usedCount says 0; 1 is computed and counts

        $ license usage
        TOKEN  PRODUCT                     SERVER  USER  HOST  ADDRESS    SINCE                 REASON
            1  4D Client 808464441 (0009)  local   ann   -     127.0.0.1  2026-01-05 10:00:00Z  CLIENT

        $ license usage --license-number DEMO-2001 --json
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

    "#]].assert_eq(&shell.transcript(
        "install renewed.json --replaces DEMO-2001
         usage
         usage --license-number DEMO-2001 --json",
    ));
}

#[test]
fn a_license_that_was_replaced_comes_back_only_on_demand() {
    let shell = Shell::installed();
    shell.file("renewed.json", LICENSE.replace("DEMO-2001", "DEMO-2002"));
    shell.run("install renewed.json --replaces DEMO-2001");
    let refused = shell.run("install license.json");
    assert_eq!(refused.exit, Exit::Usage, "{refused}");
    assert!(refused.stderr.contains("hint: --replaces DEMO-2002"), "{refused}");
    let same = LICENSE.replace("DEMO-2001", "DEMO-2002").replace("Example Ltd", "Example Inc");
    shell.file("same.json", same);
    let same = shell.run("install same.json --replaces DEMO-2002").stdout;
    assert!(same.starts_with("replaced license DEMO-2002 (unsigned)\n"), "{same}");
    let back = shell.run("install license.json --replaces DEMO-2002");
    assert_eq!(back.exit, Exit::Done, "{back}");
    assert!(back.stdout.starts_with("installed license DEMO-2001"), "{back}");
}

#[test]
fn of_several_licenses_one_must_be_named() {
    let mut shell = Shell::installed();
    shell.file("second.json", LICENSE.replace("DEMO-2001", "OTHER-1"));
    expect![[r#"
        $ license install second.json
        installed license OTHER-1 (unsigned)
        PRODUCT                         ALLOWED BEFORE    ALLOWED  HELD  OVER
        4D Client 808464441 (0009)                   0         15     0     0
        4D SQL Server 808464949 (0025)               0          1     0     0
        4D REST Only 808464439 (0007)                0  unlimited     0     0

        $ license usage
        ! license: several licenses are installed (DEMO-2001, OTHER-1): name one of them
        ! hint: name one with --license-number
        [exit code 2]

        $ license usage --json
        {
          "type": "about:blank",
          "title": "Ambiguous license",
          "status": 409,
          "code": "ambiguous_license",
          "detail": "several licenses are installed (DEMO-2001, OTHER-1): name one of them",
          "licenseNumbers": [
            "DEMO-2001",
            "OTHER-1"
          ]
        }
        ! license: several licenses are installed (DEMO-2001, OTHER-1): name one of them
        ! hint: name one with --license-number
        [exit code 2]

        $ license usage --license-number OTHER-1
        nothing is retained

        $ license info --license-number NONE
        ! license: license `NONE` is not installed
        ! hint: `license install FILE` installs a license, `license store check` lists them
        [exit code 3]

    "#]]
    .assert_eq(&shell.transcript(
        "install second.json
         usage
         usage --json
         usage --license-number OTHER-1
         info --license-number NONE",
    ));
    shell.variables.insert("LICENSE_NUMBER".into(), "OTHER-1".into());
    assert_eq!(shell.json("info --json", "license-info")["licenseNumber"], "OTHER-1");
}

#[test]
fn a_document_is_refused_with_every_place_that_is_wrong() {
    let shell = Shell::new();
    let broken =
        LICENSE.replace(r#""count": 5"#, r#""count": 40000"#).replace("\"key\"", "\"kee\"");
    shell.file("broken.json", broken);
    shell.file("cut.json", &LICENSE[..100]);
    shell.file("twice.json", LICENSE.replacen("{", "{ \"key\": 1,", 1));
    shell.file("signed.json", r#"{"payload": "…", "sig": "…"}"#);
    shell.file(
        "february.json",
        LICENSE.replace(r#""day": 2, "month": 6"#, r#""day": 31, "month": 6"#),
    );
    expect![[r#"
        $ license install broken.json
        ! license: broken.json does not conform to the schema license-info
        ! 1:1: "key" is missing
        ! 3:10: /kee: "kee" is not allowed here
        ! 20:20: /products/0/rights/0/count: 40000 is greater than the maximum of 32767
        ! hint: `license schema license-info` prints it
        [exit code 2]

        $ license install cut.json
        ! license: cut.json:6:1: EOF while parsing a value
        ! hint: correct the JSON here
        [exit code 2]

        $ license install twice.json
        ! license: twice.json:3:7: the member `key` occurs twice
        ! hint: correct the JSON here
        [exit code 2]

        $ license install signed.json
        ! license: signed.json: the member `payload` marks a signed license, which this version cannot verify
        [exit code 2]

        $ license install february.json
        ! license: february.json: 2036-06-31 is no day of the calendar (at `/expirationDate`)
        [exit code 2]

        $ license install missing.json
        ! license: cannot read missing.json: No such file or directory (os error 2)
        [exit code 2]

        $ license install cut.json --license-number DEMO-2001
        ! license: --license-number names an installed license
        ! hint: install reads the number from the document; --replaces NUMBER renews another
        [exit code 2]

        $ license install --json cut.json
        {
          "type": "about:blank",
          "title": "Bad request",
          "status": 400,
          "code": "bad_request",
          "detail": "cut.json:6:1: EOF while parsing a value"
        }
        ! license: cut.json:6:1: EOF while parsing a value
        ! hint: correct the JSON here
        [exit code 2]

    "#]].assert_eq(&shell.transcript(
        "install broken.json
         install cut.json
         install twice.json
         install signed.json
         install february.json
         install missing.json
         install cut.json --license-number DEMO-2001
         install --json cut.json",
    ));
    shell.file("license.json", LICENSE);
    assert_eq!(shell.run("install license.json --replaces NONE").exit, Exit::Refused);
    assert!(!shell.path("license.db").exists(), "a refused document leaves no store behind");
}

#[test]
fn comments_are_read_and_counters_of_the_document_are_not_believed() {
    let shell = Shell::new();
    let document = LICENSE
        .replacen("{", "{ // from the store, 2026", 1)
        .replace(r#""allowedCount": 15"#, r#""allowedCount": 25"#);
    shell.file("license.json", format!("\u{feff}{document}"));
    expect![[r#"
        $ license install license.json
        installed license DEMO-2001 (unsigned)
        PRODUCT                         ALLOWED BEFORE    ALLOWED  HELD  OVER
        4D Client 808464441 (0009)                   0         15     0     0
        4D SQL Server 808464949 (0025)               0          1     0     0
        4D REST Only 808464439 (0007)                0  unlimited     0     0
        ! license: warning: /products/0/allowedCount says 25; 15 is computed and counts

    "#]]
    .assert_eq(&shell.transcript("install license.json"));
}

#[test]
fn a_license_is_read_from_stdin() {
    let mut shell = Shell::new();
    shell.stdin = LICENSE.into();
    assert_eq!(shell.run("install -").exit, Exit::Done);
    assert_eq!(shell.json("info --json", "license-info")["licenseNumber"], "DEMO-2001");
}

#[test]
fn expired_rights_are_marked() {
    let shell = Shell::installed();
    shell.clock.set("2034-11-01T23:59:59Z".parse().unwrap());
    let last_second = shell.run("info").stdout;
    shell.clock.set("2036-06-03T00:00:00Z".parse().unwrap());
    let after_all = shell.run("info").stdout;
    expect![[r#"
        4D Server v20, license DEMO-2001, valid until 2036-06-02
        for Example Ltd, Ann Example <ann@example.com>
        PRODUCT                         USED    ALLOWED       LEFT  RIGHTS
        4D Client 808464441 (0009)         0         15         15  5 until 2035-02-01, 10 until 2034-11-01, 10 until 2015-11-01 (expired)
        4D SQL Server 808464949 (0025)     0          1          1  1
        4D REST Only 808464439 (0007)      0  unlimited  unlimited  unlimited

        4D Server v20, license DEMO-2001, valid until 2036-06-02 (expired)
        for Example Ltd, Ann Example <ann@example.com>
        PRODUCT                         USED  ALLOWED  LEFT  RIGHTS
        4D Client 808464441 (0009)         0        0     0  5 until 2035-02-01 (expired), 10 until 2034-11-01 (expired), 10 until 2015-11-01 (expired)
        4D SQL Server 808464949 (0025)     0        0     0  1
        4D REST Only 808464439 (0007)      0        0     0  unlimited
    "#]].assert_eq(&format!("{last_second}\n{after_all}"));
}

#[test]
fn a_sum_that_looks_like_unlimited_is_a_number() {
    let shell = Shell::new();
    let rights = r#""rights": [{ "count": 32766 }, { "count": 1 }]"#;
    shell.file("license.json", LICENSE.replace(r#""rights": [{ "count": 32767 }]"#, rights));
    shell.run("install license.json");
    let info = shell.run("info").stdout;
    let line = info.lines().find(|line| line.contains("(0007)")).unwrap();
    assert!(!line.contains("unlimited"), "{line}");
    let available = shell.run("available 0007").stdout;
    assert_eq!(available, "yes: 808464439 (0007) has 32767 of 32767 left\n");
    // One more, of which one is used: so many are left, and no more.
    shell.file(
        "license.json",
        LICENSE.replace(r#"{ "count": 32767 }"#, r#"{ "count": 32766 }, { "count": 2 }"#),
    );
    shell.run("install license.json");
    shell.run("retain --product 0007 --session job-7");
    let available = shell.run("available 0007").stdout;
    assert_eq!(available, "yes: 808464439 (0007) has 32767 of 32768 left\n");
}

#[test]
fn an_unlimited_product_is_said_to_be_so_whether_it_is_used_or_not() {
    let shell = Shell::installed();
    for _ in 0..2 {
        assert_eq!(shell.run("available 0007").stdout, "yes: 808464439 (0007) is unlimited\n");
        shell.run("retain --product 0007 --session job-7");
    }
}

#[test]
fn a_number_that_no_address_can_name_is_refused() {
    let long = "\u{e4}".repeat(256);
    for number in ["", "active", "..", "a/b", "a\\u0007b", &long] {
        let shell = Shell::new();
        shell.file("license.json", LICENSE.replace("DEMO-2001", number));
        let output = shell.run("install license.json");
        assert_eq!(output.exit, Exit::Usage, "{number}: {}", output.stderr);
        assert!(output.stderr.contains("/licenseNumber"), "{number}: {}", output.stderr);
        assert!(output.stderr.len() < 200, "{}", output.stderr);
    }
}

#[test]
fn a_file_that_is_no_license_by_its_size_is_not_read_to_its_end() {
    let shell = Shell::new();
    shell.file("license.json", " ".repeat((1 << 20) + 1));
    let output = shell.run("install license.json");
    assert_eq!(output.exit, Exit::Usage);
    assert!(output.stderr.contains("1 MiB"), "{}", output.stderr);
}
