//! The object storage: signatures, regions, rights, TLS, listings and each fault, as a client sees them.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use metaxy_testkit::{CertificateAuthority, Fault, KeyPair, KeyRights, MARKER, S3Options, S3Server, TempDir};
use rusty_s3::actions::{DeleteObject, GetObject, HeadObject, ListObjectsV2, PutObject};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

const BUCKET: &str = "lake";

/// A client that signs as it is told.
struct Client {
    agent: Agent,
    bucket: Bucket,
    key: KeyPair,
}

/// A status and a body, or how the connection failed.
type Answer = Result<(u16, String), ErrorKind>;

impl Client {
    fn new(server: &S3Server, key: KeyPair) -> Self {
        let url = format!("http://{}", server.endpoint());
        Self::with(&url, BUCKET, server.region(), key, TlsConfig::default())
    }

    fn with(url: &str, bucket: &str, region: &str, key: KeyPair, tls: TlsConfig) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .tls_config(tls)
            .build();
        let bucket = Bucket::new(url.parse().unwrap(), UrlStyle::Path, bucket.to_owned(), region.to_owned()).unwrap();
        Self { agent: agent.into(), bucket, key }
    }

    fn credentials(&self) -> Credentials {
        match &self.key.session_token {
            None => Credentials::new(&self.key.id, &self.key.secret),
            Some(token) => Credentials::new_with_token(&self.key.id, &self.key.secret, token),
        }
    }

    fn put(&self, key: &str, content: &[u8]) -> Answer {
        let credentials = self.credentials();
        let url = PutObject::new(&self.bucket, Some(&credentials), key).sign(Duration::from_mins(1));
        answer(self.agent.put(url.as_str()).send(content))
    }

    fn get(&self, key: &str) -> Answer {
        let credentials = self.credentials();
        let url = GetObject::new(&self.bucket, Some(&credentials), key).sign(Duration::from_mins(1));
        answer(self.agent.get(url.as_str()).call())
    }

    fn head(&self, key: &str) -> Answer {
        let credentials = self.credentials();
        let url = HeadObject::new(&self.bucket, Some(&credentials), key).sign(Duration::from_mins(1));
        answer(self.agent.head(url.as_str()).call())
    }

    fn delete(&self, key: &str) -> Answer {
        let credentials = self.credentials();
        let url = DeleteObject::new(&self.bucket, Some(&credentials), key).sign(Duration::from_mins(1));
        answer(self.agent.delete(url.as_str()).call())
    }

    fn list(&self) -> Answer {
        let credentials = self.credentials();
        let mut action = ListObjectsV2::new(&self.bucket, Some(&credentials));
        action.query_mut().insert("encoding-type", "url");
        answer(self.agent.get(action.sign(Duration::from_mins(1)).as_str()).call())
    }
}

fn answer(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    match result {
        Ok(mut response) => Ok((response.status().as_u16(), response.body_mut().read_to_string().unwrap())),
        Err(ureq::Error::Io(error)) => Err(error.kind()),
        Err(error) => panic!("neither an answer nor a broken connection: {error:?}"),
    }
}

/// Panics unless the server refuses with this status and code.
#[track_caller]
fn assert_refused(answer: Answer, status: u16, code: &str) {
    let (found, body) = answer.unwrap();
    assert!(found == status && body.contains(&format!("<Code>{code}</Code>")), "{found}: {body}");
}

#[track_caller]
fn assert_ok(answer: Answer) -> String {
    let (status, body) = answer.unwrap();
    assert!((200..300).contains(&status), "{status}: {body}");
    body
}

fn server() -> S3Server {
    let server = S3Server::start(S3Options::default());
    server.bucket(BUCKET);
    server
}

#[test]
fn objects_are_written_listed_read_and_deleted() {
    let server = server();
    let client = Client::new(&server, server.key(KeyRights::Full));
    assert!(client.key.secret.contains(MARKER));
    let key = "data/main/t/year=2024/a b.parquet";
    assert_ok(client.put(key, b"PAR1"));
    assert_eq!(server.objects(BUCKET), [key]);
    assert_eq!(server.object(BUCKET, key), b"PAR1");
    assert_eq!(assert_ok(client.get(key)), "PAR1");
    let listed = assert_ok(client.list());
    assert!(listed.contains("<Key>data/main/t/year%3D2024/a%20b.parquet</Key>"), "{listed}");
    assert_ok(client.delete(key));
    assert!(server.objects(BUCKET).is_empty());
    assert_refused(client.get(key), 404, "NoSuchKey");
    let requests = server.requests();
    assert_eq!(requests.len(), 5);
    assert!(requests[0].starts_with("200 PUT /lake/data/main/t/year%3D2024/a%20b.parquet"), "{requests:?}");
}

