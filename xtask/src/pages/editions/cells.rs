//! Lines of cells between pipes, as Markdown and doc-center text have them.

use super::Row;
use crate::pages::model::Kind;
use crate::pages::words::{self, Language};

/// The header of a table of properties.
pub(super) struct Header {
    pub(super) language: Language,
    kind_column: Option<usize>,
    columns: usize,
}

impl Header {
    /// Reads a header; tables of parameters and of anything else have none.
    pub(super) fn read(line: &str) -> Option<Header> {
        let cells = cells(line)?;
        let language = words::name_header(cells.first()?)?;
        let kind_column = cells.iter().position(|cell| words::is_type_header(cell));
        let is_header = kind_column.is_some() || cells.iter().any(|c| words::is_other_header(c));
        is_header.then_some(Header { language, kind_column, columns: cells.len() })
    }

    /// Reads a row, or nothing where all cells are empty.
    pub(super) fn row(&self, line: usize, cells: &[String]) -> Option<Row> {
        let named = cells.iter().position(|cell| !cell.is_empty())?;
        let kind_column = self.kind_column(cells);
        let is_named = kind_column.is_none_or(|column| named < column);
        let name = if is_named { &cells[named] } else { "(no name)" };
        let kind = kind_column
            .and_then(|column| cells.get(column))
            .map_or(Kind::Unknown(String::new()), |cell| words::kind(cell));
        // What is said of a property may stand before its type as well as after it.
        let described = cells.iter().enumerate().skip(named + 1);
        let described = described.filter(|(column, _)| Some(*column) != kind_column);
        let description: Vec<&str> = described.map(|(_, cell)| cell.as_str()).collect();
        let description = description.join(" ");
        let mut row = Row::new(line, name, kind, &description);
        row.is_nested |= is_named && named > 0;
        Some(row)
    }

    /// Where this row has its type: one column earlier if an empty cell before it is left out.
    fn kind_column(&self, cells: &[String]) -> Option<usize> {
        let column = self.kind_column?;
        let is_kind = |column: usize| {
            cells.get(column).is_some_and(|c| !matches!(words::kind(c), Kind::Unknown(_)))
        };
        let is_shifted =
            cells.len() < self.columns && column > 1 && !is_kind(column) && is_kind(column - 1);
        Some(if is_shifted { column - 1 } else { column })
    }
}

/// The cells of a line without their markup, or nothing if it has no pipe.
pub(super) fn cells(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    let mut characters = line.strip_prefix('|').unwrap_or(line).chars();
    let mut cells = Vec::new();
    let mut cell = String::new();
    while let Some(character) = characters.next() {
        match character {
            '|' => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            '\\' => cell.extend(characters.next()),
            '*' | '`' => {}
            other => cell.push(other),
        }
    }
    if !cell.is_empty() {
        cells.push(cell.trim().to_owned());
    }
    line.contains('|').then_some(cells)
}
