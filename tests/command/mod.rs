//! The command `cardea`: the built binary before a private pcscd.

mod certificates;
pub mod desk;
mod doctor;
mod events;
mod exclusive;
mod key_files;
mod keys;
mod listing;
mod pins;
mod registration;
mod revival;
mod signatures;
mod transcripts;
mod usage;
