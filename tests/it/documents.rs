//! License documents: what is read from them, and what each is refused for.

use expect_test::{Expect, expect};
use license_core::{Digest, License, SAMPLE_LICENSE};

use crate::scripts::{self, core::CoreEngine, script::Step};

fn parse(text: &str) -> License {
    License::parse(text.as_bytes()).unwrap()
}

/// Checks what the sample is refused for once `from` became `to`.
fn refused(from: &str, to: &str, message: &Expect) {
    assert!(SAMPLE_LICENSE.contains(from), "the sample has no {from}");
    let document = SAMPLE_LICENSE.replacen(from, to, 1);
    message.assert_eq(&License::parse(document.as_bytes()).unwrap_err().to_string());
}

#[test]
fn comments_and_a_byte_order_mark_are_passed_over_and_kept_in_the_text() {
    let commented = SAMPLE_LICENSE
        .replace("{\n  \"name\"", "\u{feff}{ // the \"product\"\r\n  // {\n\"name\"")
        .replace("Example Ltd", "http://example.com \\\" // no comment");
    let license = parse(&commented);
    assert_eq!(license.info().company_name, "http://example.com \" // no comment");
    assert_eq!(license.text(), commented);
    assert_eq!(license.digest(), Digest::of(commented.as_bytes()));
    assert_eq!(license.info().products, parse(SAMPLE_LICENSE).info().products);
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    refused("\"key\": 123456789,", "\"key\": ,", &expect!["expected value (line 3, column 10)"]);
    refused("\"key\": 123456789,", "/* no */", &expect!["key must be a string (line 3, column 3)"]);
    let error = License::parse(b"{\"name\": \"\xff\"}").unwrap_err().to_string();
    expect!["byte 10 is not UTF-8: a license is a JSON text in UTF-8"].assert_eq(&error);
}

#[test]
fn a_repeated_member_is_refused_with_its_place() {
    refused(
        "\"count\": 5,",
        "\"count\": 5, \"count\": 50,",
        &expect!["the member `count` occurs twice (line 18, column 29)"],
    );
}

#[test]
fn what_looks_signed_is_not_read_as_unsigned() {
    refused(
        "\"key\":",
        "\"sig\": \"\", \"key\":",
        &expect!["the member `sig` marks a signed license, which this version cannot verify"],
    );
    let error = License::parse(br#"{"payload": "e30", "sig": "AA"}"#).unwrap_err().to_string();
    expect!["the member `payload` marks a signed license, which this version cannot verify"]
        .assert_eq(&error);
}

#[test]
fn what_is_not_a_license_is_refused_with_its_place() {
    refused("\"key\": 123456789,", "", &expect!["is missing (at `/key`)"]);
    refused(
        "\"count\": 5,",
        "\"count\": 32768,",
        &expect![
            "32768 is no RightCount: expected an integer from 0 to 32767 (at `/products/0/rights/0/count`)"
        ],
    );
    refused(
        "\"year\": 2045",
        "\"year\": null",
        &expect![[
            r#"is null, expected an integer from 1 to 9999 (at `/products/0/rights/0/expirationDate/year`)"#
        ]],
    );
    let error = License::parse(b"null").unwrap_err().to_string();
    expect![[r#"is null, expected an object (at ``)"#]].assert_eq(&error);
}

#[test]
fn a_day_that_does_not_exist_is_refused_with_its_place() {
    refused(
        "\"day\": 1, \"month\": 11, \"year\": 2044",
        "\"day\": 29, \"month\": 2, \"year\": 2045",
        &expect!["2045-02-29 is no day of the calendar (at `/products/0/rights/1/expirationDate`)"],
    );
    refused(
        "\"products\": [",
        "\"expirationDate\": {\"day\": 31, \"month\": 4, \"year\": 2040}, \"products\": [",
        &expect!["2040-04-31 is no day of the calendar (at `/expirationDate`)"],
    );
}

#[test]
fn a_repeated_product_is_refused_with_its_place() {
    refused(
        "808464949",
        "808464441",
        &expect![
            "product 808464441 (0009) is listed already: list it once, with all its rights (at `/products/2`)"
        ],
    );
}

#[test]
fn a_text_that_not_every_store_can_hold_is_refused_with_its_place() {
    refused(
        "SQL Server",
        "SQL\\u0000Server",
        &expect!["a text contains U+0000: take it out (line 32, column 34)"],
    );
}

#[test]
fn a_number_that_cannot_name_a_license_is_refused() {
    refused(
        "SAMPLE-0001",
        "",
        &expect!["`` cannot be the number of a license (at `/licenseNumber`)"],
    );
    refused(
        "SAMPLE-0001",
        "active",
        &expect!["`active` cannot be the number of a license (at `/licenseNumber`)"],
    );
}

#[test]
fn every_number_that_a_license_bore_points_to_its_ledger() {
    let mut engine = CoreEngine::new();
    for (line, numbers) in [
        ("license number=A 0009=1", "A"),
        ("license number=B replaces=A 0009=1", "A B"),
        ("license number=C replaces=A 0009=1", "A B C"),
        ("license number=A 0009=2", "B C A"),
        ("license number=D replaces=E 0009=2", "B C A"),
    ] {
        scripts::answer(&mut engine, &Step::parse(line).unwrap());
        assert_eq!(engine.ledger().license_numbers().collect::<Vec<_>>().join(" "), numbers);
    }
}

#[test]
fn the_last_day_of_the_calendar_does_not_end() {
    let text = SAMPLE_LICENSE.replace(
        "\"day\": 1, \"month\": 2, \"year\": 2045",
        "\"day\": 31, \"month\": 12, \"year\": 9999",
    );
    let mut ledger = license_core::Ledger::new();
    let install = license_core::Command::Install(license_core::Install::new(parse(&text)));
    let (stamp, end) = (license_core::Stamp::local(), jiff::Timestamp::MAX);
    for event in license_core::decide(&ledger, &install, &stamp, end).unwrap().events {
        let entry = ledger.seal(event, &stamp, end);
        ledger.apply(&entry).unwrap();
    }
    assert_eq!(ledger.availability("0009".parse().unwrap(), end).allowed_count.get(), 5);
}
