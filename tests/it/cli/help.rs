//! Help is a contract: it is kept as a golden file.

use expect_test::{expect, expect_file};
use license_cli::Exit;

use super::shell::Shell;

#[test]
fn help_is_as_it_was_reviewed() {
    let shell = Shell::new();
    let mut page = String::new();
    for (command, _) in commands(&shell, "") {
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

/// Every command that help shows, of the program and of its commands, each with its flags.
fn commands(shell: &Shell, command: &str) -> Vec<(String, Vec<String>)> {
    let help = shell.run(&format!("{command} --help")).stdout;
    let names_of = |heading: &str| -> Vec<String> {
        let lines = help.lines().skip_while(|line| *line != heading).skip(1);
        let lines = lines.take_while(|line| !line.is_empty());
        lines
            .filter_map(|line| Some(line.strip_prefix("  ")?.split(' ').next()?.to_owned()))
            .collect()
    };
    let flags = help.lines().filter_map(|line| {
        let flag = line.trim_start().trim_start_matches("-h, ").trim_start_matches("-V, ");
        flag.starts_with("--").then(|| flag.split([' ', '=']).next().unwrap().to_owned())
    });
    let mut all = vec![(command.to_owned(), flags.collect())];
    for name in names_of("Commands:").into_iter().filter(|it| !it.is_empty() && it != "help") {
        all.extend(commands(shell, format!("{command} {name}").trim()));
    }
    all
}

#[test]
fn completions_name_every_command_and_flag() {
    let shell = Shell::new();
    let commands = commands(&shell, "");
    assert!(commands.len() > 20, "{commands:?}");
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = shell.run(&format!("completions {name}")).stdout;
        for (command, flags) in &commands {
            let last = command.split(' ').next_back().unwrap();
            assert!(script.contains(last), "{name} lacks {command}");
            // Some shells write the dashes apart.
            for flag in flags {
                assert!(script.contains(&flag[2..]), "{name} lacks {command} {flag}");
            }
        }
    }
}

#[test]
fn there_is_a_page_of_the_manual_for_every_command_and_it_names_every_flag() {
    let shell = Shell::new();
    assert_eq!(shell.run("man share/man/man1").exit, Exit::Done);
    let folder = shell.path("share/man/man1");
    let mut pages = std::fs::read_dir(&folder).unwrap().count();
    for (command, flags) in commands(&shell, "") {
        let words = format!("license {command}");
        let name = format!("{}.1", words.trim().replace(' ', "-"));
        let page = std::fs::read_to_string(folder.join(&name)).unwrap();
        // The source of a page writes dashes with a backslash.
        let page = page.replace("\\-", "-");
        assert!(page.contains(&format!(".TH {}", name.trim_end_matches(".1"))), "{name}: {page}");
        for flag in flags {
            assert!(page.contains(&flag), "{name} lacks {flag}");
        }
        pages -= 1;
    }
    assert_eq!(pages, 0, "pages of commands that are none");
    shell.file("file", "");
    let refused = shell.run("man file/man1");
    assert_eq!(refused.exit, Exit::Usage);
    assert!(refused.stderr.contains("file/man1"), "{}", refused.stderr);
}