#[test]
fn a_folder_is_no_object() {
    let server = server();
    let client = Client::new(&server, server.key(KeyRights::Full));
    assert_ok(client.put("data/a", b"x"));
    assert_refused(client.get("data"), 404, "NoSuchKey");
    assert_eq!(client.head("data").unwrap().0, 404);
    assert_eq!(client.head("data/a").unwrap().0, 200);
}

#[test]
fn a_wrong_key_or_secret_is_refused() {
    let server = server();
    let key = server.key(KeyRights::Full);
    let wrong = KeyPair { secret: MARKER.to_owned(), ..key.clone() };
    assert_refused(Client::new(&server, wrong).put("a", b"x"), 403, "SignatureDoesNotMatch");
    let unknown = KeyPair { id: "KEY0".to_owned(), ..key };
    assert_refused(Client::new(&server, unknown).get("a"), 403, "InvalidAccessKeyId");
    let url = format!("http://{}/{BUCKET}/a", server.endpoint());
    let client = Client::new(&server, server.key(KeyRights::Full));
    assert_refused(answer(client.agent.get(&url).call()), 403, "AccessDenied");
    assert!(server.objects(BUCKET).is_empty());
}

#[test]
fn a_wrong_or_missing_region_is_refused() {
    let server = server();
    let url = format!("http://{}", server.endpoint());
    for region in ["us-east-1", "auto"] {
        let client = Client::with(&url, BUCKET, region, server.key(KeyRights::Full), TlsConfig::default());
        assert_refused(client.put("a", b"x"), 400, "AuthorizationHeaderMalformed");
    }
    assert!(server.objects(BUCKET).is_empty());

    let other = S3Server::start(S3Options { region: "auto".to_owned(), ..S3Options::default() });
    other.bucket(BUCKET);
    assert_ok(Client::new(&other, other.key(KeyRights::Full)).put("a", b"x"));
}

#[test]
fn a_missing_bucket_is_refused_for_writes_too() {
    let server = server();
    let url = format!("http://{}", server.endpoint());
    let client = Client::with(&url, "other", server.region(), server.key(KeyRights::Full), TlsConfig::default());
    assert_refused(client.put("a", b"x"), 404, "NoSuchBucket");
    assert_refused(client.get("a"), 404, "NoSuchBucket");
    assert_refused(client.list(), 404, "NoSuchBucket");
}

#[test]
fn a_key_may_do_what_its_rights_say() {
    let server = server();
    let full = Client::new(&server, server.key(KeyRights::Full));
    assert_ok(full.put("a", b"x"));

    let reader = Client::new(&server, server.key(KeyRights::ReadOnly));
    assert_eq!(assert_ok(reader.get("a")), "x");
    assert_ok(reader.list());
    assert_refused(reader.put("b", &vec![7; 3_000_000]), 403, "AccessDenied");
    assert_refused(reader.delete("a"), 403, "AccessDenied");
    assert_refused(reader.get("b"), 404, "NoSuchKey");

    let blind = Client::new(&server, server.key(KeyRights::NoList));
    assert_refused(blind.list(), 403, "AccessDenied");
    assert_refused(blind.get("b"), 403, "AccessDenied");
    assert_ok(blind.put("b", b"y"));
    assert_eq!(assert_ok(blind.get("b")), "y");
    assert_eq!(server.objects(BUCKET), ["a", "b"]);
}

#[test]
fn a_session_needs_its_token_until_it_expires() {
    let server = server();
    let key = server.session_key(KeyRights::Full);
    let client = Client::new(&server, key.clone());
    assert_ok(client.put("a", b"x"));
    let without = KeyPair { session_token: None, ..key.clone() };
    assert_refused(Client::new(&server, without).get("a"), 400, "InvalidToken");
    let wrong = KeyPair { session_token: Some(MARKER.to_owned()), ..key.clone() };
    assert_refused(Client::new(&server, wrong).get("a"), 400, "InvalidToken");
    server.expire(&key);
    assert_refused(client.get("a"), 400, "ExpiredToken");
}

