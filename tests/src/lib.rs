//! Whole-system and conformance tests live in `it`.
