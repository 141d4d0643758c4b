//! Servers, temporary folders and leak checks for this workspace's tests. No mocks: what a test passes here, it passes
//! against the real thing.
//!
//! - [`Postgres`]: a throwaway PostgreSQL cluster with passwords and TLS, and a database and roles for each test.
//! - [`TempDir`]: a folder that goes away, with a path that is already canonical.
//! - [`S3Server`]: object storage that checks signatures, with key pairs of different rights, TLS and faults to inject.
//! - [`Proxy`]: counts the round trips to a server, and makes it seem far away.
//! - [`MARKER`] and [`assert_no_leak`]: every secret made here carries a marker, and no output may show it.
//! - [`SNAPSHOT_FILTERS`]: what differs from run to run, for snapshots.
//! - [`deps()`]: what `cargo xtask setup` brought. What is missing is a failure, never a skipped test.
//!
//! It is a dev-dependency only: everything here panics, with a message that says what to do, where a test cannot go on.
#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a test that cannot go on must fail, and say why")]

mod deps;
mod leak;
#[cfg(all(feature = "postgres", unix))]
mod postgres;
mod proxy;
#[cfg(any(feature = "postgres", feature = "s3"))]
mod random;
#[cfg(feature = "s3")]
mod s3;
mod snapshot;
mod temp;
#[cfg(any(feature = "postgres", feature = "s3"))]
mod tls;

pub use deps::{Deps, deps};
pub use leak::{MARKER, assert_no_leak};
#[cfg(all(feature = "postgres", unix))]
pub use postgres::{Database, Login, Postgres, RoleRights, closed_port};
pub use proxy::{Cut, Proxy, Traffic};
#[cfg(feature = "s3")]
pub use s3::{Fault, KeyPair, KeyRights, S3Options, S3Server};
pub use snapshot::SNAPSHOT_FILTERS;
pub use temp::{FileKind, TempDir, file_kind};
#[cfg(any(feature = "postgres", feature = "s3"))]
pub use tls::CertificateAuthority;
