//! Object storage in this process: the S3 protocol with checked signatures, over files that a test can look at.
//!
//! The protocol is `s3s`, the files are `s3s-fs`. What those leave open, or do otherwise than Amazon, Cloudflare and
//! Google, is done here as the real services do it, because lakes depend on it:
//!
//! - listed keys are percent-encoded when the client asks for it: else a client that decodes them misses the files of
//!   `year=2024/` folders;
//! - a listing tells the `ETag` of each object: without, `DuckDB` asks for the head of each that it found by a pattern;
//! - a missing bucket is `NoSuchBucket`, for a write too;
//! - a folder is no object;
//! - a signature made for another region, or for none, is refused;
//! - each key pair has its own rights, and a session token belongs to its key;
//! - `TCP_NODELAY` is set, without which reading many small files takes six times as long;
//! - a request is read to its end before it is refused, so that a client sees the refusal and no broken connection.
//!
//! A limit of `s3s-fs`: it keeps notes on each object in a file whose name is the bucket and the key in Base64, so both
//! together may have some 160 bytes, and some 120 when the object is uploaded in parts. A longer key gets 500.

mod access;
mod serve;
mod store;

use std::fmt;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

pub use access::{KeyPair, KeyRights};

use crate::temp::{TempDir, files_below};
use crate::tls::CertificateAuthority;
use access::Access;
use serve::{Command, Faults, Server};

/// How an [`S3Server`] is to be.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// Whether it speaks TLS, with an authority of its own.
    pub tls: bool,
    /// The one region that signatures may name. Not the default of any client, so that a forgotten region shows.
    pub region: String,
}

impl Default for S3Options {
    fn default() -> Self {
        Self { tls: false, region: "eu-test-1".to_owned() }
    }
}

/// What goes wrong, from [`S3Server::inject`] on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nobody listens, and open connections are closed.
    RefuseConnections,
    /// Every request is answered with 503 `ServiceUnavailable`.
    Unavailable,
    /// The connection breaks in the middle of every request that uploads something.
    DropUploads,
    /// Every answer comes after this time.
    Slow(Duration),
    /// Every request is answered with 400 `ExpiredToken`; see also [`S3Server::expire`].
    ExpiredToken,
    /// The server's clock is ahead by this much. More than 15 minutes: 403 `RequestTimeTooSkewed`.
    ClockAhead(Duration),
}

