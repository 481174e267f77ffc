//! BER-TLV data objects (ISO 7816-4 5.2.2) with definite lengths, as cards send and take them.
//!
//! [`Reader`] is a bounded cursor: it never recurses, a child never reads past its parent, every error has its
//! position in the outermost input. [`write`](fn@write) and [`Builder`] encode with minimal (DER) lengths.

mod builder;
mod reader;
mod tag;

pub use builder::{Builder, header, write, write_zeroizing};
pub use reader::{MAX_ELEMENTS, Reader, Tlv};
pub use tag::Tag;

/// What is wrong with BER-TLV bytes, and where.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{kind} at byte {position}")]
pub struct TlvError {
    /// What is wrong.
    pub kind: TlvErrorKind,
    /// The offending byte, counted from the start of the outermost input.
    pub position: usize,
}

/// What can be wrong with BER-TLV bytes.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TlvErrorKind {
    /// The input ends inside a tag field.
    #[error("truncated tag")]
    TruncatedTag,
    /// A tag field of more than four bytes.
    #[error("tag longer than 4 bytes")]
    TagTooLong,
    /// The input ends inside a length field, or before it.
    #[error("truncated length")]
    TruncatedLength,
    /// The length byte `80`, which ISO 7816-4 does not allow.
    #[error("indefinite length")]
    IndefiniteLength,
    /// A length field of more than four bytes after its first.
    #[error("length field longer than 5 bytes")]
    LengthTooLong,
    /// The value ends outside the input or the parent.
    #[error("value of {length} bytes where {available} are left")]
    TruncatedValue {
        /// Bytes announced.
        length: usize,
        /// Bytes left.
        available: usize,
    },
    /// More elements than the reader's bound.
    #[error("too many elements")]
    TooManyElements,
    /// A mandatory element is not there.
    #[error("no data object {0}")]
    Missing(Tag),
    /// Another element stands where a certain one must.
    #[error("data object {found} where {expected} must be")]
    Unexpected {
        /// What must be there.
        expected: Tag,
        /// What is there.
        found: Tag,
    },
}

impl TlvErrorKind {
    /// This, found there.
    const fn at(self, position: usize) -> TlvError {
        TlvError { kind: self, position }
    }
}

#[cfg(test)]
mod tests;
