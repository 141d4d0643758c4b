//! Every diagnostic this crate can make, one constructor each.
//!
//! A constructor never puts a value into a message unless the field it comes from cannot be a secret.
//!
//! One file because they share one vocabulary, and a reader compares their words.

use std::path::Path;

use ducklake_sql::{CatalogKind, Code, Field, Problem, SettingType, mask_credentials};
use metaxy_diagnostics::{Diagnostic, Node, OUT_OF_RANGE, Origin, Severity, Value, did_you_mean, nearest, quoted};

use crate::exposure::Exposure;
use crate::faults::Fault;
use crate::variables::PREFIX;

pub(crate) const CONFIG_NOT_FOUND: &str = "config-not-found";
pub(crate) const CONFIG_UNREADABLE: &str = "config-unreadable";
pub(crate) const EXTEND_NOT_FOUND: &str = "extend-not-found";
pub(crate) const EXTEND_CYCLE: &str = "extend-cycle";
pub(crate) const UNSET_VARIABLE: &str = "unset-variable";
pub(crate) const UNKNOWN_VARIABLE: &str = "unknown-variable";
pub(crate) const EMPTY_VALUE: &str = "empty-value";
pub(crate) const INVALID_PATH: &str = "invalid-path";
pub(crate) const INVALID_PROJECT: &str = "invalid-project";
pub(crate) const INVALID_STORE_NAME: &str = "invalid-store-name";
pub(crate) const NO_FEATURE_FILE: &str = "no-feature-file";
pub(crate) const EMPTY_SELECTION: &str = "empty-selection";
pub(crate) const CONFLICT: &str = "conflict";
pub(crate) const MISSING_STORE_TYPE: &str = "missing-store-type";
pub(crate) const UNSUPPORTED_STORE: &str = "unsupported-store";
pub(crate) const UNSUPPORTED_KEY: &str = "unsupported-key";
pub(crate) const UNSUPPORTED_HASH: &str = "unsupported-hash";
pub(crate) const UNSUPPORTED_DATABASE: &str = "unsupported-database";
pub(crate) const UNKNOWN_STORE: &str = "unknown-store";
pub(crate) const FALLBACK_CYCLE: &str = "fallback-cycle";
pub(crate) const FALLBACK_HASH: &str = "fallback-hash";
pub(crate) const CATALOG_KIND: &str = "catalog-kind";
pub(crate) const CATALOG_WITHOUT_PREFIX: &str = "catalog-without-prefix";
pub(crate) const CATALOG_IN_MEMORY: &str = "catalog-in-memory";
pub(crate) const OVERLAPPING_DATA_PATHS: &str = "overlapping-data-paths";
pub(crate) const ALIAS_TAKEN: &str = "alias-taken";
pub(crate) const NOT_APPLICABLE: &str = "not-applicable";
pub(crate) const DATA_PATH_NOT_OWN: &str = "data-path-not-own";
pub(crate) const BLANKS: &str = "blanks-around-value";
pub(crate) const NOT_EXPANDED: &str = "not-expanded";
pub(crate) const INVALID_HOST: &str = "invalid-host";
pub(crate) const INVALID_ENDPOINT: &str = "invalid-endpoint";
pub(crate) const INVALID_BUCKET: &str = "invalid-bucket";
pub(crate) const INVALID_REGION: &str = "invalid-region";
pub(crate) const UNKNOWN_PARAMETER: &str = "unknown-parameter";
pub(crate) const UNKNOWN_SETTING: &str = "unknown-setting";
pub(crate) const EXTEND_TOO_DEEP: &str = "extend-too-deep";
pub(crate) const NEEDS_TRUST: &str = "needs-trust";
pub(crate) const INLINE_SECRET: &str = "inline-secret";
pub(crate) const NO_STORAGE: &str = "no-storage";
pub(crate) const GCS_CREDENTIAL_CHAIN: &str = "gcs-credential-chain";

