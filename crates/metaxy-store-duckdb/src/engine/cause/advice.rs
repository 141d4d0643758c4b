//! What a cause means where it occurred, and the one thing to do about it, from facts that are no secrets.
//!
//! One file because the explanations are one table, which is read to see how each cause is told.

use ducklake_sql::ENGINE;

use super::Cause;
use super::patterns::{
    expected_region, fault, file, formats_of, lock_holder, moved_to, server, unprintable_column, unprintable_type,
    unsupported_type,
};

/// What an explanation may mention; empty where it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) store: String,
    /// The store whose lake is to be moved to this one.
    pub(crate) moves_from: String,
    /// The extension that cannot be loaded.
    pub(crate) extension: String,
    /// The catalog's file, or its kind.
    pub(crate) catalog: String,
    pub(crate) host: String,
    pub(crate) port: String,
    pub(crate) database: String,
    pub(crate) schema: String,
    pub(crate) user: String,
    pub(crate) sslrootcert: String,
    pub(crate) catalog_secret: String,
    pub(crate) data_path: String,
    pub(crate) storage_secret: String,
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) url_style: String,
    /// Whether the storage is Azure's, which has accounts in place of keys.
    pub(crate) is_azure: bool,
}

impl Facts {
    fn bucket(&self) -> &str {
        let rest = self.data_path.split_once("://").map_or("", |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }

    /// Where the catalog is, as far as it is known: its file, or its server with database and schema.
    pub(crate) fn names_no_storage(&self) -> bool {
        self.data_path.is_empty() && self.catalog != "motherduck"
    }

    /// Where the catalog is.
    pub(crate) fn catalog_location(&self) -> String {
        if self.host.is_empty() && self.database.is_empty() {
            return ["`", &self.catalog, "`"].concat();
        }
        let server = address(&self.host, &self.port);
        let mut parts = vec![server];
        for (what, name) in [("database", &self.database), ("schema", &self.schema)] {
            if !name.is_empty() {
                parts.push(named(what, name));
            }
        }
        parts.retain(|part| !part.is_empty());
        parts.join(", ")
    }

    /// Where a field of the catalog is written.
    fn catalog_table(&self) -> String {
        self.table("ducklake.catalog", "the catalog's configuration")
    }

    fn storage_table(&self) -> String {
        self.table("ducklake.storage", "the storage's configuration")
    }

    fn options_table(&self) -> String {
        self.table("ducklake.attach_options", "the attach options")
    }

    fn settings_table(&self) -> String {
        self.table("config", "the settings")
    }

    /// A table of the store's configuration; a lake that comes from no file has none.
    fn table(&self, name: &str, otherwise: &str) -> String {
        if self.store.is_empty() { otherwise.to_owned() } else { format!("`[stores.{}.config.{name}]`", self.store) }
    }
}

/// A thing with its name in backticks, or the thing alone if its name is not known.
fn named(what: &str, name: &str) -> String {
    if name.is_empty() { what.to_owned() } else { format!("{what} `{name}`") }
}

/// The name of a thing, or what it is called in general.
fn or<'a>(name: &'a str, otherwise: &'a str) -> &'a str {
    if name.is_empty() { otherwise } else { name }
}

/// A host with its port.
fn address(host: &str, port: &str) -> String {
    match (host, port) {
        ("", _) => String::new(),
        (host, "") => host.to_owned(),
        (host, port) => format!("{host}:{port}"),
    }
}

/// The rights that DuckLake needs on its tables, for a person to give.
const ALL_TABLES: &str = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA";

impl Cause {
    /// What it means here, with what the engine says of versions and processes.
    pub(crate) fn summary(self, facts: &Facts, raw: &str) -> String {
        let (summary, _) = self.explain(facts, raw);
        match self {
            Self::CatalogNewer | Self::CatalogOlder => [&summary, " (", formats_of(raw), ")"].concat(),
            Self::CatalogLocked => match lock_holder(raw) {
                Some(process) => format!("the process {process} holds {}", named("the catalog", &facts.catalog)),
                None => summary,
            },
            _ => summary,
        }
    }

