//! The bench: virtual cards, a private pcscd, provisioning.
//!
//! Nothing here depends on the module under test: what a card answers, and what a test compares with, is computed by other code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod bench;
pub mod card;
mod firmware;
pub mod myeid;
pub mod openpgp;
pub mod piv;
pub mod provision;
pub mod reader;
pub mod several;
mod tlv;
