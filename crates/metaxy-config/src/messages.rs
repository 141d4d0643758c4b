//! Every diagnostic this crate can make, one constructor each, and the table behind the reference page.
//!
//! A constructor never puts a value into a message unless the field it comes from cannot be a secret.

use std::path::Path;

use ducklake_sql::{CatalogKind, Code, Problem};
use metaxy_diagnostics::{
    Diagnostic, INVALID_CHOICE, MISSING_KEY, Node, OUT_OF_RANGE, Origin, SYNTAX, UNKNOWN_KEY, Value, WRONG_TYPE,
    did_you_mean, excerpt, nearest, quoted,
};

const CONFIG_NOT_FOUND: &str = "config-not-found";
const CONFIG_UNREADABLE: &str = "config-unreadable";
const EXTEND_NOT_FOUND: &str = "extend-not-found";
const EXTEND_CYCLE: &str = "extend-cycle";
const UNSET_VARIABLE: &str = "unset-variable";
const UNKNOWN_VARIABLE: &str = "unknown-variable";
const EMPTY_VALUE: &str = "empty-value";
const INVALID_PATH: &str = "invalid-path";
const INVALID_PROJECT: &str = "invalid-project";
const INVALID_STORE_NAME: &str = "invalid-store-name";
const NO_FEATURE_FILE: &str = "no-feature-file";
const EMPTY_SELECTION: &str = "empty-selection";
const CONFLICT: &str = "conflict";
const MISSING_STORE_TYPE: &str = "missing-store-type";
const UNSUPPORTED_STORE: &str = "unsupported-store";
const UNSUPPORTED_KEY: &str = "unsupported-key";
const UNSUPPORTED_HASH: &str = "unsupported-hash";
const UNSUPPORTED_DATABASE: &str = "unsupported-database";
const UNKNOWN_STORE: &str = "unknown-store";
const FALLBACK_CYCLE: &str = "fallback-cycle";
const FALLBACK_HASH: &str = "fallback-hash";
const CATALOG_KIND: &str = "catalog-kind";
const CATALOG_IN_MEMORY: &str = "catalog-in-memory";
const OVERLAPPING_DATA_PATHS: &str = "overlapping-data-paths";
const ALIAS_TAKEN: &str = "alias-taken";
const OVERRIDE_DATA_PATH: &str = "override-data-path";

/// One entry of the reference page.
pub(crate) struct Reference {
    pub(crate) code: &'static str,
    /// What it means. For a code of `ducklake-sql` that crate says it.
    pub(crate) meaning: &'static str,
    pub(crate) example: &'static str,
    pub(crate) remedy: &'static str,
}

