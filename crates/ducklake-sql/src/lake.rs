//! A lake: a catalog, a storage and how to attach them; whatever exists as a [`Lake`] can be planned.

use std::collections::BTreeMap;

use crate::attach::{AttachOptions, Snapshot};
use crate::catalog::{Catalog, CatalogKind, PostgresCatalog};
use crate::motherduck::{MotherDuck, MotherDuckSpec};
use crate::path::ObjectKind;
use crate::plan::{AttachPlan, Check};
use crate::problem::{Problem, Problems};
use crate::secret::{CreateSecret, SecretType};
use crate::session::Session;
use crate::statement::{Attach, Statement};
use crate::storage::{ObjectStorage, Storage};
use crate::value::{Alias, Ident, Keyword, Value};

/// Whether a lake is opened to read or to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing is written, and nothing is created.
    Read,
    /// Tables are written; a lake that is not there is created, unless its options say otherwise.
    Write,
}

/// A lake that can be planned: [`plan`](Self::plan) cannot fail.
///
/// ```
/// use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Reveal, Session};
///
/// let catalog = Catalog::Sqlite(CatalogFile::new("/srv/lake/meta.sqlite")?);
/// let lake = Lake::builder(catalog, LocalFolder::new("/srv/lake/data")?).owner("dev").build()?;
/// let plan = lake.plan(&Session::default(), Mode::Write);
/// let attach = plan.statements().iter().find(|statement| statement.name() == "attach").unwrap();
/// assert_eq!(attach.to_text(Reveal::Masked), r#"ATTACH 'ducklake:metaxy_dev__ducklake' AS "ducklake""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lake(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Attached(Box<Attached>),
    MotherDuck(MotherDuck),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Attached {
    catalog: Catalog,
    /// Nothing for a lake that exists, whose files are where it says itself.
    storage: Option<Storage>,
    alias: Alias,
    owner: String,
    options: AttachOptions,
}

impl From<MotherDuck> for Lake {
    fn from(lake: MotherDuck) -> Self {
        Self(Kind::MotherDuck(lake))
    }
}

impl Lake {
    /// Begins a lake with a catalog of one's own.
    pub fn builder(catalog: Catalog, storage: impl Into<Storage>) -> LakeBuilder {
        LakeBuilder::new(catalog, Some(storage.into()))
    }

