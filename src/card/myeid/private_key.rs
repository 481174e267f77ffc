//! Signatures, deciphering and key agreement with private keys.

use cardea_apdu::tlv::write;
use cardea_apdu::{Command, Tag};
use zeroize::Zeroizing;

use super::security_environment::{Algorithm, Operation, set_private};
use crate::card::command::security::compute_digital_signature;
use crate::card::command::{INS_PERFORM_SECURITY_OPERATION, execute};
use crate::card::key::{Curve, KeyKind, PublicKey, ecdsa_from_der};
use crate::card::{Abilities, CardError, DecipherScheme, PrivateKey, SignatureScheme};
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// GENERAL AUTHENTICATE, even instruction code.
const INS_GENERAL_AUTHENTICATE: u8 = 0x86;
/// Dynamic authentication template.
const TEMPLATE: Tag = Tag::new(0x7C);
/// The other party's public key in it.
const PEER: Tag = Tag::new(0x85);
/// Padding indicators before a cryptogram: none, first half of it, second half.
const WHOLE: u8 = 0x00;
const FIRST_HALF: u8 = 0x81;
const SECOND_HALF: u8 = 0x82;
/// Length of a cryptogram that is sent in halves: with the padding indicator it is too long for a short command.
///
/// All versions take halves, those before 4.5 nothing else; chaining one of this length fails on 4.5 when it is
/// unwrapped (OpenSC, card-myeid.c). Longer keys exist from 4.5 on only, which chains.
const IN_HALVES: usize = 256;
/// Shortest modulus for which PSO: COMPUTE DIGITAL SIGNATURE takes no raw block (MyEID reference manual 2.1.4); the
/// private operation is then that of DECIPHER.
const NO_RAW_SIGNATURE: usize = 256;
/// Bytes of padding of PKCS#1 v1.5, at the least (RFC 8017 9.2).
const PADDING_LEAST: usize = 11;

/// What a key of this kind can do.
pub(super) fn abilities(kind: KeyKind) -> Abilities {
    match kind {
        // The card's own padding first: a DigestInfo is one short command where a block of 2048 bits is two.
        KeyKind::Rsa { .. } => Abilities {
            sign: &[SignatureScheme::RsaPkcs1, SignatureScheme::RsaRaw],
            decipher: &[DecipherScheme::RsaRaw, DecipherScheme::RsaPkcs1],
            agree: false,
        },
        KeyKind::Ec(_) => Abilities { sign: &[SignatureScheme::Ecdsa], decipher: &[], agree: true },
        KeyKind::Ed25519 | KeyKind::X25519 => Abilities { sign: &[], decipher: &[], agree: false },
    }
}

/// Signs `input` as `scheme` says.
pub(super) fn sign(
    channel: &mut Channel<'_>,
    key: &PrivateKey,
    scheme: SignatureScheme,
    input: &[u8],
) -> Result<Vec<u8>, CardError> {
    match (scheme, key.kind) {
        (SignatureScheme::Ecdsa, KeyKind::Ec(curve)) => ecdsa(channel, key, curve, input),
        (SignatureScheme::RsaRaw, KeyKind::Rsa { bits }) => {
            raw_signature(channel, key, bits.div_ceil(8), input).map(|signature| signature.to_vec())
        }
        (SignatureScheme::RsaPkcs1, KeyKind::Rsa { bits }) => {
            let length = bits.div_ceil(8);
            if input.len() + PADDING_LEAST > length {
                return Err(CardError::Input);
            }
            // The card refuses a command without data.
            if input.is_empty() {
                let padding = vec![0xFF; length - 3];
                let block = [&[0x00, 0x01][..], &padding, &[0x00]].concat();
                return raw_signature(channel, key, length, &block).map(|signature| signature.to_vec());
            }
            set_private(channel, Operation::Sign, Algorithm::Pkcs1, key.reference)?;
            let signature = compute_digital_signature(channel, input)?;
            Ok(full(&signature, length, "RSA signature")?.to_vec())
        }
        _ => Err(CardError::NotSupported),
    }
}

fn ecdsa(channel: &mut Channel<'_>, key: &PrivateKey, curve: Curve, hash: &[u8]) -> Result<Vec<u8>, CardError> {
    if hash.len() != curve.field_len() {
        return Err(CardError::Input);
    }
    set_private(channel, Operation::Sign, Algorithm::Curve, key.reference)?;
    let signature = compute_digital_signature(channel, hash)?;
    ecdsa_from_der(&signature, curve).map_err(|_| CardError::Malformed { what: "ECDSA signature" })
}

