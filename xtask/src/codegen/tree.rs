//! The generated files: written where they changed, compared where nothing may be written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

/// Directories that hold generated files and nothing else.
const DIRECTORIES: [&str; 6] = [
    "crates/license-http/src/generated",
    "crates/license-types/schemas",
    "crates/license-types/src/generated",
    "crates/license-validate/src/generated",
    "schemas/observed",
    "schemas/reference",
];

/// Generated files that lie among others.
const FILES: [&str; 1] = ["schemas/openapi.json"];

/// Generated texts by path from the root of the workspace.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tree(BTreeMap<PathBuf, String>);

impl Tree {
    pub(crate) fn insert(&mut self, path: impl Into<PathBuf>, text: String) {
        let path = path.into();
        let is_ours = DIRECTORIES.iter().chain(&FILES).any(|it| path.starts_with(it));
        assert!(is_ours, "{path:?} lies elsewhere");
        assert!(self.0.insert(path, text).is_none(), "a file is generated twice");
    }

    /// Inserts a document as `serde_json` lays it out.
    pub(crate) fn insert_json(&mut self, path: impl Into<PathBuf>, document: &Value) {
        self.insert(path, format!("{document:#}\n"));
    }

    /// Writes what differs, and deletes what is no longer generated.
    pub(crate) fn write(&self, root: &Path) -> anyhow::Result<()> {
        for path in self.strays(root)? {
            fs::remove_file(root.join(&path)).with_context(|| format!("cannot delete {path:?}"))?;
        }
        for (path, text) in &self.0 {
            let full = root.join(path);
            if fs::read(&full).ok().as_deref() != Some(text.as_bytes()) {
                let directory = full.parent().expect("it lies in a directory");
                fs::create_dir_all(directory)
                    .and_then(|()| fs::write(&full, text))
                    .with_context(|| format!("cannot write {}", full.display()))?;
            }
        }
        Ok(())
    }

    /// The first difference between these texts and the files, with the cure.
    pub(crate) fn drift(&self, root: &Path) -> anyhow::Result<Option<String>> {
        const CURE: &str = "run `cargo xtask codegen` and commit what it writes";
        if let Some(stray) = self.strays(root)?.first() {
            return Ok(Some(format!("{}: is not generated any more; {CURE}", stray.display())));
        }
        for (path, fresh) in &self.0 {
            let found = fs::read_to_string(root.join(path)).unwrap_or_default();
            if found != *fresh {
                let same = found.lines().zip(fresh.lines()).take_while(|(a, b)| a == b).count();
                let line = |text: &str| match text.lines().nth(same) {
                    Some(line) => format!("`{line}`"),
                    None => "the end of the file".to_owned(),
                };
                return Ok(Some(format!(
                    "{}:{}: is stale; {CURE}\n  found    {}\n  expected {}",
                    path.display(),
                    same + 1,
                    line(&found),
                    line(fresh),
                )));
            }
        }
        Ok(None)
    }

    /// Files in the generated directories that are not generated.
    fn strays(&self, root: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let mut strays = Vec::new();
        let mut open: Vec<PathBuf> = DIRECTORIES.iter().map(PathBuf::from).collect();
        while let Some(directory) = open.pop() {
            let Ok(entries) = fs::read_dir(root.join(&directory)) else { continue };
            for entry in entries {
                let entry = entry.with_context(|| format!("cannot list {directory:?}"))?;
                let path = directory.join(entry.file_name());
                if entry.file_type()?.is_dir() {
                    open.push(path);
                } else if !self.0.contains_key(&path) {
                    strays.push(path);
                }
            }
        }
        strays.sort();
        Ok(strays)
    }
}
