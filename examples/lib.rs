//! Runnable examples of the crates, beside this file: `cargo run --package metaxy-examples --example ducklake`.

#![forbid(unsafe_code)]

/// The snippets of the book, run as doctests.
#[cfg(doctest)]
#[doc = include_str!("../docs/book/src/reference/crates.md")]
pub struct Book;
