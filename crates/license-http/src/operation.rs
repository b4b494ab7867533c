//! The types in which the generated table of operations describes each of them.

pub(crate) use crate::generated::operations::Operation;

/// The body that a request of an operation has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    /// Name of its schema.
    pub(crate) schema: &'static str,
    /// Whether it may be left out.
    pub(crate) optional: bool,
    /// The greatest length, in bytes.
    pub(crate) bytes: usize,
}

/// One form of a successful answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    /// Its status.
    pub(crate) status: u16,
    /// Its media type.
    pub(crate) media: &'static str,
    /// Name of its schema, or of the schema of each line or event.
    pub(crate) schema: Option<&'static str>,
}
