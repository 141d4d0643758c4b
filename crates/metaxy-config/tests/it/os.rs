//! The machine itself: files, links and the working directory are what they are on disk.

use std::path::Path;

use metaxy_config::{Config, Database, Diagnostic, LoadOptions, OsSystem, System};

/// The real machine, but in a folder of our own and without its variables.
struct In<'a>(&'a Path);

impl System for In<'_> {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn variables(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn current_dir(&self) -> std::io::Result<std::path::PathBuf> {
        Ok(self.0.to_owned())
    }

    fn home_dir(&self) -> Option<std::path::PathBuf> {
        Some(self.0.join("home"))
    }

    fn is_file(&self, path: &Path) -> bool {
        OsSystem.is_file(path)
    }

    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        OsSystem.read(path)
    }

    fn head(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        OsSystem.head(path)
    }

    fn names(&self, folder: &Path) -> std::io::Result<Vec<String>> {
        OsSystem.names(folder)
    }

    fn canonicalize(&self, path: &Path) -> std::io::Result<std::path::PathBuf> {
        OsSystem.canonicalize(path)
    }
}

fn store(catalog: &str, data: &str) -> String {
    format!(
        "type = 'duckdb'\nconfig.ducklake.catalog = {catalog}\nconfig.ducklake.storage = {{ type = 'local', path = '{data}' }}\n"
    )
}

#[test]
#[cfg(unix)]
fn going_up_from_a_link_goes_up_from_where_it_leads() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("it is there");
    std::fs::create_dir_all(root.join("far/away/place")).expect("folders");
    std::fs::create_dir(root.join("project")).expect("a folder");
    std::os::unix::fs::symlink(root.join("far/away/place"), root.join("project/link")).expect("a link");
    let text =
        ["[stores.dev]\n", &store("{ type = 'sqlite', uri = 'link/../meta.sqlite' }", "link/../new/../data")].concat();
    std::fs::write(root.join("project/metaxy.toml"), text).expect("a file");

    let loaded = Config::load(&In(&root.join("project")), &LoadOptions::default()).expect("it loads");
    let lake = loaded.config.store("dev").expect("it is usable").lake().expect("it has a lake");
    let file = lake.catalog().and_then(|catalog| catalog.file()).expect("the catalog is a file");
    assert_eq!(Path::new(file.as_str()), root.join("far/away/meta.sqlite"));
    assert_eq!(Path::new(lake.data_path().expect("it is local")), root.join("far/away/data"));
}

#[test]
#[cfg(unix)]
fn two_links_to_one_folder_are_one_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    std::fs::create_dir(root.join("data")).expect("a folder");
    std::os::unix::fs::symlink(root.join("data"), root.join("link")).expect("a link");
    let one = store("{ type = 'sqlite', uri = 'one.sqlite' }", "data");
    let two = store("{ type = 'sqlite', uri = 'two.sqlite' }", "link/inner");
    std::fs::write(root.join("metaxy.toml"), ["[stores.one]\n", &one, "[stores.two]\n", &two].concat())
        .expect("a file");

    let loaded = Config::load(&In(root), &LoadOptions::default()).expect("it loads");
    let codes: Vec<_> = loaded.diagnostics.iter().map(Diagnostic::code).collect();
    assert_eq!(codes, ["overlapping-data-paths"]);
    assert!(loaded.config.store("one").is_err() && loaded.config.store("two").is_err());
}

#[test]
fn a_file_is_found_upward_and_may_be_given_relative_to_the_working_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let inner = root.join("a/b");
    std::fs::create_dir_all(&inner).expect("folders");
    std::fs::write(root.join("metaxy.toml"), "[stores.up]\ntype = 'duckdb'\nconfig.database = 'up.db'")
        .expect("a file");
    std::fs::write(inner.join("other.toml"), "[stores.other]\ntype = 'duckdb'\nconfig.database = '~/x.db'")
        .expect("a file");

    let found = Config::load(&In(&inner), &LoadOptions::default()).expect("it loads").config;
    assert_eq!(found.config_file.as_deref(), Some(root.join("metaxy.toml").as_path()));
    assert_eq!(found.store("up").expect("it is usable").database, Database::File(root.join("up.db")));

    let given = Config::load(&In(&inner), &LoadOptions::file("other.toml")).expect("it loads").config;
    assert_eq!(given.store("other").expect("it is usable").database, Database::File(inner.join("home/x.db")));
}

#[test]
fn a_folder_is_no_configuration_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Config::load(&In(folder.path()), &LoadOptions::file(folder.path())).expect_err("it is a folder");
    let codes: Vec<_> = error.diagnostics().iter().map(Diagnostic::code).collect();
    assert_eq!(codes, ["config-unreadable"]);
}
