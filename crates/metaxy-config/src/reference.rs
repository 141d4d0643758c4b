//! The reference page of all diagnostics, generated from the table below.

use metaxy_diagnostics::{INVALID_CHOICE, MISSING_KEY, OUT_OF_RANGE, SYNTAX, UNKNOWN_KEY, WRONG_TYPE};
use metaxy_feature::ProblemKind;

use crate::messages::{
    ALIAS_TAKEN, BLANKS, CATALOG_IN_MEMORY, CATALOG_KIND, CATALOG_WITHOUT_PREFIX, CONFIG_NOT_FOUND, CONFIG_UNREADABLE,
    CONFLICT, DATA_PATH_NOT_OWN, EMPTY_SELECTION, EMPTY_VALUE, EXTEND_CYCLE, EXTEND_NOT_FOUND, EXTEND_TOO_DEEP,
    FALLBACK_CYCLE, FALLBACK_HASH, GCS_CREDENTIAL_CHAIN, INLINE_SECRET, INVALID_BUCKET, INVALID_ENDPOINT, INVALID_HOST,
    INVALID_PATH, INVALID_PROJECT, INVALID_REGION, INVALID_STORE_NAME, MISSING_STORE_TYPE, NEEDS_TRUST,
    NO_FEATURE_FILE, NO_STORAGE, NOT_APPLICABLE, NOT_EXPANDED, OVERLAPPING_DATA_PATHS, UNKNOWN_PARAMETER,
    UNKNOWN_SETTING, UNKNOWN_STORE, UNKNOWN_VARIABLE, UNSET_VARIABLE, UNSUPPORTED_DATABASE, UNSUPPORTED_HASH,
    UNSUPPORTED_KEY, UNSUPPORTED_STORE,
};

/// One entry of the reference page.
struct Reference {
    code: &'static str,
    /// What it means; empty for a code of `ducklake-sql` or `metaxy-feature`, which say it.
    meaning: &'static str,
    example: &'static str,
    remedy: &'static str,
}