    /// What it means here, and the one thing to do about it.
    #[expect(clippy::too_many_lines, reason = "one explanation each, all in one place")]
    pub(crate) fn explain(self, facts: &Facts, raw: &str) -> (String, String) {
        let Facts { extension, catalog, endpoint, .. } = facts;
        let (in_catalog, in_storage, in_options) =
            (facts.catalog_table(), facts.storage_table(), facts.options_table());
        let in_settings = facts.settings_table();
        let bucket = or(facts.bucket(), "of the data path");
        let catalog_secret = or(&facts.catalog_secret, "of the configuration");
        let storage_secret = or(&facts.storage_secret, "of the configuration");
        let region = or(&facts.region, "of the configuration");
        let the_storage =
            if endpoint.is_empty() { "the storage".to_owned() } else { ["the storage at ", endpoint].concat() };
        let host_port = or(endpoint, "the endpoint");
        let (the_role, the_extension) = (named("the role", &facts.user), named("the extension", extension));
        let (database, user) = (or(&facts.database, "the database"), or(&facts.user, "the role"));
        let (schema, extension) = (or(&facts.schema, "public"), or(extension, "the extension"));
        let data_path = or(&facts.data_path, "the data path");
        let the_file = named("the catalog's file", catalog);
        // A login that is one text hides where the server is; `libpq` tells it then.
        let (host, port) = match server(raw) {
            Some(told) if facts.host.is_empty() => told,
            _ => (facts.host.clone(), facts.port.clone()),
        };
        let server = address(&host, &port);
        let at_server = if server.is_empty() { String::new() } else { [" at ", &server].concat() };
        let server = or(&server, "the address of PostgreSQL");
        match self {
            Self::ConfigurationError => (
                "the configuration has errors".to_owned(),
                "correct the first error; `metaxy check` shows each with its line".to_owned(),
            ),
            Self::SharedDataPath => (
                "another store keeps its files in the same place".to_owned(),
                format!(
                    "give one of the two stores another path in {in_storage}: each lake takes the other's files for \
                     orphans, and cleaning up deletes them"
                ),
            ),
            Self::SettingRefused => (
                "DuckDB refuses a setting of the configuration".to_owned(),
                format!("correct or remove it in {in_settings}"),
            ),
            Self::ExtensionMissing => (
                format!("{the_extension} is missing"),
                format!(
                    "run `INSTALL {extension}` in DuckDB {duckdb}; without the internet, `pip download --no-deps \
                     duckdb-extension-{}=={duckdb}` elsewhere, and unpack it to where DuckDB looks",
                    extension.replace('_', "-"),
                    duckdb = ENGINE.duckdb
                ),
            ),
            Self::ExtensionOfOtherVersion => (
                format!("{the_extension} was built for another version of DuckDB"),
                format!("replace it: run `FORCE INSTALL {extension}` in DuckDB {}", ENGINE.duckdb),
            ),
            Self::ExtensionNotSigned => (
                format!("{the_extension} is not the one that DuckDB signed: it is damaged or changed"),
                format!(
                    "replace it: run `FORCE INSTALL {extension}` in DuckDB {}; do not allow unsigned extensions",
                    ENGINE.duckdb
                ),
            ),
            Self::ExtensionNotStarted => (
                format!("{the_extension} is there, but does not start"),
                "see what it says with `--verbose`; it may need a server or a file that is not there".to_owned(),
            ),
            Self::AmbiguousSecret => (
                "a persistent secret of DuckDB has the name of a secret that this store makes".to_owned(),
                format!(
                    "set another `secret_name` in {in_catalog} or {in_storage}, or run `DROP PERSISTENT SECRET` in \
                     DuckDB for the one in the evidence"
                ),
            ),
            Self::MissingSecret => (
                format!("there is no secret named `{catalog_secret}`"),
                format!(
                    "set host, database, user and password in {in_catalog}, or create a persistent secret of this \
                     name in DuckDB"
                ),
            ),
            Self::PostgresDown => (
                format!("no server listens at {server}: PostgreSQL is down, or elsewhere"),
                format!("start PostgreSQL, or correct `host` and `port` in {in_catalog}"),
            ),
            Self::PostgresHostUnknown => {
                (format!("{} has no address", named("the host name", &host)), format!("correct `host` in {in_catalog}"))
            }
            Self::PostgresTimeout => (
                format!("{server} does not answer"),
                format!(
                    "correct `host` and `port` in {in_catalog}, or open the firewall between here and there; if it is only \
                     slow, set `secret_parameters.connect_timeout` (seconds)"
                ),
            ),
            Self::WrongPassword => (
                format!("PostgreSQL{at_server} refuses the password of {the_role}, or knows no such role"),
                format!("correct `password` (or `user`) in {in_catalog}, or the variable that it comes from"),
            ),
            Self::NoPassword => (
                format!("PostgreSQL{at_server} wants a password for {the_role}, and none was given"),
                format!("set `password` in {in_catalog}"),
            ),
            Self::UnknownDatabase => (
                format!("PostgreSQL{at_server} has no {}", named("database", &facts.database)),
                format!("correct `database` in {in_catalog}, or create it with `createdb {database}`"),
            ),
            Self::TlsRequired => (
                "PostgreSQL refuses connections without TLS for this role".to_owned(),
                format!("set `secret_parameters.sslmode = \"require\"` in {in_catalog}"),
            ),
            Self::TlsNotOffered => (
                "the configuration asks for TLS, and PostgreSQL does not offer it".to_owned(),
                format!(
                    "switch `ssl` on in the server, or set `secret_parameters.sslmode = \"prefer\"` in {in_catalog}"
                ),
            ),
            Self::WrongCatalogCa => (
                "PostgreSQL's certificate was issued by an authority that is not trusted".to_owned(),
                format!(
                    "set `secret_parameters.sslrootcert` in {in_catalog} to the file of the authority that issued it{}",
                    if facts.sslrootcert.is_empty() {
                        String::new()
                    } else {
                        format!("; now it is `{}`", facts.sslrootcert)
                    }
                ),
            ),
            Self::CatalogCaMissing => (
                format!("{} is not there", named("the authority's file", &facts.sslrootcert)),
                format!("correct `secret_parameters.sslrootcert` in {in_catalog}"),
            ),
            Self::RoleWithoutRights => (
                format!("{the_role} may not use the lake's tables in {}", named("the database", &facts.database)),
                format!(
                    "have the owner run `GRANT USAGE, CREATE ON SCHEMA {schema} TO {user}` and `{ALL_TABLES} {schema} \
                     TO {user}`, or set another `user` in {in_catalog}"
                ),
            ),
            Self::RoleCannotWrite => (
                format!("{the_role} may read the lake, but not write it"),
                format!(
                    "if this store is to write, have the owner run `{ALL_TABLES} {schema} TO {user}`; if not, set \
                     `read_only = true` in {in_options}"
                ),
            ),
            Self::RoleCannotCreate => (
                format!("{the_role} may not make tables, which DuckLake needs for inlined rows"),
                format!("have the owner run `GRANT CREATE ON SCHEMA {schema} TO {user}`"),
            ),
            Self::WrongCatalogFile => (
                format!("{the_file} holds another kind of database"),
                format!("set `type` in {in_catalog} to what the file is, or name another file"),
            ),
            Self::CatalogFileDenied => (
                format!("{the_file} may not be read or written"),
                "give this user the right to read and write the file and its folder".to_owned(),
            ),
            Self::CatalogCannotBeWritten => (
                format!("{the_file} may be read, but not written"),
                format!(
                    "if this store is to write, give this user the right to write the file and its folder; if not, set \
                     `read_only = true` in {in_options}"
                ),
            ),
            Self::CatalogLocked => (
                format!("another process holds {}", named("the catalog", catalog)),
                "close that process, or wait for it; where several processes are the rule, keep the catalog in \
                 PostgreSQL"
                    .to_owned(),
            ),
            Self::NoLakeYet => (
                "there is no lake yet; the first write creates it".to_owned(),
                format!("nothing, if this store is new; else correct the location in {in_catalog}"),
            ),
            Self::NoLake => (
                "there is no lake, and it may not be created".to_owned(),
                format!("correct the location in {in_catalog} (or `metadata_schema`), or allow `create_if_not_exists`"),
            ),
            Self::CatalogEmptied => (
                format!("{the_file} is empty, which that of a lake never is: it was damaged, or never used"),
                "put a copy of the catalog's file back; or, if this is to be a new lake, remove the empty file, and name \
                 another data path if there are data files below this one"
                    .to_owned(),
            ),
            Self::CatalogDamaged => (
                format!("{the_file} is damaged"),
                "move it away with the `.wal` beside it, and restore the newest backup or copy: `metaxy restore FILE --to STORE`; \
                 of a DuckDB file, `….copy-1` beside it is from before the last program that wrote"
                    .to_owned(),
            ),
            Self::CatalogNewer => (
                "the lake's format is newer than this engine".to_owned(),
                "use a newer release of this program; do not migrate the lake back".to_owned(),
            ),
            Self::LakeMoved => (
                match moved_to(raw) {
                    Some(catalog) => format!("the lake was moved: its catalog is now {catalog}"),
                    None => "the lake was moved: its catalog is now another one".to_owned(),
                },
                "use the store that has that catalog; `metaxy migrate catalog STORE --undo` takes the move back, if nothing was \
                 written there"
                    .to_owned(),
            ),
            Self::CatalogOlder => (
                "the lake's format is older than this engine's".to_owned(),
                "run `metaxy migrate format`, with `--dry-run` first; DuckDB 1.4 and older cannot open it afterwards".to_owned(),
            ),
            Self::MotherDuckDown => (
                "MotherDuck's service does not answer".to_owned(),
                "open the way from here to api.motherduck.com, or try again later".to_owned(),
            ),
            Self::MotherDuckRefused => (
                "MotherDuck did not let us in".to_owned(),
                "set `motherduck_token` in the environment, and check that its service can be reached from here"
                    .to_owned(),
            ),
            Self::NoCredentials => (
                "the credential chain found no credentials".to_owned(),
                format!(
                    "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, log in to the profile, or correct \
                     `secret_parameters.chain` in {in_storage}"
                ),
            ),
            Self::NoSecretForPath => (
                format!("no secret covers {data_path}"),
                format!(
                    "set {} in {in_storage}, or create the secret `{storage_secret}` in DuckDB \
                     with a scope that begins the data path",
                    if facts.is_azure { "`connection_string`" } else { "`key_id` and `secret`" }
                ),
            ),
            Self::OtherSecretUsed => (
                format!("DuckDB uses another secret than `{storage_secret}` for {data_path}"),
                format!(
                    "drop the secret that the evidence names, narrow its scope, or set its name as `secret_name` in \
                     {in_storage}"
                ),
            ),
            Self::StorageDown => (
                format!("no server listens at {}: the storage is down, or elsewhere", host_of(endpoint)),
                format!("start the storage, or correct `endpoint` in {in_storage}"),
            ),
            Self::StorageHostUnknown => (
                format!("the storage's host name has no address: {}", host_of(endpoint)),
                format!("correct `endpoint` in {in_storage}"),
            ),
            Self::StorageTimeout => (
                format!("{} does not answer", host_of(endpoint)),
                format!(
                    "correct `endpoint` in {in_storage}, or open the firewall between here and there; if it is only slow, \
                     raise `http_timeout` (seconds) in {in_settings}"
                ),
            ),
            Self::SchemeInEndpoint => (
                format!("the endpoint `{host_port}` has a scheme in it, where DuckDB wants `host:port`"),
                format!(
                    "set `endpoint = \"{}\"` in {in_storage}, and `use_ssl` for the scheme",
                    endpoint.split_once("://").map_or("host:port", |(_, host)| host)
                ),
            ),
            Self::PathStyleNeeded => (
                format!("the server at {host_port} does not know the bucket as a host name, `{bucket}.{host_port}`"),
                format!("set `url_style = \"path\"` in {in_storage}"),
            ),
            Self::StorageTlsMismatch => (
                format!("{} speaks no TLS", host_of(endpoint)),
                format!("set `use_ssl = false` in {in_storage}, or correct the port of `endpoint`"),
            ),
            Self::WrongStorageCa => (
                "the storage's certificate was issued by an authority that is not trusted".to_owned(),
                format!("set `ca_cert_file` in {in_settings} to the file of the authority that issued it"),
            ),
            Self::StorageUnavailable => {
                (format!("{} answers that it is out of order", host_of(endpoint)), "try again later".to_owned())
            }
            Self::WrongKey => (
                format!("{the_storage} does not know the key"),
                format!("correct `key_id` in {in_storage}, or the variable that it comes from"),
            ),
            Self::WrongSecret if facts.is_azure => (
                format!("{the_storage} does not accept the account's key"),
                format!("correct `connection_string` in {in_storage}, or the variable that it comes from"),
            ),
            Self::WrongSecret => (
                format!("{the_storage} knows the key, but the secret is not the key's"),
                format!("correct `secret` in {in_storage}, or the variable that it comes from"),
            ),
            Self::TokenExpired => (
                "the session token has expired".to_owned(),
                format!(
                    "get new temporary credentials, and set `key_id`, `secret` and `session_token` in {in_storage}"
                ),
            ),
            Self::TokenInvalid => (
                "the session token is missing, or is not the key's".to_owned(),
                format!("set `secret_parameters.session_token` in {in_storage} to the token that came with the key"),
            ),
            Self::ClockSkew => (
                "this machine's clock differs too much from the storage's".to_owned(),
                "set the clock: switch time synchronisation (NTP) on".to_owned(),
            ),
            Self::WrongRegion => match expected_region(raw) {
                Some(expected) => (
                    format!("the bucket `{bucket}` is in the region `{expected}`, not in `{region}`"),
                    format!("set `region = \"{expected}\"` in {in_storage}"),
                ),
                None => (
                    format!("the bucket `{bucket}` is not in the region `{region}`"),
                    format!("set `region` in {in_storage} to the bucket's"),
                ),
            },
            Self::NoSuchBucket => (
                format!("there is no {} at {}", named("bucket", facts.bucket()), host_of(endpoint)),
                format!("correct `bucket` in {in_storage}, or create the bucket"),
            ),
            Self::NoPermissionToList => (
                format!("the key may not list {data_path}"),
                format!(
                    "allow it `s3:ListBucket` on `{bucket}`; reading and writing may work without, but files that \
                     nobody needs are never found"
                ),
            ),
            Self::NoPermissionToWrite => (
                format!("the key may not write below {data_path}"),
                format!("allow it `s3:PutObject` there, or set another `key_id` in {in_storage}"),
            ),
            Self::NoPermissionToRead => (
                format!("the key may not read below {data_path}"),
                format!("allow it `s3:GetObject` there, or set another `key_id` in {in_storage}"),
            ),
            Self::NoPermissionToDelete => (
                format!("the key may not delete below {data_path}"),
                "allow it `s3:DeleteObject` there, and delete the object in the evidence by hand".to_owned(),
            ),
            Self::FilesMissing => (
                format!("data files of the lake are not below {data_path}"),
                "bring them back to where they were, from a copy or from where they were moved to: their rows are in them \
                 alone; if they are lost, as after a commit whose answer was lost, see what `metaxy doctor --repair` would \
                 do"
                    .to_owned(),
            ),
            Self::FilesDamaged => (
                format!("data files below {data_path} are not as they were written"),
                "bring them back from a copy: their rows are in them alone".to_owned(),
            ),
            Self::FilesDenied => (
                format!("data files below {data_path} may not be read"),
                "give this user the right to read them, and to enter the folders above".to_owned(),
            ),
            Self::InlinedRowsDamaged => (
                "values in the catalog do not come back as they were written".to_owned(),
                "the catalog has each of them as a SQL literal: select it from the table that `metaxy doctor` names, and \
                 there `UPDATE` the column to `CAST(… AS VARCHAR)` of that literal, outside of the lake (`USE memory`)"
                    .to_owned(),
            ),
            Self::InlinedRowsUnrecorded => (
                "rows in the catalog may be read without columns that were added to their table".to_owned(),
                "run `metaxy doctor --repair --yes`, before another program flushes them into a file".to_owned(),
            ),
            Self::MarkWrong => (
                "what was kept of a comparison does not tell what has changed since".to_owned(),
                "run `metaxy metadata increment FEATURE --full --mark` for each feature that is named, and report this: \
                 what hid the change from the lake should not be able to"
                    .to_owned(),
            ),
            Self::UnsupportedType => {
                let unsupported = unsupported_type(raw).unwrap_or_default();
                (format!("a lake has no columns of {}", named("the type", unsupported)), instead_of(unsupported))
            }
            Self::UnreadableType => (
                "a file has a number that HUGEINT or UHUGEINT cannot hold: files keep these types as DOUBLE".to_owned(),
                "make the column a DOUBLE, by `ALTER TABLE … ALTER COLUMN … TYPE DOUBLE`, to read what is there; use \
                 DECIMAL(38, 0) or VARCHAR for numbers of more than 15 digits"
                    .to_owned(),
            ),
            Self::UnprintableType => (
                format!(
                    "values of the type {} {}cannot be read as they are",
                    unprintable_type(raw).unwrap_or_default(),
                    unprintable_column(raw).map(|column| format!("in the column `{column}` ")).unwrap_or_default(),
                ),
                "select the column as `CAST(… AS VARCHAR)` with `metaxy sql`, or a VARIANT as `CAST(… AS JSON)`".to_owned(),
            ),
            Self::FolderCannotBeListed => (
                format!("the folder {data_path} may not be listed"),
                "nothing, as long as its files can be read; to write, give this user the right to read and write it"
                    .to_owned(),
            ),
            Self::FolderDenied => (
                format!("the folder {data_path} may not be written"),
                format!("give this user the right to write it, or set another `path` in {in_storage}"),
            ),
            Self::CatalogNotWritten => (
                format!("the catalog {catalog} could not be written: its disk is full, or fails"),
                "make room on that disk, or raise the quota or limit, and run the command again".to_owned(),
            ),
            Self::DiskFull => (
                format!("there is no space left for {}", file(raw).unwrap_or(data_path)),
                format!("make room on that disk, raise the quota or limit, or set another `path` in {in_storage}"),
            ),
            Self::DataPathDiffers => (
                "the lake keeps its files elsewhere than configured".to_owned(),
                format!(
                    "write the stored path of the evidence into {in_storage}, or correct the catalog: it belongs to \
                     another lake"
                ),
            ),
            Self::DataPathOverridden => (
                "`override_data_path` lays another path over the stored one".to_owned(),
                format!("remove it from {in_options}: rows written now cannot be read under either path"),
            ),
            Self::DataPathMakesOrphans => (
                "DuckLake takes the live files below the stored data path for orphans".to_owned(),
                "never run `ducklake_delete_orphaned_files` or `CHECKPOINT` on this lake; copy it to a new one"
                    .to_owned(),
            ),
            Self::EncryptionDiffers => (
                "the lake is encrypted otherwise than configured".to_owned(),
                format!("make `encrypted` in {in_options} what is stored: it counts only when a lake is made"),
            ),
            Self::InliningDiffers => (
                "a stored inlining limit wins over the configured one".to_owned(),
                "make the two the same, by the configuration or by `set_option`".to_owned(),
            ),
            Self::InexactTypes => (
                "columns have types that a file does not keep exactly".to_owned(),
                "use DECIMAL for large numbers, TIMESTAMPTZ for times, and BIGINT for spans of time".to_owned(),
            ),
            Self::ManySmallFiles => (
                "most of the lake's files are small, which makes reading slow".to_owned(),
                "run `metaxy maintain`".to_owned(),
            ),
            Self::ManyDeletedRows => (
                "many rows of the lake's files are deleted, and read all the same".to_owned(),
                "run `metaxy maintain --only rewrite`".to_owned(),
            ),
            Self::SnapshotsOverdue => (
                "snapshots are kept longer than is declared for the lake".to_owned(),
                "`metaxy maintain --only expire,cleanup` removes them, and the files that only they need".to_owned(),
            ),
            Self::DeclaredDiffers => (
                "the lake differs from what is declared for it".to_owned(),
                "`metaxy plan` shows how, and `metaxy apply` changes it".to_owned(),
            ),
            Self::InlinedTablesOfOthers => (
                "tables of inlined rows belong to another role: a flush by this one would lose rows".to_owned(),
                "give all roles that write one common owner: `ALTER ROLE … SET ROLE …`".to_owned(),
            ),
            Self::DefaultPrivilegesMissing => (
                "other roles read the lake, and could not read a table for inlined rows that a write makes".to_owned(),
                format!(
                    "have {user} run `ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO …`, for each of them"
                ),
            ),
            Self::ManyInlinedRows => {
                ("many rows are still in the catalog".to_owned(), "run `metaxy maintain --only flush --alone`".to_owned())
            }
            Self::ManySnapshots => {
                ("the lake keeps very many snapshots".to_owned(), "declare `retain.snapshots`, and run `metaxy apply` and `metaxy maintain`".to_owned())
            }
            Self::PostgresBusy => (
                format!("PostgreSQL{at_server} takes no connection now: it starts, stops, or has too many"),
                "try again in a moment; if it has too many, raise `max_connections` or close other programs".to_owned(),
            ),
            Self::WriteConflict => {
                ("another program changed the lake at the same time".to_owned(), "run the statement again".to_owned())
            }
            Self::AlreadyExists => (
                "the lake has something of this name already".to_owned(),
                "choose another name, or say `IF NOT EXISTS`".to_owned(),
            ),
            Self::Interrupted => (
                "it was interrupted".to_owned(),
                "run it again: nothing of the transaction in which it ran is stored; a data file of it may be left, which \
                 nothing reads, and `ducklake_delete_orphaned_files` deletes"
                    .to_owned(),
            ),
            Self::MissingTable => {
                ("the lake has no such table".to_owned(), "`SHOW ALL TABLES` lists what is there".to_owned())
            }
            Self::ReadLocked => (
                "the store is locked to read the lake, and nothing else".to_owned(),
                "open it in write mode to change the lake, or without the lock to reach files and databases".to_owned(),
            ),
            Self::ReadOnlyLake => ("the lake is attached to be read".to_owned(), "open it in write mode".to_owned()),
            Self::ValueOfOtherType => (
                "a value is not of its column's type".to_owned(),
                "correct the value, or give the column another type".to_owned(),
            ),
            Self::EngineFault => (
                format!("DuckDB met a fault of its own: {}", fault(raw)),
                "run `metaxy doctor`: a table of the catalog that this role may not read is a reason; else write the \
                 statement in another way, and report it to DuckDB"
                    .to_owned(),
            ),
        }
    }
}

/// What a column may be in place of one of a type that DuckLake does not have.
fn instead_of(unsupported: &str) -> String {
    // The type may be within another one.
    let has = |name: &str| unsupported.contains(name);
    if has("ENUM(") {
        "make the column a VARCHAR: its values are the names".to_owned()
    } else if has("UNION(") {
        "make the column a STRUCT with a field for each member, all but one of them NULL".to_owned()
    } else if let Some((item, _)) = unsupported.split_once('[').filter(|(_, size)| !size.starts_with(']')) {
        format!("make the column a list, as in `{item}[]`, to which `CAST(… AS {item}[])` turns a value")
    } else if has("TIME_NS") {
        "make the column a TIME, which has microseconds, or a BIGINT of nanoseconds".to_owned()
    } else if has("BIT") {
        "make the column a VARCHAR, of which `CAST(… AS BIT)` makes bits again, or a BLOB".to_owned()
    } else if has("BIGNUM") {
        "make the column a DECIMAL(38, 0), or a VARCHAR for more digits".to_owned()
    } else if has("NULL") {
        "give the column a type, as in `CAST(NULL AS VARCHAR)`".to_owned()
    } else {
        "make the column a VARCHAR".to_owned()
    }
}

/// An endpoint, or the service that is meant without one.
fn host_of(endpoint: &str) -> &str {
    if endpoint.is_empty() { "the storage's default endpoint" } else { endpoint }
}
