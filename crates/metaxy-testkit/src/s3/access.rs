//! Who may do what: key pairs, regions, buckets.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::leak::MARKER;
use crate::random::token;

/// What a key pair may do, in every bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyRights {
    /// Everything.
    Full,
    /// Read and list, but neither write nor delete.
    ReadOnly,
    /// Everything but list. Asked for an object that is not there, the server says 403, as Amazon does.
    NoList,
}

/// A key pair of an [`S3Server`](crate::S3Server).
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The access key's name, which is no secret.
    pub id: String,
    /// The secret access key, which carries [`MARKER`].
    pub secret: String,
    /// The session token without which the pair is refused, which carries [`MARKER`].
    pub session_token: Option<String>,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("id", &self.id).finish_non_exhaustive()
    }
}

struct Known {
    pair: KeyPair,
    rights: KeyRights,
    expired: bool,
}

/// A handle: clones know the same keys.
#[derive(Clone)]
pub(super) struct Access {
    buckets: PathBuf,
    region: String,
    keys: Arc<Mutex<HashMap<String, Known>>>,
}

impl Access {
    pub(super) fn new(buckets: &Path, region: &str) -> Self {
        Self { buckets: buckets.to_owned(), region: region.to_owned(), keys: Arc::default() }
    }

    pub(super) fn add(&self, rights: KeyRights, session: bool) -> KeyPair {
        // With `/`, `+` and `=`, as real ones have.
        let pair = KeyPair {
            id: format!("KEY{}", token().to_uppercase()),
            secret: format!("{MARKER}/{}+x", token()),
            session_token: session.then(|| format!("{MARKER}/+{}==", token())),
        };
        self.keys().insert(pair.id.clone(), Known { pair: pair.clone(), rights, expired: false });
        pair
    }

    pub(super) fn expire(&self, key: &KeyPair) {
        if let Some(known) = self.keys().get_mut(&key.id) {
            known.expired = true;
        }
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_region(&self, cx: &S3AccessContext<'_>) -> S3Result<()> {
        let Some(region) = signed_region(cx) else {
            return Err(refused(
                S3ErrorCode::InvalidRequest,
                "this authorization mechanism is not supported: use SigV4",
            ));
        };
        if region == self.region {
            return Ok(());
        }
        let text = format!(
            "the authorization header is malformed; the region '{region}' is wrong; expecting '{}'",
            self.region
        );
        // Without the header `x-amz-bucket-region`, which Amazon adds: DuckDB would take the right region from it, try
        // again, and the mistake would not show.
        Err(refused(S3ErrorCode::AuthorizationHeaderMalformed, text))
    }

    fn check_key(&self, cx: &S3AccessContext<'_>) -> S3Result<KeyRights> {
        let keys = self.keys();
        let known = cx.credentials().and_then(|credentials| keys.get(&credentials.access_key));
        let Some(known) = known else {
            return Err(refused(S3ErrorCode::AccessDenied, "anonymous access is denied"));
        };
        if known.expired {
            return Err(refused(S3ErrorCode::ExpiredToken, "the provided token has expired"));
        }
        let sent = parameter(cx, "x-amz-security-token");
        if sent != known.pair.session_token {
            return Err(refused(S3ErrorCode::InvalidToken, "the provided token is malformed or otherwise invalid"));
        }
        Ok(known.rights)
    }

    fn check_path(&self, cx: &S3AccessContext<'_>, rights: KeyRights) -> S3Result<()> {
        let operation = cx.s3_op().name();
        let Some(bucket) = cx.s3_path().get_bucket_name() else { return Ok(()) };
        let bucket = self.buckets.join(bucket);
        if operation != "CreateBucket" && !bucket.is_dir() {
            return Err(refused(S3ErrorCode::NoSuchBucket, "the specified bucket does not exist"));
        }
        let Some(key) = cx.s3_path().get_object_key() else { return Ok(()) };
        if matches!(operation, "GetObject" | "HeadObject") && !bucket.join(key).is_file() {
            return Err(match rights {
                KeyRights::NoList => denied(),
                _ => refused(S3ErrorCode::NoSuchKey, "the specified key does not exist"),
            });
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl S3Auth for Access {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.keys().get(access_key) {
            Some(known) => Ok(SecretKey::from(known.pair.secret.as_str())),
            None => Err(refused(
                S3ErrorCode::InvalidAccessKeyId,
                "the access key id you provided does not exist in our records",
            )),
        }
    }
}

#[async_trait::async_trait]
impl S3Access for Access {
    /// Called when the signature is checked, before anything is read or written.
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let rights = self.check_key(cx)?;
        self.check_region(cx)?;
        let operation = cx.s3_op().name();
        let allowed = match rights {
            KeyRights::Full => true,
            KeyRights::ReadOnly => ["Get", "Head", "List"].iter().any(|prefix| operation.starts_with(prefix)),
            // Amazon asks for the right to list before it tells whether a bucket exists.
            KeyRights::NoList => !operation.starts_with("List") && operation != "HeadBucket",
        };
        if !allowed {
            return Err(denied());
        }
        self.check_path(cx, rights)
    }
}

fn refused(code: S3ErrorCode, message: impl Into<Cow<'static, str>>) -> S3Error {
    S3Error::with_message(code, message)
}

fn denied() -> S3Error {
    refused(S3ErrorCode::AccessDenied, "access denied")
}

/// The region in the scope of the signature: `<key>/<date>/<region>/s3/aws4_request`.
fn signed_region(cx: &S3AccessContext<'_>) -> Option<String> {
    let header = cx.headers().get("authorization").and_then(|value| value.to_str().ok());
    let scope = match header {
        Some(header) => header.split_once("Credential=")?.1.to_owned(),
        None => parameter(cx, "x-amz-credential")?,
    };
    scope.split('/').nth(2).map(str::to_owned)
}

/// A header, or the parameter of that name in a presigned URL.
fn parameter(cx: &S3AccessContext<'_>, name: &str) -> Option<String> {
    if let Some(value) = cx.headers().get(name) {
        return value.to_str().ok().map(str::to_owned);
    }
    let mut pairs = cx.uri().query()?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    Some(value.replace("%2F", "/").replace("%2B", "+").replace("%3D", "="))
}