    /// Begins a lake that exists, and whose files are where it says itself: at an absolute path that needs no secret.
    ///
    /// ```
    /// use ducklake_sql::{Catalog, CatalogFile, Lake};
    ///
    /// let lake = Lake::existing(Catalog::DuckDb(CatalogFile::new("/srv/lake/meta.ducklake")?)).build()?;
    /// assert!(!lake.creates_if_missing());
    /// assert_eq!(lake.data_path(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn existing(catalog: Catalog) -> LakeBuilder {
        LakeBuilder::new(catalog, None)
    }

    /// Begins a lake whose catalog is MotherDuck's.
    pub fn mother_duck(database: impl Into<String>) -> MotherDuckSpec {
        MotherDuckSpec { database: database.into(), ..MotherDuckSpec::default() }
    }

    /// The name under which its tables are found: the alias, or the database in MotherDuck.
    pub fn alias(&self) -> &Ident {
        match &self.0 {
            Kind::Attached(lake) => lake.alias.ident(),
            Kind::MotherDuck(lake) => &lake.database,
        }
    }

    /// The kind of its catalog.
    pub fn catalog_kind(&self) -> CatalogKind {
        match &self.0 {
            Kind::Attached(lake) => lake.catalog.kind(),
            Kind::MotherDuck(_) => CatalogKind::MotherDuck,
        }
    }

    /// Its catalog, unless that is MotherDuck's.
    pub fn catalog(&self) -> Option<&Catalog> {
        match &self.0 {
            Kind::Attached(lake) => Some(&lake.catalog),
            Kind::MotherDuck(_) => None,
        }
    }

    /// Its storage, unless that is MotherDuck's, or the lake says itself where its files are.
    pub fn storage(&self) -> Option<Storage> {
        match &self.0 {
            Kind::Attached(lake) => lake.storage.clone(),
            Kind::MotherDuck(lake) => lake.storage.clone().map(Storage::Object),
        }
    }

    /// Where its data files are, with the last slash; `None` where MotherDuck keeps them, or the lake says itself where.
    pub fn data_path(&self) -> Option<&str> {
        match &self.0 {
            Kind::Attached(lake) => lake.storage.as_ref().map(Storage::data_path),
            Kind::MotherDuck(lake) => lake.storage.as_ref().map(|storage| storage.path.as_str()),
        }
    }

    /// The schema of the catalog database that holds the metadata, where it is not the default one.
    pub fn metadata_schema(&self) -> Option<&Ident> {
        match &self.0 {
            Kind::Attached(lake) => lake.options.metadata_schema.as_ref(),
            Kind::MotherDuck(_) => None,
        }
    }

    /// Whether another data path than the stored one may be used, see [`AttachOptions::override_data_path`].
    pub fn overrides_data_path(&self) -> bool {
        matches!(&self.0, Kind::Attached(lake) if lake.options.override_data_path)
    }

    /// Whether it can only be read: its catalog is on a web server, it is pinned to a snapshot, or its options say so.
    pub fn is_read_only(&self) -> bool {
        let Kind::Attached(lake) = &self.0 else { return false };
        lake.catalog.url().is_some() || lake.options.read_only || lake.options.snapshot.is_some()
    }

    /// Whether it is created when it is opened for writing and is not there.
    pub fn creates_if_missing(&self) -> bool {
        match &self.0 {
            Kind::Attached(lake) => {
                !self.is_read_only() && lake.storage.is_some() && lake.options.create_if_not_exists != Some(false)
            }
            Kind::MotherDuck(lake) => lake.storage.is_some() && lake.create_if_not_exists,
        }
    }

    /// Whether its options ask in so many words to create it: `create_if_not_exists` is given, and true.
    pub fn asks_to_create(&self) -> bool {
        matches!(&self.0, Kind::Attached(lake) if lake.options.create_if_not_exists == Some(true))
    }

    /// The same lake as one that is not created when it is opened for writing and is not there.
    ///
    /// ```
    /// use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder};
    ///
    /// let catalog = Catalog::Sqlite(CatalogFile::new("/srv/lake/meta.sqlite")?);
    /// let lake = Lake::builder(catalog, LocalFolder::new("/srv/lake/data")?).build()?;
    /// assert!(lake.creates_if_missing() && !lake.must_exist().creates_if_missing());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn must_exist(&self) -> Self {
        let mut lake = self.clone();
        match &mut lake.0 {
            Kind::Attached(lake) => lake.options.create_if_not_exists = Some(false),
            Kind::MotherDuck(lake) => lake.create_if_not_exists = false,
        }
        lake
    }

    /// The same lake, brought to the engine's format when it is attached; a lake in MotherDuck has no other.
    ///
    /// ```
    /// use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Reveal, Session};
    ///
    /// let catalog = Catalog::Sqlite(CatalogFile::new("/srv/lake/meta.sqlite")?);
    /// let lake = Lake::builder(catalog, LocalFolder::new("/srv/lake/data")?).build()?;
    /// let plan = lake.migrating().plan(&Session::default(), Mode::Write);
    /// assert!(plan.display(Reveal::Masked).to_string().contains("AUTOMATIC_MIGRATION true"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn migrating(&self) -> Self {
        let mut lake = self.clone();
        if let Kind::Attached(lake) = &mut lake.0 {
            lake.options.automatic_migration = Some(true);
        }
        lake
    }

    /// The same lake as one that is attached beside another in one instance, for reading only.
    ///
    /// Two lakes of one configuration mostly have the same alias, and often secrets of the same names. This one gets an
    /// alias made of `owner`, the name of its store, and so do the secrets that its plan makes; those that it only uses
    /// keep their names. A lake in MotherDuck stays as it is: its alias is the name of its database.
    ///
    /// ```
    /// use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Session};
    ///
    /// let catalog = Catalog::Sqlite(CatalogFile::new("/srv/prod/meta.sqlite")?);
    /// let lake = Lake::builder(catalog, LocalFolder::new("/srv/prod/data")?).build()?.as_secondary("prod");
    /// assert_eq!(lake.alias().as_str(), "metaxy_beside_prod");
    /// assert_eq!(lake.plan(&Session::default(), Mode::Write).mode(), Mode::Read);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn as_secondary(&self, owner: &str) -> Self {
        let mut lake = self.clone();
        let Kind::Attached(attached) = &mut lake.0 else { return lake };
        let mut alias = String::from("metaxy_beside_");
        encode(owner, &mut alias);
        attached.catalog.rename_secret(&[&alias, "__catalog"].concat());
        if let Some(Storage::Object(storage)) = &mut attached.storage {
            storage.rename_secret(&[&alias, "__storage"].concat());
        }
        attached.alias = Alias::trusted(alias);
        attached.options.read_only = true;
        // Only a name for the database of the metadata, which another lake may have too.
        attached.options.metadata_catalog = None;
        lake
    }

    /// The same lake under another name in an instance; one in MotherDuck keeps the name that it has there.
    pub(crate) fn with_alias(&self, alias: Alias) -> Self {
        let mut lake = self.clone();
        if let Kind::Attached(attached) = &mut lake.0 {
            attached.alias = alias;
        }
        lake
    }

    /// The statements that attach the lake, in order, and the checks to make after them.
    ///
    /// The order: settings that decide how extensions are found, extensions, the other settings, the catalog's secret,
    /// the storage's secret, a probe of the storage where it is to be written, the lake's secret, `ATTACH`, `USE`.
    /// MotherDuck has its own. A lake that [can only be read](Self::is_read_only) gives a plan for reading in either mode.
    pub fn plan(&self, session: &Session, mode: Mode) -> AttachPlan {
        let mode = if self.is_read_only() { Mode::Read } else { mode };
        let (extensions, own_setting) = match &self.0 {
            Kind::Attached(lake) => (lake.extensions(), None),
            Kind::MotherDuck(lake) => (lake.extensions(), lake.region.as_ref()),
        };
        let mut statements = session.prepare(extensions, own_setting);
        let checks = match &self.0 {
            Kind::Attached(lake) => lake.attach(mode, &mut statements),
            Kind::MotherDuck(lake) => lake.attach(mode, &mut statements),
        };
        AttachPlan {
            mode,
            alias: self.alias().clone(),
            catalog: Some(self.catalog_kind()),
            at_open: session.at_open(),
            statements,
            checks,
        }
    }
}

