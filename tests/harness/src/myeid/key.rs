//! What a key file holds, whatever its kind.

use rsa::BigUint;

use crate::card::status::{CONDITIONS_OF_USE_NOT_SATISFIED, INCORRECT_P1_P2, WRONG_LENGTH};

use super::block_cipher::BlockCipher;
use super::curve::Curve;
use super::file::Kind;
use super::rsa_key::RsaKey;
use super::status::{INCOMPATIBLE_FILE, INVALID_DATA};
use super::tlv;

/// The content of a key file.
#[derive(Debug)]
pub(super) enum Key {
    Rsa(RsaKey),
    Elliptic { private: Option<Vec<u8>>, public: Option<Vec<u8>>, generated: bool },
    Secret { kind: Kind, value: Option<Vec<u8>> },
}

impl Key {
    pub(super) fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Rsa => Self::Rsa(RsaKey::default()),
            Kind::Elliptic => Self::Elliptic { private: None, public: None, generated: false },
            kind => Self::Secret { kind, value: None },
        }
    }

    pub(super) fn is_usable(&self) -> bool {
        match self {
            Self::Rsa(key) => key.is_usable(),
            Self::Elliptic { private, .. } => private.is_some(),
            Self::Secret { value, .. } => value.is_some(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Rsa(key) => key.is_empty(),
            Self::Elliptic { private, public, .. } => private.is_none() && public.is_none(),
            Self::Secret { value, .. } => value.is_none(),
        }
    }

    pub(super) fn is_generated(&self) -> bool {
        match self {
            Self::Rsa(key) => key.generated,
            Self::Elliptic { generated, .. } => *generated,
            Self::Secret { .. } => false,
        }
    }

    /// Whether a key file of that kind may have that many bits.
    pub(super) fn is_size(kind: Kind, bits: u16, rsa_maximum: u16) -> bool {
        match kind {
            Kind::Rsa => RsaKey::is_size(bits, rsa_maximum),
            Kind::Elliptic => Curve::from_bits(bits).is_some(),
            Kind::Des => matches!(bits, 56 | 64 | 128 | 192),
            Kind::Aes => matches!(bits, 128 | 192 | 256),
            Kind::GenericSecret => bits > 0 && bits.is_multiple_of(8) && bits <= 2040,
            Kind::Directory | Kind::Transparent => true,
        }
    }

    /// GENERATE KEY PAIR: answers with the modulus, or with the point in a data object 86.
    pub(super) fn generate(&mut self, bits: u16, data: &[u8]) -> Result<Vec<u8>, u16> {
        if !self.is_empty() {
            return Err(INVALID_DATA);
        }
        match self {
            Self::Rsa(key) => {
                let exponent = public_exponent(data)?;
                *key = RsaKey::generate(bits, &exponent).ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)?;
                key.modulus().ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)
            }
            Self::Elliptic { private, public, generated } => {
                let curve = Curve::from_bits(bits).ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)?;
                if !data.is_empty() {
                    return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
                }
                let secret = curve.generate();
                let point = curve.public_point(&secret)?;
                (*private, *generated) = (Some(secret), true);
                Ok(tlv::object(0x86, public.insert(point)))
            }
            Self::Secret { .. } => Err(CONDITIONS_OF_USE_NOT_SATISFIED),
        }
    }

    /// PUT DATA of a key or a part of one: 80 to 8B for RSA, 86 point and 87 private key on a curve, A0 for secret keys.
    pub(super) fn load(&mut self, reference: u8, bits: u16, data: &[u8]) -> Result<(), u16> {
        match (self, reference) {
            (Self::Rsa(key), 0x80..=0x8B) => key.load(reference, bits, data),
            (Self::Elliptic { private, public, .. }, 0x86 | 0x87) => {
                let curve = Curve::from_bits(bits).ok_or(INCOMPATIBLE_FILE)?;
                let length = if reference == 0x86 { 2 * curve.field_bytes() + 1 } else { curve.field_bytes() };
                if data.len() != length {
                    return Err(WRONG_LENGTH);
                }
                let part = if reference == 0x86 {
                    curve.check_point(data)?;
                    public
                } else {
                    curve.public_point(data)?;
                    private
                };
                if part.is_some() {
                    return Err(INVALID_DATA);
                }
                *part = Some(data.to_vec());
                Ok(())
            }
            (Self::Secret { value, .. }, 0xA0) if value.is_none() => {
                if data.len() != usize::from(bits).div_ceil(8) && !(bits == 56 && data.len() == 8) {
                    return Err(WRONG_LENGTH);
                }
                *value = Some(data.to_vec());
                Ok(())
            }
            (Self::Secret { .. }, 0xA0) => Err(INVALID_DATA),
            _ => Err(INCORRECT_P1_P2),
        }
    }

    /// The value of a secret key, for wrapping.
    pub(super) fn secret(&self) -> Option<&[u8]> {
        match self {
            Self::Secret { value, .. } => value.as_deref(),
            _ => None,
        }
    }

    /// The key as a block cipher.
    pub(super) fn block_cipher(&self) -> Option<BlockCipher> {
        match self {
            Self::Secret { kind: Kind::Aes, value: Some(value) } => BlockCipher::aes(value),
            Self::Secret { kind: Kind::Des, value: Some(value) } if value.len() == 7 => {
                BlockCipher::des(&parity(value))
            }
            Self::Secret { kind: Kind::Des, value: Some(value) } => BlockCipher::des(value),
            _ => None,
        }
    }

    /// The point of a key pair, or what was imported as such.
    pub(super) fn point(&self) -> Option<&[u8]> {
        match self {
            Self::Elliptic { public, .. } => public.as_deref(),
            _ => None,
        }
    }
}

/// Spreads 56 bits over the upper seven of eight bytes, where DES has its key bits.
fn parity(value: &[u8]) -> Vec<u8> {
    let bits = value.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    (0..8).map(|position| ((bits >> (49 - 7 * position)) as u8 & 0x7F) << 1).collect()
}

/// The exponent in `30 { 02 or 81 exponent }`: 3 or 65537, and 65537 if nothing is said.
fn public_exponent(data: &[u8]) -> Result<BigUint, u16> {
    if data.is_empty() {
        return Ok(BigUint::from(65537_u32));
    }
    let Some((0x30, sequence, [])) = tlv::first(data) else {
        return Err(INVALID_DATA);
    };
    match tlv::first(sequence) {
        Some((0x02 | 0x81, [3], [])) => Ok(BigUint::from(3_u32)),
        Some((0x02 | 0x81, [1, 0, 1], [])) => Ok(BigUint::from(65537_u32)),
        _ => Err(INVALID_DATA),
    }
}
