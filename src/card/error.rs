//! Why an operation of a card fails.

use cardea_apdu::StatusWord;
use thiserror::Error;

use crate::channel::ChannelError;
use crate::channel::pin_pad::EntryError;

/// Why a card operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CardError {
    /// The application was never initialized, or its initialization broke off: there are no reference data yet.
    #[error("the application is not initialized")]
    NotInitialized,
    /// The exchange itself failed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The card refused the command with a status word that has no more specific meaning here.
    #[error("instruction {instruction:02X} was answered {status}")]
    Status {
        /// INS of the command.
        instruction: u8,
        /// SW1 SW2.
        status: StatusWord,
    },
    /// The card's answer does not have the structure that the specification demands.
    #[error("malformed {what} from the card")]
    Malformed {
        /// Which data object or answer.
        what: &'static str,
    },
    /// The application has no such function.
    #[error("not supported by this card")]
    NotSupported,
    /// The reference data were refused (63Cx).
    #[error("PIN refused, {} tries left", .retries.map_or_else(|| "unknown".to_owned(), |n| n.to_string()))]
    PinIncorrect {
        /// Tries left, where the card says.
        retries: Option<u8>,
    },
    /// A key that authenticates by its value, and that has no tries to lose, was refused.
    #[error("key refused")]
    KeyRefused,
    /// The reference data are blocked (6983).
    #[error("PIN blocked")]
    PinBlocked,
    /// The reader's PIN pad has not asked the card.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The length of the PIN is outside what the card takes; nothing was sent.
    #[error("PIN length out of range")]
    PinLength,
    /// The PIN has characters that the card cannot take; nothing was sent.
    #[error("PIN has characters that the card does not take")]
    PinInvalid,
    /// The command needs a verified PIN (6982).
    #[error("security status not satisfied")]
    SecurityStatus,
    /// The card's memory is full (6A84).
    #[error("not enough memory on the card")]
    Memory,
    /// The place that was asked for holds another object; nothing was changed.
    #[error("occupied on the card")]
    Occupied,
    /// The object or key does not exist on the card.
    #[error("not found on the card")]
    NotFound,
    /// The input has a length or value that the operation cannot take; nothing was sent.
    #[error("input not acceptable for this key")]
    Input,
}