impl Attached {
    fn extensions(&self) -> Vec<&'static str> {
        let mut names = vec!["ducklake"];
        match &self.catalog {
            Catalog::DuckDb(_) => {}
            Catalog::Sqlite(_) => names.push("sqlite_scanner"),
            Catalog::Postgres(_) => names.push("postgres_scanner"),
            Catalog::Quack(_) => names.push("quack"),
            Catalog::Frozen(_) => names.push("httpfs"),
        }
        match &self.storage {
            Some(Storage::Object(storage)) => names.extend(storage.extensions()),
            Some(Storage::Local(_)) => {}
            // What the lake has stored may be a URL.
            None => names.push("httpfs"),
        }
        names.dedup();
        if self.options.encrypted == Some(true) && !names.contains(&"httpfs") {
            // DuckDB itself can read what is encrypted, but not write it.
            names.push("httpfs");
        }
        if matches!(&self.catalog, Catalog::Postgres(postgres) if postgres.uses_aws()) && !names.contains(&"aws") {
            names.push("aws");
        }
        names
    }

    fn attach(&self, mode: Mode, statements: &mut Vec<Statement>) -> Vec<Check> {
        if let Some((_, Some(secret))) = self.catalog.secret() {
            statements.push(Statement::CreateSecret(secret.clone()));
        }
        if let Some(Storage::Object(storage)) = &self.storage {
            statements.extend(storage.create.clone().map(Statement::CreateSecret));
            if mode == Mode::Write {
                statements.push(Statement::ProbeStorage(storage.path.clone()));
            }
        }
        let name = generated_name(&self.owner, &self.alias);
        let alias = self.alias.ident().clone();
        statements.push(Statement::CreateSecret(self.lake_secret(name.clone())));
        statements.push(Statement::Attach(Attach {
            secret: name,
            alias: alias.clone(),
            read_only: mode == Mode::Read,
            options: self.attach_options(mode),
        }));
        statements.push(Statement::Use(alias.clone()));
        vec![
            Check::IsDuckLake { alias: alias.clone(), catalog: self.catalog.kind() },
            match &self.storage {
                Some(storage) => Check::DataPath { alias, expected: storage.data_path().to_owned() },
                None => Check::StoredDataPath { alias },
            },
        ]
    }

    /// The secret through which the lake is attached. It holds no credential: DuckDB shows a `METADATA_PATH` in clear.
    fn lake_secret(&self, name: Ident) -> CreateSecret {
        let mut secret = CreateSecret::new(name, SecretType::DuckLake);
        secret.set("metadata_path", Value::Text(self.catalog.metadata_path()));
        if let Some(storage) = &self.storage {
            secret.set("data_path", Value::from(storage.data_path()));
        }
        let mut parameters: BTreeMap<String, Value> = self.options.metadata_parameters.clone();
        if let Catalog::Postgres(postgres) = &self.catalog {
            parameters.insert("TYPE".to_owned(), Value::from("postgres"));
            parameters.insert("SECRET".to_owned(), Value::from(postgres.name.as_str()));
            if let Some(schema) = &self.options.metadata_schema {
                // Keeps DuckDB from reflecting every schema of the database.
                parameters.entry("SCHEMA".to_owned()).or_insert_with(|| Value::from(schema.as_str()));
            }
        }
        if !parameters.is_empty() {
            secret.set("metadata_parameters", Value::Map(parameters));
        }
        secret
    }

    fn attach_options(&self, mode: Mode) -> Vec<(Keyword, Value)> {
        let options = &self.options;
        let mut all: Vec<(Keyword, Value)> = Vec::new();
        let mut add = |name: &'static str, value: Option<Value>| {
            all.extend(value.map(|value| (Keyword::trusted(name), value)));
        };
        let text = |ident: &Option<Ident>| ident.as_ref().map(|ident| Value::from(ident.as_str()));
        let must_exist = mode == Mode::Read || self.storage.is_none();
        let creates = if must_exist { Some(false) } else { options.create_if_not_exists };
        // A connection that only reads creates the lake all the same unless this is said.
        add("CREATE_IF_NOT_EXISTS", creates.map(Value::Boolean));
        add("AUTOMATIC_MIGRATION", options.automatic_migration.map(Value::Boolean));
        add("BUSY_TIMEOUT", options.busy_timeout.map(Value::Integer));
        add("DATA_INLINING_ROW_LIMIT", options.data_inlining_row_limit.map(Value::Integer));
        add("ENCRYPTED", options.encrypted.map(Value::Boolean));
        add("METADATA_CATALOG", text(&options.metadata_catalog));
        add("METADATA_SCHEMA", text(&options.metadata_schema));
        add("OVERRIDE_DATA_PATH", options.override_data_path.then_some(Value::Boolean(true)));
        match &options.snapshot {
            Some(Snapshot::Version(version)) => add("SNAPSHOT_VERSION", Some(Value::Integer(*version))),
            Some(Snapshot::Time(time)) => add("SNAPSHOT_TIME", Some(Value::from(time.as_str()))),
            None => {}
        }
        add("WRITE_DELETION_VECTORS", options.write_deletion_vectors.map(Value::Boolean));
        all.extend(options.meta.iter().map(|(name, value)| (name.prefixed("META_"), value.clone())));
        all
    }
}

