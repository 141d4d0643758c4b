//! Where things are: a catalog's file, a local folder of data files, a prefix in a bucket.
//!
//! A path that exists as one of these types is canonical. A local data path with `//` in it, or written as `file://…`,
//! would make DuckLake count every live file as an orphan, and its clean-up functions would delete live data.

use std::fmt;
use std::path::Path;

use crate::problem::Problem;
use crate::secret::SecretType;

/// An absolute local path without `.`, `..`, `//` or a scheme; collapses what can be collapsed without looking at disk.
fn canonical(path: &str) -> Result<String, Problem> {
    let refuse = |why| Err(Problem::invalid_path(path, why));
    if path.is_empty() {
        return Err(Problem::empty("the path"));
    }
    if path.contains('\0') {
        return Err(Problem::nul_byte("the path"));
    }
    if path.contains("://") {
        return refuse("is a URL, not a path of this machine");
    }
    if !Path::new(path).is_absolute() {
        return refuse("is not absolute");
    }
    let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".").peekable();
    let mut canonical = String::with_capacity(path.len() + 1);
    if path.starts_with('/') {
        canonical.push('/');
    }
    while let Some(part) = parts.next() {
        if part == ".." {
            return refuse("contains `..`");
        }
        canonical.push_str(part);
        if parts.peek().is_some() {
            canonical.push('/');
        }
    }
    Ok(canonical)
}

/// The file of a DuckDB or SQLite catalog: an absolute, canonical path.
///
/// ```
/// use ducklake_sql::CatalogFile;
///
/// assert_eq!(CatalogFile::new("/srv//lake/./meta.sqlite")?.as_str(), "/srv/lake/meta.sqlite");
/// assert!(CatalogFile::new("meta.sqlite").is_err());
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CatalogFile(String);

impl CatalogFile {
    /// Checks a path, dropping repeated slashes and `.`.
    ///
    /// # Errors
    ///
    /// When it is empty, relative, a folder, a URL, or holds `..` or a NUL byte.
    pub fn new(path: impl AsRef<str>) -> Result<Self, Problem> {
        let path = path.as_ref();
        if path.ends_with('/') {
            return Err(Problem::invalid_path(path, "is a folder, not a file"));
        }
        canonical(path).map(Self)
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The file of a DuckDB catalog on a web server or in a bucket, which can only be read.
///
/// ```
/// use ducklake_sql::CatalogUrl;
///
/// assert_eq!(CatalogUrl::new("https://data.example/lake.ducklake")?.as_str(), "https://data.example/lake.ducklake");
/// assert!(CatalogUrl::new("ftp://data.example/lake.ducklake").is_err());
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CatalogUrl(String);

impl CatalogUrl {
    /// What such a URL begins with: what the extension `httpfs` reads.
    const SCHEMES: &[&str] = &["http", "https", "s3", "r2", "gs", "gcs"];

    /// Whether a text begins as such a URL does.
    pub fn is_url(text: &str) -> bool {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| Self::SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)))
    }

    /// Checks a URL.
    ///
    /// # Errors
    ///
    /// When it has another scheme, names no file, or holds a NUL byte.
    pub fn new(url: impl AsRef<str>) -> Result<Self, Problem> {
        let url = url.as_ref();
        let refuse = |why| Err(Problem::invalid_path(url, why));
        let Some((scheme, rest)) = url.split_once("://").filter(|_| Self::is_url(url)) else {
            return refuse("is no URL of a file that can be read");
        };
        if url.contains('\0') {
            return refuse("contains a NUL byte");
        }
        match rest.split_once('/') {
            Some((host, file)) if !host.is_empty() && !file.is_empty() && !file.ends_with('/') => {
                Ok(Self([&scheme.to_ascii_lowercase(), "://", rest].concat()))
            }
            _ => refuse("names no file"),
        }
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A folder of data files on this machine: an absolute, canonical path that ends with `/`.
///
/// ```
/// use ducklake_sql::LocalFolder;
///
/// assert_eq!(LocalFolder::new("/srv//lake/data")?.as_str(), "/srv/lake/data/");
/// assert!(LocalFolder::new("file:///srv/lake").is_err());
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalFolder {
    path: String,
    project: Option<Project>,
}

/// The folder of a project, and how the project writes a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Project {
    folder: String,
    /// Relative to that folder, with its last slash; `None` for a path that is written otherwise.
    relative: Option<String>,
}

impl LocalFolder {
    /// Checks a path, dropping repeated slashes and `.` and ending it with `/`.
    ///
    /// # Errors
    ///
    /// When it is empty, relative, a URL, or holds `..` or a NUL byte.
    pub fn new(path: impl AsRef<str>) -> Result<Self, Problem> {
        let mut folder = canonical(path.as_ref())?;
        if !folder.ends_with('/') {
            folder.push('/');
        }
        Ok(Self { path: folder, project: None })
    }