/// The reference page, in its order: the file, its shape, stores, lakes.
pub(crate) const REFERENCE: &[Reference] = &[
    Reference {
        code: CONFIG_NOT_FOUND,
        meaning: "The configuration file that was named does not exist.",
        example: "METAXY_CONFIG=/etc/metaxy.tml",
        remedy: "Correct the path. `METAXY_CONFIG` wins over `--config-file`, so look at both.",
    },
    Reference {
        code: CONFIG_UNREADABLE,
        meaning: "A configuration file exists but cannot be read, or is not UTF-8.",
        example: "metaxy.toml saved as UTF-16",
        remedy: "Make the file readable, and save it as UTF-8.",
    },
    Reference {
        code: SYNTAX,
        meaning: "The file is not TOML. All such errors of a file are shown; nothing else is checked until they are gone.",
        example: "password = \"never closed",
        remedy: "Correct the line. Values of a file that cannot be parsed are never shown, not even the one at fault.",
    },
    Reference {
        code: EXTEND_NOT_FOUND,
        meaning: "The file that `extend` names does not exist.",
        example: "extend = \"../base.toml\"",
        remedy: "Correct the path; it starts from the folder of the file that holds `extend`.",
    },
    Reference {
        code: EXTEND_CYCLE,
        meaning: "A file inherits from itself, directly or through others.",
        example: "extend = \"metaxy.toml\"",
        remedy: "Remove one `extend`.",
    },
    Reference {
        code: UNSET_VARIABLE,
        meaning: "A text is made from a variable that is not set. The variable counts as empty, as in Python Metaxy.",
        example: "path = \"${LAKE_ROOT}/data\"",
        remedy: "Set the variable, or give a default: `${LAKE_ROOT:-lake}`.",
    },
    Reference {
        code: UNKNOWN_VARIABLE,
        meaning: "A variable looks like an override of the configuration, but its first word is no key of it.",
        example: "METAXY_STORE__DEV__TYPE=duckdb",
        remedy: "Write the key as it is: `METAXY_STORES__DEV__TYPE`.",
    },
    Reference {
        code: UNKNOWN_KEY,
        meaning: "A table has a key that it does not know. Python Metaxy ignores some of these, so that a typo goes unseen.",
        example: "[stores.dev.config.ducklake]\nalais = \"lake\"",
        remedy: "Correct or remove the key.",
    },
    Reference {
        code: MISSING_KEY,
        meaning: "A table lacks a key that it needs.",
        example: "storage = { type = \"local\" }",
        remedy: "Add the key.",
    },
    Reference {
        code: WRONG_TYPE,
        meaning: "A value has another type than its key. Text is read as a number or a boolean where one is wanted.",
        example: "port = \"many\"",
        remedy: "Write a value of the type that is named. In a variable, lists and tables are written as JSON.",
    },
    Reference {
        code: OUT_OF_RANGE,
        meaning: "A number is too small or too large.",
        example: "hash_truncation_length = 4",
        remedy: "Choose a number of the range that is named.",
    },
    Reference {
        code: EMPTY_VALUE,
        meaning: "A value that must not be empty is; often because it comes from a variable that is not set.",
        example: "password = \"${PROD_PASSWORD}\"",
        remedy: "Set the variable, or write a value, or leave the key out.",
    },
    Reference {
        code: INVALID_CHOICE,
        meaning: "A value is none of those that exist.",
        example: "catalog = { type = \"mysql\" }",
        remedy: "Write one of the values that are named.",
    },
    Reference {
        code: INVALID_PATH,
        meaning: "A path cannot be used: it is a URL, a folder where a file is wanted, not Unicode, or holds a NUL byte.",
        example: "storage = { type = \"local\", path = \"s3://bucket/lake\" }",
        remedy: "Write a path of this machine, or choose another type of storage.",
    },
    Reference {
        code: INVALID_PROJECT,
        meaning: "A project's name has characters that are reserved: it becomes part of names of tables and keys.",
        example: "project = \"team/project\"",
        remedy: "Use letters, digits, `-` and single `_`.",
    },
    Reference {
        code: INVALID_STORE_NAME,
        meaning: "A store's name is empty or holds a control character.",
        example: "[stores.\"\"]",
        remedy: "Give the store a name.",
    },
    Reference {
        code: NO_FEATURE_FILE,
        meaning: "A path or pattern of `[ext.rust] features` matches no file.",
        example: "[ext.rust]\nfeatures = [\"fetures/*.toml\"]",
        remedy: "Correct it; it starts from the folder of the file that names it. `*` does not cross folders, `**` does.",
    },
    Reference {
        code: EMPTY_SELECTION,
        meaning: "An entry of `extra_features` selects nothing.",
        example: "extra_features = [{ projects = [] }]",
        remedy: "Give it `projects`, `keys` or `all = true`.",
    },
    Reference {
        code: CONFLICT,
        meaning: "One thing is said in two places, differently.",
        example: "catalog = { … }\nmetadata_backend = { … }",
        remedy: "Keep one of them.",
    },
    Reference {
        code: MISSING_STORE_TYPE,
        meaning: "A store has no `type`. One that only variables made is left out with a warning, as in Python Metaxy.",
        example: "[stores.dev.config]\ndatabase = \":memory:\"",
        remedy: "Add `type = \"duckdb\"` to the store.",
    },
    Reference {
        code: UNSUPPORTED_STORE,
        meaning: "A store is of a type that only Python Metaxy has. It is kept as it is and cannot be opened here.",
        example: "type = \"metaxy.ext.clickhouse.ClickHouseMetadataStore\"",
        remedy: "Nothing, unless the store is to be opened by this program.",
    },
    Reference {
        code: UNSUPPORTED_KEY,
        meaning: "A key would bypass the lake. Python Metaxy accepts it on a DuckDB store and fails, or ignores `database`.",
        example: "connection_string = \"duckdb:///x.db\"",
        remedy: "Remove it; `database`, `config` and `ducklake` say everything.",
    },
    Reference {
        code: UNSUPPORTED_HASH,
        meaning: "The hash exists in Metaxy, but not for DuckDB stores.",
        example: "hash_algorithm = \"sha256\"",
        remedy: "Use `xxhash32`, `xxhash64`, `xxh3_64` or `md5`.",
    },
    Reference {
        code: UNSUPPORTED_DATABASE,
        meaning: "`database` is a URL. This program opens a file or `:memory:`, and reaches everything else through a lake.",
        example: "database = \"md:analytics\"",
        remedy: "Use `:memory:` and say in `ducklake` where the lake is; a token goes into the variable `motherduck_token`.",
    },
    Reference {
        code: UNKNOWN_STORE,
        meaning: "A store is named that is not configured.",
        example: "fallback_stores = [\"prdo\"]",
        remedy: "Correct the name, or configure the store.",
    },
    Reference {
        code: FALLBACK_CYCLE,
        meaning: "A store falls back to itself, directly or through others.",
        example: "[stores.dev.config]\nfallback_stores = [\"dev\"]",
        remedy: "Remove one of the fallbacks.",
    },
    Reference {
        code: FALLBACK_HASH,
        meaning: "A store and its fallback hash differently, so that every row of the fallback would look changed.",
        example: "hash_algorithm = \"md5\", with a fallback that uses the default",
        remedy: "Give both stores the same `hash_algorithm`.",
    },
    Reference {
        code: CATALOG_KIND,
        meaning: "The catalog's type, the prefix of its `uri` and the file that is there do not agree.",
        example: "catalog = { type = \"sqlite\", uri = \"duckdb:meta.db\" }",
        remedy: "Correct the type. A file that Python Metaxy made with `type = \"sqlite\"` and a plain path is a DuckDB file.",
    },
    Reference {
        code: CATALOG_IN_MEMORY,
        meaning: "A catalog in memory would be gone at the end of the process, and every data file with it an orphan.",
        example: "catalog = { type = \"duckdb\", uri = \":memory:\" }",
        remedy: "Give the catalog a file.",
    },
    Reference {
        code: OVERLAPPING_DATA_PATHS,
        meaning: "Two different lakes keep their files in one place, or one inside the other's: each one's clean-up would \
                  delete the other's files.",
        example: "path = \"data\" in one store, path = \"data/archive\" in another",
        remedy: "Give each lake a folder of its own.",
    },
    Reference {
        code: ALIAS_TAKEN,
        meaning: "The alias of the lake is already the name of DuckDB's own database, which is called after its file.",
        example: "database = \"ducklake.duckdb\", with the default alias",
        remedy: "Use `database = \":memory:\"`, or another alias.",
    },
    Reference {
        code: OVERRIDE_DATA_PATH,
        meaning: "`override_data_path` is set. Rows written under another path than the stored one are found under neither.",
        example: "attach_options = { override_data_path = true }",
        remedy: "Leave it out, unless a moved copy of a lake is to be read.",
    },
    Reference { code: "nul-byte", meaning: "", example: "user = \"a\\u0000b\"", remedy: "Remove the NUL byte." },
    Reference { code: "reserved-alias", meaning: "", example: "alias = \"main\"", remedy: "Choose another alias." },
    Reference {
        code: "invalid-name",
        meaning: "",
        example: "config = { \"threads; DROP\" = 4 }",
        remedy: "Use letters, digits and underscores, not beginning with a digit.",
    },
    Reference {
        code: "invalid-object-path",
        meaning: "",
        example: "data_path = \"s3:/bucket/lake\"",
        remedy: "Write `s3://bucket/prefix/`, with `r2` or `gs` for the other storages.",
    },
    Reference {
        code: "missing-data-path",
        meaning: "",
        example: "storage = { type = \"s3\", secret_name = \"s3\" }",
        remedy: "Give `data_path`, or `bucket` with an optional `prefix`, or a `scope`.",
    },
    Reference {
        code: "half-given-credentials",
        meaning: "",
        example: "storage = { type = \"s3\", secret_name = \"s3\", bucket = \"b\", key_id = \"…\" }",
        remedy: "Give all of them; or none, and the existing secret of that name is used.",
    },
    Reference {
        code: "scope-mismatch",
        meaning: "",
        example: "data_path = \"s3://b/lake/\"\nscope = \"s3://b/other/\"",
        remedy: "Leave `scope` out: the secret is then scoped to the data path.",
    },
    Reference {
        code: "invalid-account-id",
        meaning: "",
        example: "account_id = \"https://….r2.cloudflarestorage.com\"",
        remedy: "Copy only the 32 digits.",
    },
    Reference {
        code: "unknown-attach-option",
        meaning: "",
        example: "attach_options = { api_version = \"0.2\" }",
        remedy: "Correct or remove it.",
    },
    Reference {
        code: "reserved-option",
        meaning: "",
        example: "config = { access_mode = \"read_only\" }",
        remedy: "Use the key or the mode that the help names.",
    },
    Reference {
        code: "not-applicable",
        meaning: "",
        example: "catalog = { type = \"motherduck\", database = \"db\" }\nalias = \"lake\"",
        remedy: "Leave the option out.",
    },
    Reference {
        code: "secret-name-clash",
        meaning: "",
        example: "secret_name = \"lake\" in `catalog` and in `storage`",
        remedy: "Give the two secrets different names.",
    },
];

