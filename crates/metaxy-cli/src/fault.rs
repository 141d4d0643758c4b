//! What a person is told when the program has a fault of its own, that is, when it panics.

use std::any::Any;
use std::backtrace::Backtrace;
use std::io::Write as _;
use std::panic;

/// Tells of a panic where it is and what to do, in place of what Rust prints.
pub(crate) fn tell_of_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|location| (location.file(), location.line()));
        let mut stderr = anstream::stderr();
        // Nobody is left to be told when that fails.
        drop(writeln!(stderr, "{}", text(place, panic.payload())));
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|wanted| wanted != "0") {
            drop(writeln!(stderr, "{}", Backtrace::force_capture()));
        }
    }));
}

/// What is told. A message that was put together may quote a value, which may be a secret, so only one that stands in the
/// source as it is is shown.
fn text(place: Option<(&str, u32)>, message: &(dyn Any + Send)) -> String {
    // A crate and its file, not where this machine keeps it.
    let short = |file: &str| {
        let after = file.rfind("/src/").and_then(|end| file.get(..end)?.rfind('/')).map_or(0, |slash| slash + 1);
        file.get(after..).unwrap_or(file).to_owned()
    };
    let place = place.map(|(file, line)| format!(" at {}:{line}", short(file))).unwrap_or_default();
    let message = message.downcast_ref::<&'static str>().map(|text| format!(": {text}")).unwrap_or_default();
    format!(
        "error: the program has a fault{place}{message}\n\
         help: please report it with the command; `RUST_BACKTRACE=1` tells how it came to it, and a transaction that had \
         begun is not stored"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_without_values_and_without_paths_of_this_machine() {
        let place = Some(("/somewhere/src/index-1/parquet-58.4.1/src/arrow/schema.rs", 851));
        let told = text(place, &"not implemented");
        assert!(told.starts_with(
            "error: the program has a fault at parquet-58.4.1/src/arrow/schema.rs:851: not implemented\n"
        ));
        let told = text(Some(("crates/metaxy-cli/src/rows.rs", 5)), &"hunter2".to_owned());
        assert!(told.starts_with("error: the program has a fault at metaxy-cli/src/rows.rs:5\nhelp: "), "{told}");
    }
}
