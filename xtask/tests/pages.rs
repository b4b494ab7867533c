//! The chore as it is run: what it prints where, and its exit codes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

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
