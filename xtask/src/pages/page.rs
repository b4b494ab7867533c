//! A page as it stands, before anyone knows which objects its tables list.

use super::editions::{self, Table};
use super::json_block::{self, Member, NotJson};

/// What a page says.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) tables: Vec<Table>,
    /// The block above the first table that shows an object as JSON.
    pub(crate) block: Option<Result<Vec<Member>, NotJson>>,
}

impl Page {
    /// Reads a page of any edition in any language; one without tables is empty.
    pub(crate) fn read(text: &str) -> Page {
        let text = without_comments(text);
        let tables = editions::tables(&text);
        let block = tables.first().and_then(|table| json_block::read(&text, table.line));
        Page { tables, block }
    }
}

/// Takes out `<!-- … -->`, but for the line ends in it, so that line numbers stay right.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!--") {
        let Some((comment, after)) = after.split_once("-->") else { break };
        kept.push_str(before);
        kept.extend(comment.matches('\n'));
        rest = after;
    }
    kept.push_str(rest);
    kept
}
