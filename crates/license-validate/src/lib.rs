//! Judges any JSON against the license schemas: a typed value or every violation, with its place.

mod breach;
mod compiled;
mod explain;
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

pub use judge::{Judge, Notice, RECORD_BYTES_MAX, Summary};
pub use malformed::{Malformed, Problem};
pub use typed::{Document, Unfit, parse};
pub use validator::{UnknownSchema, Validator};