/// The reference page, in its order: the file, its shape, stores, lakes, feature files.
const REFERENCE: &[Reference] = &[
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
        code: EXTEND_TOO_DEEP,
        meaning: "More than 32 files inherit from each other by `extend`.",
        example: "extend = \"32.toml\"",
        remedy: "Put what they share into one file.",
    },
    Reference {
        code: NEEDS_TRUST,
        meaning: "The configuration asks for what only the person who runs it may allow. `metaxy check --untrusted` lists it.",
        example: "config.config = { log_query_path = \"queries.sql\" }",
        remedy: "Read it. If it does what you want, `metaxy trust` allows it as it stands, until it changes.",
    },
    Reference {
        code: INLINE_SECRET,
        meaning: "A secret is written in a file that git tracks, or that every user of the machine can read.",
        example: "password = \"…\"",
        remedy: "Write a variable in its place, as in `password = \"${PROD_PASSWORD}\"`, and set it where the program runs. A secret that git has seen stays in its history, so change it.",
    },
    Reference {
        code: NO_STORAGE,
        meaning: "A lake has no `storage`, so its files are where it has stored itself: at an absolute path, or on a web server. It cannot be made then, and Python Metaxy does not open it.",
        example: "ducklake = { catalog = { type = \"duckdb\", uri = \"lake.ducklake\" } }",
        remedy: "Write `storage`, or leave the warning: a lake that exists is opened. One in a bucket needs it, since it has the secret.",
    },
    Reference {
        code: GCS_CREDENTIAL_CHAIN,
        meaning: "A storage of the type `gcs` has `provider = \"credential_chain\"`, which DuckDB has from Amazon: it looks for an HMAC key in AWS's variables and profiles, and not for a login of Google.",
        example: "secret_parameters = { provider = \"credential_chain\" }",
        remedy: "Write an HMAC key of the bucket as `key_id` and `secret`, or a token as `secret_parameters.bearer_token`; or leave the warning, if AWS's variables have an HMAC key of Google.",
    },
    Reference {
        code: UNSET_VARIABLE,
        meaning: "A string is made from a variable that is not set. The variable counts as empty, as in Python Metaxy. In a path it is an error, since what is left may be another folder.",
        example: "path = \"${LAKE_ROOT}/data\"",
        remedy: "Set the variable, or give a default: `${LAKE_ROOT:-lake}`.",
    },
    Reference {
        code: UNKNOWN_VARIABLE,
        meaning: "A variable looks like an override of the configuration, but its first word is not a key of it; or its name begins with `METAXY_`, and neither the configuration nor a command reads it.",
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
        meaning: "A value has another type than its key. A string is read as an integer or a boolean where one is expected.",
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
        meaning: "A value is not one of those that exist.",
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
        meaning: "One thing has two different values in two places.",
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
        meaning: "`database` is a URL. This program opens a file, `:memory:` or, without a lake, a database in MotherDuck.",
        example: "database = \"s3://bucket/rows.duckdb\"",
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
        code: CATALOG_WITHOUT_PREFIX,
        meaning: "Python Metaxy makes a DuckDB file of a SQLite catalog whose `uri` has no `sqlite:` before it. Such a file is \
                  opened as what it is; where there is none yet, both programs would make different ones.",
        example: "catalog = { type = \"sqlite\", uri = \"catalog.sqlite\" }",
        remedy: "Write `sqlite:` before the path; or `type = \"duckdb\"`, if the file is one.",
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
        code: DATA_PATH_NOT_OWN,
        meaning: "The data path is the project's folder, or one above it, or holds Parquet files that no lake has put \
                  there. A clean-up of orphaned files would delete all Parquet files below it that are not the lake's.",
        example: "storage = { type = \"local\", path = \".\" }",
        remedy: "Give the lake a folder of its own.",
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
        code: NOT_APPLICABLE,
        meaning: "The option has no effect on this kind of lake, so leaving it in would mislead.",
        example: "catalog = { type = \"motherduck\", database = \"db\" }\nalias = \"lake\"",
        remedy: "Leave the option out.",
    },
    Reference {
        code: "secret-name-clash",
        meaning: "",
        example: "secret_name = \"lake\" in `catalog` and in `storage`",
        remedy: "Give the two secrets different names.",
    },
    Reference {
        code: "invalid-text",
        meaning: "",
        example: "[ext.rust.lake.dev.options]\ntarget_file_size = \"large\"",
        remedy: "Write it as the help shows, as in `256MB`, `30 days`, `main.video__raw` or `bucket(8, id)`.",
    },
    Reference {
        code: BLANKS,
        meaning: "A value begins or ends with a blank, or with the end of a line: most often it comes out of a file. Where nothing can be called so, it is an error.",
        example: "password = \"${PASSWORD}\" with PASSWORD from a file of secrets",
        remedy: "Take the blank off where the value comes from.",
    },
    Reference {
        code: NOT_EXPANDED,
        meaning: "A text holds what another program would have replaced: `$NAME`, `{{ name }}`, `$(command)`, `%NAME%` or `<name>`.",
        example: "host = \"$PGHOST\"",
        remedy: "Write `${PGHOST}`, or `${PGHOST:-localhost}` with a default for one that is not set or empty.",
    },
    Reference {
        code: INVALID_HOST,
        meaning: "A host, an address, an account or a database holds what has a key of its own, or no such name can have.",
        example: "host = \"db.example:5432\"",
        remedy: "Write the name alone, as in `host = \"db.example\"` and `port = 5432`.",
    },
    Reference {
        code: INVALID_ENDPOINT,
        meaning: "An endpoint is more than `host` or `host:port`, so that DuckDB would ask for another URL than is meant.",
        example: "endpoint = \"minio.example:9000/bucket\"",
        remedy: "Leave the bucket and the path out.",
    },
    Reference {
        code: INVALID_BUCKET,
        meaning: "No bucket of the storage is called so, or no newer one.",
        example: "bucket = \"s3://Bucket\"",
        remedy: "Write the name as the storage shows it, without a scheme or a prefix.",
    },
    Reference {
        code: INVALID_REGION,
        meaning: "A region is written in words, in upper case, or as one of its zones.",
        example: "region = \"eu-central-1a\"",
        remedy: "Write its code, as in `eu-central-1`.",
    },
    Reference {
        code: UNKNOWN_PARAMETER,
        meaning: "DuckDB has no parameter of this name for a secret of this type, and would refuse the secret.",
        example: "secret_parameters = { ssl_mode = \"require\" }",
        remedy: "Correct the name, as in `sslmode`.",
    },
    Reference {
        code: UNKNOWN_SETTING,
        meaning: "Neither DuckDB nor an extension of a lake has a setting of this name.",
        example: "[stores.dev.config.config]\nthread = 4",
        remedy: "Correct the name, as in `threads`; `metaxy sql 'FROM duckdb_settings()'` lists them.",
    },
    Reference {
        code: "missing-project",
        meaning: "",
        example: "[ext.rust]\nfeatures = [\"features/*.toml\"]",
        remedy: "Add `project = \"…\"`.",
    },
    Reference {
        code: "invalid-key",
        meaning: "",
        example: "key = \"Video\"",
        remedy: "Write lower-case words joined by `/`, as in `video/raw`.",
    },
    Reference {
        code: "invalid-column",
        meaning: "",
        example: "id_columns = []",
        remedy: "Name each column once, and no system column.",
    },
    Reference {
        code: "column-conflict",
        meaning: "",
        example: "rename = { a = \"c\", b = \"c\" }",
        remedy: "Give each column a name of its own; `select` holds the new names.",
    },
    Reference {
        code: "unknown-feature",
        meaning: "",
        example: "deps = [\"video/row\"]",
        remedy: "Correct the key, or name the file that defines the feature in `[ext.rust] features`.",
    },
    Reference {
        code: "unknown-field",
        meaning: "",
        example: "deps = [{ feature = \"video/raw\", fields = [\"sound\"] }]",
        remedy: "Name a field that the upstream feature has.",
    },
    Reference {
        code: "no-upstream-field",
        meaning: "",
        example: "fields_mapping = \"none\"",
        remedy: "List the field's `deps`, or widen the `fields_mapping` of one dependency.",
    },
    Reference {
        code: "feature-cycle",
        meaning: "",
        example: "key = \"a\"\ndeps = [\"a\"]",
        remedy: "Remove one of the dependencies.",
    },
    Reference {
        code: "duplicate",
        meaning: "",
        example: "fields = [\"audio\", \"audio\"]",
        remedy: "Keep one of them.",
    },
    Reference {
        code: "name-collision",
        meaning: "",
        example: "key = \"a-b\" in one feature, key = \"a_b\" in another",
        remedy: "Rename one of them.",
    },
];

