//! See `checks/json.rs`.

#![no_main]

#[path = "../checks/json.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|input: &str| check::check(input));
