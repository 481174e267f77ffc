//! The security environment that a command with a key works in (ISO 7816-4 11.6.11).
//!
//! Each use of a key sets its own, whole: what another program or session left on the card is never relied on.

use cardea_apdu::Tag;
use cardea_apdu::tlv::Builder;

use super::file::select_directory;
use crate::card::command::security::manage_security_environment;
use crate::card::{CardError, KeyReference};
use crate::channel::Channel;

const ALGORITHM: Tag = Tag::new(0x80);
const FILE: Tag = Tag::new(0x81);
/// Key reference of a secret key, always 0; with two bytes the file that is unwrapped into.
const SECRET_REFERENCE: Tag = Tag::new(0x83);
/// Key reference of a private key, always 0.
const PRIVATE_REFERENCE: Tag = Tag::new(0x84);
const INITIAL_VECTOR: Tag = Tag::new(0x87);

/// What the key is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Signatures.
    Sign,
    /// Deciphering and unwrapping.
    Decipher,
    /// Key agreement.
    Agree,
    /// Enciphering.
    Encipher,
}

impl Operation {
    /// P1 and the tag of the control reference template.
    fn parameters(self) -> (u8, u8) {
        match self {
            Self::Sign => (0x41, 0xB6),
            Self::Decipher => (0x41, 0xB8),
            Self::Agree => (0x41, 0xA4),
            Self::Encipher => (0x81, 0xB8),
        }
    }
}

/// The card's algorithm references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSA or a block cipher without padding.
    Plain = 0x00,
    /// RSA with the paddings of PKCS#1 v1.5.
    Pkcs1 = 0x02,
    /// ECDSA and ECDH.
    Curve = 0x04,
    /// Wrapping and unwrapping, with a block cipher without padding.
    Wrap = 0x0A,
    /// Wrapping and unwrapping with a block cipher, PKCS#7 padding added or removed.
    WrapPadded = 0x8A,
}

/// Sets the environment for a private key.
pub(super) fn set_private(
    channel: &mut Channel<'_>,
    operation: Operation,
    algorithm: Algorithm,
    key: KeyReference,
) -> Result<(), CardError> {
    set(channel, operation, algorithm, key, |template| template.push(PRIVATE_REFERENCE, &[0x00]))
}

/// Sets the environment for a block cipher with its initial vector.
pub(super) fn set_cipher(
    channel: &mut Channel<'_>,
    operation: Operation,
    key: KeyReference,
    vector: &[u8],
) -> Result<(), CardError> {
    set(channel, operation, Algorithm::Plain, key, |template| {
        template.push(SECRET_REFERENCE, &[0x00]).push(INITIAL_VECTOR, vector)
    })
}

/// Sets the environment for unwrapping into the file `target`, with a block cipher's initial vector.
pub(super) fn set_unwrapping(
    channel: &mut Channel<'_>,
    algorithm: Algorithm,
    key: KeyReference,
    KeyReference(target): KeyReference,
    vector: Option<&[u8]>,
) -> Result<(), CardError> {
    let target = target.to_be_bytes();
    set(channel, Operation::Decipher, algorithm, key, |template| {
        template.push(SECRET_REFERENCE, &target).push_if_some(INITIAL_VECTOR, vector)
    })
}

/// Sets the environment for wrapping the key in the file `target`, with a block cipher's initial vector.
pub(super) fn set_wrapping(
    channel: &mut Channel<'_>,
    algorithm: Algorithm,
    key: KeyReference,
    KeyReference(target): KeyReference,
    vector: &[u8],
) -> Result<(), CardError> {
    let target = target.to_be_bytes();
    set(channel, Operation::Encipher, algorithm, key, |template| {
        template.push(SECRET_REFERENCE, &target).push(INITIAL_VECTOR, vector)
    })
}

/// Sends the environment; once more from the application's DF where the card does not find the key, because the
/// current DF may be another.
fn set<'a>(
    channel: &mut Channel<'_>,
    operation: Operation,
    algorithm: Algorithm,
    KeyReference(file): KeyReference,
    complete: impl FnOnce(Builder<'a>) -> Builder<'a>,
) -> Result<(), CardError> {
    let (algorithm, file) = ([algorithm as u8], file.to_be_bytes());
    let rest = complete(Builder::new()).finish();
    let template = Builder::new().push(ALGORITHM, &algorithm).push(FILE, &file).raw(&rest).finish();
    let (p1, tag) = operation.parameters();
    match manage_security_environment(channel, p1, tag, &template) {
        Err(CardError::NotFound) => {
            select_directory(channel)?;
            manage_security_environment(channel, p1, tag, &template)
        }
        result => result,
    }
}
