//! JSON shapes of the license reports as Rust types, generated from the published schemas.
