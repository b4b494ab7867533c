//! Judges any JSON against the license schemas: a typed value or every violation, with its place.