    /// The same folder in a project, which may name it by a path relative to the project's own folder.
    ///
    /// A new lake stores the relative path, so that other programs find the lake that the project's configuration names,
    /// for DuckLake compares data paths as texts. A relative path that a lake has stored starts at the project's folder.
    /// A relative path with `//` in it is not kept: DuckLake would take live files for orphans.
    ///
    /// ```
    /// use ducklake_sql::LocalFolder;
    ///
    /// let folder = LocalFolder::new("/project/data")?.in_project("/project", Some("./data"));
    /// assert_eq!((folder.as_str(), folder.relative()), ("/project/data/", Some("./data/")));
    /// # Ok::<(), ducklake_sql::Problem>(())
    /// ```
    pub fn in_project(mut self, folder: impl Into<String>, relative: Option<&str>) -> Self {
        let is_kept = |path: &&str| {
            !path.is_empty()
                && !Path::new(path).is_absolute()
                && !path.contains("//")
                && !path.contains(['\0', '~', ':'])
        };
        let relative = relative.filter(is_kept).map(|path| [path.trim_end_matches('/'), "/"].concat());
        self.project = Some(Project { folder: folder.into(), relative });
        self
    }

    /// The path, with its last slash.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// The folder of the project, from which relative paths start.
    pub fn project(&self) -> Option<&str> {
        self.project.as_ref().map(|project| project.folder.as_str())
    }

    /// The path as the project writes it, with its last slash, where that is relative to the project's folder.
    pub fn relative(&self) -> Option<&str> {
        self.project.as_ref()?.relative.as_deref()
    }
}

/// Which object storage, with its scheme and its type of secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ObjectKind {
    /// Amazon S3 and whatever speaks its protocol.
    S3,
    /// Cloudflare R2.
    R2,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage, where a bucket is called a container.
    Azure,
}

impl ObjectKind {
    /// The scheme that DuckLake writes, without `://`.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::R2 => "r2",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }

    /// The type of its secrets.
    pub fn secret_type(self) -> SecretType {
        match self {
            Self::S3 => SecretType::S3,
            Self::R2 => SecretType::R2,
            Self::Gcs => SecretType::Gcs,
            Self::Azure => SecretType::Azure,
        }
    }

    /// Every scheme that a secret of this type covers in DuckDB.
    fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::S3 => &["s3", "s3a", "s3n"],
            Self::R2 => &["r2"],
            Self::Gcs => &["gs", "gcs"],
            Self::Azure => &["az", "azure"],
        }
    }
}

/// A prefix in a bucket, as `scheme://bucket/prefix/`, always with the last slash.
///
/// The slash matters: the scope `s3://b/x` would cover `s3://b/xyz` too.
///
/// ```
/// use ducklake_sql::{ObjectKind, ObjectPath};
///
/// let path = ObjectPath::new(ObjectKind::S3, "s3://bucket/lake")?;
/// assert_eq!(path.as_str(), "s3://bucket/lake/");
/// assert!(ObjectPath::new(ObjectKind::R2, "s3://bucket/lake").is_err());
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectPath(String);

impl ObjectPath {
    /// Checks a location of a kind of storage.
    ///
    /// # Errors
    ///
    /// When the scheme is another storage's, the bucket is missing or malformed, or the prefix holds an empty part,
    /// a `.` or `..` part, or a character that DuckDB would read as a pattern or a query (`*`, `?`, `[`).
    pub fn new(kind: ObjectKind, path: impl AsRef<str>) -> Result<Self, Problem> {
        let path = path.as_ref();
        let refuse = |why| Err(Problem::invalid_object_path(path, why, kind.scheme()));
        if path.is_empty() {
            return Err(Problem::empty("the location").at("data_path"));
        }
        if path.contains('\0') {
            return Err(Problem::nul_byte("the location").at("data_path"));
        }
        let Some((scheme, rest)) = path.split_once("://") else {
            return refuse("has no scheme");
        };
        if !kind.schemes().contains(&scheme) {
            return Err(Problem::scheme_of_another_storage(path, scheme, kind.scheme()));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return refuse("names no bucket");
        }
        if !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return refuse("has a bucket with characters other than letters, digits, `.`, `_` and `-`");
        }
        if prefix.contains(['*', '?', '[']) || prefix.chars().any(char::is_control) {
            return refuse(
                "has a prefix with a control character, or with `*`, `?` or `[`, which DuckDB reads as a pattern",
            );
        }
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() && prefix.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return refuse("has an empty, `.` or `..` part in its prefix");
        }
        let end = if prefix.is_empty() { "" } else { "/" };
        Ok(Self([scheme, "://", bucket, "/", prefix, end].concat()))
    }

    /// The location, with its last slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a secret with this scope is used for `inner`.
    pub(crate) fn covers(&self, inner: &Self) -> bool {
        inner.0.starts_with(&self.0)
    }
}

macro_rules! display_as_str {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}

display_as_str!(CatalogFile, LocalFolder, ObjectPath);
