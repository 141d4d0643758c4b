//! The program `metaxy`; everything is in the library.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    metaxy_cli::main()
}
