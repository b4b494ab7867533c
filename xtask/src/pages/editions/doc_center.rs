//! Doc-center text: rows of pipes without a row of dashes; a cell may go on over lines.

use super::Table;
use super::cells::{Header, cells};

pub(super) fn tables(text: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut open: Option<Header> = None;
    let mut is_cell_open = false;
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if let Some(header) = Header::read(line) {
            tables.push(Table { language: header.language, line: number, rows: Vec::new() });
            open = Some(header);
            continue;
        }
        let (Some(header), Some(table)) = (&open, tables.last_mut()) else { continue };
        match cells(line) {
            // A line that only opens a cell; the cell's text is on the next one.
            Some(cells) if cells.iter().all(String::is_empty) => is_cell_open = true,
            Some(cells) if line.starts_with('|') => {
                table.rows.extend(header.row(number, &cells));
                is_cell_open = false;
            }
            Some(cells) if is_cell_open => {
                if let Some(row) = table.rows.last_mut() {
                    row.describe(&cells.join(" "));
                }
                is_cell_open = false;
            }
            _ => {
                open = None;
                is_cell_open = false;
            }
        }
    }
    tables
}
