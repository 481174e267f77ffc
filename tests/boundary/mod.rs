//! Level 2: the C boundary of the built module, called through raw pointers.
//!
//! Each case runs in a process of its own with its own pcscd ([`process`]), because libpcsclite reads
//! `PCSCLITE_CSOCK_NAME` once, and because a case that fails here may fail by a signal.
#![allow(unsafe_code, clippy::multiple_unsafe_ops_per_block)]
// The bans of clippy.toml are for a guest in somebody else's program; these are programs of our own.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

#[macro_use]
pub mod cryptoki;
#[macro_use]
pub mod process;
mod canary;
mod desk;
mod signature;
mod two_call;

mod attributes;
mod closing;
mod ejection;
mod exports;
mod fork;
mod handles;
mod initialize;
mod interfaces;
mod lists;
mod logical_channels;
mod mechanisms;
mod order;
mod outputs;
mod readers;
mod recovery;
mod reload;
mod session_rules;
mod slot_events;
mod structures;
mod templates;
mod threads;
