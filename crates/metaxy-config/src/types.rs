//! The types of catalogs and storages, and what people write for them.

use metaxy_diagnostics::{Node, Value};

use crate::decode::{self, Decode};
use crate::messages;
use crate::scope::Scope;

pub(crate) const CATALOG_TYPES: &[&str] = &["duckdb", "sqlite", "postgres", "quack", "motherduck"];
pub(crate) const STORAGE_TYPES: &[&str] = &["local", "s3", "r2", "gcs", "azure"];

/// What people write for a type, and why there is none of that name.
const OTHER_TYPES: &[(&str, &[&str], &str)] = &[
    ("mysql", CATALOG_TYPES, NO_MYSQL),
    ("mariadb", CATALOG_TYPES, NO_MYSQL),
    ("minio", STORAGE_TYPES, "write `type = \"s3\"`, and where the server is as `endpoint`"),
    ("aws", STORAGE_TYPES, "write `type = \"s3\"`"),
    ("cloudflare", STORAGE_TYPES, "write `type = \"r2\"`"),
    ("gs", STORAGE_TYPES, "write `type = \"gcs\"`"),
    ("google", STORAGE_TYPES, "write `type = \"gcs\"`"),
    ("az", STORAGE_TYPES, NO_ABFSS),
    ("abfs", STORAGE_TYPES, NO_ABFSS),
    ("abfss", STORAGE_TYPES, NO_ABFSS),
    ("adls", STORAGE_TYPES, NO_ABFSS),
    ("wasbs", STORAGE_TYPES, NO_ABFSS),
    ("file", STORAGE_TYPES, "write `type = \"local\"`, and the folder as `path`"),
    ("sqlite3", CATALOG_TYPES, "write `type = \"sqlite\"`"),
    ("postgresql", CATALOG_TYPES, "write `type = \"postgres\"`"),
    ("md", CATALOG_TYPES, "write `type = \"motherduck\"`"),
    ("hdfs", STORAGE_TYPES, "DuckDB cannot write to HDFS; mount it, and write `type = \"local\"`"),
];

const NO_ABFSS: &str = "write `type = \"azure\"`, and the location as `data_path = \"az://CONTAINER/PREFIX/\"`: DuckDB does \
                        not write by `abfss://`, and the account's Blob endpoint has the same files";

const NO_MYSQL: &str = "DuckLake's documentation advises against MySQL, whose extension has faults as a catalog; write \
                        `type = \"postgres\"`, or `type = \"sqlite\"` for programs on one machine";

/// The `type` of a table that has several shapes, and the table without it.
pub(crate) fn typed(node: &Node, types: &[&'static str], scope: &mut Scope<'_>) -> Option<(&'static str, Node)> {
    let table = decode::table(node, &mut scope.context)?;
    let Some(given) = table.get("type") else {
        let help = ["write `type = \"", &types.join("\"`, `type = \""), "\"`"].concat();
        scope.context.report(messages::missing_key(node.origin, "type", &help));
        return None;
    };
    let text = String::decode(given, &mut scope.context)?;
    let Some(known) = types.iter().find(|known| **known == text) else {
        let diagnostic = messages::invalid_choice(given.origin, &text, types);
        let other = OTHER_TYPES.iter().find(|(name, of, _)| *of == types && text.eq_ignore_ascii_case(name));
        return scope.context.reject(
            given,
            match other {
                Some((.., help)) => diagnostic.with_help(*help),
                None => diagnostic,
            },
        );
    };
    let mut rest = table.clone();
    rest.remove("type");
    Some((known, Node { value: Value::Table(rest), origin: node.origin, unset: Vec::new() }))
}
