//! What `cargo xtask setup` brought, found from the crate under test.

use std::env;
use std::path::{Path, PathBuf};

/// The folder `.deps` of the repository.
#[derive(Debug, Clone)]
pub struct Deps {
    root: PathBuf,
}

/// Finds what `cargo xtask setup` brought.
///
/// # Panics
///
/// When it has not been run.
#[must_use]
pub fn deps() -> Deps {
    // Cargo and nextest set the variable for tests; without them the place where this crate was built will do.
    let from =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    match from.ancestors().map(|folder| folder.join(".deps")).find(|folder| folder.is_dir()) {
        Some(root) => Deps { root },
        None => panic!("no folder `.deps` above `{}`: run `cargo xtask setup`", from.display()),
    }
}

impl Deps {
    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of `initdb`, `pg_ctl` and `postgres`; `METAXY_POSTGRES_BIN` names another one.
    ///
    /// # Panics
    ///
    /// When there is no PostgreSQL in it.
    #[must_use]
    pub fn postgres_bin(&self) -> PathBuf {
        let folder = env::var_os("METAXY_POSTGRES_BIN").map_or_else(|| self.root.join("postgres/bin"), PathBuf::from);
        for program in ["initdb", "pg_ctl", "postgres"] {
            let path = folder.join(program);
            assert!(
                path.is_file(),
                "no PostgreSQL: `{}` is missing; run `cargo xtask setup`, or set METAXY_POSTGRES_BIN",
                path.display()
            );
        }
        folder
    }

    /// The Python that has Python Metaxy.
    ///
    /// # Panics
    ///
    /// When `cargo xtask interop` has not brought it.
    #[must_use]
    pub fn peer(&self) -> PathBuf {
        let python = self.root.join(if cfg!(windows) { "peer/Scripts/python.exe" } else { "peer/bin/python" });
        assert!(
            self.root.join("peer/made-of.txt").is_file() && python.is_file(),
            "no Python Metaxy: `{}` is missing; run `cargo xtask interop`, which brings it",
            python.display()
        );
        python
    }

    /// DuckDB's extension directory, whose extensions load without a network; `METAXY_EXTENSION_DIRECTORY` names
    /// another one.
    ///
    /// # Panics
    ///
    /// When it does not exist.
    #[must_use]
    pub fn extensions(&self) -> PathBuf {
        let folder = env::var_os("METAXY_EXTENSION_DIRECTORY")
            .filter(|value| !value.is_empty())
            .map_or_else(|| self.root.join("extensions"), PathBuf::from);
        assert!(
            folder.is_dir(),
            "no DuckDB extensions: `{}` is missing; run `cargo xtask setup`, or set METAXY_EXTENSION_DIRECTORY",
            folder.display()
        );
        folder
    }
}
