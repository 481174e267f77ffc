//! What private keys do: COMPUTE DIGITAL SIGNATURE, INTERNAL AUTHENTICATE, DECIPHER (OpenPGP card 7.2.10, 7.2.11, 7.2.13).

use cardea_apdu::Tag;
use cardea_apdu::tlv::Builder;
use zeroize::Zeroizing;

use super::key_reference::Key;
use super::public_key::bare;
use crate::card::command::security;
use crate::card::key::{Curve, KeyKind, PublicKey};
use crate::card::{Abilities, CardError, DecipherScheme, SignatureScheme};
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// Padding indicator before an RSA cryptogram.
const RSA_CRYPTOGRAM: u8 = 0x00;
/// Cipher DO with the other party's public key.
const CIPHER: Tag = Tag::new(0xA6);
/// Public key template.
const PUBLIC_KEY: Tag = Tag::new(0x7F49);
/// Point.
const POINT: Tag = Tag::new(0x86);
/// SHA-512 is the longest hash that cards expect.
const LONGEST_HASH: usize = 64;

const MALFORMED: CardError = CardError::Malformed { what: "answer to a security operation" };

/// What a key of this kind can do in this place. The card pads by itself, by PKCS#1 v1.5: no PSS, no OAEP.
pub(super) fn abilities(key: Key, kind: KeyKind) -> Abilities {
    const NONE: Abilities = Abilities { sign: &[], decipher: &[], agree: false };
    match (key, kind) {
        (Key::Decryption, KeyKind::Rsa { .. }) => Abilities { decipher: &[DecipherScheme::RsaPkcs1], ..NONE },
        (Key::Decryption, KeyKind::Ec(_) | KeyKind::X25519) => Abilities { agree: true, ..NONE },
        (Key::Signature | Key::Authentication, KeyKind::Rsa { .. }) => {
            Abilities { sign: &[SignatureScheme::RsaPkcs1], ..NONE }
        }
        (Key::Signature | Key::Authentication, KeyKind::Ec(_)) => Abilities { sign: &[SignatureScheme::Ecdsa], ..NONE },
        (Key::Signature | Key::Authentication, KeyKind::Ed25519) => {
            Abilities { sign: &[SignatureScheme::Eddsa], ..NONE }
        }
        (Key::Decryption, KeyKind::Ed25519) | (Key::Signature | Key::Authentication, KeyKind::X25519) => NONE,
    }
}

/// Signs: RSA a DigestInfo, ECDSA a hash as long as the field, Ed25519 a message.
pub(super) fn sign(
    channel: &mut Channel<'_>,
    key: Key,
    kind: KeyKind,
    scheme: SignatureScheme,
    input: &[u8],
) -> Result<Vec<u8>, CardError> {
    if !abilities(key, kind).sign.contains(&scheme) {
        return Err(CardError::NotSupported);
    }
    let (input, length) = match kind {
        KeyKind::Rsa { bits } => (input, bits.div_ceil(8)),
        KeyKind::Ec(curve) if input.len() == curve.field_len() => (hash(curve, input), 2 * curve.field_len()),
        KeyKind::Ec(_) => return Err(CardError::Input),
        KeyKind::Ed25519 | KeyKind::X25519 => (input, 64),
    };
    let signature = match key {
        Key::Signature => security::compute_digital_signature(channel, input)?,
        Key::Decryption | Key::Authentication => security::internal_authenticate(channel, input)?,
    };
    match kind {
        // Cards are met that drop leading zeros of a number.
        KeyKind::Rsa { .. } if (1..=length).contains(&signature.len()) => {
            let mut whole = vec![0; length - signature.len()];
            whole.extend_from_slice(&signature);
            Ok(whole)
        }
        _ if signature.len() == length => Ok(signature.to_vec()),
        _ => Err(MALFORMED),
    }
}

/// The hash as cards take it: for P-521 no longer than SHA-512, where what goes is zeros (opcard refuses more).
fn hash(curve: Curve, input: &[u8]) -> &[u8] {
    match (curve, input.split_at_checked(curve.field_len().saturating_sub(LONGEST_HASH))) {
        (Curve::P521, Some((zeros, hash))) if zeros.iter().all(|byte| *byte == 0) => hash,
        _ => input,
    }
}

