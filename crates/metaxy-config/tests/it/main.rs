//! Everything this crate promises, as data: a case is a file below `tests/fixtures`.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so by a panic")]

mod api;
mod archive;
mod cases;
mod generated;
mod leaks;
mod limits;
mod marker;
mod mutations;
mod os;
mod trust;
