//! Comma-separated values (RFC 4180), harmless in a spreadsheet.

/// One line of these cells.
pub(crate) fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.into_iter().map(cell).collect();
    cells.join(",") + "\r\n"
}

/// A spreadsheet takes a cell that begins like a formula for one, and would run it; `'` marks text.
fn cell(text: &str) -> String {
    let mark = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    match mark.is_empty() && !text.contains(['"', ',', '\r', '\n']) {
        true => text.to_owned(),
        false => format!("\"{mark}{}\"", text.replace('"', "\"\"")),
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
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"] {
            assert_eq!(line([text]), format!("\"'{text}\"\r\n"));
        }
        assert_eq!(line(["a=1"]), "a=1\r\n");
    }
}
