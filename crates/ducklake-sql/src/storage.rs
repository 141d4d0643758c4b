//! The storage of a lake: where its data files go, and the secret that opens the door.
//!
//! A secret made here is always scoped, with a last slash: to the data path, or to a wider scope that was asked for.

use crate::path::{LocalFolder, ObjectKind, ObjectPath};
use crate::problem::{Collector, Problem, Problems};
use crate::secret::{CreateSecret, SecretType, add_parameters, secret_name};
use crate::spec::spec;
use crate::value::{Ident, Parameters, Secret, Value};

/// Where a lake keeps its data files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// A folder of this machine.
    Local(LocalFolder),
    /// A prefix in a bucket.
    Object(ObjectStorage),
}

impl Storage {
    /// The data path, with its last slash.
    pub fn data_path(&self) -> &str {
        match self {
            Self::Local(folder) => folder.as_str(),
            Self::Object(storage) => storage.path.as_str(),
        }
    }
}

impl From<LocalFolder> for Storage {
    fn from(folder: LocalFolder) -> Self {
        Self::Local(folder)
    }
}

impl From<ObjectStorage> for Storage {
    fn from(storage: ObjectStorage) -> Self {
        Self::Object(storage)
    }
}

/// A prefix in a bucket, and the secret to use there; made by [`S3Spec`](crate::S3Spec), [`R2Spec`], [`GcsSpec`] or [`AzureSpec`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectStorage {
    pub(crate) kind: ObjectKind,
    pub(crate) path: ObjectPath,
    pub(crate) name: Ident,
    pub(crate) create: Option<CreateSecret>,
}

impl ObjectStorage {
    /// Which storage it is.
    pub fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// The data path.
    pub fn path(&self) -> &ObjectPath {
        &self.path
    }

    /// The name of the secret, made by the plan or existing already.
    pub fn secret_name(&self) -> &Ident {
        &self.name
    }
}

spec! {
    /// A Cloudflare R2 storage as a person describes it; [`build`](Self::build) makes it one that can be used.
    ///
    /// ```
    /// use ducklake_sql::{R2Spec, Secret};
    ///
    /// let mut spec = R2Spec::new("r2", "r2://bucket/lake");
    /// spec.key_id = Some(Secret::from("id"));
    /// spec.secret = Some(Secret::from("hunter2"));
    /// spec.account_id = Some("0123456789abcdef0123456789abcdef".into());
    /// assert!(spec.build().is_ok());
    /// ```
    #[derive(Debug, Clone, Default)]
    #[non_exhaustive]
    pub struct R2Spec {
        /// The name of the secret, to make or to use.
        pub secret_name: String,
        /// The access key's id.
        pub key_id: Option<Secret>,
        /// The access key's secret part.
        pub secret: Option<Secret>,
        /// Cloudflare's account id: 32 hexadecimal digits.
        pub account_id: Option<String>,
        /// Where the data files are: `r2://bucket/prefix/`.
        pub data_path: String,
        /// Further parameters of the secret, such as `provider = "credential_chain"`.
        pub parameters as secret_parameters: Parameters,
    }
}

impl R2Spec {
    /// A storage at a data path that uses the existing secret of this name.
    pub fn new(secret_name: impl Into<String>, data_path: impl Into<String>) -> Self {
        Self { secret_name: secret_name.into(), data_path: data_path.into(), ..Self::default() }
    }

    /// Checks the description.
    ///
    /// # Errors
    ///
    /// All problems at once: a key without its secret or without the account id, a location of another storage, …
    pub fn build(self) -> Result<ObjectStorage, Problems> {
        let mut problems = Collector::default();
        let name = secret_name(&self.secret_name, &mut problems);
        let path = problems.take("data_path", ObjectPath::new(ObjectKind::R2, &self.data_path));

        let mut secret = CreateSecret::new(name.clone(), SecretType::R2);
        let has_key = add_key_pair(&mut secret, self.key_id, self.secret, &mut problems);
        match self.account_id {
            Some(id) if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                secret.set("account_id", Value::Text(id));
            }
            Some(_) => problems.push(Problem::invalid_account_id()),
            // Without it DuckDB makes the secret all the same, and then has no server to ask.
            None if self.parameters.get("endpoint").is_some() => {}
            None if has_key => problems.push(Problem::half_given("account_id", "key_id")),
            None if !self.parameters.is_empty() => {
                problems.push(Problem::half_given("account_id", "secret_parameters"));
            }
            None => {}
        }
        add_parameters(&mut secret, &self.parameters, &mut problems);
        default_region(&mut secret, "auto");

