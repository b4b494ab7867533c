//! Where a value stands in a document, free of cost until somebody asks.

use std::fmt;

/// A place in a JSON document, written as a JSON Pointer (RFC 6901).
///
/// It borrows the place it lies in, so that reading a valid document allocates nothing for it.
///
/// ```
/// use license_types::Pointer;
///
/// let usage = Pointer::ROOT;
/// let record = usage.item(0);
/// assert_eq!(record.member("a/b").to_string(), "/0/a~1b");
/// assert_eq!(usage.to_string(), "");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pointer<'a>(Option<(&'a Pointer<'a>, Step<'a>)>);

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

impl<'a> Pointer<'a> {
    /// The whole document.
    pub const ROOT: Pointer<'static> = Pointer(None);

    /// The member `name` of the object here.
    pub fn member(&'a self, name: &'a str) -> Pointer<'a> {
        Pointer(Some((self, Step::Member(name))))
    }

    /// The item `index` of the array here.
    pub fn item(&'a self, index: usize) -> Pointer<'a> {
        Pointer(Some((self, Step::Item(index))))
    }
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((parent, step)) = &self.0 else { return Ok(()) };
        parent.fmt(out)?;
        match step {
            Step::Member(name) => write!(out, "/{}", name.replace('~', "~0").replace('/', "~1")),
            Step::Item(index) => write!(out, "/{index}"),
        }
    }
}
