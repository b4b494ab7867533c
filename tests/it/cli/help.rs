//! Help is a contract: it is kept as a golden file.

use expect_test::{expect, expect_file};
use license_cli::Exit;

use super::shell::Shell;

#[test]
fn help_is_as_it_was_reviewed() {
    let shell = Shell::new();
    let mut page = String::new();
    for command in [
        "",
        "install",
        "info",
        "usage",
        "available",
        "retain",
        "run",
        "renew",
        "release",
        "history",
        "report",
        "store",
        "store check",
        "validate",
        "schema",
        "demo",
        "completions",
    ] {
        let output = shell.run(&format!("{command} --help"));
        assert_eq!((output.exit, output.stderr.as_str()), (Exit::Done, ""));
        page += &format!("$ license {command} --help\n{}\n", output.stdout);
    }
    expect_file!["../../data/help.txt"].assert_eq(&page);
}

#[test]
fn without_a_command_help_is_said_and_not_printed() {
    let output = Shell::new().run("");
    assert_eq!((output.exit, output.stdout.as_str()), (Exit::Usage, ""));
    assert!(output.stderr.contains("license demo"));
}

#[test]
fn color_is_for_terminals_whose_user_wants_it() {
    let mut shell = Shell::new();
    assert!(!shell.run("--help").stdout.contains('\x1b'));
    shell.terminal = Some(80);
    assert!(shell.run("--help").stdout.contains('\x1b'));
    shell.variables.insert("NO_COLOR".into(), "1".into());
    assert!(!shell.run("--help").stdout.contains('\x1b'));
}

#[test]
fn a_slip_is_answered_with_what_was_meant() {
    expect![[r#"
        $ license retan
        ! license: unrecognized subcommand 'retan'
        ! 
        !   tip: a similar subcommand exists: 'retain'
        ! 
        ! Usage: license [OPTIONS] <COMMAND>
        ! 
        ! For more information, try '--help'.
        [exit code 2]

        $ license retain --sesion a
        ! license: unexpected argument '--sesion' found
        ! 
        !   tip: a similar argument exists: '--session'
        ! 
        ! Usage: license retain --product <ID> --session <ID>
        ! 
        ! For more information, try '--help'.
        [exit code 2]

        $ license renew --session a --state slepping
        ! license: invalid value 'slepping' for '--state <STATE>'
        !   [possible values: active, postponed, sleeping]
        ! 
        !   tip: a similar value exists: 'sleeping'
        ! 
        ! For more information, try '--help'.
        [exit code 2]

        $ license completions bsh
        ! license: invalid value 'bsh' for '<SHELL>'
        !   [possible values: bash, elvish, fish, powershell, zsh]
        ! 
        !   tip: a similar value exists: 'bash'
        ! 
        ! For more information, try '--help'.
        [exit code 2]

    "#]]
    .assert_eq(&Shell::new().transcript(
        "retan
         retain --sesion a
         renew --session a --state slepping
         completions bsh",
    ));
}

#[test]
fn completions_name_the_commands() {
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Shell::new().run(&format!("completions {name}")).stdout;
        assert!(script.contains("retain") && script.contains("license-number"), "{name}");
    }
}
