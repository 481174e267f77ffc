//! Public keys and their kinds, as cards and certificates carry them.
//!
//! A [`PublicKey`] that came through a constructor here has been judged: RSA sizes are sane, points lie on
//! their curve. Encodings follow RFC 5280/3279 (RSA), RFC 5480 (EC), RFC 8410 (Ed25519, X25519) and SEC 1.

#![forbid(unsafe_code)]

mod encoding;
mod private;
mod signature;

use cardea_brainpool_p512::BrainpoolP512r1;
use p256::elliptic_curve::{self, sec1::ToSec1Point as _};
use thiserror::Error;

use super::number::significant;

pub use encoding::octet_string;
pub use signature::{ecdsa_from_der, ecdsa_to_der};

/// Shortest RSA modulus accepted, in bits.
pub const RSA_MIN_BITS: usize = 512;
/// Longest RSA modulus accepted, in bits.
pub const RSA_MAX_BITS: usize = 16_384;
/// Longest modulus whose public exponent may be of any length, and longest exponent beside a longer one, in bits: a
/// verification with two numbers of the longest size would keep its caller waiting for seconds. OpenSSL has the same bounds.
const ANY_EXPONENT_BITS: usize = 3072;
const SHORT_EXPONENT_BITS: usize = 64;

/// A named elliptic curve in short Weierstrass form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
    /// secp521r1.
    P521,
    /// secp256k1 (SEC 2 2.4.1).
    Secp256k1,
    /// brainpoolP256r1 (RFC 5639 3.4).
    BrainpoolP256,
    /// brainpoolP384r1 (RFC 5639 3.6).
    BrainpoolP384,
    /// brainpoolP512r1 (RFC 5639 3.7).
    BrainpoolP512,
}

impl Curve {
    /// All curves known here.
    pub const ALL: [Self; 7] = [
        Self::P256,
        Self::P384,
        Self::P521,
        Self::Secp256k1,
        Self::BrainpoolP256,
        Self::BrainpoolP384,
        Self::BrainpoolP512,
    ];

    /// Length of a field element in bytes; r and s of a signature have it too.
    pub fn field_len(self) -> usize {
        self.order_bits().div_ceil(8)
    }

    /// Bits of the base point's order, which for these curves is also the field's.
    pub fn order_bits(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 | Self::BrainpoolP256 => 256,
            Self::P384 | Self::BrainpoolP384 => 384,
            Self::BrainpoolP512 => 512,
            Self::P521 => 521,
        }
    }

    /// DER OBJECT IDENTIFIER, as in `CKA_EC_PARAMS` (RFC 5480 2.1.1.1, SEC 2 A.2, RFC 5639 4).
    pub fn oid_der(self) -> &'static [u8] {
        match self {
            Self::P256 => &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07],
            Self::P384 => &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22],
            Self::P521 => &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23],
            Self::Secp256k1 => &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x0A],
            Self::BrainpoolP256 => &[0x06, 0x09, 0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07],
            Self::BrainpoolP384 => &[0x06, 0x09, 0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0B],
            Self::BrainpoolP512 => &[0x06, 0x09, 0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0D],
        }
    }

    /// The name that people know: NIST's, or that of the standard which has no other.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Secp256k1 => "secp256k1",
            Self::BrainpoolP256 => "brainpoolP256r1",
            Self::BrainpoolP384 => "brainpoolP384r1",
            Self::BrainpoolP512 => "brainpoolP512r1",
        }
    }
}

/// Algorithm and size of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA with a modulus of so many bits.
    Rsa {
        /// Modulus length in bits.
        bits: usize,
    },
    /// Elliptic curve in short Weierstrass form.
    Ec(Curve),
    /// Ed25519 signatures.
    Ed25519,
    /// X25519 key agreement.
    X25519,
}

impl KeyKind {
    /// Size in bits: of the modulus, or of the field (255 for the curves of RFC 7748).
    pub fn bits(self) -> usize {
        match self {
            Self::Rsa { bits } => bits,
            Self::Ec(curve) => curve.order_bits(),
            Self::Ed25519 | Self::X25519 => 255,
        }
    }

    /// Name for people, such as `RSA-2048`, `P-256`, `Ed25519`.
    pub fn name(self) -> String {
        match self {
            Self::Rsa { bits } => format!("RSA-{bits}"),
            Self::Ec(curve) => curve.name().to_owned(),
            Self::Ed25519 => "Ed25519".to_owned(),
            Self::X25519 => "X25519".to_owned(),
        }
    }

    /// DER OBJECT IDENTIFIER for `CKA_EC_PARAMS`; `None` for RSA (PKCS#11 3.2 6.3.3, 6.3.5, 6.3.7).
    pub fn ec_params(self) -> Option<Vec<u8>> {
        match self {
            Self::Rsa { .. } => None,
            Self::Ec(curve) => Some(curve.oid_der().to_vec()),
            Self::Ed25519 => Some(vec![0x06, 0x03, 0x2B, 0x65, 0x70]),
            Self::X25519 => Some(vec![0x06, 0x03, 0x2B, 0x65, 0x6E]),
        }
    }
}

/// The public half of a key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Modulus and public exponent, big-endian without leading zeros.
    Rsa {
        /// n.
        modulus: Vec<u8>,
        /// e.
        exponent: Vec<u8>,
    },
    /// Uncompressed point 04 || X || Y.
    Ec {
        /// The curve.
        curve: Curve,
        /// SEC 1 2.3.3.
        point: Vec<u8>,
    },
    /// RFC 8032 encoding.
    Ed25519([u8; 32]),
    /// RFC 7748 encoding.
    X25519([u8; 32]),
}