/// The reference page as Markdown: every code with its meaning, an example and what to do.
///
/// `docs/reference/diagnostics.md` is this text; a test compares them.
pub fn diagnostics_page() -> String {
    let mut page = String::from(
        "# Diagnostics\n\nGenerated by `cargo xtask codegen`. Every code that `metaxy check` can report; codes are stable.\n",
    );
    for entry in REFERENCE {
        page.push_str(&["\n## ", &section(entry)].concat());
    }
    page
}

/// What a diagnostic's code means, an example, and what to do; `None` if there is no such code.
///
/// ```
/// assert!(metaxy_config::explain_code("unknown-key").is_some_and(|text| text.starts_with("unknown-key\n\n")));
/// assert_eq!(metaxy_config::explain_code("nosuch"), None);
/// ```
pub fn explain_code(code: &str) -> Option<String> {
    REFERENCE.iter().find(|entry| entry.code == code).map(section)
}

/// Every code of a diagnostic, in the order of the reference page.
pub fn codes() -> impl Iterator<Item = &'static str> {
    REFERENCE.iter().map(|entry| entry.code)
}

fn section(entry: &Reference) -> String {
    let example: String = entry.example.lines().map(|line| ["    ", line, "\n"].concat()).collect();
    format!("{}\n\n{}\n\n{example}\n{}\n", entry.code, meaning(entry), entry.remedy)
}

fn meaning(entry: &Reference) -> &'static str {
    if !entry.meaning.is_empty() {
        return entry.meaning;
    }
    let of_lakes = ducklake_sql::Code::ALL.iter().find(|code| code.as_str() == entry.code).map(|code| code.meaning());
    let of_features = || ProblemKind::ALL.iter().find(|kind| kind.code() == entry.code)?.meaning();
    of_lakes.or_else(of_features).unwrap_or_default()
}
