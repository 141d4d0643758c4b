//! The program `metaxy`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    metaxy_cli::main()
}
