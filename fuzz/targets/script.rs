//! See `checks/script.rs`.

#![no_main]

#[path = "../checks/script.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|input: &str| check::check(input));
