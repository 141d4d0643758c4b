//! A PostgreSQL database and an S3 bucket, by the variables that the file of `metaxy init` has for them.

use metaxy_testkit::{Database, KeyRights, Postgres, S3Options, S3Server};

/// A database and a bucket, and the variables that lead there.
pub(crate) struct Servers {
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) database: Database<'static>,
    /// Runs as long as it lives.
    _storage: S3Server,
}

impl Servers {
    pub(crate) fn start() -> Self {
        let storage = S3Server::start(S3Options::default());
        storage.bucket("videos");
        let key = storage.key(KeyRights::Full);
        let database = Postgres::shared().database();
        let variables = [
            ("DUCKLAKE_PG_HOST", database.host().to_owned()),
            ("DUCKLAKE_PG_PORT", database.port().to_string()),
            ("DUCKLAKE_PG_DATABASE", database.name().to_owned()),
            ("DUCKLAKE_PG_USER", database.owner().user.clone()),
            ("DUCKLAKE_PG_PASSWORD", database.owner().password.clone()),
            ("DUCKLAKE_S3_ENDPOINT", ["http://", &storage.endpoint()].concat()),
            ("DUCKLAKE_S3_BUCKET", "videos".to_owned()),
            ("DUCKLAKE_S3_REGION", storage.region().to_owned()),
            ("DUCKLAKE_S3_KEY_ID", key.id.clone()),
            ("DUCKLAKE_S3_SECRET", key.secret.clone()),
        ];
        Self { variables: variables.into(), database, _storage: storage }
    }
}