/// A running server, on a thread of its own. It stops, and its objects go away, when the value is dropped.
pub struct S3Server {
    folder: TempDir,
    address: SocketAddr,
    region: String,
    access: Access,
    faults: Arc<Faults>,
    commands: Option<UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl S3Server {
    /// Starts a server on a free port of 127.0.0.1. It has no bucket and no key yet.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start(options: S3Options) -> Self {
        let folder = TempDir::new();
        let buckets = folder.path().join("buckets");
        fs::create_dir(&buckets).unwrap_or_else(|error| panic!("cannot make `{}`: {error}", buckets.display()));
        let authority = CertificateAuthority::new();
        authority.write(folder.path().join("ca.pem"));
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .unwrap_or_else(|error| panic!("no free port on 127.0.0.1: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("a listener has no address: {error}"));

        let access = Access::new(&buckets, &options.region);
        let faults = Arc::new(Faults::default());
        let (sender, receiver) = unbounded_channel();
        let server = Server::new(&buckets, &access, &faults, options.tls.then(|| authority.issue()));
        let thread = thread::Builder::new()
            .name("s3".to_owned())
            .spawn(move || server.run(listener, receiver))
            .unwrap_or_else(|error| panic!("cannot start a thread: {error}"));
        let (commands, thread) = (Some(sender), Some(thread));
        Self { folder, address, region: options.region, access, faults, commands, thread }
    }

    /// `127.0.0.1:port`, without a scheme: what DuckDB's ENDPOINT wants.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// The region that signatures must name.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The certificate to trust when the server speaks TLS. The file lives as long as the server.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Makes a bucket.
    ///
    /// # Panics
    ///
    /// When it exists, or cannot be made.
    pub fn bucket(&self, name: &str) {
        let path = self.path(name);
        fs::create_dir(&path).unwrap_or_else(|error| panic!("cannot make the bucket `{name}`: {error}"));
    }

    /// Makes a key pair.
    pub fn key(&self, rights: KeyRights) -> KeyPair {
        self.access.add(rights, false)
    }

    /// Makes a key pair that is valid only with its session token.
    pub fn session_key(&self, rights: KeyRights) -> KeyPair {
        self.access.add(rights, true)
    }

    /// Lets a key pair expire: it gets 400 `ExpiredToken` from now on.
    pub fn expire(&self, key: &KeyPair) {
        self.access.expire(key);
    }

    /// The keys of all objects in a bucket, sorted.
    ///
    /// # Panics
    ///
    /// When there is no such bucket.
    #[must_use]
    pub fn objects(&self, bucket: &str) -> Vec<String> {
        let mut keys = files_below(&self.path(bucket));
        keys.retain(|key| !key.ends_with('/'));
        keys
    }

    /// The content of an object, past all rights.
    ///
    /// # Panics
    ///
    /// When there is no such object.
    #[must_use]
    pub fn object(&self, bucket: &str, key: &str) -> Vec<u8> {
        let path = self.path(bucket).join(key);
        fs::read(&path).unwrap_or_else(|error| panic!("no object `{key}` in the bucket `{bucket}`: {error}"))
    }

    /// The file that holds an object, to be harmed.
    #[must_use]
    pub fn object_path(&self, bucket: &str, key: &str) -> PathBuf {
        self.path(bucket).join(key)
    }

    /// What was asked since the start, in the order of the answers: `200 GET /bucket/key?query`, and `--- PUT /…` for a
    /// request that was dropped.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.faults.requests()
    }

    /// The different values that came in one of Amazon's own headers, `x-amz-…`, in order.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<String> {
        self.faults.header(name)
    }

    /// Makes every request go wrong, until [`heal`](Self::heal).
    ///
    /// # Panics
    ///
    /// When the server has died.
    pub fn inject(&self, fault: Fault) {
        match fault {
            Fault::RefuseConnections => self.command(Command::Refuse),
            fault => self.faults.set(fault, None),
        }
    }

    /// Makes the next requests go wrong that the fault concerns, and then none.
    ///
    /// # Panics
    ///
    /// With [`Fault::RefuseConnections`], which cannot be counted.
    pub fn inject_times(&self, fault: Fault, times: u32) {
        assert_ne!(fault, Fault::RefuseConnections, "a connection that nobody accepts cannot be counted");
        self.faults.set(fault, Some(times));
    }

    /// Ends every fault.
    ///
    /// # Panics
    ///
    /// When somebody else took the port in the meantime.
    pub fn heal(&self) {
        self.faults.clear();
        self.command(Command::Listen);
    }

    fn path(&self, bucket: &str) -> PathBuf {
        let name = Path::new(bucket);
        assert!(name.components().count() == 1 && !bucket.starts_with('.'), "`{bucket}` is no bucket's name");
        self.folder.path().join("buckets").join(name)
    }

    /// Tells the server's thread, and waits until it has done so.
    fn command(&self, command: impl FnOnce(mpsc::Sender<()>) -> Command) {
        let (done, waiting) = mpsc::channel();
        let sent = self.commands.as_ref().is_some_and(|commands| commands.send(command(done)).is_ok());
        assert!(sent && waiting.recv().is_ok(), "the S3 server at {} has died; see stderr", self.address);
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // The thread ends when nobody can command it any more.
        drop(self.commands.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for S3Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Server").field("address", &self.address).field("region", &self.region).finish_non_exhaustive()
    }
}
