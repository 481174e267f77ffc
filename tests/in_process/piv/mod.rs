//! The PIV driver's write side over a virtual card.

mod bench;
mod certificates;
mod data;
mod keys;
mod login;
mod officer;
