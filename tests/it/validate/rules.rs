//! The rules that no schema can state: each is broken by a report that the schema accepts.

use jiff::civil::date;
use license_validate::{
    Judge, Profile,
    rules::{Rule, Rules},
};
use serde_json::{Value, json};

use super::told;

fn rest(token: u64, session: &str) -> Value {
    json!({"productId": 1, "productName": "", "productUsedCount": token, "productBalance": 0,
        "globalProductUsedCount": token, "token": token, "time": "2021-12-01T15:36:42Z",
        "reason": "", "session": {"userName": "", "sessionID": session, "IPAddress": "",
        "isDatastore": false}})
}

fn client(token: u64, id: &str) -> Value {
    let mut record = rest(token, "");
    record["session"] = json!({"type": "web", "userName": "", "machineName": "", "IPAddress": "",
        "hostType": "mac", "creationDateTime": "2021-12-01T15:36:40Z", "state": "active", "ID": id});
    record
}

/// The record, with one value replaced.
fn with(mut record: Value, at: &str, value: Value) -> Value {
    let (parent, name) = at.rsplit_once('/').unwrap();
    let parent = record.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
    record
}

/// Places and names of the rules that are broken, read as a report and as NDJSON.
#[track_caller]
fn check(records: &[Value], expected: &[&str]) {
    let judge = Judge::new(Profile::Observed).rules(Rules::all(date(2026, 1, 5)));
    let report = Value::from(records.to_vec()).to_string();
    let found: Vec<String> = told(&judge, &report).0.iter().map(|line| shorten(line)).collect();
    assert_eq!(found, expected);
    assert_eq!(told(&Judge::new(Profile::Observed), &report).0, [""; 0], "a schema says so too");

    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    let judge = judge.lines(true);
    let found: Vec<String> = told(&judge, lines).0.iter().map(|line| shorten(line)).collect();
    let in_record = |line: &&str| line[line[1..].find('/').map_or(0, |at| at + 1)..].to_owned();
    assert_eq!(found, expected.iter().map(in_record).collect::<Vec<_>>());
}

/// "pointer rule" of a line that was told.
fn shorten(line: &str) -> String {
    line.split_once(' ').unwrap().1.split(':').next().unwrap().to_owned()
}

#[test]
fn a_report_that_adds_up_breaks_no_rule() {
    check(&[], &[]);
    check(
        &[rest(1, "A"), rest(2, "B"), client(3, &"0".repeat(32)), client(7, &"1".repeat(32))],
        &[],
    );
}

#[test]
fn tokens_are_told_apart_and_in_order() {
    check(&[rest(2, "A"), with(rest(2, "B"), "/productId", json!(2))], &["/1/token tokens-once"]);
    check(&[rest(3, "A"), rest(2, "B")], &["/1/token tokens-in-order"]);
    let record = with(rest(4, "A"), "/session/licenseToken", json!(5));
    check(&[record], &["/0/session/licenseToken license-token"]);
    check(&[with(rest(4, "A"), "/session/licenseToken", json!(4.0))], &[]);
}

#[test]
fn counters_may_not_contradict_each_other() {
    let record = with(rest(2, "A"), "/productUsedCount", json!(3));
    check(&[record], &["/0/productUsedCount used-within-global"]);
    let record = with(rest(2, "A"), "/productUsedCount", json!(0));
    check(&[record], &["/0/productUsedCount counts-include-own"]);
    let mut record = with(rest(2, "A"), "/productUsedCount", json!(0));
    record.as_object_mut().unwrap().shift_remove("globalProductUsedCount");
    check(
        &[record],
        &["/0/productUsedCount counts-cover-held", "/0/productUsedCount counts-include-own"],
    );
}

#[test]
fn a_count_covers_what_is_still_held() {
    let one = |token| {
        with(
            with(rest(token, &token.to_string()), "/productUsedCount", json!(1)),
            "/globalProductUsedCount",
            json!(1),
        )
    };
    check(&[one(5), one(6)], &["/1/globalProductUsedCount counts-cover-held"]);
    check(&[one(5), with(one(6), "/productId", json!(2))], &[]);
    // Listed late, it was still retained first: nothing was held then.
    check(&[one(6), one(5)], &["/1/token tokens-in-order"]);
}

#[test]
fn a_session_holds_a_product_once() {
    check(&[rest(1, "A"), rest(2, "A")], &["/1/session/sessionID held-once"]);
    check(&[rest(1, "A"), with(rest(2, "A"), "/productId", json!(2))], &[]);
    let (plain, dashed) = ("AB".repeat(16), "abababab-ABAB-ABAB-ABAB-ABABABABABAB");
    check(&[client(1, &plain), client(2, dashed)], &["/1/session/ID held-once"]);
    check(&[client(1, &plain), rest(2, &plain)], &[]);
}

#[test]
fn days_that_do_not_exist_are_told() {
    let record = with(client(1, &"0".repeat(32)), "/time", json!("2021-02-31T15:36Z"));
    let record = with(record, "/session/creationDateTime", json!("2023-02-29T15:36:42Z"));
    check(&[record], &["/0/time dates-exist", "/0/session/creationDateTime dates-exist"]);
}

