//! See `checks/features.rs`.

#![no_main]

#[path = "../checks/features.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|input: &str| check::check(input));
