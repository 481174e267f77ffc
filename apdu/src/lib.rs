//! The bytes of ISO 7816-4 and the ATR of ISO 7816-3, without any I/O.
//!
//! Commands and responses ([`Command`], [`Response`], [`StatusWord`], class bytes in [`cla`]), data objects
//! ([`tlv`], [`simple`]), and what a card says about itself ([`Atr`], [`historical`], [`extended_length`]).
//! Everything a card sends is parsed with bounds, without recursion and without panics.
#![forbid(unsafe_code)]

pub mod atr;
pub mod cla;
pub mod command;
pub mod extended_length;
pub mod historical;
pub mod response;
pub mod simple;
pub mod status;
pub mod tlv;

pub use atr::{Atr, AtrError};
pub use command::{Command, CommandError};
pub use historical::Capabilities;
pub use response::{Response, ResponseError};
pub use status::StatusWord;
pub use tlv::{Tag, Tlv, TlvError};
