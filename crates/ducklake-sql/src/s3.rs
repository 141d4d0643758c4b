//! Storages on Amazon S3, or whatever speaks its protocol.

use crate::path::{ObjectKind, ObjectPath};
use crate::problem::{Collector, Problem, Problems};
use crate::secret::{CreateSecret, SecretType, add_parameters, secret_name};
use crate::spec::spec;
use crate::storage::{ObjectStorage, add_key_pair, default_region, finish};
use crate::value::{Parameters, Secret, Value};

/// How a bucket is named in a URL.
const URL_STYLES: &[&str] = &["path", "vhost"];

spec! {
    /// An S3 storage as a person describes it; [`build`](Self::build) makes it one that can be used.
    ///
    /// The data path is `data_path`, or `s3://bucket/prefix/`, or else a `scope` that starts with `s3://`. With any of the
    /// credential or connection fields, or with `parameters`, a secret of that name is made; without, it is used as it is.
    ///
    /// ```
    /// use ducklake_sql::S3Spec;
    ///
    /// let mut spec = S3Spec::new("s3");
    /// spec.bucket = Some("bucket".into());
    /// spec.prefix = Some("lake".into());
    /// assert_eq!(spec.build()?.path().as_str(), "s3://bucket/lake/");
    /// # Ok::<(), ducklake_sql::Problems>(())
    /// ```
    #[derive(Debug, Clone, Default)]
    #[non_exhaustive]
    pub struct S3Spec {
        /// The name of the secret, to make or to use.
        pub secret_name: String,
        /// The access key's id.
        pub key_id: Option<Secret>,
        /// The access key's secret part.
        pub secret: Option<Secret>,
        /// `host:port` of another server than Amazon's; a scheme in front decides `use_ssl`.
        pub endpoint: Option<String>,
        /// The bucket.
        pub bucket: Option<String>,
        /// The prefix in the bucket.
        pub prefix: Option<String>,
        /// The region; `us-east-1` unless given where there is an `endpoint`, since DuckDB would sign with an empty one.
        pub region: Option<String>,
        /// `path` or `vhost`.
        pub url_style in URL_STYLES: Option<String>,
        /// Whether to use TLS.
        pub use_ssl: Option<bool>,
        /// What the secret is for; the data path unless given.
        pub scope: Option<String>,
        /// Where the data files are: `s3://bucket/prefix/`.
        pub data_path: Option<String>,
        /// Further parameters of the secret, such as `provider = "credential_chain"`.
        pub parameters as secret_parameters: Parameters,
    }
}

impl S3Spec {
    /// A storage that uses the existing secret of this name; it still needs a data path.
    pub fn new(secret_name: impl Into<String>) -> Self {
        Self { secret_name: secret_name.into(), ..Self::default() }
    }

    /// Checks the description.
    ///
    /// # Errors
    ///
    /// All problems at once: no data path, a key without its secret, a scope that does not cover the data path, …
    pub fn build(self) -> Result<ObjectStorage, Problems> {
        let mut problems = Collector::default();
        let name = secret_name(&self.secret_name, &mut problems);
        let path = s3_path(&self, &mut problems);

        let mut secret = CreateSecret::new(name.clone(), SecretType::S3);
        add_key_pair(&mut secret, self.key_id, self.secret, &mut problems);
        add_connection(&mut secret, self.region, self.endpoint, self.url_style, self.use_ssl, &mut problems);
        add_parameters(&mut secret, &self.parameters, &mut problems);
        default_region(&mut secret, "us-east-1");

        finish(problems, ObjectKind::S3, name, path, secret, self.scope)
    }
}

/// The data path of an S3 storage: `data_path`, else bucket and prefix, else the scope.
fn s3_path(spec: &S3Spec, problems: &mut Collector) -> Option<ObjectPath> {
    let from_bucket = spec.bucket.as_deref().map(|bucket| {
        let prefix = spec.prefix.as_deref().unwrap_or_default().trim_matches('/');
        ["s3://", bucket, "/", prefix].concat()
    });
    let (field, path) = match (&spec.data_path, from_bucket, &spec.scope) {
        (Some(path), from_bucket, _) => {
            if let Some(from_bucket) = from_bucket
                && path.trim_end_matches('/') != from_bucket.trim_end_matches('/')
            {
                problems.push(Problem::conflict(
                    "data_path",
                    "`data_path` and `bucket` name different places",
                    "write only one of them",
                ));
            }
            ("data_path", path.clone())
        }
        (None, Some(path), _) => {
            if spec.bucket.as_deref() == Some("") {
                problems.push(Problem::empty("the bucket").at("bucket"));
                return None;
            }
            ("bucket", path)
        }
        (None, None, Some(scope)) if scope.starts_with("s3://") => ("scope", scope.clone()),
        (None, None, _) => {
            problems.push(Problem::missing_data_path());
            return None;
        }
    };
    problems.take(field, ObjectPath::new(ObjectKind::S3, path))
}

/// Adds the fields that say how to reach a server.
fn add_connection(
    secret: &mut CreateSecret,
    region: Option<String>,
    endpoint: Option<String>,
    url_style: Option<String>,
    use_ssl: Option<bool>,
    problems: &mut Collector,
) {
    let mut add = |field: &'static str, value: Value| {
        problems.take(field, value.validate());
        secret.set(field, value);
    };
    if let Some(region) = region {
        add("region", Value::Text(region));
    }
    let mut implied = None;
    if let Some(endpoint) = endpoint {
        // DuckDB takes `host:port` only: with a scheme in it, every request fails.
        let (scheme, host) = match endpoint.split_once("://") {
            Some((scheme, host)) => (Some(scheme.to_ascii_lowercase()), host.trim_end_matches('/').to_owned()),
            None => (None, endpoint),
        };
        add("endpoint", Value::Text(host));
        match scheme.as_deref() {
            Some("http") => implied = Some(false),
            Some("https") => implied = Some(true),
            Some(other) => problems.push(Problem::invalid_choice("endpoint", other, &["http", "https"])),
            None => {}
        }
    }
    if let Some(style) = url_style {
        if !URL_STYLES.contains(&style.as_str()) {
            problems.push(Problem::invalid_choice("url_style", &style, URL_STYLES));
        }
        secret.set("url_style", Value::Text(style));
    }
    if let (Some(implied), Some(given)) = (implied, use_ssl)
        && implied != given
    {
        problems.push(Problem::conflict(
            "use_ssl",
            "`use_ssl` and the scheme of `endpoint` disagree",
            "leave one of them out",
        ));
    }
    if let Some(use_ssl) = use_ssl.or(implied) {
        secret.set("use_ssl", Value::Boolean(use_ssl));
    }
}
