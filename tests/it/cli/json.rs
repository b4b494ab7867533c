//! With `--json` stdout is the documented value and nothing around it, whatever happens.

use super::shell::{Shell, conforming};

#[test]
fn every_answer_conforms_to_its_schema() {
    let shell = Shell::installed();
    for (line, schema) in [
        ("install license.json --json", "install-receipt"),
        ("install license.json --json --dry-run", "install-receipt"),
        ("info --json", "license-info"),
        ("usage --json", "license-usage"),
        ("retain --product 0009 --session a --json", "retain-receipt"),
        ("--json usage --product 0009", "license-usage"),
        ("available 0009 --json", "availability"),
        ("available 12 --json", "availability"),
        ("renew --session a --state sleeping --json", "renew-receipt"),
        ("release --session a --json", "release-receipt"),
        ("store check --json", "store-check"),
        ("release --session a --json", "problem"),
        ("retain --product 12 --session a --json", "problem"),
        ("usage --json --license-number NONE", "problem"),
        ("usage --json --store sqlite:none.db", "problem"),
        ("usage --json --store nonsense", "problem"),
        ("usage --json --flag", "problem"),
        ("install --json missing.json", "problem"),
        ("install --json license.db", "problem"),
        ("retain --json --product 0009 --session a --describe license.json", "problem"),
    ] {
        conforming(&shell.run(line).stdout, schema);
    }
}