/// Deciphers an RSA cryptogram as long as the modulus; the card removes the padding.
pub(super) fn decipher(
    channel: &mut Channel<'_>,
    key: Key,
    kind: KeyKind,
    scheme: DecipherScheme,
    cryptogram: &[u8],
) -> Result<SecretBytes, CardError> {
    let KeyKind::Rsa { bits } = kind else { return Err(CardError::NotSupported) };
    if !abilities(key, kind).decipher.contains(&scheme) {
        return Err(CardError::NotSupported);
    }
    if cryptogram.len() != bits.div_ceil(8) {
        return Err(CardError::Input);
    }
    let mut data = Vec::with_capacity(cryptogram.len() + 1);
    data.push(RSA_CRYPTOGRAM);
    data.extend_from_slice(cryptogram);
    security::decipher(channel, &data)
}

/// Diffie-Hellman: the shared x-coordinate, or u-coordinate for X25519, as long as the field.
pub(super) fn agree(
    channel: &mut Channel<'_>,
    key: Key,
    kind: KeyKind,
    peer: &PublicKey,
) -> Result<SecretBytes, CardError> {
    if !abilities(key, kind).agree {
        return Err(CardError::NotSupported);
    }
    let (point, length): (&[u8], usize) = match (kind, peer) {
        (KeyKind::Ec(own), PublicKey::Ec { curve, point }) if own == *curve => (point, curve.field_len()),
        (KeyKind::X25519, PublicKey::X25519(point)) => (point, point.len()),
        _ => return Err(CardError::Input),
    };
    let public = Builder::new().nested(PUBLIC_KEY, Builder::new().push(POINT, point));
    let answer = security::decipher(channel, &Builder::new().nested(CIPHER, public).finish())?;
    shared(kind, &answer, length)
}

/// The shared coordinate: alone, as the x of a whole point, or after GnuPG's prefix.
fn shared(kind: KeyKind, answer: &[u8], length: usize) -> Result<SecretBytes, CardError> {
    let coordinate = match (kind, answer) {
        (KeyKind::X25519, answer) => bare(answer),
        (_, [0x04, point @ ..]) if point.len() == 2 * length => point.get(..length).unwrap_or_default(),
        (_, answer) => answer,
    };
    if coordinate.len() == length { Ok(Zeroizing::new(coordinate.to_vec())) } else { Err(MALFORMED) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_for_p521_loses_only_zeros() {
        let mut input = [7; 66];
        assert_eq!(hash(Curve::P521, &input).len(), 66);
        input[..2].fill(0);
        assert_eq!(hash(Curve::P521, &input), [7; 64]);
        assert_eq!(hash(Curve::P256, &[0; 32]).len(), 32);
    }

    #[test]
    fn the_shared_coordinate_is_found_in_each_form() {
        let kind = KeyKind::Ec(Curve::P256);
        let point = [&[0x04][..], &[1; 32], &[2; 32]].concat();
        assert_eq!(shared(kind, &point, 32).unwrap().as_slice(), [1; 32]);
        assert_eq!(shared(kind, &[3; 32], 32).unwrap().as_slice(), [3; 32]);
        let prefixed = [&[0x40][..], &[4; 32]].concat();
        assert_eq!(shared(KeyKind::X25519, &prefixed, 32).unwrap().as_slice(), [4; 32]);
        for answer in [&[][..], &[1; 31], &[1; 33], &[4; 64], &[4; 66]] {
            assert_eq!(shared(kind, answer, 32), Err(MALFORMED));
        }
    }

    #[test]
    fn no_key_signs_with_pss_or_raw_rsa() {
        for key in Key::ALL {
            let abilities = abilities(key, KeyKind::Rsa { bits: 2048 });
            assert!(!abilities.sign.contains(&SignatureScheme::RsaRaw));
            assert!(!abilities.decipher.contains(&DecipherScheme::RsaRaw));
        }
    }
}
