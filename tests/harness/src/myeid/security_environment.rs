//! The security environment that MANAGE SECURITY ENVIRONMENT sets (ISO 7816-4 7.5.11), one per logical channel.

use crate::card::status::{CONDITIONS_OF_USE_NOT_SATISFIED, INCORRECT_DATA, REFERENCED_DATA_NOT_FOUND};

use super::file::FileNumber;
use super::status::{FUNCTION_NOT_SUPPORTED, INVALID_DATA};
use super::tlv;

/// What the environment is for: P1 and P2 of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Template {
    /// 41 B6: signing.
    Signature,
    /// 41 B8: deciphering and unwrapping.
    Deciphering,
    /// 41 A4: ECDH.
    Agreement,
    /// 81 B8: enciphering and wrapping.
    Enciphering,
}

/// The algorithm reference (data object 80).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// 00: a block as it is: raw RSA, a block cipher.
    Plain,
    /// 02: RSA with PKCS #1 v1.5 padding.
    Padded,
    /// 12: RSA signature over a SHA-1 hash.
    PaddedSha1,
    /// 04: ECDSA and ECDH.
    Elliptic,
    /// 0A: wrapping and unwrapping.
    Wrapping,
    /// 8A: wrapping and unwrapping with PKCS #7 padding.
    WrappingPadded,
}

impl Algorithm {
    fn from_reference(reference: u8) -> Option<Self> {
        Some(match reference {
            0x00 => Self::Plain,
            0x02 => Self::Padded,
            0x12 => Self::PaddedSha1,
            0x04 => Self::Elliptic,
            0x0A => Self::Wrapping,
            0x8A => Self::WrappingPadded,
            _ => return None,
        })
    }
}

/// A security environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Environment {
    pub(super) template: Template,
    pub(super) algorithm: Algorithm,
    pub(super) key: FileNumber,
    /// The file that is wrapped or unwrapped into.
    pub(super) target: Option<FileNumber>,
    pub(super) vector: Vec<u8>,
}

impl Environment {
    /// Decodes the control reference template: 80 algorithm, 81 key file, 83 or 84 key reference (always 0, of one byte) or target
    /// file (of two), 87 initial vector. Algorithm and key file have to be there.
    pub(super) fn decode(p1: u8, p2: u8, data: &[u8], find: impl Fn(u16) -> Option<FileNumber>) -> Result<Self, u16> {
        let template = match (p1, p2) {
            (0x41, 0xB6) => Template::Signature,
            (0x41, 0xB8) => Template::Deciphering,
            (0x41, 0xA4) => Template::Agreement,
            (0x81, 0xB8) => Template::Enciphering,
            (0x41 | 0x81, _) => return Err(CONDITIONS_OF_USE_NOT_SATISFIED),
            _ => return Err(FUNCTION_NOT_SUPPORTED),
        };
        let file = |value: &[u8; 2]| find(u16::from_be_bytes(*value)).ok_or(REFERENCED_DATA_NOT_FOUND);
        let (mut algorithm, mut key, mut target, mut vector) = (None, None, None, Vec::new());
        for (tag, value) in tlv::all(data).ok_or(INVALID_DATA)? {
            match (tag, value) {
                (0x80, [reference]) => {
                    algorithm = Some(Algorithm::from_reference(*reference).ok_or(FUNCTION_NOT_SUPPORTED)?);
                }
                (0x81, [high, low]) => key = Some(file(&[*high, *low])?),
                (0x83 | 0x84, [0]) => {}
                (0x83, [high, low]) => target = Some(file(&[*high, *low])?),
                (0x87, _) if value.len() <= 16 => vector = value.to_vec(),
                (0x80 | 0x81 | 0x83 | 0x84, _) => return Err(FUNCTION_NOT_SUPPORTED),
                (0x87, _) => return Err(INVALID_DATA),
                _ => return Err(INCORRECT_DATA),
            }
        }
        match (algorithm, key) {
            (Some(algorithm), Some(key)) => Ok(Self { template, algorithm, key, target, vector }),
            _ => Err(FUNCTION_NOT_SUPPORTED),
        }
    }
}
