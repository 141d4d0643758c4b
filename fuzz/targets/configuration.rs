//! See `checks/configuration.rs`.

#![no_main]

#[path = "../checks/configuration.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|input: &str| check::check(input));
