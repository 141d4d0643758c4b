//! Runnable examples of the crates, beside this file: `cargo run --package metaxy-examples --example ducklake`.