        finish(problems, ObjectKind::R2, name, path, secret, None)
    }
}

spec! {
    /// A Google Cloud Storage as a person describes it; [`build`](Self::build) makes it one that can be used.
    ///
    /// Its keys are HMAC keys; a `bearer_token` goes into `parameters`.
    ///
    /// ```
    /// use ducklake_sql::GcsSpec;
    ///
    /// let spec = GcsSpec::new("gcs", "gs://bucket/lake");
    /// assert_eq!(spec.build()?.path().as_str(), "gs://bucket/lake/");
    /// # Ok::<(), ducklake_sql::Problems>(())
    /// ```
    #[derive(Debug, Clone, Default)]
    #[non_exhaustive]
    pub struct GcsSpec {
        /// The name of the secret, to make or to use.
        pub secret_name: String,
        /// The HMAC key's id.
        pub key_id: Option<Secret>,
        /// The HMAC key's secret part.
        pub secret: Option<Secret>,
        /// Where the data files are: `gs://bucket/prefix/`.
        pub data_path: String,
        /// Further parameters of the secret, such as `bearer_token`.
        pub parameters as secret_parameters: Parameters,
    }
}

impl GcsSpec {
    /// A storage at a data path that uses the existing secret of this name.
    pub fn new(secret_name: impl Into<String>, data_path: impl Into<String>) -> Self {
        Self { secret_name: secret_name.into(), data_path: data_path.into(), ..Self::default() }
    }

    /// Checks the description.
    ///
    /// # Errors
    ///
    /// All problems at once: a key without its secret, a location of another storage, …
    pub fn build(self) -> Result<ObjectStorage, Problems> {
        let mut problems = Collector::default();
        let name = secret_name(&self.secret_name, &mut problems);
        let path = problems.take("data_path", ObjectPath::new(ObjectKind::Gcs, &self.data_path));

        let mut secret = CreateSecret::new(name.clone(), SecretType::Gcs);
        add_key_pair(&mut secret, self.key_id, self.secret, &mut problems);
        add_parameters(&mut secret, &self.parameters, &mut problems);
        default_region(&mut secret, "us-east-1");

        finish(problems, ObjectKind::Gcs, name, path, secret, None)
    }
}

spec! {
    /// An Azure Blob Storage as a person describes it; [`build`](Self::build) makes it one that can be used.
    ///
    /// With an account's name the rest of the login goes into `parameters`: `provider = "credential_chain"`,
    /// `service_principal`, … With none of the fields the secret of that name is used as it is.
    ///
    /// ```
    /// use ducklake_sql::AzureSpec;
    ///
    /// let mut spec = AzureSpec::new("azure", "az://container/lake");
    /// spec.account_name = Some("account".into());
    /// spec.parameters.insert("provider", "credential_chain".into());
    /// assert_eq!(spec.build()?.path().as_str(), "az://container/lake/");
    /// # Ok::<(), ducklake_sql::Problems>(())
    /// ```
    #[derive(Debug, Clone, Default)]
    #[non_exhaustive]
    pub struct AzureSpec {
        /// The name of the secret, to make or to use.
        pub secret_name: String,
        /// The storage account's name; how to log in to it goes into `secret_parameters`.
        pub account_name: Option<String>,
        /// All of the login in one string, with the account's name and key.
        pub connection_string: Option<Secret>,
        /// Where the data files are: `az://container/prefix/`.
        pub data_path: String,
        /// Further parameters of the secret, such as `provider = "credential_chain"`.
        pub parameters as secret_parameters: Parameters,
    }
}

impl AzureSpec {
    /// A storage at a data path that uses the existing secret of this name.
    pub fn new(secret_name: impl Into<String>, data_path: impl Into<String>) -> Self {
        Self { secret_name: secret_name.into(), data_path: data_path.into(), ..Self::default() }
    }

