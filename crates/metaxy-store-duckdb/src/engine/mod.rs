//! The engine floor: the DuckDB instance, the connection, transactions with retry, and what messages mean.
//!
//! It knows neither lakes nor features. Every statement of the floors above goes through [`Connection`], so what holds
//! here (secrets scrubbed, values bound, errors with their statement) holds on every path.

pub(crate) mod cause;
mod commit;
mod connection;
mod engine_error;
mod error;
mod held_files;
pub(crate) mod inlining;
mod instance;
mod interrupt;
mod leftovers;
mod progress;
mod read_lock;
mod retry;
mod signed_extensions;
mod transaction;
mod typed_row;
mod write_log;
mod written_columns;

pub use self::cause::Cause;
pub use self::commit::Transaction;
pub use self::connection::{Connection, Rows};
pub use self::engine_error::EngineError;
pub use self::error::Error;
pub use self::interrupt::Interrupt;
pub use self::progress::{Progress, ProgressUnit};

pub(crate) use self::commit::Message;
pub(crate) use self::error::{Class, Kind, MOVED_ADVICE, Refusal};
pub(crate) use self::held_files::{file_of, link_to};
pub(crate) use self::instance::{
    current_database, keep_sqlite_tables_apart, leave_out_health_check, open_bare_instance, open_instance,
    share_sqlite_connection,
};
pub(crate) use self::progress::Reporter;
pub(crate) use self::read_lock::StoredQuery;
pub(crate) use self::retry::repeat;
pub(crate) use self::signed_extensions::has_right_signature;
pub(crate) use self::transaction::{
    alone, end_stream, in_transaction, now, read_again, read_together, repeated, transaction, transaction_with,
    with_retry,
};
pub(crate) use self::typed_row::FromRow;
