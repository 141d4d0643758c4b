//! What a configuration may do only if the person who runs it trusts it.
//!
//! A `metaxy.toml` comes with a repository, and a repository may come from anybody. So there is a list of what is harmless,
//! and everything else is refused until the person allows it. What the person sets in the environment is their own word,
//! and needs no trust; what a `.env` of the repository sets is the repository's.

use std::fmt::Write as _;

use ducklake_sql::{FreeTable, KnownSetting, SettingRisk};
use metaxy_diagnostics::{Diagnostic, Diagnostics, Entry, Location, Node, Origin, Value};
use sha2::{Digest as _, Sha256};

use crate::config::{Config, LoadOptions, StoreError};
use crate::expand;
use crate::harmless::{
    EXTENSION_DIRECTORY, FILE_PARAMETERS, HARMLESS_EXTENSIONS, HARMLESS_PARAMETERS, HARMLESS_WHEN_OFF, HOSTS,
    LIBPQ_CREDENTIALS, NO_TEXTS, PARTS_OF_A_HOST, PLAIN_VARIABLES, SEEN_BY_THE_OWNER, UNSIGNED,
};
use crate::init_sql;
use crate::messages;
use crate::scope::Scope;
use crate::store::DuckDbStore;
use crate::system::VariableSource;
use crate::variables;

/// Whether a configuration may do what is not known to be harmless.
///
/// Without trust it loads, can be shown and checked, and its stores open as long as it asks for nothing of this: running
/// SQL of its own, loading code that DuckDB has not signed, making settings that are not known to be harmless, and sending
/// what is in the environment to a host that it names. See [`Config::needs_trust`](crate::Config::needs_trust).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Trust {
    /// Only what is harmless: for configurations that come from others.
    #[default]
    HarmlessOnly,
    /// Everything: for configurations that the person who runs the program has written or read.
    Everything,
}

impl LoadOptions {
    /// The same with this trust. For a configuration that the person who runs the program has written or read, that is
    /// [`Trust::Everything`].
    ///
    /// ```
    /// use metaxy_config::{Config, LoadOptions, MemorySystem, Trust};
    ///
    /// let system = MemorySystem::new().file(
    ///     "/project/metaxy.toml",
    ///     r#"
    ///     [stores.dev]
    ///     type = "duckdb"
    ///     config.database = "own.duckdb"
    ///     config.config = { log_query_path = "queries.sql" }
    ///     "#,
    /// );
    /// let options = LoadOptions::default();
    /// assert!(Config::load(&system, &options)?.config.trusted_store("dev").unwrap_err().is_untrusted());
    /// assert!(Config::load(&system, &options.trust(Trust::Everything))?.config.trusted_store("dev").is_ok());
    /// # Ok::<(), metaxy_config::LoadError>(())
    /// ```
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }
}

impl Config {
    /// The store of a name, to be opened: it asks for nothing that is not trusted.
    ///
    /// # Errors
    ///
    /// As for [`Config::store`](Self::store()); and when its configuration needs [trust](Self::needs_trust) that it does
    /// not have.
    pub fn trusted_store(&self, name: &str) -> Result<&DuckDbStore, StoreError> {
        let store = self.store(name)?;
        let needs = self.needs_trust.filter(|need| need.stores().next().is_none() || need.is_about_store(name));
        if self.trust == Trust::HarmlessOnly && !needs.is_empty() {
            return Err(StoreError::untrusted(name, needs));
        }
        Ok(store)
    }

    /// Everything in the configuration that needs trust, whether it has it or not; each is a warning about its stores.
    pub fn needs_trust(&self) -> &Diagnostics {
        &self.needs_trust
    }

    /// Whether something in the configuration needs trust that it does not have.
    pub fn is_untrusted(&self) -> bool {
        self.trust == Trust::HarmlessOnly && !self.needs_trust.is_empty()
    }

    /// A hash of all that needs trust and of the configuration's folder, to remember what a person has allowed; `None`
    /// when nothing needs trust.
    ///
    /// It changes with every change of what needs trust, and with no other. It holds no value of a variable that is sent
    /// to a host, only the variable's name.
    pub fn trust_digest(&self) -> Option<&str> {
        self.trust_digest.as_deref()
    }

