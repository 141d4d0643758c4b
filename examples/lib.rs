//! Runnable examples of the crates, beside this file: `cargo run --package metaxy-examples --example ducklake`.

#![forbid(unsafe_code)]

/// The snippets of the README, run as doctests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
