//! The chore on the project's own pages, and on what may become of them.

mod agree;
mod derived;
mod drift;
mod hostile;
mod mutants;
mod words;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::compare::Weight;
use super::expect::{self, Command};
use super::{Outcome, check, examine};

static COMMANDS: LazyLock<Vec<Command>> = LazyLock::new(|| {
    expect::commands(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas")).unwrap()
});

/// The project's own pages; the older ones lack what has since been added.
fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/pages");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    files
}

/// Pages that are not the project's own, where the environment names a directory of them.
fn files_of_the_environment() -> Vec<PathBuf> {
    let Some(directory) = env::var_os("LICENSE_PAGES") else { return Vec::new() };
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "LICENSE_PAGES names a directory without pages");
    files
}

fn current_files() -> Vec<PathBuf> {
    files().into_iter().filter(|file| !name(file).contains(".older.")).collect()
}

fn name(file: &Path) -> String {
    file.file_name().unwrap().to_str().unwrap().to_owned()
}

fn page(wanted: &str) -> String {
    let file = files().into_iter().find(|file| name(file) == wanted).expect(wanted);
    fs::read_to_string(file).unwrap()
}

/// What is found on a page, one finding a line, as the chore prints it without the file.
fn findings(text: &str) -> String {
    match examine(text, &COMMANDS) {
        Ok((_, findings)) => findings
            .iter()
            .map(|finding| match finding.weight {
                Weight::Drift => format!("{}\n", finding.in_file("page")),
                Weight::Warning => format!("warning: {}\n", finding.in_file("page")),
            })
            .collect(),
        Err(error) => format!("error: {error:#}\n"),
    }
}

/// The page with one text in place of another, which it must hold.
fn with(page: &str, old: &str, new: &str) -> String {
    assert!(page.contains(old), "the page lacks {old:?}");
    page.replacen(old, new, 1)
}