    /// The same configuration with everything in it trusted, as with [`LoadOptions::trust`].
    pub fn trusted(mut self) -> Self {
        self.trust = Trust::Everything;
        self
    }
}

/// Something that needs trust.
pub(crate) struct Need {
    pub(crate) diagnostic: Diagnostic,
    /// What is trusted, exactly: another text is something else to trust.
    content: String,
}

/// What binds trust to all of this and to the folder of the configuration, as hexadecimal digits; `None` when nothing needs
/// trust.
pub(crate) fn digest(needs: &[Need], scope: &Scope<'_>) -> Option<String> {
    if needs.is_empty() {
        return None;
    }
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    };
    // Through a link it is the same folder.
    add(crate::path::real(&scope.project, scope.system).as_os_str().as_encoded_bytes());
    for Need { content, .. } in needs {
        add(content.as_bytes());
    }
    let mut digits = String::new();
    for byte in hash.finalize() {
        // A string takes all that is written to it.
        let _ = write!(digits, "{byte:02x}");
    }
    Some(digits)
}

/// What in the configuration of a store needs trust.
pub(crate) fn of_store(name: &str, config: &Node, scope: &Scope<'_>) -> Vec<Need> {
    let mut needs = Needs { scope, store: name, found: Vec::new() };
    if let Some(settings) = config.entry("config").and_then(|entry| entry.node.as_table()) {
        for entry in &settings.0 {
            needs.setting(entry);
        }
    }
    if let Some(Value::Array(extensions)) = config.entry("extensions").map(|entry| &entry.node.value) {
        for extension in extensions {
            needs.extension(extension);
        }
    }
    for key in ["ducklake.catalog", "ducklake.metadata_backend"] {
        config.entry(key).into_iter().for_each(|entry| needs.part("catalog", &entry.node));
    }
    for key in ["ducklake.storage", "ducklake.storage_backend"] {
        config.entry(key).into_iter().for_each(|entry| needs.part("storage", &entry.node));
    }
    if let Some(options) = config.entry("ducklake.attach_options").and_then(|entry| entry.node.as_table()) {
        for entry in &options.0 {
            needs.attach_option(entry);
        }
    }
    needs.found
}

/// The settings of a store that have this name.
fn settings<'a>(store: &'a Entry, name: &'static str) -> impl Iterator<Item = &'a Entry> {
    let table = store.node.entry("config.config").and_then(|config| config.node.as_table());
    table.into_iter().flat_map(|table| &table.0).filter(move |entry| entry.key.eq_ignore_ascii_case(name))
}

/// What in the configurations of several stores needs trust because of what another of them sets: DuckDB has one value of
/// each setting, and a store is opened with its fallback stores.
pub(crate) fn of_stores(stores: &Node, scope: &Scope<'_>) -> Vec<Need> {
    let stores = || stores.as_table().into_iter().flat_map(|table| &table.0);
    // Whoever says so: the folder is not trusted because the person turns the check off.
    if stores().flat_map(|store| settings(store, UNSIGNED)).all(|setting| is_off(&setting.node)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for store in stores() {
        let mut needs = Needs { scope, store: &store.key, found: Vec::new() };
        settings(store, EXTENSION_DIRECTORY).for_each(|entry| needs.unknown_setting(entry));
        found.append(&mut needs.found);
    }
    // It is a setting of every store that names no other folder.
    let name = variables::METAXY_EXTENSION_DIRECTORY;
    if let Some(folder) = scope.system.variable(name).filter(|folder| !folder.is_empty())
        && scope.system.source_of(name) != VariableSource::Environment
    {
        let content = [name, "=", &folder].concat();
        found.push(Need { diagnostic: messages::untrusted_setting(Origin::Root, EXTENSION_DIRECTORY), content });
    }
    found
}

struct Needs<'a> {
    scope: &'a Scope<'a>,
    store: &'a str,
    found: Vec<Need>,
}

