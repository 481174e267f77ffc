//! RSA keys: generation, import in parts, the private operation and its paddings.

use rand_core::OsRng;
use rsa::hazmat::rsa_decrypt_and_check;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey};

use crate::card::status::{CONDITIONS_OF_USE_NOT_SATISFIED, WRONG_LENGTH};

use super::status::INVALID_DATA;

/// The DigestInfo of SHA-1 up to the hash (RFC 8017 9.2).
const SHA1_DIGEST_INFO: [u8; 15] =
    [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14];

/// The parts of a key as PUT DATA 01xx names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// 80.
    Modulus,
    /// 81.
    PublicExponent,
    /// 82.
    PrivateExponent,
    /// 83.
    P,
    /// 84.
    Q,
    /// 85: d mod p − 1.
    ExponentP,
    /// 86: d mod q − 1.
    ExponentQ,
    /// 87: the inverse of q mod p.
    Coefficient,
    /// 88 and 89: halves of the modulus.
    ModulusHalf(usize),
    /// 8A and 8B: halves of the private exponent.
    PrivateExponentHalf(usize),
}

impl Part {
    fn from_reference(reference: u8) -> Option<Self> {
        Some(match reference {
            0x80 => Self::Modulus,
            0x81 => Self::PublicExponent,
            0x82 => Self::PrivateExponent,
            0x83 => Self::P,
            0x84 => Self::Q,
            0x85 => Self::ExponentP,
            0x86 => Self::ExponentQ,
            0x87 => Self::Coefficient,
            0x88 | 0x89 => Self::ModulusHalf(usize::from(reference - 0x88)),
            0x8A | 0x8B => Self::PrivateExponentHalf(usize::from(reference - 0x8A)),
            _ => return None,
        })
    }
}

/// An RSA key file's content.
#[derive(Debug, Default)]
pub(super) struct RsaKey {
    parts: Vec<(Part, Vec<u8>)>,
    key: Option<Box<RsaPrivateKey>>,
    pub(super) generated: bool,
}

impl RsaKey {
    pub(super) fn is_usable(&self) -> bool {
        self.key.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.key.is_none()
    }

    /// The sizes there are: up to 2048 bits before version 4.5, up to 4096 since.
    pub(super) fn is_size(bits: u16, maximum: u16) -> bool {
        bits <= maximum && matches!(bits, 512 | 768 | 1024 | 1536 | 2048 | 3072 | 4096)
    }

    /// GENERATE KEY PAIR; answers with the modulus.
    pub(super) fn generate(bits: u16, exponent: &BigUint) -> Option<Self> {
        let key = RsaPrivateKey::new_with_exp(&mut OsRng, usize::from(bits), exponent).ok()?;
        Some(Self { parts: Vec::new(), key: Some(Box::new(key)), generated: true })
    }

    /// PUT DATA of one part. A part that is there already is refused; once p, q and e are there, they and everything that
    /// arrives have to fit together.
    pub(super) fn load(&mut self, reference: u8, bits: u16, data: &[u8]) -> Result<(), u16> {
        let part = Part::from_reference(reference).ok_or(crate::card::status::INCORRECT_P1_P2)?;
        if self.generated || self.part(part).is_some() {
            return Err(INVALID_DATA);
        }
        let modulus = usize::from(bits) / 8;
        let length = match part {
            Part::Modulus | Part::PrivateExponent => modulus,
            Part::PublicExponent => data.len(),
            _ => modulus / 2,
        };
        let value = match data {
            [0, value @ ..] if value.len() == length => value,
            _ => data,
        };
        // leading zeros may have been cut, except from halves
        let short = !matches!(part, Part::ModulusHalf(_) | Part::PrivateExponentHalf(_)) && value.len() <= length;
        if value.is_empty() || value.len() != length && !short || part == Part::PublicExponent && value.len() > 8 {
            return Err(WRONG_LENGTH);
        }
        self.parts.push((part, value.to_vec()));
        let checked = self.assemble(bits);
        if checked.is_err() {
            self.parts.pop();
        }
        self.key = checked?;
        Ok(())
    }

    fn part(&self, part: Part) -> Option<&[u8]> {
        self.parts.iter().find(|(found, _)| *found == part).map(|(_, value)| value.as_slice())
    }

    fn number(&self, part: Part) -> Option<BigUint> {
        self.part(part).map(BigUint::from_bytes_be)
    }