/// What to do about an empty value: the variables it comes from are named.
fn fill(unset: &[String]) -> String {
    match unset {
        [] => "write a value, or leave the key out".to_owned(),
        [name] => format!("the variable {} is not set, or empty", quoted(&[name])),
        names => format!("the variables {} are not set, or empty", quoted(names)),
    }
}

pub(crate) fn config_not_found(path: &Path, variable: Option<Origin>) -> Diagnostic {
    let message = format!("the configuration file `{}` does not exist", excerpt(&path.to_string_lossy()));
    let diagnostic = Diagnostic::error(CONFIG_NOT_FOUND, message);
    match variable {
        Some(origin) => diagnostic.at(origin).with_help("`METAXY_CONFIG` wins over every other way to name the file"),
        None => diagnostic.with_help("correct the path; without one, `metaxy.toml` is looked for from here upward"),
    }
}

pub(crate) fn config_unreadable(path: &Path, why: &str) -> Diagnostic {
    Diagnostic::error(CONFIG_UNREADABLE, format!("cannot read `{}`: {why}", excerpt(&path.to_string_lossy())))
        .with_help("make it a readable file of UTF-8 text")
}

pub(crate) fn extend_not_found(origin: Origin, path: &Path) -> Diagnostic {
    let message = format!("the file that `extend` names does not exist: `{}`", excerpt(&path.to_string_lossy()));
    Diagnostic::error(EXTEND_NOT_FOUND, message)
        .showing(origin)
        .with_help("the path starts from the folder of the file that holds `extend`")
}

