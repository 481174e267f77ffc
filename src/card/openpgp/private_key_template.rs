//! The extended header list 4D, by which private keys are brought to the card (OpenPGP card 4.4.3.12).

use cardea_apdu::Tag;
use cardea_apdu::tlv::{Builder, header, write};
use zeroize::Zeroizing;

use super::algorithm::{Attributes, ImportFormat};
use super::key_reference::Key;
use crate::card::CardError;
use crate::card::key::{KeyKind, PublicKey};
use crate::card::new_key::PrivateValue;
use crate::card::number::of_length;
use crate::secret::SecretBytes;

/// Extended header list.
const HEADER_LIST: Tag = Tag::new(0x4D);
/// Cardholder private key template: tags and lengths of the parts.
const TEMPLATE: Tag = Tag::new(0x7F48);
/// The parts themselves, one behind the other.
const CONCATENATION: Tag = Tag::new(0x5F48);
/// RSA: public exponent, primes, CRT components, modulus.
const RSA_TAGS: [Tag; 7] =
    [Tag::new(0x91), Tag::new(0x92), Tag::new(0x93), Tag::new(0x94), Tag::new(0x95), Tag::new(0x96), Tag::new(0x97)];
/// Curves: the private and the public key.
const SCALAR: Tag = Tag::new(0x92);
const POINT: Tag = Tag::new(0x99);
/// What stands before points of Curve25519 in templates.
const NATIVE_POINT: u8 = 0x40;

/// The list that brings `value` to the place of `key`.
pub(super) fn extended_header_list(
    key: Key,
    attributes: &Attributes,
    value: &PrivateValue,
) -> Result<SecretBytes, CardError> {
    let parts = parts(attributes, value)?;
    let mut lengths = Vec::new();
    for (tag, part) in &parts {
        lengths.extend_from_slice(&header(*tag, part.len()));
    }
    let mut data = Zeroizing::new(Vec::with_capacity(parts.iter().map(|(_, part)| part.len()).sum()));
    for (_, part) in &parts {
        data.extend_from_slice(part);
    }
    let reference = write(key.template(), &[]);
    let list = Builder::new().raw(&reference).push(TEMPLATE, &lengths).push(CONCATENATION, &data);
    Ok(Builder::new().nested(HEADER_LIST, list).finish_zeroizing())
}

fn parts(attributes: &Attributes, value: &PrivateValue) -> Result<Vec<(Tag, SecretBytes)>, CardError> {
    match (attributes.kind, value) {
        (
            KeyKind::Rsa { bits },
            PrivateValue::Rsa { modulus, exponent, prime_1, prime_2, exponent_1, exponent_2, coefficient, .. },
        ) => {
            let (crt, with_modulus) = match attributes.format {
                ImportFormat::Crt => (true, false),
                ImportFormat::CrtWithModulus => (true, true),
                ImportFormat::StandardWithModulus => (false, true),
                _ => (false, false),
            };
            let half = bits / 16;
            let exponent_length = usize::from(attributes.exponent_bits).div_ceil(8);
            let numbers: [(&[u8], usize, bool); 7] = [
                (exponent, exponent_length, true),
                (prime_1, half, true),
                (prime_2, half, true),
                (coefficient, half, crt),
                (exponent_1, half, crt),
                (exponent_2, half, crt),
                (modulus, bits / 8, with_modulus),
            ];
            let wanted = RSA_TAGS.into_iter().zip(numbers).filter(|(_, (.., wanted))| *wanted);
            wanted.map(|(tag, (number, length, _))| Ok((tag, of_length(number, length)?))).collect()
        }
        (KeyKind::Ec(own), PrivateValue::Ec { curve, scalar, point }) if own == *curve => {
            let mut parts = vec![(SCALAR, of_length(scalar, curve.field_len())?)];
            if attributes.format == ImportFormat::ScalarWithPublicKey {
                parts.push((POINT, Zeroizing::new(point.clone())));
            }
            Ok(parts)
        }
        (own, PrivateValue::Montgomery { kind, scalar, public }) if own == *kind => {
            let mut scalar = scalar.clone();
            if *kind == KeyKind::X25519 {
                // OpenPGP has this scalar as a big-endian number (RFC 9580 5.5.5.4), RFC 7748 little-endian.
                scalar.reverse();
            }
            let mut parts = vec![(SCALAR, scalar)];
            if attributes.format == ImportFormat::ScalarWithPublicKey {
                let point = [&[NATIVE_POINT][..], public].concat();
                parts.push((POINT, Zeroizing::new(point)));
            }
            Ok(parts)
        }
        _ => Err(CardError::Input),
    }
}

/// The public half of what is brought.
pub(super) fn public(value: &PrivateValue) -> Result<PublicKey, CardError> {
    let public = match value {
        PrivateValue::Rsa { modulus, exponent, .. } => PublicKey::from_rsa(modulus, exponent),
        PrivateValue::Ec { curve, point, .. } => PublicKey::from_ec_point(*curve, point),
        PrivateValue::Montgomery { kind: KeyKind::Ed25519, public, .. } => PublicKey::from_ed25519(public),
        PrivateValue::Montgomery { public, .. } => PublicKey::from_x25519(public),
    };
    public.map_err(|_| CardError::Input)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rsa() -> PrivateValue {
        let secret = |byte: u8| SecretBytes::new(vec![byte; 64]);
        PrivateValue::Rsa {
            modulus: vec![0x81; 128],
            exponent: vec![1, 0, 1],
            private_exponent: secret(9),
            prime_1: secret(2),
            prime_2: secret(3),
            exponent_1: secret(5),
            exponent_2: secret(6),
            coefficient: secret(4),
        }
    }

    fn list(attributes: &str, value: &PrivateValue) -> String {
        let attributes = Attributes::parse(&hex::decode(attributes).unwrap()).unwrap();
        hex::encode_upper(extended_header_list(Key::Decryption, &attributes, value).unwrap())
    }

    #[test]
    fn an_rsa_key_goes_in_the_format_that_the_attributes_name() {
        let part = |byte: &str| byte.repeat(64);
        let standard = format!("00010001{}{}", part("02"), part("03"));
        assert_eq!(list("010400002000", &rsa()), format!("4D8193B8007F48069104924093405F488184{standard}"));
        let crt = list("010400001103", &rsa());
        assert!(crt.contains("7F480F910392409340944095409640978180"), "{crt}");
        assert!(crt.ends_with(&format!(
            "010001{}{}{}{}{}{}",
            part("02"),
            part("03"),
            part("04"),
            part("05"),
            part("06"),
            "81".repeat(128)
        )));
    }

    #[test]
    fn a_scalar_of_x25519_is_turned_round() {
        let scalar: Vec<u8> = (0..32).collect();
        let value = PrivateValue::Montgomery { kind: KeyKind::X25519, scalar: scalar.into(), public: [7; 32] };
        let with_public = list("122B060104019755010501FF", &value);
        assert!(with_public.contains("7F480492209921"), "{with_public}");
        assert!(with_public.contains("1F1E1D") && with_public.contains("02010040070707"), "{with_public}");
    }

    #[test]
    fn a_key_of_another_size_or_curve_is_not_sent() {
        for attributes in ["010200002000", "132A8648CE3D030107", "162B06010401DA470F01"] {
            let attributes = Attributes::parse(&hex::decode(attributes).unwrap()).unwrap();
            assert!(extended_header_list(Key::Signature, &attributes, &rsa()).is_err());
        }
    }
}
