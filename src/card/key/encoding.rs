//! SubjectPublicKeyInfo (RFC 5280 4.1.2.7) in and out, and the OCTET STRING around points.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode, Reader, SliceReader};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::{Curve, KeyError, PublicKey};

/// rsaEncryption (RFC 3279 2.3.1).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// id-ecPublicKey (RFC 5480 2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// id-Ed25519 (RFC 8410 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// id-X25519 (RFC 8410 3).
const X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");

impl From<der::Error> for KeyError {
    fn from(_: der::Error) -> Self {
        Self::Malformed
    }
}

impl PublicKey {
    /// A key from a DER SubjectPublicKeyInfo, with nothing after it.
    ///
    /// Explicit or inherited EC parameters are `Unsupported` (RFC 5480 2.1.1 forbids them). RSA parameters
    /// must be NULL by RFC 3279 2.3.1; certificates that leave them out are met, and accepted.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoRef::from_der(der)?;
        let parameters = info.algorithm.parameters;
        let bits = info.subject_public_key.as_bytes().ok_or(KeyError::Malformed)?;
        match info.algorithm.oid {
            RSA_ENCRYPTION => {
                if parameters.is_some_and(|any| !any.is_null()) {
                    return Err(KeyError::Malformed);
                }
                rsa_public_key(bits)
            }
            EC_PUBLIC_KEY => {
                let oid = parameters
                    .ok_or(KeyError::Malformed)?
                    .decode_as::<ObjectIdentifier>()
                    .map_err(|_| KeyError::Unsupported)?;
                Self::from_ec_point(curve(oid)?, bits)
            }
            ED25519 | X25519 if parameters.is_some() => Err(KeyError::Malformed),
            ED25519 => Self::from_ed25519(bits),
            X25519 => Self::from_x25519(bits),
            _ => Err(KeyError::Unsupported),
        }
    }

    /// The DER SubjectPublicKeyInfo, as in `CKA_PUBLIC_KEY_INFO`; empty if a value built by hand cannot be
    /// encoded.
    pub fn to_spki(&self) -> Vec<u8> {
        self.encode().unwrap_or_default()
    }

    fn encode(&self) -> der::Result<Vec<u8>> {
        let bits;
        let curve_oid: ObjectIdentifier;
        let (oid, parameters, key): (_, Option<AnyRef<'_>>, &[u8]) = match self {
            Self::Rsa { modulus, exponent } => {
                bits = vec![UintRef::new(modulus)?, UintRef::new(exponent)?].to_der()?;
                (RSA_ENCRYPTION, Some(AnyRef::NULL), &bits)
            }
            Self::Ec { curve, point } => {
                curve_oid = ObjectIdentifier::from_der(curve.oid_der())?;
                (EC_PUBLIC_KEY, Some(AnyRef::from(&curve_oid)), point)
            }
            Self::Ed25519(bytes) => (ED25519, None, bytes),
            Self::X25519(bytes) => (X25519, None, bytes),
        };
        let algorithm = AlgorithmIdentifierRef { oid, parameters };
        SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(key)? }.to_der()
    }
}

/// RSAPublicKey (RFC 8017 A.1.1).
fn rsa_public_key(der: &[u8]) -> Result<PublicKey, KeyError> {
    let (modulus, exponent) = two_integers(der)?;
    PublicKey::from_rsa(modulus, exponent)
}

/// SEQUENCE of exactly two non-negative INTEGERs; also the form of Ecdsa-Sig-Value.
pub(super) fn two_integers(der: &[u8]) -> Result<(&[u8], &[u8]), KeyError> {
    let mut reader = SliceReader::new(der)?;
    let numbers =
        reader.sequence(|content| Ok::<_, der::Error>((UintRef::decode(content)?, UintRef::decode(content)?)))?;
    reader.finish()?;
    Ok((numbers.0.as_bytes(), numbers.1.as_bytes()))
}

fn curve(oid: ObjectIdentifier) -> Result<Curve, KeyError> {
    Curve::ALL
        .into_iter()
        .find(|curve| ObjectIdentifier::from_der(curve.oid_der()).is_ok_and(|known| known == oid))
        .ok_or(KeyError::Unsupported)
}

/// DER OCTET STRING around `content`.
pub fn octet_string(content: &[u8]) -> Vec<u8> {
    OctetStringRef::new(content).and_then(|string| string.to_der()).unwrap_or_default()
}

/// Content of a DER OCTET STRING with nothing after it.
pub(super) fn octet_string_content(der: &[u8]) -> Result<&[u8], KeyError> {
    Ok(<&OctetStringRef>::from_der(der)?.as_bytes())
}
