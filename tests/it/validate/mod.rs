//! Documents are judged as a reader would: each fault once, at its place, in the record's own terms.

mod messages;
mod real_input;
mod robustness;
mod rules;
mod shapes;
mod streams;

use std::ops::ControlFlow;

use license_validate::{Judge, Notice, Profile, Summary, Validator};

/// What is told of a stream, one line each, without progress.
fn told(judge: &Judge, text: impl AsRef<[u8]>) -> (Vec<String>, Summary) {
    let mut lines = Vec::new();
    let summary = judge
        .read(text.as_ref(), |notice| {
            match notice {
                Notice::Violation(it) => {
                    let shape = it.shape.map(|shape| format!(" [{shape}]")).unwrap_or_default();
                    lines.push(format!(
                        "{}:{} {} {}: {}{shape}",
                        it.line, it.column, it.instance_path, it.schema_path, it.message
                    ));
                }
                Notice::Malformed(it) => {
                    let cure = it.problem.cure();
                    lines.push(format!("{}:{} {}; {cure}", it.line, it.column, it.problem));
                }
                Notice::Disagreement { line, column } => panic!("{line}:{column}: our fault"),
                Notice::Progress { .. } => {}
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    (lines, summary)
}

/// Pointers and messages of a document's violations.
fn check(schema: &str, profile: Profile, document: &str) -> Vec<String> {
    let violations = Validator::new(schema, profile).unwrap().check(document.as_bytes()).unwrap();
    violations.iter().map(|it| format!("{} {}", it.instance_path, it.message)).collect()
}
