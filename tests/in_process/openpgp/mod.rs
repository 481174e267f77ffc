//! The OpenPGP driver over the virtual card, whose application others wrote.

mod bench;
mod library;
mod operations;
mod passwords;
mod reading;
mod writing;
