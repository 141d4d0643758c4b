//! Every version stands once, in the workspace's table: a crate says `workspace = true`.

use toml::{Table, Value};

use super::Finding;

/// The tables of a manifest that hold dependencies.
const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Looks for dependencies that give a version or path of their own. The root has no dependencies.
pub(super) fn check(file: &str, text: &str) -> Vec<Finding> {
    let manifest: Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::new(file, 0, format!("is no TOML: {error}"))],
    };
    let targets = manifest.get("target").and_then(Value::as_table);
    let per_target = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let tables = std::iter::once(&manifest).chain(per_target);
    let dependencies =
        tables.flat_map(|table| TABLES.iter().filter_map(|name| table.get(*name).and_then(Value::as_table))).flatten();
    dependencies
        .filter(|(_, value)| value.get("workspace").and_then(Value::as_bool) != Some(true))
        // The crate itself, for a feature in its tests; a version would keep it from being published.
        .filter(|(_, value)| value.get("path").and_then(Value::as_str) != Some("."))
        .map(|(name, _)| {
            let message = format!("`{name}` has a version of its own; put it into `[workspace.dependencies]`");
            Finding::new(file, 0, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_outside_of_the_workspace_table_is_found() {
        let text = "
            [dependencies]
            good.workspace = true
            also-good = { workspace = true, features = ['x'] }
            one = '1'
            [dev-dependencies]
            two = { path = '../two' }
            itself = { path = '.', features = ['x'] }
            [target.'cfg(unix)'.build-dependencies]
            three = { version = '3', workspace = false }
        ";
        let found: Vec<_> = check("Cargo.toml", text).into_iter().map(|finding| finding.message).collect();
        for (name, message) in ["one", "two", "three"].iter().zip(&found) {
            assert!(message.starts_with(&format!("`{name}`")), "{message}");
        }
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_broken_manifest_is_found() {
        assert_eq!(check("Cargo.toml", "[").len(), 1);
    }
}