pub(crate) fn extend_cycle(origin: Origin, chain: &[impl AsRef<Path>]) -> Diagnostic {
    let chain: Vec<_> = chain.iter().map(|path| excerpt(&path.as_ref().to_string_lossy())).collect();
    Diagnostic::error(EXTEND_CYCLE, format!("a configuration inherits from itself: {}", chain.join(" → ")))
        .showing(origin)
        .with_help("remove one `extend`")
}

pub(crate) fn unset_variable(node: &Node) -> Diagnostic {
    Diagnostic::warning(UNSET_VARIABLE, format!("{} counts as empty in this text", quoted(&node.unset)))
        .at(node.origin)
        .with_help("set it, or give a default: `${NAME:-default}`")
}

pub(crate) fn unknown_variable(origin: Origin, name: &str, first: &str, known: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::warning(UNKNOWN_VARIABLE, format!("`{}` overrides nothing", excerpt(name))).at(origin);
    match nearest(first, known) {
        Some(near) if near == first => {
            diagnostic.with_help("two underscores separate keys; a key cannot be empty, nor tables be that deep")
        }
        Some(near) => diagnostic.with_help(format!("did you mean `METAXY_{}__…`?", near.to_uppercase())),
        None => diagnostic.with_help("its first word is no key of the configuration"),
    }
}

