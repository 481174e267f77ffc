//! The bytes of ISO 7816-4 and the ATR of ISO 7816-3, without any I/O.
//!
//! Commands and responses ([`Command`], [`Response`], [`StatusWord`]), class bytes ([`cla`]).
//! Everything a card sends is parsed with bounds, without recursion and without panics.
#![forbid(unsafe_code)]

pub mod cla;
pub mod command;
pub mod response;
pub mod status;

pub use command::{Command, CommandError};
pub use response::{Response, ResponseError};
pub use status::StatusWord;
