//! Documents: JSON of any schema, licenses, and pages of a manual.

use std::sync::LazyLock;

use license_core::{Command, Install, Ledger, License, Stamp, decide};
use license_tests::differential::Subject;
use license_types::{documented, observed};
use license_validate::parse;

/// A line that names a profile and a schema, then a document: what its bytes are accepted for is
/// valid to the reference, and `check` agrees with it.
pub fn validator(input: &[u8]) {
    static SUBJECTS: LazyLock<Vec<Subject>> = LazyLock::new(Subject::all);
    let Some((line, document)) = first_line(input) else { return };
    let named = |subject: &&Subject| subject.to_string().as_bytes() == line;
    let Some(subject) = SUBJECTS.iter().find(named) else { return };
    if let Err(what) = subject.judge(document, true) {
        panic!("the document {what}");
    }
}

/// A document that is to be installed: it is refused, or it grants what it says.
pub fn license(input: &[u8]) {
    // The types and the validator agree on what a license is.
    let _ = parse::<documented::LicenseInfoDocument>(input);
    let _ = parse::<observed::LicenseInfoDocument>(input);
    let Ok(license) = License::parse(input) else { return };
    let (mut ledger, stamp) = (Ledger::new(), Stamp::local());
    let now = "2026-01-05T10:00:00Z".parse().unwrap();
    let install = Command::Install(Install::new(license));
    for event in decide(&ledger, &install, &stamp, now).unwrap().events {
        let entry = ledger.seal(event, &stamp, now);
        ledger.apply(&entry).unwrap();
    }
    assert!(ledger.info(now).is_some());
    ledger.recount().unwrap();
}

/// A text that may be a page: its tables are compared with the schemas, or it is refused.
pub fn page(input: &[u8]) {
    let _ = xtask::pages::describe(&String::from_utf8_lossy(input));
}

/// The bytes before the first line break, and those behind it.
pub(crate) fn first_line(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = input.iter().position(|&byte| byte == b'\n')?;
    Some((&input[..end], &input[end + 1..]))
}
