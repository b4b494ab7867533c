//! The server's log on stderr, for people or for programs.

use std::io;

use tracing_subscriber::filter::LevelFilter;

use crate::arguments::LogFormat;

/// Starts to log. If this process logs already, that goes on instead.
pub(super) fn begin(format: LogFormat) {
    let lines = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(LevelFilter::INFO)
        .with_ansi(false)
        .with_target(false);
    // The only error is that it logs already.
    let _ = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
