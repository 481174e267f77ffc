//! The MyEID driver over the virtual card that shares no code with it.

mod bench;
mod ciphers;
mod lasting;
mod library;
mod objects;
mod pins;
pub mod private_keys;
mod store;
