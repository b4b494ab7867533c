//! A store as plain rows, to copy it whole, also from one database to another. The source's catalog
//! says which tables and columns there are, so that none can be forgotten here.

use license_core::Entry;

use crate::log::row::{self, Cell};
use crate::log::{Cause, LedgerId, LogError};

/// How many rows are read or written at once.
const ROWS: usize = 1000;

/// What stands in one column of a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

pub(crate) type Row = Vec<Value>;

/// A table as the catalog describes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    /// The columns of its primary key, in their order there.
    pub(crate) key: Vec<String>,
}

/// A store that is read.
pub(crate) trait Source {
    /// The store that took the place of this one.
    fn sealed_to(&mut self) -> Result<Option<String>, LogError>;

    /// Every table, but the one of the store itself.
    fn tables(&mut self) -> Result<Vec<Table>, LogError>;

    /// From here on, until [`end`](Source::end), everything is read as it is at one moment; where it
    /// is `exclusive`, nobody else writes meanwhile.
    fn begin(&mut self, exclusive: bool) -> Result<(), LogError>;

    /// Up to a [page](Table::page) of rows in the order of the key: those whose key begins with
    /// `within` and goes on beyond `after`, or from the first if that is empty.
    fn rows(
        &mut self,
        table: &Table,
        within: &[Value],
        after: &[Value],
    ) -> Result<Vec<Row>, LogError>;

    /// The sequence of a ledger's first entry; 0 where there is none.
    fn begins_at(&mut self, ledger: i64) -> Result<i64, LogError>;

    /// The entries after `after`, up to `until`, of a ledger whose descriptions were erased.
    fn erased(&mut self, ledger: i64, after: i64, until: i64) -> Result<Vec<i64>, LogError>;

    /// Ends an exclusive moment: from then on the store can only be read, and names its successor.
    fn seal(&mut self, successor: &str) -> Result<(), LogError>;

    /// Ends a moment.
    fn end(&mut self) -> Result<(), LogError>;
}

/// A store that is written. Until it is [finished](Target::finish) nobody takes it for one.
pub(crate) trait Target {
    /// Deletes what an earlier copy left.
    fn clear(&mut self, table: &Table) -> Result<(), LogError>;

    /// Adds rows; one whose key is there already replaces that one.
    fn add(&mut self, table: &Table, rows: &[Row]) -> Result<(), LogError>;

    /// Deletes the entries of a ledger below a sequence.
    fn forget(&mut self, ledger: i64, below: i64) -> Result<(), LogError>;

    /// Erases the descriptions of entries.
    fn erase(&mut self, ledger: i64, sequences: &[i64]) -> Result<(), LogError>;

    /// Makes a store of it, durably.
    fn finish(&mut self) -> Result<(), LogError>;
}

impl Table {
    /// Makes tables of the catalog's rows, each the name of a table and of a column, and where that
    /// stands in the primary key, where it does; in the order of the tables, then of the columns.
    pub(super) fn gather(rows: Vec<(String, String, Option<i64>)>) -> Vec<Table> {
        let mut tables: Vec<(Table, Vec<(i64, String)>)> = Vec::new();
        for (name, column, place) in rows {
            if tables.last().is_none_or(|(table, _)| table.name != name) {
                let table = Table { name, columns: Vec::new(), key: Vec::new() };
                tables.push((table, Vec::new()));
            }
            if let Some((table, key)) = tables.last_mut() {
                key.extend(place.map(|place| (place, column.clone())));
                table.columns.push(column);
            }
        }
        let tables = tables.into_iter().map(|(table, mut key)| {
            key.sort_unstable();
            Table { key: key.into_iter().map(|(_, column)| column).collect(), ..table }
        });
        tables.filter(|table| table.name != "store").collect()
    }

    /// The statement of [`Source::rows`], with `within` and `after` values, which `parameter` writes.
    pub(super) fn select(
        &self,
        within: usize,
        after: usize,
        parameter: impl Fn(usize) -> String,
    ) -> String {
        let Table { name, columns, key } = self;
        let mut conditions: Vec<String> =
            (0..within).map(|at| format!("{} = {}", quoted(&key[at]), parameter(at + 1))).collect();
        if after > 0 {
            let beyond = &key[within..within + after];
            let values: Vec<String> = (0..after).map(|at| parameter(within + at + 1)).collect();
            conditions.push(format!("({}) > ({})", list(beyond), values.join(", ")));
        }
        let filter = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let (columns, order) = (list(columns), list(key));
        format!(
            "SELECT {columns} FROM {}{filter} ORDER BY {order} LIMIT {}",
            quoted(name),
            self.page()
        )
    }

    /// The statement of [`Target::add`].
    pub(super) fn insert(&self, parameter: impl Fn(usize) -> String) -> String {
        let Table { name, columns, key } = self;
        let values: Vec<String> = (1..=columns.len()).map(parameter).collect();
        let changes: Vec<String> = columns
            .iter()
            .filter(|column| !key.contains(column))
            .map(|column| format!("{0} = excluded.{0}", quoted(column)))
            .collect();
        let otherwise = match changes.is_empty() {
            true => "NOTHING".to_owned(),
            false => format!("UPDATE SET {}", changes.join(", ")),
        };
        format!(
            "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO {otherwise}",
            quoted(name),
            list(columns),
            values.join(", "),
            list(key),
        )
    }

    /// How many rows are read at once: fewer of a snapshot, whose rows are large.
    pub(crate) fn page(&self) -> usize {
        if self.name == "snapshot" { 16 } else { ROWS }
    }

    /// The place of a column.
    pub(crate) fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }
}

/// The entry in a row of the table of entries.
pub(crate) fn entry(table: &Table, ledger: i64, row: &Row) -> Result<Entry, LogError> {
    row::entry(LedgerId(ledger), None, |at| {
        let column = row::NAMES[at];
        match table.place(column).and_then(|at| row.get(at)) {
            Some(Value::Null) => Ok(Cell::Null),
            Some(Value::Integer(integer)) => Ok(Cell::Integer(u64::try_from(*integer)?)),
            Some(Value::Text(text)) => Ok(Cell::Text(text.into())),
            Some(Value::Bytes(_)) | None => Err(Cause::from(format!("there is no `{column}`"))),
        }
    })
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_made_of_the_catalog() {
        let row = |table: &str, column: &str, place| (table.to_owned(), column.to_owned(), place);
        let tables = Table::gather(vec![
            row("entry", "chain", None),
            row("entry", "sequence", Some(2)),
            row("entry", "ledger", Some(1)),
            row("store", "format", None),
        ]);
        let [entry] = &tables[..] else { panic!("{tables:?}") };
        assert_eq!(entry.key, ["ledger", "sequence"]);
        assert_eq!(
            entry.select(1, 1, |at| format!("${at}")),
            r#"SELECT "chain", "sequence", "ledger" FROM "entry" WHERE "ledger" = $1 AND ("sequence") > ($2) ORDER BY "ledger", "sequence" LIMIT 1000"#
        );
        assert_eq!(
            entry.insert(|_| "?".to_owned()),
            r#"INSERT INTO "entry" ("chain", "sequence", "ledger") VALUES (?, ?, ?) ON CONFLICT ("ledger", "sequence") DO UPDATE SET "chain" = excluded."chain""#
        );
    }
}
