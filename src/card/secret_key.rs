//! Secret keys that stay on the card, and what they are used for.

use super::{Authentication, KeyReference, Storage};

/// Algorithm and size of a secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// AES.
    Aes {
        /// 128, 192 or 256.
        bits: usize,
    },
    /// AES of a length that the card does not tell.
    AesUntold,
    /// Triple DES with three keys.
    Des3,
    /// Bytes without an algorithm of their own.
    Generic {
        /// Length in bytes.
        length: usize,
    },
}

impl SecretKind {
    /// Length of the value in bytes; 0 where the card does not tell it.
    pub fn len(self) -> usize {
        match self {
            Self::Aes { bits } => bits / 8,
            Self::AesUntold => 0,
            Self::Des3 => 24,
            Self::Generic { length } => length,
        }
    }

    /// Whether the value has no byte that the card tells of.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Length of a cipher block in bytes; `None` where there is no cipher.
    pub fn block_len(self) -> Option<usize> {
        match self {
            Self::Aes { .. } | Self::AesUntold => Some(16),
            Self::Des3 => Some(8),
            Self::Generic { .. } => None,
        }
    }
}

/// What a secret key is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecretUsage {
    /// Encryption of data.
    pub encrypt: bool,
    /// Decryption of data.
    pub decrypt: bool,
    /// Wrapping of keys.
    pub wrap: bool,
    /// Unwrapping of keys.
    pub unwrap: bool,
}

/// A secret key on the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretKey {
    /// Where it is.
    pub reference: KeyReference,
    /// In the card's lasting or volatile memory.
    pub storage: Storage,
    /// `CKA_ID`.
    pub id: Vec<u8>,
    /// `CKA_LABEL`.
    pub label: String,
    /// Algorithm and size.
    pub kind: SecretKind,
    /// What it is meant for.
    pub usage: SecretUsage,
    /// The card lets it out wrapped.
    pub extractable: bool,
    /// When it wants the PIN.
    pub authentication: Authentication,
    /// Generated on the card; `None` where the card does not say.
    pub local: Option<bool>,
}

/// Which way a cipher goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Plaintext in.
    Encipher,
    /// Ciphertext in.
    Decipher,
}

/// How blocks are chained. The state between two calls is the caller's: each call is complete in itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CipherMode<'a> {
    /// Each block for itself.
    Ecb,
    /// Cipher block chaining from this initialization vector, one block long.
    Cbc(&'a [u8]),
}
