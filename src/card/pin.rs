//! PINs as a card has them: whose they are, what they are for, how they stand.

use super::KeyReference;
use crate::secret::Pin;

/// Whose reference data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The normal user (`CKU_USER`).
    User,
    /// The security officer (`CKU_SO`).
    SecurityOfficer,
}

/// What a PIN that is typed on the reader is for.
#[derive(Clone, Copy)]
pub enum PinUse<'a> {
    /// It is verified.
    Verify(Role),
    /// The user's is verified once more at login, for another purpose that the card keeps apart; `NotSupported` where
    /// once is enough.
    VerifyFurther,
    /// The user's is verified for one use of this key, which wants it each time.
    VerifyFor(KeyReference),
    /// It is replaced by another, typed after it.
    Change(Role),
    /// The user's PIN is set and its counter with it, proved by unblocking reference data: these, or typed ones.
    Reset(Option<&'a Pin>),
}

/// Whether a wrong PIN has a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// It is compared with reference data that have a retry counter.
    Counted,
    /// It is a key that authenticates, and costs nothing but time; the card holds that state until it is dropped.
    Uncounted,
}

/// What one PIN accepts, and how it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinDescription {
    /// Shortest length in bytes.
    pub min_length: usize,
    /// Longest length in bytes.
    pub max_length: usize,
    /// Tries left, where the card tells without spending one.
    pub retries: Option<u8>,
    /// Tries after a success, where known.
    pub max_retries: Option<u8>,
}
