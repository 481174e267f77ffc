//! GENERAL AUTHENTICATE with the keys of the PIV card application (SP 800-73-4 part 2 3.2.4, 800-78-5 table 6-2).

use cardea_apdu::Tag;
use cardea_apdu::tlv::{Builder, Reader};
use zeroize::Zeroizing;

use crate::card::command::security;
use crate::card::key::{Curve, KeyKind, PublicKey, ecdsa_from_der};
use crate::card::{Abilities, CardError, DecipherScheme, SignatureScheme};
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// Dynamic Authentication Template.
const TEMPLATE: Tag = Tag::new(0x7C);
/// Challenge: what is to be signed or deciphered.
const CHALLENGE: Tag = Tag::new(0x81);
/// Response; empty in a command, to ask for it.
const RESPONSE: Tag = Tag::new(0x82);
/// Exponentiation: the other party's public key.
const EXPONENTIATION: Tag = Tag::new(0x85);

const MALFORMED: CardError = CardError::Malformed { what: "answer to GENERAL AUTHENTICATE" };

/// The identifier of the key's algorithm; `None` for what no PIV card has.
///
/// RSA-3072 is SP 800-78-5's; RSA-4096, Ed25519 and X25519 are Yubico's (firmware 5.7).
pub(super) fn algorithm(kind: KeyKind) -> Option<u8> {
    match kind {
        KeyKind::Rsa { bits: 1024 } => Some(0x06),
        KeyKind::Rsa { bits: 2048 } => Some(0x07),
        KeyKind::Rsa { bits: 3072 } => Some(0x05),
        KeyKind::Rsa { bits: 4096 } => Some(0x16),
        KeyKind::Ec(Curve::P256) => Some(0x11),
        KeyKind::Ec(Curve::P384) => Some(0x14),
        KeyKind::Ed25519 => Some(0xE0),
        KeyKind::X25519 => Some(0xE1),
        KeyKind::Rsa { .. } | KeyKind::Ec(_) => None,
    }
}

/// What a key of this kind can do: RSA is raw exponentiation, EC keys sign a hash and agree.
pub(super) fn abilities(kind: KeyKind) -> Abilities {
    match kind {
        KeyKind::Rsa { .. } => {
            Abilities { sign: &[SignatureScheme::RsaRaw], decipher: &[DecipherScheme::RsaRaw], agree: false }
        }
        KeyKind::Ec(_) => Abilities { sign: &[SignatureScheme::Ecdsa], decipher: &[], agree: true },
        KeyKind::Ed25519 => Abilities { sign: &[SignatureScheme::Eddsa], decipher: &[], agree: false },
        KeyKind::X25519 => Abilities { sign: &[], decipher: &[], agree: true },
    }
}

/// Signs: RSA a block as long as the modulus, ECDSA a hash as long as the field, Ed25519 a message.
pub(super) fn sign(
    channel: &mut Channel<'_>,
    reference: u8,
    kind: KeyKind,
    scheme: SignatureScheme,
    input: &[u8],
) -> Result<Vec<u8>, CardError> {
    let acceptable = match (kind, scheme) {
        (KeyKind::Rsa { bits }, SignatureScheme::RsaRaw) => input.len() == bits / 8,
        (KeyKind::Ec(curve), SignatureScheme::Ecdsa) => input.len() == curve.field_len(),
        (KeyKind::Ed25519, SignatureScheme::Eddsa) => true,
        _ => return Err(CardError::NotSupported),
    };
    if !acceptable {
        return Err(CardError::Input);
    }
    let answer = exchange(channel, reference, kind, CHALLENGE, input)?;
    let response = response(&answer)?;
    match kind {
        KeyKind::Rsa { bits } => Ok(block(response, bits / 8)?.to_vec()),
        KeyKind::Ec(curve) => ecdsa_from_der(response, curve).map_err(|_| MALFORMED),
        _ if response.len() == 64 => Ok(response.to_vec()),
        _ => Err(MALFORMED),
    }
}

