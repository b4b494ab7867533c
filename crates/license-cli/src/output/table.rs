//! Tables for people: aligned columns, folded where a terminal is too narrow.

use std::ops::Range;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, TableStyle};

use super::text::escaped;

/// A table that is being built; every cell is escaped.
pub(crate) struct Rows {
    table: Table,
}

impl Rows {
    /// A table with these headings, folded to `width` columns if there is a width.
    pub(crate) fn new(headings: &[&str], width: Option<u16>) -> Rows {
        let mut table = Table::new();
        table.load_style(TableStyle::new());
        if let Some(width) = width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Rows { table }
    }

    /// Aligns columns to the right, as is usual for numbers.
    pub(crate) fn right_aligned(mut self, columns: Range<usize>) -> Rows {
        for column in columns {
            if let Some(column) = self.table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    /// Adds a row; what is empty is shown as `-`.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.table.add_row(cells.into_iter().map(|cell| match cell.as_ref() {
            "" => Cell::new("-"),
            text => Cell::new(escaped(text)),
        }));
    }

    /// The table as text, without blanks at the ends of lines.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for line in self.table.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn holders(width: Option<u16>) -> String {
        let mut rows = Rows::new(&["token", "user", "host"], width).right_aligned(0..1);
        rows.row(["1", "Ann", "WS-12"]);
        rows.row(["23", "日本語", "x"]);
        rows.row(["4", "a\u{1b}[31m\nb", ""]);
        rows.text()
    }

    #[test]
    fn columns_line_up_and_hostile_text_is_escaped() {
        expect![[r#"
            TOKEN  USER            HOST
                1  Ann             WS-12
               23  日本語          x
                4  a\u{1b}[31m\nb  -
        "#]]
        .assert_eq(&holders(None));
    }

    #[test]
    fn a_narrow_terminal_folds_cells() {
        expect![[r#"
            TOKEN  USER      HOST
                1  Ann       WS-12
               23  日本語    x
                4  a\u{1b}[  -
                   31m\nb
        "#]]
        .assert_eq(&holders(Some(24)));
    }
}