/// The start of a text for a message, credentials masked.
fn excerpt(text: &str) -> String {
    metaxy_diagnostics::excerpt(&mask_credentials(text))
}

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
        Some(origin) => {
            diagnostic.with_origin(origin).with_help("`METAXY_CONFIG` wins over every other way to name the file")
        }
        None => diagnostic.with_help("correct the path; without one, `metaxy.toml` is looked for from here upward"),
    }
}

pub(crate) fn config_unreadable(path: &Path, why: &str) -> Diagnostic {
    Diagnostic::error(CONFIG_UNREADABLE, format!("cannot read `{}`: {why}", excerpt(&path.to_string_lossy())))
        .with_help("make it a readable file of UTF-8 text")
}

pub(crate) fn lock_file_unreadable(path: &Path, why: &str) -> Diagnostic {
    Diagnostic::error(CONFIG_UNREADABLE, format!("cannot read `{}`: {why}", excerpt(&path.to_string_lossy())))
        .with_help("write it anew with `metaxy lock`")
}

pub(crate) fn extend_not_found(origin: Origin, path: &Path) -> Diagnostic {
    let message = format!("the file that `extend` names does not exist: `{}`", excerpt(&path.to_string_lossy()));
    Diagnostic::error(EXTEND_NOT_FOUND, message)
        .with_shown_origin(origin)
        .with_help("the path starts from the folder of the file that holds `extend`")
}

pub(crate) fn extend_cycle(origin: Origin, chain: &[impl AsRef<Path>]) -> Diagnostic {
    let chain: Vec<_> = chain.iter().map(|path| excerpt(&path.as_ref().to_string_lossy())).collect();
    Diagnostic::error(EXTEND_CYCLE, format!("a configuration inherits from itself: {}", chain.join(" → ")))
        .with_shown_origin(origin)
        .with_help("remove one `extend`")
}

pub(crate) fn extend_too_deep(origin: Origin, most: usize) -> Diagnostic {
    Diagnostic::error(EXTEND_TOO_DEEP, format!("more than {most} files inherit from each other"))
        .with_shown_origin(origin)
        .with_help("put what they share into one file")
}

pub(crate) fn special_file(origin: Origin) -> Diagnostic {
    Diagnostic::error(INVALID_PATH, "the path is that of a device or a pipe, not of a file")
        .with_origin(origin)
        .with_help("name a file")
}

/// Something that only a person may allow.
fn untrusted(origin: Origin, message: String) -> Diagnostic {
    Diagnostic::warning(NEEDS_TRUST, message).with_origin(origin)
}

pub(crate) fn untrusted_unsigned(origin: Origin) -> Diagnostic {
    let message = "`allow_unsigned_extensions` needs trust: code that DuckDB has not signed could be loaded";
    untrusted(origin, message.to_owned())
}

pub(crate) fn untrusted_setting(origin: Origin, name: &str) -> Diagnostic {
    let name = excerpt(name);
    untrusted(origin, format!("the setting `{name}` needs trust: it is not known to be harmless"))
}

pub(crate) fn untrusted_extension(origin: Origin, name: &str, repository: &str) -> Diagnostic {
    let (name, repository) = (excerpt(name), excerpt(repository));
    untrusted(
        origin,
        format!("the extension `{name}` of `{repository}` needs trust: it is code, and not of DuckDB itself"),
    )
}

pub(crate) fn untrusted_sql(origin: Origin, extension: &str, shown: &str) -> Diagnostic {
    let extension = excerpt(extension);
    let message = "needs trust: SQL can read and write every file that you can";
    untrusted(origin, format!("`init_sql` of the extension `{extension}` {message}: `{shown}`"))
}

pub(crate) fn untrusted_parameter(origin: Origin, name: &str) -> Diagnostic {
    untrusted(origin, format!("the parameter `{}` needs trust: it is not known to be harmless", excerpt(name)))
}

