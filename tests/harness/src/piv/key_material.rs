//! Private keys as IMPORT KEY brings them and as the card stores them.

use rsa::pkcs8::EncodePrivateKey;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey};

use super::command_layer::find;

/// A private key of one of the kinds that the card takes.
#[derive(Debug, Clone)]
pub enum PrivateKey {
    /// RSA of 2048, 3072 or 4096 bits.
    Rsa(Box<RsaPrivateKey>),
    /// NIST P-256.
    P256(p256::SecretKey),
    /// NIST P-384.
    P384(p384::SecretKey),
}

impl PrivateKey {
    /// The algorithm identifier (SP 800-78-5 table 6-2; 05 and 16 are RSA-3072 and Yubico's RSA-4096).
    pub fn algorithm(&self) -> u8 {
        match self {
            Self::Rsa(key) => match key.size() {
                384 => 0x05,
                512 => 0x16,
                _ => 0x07,
            },
            Self::P256(_) => 0x11,
            Self::P384(_) => 0x14,
        }
    }

    /// Reads the command data field of IMPORT KEY: 01 p, 02 q and the rest of the CRT parameters, or 06 scalar.
    pub(super) fn from_import(algorithm: u8, data: &[u8]) -> Option<Self> {
        let part = |tag| find(data, &[tag]);
        let key = match algorithm {
            0x05 | 0x07 | 0x16 => {
                let p = BigUint::from_bytes_be(part(0x01)?);
                let q = BigUint::from_bytes_be(part(0x02)?);
                let key = RsaPrivateKey::from_p_q(p, q, BigUint::from(65537u32)).ok()?;
                Self::Rsa(Box::new(key))
            }
            0x11 => Self::P256(p256::SecretKey::from_slice(part(0x06)?).ok()?),
            0x14 => Self::P384(p384::SecretKey::from_slice(part(0x06)?).ok()?),
            _ => return None,
        };
        (key.algorithm() == algorithm).then_some(key)
    }

    /// The command data field of IMPORT KEY for this key.
    pub fn to_import(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => {
                let half = key.size() / 2;
                let [p, q] = [&key.primes()[0], &key.primes()[1]];
                let one = BigUint::from(1u32);
                let parts = [
                    p.clone(),
                    q.clone(),
                    key.d() % (p - &one),
                    key.d() % (q - &one),
                    q.modpow(&(p - BigUint::from(2u32)), p),
                ];
                let mut data = Vec::new();
                for (tag, part) in (1u8..).zip(parts) {
                    let bytes = part.to_bytes_be();
                    data.extend_from_slice(&[tag, 0x82, (half >> 8) as u8, half as u8]);
                    data.resize(data.len() + half - bytes.len(), 0);
                    data.extend_from_slice(&bytes);
                }
                data
            }
            Self::P256(key) => [&[0x06, 32], key.to_bytes().as_slice()].concat(),
            Self::P384(key) => [&[0x06, 48], key.to_bytes().as_slice()].concat(),
        }
    }

    /// The key as the card's backends store it.
    pub(super) fn material(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => key.to_pkcs8_der().expect("a valid key encodes").as_bytes().to_vec(),
            Self::P256(key) => key.to_bytes().to_vec(),
            Self::P384(key) => key.to_bytes().to_vec(),
        }
    }
}