fn raw_signature(
    channel: &mut Channel<'_>,
    key: &PrivateKey,
    length: usize,
    block: &[u8],
) -> Result<SecretBytes, CardError> {
    if block.len() != length {
        return Err(CardError::Input);
    }
    if length >= NO_RAW_SIGNATURE {
        return private_operation(channel, key, Algorithm::Plain, length, block);
    }
    set_private(channel, Operation::Sign, Algorithm::Plain, key.reference)?;
    let signature = compute_digital_signature(channel, block)?;
    full(&signature, length, "RSA signature")
}

/// Deciphers `cryptogram` as `scheme` says.
pub(super) fn decipher(
    channel: &mut Channel<'_>,
    key: &PrivateKey,
    scheme: DecipherScheme,
    cryptogram: &[u8],
) -> Result<SecretBytes, CardError> {
    let KeyKind::Rsa { bits } = key.kind else { return Err(CardError::NotSupported) };
    let length = bits.div_ceil(8);
    if cryptogram.len() != length {
        return Err(CardError::Input);
    }
    match scheme {
        DecipherScheme::RsaRaw => private_operation(channel, key, Algorithm::Plain, length, cryptogram),
        DecipherScheme::RsaPkcs1 => {
            set_private(channel, Operation::Decipher, Algorithm::Pkcs1, key.reference)?;
            send_cryptogram(channel, 0x80, cryptogram)
        }
    }
}

/// The private operation of DECIPHER: a block as long as the modulus.
fn private_operation(
    channel: &mut Channel<'_>,
    key: &PrivateKey,
    algorithm: Algorithm,
    length: usize,
    block: &[u8],
) -> Result<SecretBytes, CardError> {
    set_private(channel, Operation::Decipher, algorithm, key.reference)?;
    let plain = send_cryptogram(channel, 0x80, block)?;
    full(&plain, length, "RSA block")
}

/// PERFORM SECURITY OPERATION with an RSA cryptogram. `p1` is 80 for an answer, 00 to unwrap into a file.
pub(super) fn send_cryptogram(channel: &mut Channel<'_>, p1: u8, cryptogram: &[u8]) -> Result<SecretBytes, CardError> {
    let halves = if cryptogram.len() == IN_HALVES { cryptogram.split_at_checked(IN_HALVES / 2) } else { None };
    let (indicator, last) = match halves {
        Some((first, second)) => {
            execute(channel, cryptogram_command(p1, FIRST_HALF, first))?;
            (SECOND_HALF, second)
        }
        None => (WHOLE, cryptogram),
    };
    let command = cryptogram_command(p1, indicator, last);
    let command = if p1 == 0x00 { command } else { command.le_max().secret_response() };
    execute(channel, command)
}

fn cryptogram_command(p1: u8, indicator: u8, cryptogram: &[u8]) -> Command {
    let data = [&[indicator][..], cryptogram].concat();
    Command::new(0x00, INS_PERFORM_SECURITY_OPERATION, p1, 0x86).data(&data)
}

/// ECDH: the x coordinate of the common point.
pub(super) fn agree(channel: &mut Channel<'_>, key: &PrivateKey, peer: &PublicKey) -> Result<SecretBytes, CardError> {
    let KeyKind::Ec(curve) = key.kind else { return Err(CardError::NotSupported) };
    let point = match peer {
        PublicKey::Ec { curve: theirs, point } if *theirs == curve => point,
        _ => return Err(CardError::Input),
    };
    set_private(channel, Operation::Agree, Algorithm::Curve, key.reference)?;
    let template = write(TEMPLATE, &write(PEER, point));
    let command = Command::new(0x00, INS_GENERAL_AUTHENTICATE, 0x00, 0x00).data(&template);
    let secret = execute(channel, command.le_max().secret_response())?;
    full(&secret, curve.field_len(), "shared secret")
}

/// A number with the leading zeros that a card may leave out.
fn full(number: &[u8], length: usize, what: &'static str) -> Result<SecretBytes, CardError> {
    let zeros = length.checked_sub(number.len()).filter(|_| !number.is_empty());
    let zeros = zeros.ok_or(CardError::Malformed { what })?;
    let mut whole = Zeroizing::new(Vec::with_capacity(length));
    whole.resize(zeros, 0);
    whole.extend_from_slice(number);
    Ok(whole)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_that_the_card_left_out_come_back() {
        assert_eq!(*full(&[1, 2], 4, "").unwrap(), [0, 0, 1, 2]);
        assert_eq!(full(&[1, 2, 3], 2, "block"), Err(CardError::Malformed { what: "block" }));
        assert_eq!(full(&[], 2, "block"), Err(CardError::Malformed { what: "block" }));
    }

    #[test]
    fn a_cryptogram_of_2048_bits_is_sent_in_halves() {
        let first = cryptogram_command(0x80, FIRST_HALF, &[7; IN_HALVES / 2]);
        assert!(first.fits_short());
        assert_eq!(first.data_bytes().first(), Some(&FIRST_HALF));
    }
}