/// The arithmetic of the documentation: 5 until 2018-02-01, 10 until 2017-11-01, 10 long expired.
fn info() -> Value {
    json!({"name": "", "licenseNumber": "", "version": "", "userName": "", "userMail": "",
        "companyName": "", "platforms": [], "products": [
            {"id": 1, "name": "", "usedCount": 99, "allowedCount": 15, "rights": [
                {"count": 5, "expirationDate": {"day": 1, "month": 2, "year": 2018}},
                {"count": 10, "expirationDate": {"day": 1, "month": 11, "year": 2017}},
                {"count": 10, "expirationDate": {"day": 1, "month": 11, "year": 2015}}]}]})
}

#[track_caller]
fn check_info(info: &Value, today: jiff::civil::Date, expected: &[&str]) {
    let judge = Judge::new(Profile::Observed).rules(Rules::all(today));
    let (lines, _) = told(&judge, info.to_string());
    let found: Vec<&str> = lines.iter().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(found, expected);
    assert_eq!(told(&Judge::new(Profile::Observed), info.to_string()).0, [""; 0]);
}

#[test]
fn allowed_is_the_sum_of_the_rights_that_are_valid_that_day() {
    check_info(&info(), date(2017, 11, 1), &[]);
    let after = "/products/0/allowedCount allowed-count: is not what the rights allow that are \
                 valid on 2017-11-02: 15, expected 5";
    check_info(&info(), date(2017, 11, 2), &[after]);

    let end = json!({"day": 31, "month": 10, "year": 2017});
    let ended = with(info(), "/expirationDate", end);
    check_info(&ended, date(2017, 10, 31), &[]);
    let after = "/products/0/allowedCount allowed-count: is not what the rights allow that are \
                 valid on 2017-11-01: 15, expected 0";
    check_info(&ended, date(2017, 11, 1), &[after]);
}

#[test]
fn a_valid_right_of_32767_is_without_limit() {
    let unlimited = with(info(), "/products/0/rights/0/count", json!(32767));
    check_info(
        &with(unlimited.clone(), "/products/0/allowedCount", json!(32767)),
        date(2017, 11, 1),
        &[],
    );
    check_info(&with(unlimited, "/products/0/allowedCount", json!(0)), date(2018, 2, 2), &[]);
    let close = with(info(), "/products/0/rights/0/count", json!(32766));
    check_info(&with(close, "/products/0/allowedCount", json!(32776)), date(2017, 11, 1), &[]);
}

#[test]
fn a_license_lists_a_product_once_and_days_that_exist() {
    let mut twice = info();
    let product = twice["products"][0].clone();
    twice["products"].as_array_mut().unwrap().push(product);
    let sentence = "/products/1/id products-once: stands for a second product of the license: 1";
    check_info(&twice, date(2017, 11, 1), &[sentence]);

    // Whether a right is valid that ends on no day, nobody can tell: its sum is not judged.
    let day = json!({"day": 31, "month": 2, "year": 2018});
    let odd = with(info(), "/products/0/rights/0/expirationDate", day);
    let sentence =
        "/products/0/rights/0/expirationDate dates-exist: is no day of the calendar: 2018-2-31";
    check_info(&odd, date(2026, 1, 5), &[sentence]);
}

#[test]
fn only_the_rules_that_are_asked_for_are_judged() {
    let records = Value::from(vec![rest(2, "A"), rest(2, "A")]).to_string();
    let judge = Judge::new(Profile::Observed);
    let only = judge.clone().rules(Rules::only(date(2026, 1, 5), [Rule::HeldOnce]));
    let sentence = "is a session that holds the product already";
    let found = told(&only, &records).0;
    assert!(found.len() == 1 && found[0].ends_with(&format!("{sentence}: product 1")), "{found:?}");
    let masked = told(&only.masked(true), &records).0;
    assert!(masked.len() == 1 && masked[0].ends_with(sentence), "{masked:?}");
}

#[test]
fn what_the_schema_refuses_is_not_judged_by_rules() {
    let record = with(rest(1, "A"), "/productUsedCount", json!(2));
    let record = with(record, "/reason", json!(1));
    let judge = Judge::new(Profile::Observed).rules(Rules::all(date(2026, 1, 5)));
    let (lines, summary) = told(&judge, Value::from(vec![record]).to_string());
    assert!(lines.len() == 1 && lines[0].contains("/0/reason"), "{lines:?}");
    assert_eq!(summary.violations, 1);
}

#[test]
fn every_rule_has_a_name_and_says_what_it_asks() {
    for rule in Rule::ALL {
        assert_eq!(rule.name().parse(), Ok(rule));
        assert!(rule.description().len() > 20);
    }
    let error = "toekns-once".parse::<Rule>().unwrap_err().to_string();
    assert!(error.contains("allowed-count") && error.contains("held-once"), "{error}");
}