pub(crate) fn untrusted_host(origin: Origin, part: &str, sent: &[String]) -> Diagnostic {
    let sent: Vec<_> = sent.iter().map(|name| excerpt(name)).collect();
    let sent = sent.join(", ");
    untrusted(origin, format!("this host of the {part} needs trust: it gets what is in your environment ({sent})"))
}

pub(crate) fn unset_variable(node: &Node) -> Diagnostic {
    Diagnostic::warning(UNSET_VARIABLE, format!("{} counts as empty in this string", quoted(&node.unset)))
        .with_origin(node.origin)
        .with_help("set it, or give a default: `${NAME:-default}`")
}

pub(crate) fn unknown_variable(origin: Origin, name: &str, first: &str, known: &[&str]) -> Diagnostic {
    let diagnostic =
        Diagnostic::warning(UNKNOWN_VARIABLE, format!("`{}` overrides nothing", excerpt(name))).with_origin(origin);
    match nearest(first, known) {
        Some(near) if near == first => {
            diagnostic.with_help("two underscores separate keys; a key cannot be empty, nor tables be that deep")
        }
        Some(near) => diagnostic.with_help(format!("did you mean `METAXY_{}__…`?", near.to_uppercase())),
        None => diagnostic.with_help("its first word is not a key of the configuration"),
    }
}

