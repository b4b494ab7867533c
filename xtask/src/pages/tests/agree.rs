//! Pages that agree, in every edition and language.

use expect_test::expect;

use super::*;

/// What `check` ends with, prints and says aside.
fn run(files: &[PathBuf]) -> (Outcome, String, String) {
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let outcome = check(files, &COMMANDS, &mut out, &mut talk).unwrap();
    (outcome, String::from_utf8(out).unwrap(), String::from_utf8(talk).unwrap())
}

#[test]
fn every_edition_in_every_language_agrees() {
    let files = current_files();
    assert_eq!(files.len(), 23);
    let (outcome, out, talk) = run(&files);
    assert_eq!((outcome, out.as_str()), (Outcome::Agrees, ""));
    assert_eq!(talk.lines().count(), 3, "the Spanish pages translate an enum: {talk}");
}

#[test]
fn the_pages_of_the_environment_agree() {
    let (outcome, out, _) = run(&files_of_the_environment());
    assert_eq!((outcome, out.as_str()), (Outcome::Agrees, ""));
}

#[test]
fn values_translated_on_a_page_that_is_not_english_are_a_warning() {
    expect![[r#"
        warning: page:46: Client session.state: the page says "activa", "aplazada", "dormida"; the schema says "active", "postponed", "sleeping"
    "#]]
    .assert_eq(&findings(&page("license-usage.es.md")));
}

#[test]
fn one_header_in_another_language_makes_a_page_not_english() {
    let text = with(&page("license-usage.en.md"), "\"sleeping\"", "\"asleep\"");
    assert!(!findings(&text).starts_with("warning"));
    assert!(findings(&with(&text, "Property name", "Propiedad")).starts_with("warning"));
}

#[test]
fn an_older_license_info_is_read_and_lacks_only_the_key() {
    let [english, french, japanese] = ["en", "fr", "ja"]
        .map(|language| findings(&page(&format!("license-info.older.{language}.md"))));
    expect![[r#"
        page:20: License info.key: the page says nothing; the schema says Number
        warning: page:17: the block is not JSON here, where a value is expected; it is not compared
    "#]]
    .assert_eq(&english);
    assert_eq!((&french, &japanese), (&english, &english));
}

#[test]
fn a_table_without_a_column_of_types_says_no_type() {
    let found = findings(&page("license-info.older.pt.md"));
    assert_eq!(found.matches("the page says no type; the schema says").count(), 18);
    assert_eq!(found.lines().count(), 18 + 2, "{found}");
}

/// What a description says, of values and of what is optional, counts on either side of the type.
#[test]
fn columns_in_another_order_say_the_same() {
    let with_description_first = |line: &str| match line.strip_prefix('|') {
        Some(row) => {
            let mut cells: Vec<&str> = row.trim_end().trim_end_matches('|').split('|').collect();
            let last = cells.len() - 1;
            cells.swap(last - 1, last);
            format!("|{}|", cells.join("|"))
        }
        None => line.to_owned(),
    };
    for name in ["license-usage.en.md", "license-usage.ja.md", "license-usage.fr.md"] {
        let text = page(name);
        let swapped: Vec<String> = text.lines().map(with_description_first).collect();
        assert_ne!(swapped.join("\n"), text);
        assert_eq!(findings(&swapped.join("\n")), findings(&text), "{name}");
    }
    let table = "| Property | Description | Type |\n|-|-|-|\n| count | How many | number |\n\
                 | expirationDate | (optional, as above) | object |\n";
    let found = findings(table);
    assert!(!found.contains("Right."), "{found}");
}

#[test]
fn a_page_that_cannot_be_read_fails_and_hides_no_other() {
    let drifted = files().into_iter().find(|f| name(f) == "license-info.older.en.md").unwrap();
    let (outcome, out, talk) = run(&[PathBuf::from("no/such/page.md"), drifted]);
    assert_eq!(outcome, Outcome::Fails);
    assert!(out.contains("license-info.older.en.md:20: License info.key:"), "{out}");
    assert!(talk.contains("no/such/page.md: it cannot be read; give the path of a page"), "{talk}");
}

#[test]
fn a_page_without_a_table_that_we_know_is_an_error() {
    let table = "| Property | Type |\n| --- | --- |\n| colour | Text |\n| size | Number |\n";
    for text in ["", "No table here.", table, &format!("{table}| name | string |\n")] {
        let found = findings(text);
        assert!(found.starts_with("error: it has no table that we know; give a page"), "{found}");
    }
}
