//! The project's chores: pages to schemas, schemas to types, figures. A library, so that what reads
//! pages of others can be tested with any text.

pub mod bench;
pub mod codegen;
pub mod fuzz_http;
pub mod pages;
pub mod simulate;
