//! The OpenPGP driver over the virtual card, whose application others wrote.

mod bench;
mod curves;
mod library;
mod operations;
mod passwords;
mod pin_pad;
mod reading;
mod writing;
