//! `validate` and `schema`.

use expect_test::expect;
use license_cli::Exit;

use super::shell::{Shell, conforming};

mod bulk;

/// A published element of License usage, written out: the documented profile misses two members.
const PUBLISHED: &str = r#"[
  {
    "productId": 808464441,
    "productName": "4D Client",
    "productUsedCount": 1,
    "productBalance": 9,
    "token": 1,
    "time": "2021-12-01T15:36:42+01:00",
    "reason": "CLIENT",
    "session": {
      "type": "remote",
      "userName": "Designer",
      "machineName": "iMac",
      "systemUserName": "ann",
      "IPAddress": "localhost",
      "hostType": "mac",
      "creationDateTime": "2021-12-01T15:36+01:00",
      "state": "postponed",
      "ID": "3C81A8D7AFE64C2E9CCFFCDC35DC52F5",
      "persistentID": "0B6F0A6D2E4B4A1D8E8A4D4D1B1C9F77",
      "licenseToken": 1
    }
  }
]"#;

#[test]
fn what_others_publish_is_accepted_as_observed_and_judged_as_documented() {
    let shell = Shell::new();
    shell.file("usage.json", PUBLISHED);
    shell.file("bom.json", format!("\u{feff}{PUBLISHED}"));
    shell.file("null.json", "null");
    expect![[r#"
        $ license validate usage.json bom.json null.json
        ! license: 3 records: valid

        $ license validate --profile documented usage.json null.json
        usage.json:2:3: /0: "globalProductUsedCount" is missing (/$defs/Retention/required)
        usage.json:17:27: /0/session/creationDateTime: "2021-12-01T15:36+01:00" is no Date and time: An instant with its offset (RFC 3339); the observed profile also reads one without seconds (/$defs/DateTime/pattern)
        null.json:1:1: null is not an array (/type)
        ! license: 2 records: 2 invalid, with 3 violations
        [exit code 3]

        $ license validate --json --profile documented usage.json
        {"file":"usage.json","instancePath":"/0","schemaPath":"/$defs/Retention/required","line":2,"column":3,"message":"\"globalProductUsedCount\" is missing"}
        {"file":"usage.json","instancePath":"/0/session/creationDateTime","schemaPath":"/$defs/DateTime/pattern","line":17,"column":27,"message":"\"2021-12-01T15:36+01:00\" is no Date and time: An instant with its offset (RFC 3339); the observed profile also reads one without seconds","shape":"ClientSession"}
        ! license: 1 record: 1 invalid, with 2 violations
        [exit code 3]

    "#]].assert_eq(&shell.transcript(
        "validate usage.json bom.json null.json
         validate --profile documented usage.json null.json
         validate --json --profile documented usage.json",
    ));
}

#[test]
fn a_report_of_nothing_is_said_to_be_valid() {
    let shell = Shell::new();
    shell.file("none.json", "[]");
    assert_eq!(shell.run("validate none.json").stderr, "license: 0 records: valid\n");
}

#[test]
fn every_value_of_a_stream_is_judged_as_one_record() {
    let shell = Shell::new();
    let record: serde_json::Value = serde_json::from_str(PUBLISHED).unwrap();
    let record = record[0].to_string();
    shell.file(
        "usage.ndjson",
        format!("{record}\n{}\n", record.replace("\"token\":1,", "\"token\":0,")),
    );
    shell.file("One.JSONL", &record);
    shell.file("broken.ndjson", format!("{record}\n{{\"a\": \n{record}\n"));
    expect![[r#"
        $ license validate usage.ndjson
        usage.ndjson:2:98: /token: 0 is less than the minimum of 1 (/$defs/Token/minimum)
        ! license: 2 records: 1 invalid, with 1 violation
        [exit code 3]

        $ license validate One.JSONL
        ! license: 1 record: valid

        $ license validate broken.ndjson
        broken.ndjson:2:6: a value is cut off here: correct the JSON here (malformed)
        ! license: 2 records: valid; 1 part cannot be judged
        [exit code 2]

        $ license validate --json broken.ndjson
        {"file":"broken.ndjson","instancePath":"","schemaPath":"malformed","line":2,"column":6,"message":"a value is cut off here: correct the JSON here"}
        ! license: 2 records: valid; 1 part cannot be judged
        [exit code 2]

    "#]].assert_eq(&shell.transcript(
        "validate usage.ndjson
         validate One.JSONL
         validate broken.ndjson
         validate --json broken.ndjson",
    ));
}

