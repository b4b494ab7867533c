//! Docusaurus Markdown: a table is a header, a row of dashes and the rows up to a blank line.

use super::Table;
use super::cells::{Header, cells};

pub(super) fn tables(text: &str) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut lines = text.lines().zip(1..).peekable();
    while let Some((line, number)) = lines.next() {
        let Some(header) = Header::read(line) else { continue };
        if lines.next_if(|(next, _)| is_delimiter(next)).is_none() {
            continue;
        }
        let mut rows = Vec::new();
        while let Some((row, number)) = lines.next_if(|(next, _)| next.contains('|')) {
            rows.extend(cells(row).and_then(|cells| header.row(number, &cells)));
        }
        tables.push(Table { language: header.language, line: number, rows });
    }
    tables
}

fn is_delimiter(line: &str) -> bool {
    cells(line).is_some_and(|cells| cells.iter().all(|cell| is_dashes(cell)))
}

fn is_dashes(cell: &str) -> bool {
    !cell.is_empty() && cell.chars().all(|character| matches!(character, '-' | ':'))
}
