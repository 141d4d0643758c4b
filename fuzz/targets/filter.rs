//! See `checks/filter.rs`.

#![no_main]

#[path = "../checks/filter.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|input: &str| check::check(input));
