//! Level 1: the Library over virtual cards in this process, without pcscd and without the C boundary.

pub mod keys;
pub mod link;
pub mod setting;

mod closing;
mod host_objects;
mod login;
mod myeid;
mod pin_guard;
mod session_objects;
mod sessions;
