//! The crate against recorded answers of Python Metaxy and of Python's `json`, and against its own rules.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod diagrams;
mod fixtures;
mod golden;
mod json;
mod keys;
