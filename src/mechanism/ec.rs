//! Elliptic curves: what the host adds to the card's ECDSA and Diffie-Hellman, and verification.

use cardea_brainpool_p512::BrainpoolP512r1;
use ed25519_dalek::{Signature, VerifyingKey};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use zeroize::Zeroizing;

use super::Kdf;
use crate::card::key::Curve;
use crate::error::Error;
use crate::mechanism::Result;
use crate::secret::SecretBytes;

/// Longest key that a KDF is asked for, in bytes.
pub const MAX_DERIVED: usize = 65_536;

/// A digest of any length as the field-size number that ECDSA takes: its leftmost bits, as many as the order
/// has, or itself with zeros before it (FIPS 186-5 6.4.1 step 2).
pub fn frame_digest(curve: Curve, digest: &[u8]) -> Vec<u8> {
    let length = curve.field_len();
    let Some(leftmost) = digest.get(..length) else {
        return [vec![0; length - digest.len()], digest.to_vec()].concat();
    };
    let excess = length * 8 - curve.order_bits();
    let mut above = 0u16;
    leftmost
        .iter()
        .map(|byte| {
            let both = above << 8 | u16::from(*byte);
            above = u16::from(*byte);
            (both >> excess) as u8
        })
        .collect()
}

/// r || s of the field's length each from a signature that may be shorter but has two equal halves
/// (PKCS#11 3.2 6.3.1); `SignatureLenRange` otherwise.
pub fn full_signature(curve: Curve, signature: &[u8]) -> Result<Vec<u8>> {
    let length = curve.field_len();
    let half = signature.len() / 2;
    if signature.is_empty() || !signature.len().is_multiple_of(2) || half > length {
        return Err(Error::SignatureLenRange);
    }
    let (r, s) = signature.split_at_checked(half).ok_or(Error::SignatureLenRange)?;
    let zeros = vec![0; length - half];
    Ok([&zeros, r, &zeros, s].concat())
}

/// ECDSA verification (FIPS 186-5 6.4.2) of r || s over a digest of any length.
pub fn verify_ecdsa(curve: Curve, point: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    let digest = frame_digest(curve, digest);
    macro_rules! verify {
        ($curve:ty) => {{
            let key = ecdsa::VerifyingKey::<$curve>::from_sec1_bytes(point);
            let signature = ecdsa::Signature::<$curve>::from_slice(signature);
            // With s also n - s is right; the crate k256 takes the lower one only.
            let signature = signature.map(|signature| signature.normalize_s());
            matches!((key, signature), (Ok(key), Ok(signature)) if key.verify_prehash(&digest, &signature).is_ok())
        }};
    }
    match curve {
        Curve::P256 => verify!(p256::NistP256),
        Curve::P384 => verify!(p384::NistP384),
        Curve::P521 => verify!(p521::NistP521),
        Curve::Secp256k1 => verify!(k256::Secp256k1),
        Curve::BrainpoolP256 => verify!(bp256::BrainpoolP256r1),
        Curve::BrainpoolP384 => verify!(bp384::BrainpoolP384r1),
        Curve::BrainpoolP512 => verify!(BrainpoolP512r1),
    }
}

/// Ed25519 verification (RFC 8032 5.1.7) that also refuses points of small order.
pub fn verify_ed25519(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

/// The key that CKM_ECDH1_DERIVE makes of the shared value (PKCS#11 3.2 6.3.18).
///
/// Without a KDF it is the shared value, where a shorter one is asked for its last bytes: "the truncation
/// removes bytes from the leading end of the secret value". ANSI X9.63 (SEC 1 3.6.1) and the one-step function of
/// SP 800-56C 4.1 make exactly `length` bytes and so need one: `TemplateIncomplete`. A length that cannot be had is
/// `AttributeValueInvalid`.
pub fn derive(kdf: Kdf, shared: &[u8], shared_data: &[u8], length: Option<usize>) -> Result<SecretBytes> {
    if length == Some(0) {
        return Err(Error::AttributeValueInvalid);
    }
    match kdf {
        Kdf::Null => {
            let excess =
                shared.len().checked_sub(length.unwrap_or(shared.len())).ok_or(Error::AttributeValueInvalid)?;
            Ok(Zeroizing::new(shared.get(excess..).unwrap_or_default().to_vec()))
        }
        Kdf::X963(hash) | Kdf::OneStep(hash) => {
            let length = length.ok_or(Error::TemplateIncomplete)?;
            if length > MAX_DERIVED {
                return Err(Error::AttributeValueInvalid);
            }
            let mut key = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(hash.output_len())));
            for counter in 1u32.. {
                if key.len() >= length {
                    break;
                }
                let counter = counter.to_be_bytes();
                let block = Zeroizing::new(match kdf {
                    Kdf::OneStep(_) => hash.digest(&[&counter, shared, shared_data]),
                    Kdf::X963(_) | Kdf::Null => hash.digest(&[shared, &counter, shared_data]),
                });
                key.extend_from_slice(&block);
            }
            key.truncate(length);
            Ok(key)
        }
    }
}

#[cfg(test)]
mod tests;
