//! Every combination of catalog, storage and credentials, and every option of them, against real servers.
//!
//! What depends on a process's variables, or has to be seen by a second process, runs in a child: this very program,
//! see [`child`]. A child is given no variable that its case does not name, so nothing of the machine helps it.

mod case;
mod child;
mod combinations;
mod settings;
