//! Public keys as the card has them: in files of PuKDF, and in the key files themselves.

use cardea_apdu::Tag;
use cardea_apdu::tlv::Reader;

use crate::card::CardError;
use crate::card::command::data_object::get_data_by_number;
use crate::card::key::{Curve, KeyKind, PublicKey};
use crate::channel::Channel;

const INTEGER: Tag = Tag::new(0x02);
const SEQUENCE: Tag = Tag::new(0x30);
/// Modulus of the selected RSA key.
const MODULUS: u16 = 0x0101;
/// Public exponent of the selected RSA key.
const PUBLIC_EXPONENT: u16 = 0x0102;
/// Point of the selected key on a curve.
const POINT: u16 = 0x0186;
/// Tags in which the point comes: as the answer to GET DATA, and to GENERATE KEY PAIR.
const POINT_TAGS: [Tag; 2] = [SEQUENCE, Tag::new(0x86)];

/// The content of a public key file: SubjectPublicKeyInfo, RSAPublicKey, or a point, which may be an OCTET STRING.
pub(super) fn from_file(content: &[u8], kind: Option<KeyKind>) -> Option<PublicKey> {
    let key = PublicKey::from_spki(content).ok().or_else(|| rsa_public_key(content));
    let key = key.or_else(|| PublicKey::point_from_caller(kind?, content).ok())?;
    kind.is_none_or(|kind| kind == key.kind()).then_some(key)
}

/// RSAPublicKey (RFC 8017 A.1.1).
fn rsa_public_key(content: &[u8]) -> Option<PublicKey> {
    let mut numbers = Reader::new(content).expect_next(SEQUENCE).ok()?.children();
    let modulus = numbers.expect_next(INTEGER).ok()?.value;
    let exponent = numbers.expect_next(INTEGER).ok()?.value;
    PublicKey::from_rsa(modulus, exponent).ok()
}

/// The public half of the key pair in the selected file.
pub(super) fn of_selected(channel: &mut Channel<'_>, kind: KeyKind) -> Result<PublicKey, CardError> {
    let malformed = CardError::Malformed { what: "public key" };
    let key = match kind {
        KeyKind::Rsa { .. } => {
            let modulus = get_data_by_number(channel, MODULUS)?;
            let exponent = get_data_by_number(channel, PUBLIC_EXPONENT)?;
            PublicKey::from_rsa(&modulus, &exponent).ok()
        }
        KeyKind::Ec(curve) => point(&get_data_by_number(channel, POINT)?, curve),
        KeyKind::Ed25519 | KeyKind::X25519 => return Err(CardError::NotSupported),
    };
    key.filter(|key| key.kind() == kind).ok_or(malformed)
}

/// The point in a data object of the card, or by itself.
pub(super) fn point(answer: &[u8], curve: Curve) -> Option<PublicKey> {
    let object = Reader::new(answer).next().and_then(Result::ok).filter(|object| POINT_TAGS.contains(&object.tag));
    PublicKey::from_ec_point(curve, object.map_or(answer, |object| object.value)).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use cardea_apdu::tlv::write;

    use super::*;
    use crate::card::key::octet_string;

    const P256: KeyKind = KeyKind::Ec(Curve::P256);
    /// The base point of P-256 (SP 800-186 3.2.1.3).
    const POINT: &str = "04\
        6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296\
        4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5";

    fn base_point() -> Vec<u8> {
        hex::decode(POINT).unwrap()
    }

    #[test]
    fn a_point_is_read_in_every_form() {
        let key = PublicKey::from_ec_point(Curve::P256, &base_point()).unwrap();
        for content in [base_point(), octet_string(&base_point()), key.to_spki()] {
            assert_eq!(from_file(&content, Some(P256)).as_ref(), Some(&key));
        }
        for answer in [write(Tag::new(0x30), &base_point()), write(Tag::new(0x86), &base_point()), base_point()] {
            assert_eq!(point(&answer, Curve::P256).as_ref(), Some(&key));
        }
    }

    #[test]
    fn a_key_of_another_kind_than_the_list_says_is_not_taken() {
        let key = PublicKey::from_ec_point(Curve::P256, &base_point()).unwrap();
        assert_eq!(from_file(&key.to_spki(), Some(KeyKind::Rsa { bits: 2048 })), None);
        assert_eq!(from_file(&base_point(), Some(KeyKind::Ec(Curve::P384))), None);
    }

    #[test]
    fn an_rsa_public_key_is_read_without_its_algorithm() {
        let modulus = [&[0x00, 0xC0][..], &[0x11; 62], &[0x01]].concat();
        let numbers = [write(INTEGER, &modulus), write(INTEGER, &[0x01, 0x00, 0x01])].concat();
        let key = from_file(&write(SEQUENCE, &numbers), Some(KeyKind::Rsa { bits: 512 })).unwrap();
        assert_eq!(key.kind(), KeyKind::Rsa { bits: 512 });
    }
}