/// Raises an RSA cryptogram as long as the modulus to the private exponent; the whole block, padding included.
pub(super) fn decipher(
    channel: &mut Channel<'_>,
    reference: u8,
    kind: KeyKind,
    scheme: DecipherScheme,
    cryptogram: &[u8],
) -> Result<SecretBytes, CardError> {
    let (KeyKind::Rsa { bits }, DecipherScheme::RsaRaw) = (kind, scheme) else {
        return Err(CardError::NotSupported);
    };
    if cryptogram.len() != bits / 8 {
        return Err(CardError::Input);
    }
    let answer = exchange(channel, reference, kind, CHALLENGE, cryptogram)?;
    block(response(&answer)?, bits / 8)
}

/// Diffie-Hellman: the shared x-coordinate, or u-coordinate for X25519, as long as the field.
pub(super) fn agree(
    channel: &mut Channel<'_>,
    reference: u8,
    kind: KeyKind,
    peer: &PublicKey,
) -> Result<SecretBytes, CardError> {
    let (point, length): (&[u8], usize) = match (kind, peer) {
        (KeyKind::Ec(own), PublicKey::Ec { curve, point }) if own == *curve => (point, curve.field_len()),
        (KeyKind::X25519, PublicKey::X25519(point)) => (point, point.len()),
        (KeyKind::Ec(_) | KeyKind::X25519, _) => return Err(CardError::Input),
        _ => return Err(CardError::NotSupported),
    };
    let answer = exchange(channel, reference, kind, EXPONENTIATION, point)?;
    let shared = response(&answer)?;
    if shared.len() == length { Ok(Zeroizing::new(shared.to_vec())) } else { Err(MALFORMED) }
}

fn exchange(
    channel: &mut Channel<'_>,
    reference: u8,
    kind: KeyKind,
    tag: Tag,
    input: &[u8],
) -> Result<SecretBytes, CardError> {
    let algorithm = algorithm(kind).ok_or(CardError::NotSupported)?;
    let template = Builder::new().nested(TEMPLATE, Builder::new().push(RESPONSE, &[]).push(tag, input));
    security::general_authenticate(channel, algorithm, reference, template.finish_zeroizing())
}

/// The response in the template; an empty one is no answer.
fn response(answer: &[u8]) -> Result<&[u8], CardError> {
    let response = Reader::new(answer).find_path(&[TEMPLATE, RESPONSE]).map_err(|_| MALFORMED)?;
    response.filter(|response| !response.is_empty()).ok_or(MALFORMED)
}

/// `bytes` as a block of exactly `length`: cards are met that drop leading zeros, so these are put back.
fn block(bytes: &[u8], length: usize) -> Result<SecretBytes, CardError> {
    let zeros = length.checked_sub(bytes.len()).ok_or(MALFORMED)?;
    let mut block = Zeroizing::new(Vec::with_capacity(length));
    block.resize(zeros, 0);
    block.extend_from_slice(bytes);
    Ok(block)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_block_gets_its_leading_zeros_back_and_never_loses_a_byte() {
        assert_eq!(block(&[1, 2], 4).map(|block| block.to_vec()), Ok(vec![0, 0, 1, 2]));
        assert_eq!(block(&[1, 2, 3, 4], 4).map(|block| block.to_vec()), Ok(vec![1, 2, 3, 4]));
        assert_eq!(block(&[0, 1, 2, 3, 4], 4), Err(MALFORMED));
    }

    #[test]
    fn only_a_template_with_a_response_is_an_answer() {
        assert_eq!(response(&[0x7C, 0x04, 0x82, 0x02, 0xAA, 0xBB]), Ok(&[0xAA, 0xBB][..]));
        for answer in ["", "7C00", "7C028200", "7C03810155", "8201AA", "7C058203AABB", "7C0A8201AA", "7C82"] {
            assert_eq!(response(&hex::decode(answer).unwrap()), Err(MALFORMED), "{answer}");
        }
    }

    #[test]
    fn sizes_that_no_piv_card_has_have_no_algorithm() {
        assert_eq!(algorithm(KeyKind::Rsa { bits: 2047 }), None);
        assert_eq!(algorithm(KeyKind::Rsa { bits: 8192 }), None);
        assert_eq!(algorithm(KeyKind::Ec(Curve::P521)), None);
    }
}
