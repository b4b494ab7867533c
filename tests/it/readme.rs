//! The README's picture shows what the commands print.

use std::fmt::Write as _;

use expect_test::expect_file;

use crate::cli::shell::Shell;

const LINE_HEIGHT: usize = 20;
const CHARACTER_WIDTH: usize = 8;
const MARGIN: usize = 16;

#[test]
fn the_picture_shows_what_usage_and_info_print_after_the_demo() {
    let shell = Shell::new();
    shell.run("demo");
    let mut screen = String::new();
    for command in ["usage", "info"] {
        let output = shell.run(&format!("{command} --store sqlite:license-demo.db"));
        write!(screen, "$ license {command}\n{}\n", output.stdout).unwrap();
    }
    expect_file!["../data/readme/usage.svg"].assert_eq(&picture(screen.trim_end()));
}

/// A terminal with `screen` on it, light or dark as the reader likes it.
fn picture(screen: &str) -> String {
    let columns = screen.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let width = columns * CHARACTER_WIDTH + 2 * MARGIN;
    let height = screen.lines().count() * LINE_HEIGHT + 2 * MARGIN;
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>Who holds which license, and what the license allows</title>
<style>
rect {{ fill: #f6f8fa }} text {{ fill: #1f2328; font: 13px ui-monospace, Menlo, Consolas, monospace; white-space: pre }} .command {{ fill: #0550ae }}
@media (prefers-color-scheme: dark) {{ rect {{ fill: #161b22 }} text {{ fill: #e6edf3 }} .command {{ fill: #79c0ff }} }}
</style>
<rect width="{width}" height="{height}" rx="8"/>
"#
    );
    for (index, line) in screen.lines().enumerate() {
        let baseline = MARGIN + (index + 1) * LINE_HEIGHT - 5;
        let class = if line.starts_with('$') { r#" class="command""# } else { "" };
        let length = line.chars().count() * CHARACTER_WIDTH;
        let text = line.replace('&', "&amp;").replace('<', "&lt;");
        if !text.is_empty() {
            writeln!(
                svg,
                r#"<text x="{MARGIN}" y="{baseline}" textLength="{length}"{class} xml:space="preserve">{text}</text>"#
            )
            .unwrap();
        }
    }
    svg + "</svg>\n"
}