    /// Checks the description.
    ///
    /// # Errors
    ///
    /// All problems at once: two logins, an empty value, a location of another storage, …
    pub fn build(self) -> Result<ObjectStorage, Problems> {
        let mut problems = Collector::default();
        let name = secret_name(&self.secret_name, &mut problems);
        let path = problems.take("data_path", ObjectPath::new(ObjectKind::Azure, &self.data_path));
        if self.account_name.is_some() && self.connection_string.is_some() {
            problems.push(Problem::conflict(
                "connection_string",
                "`connection_string` holds the account's name already",
                "leave `account_name` out",
            ));
        }

        let mut secret = CreateSecret::new(name.clone(), SecretType::Azure);
        let fields = [
            ("account_name", self.account_name.map(Value::Text)),
            ("connection_string", self.connection_string.map(Value::Secret)),
        ];
        for (field, value) in fields {
            if let Some(value) = value {
                problems.take(field, value.validate());
                secret.set(field, value);
            }
        }
        add_parameters(&mut secret, &self.parameters, &mut problems);

        finish(problems, ObjectKind::Azure, name, path, secret, None)
    }
}

/// Adds `KEY_ID` and `SECRET`, both or neither; whether there is any of them.
pub(crate) fn add_key_pair(
    secret: &mut CreateSecret,
    key_id: Option<Secret>,
    key: Option<Secret>,
    problems: &mut Collector,
) -> bool {
    let given = key_id.is_some() || key.is_some();
    for (field, value, other) in [("key_id", key_id, "secret"), ("secret", key, "key_id")] {
        match value.map(Value::Secret) {
            Some(value) => {
                problems.take(field, value.validate());
                secret.set(field, value);
            }
            None if given => problems.push(Problem::half_given(field, other)),
            None => {}
        }
    }
    given
}

/// Sets a region where an endpoint is given without: DuckDB would sign with an empty one, which real servers refuse.
pub(crate) fn default_region(secret: &mut CreateSecret, region: &'static str) {
    if secret.get("endpoint").is_some() && secret.get("region").is_none() {
        secret.set("region", Value::from(region));
    }
}

/// Scopes the secret and puts the parts together.
pub(crate) fn finish(
    mut problems: Collector,
    kind: ObjectKind,
    name: Ident,
    path: Option<ObjectPath>,
    mut secret: CreateSecret,
    scope: Option<String>,
) -> Result<ObjectStorage, Problems> {
    if matches!(secret.get("endpoint"), Some(Value::Text(endpoint)) if endpoint.contains('@')) {
        problems.push(Problem::login_in_endpoint());
    }
    let storage = path.map(|path| {
        let create = if secret.is_empty() {
            None
        } else {
            if secret.get("scope").is_none() {
                let scope = scope.and_then(|scope| problems.take("scope", ObjectPath::new(kind, scope)));
                if let Some(scope) = &scope
                    && !scope.covers(&path)
                {
                    problems.push(Problem::scope_mismatch(scope.as_str(), path.as_str()));
                }
                secret.set("scope", Value::from(scope.as_ref().unwrap_or(&path).as_str()));
            } else {
                check_scope_parameter(&secret, kind, &path, &mut problems);
            }
            Some(secret)
        };
        ObjectStorage { kind, path, name, create }
    });
    problems.finish(storage)
}

/// A scope given as a secret parameter, one or a list, has to cover the data path as well.
fn check_scope_parameter(secret: &CreateSecret, kind: ObjectKind, path: &ObjectPath, problems: &mut Collector) {
    let scopes = match secret.get("scope") {
        Some(Value::List(scopes)) => scopes.as_slice(),
        Some(scope) => std::slice::from_ref(scope),
        None => &[],
    };
    let mut covered = false;
    for scope in scopes {
        let Value::Text(scope) = scope else {
            problems.push(Problem::wrong_type(
                "secret_parameters.scope",
                "a string or a list of strings",
                scope.kind(),
            ));
            continue;
        };
        // The parameter goes to DuckDB as it is, so it has to end with its slash already.
        covered |= scope.ends_with('/') && ObjectPath::new(kind, scope).is_ok_and(|scope| scope.covers(path));
    }
    if !covered {
        let shown = scopes.iter().filter_map(|scope| match scope {
            Value::Text(scope) => Some(scope.as_str()),
            _ => None,
        });
        let shown = shown.collect::<Vec<_>>().join("`, `");
        problems.push(Problem::scope_mismatch(&shown, path.as_str()).at("secret_parameters.scope"));
    }
}
