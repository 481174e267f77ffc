//! The PIV driver's write side over a virtual card.

mod bench;
mod certificates;
mod data;
mod initialization;
mod keys;
mod login;
mod management_keys;
mod moving;
mod officer;
mod policies;
mod tries;

pub use bench::{KEY, YUBIKEY, rsa};
