//! The registry, sessions, slots and tokens under a scheduler that chooses the order of threads: the code that is shipped,
//! with a card of a few commands below it, through thousands of orders that differ at each lock, atomic and command.
//!
//! `tests/all` runs it as `cargo test --features schedules --test schedules`. The orders come from a seed, so that a
//! failure is the same the next time; `SCHEDULES` in the environment sets their number, `SHUTTLE_RANDOM_SEED` another seed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs
)]

mod chip;
mod closing;
mod driver;
mod ending;
mod login;
mod removal;
mod setting;
mod volatile;
