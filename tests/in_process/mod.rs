//! Level 1: the Library over virtual cards in this process, without pcscd and without the C boundary.

pub mod keys;
pub mod link;
pub mod operations;
pub mod setting;

mod card_ciphers;
mod closing;
mod closing_faults;
mod closing_races;
mod closing_scale;
mod context_login;
mod ejection;
mod endless_cards;
mod faults;
mod host_objects;
mod lengths;
mod logical_channels;
mod login;
mod myeid;
mod openpgp;
mod panics;
mod parallel;
mod pin_guard;
mod pin_pad;
mod piv;
mod places;
mod private_keys;
mod removal;
mod restored_login;
mod session_objects;
mod sessions;
mod several_applications;
mod slot_events;
mod transcripts;
mod unknown_cards;
mod volatile_objects;
mod writing;