/// A variable of Metaxy that nobody reads.
pub(crate) fn unread_variable(origin: Origin, name: &str, known: &[String]) -> Diagnostic {
    let word = |name: &str| name.get(PREFIX.len()..).unwrap_or_default().to_owned();
    let words: Vec<String> = known.iter().map(|known| word(known)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let near = nearest(&word(name), &words).map(|near| format!(": did you mean `{PREFIX}{near}`?"));
    let message = format!("nothing reads `{}`{}", excerpt(name), near.unwrap_or_default());
    Diagnostic::warning(UNKNOWN_VARIABLE, message).with_origin(origin)
}

pub(crate) fn missing_key(origin: Origin, key: &str, help: &str) -> Diagnostic {
    Diagnostic::missing_key(key).with_origin(origin).with_help(help)
}

/// A string that cannot be read as what is wanted.
pub(crate) fn not_a(node: &Node, expected: &str) -> Diagnostic {
    match &node.value {
        Value::String(text) if text.is_empty() => {
            Diagnostic::wrong_type(expected, "an empty string").with_origin(node.origin).with_help(fill(&node.unset))
        }
        other => Diagnostic::wrong_type(expected, other.kind()).with_origin(node.origin),
    }
}

/// A variable that has to hold JSON and does not.
pub(crate) fn not_json(origin: Origin, expected: &str) -> Diagnostic {
    Diagnostic::wrong_type(expected, "a string that is not JSON")
        .with_origin(origin)
        .with_help("in a variable, lists and tables are written as JSON")
}

pub(crate) fn empty_value(node: &Node, what: &str) -> Diagnostic {
    Diagnostic::error(EMPTY_VALUE, format!("{what} is empty")).with_origin(node.origin).with_help(fill(&node.unset))
}

pub(crate) fn invalid_choice(origin: Origin, found: &str, choices: &[&str]) -> Diagnostic {
    Diagnostic::invalid_masked_choice(found, choices).with_shown_origin(origin)
}

/// A setting's value that DuckDB does not take for its type; a number may be only too small.
pub(crate) fn invalid_setting(node: &Node, kind: SettingType, is_number: bool) -> Diagnostic {
    let expected = kind.expected();
    match kind {
        SettingType::Count | SettingType::Positive if is_number => {
            Diagnostic::error(OUT_OF_RANGE, format!("expected {expected}")).with_origin(node.origin)
        }
        _ => Diagnostic::wrong_type(expected, node.value.kind()).with_origin(node.origin),
    }
}

pub(crate) fn invalid_path(origin: Origin, why: &str) -> Diagnostic {
    Diagnostic::error(INVALID_PATH, format!("the path {why}")).with_origin(origin)
}

/// A URL in the place of a path, and where it belongs.
pub(crate) fn path_is_url(origin: Origin, help: &str) -> Diagnostic {
    invalid_path(origin, "is a URL, not a path of this machine").with_help(help.to_owned())
}

/// A path in the spelling of another program, and how it is written here.
pub(crate) fn path_spelling(origin: Origin, why: &str, help: &str) -> Diagnostic {
    invalid_path(origin, why).with_help(help.to_owned())
}

pub(crate) fn invalid_pattern(origin: Origin, why: &str) -> Diagnostic {
    Diagnostic::error(INVALID_PATH, format!("the path is not a valid pattern: {}", why.to_lowercase()))
        .with_shown_origin(origin)
        .with_help("`*`, `?`, `[…]` and `**` match; write `[*]` for a name that holds one of them")
}

pub(crate) fn no_feature_file(origin: Origin, pattern: &Path) -> Diagnostic {
    let message = format!("no file matches `{}`", excerpt(&pattern.to_string_lossy()));
    Diagnostic::error(NO_FEATURE_FILE, message)
        .with_shown_origin(origin)
        .with_help("the path starts from the folder of the file that names it")
}

pub(crate) fn invalid_project(origin: Origin, why: &str) -> Diagnostic {
    Diagnostic::error(INVALID_PROJECT, format!("the project's name {why}"))
        .with_shown_origin(origin)
        .with_help("use letters, digits, `-` and single `_`")
}

pub(crate) fn invalid_store_name(origin: Origin, why: &str) -> Diagnostic {
    Diagnostic::error(INVALID_STORE_NAME, format!("the store's name {why}"))
        .with_origin(origin)
        .with_help("give the store a name of visible characters")
}

pub(crate) fn empty_selection(origin: Origin) -> Diagnostic {
    Diagnostic::error(EMPTY_SELECTION, "this selects no feature")
        .with_origin(origin)
        .with_help("give it `projects`, `keys` or `all = true`")
}

pub(crate) fn two_names(origin: Origin, key: &str, old: Origin, old_key: &str) -> Diagnostic {
    Diagnostic::error(CONFLICT, format!("`{key}` and `{old_key}` are two names of one thing"))
        .with_origin(old)
        .with_label(origin, "given here as well")
        .with_help(format!("keep `{key}`"))
}

pub(crate) fn two_limits(limit: Origin, option: Origin) -> Diagnostic {
    Diagnostic::error(CONFLICT, "`data_inlining_row_limit` has two different values")
        .with_origin(option)
        .with_label(limit, "and here")
        .with_help("write it once")
}

pub(crate) fn missing_store_type(origin: Origin, store: &str) -> Diagnostic {
    Diagnostic::error(MISSING_STORE_TYPE, format!("the store `{}` has no `type`", excerpt(store)))
        .with_origin(origin)
        .with_help("add `type = \"duckdb\"`")
}

pub(crate) fn store_left_out(origin: Origin, store: &str) -> Diagnostic {
    let store = excerpt(store);
    let message = format!("the store `{store}` is left out: only variables name it, and none gives its `type`");
    Diagnostic::warning(MISSING_STORE_TYPE, message)
        .with_origin(origin)
        .with_help(format!("set `METAXY_STORES__{}__TYPE=duckdb`, or unset the variables", store.to_uppercase()))
}

pub(crate) fn unsupported_store(origin: Origin, store: &str) -> Diagnostic {
    Diagnostic::warning(UNSUPPORTED_STORE, format!("the store `{}` cannot be opened here", excerpt(store)))
        .with_shown_origin(origin)
        .with_help("this program opens DuckDB stores; write `duckdb` if it is one")
}

pub(crate) fn unsupported_key(origin: Origin, key: &str) -> Diagnostic {
    Diagnostic::error(UNSUPPORTED_KEY, format!("`{key}` would bypass `database`, `config` and `ducklake`"))
        .with_origin(origin)
        .with_help("remove it: a DuckDB store is described by those three alone")
}

pub(crate) fn unsupported_hash(origin: Origin, choices: &[&str]) -> Diagnostic {
    Diagnostic::error(UNSUPPORTED_HASH, "DuckDB stores do not have this hash")
        .with_shown_origin(origin)
        .with_help(format!("write one of {}", quoted(choices)))
}

pub(crate) fn unsupported_database(origin: Origin) -> Diagnostic {
    Diagnostic::error(UNSUPPORTED_DATABASE, "`database` is a URL, not a file of this machine")
        .with_origin(origin)
        .with_help(
            "use `:memory:` and say in `ducklake` where the lake is; a token goes into the variable `motherduck_token`",
        )
}

pub(crate) fn unknown_default_store(origin: Origin, store: &str, known: &[&str]) -> Diagnostic {
    Diagnostic::error(UNKNOWN_STORE, format!("the default store `{}` is not configured", excerpt(store)))
        .with_shown_origin(origin)
        .with_help(did_you_mean(store, known).unwrap_or_else(|| ["known stores: ", &quoted(known)].concat()))
}

pub(crate) fn unknown_fallback(origin: Origin, store: &str, known: &[&str]) -> Diagnostic {
    Diagnostic::error(UNKNOWN_STORE, format!("the fallback store `{}` is not configured", excerpt(store)))
        .with_shown_origin(origin)
        .with_help(did_you_mean(store, known).unwrap_or_else(|| ["known stores: ", &quoted(known)].concat()))
}

pub(crate) fn fallback_cycle(origin: Origin, chain: &[&str]) -> Diagnostic {
    let chain: Vec<_> = chain.iter().map(|store| excerpt(store)).collect();
    Diagnostic::error(FALLBACK_CYCLE, format!("a store falls back to itself: {}", chain.join(" → ")))
        .with_shown_origin(origin)
        .with_help("remove one of the fallbacks")
}

pub(crate) fn fallback_hash(origin: Origin, own: &str, fallback: &str, its: &str) -> Diagnostic {
    let message = format!("this store hashes with `{own}`, its fallback `{}` with `{its}`", excerpt(fallback));
    Diagnostic::error(FALLBACK_HASH, message)
        .with_shown_origin(origin)
        .with_help("give both stores the same `hash_algorithm`")
}

pub(crate) fn catalog_prefix(origin: Origin, wanted: &str) -> Diagnostic {
    Diagnostic::error(CATALOG_KIND, format!("expected the `uri` of a catalog of type `{wanted}`"))
        .with_origin(origin)
        .with_help(format!("write a path, or `{wanted}:` and a path; or correct `type`"))
}

pub(crate) fn catalog_file(origin: Origin, wanted: &str, found: Option<CatalogKind>) -> Diagnostic {
    let (found, help) = match found {
        Some(CatalogKind::DuckDb) => (
            "a DuckDB file",
            "write `type = \"duckdb\"`: Python Metaxy makes a DuckDB file where a SQLite catalog has no `sqlite:` prefix",
        ),
        Some(CatalogKind::Sqlite) => ("a SQLite file", "write `type = \"sqlite\"`"),
        _ => ("neither a DuckDB nor a SQLite file", "choose another path: this file is not a catalog"),
    };
    Diagnostic::error(CATALOG_KIND, format!("expected a catalog of type `{wanted}`, found {found}"))
        .with_shown_origin(origin)
        .with_help(help)
}

/// A DuckDB file, which Python Metaxy made of a new SQLite catalog without a prefix.
pub(crate) fn catalog_is_duckdb(origin: Origin) -> Diagnostic {
    let message = "the catalog is a DuckDB file, though its type is `sqlite`: it is opened as what it is";
    Diagnostic::warning(CATALOG_WITHOUT_PREFIX, message).with_shown_origin(origin).with_help(
        "write `type = \"duckdb\"`: Python Metaxy makes a DuckDB file of a SQLite catalog whose `uri` does not begin \
             with `sqlite:`",
    )
}

/// A new SQLite catalog, of which Python Metaxy would make a DuckDB file.
pub(crate) fn catalog_without_prefix(origin: Origin, uri: &str) -> Diagnostic {
    let message = "Python Metaxy would make a DuckDB file of this SQLite catalog, and this program a SQLite file";
    Diagnostic::warning(CATALOG_WITHOUT_PREFIX, message)
        .with_shown_origin(origin)
        .with_help(format!("write `uri = \"sqlite:{}\"`, which both take for SQLite", excerpt(uri)))
}

pub(crate) fn not_a_duckdb_file(origin: Origin) -> Diagnostic {
    Diagnostic::error(CATALOG_KIND, "expected a DuckDB file, found a file of another kind")
        .with_shown_origin(origin)
        .with_help("name a file that DuckDB has made, or one that is not there yet")
}

pub(crate) fn catalog_in_memory(origin: Origin) -> Diagnostic {
    Diagnostic::error(CATALOG_IN_MEMORY, "a catalog in memory would be lost, and the lake with it")
        .with_shown_origin(origin)
        .with_help("give the catalog a file")
}

pub(crate) fn overlapping(origin: Origin, store: &str, other: Origin, other_store: &str) -> Diagnostic {
    let (store, other_store) = (excerpt(store), excerpt(other_store));
    let message = format!("the data paths of `{store}` and `{other_store}`, which are different lakes, overlap");
    Diagnostic::error(OVERLAPPING_DATA_PATHS, message)
        .with_shown_origin(origin)
        .with_label(other, "the other data path")
        .with_help(
            "give each lake a folder of its own: the clean-up of one would delete the files of the other; for a lake that is \
             moved to another catalog, name its store in `migrate_from`",
        )
}

pub(crate) fn alias_taken(origin: Origin, alias: &str) -> Diagnostic {
    let message =
        format!("DuckDB names its own database `{}` after this file, and the lake has the same alias", excerpt(alias));
    Diagnostic::error(ALIAS_TAKEN, message)
        .with_shown_origin(origin)
        .with_help("use `:memory:`, or give the lake another `alias`")
}

pub(crate) fn data_path_not_own(origin: Origin, holds: &str) -> Diagnostic {
    let message = format!("the data path is not the lake's own: it holds {holds}");
    Diagnostic::warning(DATA_PATH_NOT_OWN, message)
        .with_origin(origin)
        .with_help("give the lake a folder of its own: a clean-up of orphaned files deletes all Parquet files below it")
}

/// A value that no server takes, or hardly any.
pub(crate) fn fault(code: &'static str, what: &str, origin: Origin, fault: &Fault) -> Diagnostic {
    let message = format!("{what} {}", fault.why);
    let diagnostic = match fault.severity {
        Severity::Error => Diagnostic::error(code, message),
        Severity::Warning => Diagnostic::warning(code, message),
    };
    diagnostic.with_origin(origin).with_help(fault.help)
}

/// The same for a key that belongs one table deeper.
pub(crate) fn in_parameters(unknown: Diagnostic, parameter: &str) -> Diagnostic {
    unknown.with_help(format!("write `{parameter}` into the table `secret_parameters`"))
}

/// A parameter of a secret that DuckDB does not have; `other` is its name there, where it has another.
pub(crate) fn unknown_parameter(origin: Origin, key: &str, other: Option<&str>, known: &[&str]) -> Diagnostic {
    let help = match other {
        Some(other) => Some(format!("write `{other}`")),
        None => did_you_mean(key, known),
    };
    Diagnostic::error(UNKNOWN_PARAMETER, format!("DuckDB has no parameter `{}` for this secret", excerpt(key)))
        .with_origin(origin)
        .with_help(help.unwrap_or_else(|| ["known parameters: ", &quoted(known)].concat()))
}

/// A setting that DuckDB does not have; one that an extension of another party may have is doubted only.
pub(crate) fn unknown_setting(origin: Origin, key: &str, known: &[&str], may_be_of_others: bool) -> Diagnostic {
    let message = format!("DuckDB has no setting `{}`", excerpt(key));
    let near = did_you_mean(key, known);
    if may_be_of_others {
        let help = near.unwrap_or_else(|| "it works only if one of the `extensions` has it".to_owned());
        return Diagnostic::warning(UNKNOWN_SETTING, message).with_origin(origin).with_help(help);
    }
    let help = near.unwrap_or_else(|| "`metaxy sql 'FROM duckdb_settings()'` lists them".to_owned());
    Diagnostic::error(UNKNOWN_SETTING, message).with_origin(origin).with_help(help)
}

/// What is left in a text that another program would have replaced.
pub(crate) fn not_expanded(origin: Origin, is_certain: bool, what: &str, help: &str) -> Diagnostic {
    let message = format!("{what} is not replaced");
    let make = if is_certain { Diagnostic::error } else { Diagnostic::warning };
    make(NOT_EXPANDED, message).with_origin(origin).with_help(help)
}

pub(crate) fn inline_secret(origin: Origin, exposure: Exposure, variable: &str) -> Diagnostic {
    let (who, or) = match exposure {
        Exposure::Git => ("git tracks this file", "; git keeps what it has seen, so change the secret, too"),
        Exposure::Everybody => {
            ("every user of this machine can read this file", ", or let nobody else read the file: `chmod 600`")
        }
    };
    Diagnostic::warning(INLINE_SECRET, format!("a secret is written here, and {who}"))
        .with_origin(origin)
        .with_help(format!("write `${{{variable}}}` in its place, and set that variable{or}"))
}

/// Credentials for Google that are looked for where Amazon's are.
pub(crate) fn gcs_credential_chain(origin: Origin) -> Diagnostic {
    let message =
        "the `credential_chain` of DuckDB is Amazon's, also for Google Cloud Storage: it knows no login of Google";
    Diagnostic::warning(GCS_CREDENTIAL_CHAIN, message).with_shown_origin(origin).with_help(
        "write an HMAC key of the bucket as `key_id` and `secret`, or a token as `secret_parameters.bearer_token`",
    )
}

/// A lake whose files are where it says itself.
pub(crate) fn no_storage(origin: Origin) -> Diagnostic {
    Diagnostic::warning(
        NO_STORAGE,
        "there is no `storage`: only a lake that exists can be opened, by its stored data path",
    )
    .with_origin(origin)
    .with_help("say where the data files are, to make the lake, and for Python Metaxy, which needs it")
}

/// A path with a hole, which may be the root of the machine.
pub(crate) fn unset_in_path(node: &Node) -> Diagnostic {
    Diagnostic::error(UNSET_VARIABLE, format!("{} counts as empty in this path", quoted(&node.unset)))
        .with_origin(node.origin)
        .with_help("set it, or give a default: `${NAME:-default}`")
}

pub(crate) fn missing_field(origin: Origin, field: &Field) -> Diagnostic {
    let meaning = field.meaning.trim_end_matches('.');
    let mut rest = meaning.chars();
    let first = rest.next().map(|first| first.to_ascii_lowercase());
    missing_key(origin, field.name, &format!("`{}` is {}{}", field.name, first.unwrap_or_default(), rest.as_str()))
}

pub(crate) fn unknown_lake_store(origin: Origin, store: &str, known: &[&str]) -> Diagnostic {
    Diagnostic::error(UNKNOWN_STORE, format!("the store `{}` is not configured", excerpt(store)))
        .with_origin(origin)
        .with_help(did_you_mean(store, known).unwrap_or_else(|| ["known stores: ", &quoted(known)].concat()))
}

pub(crate) fn no_lake(origin: Origin, store: &str) -> Diagnostic {
    Diagnostic::error(
        NOT_APPLICABLE,
        format!("the store `{}` has no lake of which something could be declared", excerpt(store)),
    )
    .with_origin(origin)
    .with_help("leave it out, or give the store a `ducklake`")
}

pub(crate) fn migrated_from_itself(origin: Origin) -> Diagnostic {
    Diagnostic::error(CONFLICT, "a lake cannot be moved into its own store")
        .with_origin(origin)
        .with_help("name the store that has the lake now")
}

pub(crate) fn declared_twice(origin: Origin, other: Origin, table: &str) -> Diagnostic {
    Diagnostic::error(CONFLICT, format!("the table `{}` is declared twice", excerpt(table)))
        .with_origin(origin)
        .with_label(other, "declared here as well")
        .with_help("keep one of them")
}

pub(crate) fn retained_twice(origin: Origin, key: &str, option: &str) -> Diagnostic {
    Diagnostic::error(CONFLICT, format!("`retain.{key}` and the option `{option}` are two names of one thing"))
        .with_origin(origin)
        .with_help(format!("keep `retain.{key}`"))
}

pub(crate) fn needs_no_order(origin: Origin) -> Diagnostic {
    let message = "DuckDB writes row groups of so many bytes only where it need not keep the order of rows: every later write would fail";
    Diagnostic::error(NOT_APPLICABLE, message).with_origin(origin).with_help(
        "write `parquet_row_group_size`, or `config.preserve_insertion_order = false` in the store, for every program that writes",
    )
}

pub(crate) fn nul_byte(origin: Origin) -> Diagnostic {
    Diagnostic::error("nul-byte", "the text contains a NUL byte").with_origin(origin).with_help("remove it")
}

pub(crate) fn alias_in_motherduck(origin: Origin) -> Diagnostic {
    Diagnostic::warning(NOT_APPLICABLE, "a MotherDuck lake is used under the name of its database, not under an alias")
        .with_origin(origin)
        .with_help("leave `alias` out")
}

pub(crate) fn unknown_motherduck_parameter(origin: Origin, known: &[&str]) -> Diagnostic {
    Diagnostic::error(UNSUPPORTED_DATABASE, "the URL of MotherDuck has a parameter without a value, or an unknown one")
        .with_origin(origin)
        .with_help(["known parameters: ", &quoted(known), "; set others in `config`"].concat())
}

pub(crate) fn attach_option_in_motherduck(origin: Origin) -> Diagnostic {
    Diagnostic::error(NOT_APPLICABLE, "MotherDuck attaches its lakes itself, so the option has no effect")
        .with_origin(origin)
        .with_help("leave it out")
}

pub(crate) fn local_storage_in_motherduck(origin: Origin) -> Diagnostic {
    Diagnostic::error(NOT_APPLICABLE, "MotherDuck cannot reach files of this machine")
        .with_origin(origin)
        .with_help("use a bucket (s3, r2 or gcs), or leave `storage` out and MotherDuck keeps the data")
}

/// A problem that `ducklake-sql` found in the table `node`.
pub(crate) fn problem(problem: &Problem, node: &Node) -> Diagnostic {
    let entry = node.entry(problem.field());
    let at = entry.map_or_else(|| node.find(problem.field()), |entry| &entry.node);
    let is_about_key = matches!(problem.code(), Code::InvalidName | Code::ReservedOption | Code::UnknownAttachOption);
    let origin = entry.filter(|_| is_about_key).map_or(at.origin, |entry| entry.key_origin);
    let diagnostic = Diagnostic::error(problem.code().as_str(), problem.message()).with_origin(origin);
    match (problem.code(), problem.hint()) {
        (Code::EmptyValue, _) => diagnostic.with_help(fill(&at.unset)),
        // It asks for an absolute path, but here a relative one is fine.
        (Code::InvalidPath, _) | (_, None) => diagnostic,
        (_, Some(hint)) => diagnostic.with_help(hint),
    }
}
