//! The project's chores: pages to schemas, schemas to types, figures. A library, so that what reads
//! pages of others can be tested with any text.
//!
//! # When a documented page changes
//!
//! 1. `cargo xtask pages check PAGE` prints each difference from the schemas, with the line of the page,
//!    and names the schema files to edit. Where it does not understand the page, a word is missing
//!    in `pages/words.rs`.
//! 2. Edit `schemas/*.schema.json`. `cargo xtask pages derive PAGE` prints what the tables say, to
//!    compare with; it is no schema to copy, since tables know no bounds, formats or descriptions.
//!    A number becomes a `$ref` to an integer with bounds, a list of words a definition in `$defs`.
//!    A property that reports from before the change lack is taken out of `required` in the mark
//!    `x-observed`, which makes the profile of what others wrote. The `examples` change too.
//! 3. `cargo xtask pages check PAGE` again, until it is silent.
//! 4. `cargo xtask codegen` writes types, validators and reference pages, or refuses with the schema,
//!    the place and the cure; `codegen/read/mod.rs` lists all that is refused.
//! 5. `cargo build` shows each place that must now say something of a new property or word.
//! 6. Put the page in `tests/data/pages`, with `.older.` in the names of those that it makes
//!    outdated, and run `cargo test -p xtask`; with `UPDATE_EXPECT=1` it rewrites the derived schemas
//!    beside them. `cargo test` shows what else was built on the old shape.

pub mod bench;
pub mod codegen;
pub mod fuzz_http;
pub mod pages;
pub mod simulate;
