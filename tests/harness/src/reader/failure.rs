//! Why a reader could not do what it was asked.

use std::fmt;

use cardea_virtual_reader::protocol::{
    IFD_COMMUNICATION_ERROR, IFD_ERROR_INSUFFICIENT_BUFFER, IFD_ERROR_POWER_ACTION, IFD_ERROR_TAG, IFD_ICC_NOT_PRESENT,
    IFD_NO_SUCH_DEVICE, IFD_NOT_SUPPORTED, IFD_PROTOCOL_NOT_SUPPORTED, IFD_RESPONSE_TIMEOUT,
};

/// A failure as the IFD handler interface knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No card in the reader.
    NoCard,
    /// The card has no power, because nobody powered it since its insertion.
    Unpowered,
    /// The card did not answer in time.
    Mute,
    /// The exchange failed, or the reader cannot carry it.
    Communication,
    /// The reader is unplugged.
    NoReader,
    /// The reader has no such function.
    Unsupported,
    /// The card does not speak that protocol.
    Protocol,
    /// The reader has no such attribute.
    UnknownTag,
    /// The answer does not fit the caller's buffer.
    BufferTooSmall,
}

impl Failure {
    /// The code of `ifdhandler.h`. What pcscd 1.9.9 makes of it for a command: `NoCard` becomes
    /// `SCARD_E_NO_SMARTCARD`, `NoReader` `SCARD_E_READER_UNAVAILABLE`, everything else `SCARD_E_NOT_TRANSACTED`.
    #[must_use]
    pub fn ifd_code(self) -> u32 {
        match self {
            Self::NoCard => IFD_ICC_NOT_PRESENT,
            Self::Unpowered => IFD_ERROR_POWER_ACTION,
            Self::Mute => IFD_RESPONSE_TIMEOUT,
            Self::Communication => IFD_COMMUNICATION_ERROR,
            Self::NoReader => IFD_NO_SUCH_DEVICE,
            Self::Unsupported => IFD_NOT_SUPPORTED,
            Self::Protocol => IFD_PROTOCOL_NOT_SUPPORTED,
            Self::UnknownTag => IFD_ERROR_TAG,
            Self::BufferTooSmall => IFD_ERROR_INSUFFICIENT_BUFFER,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoCard => "no card",
            Self::Unpowered => "card without power",
            Self::Mute => "no answer",
            Self::Communication => "communication error",
            Self::NoReader => "no reader",
            Self::Unsupported => "not supported",
            Self::Protocol => "protocol not supported",
            Self::UnknownTag => "unknown tag",
            Self::BufferTooSmall => "buffer too small",
        })
    }
}

impl std::error::Error for Failure {}