impl Needs<'_> {
    fn add(&mut self, diagnostic: Diagnostic, key: &str, value: &str) {
        let content = [self.store, "\0", key, "\0", value].concat();
        self.found.push(Need { diagnostic: diagnostic.with_store(self.store), content });
    }

    fn setting(&mut self, entry: &Entry) {
        let has = |list: &[&str]| list.iter().any(|name| name.eq_ignore_ascii_case(&entry.key));
        let is_harmless = KnownSetting::find(&entry.key).is_some_and(|setting| setting.risk == SettingRisk::None)
            || has(&[EXTENSION_DIRECTORY])
            || (has(HARMLESS_WHEN_OFF) && is_off(&entry.node));
        if !is_harmless {
            self.unknown_setting(entry);
        }
    }

    fn unknown_setting(&mut self, entry: &Entry) {
        if !self.is_own(entry.node.origin) {
            let diagnostic = if entry.key.eq_ignore_ascii_case(UNSIGNED) {
                messages::untrusted_unsigned(entry.key_origin)
            } else {
                messages::untrusted_setting(entry.key_origin, &entry.key)
            };
            self.add(diagnostic, &entry.key.to_ascii_lowercase(), &text(&entry.node));
        }
    }

    fn extension(&mut self, node: &Node) {
        let string = |key: &str| match node.entry(key).map(|entry| &entry.node.value) {
            Some(Value::String(text)) => Some(text.as_str()),
            _ => None,
        };
        let (name, repository) = match &node.value {
            Value::String(name) => (name.as_str(), None),
            _ => (string("name").unwrap_or_default(), string("repository")),
        };
        let lower = name.to_ascii_lowercase();
        let is_known = HARMLESS_EXTENSIONS.contains(&lower.as_str());
        let is_of_duckdb = match repository {
            None | Some("core") => true,
            Some("community") => lower == "hashfuncs",
            Some(_) => false,
        };
        let is_harmless = is_known && is_of_duckdb;
        if !is_harmless && !self.is_own(node.origin) {
            let from = repository.unwrap_or("core");
            self.add(
                messages::untrusted_extension(node.origin, name, from),
                "extension",
                &[&lower, "\0", from].concat(),
            );
        }
        let Some(Value::Array(statements)) = node.entry("init_sql").map(|entry| &entry.node.value) else { return };
        for statement in statements {
            if !self.is_own(statement.origin) {
                let content = [&lower, "\0", &text(statement)].concat();
                let written = text(statement);
                let written = self.scope.expanded.written(statement.origin).unwrap_or(&written);
                let shown = init_sql::shown(written);
                self.add(messages::untrusted_sql(statement.origin, name, &shown), "init_sql", &content);
            }
        }
    }

    fn attach_option(&mut self, entry: &Entry) {
        let key = entry.key.to_ascii_lowercase();
        if key == "metadata_parameters" {
            for entry in entry.node.as_table().into_iter().flat_map(|table| &table.0) {
                self.metadata_parameter(entry, &entry.key.to_ascii_lowercase());
            }
        } else if let Some(parameter) = key.strip_prefix("meta_") {
            self.metadata_parameter(entry, parameter);
        }
    }

    /// A parameter of the catalog's own attach.
    fn metadata_parameter(&mut self, entry: &Entry, name: &str) {
        let leads_elsewhere = matches!(name, "type" | "secret");
        let is_known = FreeTable::MetadataParameters.is_harmless(name) || name == "encryption_key";
        if (leads_elsewhere || !is_known) && !self.is_own(entry.node.origin) {
            self.add(messages::untrusted_parameter(entry.key_origin, &entry.key), name, &text(&entry.node));
        }
    }

    /// A catalog or a storage: what it sends, and to whom.
    fn part(&mut self, part: &'static str, node: &Node) {
        let Some(table) = node.as_table() else { return };
        let mut fields: Vec<(&str, &Entry)> = Vec::new();
        for entry in &table.0 {
            match (&entry.node.value, entry.key.as_str()) {
                (Value::Table(parameters), "secret_parameters") => {
                    fields.extend(parameters.0.iter().map(|entry| (entry.key.as_str(), entry)));
                    parameters.0.iter().for_each(|entry| self.parameter(part, entry));
                }
                (_, key) => fields.push((key, entry)),
            }
        }
        let has = |list: &[&str], key: &str| list.iter().any(|name| name.eq_ignore_ascii_case(key));
        let is_postgres =
            matches!(table.get("type").map(|node| &node.value), Some(Value::String(kind)) if kind == "postgres");
        let hosts = fields.iter().filter(|(key, _)| has(HOSTS, key));
        let mut named: Vec<&Entry> =
            hosts.filter(|(_, entry)| self.names_a_host(entry)).map(|(_, entry)| *entry).collect();
        // With such a region or account, the host is whatever the text says.
        let made =
            fields.iter().filter(|(key, entry)| has(PARTS_OF_A_HOST, key) && !is_part_of_a_host(&text(&entry.node)));
        named.extend(made.filter(|(_, entry)| self.sent_by_file(&entry.node)).map(|(_, entry)| *entry));
        let mut sent: Vec<String> = Vec::new();
        if !named.is_empty() {
            for (_, entry) in fields.iter().filter(|(key, _)| !has(NO_TEXTS, key)) {
                self.of_environment(&entry.node, &mut sent);
            }
            let proves = |key: &str| fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(key));
            if is_postgres && !proves("password") {
                let of_libpq = LIBPQ_CREDENTIALS.iter().filter(|name| self.is_environment(name));
                sent.extend(of_libpq.map(|name| (*name).to_owned()));
            }
            if fields.iter().any(|(key, entry)| is_credential_chain(key, &entry.node)) {
                sent.push("the credentials of your cloud accounts".to_owned());
            }
        } else if !self.has_own_bucket(&fields) {
            for (_, entry) in fields.iter().filter(|(key, _)| has(SEEN_BY_THE_OWNER, key)) {
                let before = sent.len();
                self.of_environment(&entry.node, &mut sent);
                if sent.len() > before && is_local(table) {
                    sent.truncate(before);
                } else if sent.len() > before {
                    named.push(entry);
                }
            }
        }
        sent.sort();
        sent.dedup();
        if let (Some(first), false) = (named.first(), sent.is_empty()) {
            let to: Vec<String> = named.iter().map(|entry| text(&entry.node)).collect();
            let content = [to.join("\0"), sent.join("\0")].join("\0\0");
            self.add(messages::untrusted_host(first.node.origin, part, &sent), part, &content);
        }
    }

    fn parameter(&mut self, part: &str, entry: &Entry) {
        let has = |list: &[&str]| list.iter().any(|name| name.eq_ignore_ascii_case(&entry.key));
        if self.is_own(entry.node.origin) || has(HARMLESS_PARAMETERS) {
            return;
        }
        let is_own_file = || {
            let path = self.scope.path(&text(&entry.node), entry.node.origin);
            crate::path::real(&path, self.scope.system)
                .starts_with(crate::path::real(&self.scope.project, self.scope.system))
        };
        let is_word = entry.key.eq_ignore_ascii_case("sslrootcert") && text(&entry.node) == "system";
        if !(has(FILE_PARAMETERS) && (is_word || is_own_file())) {
            let key = [part, "\0", &entry.key.to_ascii_lowercase()].concat();
            self.add(messages::untrusted_parameter(entry.key_origin, &entry.key), &key, &text(&entry.node));
        }
    }

    /// Whether the configuration says itself which machine is spoken to, and it is another one.
    fn names_a_host(&self, entry: &Entry) -> bool {
        let text = text(&entry.node);
        let is_this_machine = match entry.key.to_ascii_lowercase().as_str() {
            "uri" | "connection_string" => false,
            // A path is that of a socket.
            "host" => text.starts_with('/') || is_this_machine(&text),
            _ => is_this_machine(&text),
        };
        !text.is_empty() && !is_this_machine && self.sent_by_file(&entry.node)
    }

    /// Whether a value is the configuration's, and not the person's, who sets a variable that is all of it.
    fn sent_by_file(&self, node: &Node) -> bool {
        if self.is_own(node.origin) {
            return false;
        }
        let only = self.scope.expanded.written(node.origin).and_then(expand::only_name);
        !only.is_some_and(|name| self.is_environment(name))
    }

    /// Whether the bucket is one that the person names, or there is none.
    fn has_own_bucket(&self, fields: &[(&str, &Entry)]) -> bool {
        let of = |key: &str| fields.iter().find(|(name, _)| *name == key).map(|(_, entry)| &entry.node);
        match (of("bucket"), of("data_path")) {
            (Some(bucket), _) => !self.sent_by_file(bucket),
            (None, Some(path)) if self.is_own(path.origin) => true,
            (None, Some(path)) => {
                let written = self.scope.expanded.written(path.origin).unwrap_or_default();
                let after = written.split_once("://").map_or(written, |(_, rest)| rest);
                // A default may hold a slash.
                let bucket = after.find('}').map_or(after, |end| &after[..=end]);
                let ends = after[bucket.len()..].is_empty() || after[bucket.len()..].starts_with('/');
                ends && expand::only_name(bucket).is_some_and(|name| self.is_environment(name))
            }
            (None, None) => true,
        }
    }

    /// Adds what of the person's environment is in a value.
    fn of_environment(&self, node: &Node, sent: &mut Vec<String>) {
        match &node.value {
            Value::Table(table) => table.0.iter().for_each(|entry| self.of_environment(&entry.node, sent)),
            Value::Array(items) => items.iter().for_each(|item| self.of_environment(item, sent)),
            _ => match self.scope.sources.location(node.origin) {
                Some(Location::Variable(name)) if self.is_from_environment(&name) => sent.push(name),
                _ => {
                    let names = self.scope.expanded.written(node.origin).into_iter().flat_map(expand::names);
                    let names = names.filter(|name| self.is_from_environment(name) && !PLAIN_VARIABLES.contains(name));
                    sent.extend(names.map(str::to_owned));
                }
            },
        }
    }

    /// Whether a variable is set by the person.
    fn is_environment(&self, name: &str) -> bool {
        self.is_set(name) && self.scope.system.source_of(name) == VariableSource::Environment
    }

    /// Whether something that the person has set is in the value of a variable.
    fn is_from_environment(&self, name: &str) -> bool {
        self.is_set(name) && self.scope.system.source_of(name) != VariableSource::File
    }

    fn is_set(&self, name: &str) -> bool {
        self.scope.system.variable(name).is_some_and(|value| !value.is_empty())
    }

    /// Whether a value is the person's own word: one of a variable that they have set.
    fn is_own(&self, origin: Origin) -> bool {
        match self.scope.sources.location(origin) {
            Some(Location::Variable(name)) => self.scope.system.source_of(&name) == VariableSource::Environment,
            Some(_) => false,
            None => true,
        }
    }
}

