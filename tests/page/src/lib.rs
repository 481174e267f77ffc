//! A web page that asks for a client certificate and says who came, and the databases that make browsers trust it and
//! load the module.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod database;
mod html;
mod server;
mod verifier;

pub use database::NssDatabase;
pub use server::{Page, Version, Visit};
pub use verifier::Trust;
