//! Every way in which a page can drift from the schemas, and what is said of it.

use expect_test::{Expect, expect};

use super::*;

fn check_drift(file: &str, old: &str, new: &str, expected: &Expect) {
    expected.assert_eq(&findings(&with(&page(file), old, new)));
}

#[test]
fn a_removed_property() {
    let text = page("license-usage.en.flattened.txt");
    let line = text.lines().find(|line| line.starts_with("token")).unwrap();
    expect![[r#"
        page:16: Retention.token: the page says nothing; the schema says Number
    "#]]
    .assert_eq(&findings(&with(&text, &format!("{line}\n"), "")));
}

#[test]
fn an_added_property() {
    check_drift(
        "license-usage.en.flattened.txt",
        "tokenNumber",
        "colourText (enum)Possible values: \"red\"\ntokenNumber",
        &expect![[r#"
            page:22: Retention.colour: the page says Text (enum) "red"; the schema says nothing
        "#]],
    );
}

#[test]
fn a_renamed_property_is_a_removed_and_an_added_one() {
    check_drift(
        "license-usage.fr.doc-center.txt",
        "| token |",
        "| jeton |",
        &expect![[r#"
            page:22: Retention.jeton: the page says Number; the schema says nothing (a new name of `token`?)
            page:16: Retention.token: the page says nothing; the schema says Number (now `jeton`?)
        "#]],
    );
}

#[test]
fn properties_renamed_together_are_told_apart_by_their_places() {
    let text = with(&page("license-usage.en.flattened.txt"), "productUsedCount", "used");
    expect![[r#"
        page:19: Retention.used: the page says Number; the schema says nothing (a new name of `productUsedCount`?)
        page:20: Retention.balance: the page says Number; the schema says nothing (a new name of `productBalance`?)
        page:16: Retention.productUsedCount: the page says nothing; the schema says Number (now `used`?)
        page:16: Retention.productBalance: the page says nothing; the schema says Number (now `balance`?)
    "#]].assert_eq(&findings(&with(&text, "productBalance", "balance")));
}

#[test]
fn a_property_renamed_alone_may_have_moved() {
    let (old, new) = ("userNameTextUser of the session\nuserIdNumber", "numberNumber");
    let text = with(&page("license-usage.en.flattened.txt"), old, new);
    let text = with(&text, "Number of the user\n", "Number of the user\nuserNameTextUser\n");
    expect![[r#"
        page:50: SQL session.number: the page says Number; the schema says nothing (a new name of `userId`?)
        page:47: SQL session.userId: the page says nothing; the schema says Number (now `number`?)
    "#]].assert_eq(&findings(&text));
}

#[test]
fn a_name_that_a_translation_lost() {
    check_drift(
        "license-info.pt.md",
        "| key  ",
        "| \\|  ",
        &expect![[r#"
            page:58: License info.|: the page says Number; the schema says nothing (a new name of `key`?)
            page:55: License info.key: the page says nothing; the schema says Number (now `|`?)
        "#]],
    );
}

#[test]
fn a_property_listed_twice() {
    check_drift(
        "license-usage.en.flattened.txt",
        "tokenNumber",
        "tokenNumberSome\ntokenNumber",
        &expect![[r#"
            page:23: Retention.token: the page says it a second time; the schema says it once
        "#]],
    );
}

#[test]
fn a_retyped_property() {
    check_drift(
        "license-usage.ja.flattened.txt",
        "token数値",
        "tokenテキスト",
        &expect![[r#"
            page:22: Retention.token: the page says Text; the schema says Number
        "#]],
    );
}

#[test]
fn a_date_where_the_schema_has_any_text() {
    check_drift(
        "license-usage.en.flattened.txt",
        "reasonText",
        "reasonDate ISO 8601",
        &expect![[r#"
            page:24: Retention.reason: the page says Date ISO 8601; the schema says Text
        "#]],
    );
}

#[test]
fn text_for_a_date_is_no_drift_since_a_format_refines_text() {
    let old = "creationDateTimeDate ISO 8601";
    check_drift("license-usage.en.flattened.txt", old, "creationDateTimeText", &expect![]);
}

#[test]
fn a_collection_of_something_else() {
    check_drift(
        "license-info.en.flattened.txt",
        "of strings",
        "of objects",
        &expect![[r#"
            page:51: License info.attributes: the page says Collection of Object; the schema says Collection of Text
        "#]],
    );
}

#[test]
fn a_type_in_new_words() {
    check_drift(
        "license-usage.en.md",
        "| Boolean  |",
        "| Truth    |",
        &expect![[r#"
            page:70: REST session.isDatastore: the page says `Truth`, a type that xtask/src/pages/words.rs does not know; the schema says Boolean
        "#]],
    );
}

#[test]
fn a_type_in_new_words_where_nothing_separates_it_from_the_name() {
    check_drift(
        "license-usage.en.flattened.txt",
        "DatastoreBoolean",
        "DatastoreTruth",
        &expect![[r#"
            page:61: REST session.isDatastoreTruthWhether: the page says no type; the schema says nothing
            page:57: REST session.isDatastore: the page says nothing; the schema says Boolean
        "#]],
    );
}

#[test]
fn an_enum_with_another_value() {
    check_drift(
        "license-usage.en.flattened.txt",
        "\"browser\"",
        "\"browser\", \"linux\"",
        &expect![[r#"
            page:37: Client session.hostType: the page says "windows", "mac", "browser", "linux"; the schema says "windows", "mac", "browser"
        "#]],
    );
}

#[test]
fn an_enum_without_values() {
    check_drift(
        "license-usage.en.md",
        "Possible values",
        "Values",
        &expect![[r#"
            page:39: Client session.type: the page says no values; the schema says "remote", "storedProcedure", "web", "rest"
        "#]],
    );
}

#[test]
fn an_enum_that_became_any_text() {
    check_drift(
        "license-usage.fr.md",
        "Texte (enum)",
        "Texte",
        &expect![[r#"
            page:39: Client session.type: the page says Text; the schema says Text (enum) "remote", "storedProcedure", "web", "rest"
        "#]],
    );
}

#[test]
fn an_optional_property_that_became_required() {
    check_drift(
        "license-info.fr.md",
        " (facultatif, écrit",
        " (écrit",
        &expect![[r#"
            page:81: Right.expirationDate: the page says required; the schema says optional
        "#]],
    );
}

#[test]
fn a_required_property_that_became_optional() {
    check_drift(
        "license-info.ja.md",
        "契約の番号",
        "契約の番号（任意）",
        &expect![[r#"
            page:59: License info.licenseNumber: the page says optional; the schema says required
        "#]],
    );
}

#[test]
fn a_json_block_that_contradicts_the_table() {
    check_drift(
        "license-info.fr.md",
        "\"renewalFailureCount\": 0, // facultatif",
        "\"renewalFailureCount\": \"0\",",
        &expect![[r#"
            page:35: License info.renewalFailureCount: the JSON block of the page says Text; the schema says Number
            page:35: License info.renewalFailureCount: the JSON block of the page says required; the schema says optional
        "#]],
    );
}

#[test]
fn a_json_block_that_contradicts_the_table_on_an_inner_object() {
    check_drift(
        "license-info.en.flattened.txt",
        "\"count\": 0,",
        "\"number\": 0, // optional",
        &expect![[r#"
            page:36: Right.number: the JSON block of the page says Number, optional; the schema says nothing (a new name of `count`?)
            page:36: Right.count: the JSON block of the page says nothing; the schema says Number (now `number`?)
        "#]],
    );
}

#[test]
fn a_missing_table() {
    let text = page("license-usage.pt.md");
    let (before, after) = text.split_once("#### Uma sessão SQL").unwrap();
    let (_, after) = after.split_once("#### Uma sessão REST").unwrap();
    expect![[r#"
        page: SQL session: the page says nothing in a table; the schema says IPAddress, userAgent, userName, userId
    "#]].assert_eq(&findings(&format!("{before}{after}")));
}

#[test]
fn the_missing_second_table_of_license_info() {
    let text = page("license-info.es.md");
    let (before, _) = text.split_once("Lo que lleva cada elemento de").unwrap();
    expect![[r#"
        page: Licensed product: the page says nothing in a table; the schema says id, name, usedCount, allowedCount, rights
        page: Right: the page says nothing in a table; the schema says count, expirationDate
    "#]].assert_eq(&findings(before));
}

#[test]
fn a_table_that_only_the_page_has() {
    let table = "| Property | Type | Description |\n|-|-|-|\n| colour | Text | Which |\n";
    check_drift(
        "license-usage.en.md",
        "#### Properties",
        table,
        &expect![[r#"
            page:72: a table of no object that we know: the page says colour; the schema says nothing
        "#]],
    );
}

#[test]
fn a_table_that_stands_there_twice() {
    let text = page("license-usage.en.md");
    let (_, table) = text.split_once("What the object holds for SQL:\n\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let twice = with(&text, "#### Properties", &format!("{table}\n\n#### Properties"));
    expect![[r#"
        page:72: SQL session: the page says IPAddress, userAgent, userName, userId in one more table; the schema says it once
    "#]].assert_eq(&findings(&twice));
}

#[test]
fn a_table_that_is_commented_out_is_missing() {
    let text = page("license-usage.en.md");
    let (before, after) = text.split_once("#### A session of REST").unwrap();
    expect![[r#"
        page: REST session: the page says nothing in a table; the schema says userName, sessionID, IPAddress, isDatastore
    "#]].assert_eq(&findings(&format!("{before}<!--{after}-->")));
}