pub(crate) fn missing_key(origin: Origin, key: &str, help: &str) -> Diagnostic {
    Diagnostic::missing_key(key).at(origin).with_help(help)
}

/// A string that cannot be read as what is wanted.
pub(crate) fn not_a(node: &Node, expected: &str) -> Diagnostic {
    match &node.value {
        Value::String(text) if text.is_empty() => {
            Diagnostic::wrong_type(expected, "an empty string").at(node.origin).with_help(fill(&node.unset))
        }
        other => Diagnostic::wrong_type(expected, other.kind()).at(node.origin),
    }
}

/// A variable that has to hold JSON and does not.
pub(crate) fn not_json(origin: Origin, expected: &str) -> Diagnostic {
    Diagnostic::wrong_type(expected, "a string that is not JSON")
        .at(origin)
        .with_help("in a variable, lists and tables are written as JSON")
}

pub(crate) fn empty_value(node: &Node, what: &str) -> Diagnostic {
    Diagnostic::error(EMPTY_VALUE, format!("{what} is empty")).at(node.origin).with_help(fill(&node.unset))
}

pub(crate) fn invalid_choice(origin: Origin, found: &str, choices: &[&str]) -> Diagnostic {
    Diagnostic::invalid_choice(found, choices).showing(origin)
}

pub(crate) fn invalid_path(origin: Origin, why: &str) -> Diagnostic {
    Diagnostic::error(INVALID_PATH, format!("the path {why}")).at(origin)
}

pub(crate) fn invalid_pattern(origin: Origin, why: &str) -> Diagnostic {
    Diagnostic::error(INVALID_PATH, format!("the path is no pattern: {}", why.to_lowercase()))
        .showing(origin)
        .with_help("`*`, `?`, `[…]` and `**` match; write `[*]` for a name that holds one of them")
}

pub(crate) fn no_feature_file(origin: Origin, pattern: &Path) -> Diagnostic {
    let message = format!("no file matches `{}`", excerpt(&pattern.to_string_lossy()));
    Diagnostic::error(NO_FEATURE_FILE, message)
        .showing(origin)
        .with_help("the path starts from the folder of the file that names it")
}

pub(crate) fn invalid_project(origin: Origin, why: &str) -> Diagnostic {
    Diagnostic::error(INVALID_PROJECT, format!("the project's name {why}"))
        .showing(origin)
        .with_help("use letters, digits, `-` and single `_`")
}

pub(crate) fn invalid_store_name(origin: Origin, why: &str) -> Diagnostic {
    Diagnostic::error(INVALID_STORE_NAME, format!("the store's name {why}"))
        .at(origin)
        .with_help("give the store a name of visible characters")
}

