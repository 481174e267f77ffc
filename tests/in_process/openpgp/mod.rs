//! The OpenPGP driver over the virtual card, whose application others wrote.

mod aes;
mod algorithms;
mod bench;
mod curves;
mod library;
mod life_cycle;
mod operations;
mod passwords;
mod pin_pad;
mod reading;
mod secret_key;
mod writing;
