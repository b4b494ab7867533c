//! What happens to the server, told on stderr for people or for programs.

use std::io;

use tracing_subscriber::filter::LevelFilter;

use crate::arguments::LogFormat;

/// Begins to tell. Who told before in this process goes on to do so.
pub(super) fn begin(format: LogFormat) {
    let lines = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(LevelFilter::INFO)
        .with_ansi(false)
        .with_target(false);
    // The only error is that somebody tells already.
    let _ = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
