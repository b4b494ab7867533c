//! `usage --watch`.

use std::ops::ControlFlow;

use expect_test::expect;

use super::shell::Shell;

/// Watches while a session comes, nothing happens, and the session goes.
fn watched(shell: &Shell, words: &str) -> String {
    let output = shell.run_while(words.split_whitespace(), |waited| {
        match waited {
            1 => drop(shell.run("retain --product 0009 --session job-7")),
            3 => drop(shell.run("release --session job-7")),
            4 => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    output.to_string().replace("\x1b[H\x1b[2J", "<repaint>\n")
}

#[test]
fn a_terminal_is_repainted_at_every_look() {
    let mut shell = Shell::installed();
    shell.terminal = Some(120);
    expect![[r#"
        <repaint>
        nothing is retained
        <repaint>
        TOKEN  PRODUCT                     SERVER  USER  HOST  ADDRESS    SINCE                 REASON
            1  4D Client 808464441 (0009)  local   ann   -     127.0.0.1  2026-01-05 10:00:00Z  CLIENT
        <repaint>
        TOKEN  PRODUCT                     SERVER  USER  HOST  ADDRESS    SINCE                 REASON
            1  4D Client 808464441 (0009)  local   ann   -     127.0.0.1  2026-01-05 10:00:00Z  CLIENT
        <repaint>
        nothing is retained
    "#]].assert_eq(&watched(&shell, "usage --watch"));
}

#[test]
fn a_pipe_gets_what_changed_only() {
    let shell = Shell::installed();
    expect![[r#"
        nothing is retained
        TOKEN  PRODUCT                     SERVER  USER  HOST  ADDRESS    SINCE                 REASON
            1  4D Client 808464441 (0009)  local   ann   -     127.0.0.1  2026-01-05 10:00:00Z  CLIENT
        nothing is retained
    "#]].assert_eq(&watched(&shell, "usage --watch"));
    expect![[r#"
        []
    "#]]
    .assert_eq(&watched(&shell, "usage --watch --json --product 0025"));
}