pub(crate) fn empty_selection(origin: Origin) -> Diagnostic {
    Diagnostic::error(EMPTY_SELECTION, "this selects no feature")
        .at(origin)
        .with_help("give it `projects`, `keys` or `all = true`")
}

pub(crate) fn two_names(origin: Origin, key: &str, old: Origin, old_key: &str) -> Diagnostic {
    Diagnostic::error(CONFLICT, format!("`{key}` and `{old_key}` are two names of one thing"))
        .at(old)
        .and_at(origin, "given here as well")
        .with_help(format!("keep `{key}`"))
}

pub(crate) fn two_limits(limit: Origin, option: Origin) -> Diagnostic {
    Diagnostic::error(CONFLICT, "`data_inlining_row_limit` is given twice, differently")
        .at(option)
        .and_at(limit, "and here")
        .with_help("write it once")
}

pub(crate) fn missing_store_type(origin: Origin, store: &str) -> Diagnostic {
    Diagnostic::error(MISSING_STORE_TYPE, format!("the store `{}` has no `type`", excerpt(store)))
        .at(origin)
        .with_help("add `type = \"duckdb\"`")
}

pub(crate) fn store_left_out(origin: Origin, store: &str) -> Diagnostic {
    let store = excerpt(store);
    let message = format!("the store `{store}` is left out: only variables speak of it, and none gives its `type`");
    Diagnostic::warning(MISSING_STORE_TYPE, message)
        .at(origin)
        .with_help(format!("set `METAXY_STORES__{}__TYPE=duckdb`, or unset the variables", store.to_uppercase()))
}

pub(crate) fn unsupported_store(origin: Origin, store: &str) -> Diagnostic {
    Diagnostic::warning(UNSUPPORTED_STORE, format!("the store `{}` cannot be opened here", excerpt(store)))
        .showing(origin)
        .with_help("this program opens DuckDB stores; write `duckdb` if it is one")
}

pub(crate) fn unsupported_key(origin: Origin, key: &str) -> Diagnostic {
    Diagnostic::error(UNSUPPORTED_KEY, format!("`{key}` would bypass `database`, `config` and `ducklake`"))
        .at(origin)
        .with_help("remove it: a DuckDB store is described by those three alone")
}

pub(crate) fn unsupported_hash(origin: Origin, choices: &[&str]) -> Diagnostic {
    Diagnostic::error(UNSUPPORTED_HASH, "DuckDB stores do not have this hash")
        .showing(origin)
        .with_help(format!("write one of {}", quoted(choices)))
}

pub(crate) fn unsupported_database(origin: Origin) -> Diagnostic {
    Diagnostic::error(UNSUPPORTED_DATABASE, "`database` is a URL, not a file of this machine").at(origin).with_help(
        "use `:memory:` and say in `ducklake` where the lake is; a token goes into the variable `motherduck_token`",
    )
}

pub(crate) fn unknown_default_store(origin: Origin, store: &str, known: &[&str]) -> Diagnostic {
    Diagnostic::warning(UNKNOWN_STORE, format!("the default store `{}` is not configured", excerpt(store)))
        .showing(origin)
        .with_help(did_you_mean(store, known).unwrap_or_else(|| ["known stores: ", &quoted(known)].concat()))
}

pub(crate) fn unknown_fallback(origin: Origin, store: &str, known: &[&str]) -> Diagnostic {
    Diagnostic::error(UNKNOWN_STORE, format!("the fallback store `{}` is not configured", excerpt(store)))
        .showing(origin)
        .with_help(did_you_mean(store, known).unwrap_or_else(|| ["known stores: ", &quoted(known)].concat()))
}

pub(crate) fn fallback_cycle(origin: Origin, chain: &[&str]) -> Diagnostic {
    let chain: Vec<_> = chain.iter().map(|store| excerpt(store)).collect();
    Diagnostic::error(FALLBACK_CYCLE, format!("a store falls back to itself: {}", chain.join(" → ")))
        .showing(origin)
        .with_help("remove one of the fallbacks")
}

