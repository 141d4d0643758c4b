//! A lake as it is declared: compared, applied and kept, on real catalogs and storages.

mod apply;
mod backup;
mod catalog_copy;
mod formats;
mod history;
pub(crate) mod home;
mod measure;
mod migrate;
mod round_trips;
mod upkeep;
