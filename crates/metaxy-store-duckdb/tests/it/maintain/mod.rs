//! A lake as it is declared: compared, applied and kept, on real catalogs and storages.

mod apply;
mod backup;
mod history;
pub(crate) mod home;
mod measure;
mod migrate;
mod upkeep;