impl ObjectStorage {
    /// Gives another name to the secret that the plan makes, if it makes one.
    fn rename_secret(&mut self, name: &str) {
        if let Some(secret) = &mut self.create {
            self.name = Ident::trusted(name);
            secret.rename(self.name.clone());
        }
    }

    pub(crate) fn extensions(&self) -> Vec<&'static str> {
        if self.kind == ObjectKind::Azure {
            return vec!["azure"];
        }
        let mut names = vec!["httpfs"];
        if self.create.as_ref().is_some_and(CreateSecret::uses_credential_chain) {
            names.push("aws");
        }
        names
    }
}

/// A lake being described; [`build`](Self::build) checks the parts against each other.
#[derive(Debug, Clone)]
pub struct LakeBuilder(Attached);

impl LakeBuilder {
    fn new(catalog: Catalog, storage: Option<Storage>) -> Self {
        let (alias, owner, options) = Default::default();
        Self(Attached { catalog, storage, alias, owner, options })
    }

    /// The name to attach it under; `ducklake` unless given.
    pub fn alias(mut self, alias: Alias) -> Self {
        self.0.alias = alias;
        self
    }

    /// Whose lake it is, such as the name of a store; with the alias it makes the name of the lake's secret.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.0.owner = owner.into();
        self
    }

    /// How to attach it.
    pub fn options(mut self, options: AttachOptions) -> Self {
        self.0.options = options;
        self
    }

    /// The lake.
    ///
    /// # Errors
    ///
    /// When two of its secrets have the same name, read without regard to case, the catalog and the options name different
    /// schemas for the metadata, or the options override a data path that is not given.
    pub fn build(self) -> Result<Lake, Problems> {
        let mut lake = self.0;
        if let Catalog::Postgres(PostgresCatalog { schema: Some(schema), .. }) = &lake.catalog
            && lake.options.metadata_schema.get_or_insert_with(|| schema.clone()) != schema
        {
            return Err(Problem::conflict(
                "metadata_schema",
                "the catalog and the attach options name different schemas for the metadata",
                "write `metadata_schema` once",
            )
            .into());
        }
        if lake.storage.is_none() && lake.options.override_data_path {
            let why = "there is no data path to use over the one that the lake has stored";
            let help = "write `storage`, or leave `override_data_path` out";
            return Err(Problem::conflict("override_data_path", why, help).into());
        }
        let catalog = lake.catalog.secret().map(|(name, create)| (name.as_str(), create.is_some()));
        let storage = match &lake.storage {
            Some(Storage::Object(storage)) => Some((storage.name.as_str(), storage.create.is_some())),
            Some(Storage::Local(_)) | None => None,
        };
        let generated = generated_name(&lake.owner, &lake.alias);
        let used = [catalog, storage, Some((generated.as_str(), true))];
        for (index, one) in used.iter().enumerate() {
            for other in &used[index + 1..] {
                if let (Some((one, creates)), Some((other, creates_other))) = (one, other)
                    && (*creates || *creates_other)
                    && one.to_lowercase() == other.to_lowercase()
                {
                    return Err(Problem::secret_name_clash(one).into());
                }
            }
        }
        Ok(Lake(Kind::Attached(Box::new(lake))))
    }
}

/// The name of the lake's secret: an injective encoding of owner and alias into `[a-z0-9_]`.
///
/// DuckLake takes any other name for the path of a file, and names are looked up without regard to case. A lower-case
/// letter or a digit stands for itself, every other byte is `_` and two hexadecimal digits; so `__` occurs in neither
/// part and separates them.
///
/// ```
/// use ducklake_sql::{Alias, generated_name};
///
/// assert_eq!(generated_name("prod-eu", &Alias::default()).as_str(), "metaxy_prod_2deu__ducklake");
/// ```
pub fn generated_name(owner: &str, alias: &Alias) -> Ident {
    let mut name = String::from("metaxy_");
    encode(owner, &mut name);
    name.push_str("__");
    encode(alias.as_str(), &mut name);
    Ident::trusted(name)
}

pub(crate) fn encode(part: &str, name: &mut String) {
    for byte in part.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() {
            name.push(char::from(byte));
        } else {
            name.push('_');
            for digit in [byte >> 4, byte & 0xf] {
                name.extend(char::from_digit(digit.into(), 16));
            }
        }
    }
}