#[test]
fn malformed_input_wins_over_violations_and_hides_nothing() {
    let shell = Shell::new();
    shell.file("bad.json", "[{}]");
    shell.file("cut.json", "[");
    shell.file("other.json", "{\"a\": 1}");
    expect![[r#"
        $ license validate missing.json bad.json cut.json other.json
        bad.json:1:2: /0: "productId" is missing (/$defs/Retention/required)
        bad.json:1:2: /0: "productName" is missing (/$defs/Retention/required)
        bad.json:1:2: /0: "productUsedCount" is missing (/$defs/Retention/required)
        bad.json:1:2: /0: "productBalance" is missing (/$defs/Retention/required)
        bad.json:1:2: /0: "token" is missing (/$defs/Retention/required)
        bad.json:1:2: /0: "time" is missing (/$defs/Retention/required)
        bad.json:1:2: /0: "reason" is missing (/$defs/Retention/required)
        bad.json:1:2: /0: "session" is missing (/$defs/Retention/required)
        cut.json:1:2: a value is cut off here: correct the JSON here (malformed)
        other.json:1:1: nothing tells which schema judges this document: it is no array and has no `products`: name its schema with --schema (malformed)
        ! license: cannot read missing.json: No such file or directory (os error 2)
        ! license: 1 record: 1 invalid, with 8 violations; 2 parts cannot be judged; 1 file cannot be read
        [exit code 2]

        $ license validate --schema availability other.json
        other.json:1:1: "available" is missing (/required)
        other.json:1:1: "productId" is missing (/required)
        other.json:1:1: "allowedCount" is missing (/required)
        other.json:1:1: "usedCount" is missing (/required)
        other.json:1:1: "productBalance" is missing (/required)
        other.json:1:7: /a: "a" is not allowed here (/additionalProperties)
        ! license: 1 record: 1 invalid, with 6 violations
        [exit code 3]

    "#]].assert_eq(&shell.transcript(
        "validate missing.json bad.json cut.json other.json
         validate --schema availability other.json",
    ));
}

#[test]
fn values_are_masked_on_demand() {
    let shell = Shell::new();
    shell.file("usage.json", PUBLISHED.replace("\"postponed\"", "\"geheim\""));
    assert!(shell.run("validate usage.json").stdout.contains("geheim"));
    let masked = shell.run("validate --mask usage.json");
    assert_eq!(masked.exit, Exit::Refused);
    assert!(!masked.to_string().contains("geheim"), "{masked}");
}

#[test]
fn rules_that_no_schema_states_are_asked_for_by_name() {
    let shell = Shell::installed();
    let info = shell.run("info --json").stdout;
    shell.file("info.json", &info);
    shell.file("wrong.json", info.replace("\"allowedCount\": 15", "\"allowedCount\": 25"));
    expect![[r#"
        $ license validate wrong.json
        ! license: 1 record: valid

        $ license validate --rules all info.json
        ! license: 1 record: valid

        $ license validate --rules allowed-count,tokens-once wrong.json
        wrong.json:28:23: /products/0/allowedCount: is not what the rights allow that are valid on 2026-01-05: 25, expected 15 (allowed-count)
        ! license: 1 record: 1 invalid, with 1 violation
        [exit code 3]

        $ license validate --rules all --at 2034-12-24 info.json
        info.json:28:23: /products/0/allowedCount: is not what the rights allow that are valid on 2034-12-24: 15, expected 5 (allowed-count)
        ! license: 1 record: 1 invalid, with 1 violation
        [exit code 3]

        $ license validate --rules allowedcount info.json
        ! license: invalid value 'allowedcount' for '--rules <NAME>'
        !   [possible values: allowed-count, dates-exist, products-once, used-within-global, counts-include-own, counts-cover-held, tokens-once, tokens-in-order, license-token, held-once, all]
        ! 
        !   tip: a similar value exists: 'allowed-count'
        ! 
        ! For more information, try '--help'.
        [exit code 2]

        $ license validate --list-rules
        RULE                ASKS THAT
        allowed-count       `allowedCount` is the sum of the rights that are valid on the given day, or 32767 where one of them is; 0 after the license's own last day
        dates-exist         every date is a day of the calendar, which 31 February is not
        products-once       a license lists each product id once
        used-within-global  `productUsedCount` counts one server, so it is at most `globalProductUsedCount`
        counts-include-own  `productUsedCount` and `globalProductUsedCount` include the retention that they stand in, so they are at least 1
        counts-cover-held   the used count over all servers is at least the number of the product's retentions up to it that are still in the report
        tokens-once         no two retentions have the same token
        tokens-in-order     retentions are listed in the order of their tokens
        license-token       `session.licenseToken` is the `token` of the retention
        held-once           a session, told by `ID` or `sessionID`, holds each product at most once

    "#]].assert_eq(&shell.transcript(
        "validate wrong.json
         validate --rules all info.json
         validate --rules allowed-count,tokens-once wrong.json
         validate --rules all --at 2034-12-24 info.json
         validate --rules allowedcount info.json
         validate --list-rules",
    ));
}

#[test]
fn stdin_is_read_where_a_dash_stands() {
    let mut shell = Shell::new();
    shell.stdin = PUBLISHED.into();
    expect![[r#"
        $ license validate -
        ! license: 1 record: valid

        $ license validate --profile documented --schema license-usage -
        <stdin>:2:3: /0: "globalProductUsedCount" is missing (/$defs/Retention/required)
        <stdin>:17:27: /0/session/creationDateTime: "2021-12-01T15:36+01:00" is no Date and time: An instant with its offset (RFC 3339); the observed profile also reads one without seconds (/$defs/DateTime/pattern)
        ! license: 1 record: 1 invalid, with 2 violations
        [exit code 3]

    "#]].assert_eq(&shell.transcript(
        "validate -
         validate --profile documented --schema license-usage -",
    ));
}