/// Why bytes are not a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not the DER structure expected.
    #[error("malformed public key")]
    Malformed,
    /// An algorithm or curve that is not known here.
    #[error("public key algorithm not supported")]
    Unsupported,
}

impl PublicKey {
    /// RSA key from big-endian numbers; leading zeros are dropped.
    ///
    /// The modulus is odd and of [`RSA_MIN_BITS`] to [`RSA_MAX_BITS`] bits, the exponent odd, at least 3 and
    /// below the modulus (RFC 8017 3.1); beside a long modulus it is short.
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let modulus = significant(modulus);
        let exponent = significant(exponent);
        let bits = bit_len(modulus);
        let dear = bits > ANY_EXPONENT_BITS && bit_len(exponent) > SHORT_EXPONENT_BITS;
        if !(RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) || dear {
            return Err(KeyError::Unsupported);
        }
        let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
        let small = exponent.len() < modulus.len() || (exponent.len() == modulus.len() && exponent < modulus);
        if !odd(modulus) || !odd(exponent) || exponent == [1] || !small {
            return Err(KeyError::Malformed);
        }
        Ok(Self::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    /// EC key from a point in SEC 1 2.3.3 form, uncompressed or compressed, which must lie on the curve and
    /// not be the point at infinity.
    pub fn from_ec_point(curve: Curve, point: &[u8]) -> Result<Self, KeyError> {
        // The hybrid form (06, 07) is not for PKCS#11 or certificates (RFC 5480 2.2).
        if !matches!(point.first(), Some(0x02..=0x04)) {
            return Err(KeyError::Malformed);
        }
        macro_rules! judged {
            ($curve:ty) => {
                elliptic_curve::PublicKey::<$curve>::from_sec1_bytes(point)
                    .map(|key| key.to_sec1_point(false).as_bytes().to_vec())
            };
        }
        let point = match curve {
            Curve::P256 => judged!(p256::NistP256),
            Curve::P384 => judged!(p384::NistP384),
            Curve::P521 => judged!(p521::NistP521),
            Curve::Secp256k1 => judged!(k256::Secp256k1),
            Curve::BrainpoolP256 => judged!(bp256::BrainpoolP256r1),
            Curve::BrainpoolP384 => judged!(bp384::BrainpoolP384r1),
            Curve::BrainpoolP512 => judged!(BrainpoolP512r1),
        };
        Ok(Self::Ec { curve, point: point.map_err(|_| KeyError::Malformed)? })
    }

    /// Ed25519 key from its 32 bytes, which must decode to a point, and be the only ones that do (RFC 8032 5.1.3: a
    /// coordinate below the field's prime, no sign for zero).
    pub fn from_ed25519(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyError::Malformed)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Malformed)?;
        if key.to_edwards().compress().to_bytes() == bytes {
            Ok(Self::Ed25519(bytes))
        } else {
            Err(KeyError::Malformed)
        }
    }

    /// X25519 key from its 32 bytes; each such string is one (RFC 7748 5).
    pub fn from_x25519(bytes: &[u8]) -> Result<Self, KeyError> {
        Ok(Self::X25519(bytes.try_into().map_err(|_| KeyError::Malformed)?))
    }

    /// A key of `kind` from what a Cryptoki caller gives as `CKA_EC_POINT` or `pPublicData`: the raw point or
    /// a DER OCTET STRING around it (PKCS#11 3.2 6.3.3, 6.3.17).
    ///
    /// The two cannot be confused: no raw point of a curve is as long as a wrapped one.
    pub fn point_from_caller(kind: KeyKind, bytes: &[u8]) -> Result<Self, KeyError> {
        let raw_lengths = match kind {
            KeyKind::Rsa { .. } => return Err(KeyError::Unsupported),
            KeyKind::Ec(curve) => [1 + curve.field_len(), 1 + 2 * curve.field_len()],
            KeyKind::Ed25519 | KeyKind::X25519 => [32, 32],
        };
        let point = if raw_lengths.contains(&bytes.len()) { bytes } else { encoding::octet_string_content(bytes)? };
        match kind {
            KeyKind::Ec(curve) => Self::from_ec_point(curve, point),
            KeyKind::Ed25519 => Self::from_ed25519(point),
            KeyKind::X25519 => Self::from_x25519(point),
            KeyKind::Rsa { .. } => Err(KeyError::Unsupported),
        }
    }

    /// Algorithm and size.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Rsa { modulus, .. } => KeyKind::Rsa { bits: bit_len(significant(modulus)) },
            Self::Ec { curve, .. } => KeyKind::Ec(*curve),
            Self::Ed25519(_) => KeyKind::Ed25519,
            Self::X25519(_) => KeyKind::X25519,
        }
    }

    /// DER OBJECT IDENTIFIER for `CKA_EC_PARAMS`; `None` for RSA.
    pub fn ec_params(&self) -> Option<Vec<u8>> {
        self.kind().ec_params()
    }

    /// DER OCTET STRING for `CKA_EC_POINT`; `None` for RSA.
    ///
    /// For Ed25519 and X25519 that is the form of PKCS#11 3.0; 3.1 has the bare bytes (6.3.5, 6.3.7).
    pub fn ec_point(&self) -> Option<Vec<u8>> {
        match self {
            Self::Rsa { .. } => None,
            Self::Ec { point, .. } => Some(octet_string(point)),
            Self::Ed25519(bytes) | Self::X25519(bytes) => Some(octet_string(bytes)),
        }
    }
}

/// Bits of a big-endian number without leading zeros.
fn bit_len(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests;