/// A value as a text, to compare with what was trusted.
fn text(node: &Node) -> String {
    match &node.value {
        Value::String(text) | Value::Datetime(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join("\0"),
        Value::Table(table) => {
            let entry = |entry: &Entry| [&entry.key, "\0", &text(&entry.node)].concat();
            table.0.iter().map(entry).collect::<Vec<_>>().join("\0")
        }
    }
}

fn is_off(node: &Node) -> bool {
    matches!(text(node).to_ascii_lowercase().as_str(), "false" | "0" | "off" | "no")
}

/// Whether a text stays a part of a host's name where it is put into one; of a data path, its bucket.
fn is_part_of_a_host(text: &str) -> bool {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest.split('/').next().unwrap_or_default());
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn is_local(table: &metaxy_diagnostics::Table) -> bool {
    matches!(table.get("type").map(|node| &node.value), Some(Value::String(kind)) if kind == "local")
}

fn is_credential_chain(key: &str, node: &Node) -> bool {
    key.eq_ignore_ascii_case("aws_rds_secret")
        || (key.eq_ignore_ascii_case("provider") && text(node).eq_ignore_ascii_case("credential_chain"))
}

/// Whether a host, with or without a scheme and a port, is surely this machine; of several, each of them.
fn is_this_machine(hosts: &str) -> bool {
    let is_one = |host: &str| {
        let host = host.strip_prefix("http://").or(host.strip_prefix("https://")).unwrap_or(host);
        let host = host.strip_suffix('/').unwrap_or(host);
        let name = match host.rsplit_once(':') {
            Some((name, port)) if name != ":" && port.parse::<u16>().is_ok() => name,
            _ => host,
        };
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    hosts.split(',').all(is_one)
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn only_this_machine_is_this_machine() {
        for host in
            ["localhost", "LOCALHOST:5432", "127.0.0.1", "http://127.0.0.1:9000/", "::1", "[::1]:80", "localhost,::1"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "db.example",
            "localhost.evil",
            "127.0.0.1.evil",
            "localhost,db.example",
            "http://evil",
            "localhost:x@evil",
            "localhost@evil:80",
            "//evil",
            "localhost/@evil",
            "",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
