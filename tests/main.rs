//! The tests of levels 0 (the house itself), 1 (virtual cards in process) and 2 (the built module under a real pcscd).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs
)]

mod allocations;
mod documents;
mod layers;

#[macro_use]
mod boundary;
mod browsers;
mod budgets;
mod clients;
mod command;
mod defects;
mod in_process;
mod module;
mod packaging;
mod profiles;
