//! Judges any JSON against the license schemas: a typed value or every violation, with its place.
//!
//! - [`parse`] reads a document as a type, or says all that keeps it from being one.
//! - [`Validator`] judges a document by a schema that is named.
//! - [`Judge`] judges streams: a document or report of any length, NDJSON, values one after the
//!   other; the schema is told by shape unless it is named. [`rules`] adds what no schema can say.
//!
//! The verdict is that of the `jsonschema` crate on the same embedded schema, formats asserted; of
//! duplicated members the last wins. Each violation comes out once, at its own place: inside a
//! union, as the branch that the value is nearest to would put it. Input that is not JSON is
//! [`Malformed`], which is another thing than a violation.
//!
//! Limits, all told when they are met:
//! - brackets nest at most 127 deep;
//! - a record of a stream has at most [`RECORD_BYTES_MAX`] bytes, unless the judge is told otherwise;
//! - a number has any number of digits, and a value that a double can hold;
//! - of an invalid document, [`EXPLAINED_MAX`] elements are explained and as many violations told.
//!
//! So the time is proportional to the input, whatever it is, and memory to its largest record: to
//! that record where its bytes alone show that it is valid; else to its tree, which takes about ten
//! times as much, and 150 times where it is all brackets.

mod breach;
mod bytes;
mod compiled;
mod explain;
#[rustfmt::skip]
mod generated;
mod judge;
mod locate;
mod malformed;
mod message;
mod place;
pub mod rules;
mod shape;
mod split;
mod text;
mod typed;
mod units;
mod validator;
mod window;

pub use license_types::{Violation, schemas::Profile};

pub use explain::EXPLAINED_MAX;
pub use judge::{Judge, Notice, RECORD_BYTES_MAX, Summary};
pub use malformed::{Malformed, Problem};
pub use typed::{Document, Unfit, parse};
pub use validator::{UnknownSchema, Validator};
