//! Paths of this machine in the tables of a lake: how they are written, and what is wrong with them.

use std::path::Path;

use metaxy_diagnostics::{Node, Value};

use crate::load::{METAXY_TOML, PYPROJECT_TOML};
use crate::scope::Scope;
use crate::{messages, path};

/// What a path is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathOf {
    /// The file of a catalog.
    Catalog,
    /// The folder of data files.
    Data,
    /// The file of DuckDB's own database.
    Database,
}

impl PathOf {
    /// Where a URL of this scheme belongs.
    fn place_of_url(self, scheme: &str) -> &'static str {
        match (self, scheme.to_ascii_lowercase().as_str()) {
            (Self::Catalog, _) => {
                "name a file of this machine; for a catalog that many machines use, write `type = \"postgres\"`"
            }
            (Self::Database, _) => "name a file of this machine, or write `:memory:`",
            (Self::Data, "s3" | "s3a" | "s3n") => "write `type = \"s3\"`, and the URL as `data_path`",
            (Self::Data, "r2") => "write `type = \"r2\"`, and the URL as `data_path`",
            (Self::Data, "gs" | "gcs") => "write `type = \"gcs\"`, and the URL as `data_path`",
            (Self::Data, "az" | "azure") => "write `type = \"azure\"`, and the URL as `data_path`",
            (Self::Data, "abfs" | "abfss" | "wasb" | "wasbs") => {
                "write `type = \"azure\"`, `data_path = \"az://CONTAINER/PREFIX/\"` and `account_name`: the account's Blob \
                 endpoint has the same files"
            }
            (Self::Data, _) => "name a folder of this machine, or a storage of the type s3, r2, gcs or azure",
        }
    }
}

/// An absolute path of this machine; `file:` and `file://` are taken off. The last slash, which says "folder", stays.
pub(crate) fn local_path(text: &str, at: &Node, of: PathOf, scope: &mut Scope<'_>) -> Option<String> {
    let of_url = match text.strip_prefix("file:") {
        Some(path) if !path.starts_with("//") => Some(path),
        _ => text.strip_prefix("file://").filter(|path| path.starts_with('/')),
    };
    let is_url = of_url.is_some();
    let text = of_url.unwrap_or(text);
    if let Some((scheme, _)) = text.split_once("://") {
        return scope.context.reject(at, messages::path_is_url(at.origin, of.place_of_url(scheme)));
    }
    if let Some((why, help)) = spelling_of_others(text, is_url) {
        return scope.context.reject(at, messages::path_spelling(at.origin, why, help));
    }
    let mut path = scope.path_text(text, at.origin)?;
    if text.ends_with('/') && !path.ends_with('/') {
        path.push('/');
    }
    Some(path)
}

/// Why a text that would be the odd name of a file is a path of another system or program, and what to write.
fn spelling_of_others(text: &str, is_url: bool) -> Option<(&'static str, &'static str)> {
    let past_slashes = if is_url { text.trim_start_matches('/') } else { text };
    let is_drive = matches!(past_slashes.as_bytes(), [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    if !cfg!(windows) && (is_drive || text.starts_with("\\\\")) {
        return Some((
            "is one of Windows, and this machine runs another system",
            "write it with `/`, as in `/srv/lake`, or relative to this file",
        ));
    }
    let parameters = text.split_once('?').map(|(_, parameters)| parameters);
    if parameters.is_some_and(|parameters| parameters.contains('=')) {
        return Some((
            "has parameters after `?`, as a URI of SQLite has",
            "write the path alone; to open the lake for reading only, set `read_only = true` in `attach_options`",
        ));
    }
    if is_url && text.contains('%') {
        return Some((
            "has characters that are written with `%`, as in a URL",
            "write the path itself, without `file:`",
        ));
    }
    if text.starts_with('~') && text != "~" && !text.starts_with("~/") {
        return Some((
            "begins with `~` and a name, which a shell takes for the home directory of that user",
            "write the absolute path, or `./~…` for a file that is called so",
        ));
    }
    if begins_with_scheme(text) {
        return Some((
            "begins with a word and `:`, as a URL or the name of a driver does",
            "write the path alone, or `./…` before the name of a file with a `:`",
        ));
    }
    None
}

/// Whether a text begins as RFC 3986 has it for a URL. A single letter is a drive of Windows.
fn begins_with_scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    let is_of_scheme = |character: char| character.is_ascii_alphanumeric() || "+-.".contains(character);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(is_of_scheme)
        && !(cfg!(windows) && scheme.len() == 1)
}

/// What a folder of data files holds beside them, where it can be seen without looking into all of it.
pub(crate) fn other_files(folder: &Path, scope: &Scope<'_>) -> Option<&'static str> {
    let holds = |other: &Path| path::real(other, scope.system).starts_with(folder);
    if holds(&scope.project) {
        return Some("the folder of the configuration");
    }
    if scope.system.home_dir().is_some_and(|home| holds(&home)) {
        return Some("the home directory");
    }
    let has = |name: &str| scope.system.is_file(&folder.join(name));
    if has(METAXY_TOML) || has(PYPROJECT_TOML) {
        return Some("the folder of another project");
    }
    // The files of a lake are in the folders of tables, which are in those of schemas.
    let has_parquet = |folder: &Path| {
        let is_other = |name: &String| name.ends_with(".parquet") && scope.system.is_file(&folder.join(name));
        scope.system.names(folder).unwrap_or_default().iter().any(is_other)
    };
    let schemas = || scope.system.names(folder).unwrap_or_default();
    let is_other = has_parquet(folder) || schemas().iter().any(|schema| has_parquet(&folder.join(schema)));
    is_other.then_some("Parquet files that no lake has put there")
}

/// Parameters of libpq that are files.
pub(crate) const FILES: &[&str] =
    &["passfile", "servicefile", "sslcert", "sslcrl", "sslcrldir", "sslkey", "sslrootcert"];

/// The table of a PostgreSQL catalog, in which relative files of libpq start from the folder of the file that names them,
/// like all other paths. libpq itself takes them from the process's working directory.
pub(crate) fn with_absolute_files(node: &Node, scope: &Scope<'_>) -> Node {
    /// What `sslrootcert` may be that is no file.
    const SYSTEM: &str = "system";

    let mut node = node.clone();
    let Value::Table(table) = &mut node.value else { return node };
    let Some(parameters) = table.0.iter_mut().find(|entry| entry.key == "secret_parameters") else { return node };
    let Value::Table(parameters) = &mut parameters.node.value else { return node };
    for entry in &mut parameters.0 {
        let is_file = FILES.iter().any(|name| name.eq_ignore_ascii_case(&entry.key));
        let origin = entry.node.origin;
        if let Value::String(text) = &mut entry.node.value
            && is_file
            && !text.is_empty()
            && text != SYSTEM
            && let Ok(path) = scope.path(text, origin).into_os_string().into_string()
        {
            *text = path;
        }
    }
    node
}
