//! The doctor against real servers and files: each fault is made, and a snapshot shows what the person sees of it.

mod data;
mod files;
mod healthy;
mod objects;
mod postgres;
mod target;
