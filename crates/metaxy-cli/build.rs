//! Lets an installed program find DuckDB's library in `../lib/metaxy`, where packages of it have it.
//!
//! Where DuckDB is built into the program, the way is there for nothing.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => println!("cargo:rustc-link-arg-bins=-Wl,-rpath,$ORIGIN/../lib/metaxy"),
        Ok("macos") => println!("cargo:rustc-link-arg-bins=-Wl,-rpath,@loader_path/../lib/metaxy"),
        _ => {}
    }
}