#[test]
fn a_long_input_shows_its_progress_on_a_terminal_only() {
    let mut shell = Shell::new();
    let record: serde_json::Value = serde_json::from_str(PUBLISHED).unwrap();
    shell.file("usage.ndjson", format!("{}\n", record[0]).repeat(12_000));
    assert!(!shell.run("validate usage.ndjson").stderr.contains('\r'));
    shell.terminal = Some(80);
    let said = shell.run("validate usage.ndjson").stderr;
    assert!(said.starts_with("\r\x1b[2Kusage.ndjson: "), "{said:?}");
    assert!(said.ends_with("\r\x1b[2Klicense: 12000 records: valid\n"), "{said:?}");
}

#[test]
fn schemas_are_listed_and_printed_as_they_are_published() {
    let shell = Shell::new();
    expect![[r#"
        $ license schema
        SCHEMA              DESCRIBES
        availability        Whether a license of a product can be retained now, and why not.
        clock-correction    What was said of the clock of a store: it is believed, whatever it showed before.
        credential          What a store tells of a credential; never its secret.
        credential-list     The credentials of a store, in the order in which they were made.
        credential-receipt  A credential that was just made; its secret is shown this once.
        entry               One line of a ledger's log; lines are only ever appended.
        health              Whether a server lives, or is ready to serve.
        install-receipt     What installing a license changed.
        license-info        The installed license with its live counters, or null where no local license is used.
        license-list        The installed licenses, one summary each.
        license-report      What became of each product on each day, in the order of the days.
        license-usage       The licenses that are retained now, one record each, in the order of their tokens.
        log-reset           What a client has heard of the log does not lead to what comes: it must read everything anew.
        month-report        What became of each product in each month, in the order of the months: the figures of its days, put together. A month in which a product was neither held nor refused has none.
        problem             A refusal or an error as data (RFC 9457).
        product-day         What became of one product on one day: what capacity is planned by. A day on which a product was neither held nor refused has none.
        release-receipt     The retentions that ended, in the order of their tokens.
        renew-list-receipt  What became of each session that was to be renewed, in the order of the request.
        renew-list-request  Renews every lease of many sessions at once.
        renew-receipt       What the session still holds, in the order of the tokens.
        renew-request       Renews every lease of a session, and may tell its new state.
        retain-receipt      What a session holds after it retained or renewed.
        retain-request      Asks for one license; the license, session and product are named beside it.
        retention           One license of one product, held by one session; its counters are frozen at the moment of retention.
        schema-list         The schemas that are published.
        server-list         The servers that share a store, in the order of their names.
        server-status       One of the servers that share a store.
        session             The session that retains a license, in one of three shapes; each is told by the two properties that only it has.
        store-check         What a check of a store found.
        store-copy          What was copied from one store to another.
        uninstall-receipt   The license that is not installed any more; its history stays.
        usage-report        Figures per product and day or month, from usage reports that were exported at some instants. They are what these reports prove, so each is a lower bound: no report shows what was retained and released between two of them.
        violation           One place of a document that breaks one rule of its schema.
        violation-summary   What was judged, and how often each rule was broken where.

        $ license schema licence-usage
        ! license: invalid value 'licence-usage' for '[NAME]'
        !   [possible values: availability, clock-correction, credential, credential-list, credential-receipt, entry, health, install-receipt, license-info, license-list, license-report, license-usage, log-reset, month-report, problem, product-day, release-receipt, renew-list-receipt, renew-list-request, renew-receipt, renew-request, retain-receipt, retain-request, retention, schema-list, server-list, server-status, session, store-check, store-copy, uninstall-receipt, usage-report, violation, violation-summary]
        ! 
        !   tip: a similar value exists: 'license-usage'
        ! 
        ! For more information, try '--help'.
        [exit code 2]

    "#]].assert_eq(&shell.transcript("schema\nschema licence-usage"));
    let documented = shell.run("schema license-usage").stdout;
    let observed = shell.run("schema license-usage --profile observed").stdout;
    assert_ne!(documented, observed);
    for text in [documented, observed] {
        let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        assert!(validator.is_valid(&serde_json::json!([])));
    }
    let names: Vec<String> = serde_json::from_str(&shell.run("schema --json").stdout).unwrap();
    assert!(names.contains(&"license-info".to_owned()));
}

#[test]
fn violations_are_documented_values_too() {
    let shell = Shell::new();
    shell.file("bad.json", "[{}, 1]");
    let output = shell.run("validate --json bad.json");
    assert!(output.stdout.lines().count() > 2, "{output}");
    output.stdout.lines().for_each(|line| drop(conforming(line, "violation")));
}
