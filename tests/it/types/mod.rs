//! The generated types against the schemas that they come from.

mod acceptance;
mod bundles;
mod catalog;
mod mutants;
mod reading;
mod round_trip;
