//! What the table of operations says of each of them, in types.

pub(crate) use crate::generated::operations::Operation;

/// What a request carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    /// Name of its schema.
    pub(crate) schema: &'static str,
    /// Whether it may be left out.
    pub(crate) optional: bool,
    /// Its greatest length.
    pub(crate) bytes: usize,
}

/// One thing that an operation brings where nothing is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    /// Its status.
    pub(crate) status: u16,
    /// Its media type.
    pub(crate) media: &'static str,
    /// Name of its schema, or of the schema of each line or event.
    pub(crate) schema: Option<&'static str>,
}
