//! No secret in anything that can be seen.

use std::fmt::Write as _;

use ducklake_sql::{Mode, Reveal};
use metaxy_config::{Config, Diagnostics, LoadError, Loaded, Style};

/// What every secret of every fixture begins with.
pub(crate) const MARKER: &str = "hunter2-";

/// Everything a caller can print of a loaded configuration, or of the reason why it was not.
pub(crate) fn everything(result: &Result<Loaded, LoadError>) -> String {
    let mut out = shown(result);
    if let Ok(loaded) = result {
        let _ = write!(out, "{loaded:?}{:#?}", loaded.config);
        for store in loaded.config.store_names().filter_map(|name| loaded.config.store(name).ok()) {
            let _ = write!(out, "{store:?}");
            for plan in [Mode::Read, Mode::Write].map(|mode| store.plan(mode)) {
                let _ = write!(out, "{plan:?}{:?}", plan.view(Reveal::Masked));
                // The text that is run holds no secret either, but for `init_sql`, which is a person's own SQL.
                for statement in plan.statements().iter().filter(|statement| statement.name() != "init-extension") {
                    out.push_str(statement.to_sql().text());
                }
            }
        }
    }
    out
}

/// The same without `Debug` and without the text that is run, which have names as they are: that of the default store, of
/// the lake.
fn shown(result: &Result<Loaded, LoadError>) -> String {
    let mut out = String::new();
    match result {
        Ok(loaded) => {
            diagnostics(&loaded.diagnostics, &mut out);
            let _ = write!(out, "{}{:#}", loaded.config.to_toml(), loaded.config.to_json());
            stores(&loaded.config, &mut out);
        }
        Err(error) => {
            let _ = write!(out, "{error}{error:?}");
            diagnostics(error.diagnostics(), &mut out);
        }
    }
    out
}

fn diagnostics(diagnostics: &Diagnostics, out: &mut String) {
    let _ = write!(out, "{diagnostics}{diagnostics:?}{:#}", diagnostics.to_json());
    out.push_str(&diagnostics.render(Style::Plain));
    out.push_str(&diagnostics.render(Style::Coloured));
    for diagnostic in diagnostics {
        let _ = write!(out, "{diagnostic:?}{:?}", diagnostics.location(diagnostic));
    }
}

fn stores(config: &Config, out: &mut String) {
    for name in config.store_names().chain(["no such store"]) {
        match config.store(name) {
            Ok(store) => {
                for mode in [Mode::Read, Mode::Write] {
                    let plan = store.plan(mode);
                    let json = serde_json::to_string(&plan.view(Reveal::Masked)).expect("a view is JSON");
                    let _ = write!(out, "{}{json}", plan.display(Reveal::Masked));
                    for statement in plan.statements() {
                        out.push_str(&statement.to_sql().text_for_log());
                    }
                }
            }
            Err(error) => {
                let _ = write!(out, "{error}{error:?}{:?}", error.help());
                if let Some(found) = error.diagnostics() {
                    diagnostics(found, out);
                }
            }
        }
    }
}

/// Fails when the marker is in any of it.
pub(crate) fn assert_none(result: &Result<Loaded, LoadError>) {
    assert_none_shown(&everything(result));
}

/// Fails when the marker is in anything that the program shows of it.
pub(crate) fn assert_none_in_output(result: &Result<Loaded, LoadError>) {
    assert_none_shown(&shown(result));
}

/// Fails when the marker is in any form of these diagnostics.
pub(crate) fn assert_none_in(found: &Diagnostics) {
    let mut out = String::new();
    diagnostics(found, &mut out);
    assert_none_shown(&out);
}

fn assert_none_shown(out: &str) {
    if let Some(at) = out.find(MARKER) {
        let start = out.floor_char_boundary(at.saturating_sub(200));
        let end = out.ceil_char_boundary((at + 50).min(out.len()));
        panic!("a secret leaked: …{}…", &out[start..end]);
    }
}
