//! Streams: cut into records, judged by one thread or by several, and unpacked.

use std::{collections::BTreeMap, num::NonZeroUsize, ops::ControlFlow, path::PathBuf, sync::Arc};

use license_cli::{Env, Exit};
use license_pool::ManualClock;
use license_tests::differential::compare_judges;
use license_validate::{Judge, Profile};

use super::documents::first_line;

/// A line of words that say how a stream is judged, then the stream: with the shortcut of bytes and
/// without it, by one thread and by two, the same is told of it.
pub fn stream(input: &[u8]) {
    let Some((line, stream)) = first_line(input) else { return };
    let mut judge = Judge::new(Profile::Observed);
    let mut piece = 1 << 16;
    for word in String::from_utf8_lossy(line).split_whitespace() {
        judge = match word.split_once('=').unwrap_or((word, "")) {
            ("lines", _) => judge.lines(true),
            ("masked", _) => judge.masked(true),
            ("schema", name) => judge.clone().schema(name).unwrap_or(judge),
            ("chunk", bytes) => judge.chunk_bytes(number(bytes)),
            ("limit", bytes) => judge.record_bytes_max(number(bytes).get()),
            ("piece", bytes) => {
                piece = number(bytes).get();
                judge
            }
            _ => judge,
        };
    }
    if let Err(what) = compare_judges(&judge, stream, piece) {
        panic!("the stream {what}");
    }
}

fn number(text: &str) -> NonZeroUsize {
    let number = text.parse::<NonZeroUsize>().unwrap_or(NonZeroUsize::MIN);
    number.min(NonZeroUsize::new(1 << 20).unwrap())
}

/// What the commands that read files are given, packed or not: they end with what they made of it,
/// and never by a fault of ours.
pub fn packed(input: &[u8]) {
    for line in ["validate - --jobs=1", "usage --from -", "report --from - --by month"] {
        let exit = run(line, input);
        assert!(matches!(exit, Exit::Done | Exit::Refused | Exit::Usage), "{line}: {exit:?}");
    }
}

fn run(line: &str, mut stdin: &[u8]) -> Exit {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let exit = license_cli::run(
        ["license"].into_iter().chain(line.split(' ')),
        &mut Env {
            stdin: &mut stdin,
            stdout: &mut stdout,
            stderr: &mut stderr,
            stdout_is_terminal: false,
            stderr_is_terminal: true,
            terminal_width: Some(80),
            variables: BTreeMap::new(),
            directory: PathBuf::from("/nonexistent"),
            user_name: "ann".to_owned(),
            clock: Arc::new(ManualClock::new("2026-01-05T10:00:00Z".parse().unwrap())),
            stdout_is_read: &|| true,
            wait: &mut |_| ControlFlow::Break(()),
        },
    );
    assert!(str::from_utf8(&stdout).is_ok() && str::from_utf8(&stderr).is_ok());
    exit
}
