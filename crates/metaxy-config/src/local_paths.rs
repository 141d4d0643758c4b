//! Paths of this machine in the tables of a lake: how they are written, and what is wrong with them.

use std::path::Path;

use metaxy_diagnostics::{Node, Value};

use crate::scope::Scope;
use crate::{messages, path};

/// What a path is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathOf {
    /// The file of a catalog.
    Catalog,
    /// The folder of data files.
    Data,
}

impl PathOf {
    /// Where a URL of this scheme belongs.
    fn place_of_url(self, scheme: &str) -> &'static str {
        match (self, scheme.to_ascii_lowercase().as_str()) {
            (Self::Catalog, _) => {
                "name a file of this machine; for a catalog that many machines use, write `type = \"postgres\"`"
            }
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
    let text = match text.strip_prefix("file:") {
        Some(path) if !path.starts_with("//") => path,
        _ => text.strip_prefix("file://").filter(|path| path.starts_with('/')).unwrap_or(text),
    };
    if let Some((scheme, _)) = text.split_once("://") {
        return scope.context.reject(at, messages::path_is_url(at.origin, of.place_of_url(scheme)));
    }
    if let Some((why, help)) = spelling_of_others(text) {
        return scope.context.reject(at, messages::path_spelling(at.origin, why, help));
    }
    let mut path = scope.path_text(text, at.origin)?;
    if text.ends_with('/') && !path.ends_with('/') {
        path.push('/');
    }
    Some(path)
}

/// Why a text that would be the odd name of a file is a path of another system or program, and what to write.
fn spelling_of_others(text: &str) -> Option<(&'static str, &'static str)> {
    let is_drive = matches!(text.as_bytes(), [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
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
    None
}

/// What a folder of data files holds beside them, where it can be seen without looking into all of it.
pub(crate) fn other_files(folder: &Path, scope: &Scope<'_>) -> Option<&'static str> {
    if path::real(&scope.project, scope.system).starts_with(folder) {
        return Some("the folder of the configuration");
    }
    // The files of a lake are in folders of its schemas.
    let is_other = |name: &String| name.ends_with(".parquet") && scope.system.is_file(&folder.join(name));
    let names = scope.system.names(folder).unwrap_or_default();
    names.iter().any(is_other).then_some("Parquet files that no lake has put there")
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
