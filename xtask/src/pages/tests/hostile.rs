//! Prose that looks like a table, and texts that no one meant as a page.

use expect_test::expect;

use super::*;
use crate::pages::editions::Row;
use crate::pages::page::Page;

#[test]
fn prose_that_looks_like_a_row_is_no_row() {
    let text = page("license-usage.en.flattened.txt");
    let prose = "tokenTextThis line is prose\n\nProperty nameTypeDescription";
    assert_eq!(findings(&with(&text, "Property nameTypeDescription", prose)), "");
    assert_eq!(findings(&format!("{text}\ntokenTextSo is this\n")), "");
    let names: Vec<_> = Page::read(&text)
        .tables
        .iter()
        .flat_map(|table| &table.rows)
        .map(|row| row.property.name.clone())
        .collect();
    assert_eq!(names.len(), 9 + 10 + 4 + 4);
    assert!(!names.iter().any(|name| name.starts_with("Function") || name.starts_with("Command")));
}

#[test]
fn a_name_ends_where_the_description_begins_without_a_type() {
    let text = "PropertyTypeDescriptionExample\n\
        licenseNumberstringThe number\n\
        [ ].countnumberNumber of them\n\
        \\[ \\].tokenNumberNumberWhich\n\
        expirationDateobjectDate (optional)\n\
        creationDateTimeDate ISO 8601Date and time\n\
        versionstring\n\
        timeTextTextual form\n\
        licenseNumber文字列番号\n";
    expect![[r#"
        licenseNumber: Text
        - count: Number
        - tokenNumber: Number
        expirationDate: Object, optional
        creationDateTime: Date ISO 8601
        version: Text
        time: Text
        licenseNumber: Text"#]]
    .assert_eq(&rows(text));
}

#[test]
fn rows_of_pipes_may_lack_cells_and_the_pipes_around_them() {
    let text = "\
        **Property** | | **Type** | **Description** | **Example**\n\
        ---|:---:|---|---|---\n\
        id | | number | Which `one`\n\
        rights | | collection of objects\n\
        | \\[ \\].count | number | How many | 15 |\n\
        | | [].date | object | Until (optional, like the other)\n\
        | \\[ \\].a\\|b | string\n\
        | | when | object | Which |\n\
        | | number | string |\n\
        | | | number | Which |\n\
        | | |\n\
        | odd | | | |\n\
        bare | string";
    expect![[r#"
        id: Number
        rights: Collection of Object
        - count: Number
        - date: Object, optional
        - a|b: Text
        - when: Object
        - number: Text
        (no name): Number
        odd: no type
        bare: Text"#]]
    .assert_eq(&rows(text));
}

#[test]
fn a_cell_of_doc_center_text_goes_on_only_where_a_line_opened_it() {
    let text = "\
        | Property | Type | Description |\n\
        | name | string |\n\
        |\n\
        Its name (optional) | ||||\n\
        | version | string | Its version |\n\
        prose with a pipe (optional) |\n\
        | key | number | Below the prose |";
    expect![[r#"
        name: Text, optional
        version: Text"#]]
    .assert_eq(&rows(text));
}

#[test]
fn comments_count_as_lines() {
    let text = with(&page("license-info.en.md"), "<!--REF", "<!--\n\n-->x<!--\n-->\n<!--REF");
    let text = with(&text, "\"version\": ", "\"edition\": ");
    let line = 1 + text.lines().position(|line| line.contains("edition")).unwrap();
    assert!(findings(&text).starts_with(&format!("page:{line}: License info.edition")));
}

/// The rows of the only table on a page, those on elements marked by a dash.
fn rows(text: &str) -> String {
    let [table] = &Page::read(text).tables[..] else { panic!("not one table") };
    let row = |Row { property, is_nested }: &Row| {
        format!("{}{}: {property}", if *is_nested { "- " } else { "" }, property.name)
    };
    table.rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_page_that_ends_anywhere_is_read_without_a_panic() {
    for file in
        ["license-info.fr.md", "license-usage.ja.flattened.txt", "license-info.fr.doc-center.txt"]
    {
        let text = page(file);
        for (at, _) in text.char_indices() {
            let _ = examine(&text[..at], &COMMANDS);
        }
    }
}

#[test]
fn huge_and_twisted_texts_are_read_without_a_panic() {
    let header = "Property name|Type|Description\n-|-|-\n";
    let many = 100_000;
    for text in [
        "|".repeat(many),
        "\\".repeat(many),
        "<!--".repeat(many),
        format!("{header}{}", "|".repeat(many)),
        format!("{header}{}", "token|Number|x\n".repeat(many / 100)),
        format!("{header}{}", "x\u{a0}|(optional (".repeat(many)),
        header.repeat(many / 100),
        format!("PropertyTypeDescription\n{}", "a".repeat(many)),
        format!("PropertyTypeDescription\n{}", "tokenNumber".repeat(many / 10)),
        format!("PropertyTypeDescription\n{}", "Text".repeat(many)),
        format!("Property{}", "Type".repeat(many)),
        format!("{}\n{}", "{\"a\":".repeat(many), page("license-info.en.md")),
        format!("{}\n{}", "{\"a\":[".repeat(many), page("license-info.en.md")),
        format!("{{\"a\": \"\\\n{}", page("license-info.en.md")),
        format!("\u{feff}{}", page("license-info.en.md")),
        page("license-info.fr.md").replace('\n', "\r\n"),
    ] {
        let _ = examine(&text, &COMMANDS);
    }
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_change_nothing() {
    for file in current_files() {
        let text = fs::read_to_string(file).unwrap();
        let other = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(findings(&other), findings(&text));
    }
}