#[test]
fn tls_holds_with_its_own_authority_and_no_other() {
    let server = S3Server::start(S3Options { tls: true, ..S3Options::default() });
    server.bucket(BUCKET);
    let folder = TempDir::new();
    let other = folder.path().join("other.pem");
    CertificateAuthority::new().write(&other);

    let trusting = |file| {
        let certificate = Certificate::from_pem(&std::fs::read(file).unwrap()).unwrap();
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[certificate])).build();
        let url = format!("https://{}", server.endpoint());
        Client::with(&url, BUCKET, server.region(), server.key(KeyRights::Full), tls)
    };
    let client = trusting(server.ca_file());
    assert_ok(client.put("a", &vec![7; 3_000_000]));
    assert_eq!(assert_ok(client.get("a")).len(), 3_000_000);

    let wrong = trusting(other);
    let url = format!("https://{}/{BUCKET}/a", server.endpoint());
    let Err(error) = wrong.agent.get(&url).call() else { panic!("another authority is trusted") };
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    let plain = format!("http://{}/{BUCKET}/a", server.endpoint());
    assert!(client.agent.get(&plain).call().is_err());
}

#[test]
fn refused_connections_come_back() {
    let server = server();
    let client = Client::new(&server, server.key(KeyRights::Full));
    assert_ok(client.put("a", b"x"));
    for _ in 0..3 {
        server.inject(Fault::RefuseConnections);
        // The second time, for the first may find the old connection closed.
        let _ = client.get("a");
        assert_eq!(client.get("a"), Err(ErrorKind::ConnectionRefused));
        server.heal();
        assert_eq!(assert_ok(client.get("a")), "x");
    }
}

#[test]
fn an_unavailable_server_says_so_as_often_as_asked() {
    let server = server();
    let client = Client::new(&server, server.key(KeyRights::Full));
    server.inject_times(Fault::Unavailable, 2);
    for _ in 0..2 {
        assert_refused(client.put("a", &vec![7; 3_000_000]), 503, "ServiceUnavailable");
    }
    assert_ok(client.put("a", b"x"));
    server.inject(Fault::Unavailable);
    for _ in 0..3 {
        assert_refused(client.get("a"), 503, "ServiceUnavailable");
    }
    server.heal();
    assert_ok(client.get("a"));
}

#[test]
fn a_dropped_upload_stores_nothing() {
    let server = server();
    let client = Client::new(&server, server.key(KeyRights::Full));
    server.inject_times(Fault::DropUploads, 1);
    assert_refused(client.get("a"), 404, "NoSuchKey");
    let broken = client.put("a", &vec![7; 5_000_000]);
    assert!(broken.is_err(), "{broken:?}");
    assert!(server.objects(BUCKET).is_empty());
    assert!(server.requests()[1].starts_with("--- PUT /lake/a"), "{:?}", server.requests());
    assert_ok(client.put("a", &vec![7; 5_000_000]));
    assert_eq!(server.object(BUCKET, "a").len(), 5_000_000);
}

#[test]
fn a_slow_server_answers_late() {
    let server = server();
    let client = Client::new(&server, server.key(KeyRights::Full));
    server.inject(Fault::Slow(Duration::from_millis(300)));
    let start = Instant::now();
    assert_ok(client.put("a", b"x"));
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn an_expired_token_is_said_to_everybody() {
    let server = server();
    let client = Client::new(&server, server.key(KeyRights::Full));
    server.inject(Fault::ExpiredToken);
    assert_refused(client.get("a"), 400, "ExpiredToken");
}

#[test]
fn a_clock_that_is_ahead_shows_and_may_refuse() {
    let server = server();
    let client = Client::new(&server, server.key(KeyRights::Full));
    let url = format!("http://{}/", server.endpoint());
    let date = || client.agent.get(&url).call().unwrap().headers()["date"].to_str().unwrap().to_owned();
    let now = date();
    server.inject(Fault::ClockAhead(Duration::from_mins(10)));
    assert_ne!(date()[..22], now[..22]);
    assert_ok(client.put("a", b"x"));
    server.inject(Fault::ClockAhead(Duration::from_mins(20)));
    assert_refused(client.get("a"), 403, "RequestTimeTooSkewed");
}

#[test]
fn a_stopped_server_is_gone() {
    let server = server();
    let client = Client::new(&server, server.key(KeyRights::Full));
    assert_ok(client.put("a", b"x"));
    let folder = server.ca_file().parent().unwrap().to_path_buf();
    drop(server);
    let _ = client.get("a");
    assert_eq!(client.get("a"), Err(ErrorKind::ConnectionRefused));
    assert!(!folder.exists());
}