pub(crate) fn fallback_hash(origin: Origin, own: &str, fallback: &str, its: &str) -> Diagnostic {
    let message = format!("this store hashes with `{own}`, its fallback `{}` with `{its}`", excerpt(fallback));
    Diagnostic::error(FALLBACK_HASH, message).showing(origin).with_help("give both stores the same `hash_algorithm`")
}

pub(crate) fn catalog_prefix(origin: Origin, wanted: &str) -> Diagnostic {
    Diagnostic::error(CATALOG_KIND, format!("the `uri` is not that of a catalog of type `{wanted}`"))
        .at(origin)
        .with_help(format!("write a path, or `{wanted}:` and a path; or correct `type`"))
}

pub(crate) fn catalog_file(origin: Origin, wanted: &str, found: Option<CatalogKind>) -> Diagnostic {
    let (found, help) = match found {
        Some(CatalogKind::DuckDb) => (
            "a DuckDB file",
            "write `type = \"duckdb\"`: Python Metaxy makes a DuckDB file where a SQLite catalog has no `sqlite:` prefix",
        ),
        Some(CatalogKind::Sqlite) => ("a SQLite file", "write `type = \"sqlite\"`"),
        _ => ("neither a DuckDB nor a SQLite file", "choose another path: this file is no catalog"),
    };
    Diagnostic::error(CATALOG_KIND, format!("a catalog of type `{wanted}` is wanted, but the file there is {found}"))
        .showing(origin)
        .with_help(help)
}

pub(crate) fn catalog_in_memory(origin: Origin) -> Diagnostic {
    Diagnostic::error(CATALOG_IN_MEMORY, "a catalog in memory would be lost, and the lake with it")
        .showing(origin)
        .with_help("give the catalog a file")
}

pub(crate) fn overlapping(origin: Origin, store: &str, other: Origin, other_store: &str) -> Diagnostic {
    let (store, other_store) = (excerpt(store), excerpt(other_store));
    let message = format!("the lakes of `{store}` and `{other_store}` are two, but their data paths overlap");
    Diagnostic::error(OVERLAPPING_DATA_PATHS, message)
        .showing(origin)
        .and_at(other, "the other data path")
        .with_help("give each lake a folder of its own: the clean-up of one would delete the files of the other")
}

pub(crate) fn alias_taken(origin: Origin, alias: &str) -> Diagnostic {
    let message =
        format!("DuckDB calls its own database `{}` after this file, and so is the lake called", excerpt(alias));
    Diagnostic::error(ALIAS_TAKEN, message)
        .showing(origin)
        .with_help("use `:memory:`, or give the lake another `alias`")
}

pub(crate) fn override_data_path(origin: Origin) -> Diagnostic {
    Diagnostic::warning(
        OVERRIDE_DATA_PATH,
        "rows written under another path than the stored one are found under neither",
    )
    .at(origin)
    .with_help("leave it out, unless a moved copy of a lake is to be read")
}

/// A problem that `ducklake-sql` found in the table `node`.
pub(crate) fn problem(problem: &Problem, node: &Node) -> Diagnostic {
    let entry = node.entry(problem.field());
    let at = entry.map_or_else(|| node.find(problem.field()), |entry| &entry.node);
    let is_about_key = matches!(
        problem.code(),
        Code::InvalidName | Code::NotApplicable | Code::ReservedOption | Code::UnknownAttachOption
    );
    let origin = entry.filter(|_| is_about_key).map_or(at.origin, |entry| entry.key_origin);
    let diagnostic = Diagnostic::error(problem.code().as_str(), problem.message()).at(origin);
    match (problem.code(), problem.hint()) {
        (Code::EmptyValue, _) => diagnostic.with_help(fill(&at.unset)),
        // It asks for an absolute path, but here a relative one is fine.
        (Code::InvalidPath, _) | (_, None) => diagnostic,
        (_, Some(hint)) => diagnostic.with_help(hint),
    }
}
