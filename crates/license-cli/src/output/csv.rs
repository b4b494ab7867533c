//! Comma-separated values (RFC 4180), harmless in a spreadsheet.

use std::borrow::Cow;

use csv::{Terminator, WriterBuilder};

/// Bytes to begin with for a line; few are longer.
const LINE: usize = 512;

/// One line of these cells.
pub(crate) fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut options = WriterBuilder::new();
    options.terminator(Terminator::CRLF).buffer_capacity(LINE);
    let mut writer = options.from_writer(Vec::with_capacity(LINE));
    let cells = cells.into_iter().map(|cell| marked(cell).into_owned().into_bytes());
    writer.write_record(cells).expect("a vector takes all");
    let line = writer.into_inner().expect("a vector takes all");
    String::from_utf8(line).expect("cells of text are text")
}

/// The cell, marked as text by `'` if it begins like a formula: a spreadsheet would run that.
fn marked(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(line(["a", "", "7"]), "a,,7\r\n");
        assert_eq!(line(["a,b", "c\"d\"", "e\nf"]), "\"a,b\",\"c\"\"d\"\"\",\"e\nf\"\r\n");
    }

    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"] {
            assert_eq!(line([text]), format!("'{text}\r\n"));
        }
        assert_eq!(line(["\rx"]), "\"'\rx\"\r\n");
        assert_eq!(line(["a=1"]), "a=1\r\n");
    }
}
