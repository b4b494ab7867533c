//! The chore as it is run: what it prints where, and its exit codes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_xtask")).arg("pages").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn page(name: &str) -> String {
    let directory: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/pages");
    directory.join(name).to_str().unwrap().to_owned()
}

#[test]
fn pages_that_agree_print_nothing_and_exit_with_0() {
    let (code, out, talk) =
        run(&["check", &page("license-usage.en.md"), &page("license-info.fr.md")]);
    assert_eq!((code, out.as_str(), talk.as_str()), (Some(0), "", ""));
}

#[test]
fn a_translated_enum_is_told_aside_and_exits_with_0() {
    let (code, out, talk) = run(&["check", &page("license-usage.es.md")]);
    assert_eq!((code, out.as_str()), (Some(0), ""));
    assert!(talk.starts_with("warning: ") && talk.contains("Client session.state"), "{talk}");
}

#[test]
fn drift_is_printed_and_exits_with_1() {
    let older = page("license-info.older.en.md");
    let (code, out, _) = run(&["check", &page("license-usage.en.md"), &older]);
    assert_eq!(code, Some(1));
    let drift = "20: License info.key: the page says nothing; the schema says Number";
    assert_eq!(out, format!("{older}:{drift}\n"));
}

#[test]
fn what_cannot_be_read_exits_with_2() {
    for (arguments, why) in [
        (vec!["check"], "<FILE>"),
        (vec!["check", "no-such-page.md"], "no-such-page.md: it cannot be read; give the path"),
        (vec!["check", env!("CARGO_BIN_EXE_xtask")], "give the path of a page in UTF-8 text"),
        (vec!["derive", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")], "it has no table"),
    ] {
        let (code, out, talk) = run(&arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(talk.contains(why), "{talk}");
    }
}

#[test]
fn a_derived_schema_is_printed_also_from_a_page_that_drifts() {
    let (code, out, talk) = run(&["derive", &page("license-info.older.en.md")]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("{\n") && !out.contains("\"key\""), "{out}");
    assert!(talk.contains("License info.key"), "{talk}");
}

#[test]
fn drift_tells_aside_where_the_schema_is_and_what_to_run() {
    for (name, schemas) in [
        ("license-usage", "schemas/retention.schema.json or schemas/session.schema.json"),
        ("license-info", "schemas/license-info.schema.json"),
    ] {
        let text = fs::read_to_string(page(&format!("{name}.en.md"))).unwrap();
        let file = scratch(
            &text.replacen("| productName ", "| title ", 1).replacen("| name ", "| title ", 1),
        );
        let path = file.path().to_str().unwrap();
        let (code, _, talk) = run(&["check", path]);
        let cure = format!(
            "where the page is right, edit {schemas} (or a schema it refers to), then run \
             `cargo xtask codegen`"
        );
        assert_eq!((code, talk), (Some(1), format!("note: {path}: {cure}\n")));
    }
}

#[test]
fn what_a_page_smuggles_in_reaches_no_terminal() {
    let text = fs::read_to_string(page("license-usage.en.md")).unwrap();
    let file = scratch(&text.replacen("| Text ", "| T\u{1b}[2Jext\u{7} ", 1));
    for task in ["check", "derive"] {
        let (code, out, talk) = run(&[task, file.path().to_str().unwrap()]);
        assert_ne!(code, Some(0));
        assert!(format!("{out}{talk}").contains("`T\u{fffd}[2Jext\u{fffd}`"), "{out}{talk}");
        let is_plain = |c: char| !c.is_control() || c == '\n';
        assert!(out.chars().chain(talk.chars()).all(is_plain), "{out:?} {talk:?}");
    }
}

#[test]
fn a_page_that_is_still_html_names_the_cure() {
    let file = scratch("<table><tr><th>Property name<th>Type</tr><tr><td>token<td>Number</table");
    let (code, _, talk) = run(&["check", file.path().to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(talk.contains("HTML is not read: copy the text that a browser shows"), "{talk}");
}

/// A page of this text.
fn scratch(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}