    fn halves(&self, half: fn(usize) -> Part) -> Option<BigUint> {
        Some(BigUint::from_bytes_be(&[self.part(half(0))?, self.part(half(1))?].concat()))
    }

    /// The key, when enough of its parts are there; 6984 if they contradict one another.
    fn assemble(&self, bits: u16) -> Result<Option<Box<RsaPrivateKey>>, u16> {
        let (Some(p), Some(q), Some(e)) =
            (self.number(Part::P), self.number(Part::Q), self.number(Part::PublicExponent))
        else {
            return Ok(None);
        };
        let odd = |number: &BigUint| number.to_bytes_le()[0] & 1 == 1;
        if p == q || !odd(&p) || !odd(&q) || !odd(&e) {
            return Err(INVALID_DATA);
        }
        let key = RsaPrivateKey::from_p_q(p, q, e).map_err(|_| INVALID_DATA)?;
        let modulus = self.number(Part::Modulus).or_else(|| self.halves(Part::ModulusHalf));
        let contradicts = |expected: Option<&BigUint>, given: Option<BigUint>| {
            given.is_some_and(|given| expected.is_some_and(|expected| *expected != given))
        };
        let coefficient = key.crt_coefficient();
        if key.n().bits() != usize::from(bits)
            || contradicts(Some(key.n()), modulus)
            || contradicts(key.dp(), self.number(Part::ExponentP))
            || contradicts(key.dq(), self.number(Part::ExponentQ))
            || contradicts(coefficient.as_ref(), self.number(Part::Coefficient))
        {
            return Err(INVALID_DATA);
        }
        Ok(Some(Box::new(key)))
    }

    /// Modulus, of the key's length.
    pub(super) fn modulus(&self) -> Option<Vec<u8>> {
        self.key.as_ref().map(|key| padded(key.n(), key.size()))
    }

    pub(super) fn public_exponent(&self) -> Option<Vec<u8>> {
        self.key.as_ref().map(|key| key.e().to_bytes_be())
    }

    /// The private operation on a block of exactly the modulus' length.
    pub(super) fn private_operation(&self, block: &[u8]) -> Result<Vec<u8>, u16> {
        let key = self.key.as_deref().ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)?;
        if block.len() != key.size() {
            return Err(WRONG_LENGTH);
        }
        let number = BigUint::from_bytes_be(block);
        if number >= *key.n() {
            return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
        }
        let result = rsa_decrypt_and_check::<OsRng>(key, None, &number).map_err(|_| CONDITIONS_OF_USE_NOT_SATISFIED)?;
        Ok(padded(&result, key.size()))
    }

    /// A signature with EMSA-PKCS1-v1_5 padding over a DigestInfo.
    pub(super) fn sign_padded(&self, digest_info: &[u8]) -> Result<Vec<u8>, u16> {
        let key = self.key.as_deref().ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)?;
        let Some(filler) = key.size().checked_sub(digest_info.len() + 3).filter(|filler| *filler >= 8) else {
            return Err(WRONG_LENGTH);
        };
        self.private_operation(&[&[0, 1][..], &vec![0xFF; filler], &[0], digest_info].concat())
    }

    /// A signature over a SHA-1 hash, for which the card makes the DigestInfo.
    pub(super) fn sign_sha1(&self, hash: &[u8]) -> Result<Vec<u8>, u16> {
        if hash.len() != 20 {
            return Err(WRONG_LENGTH);
        }
        self.sign_padded(&[&SHA1_DIGEST_INFO, hash].concat())
    }

    /// The message of a block with EME-PKCS1-v1_5 padding; 6985 if the padding is wrong.
    pub(super) fn decipher_padded(&self, cryptogram: &[u8]) -> Result<Vec<u8>, u16> {
        let block = self.private_operation(cryptogram)?;
        let [0, 2, rest @ ..] = block.as_slice() else {
            return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
        };
        match rest.iter().position(|byte| *byte == 0) {
            Some(filler) if filler >= 8 => Ok(rest[filler + 1..].to_vec()),
            _ => Err(CONDITIONS_OF_USE_NOT_SATISFIED),
        }
    }
}

fn padded(number: &BigUint, length: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let mut value = vec![0; length.saturating_sub(bytes.len())];
    value.extend_from_slice(&bytes);
    value
}
