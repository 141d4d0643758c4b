//! The kit's servers, seen from outside: they are what they claim to be, and refuse what they should.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod postgres;
mod s3;
mod tls;
