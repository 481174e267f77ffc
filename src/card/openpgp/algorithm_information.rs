//! Algorithm information, DO FA (OpenPGP card 4.4.3.11): the algorithms that each of the three keys can have.

use cardea_apdu::Tag;
use cardea_apdu::tlv::Reader;

use super::algorithm::Attributes;
use super::key_reference::Key;
use crate::card::CardError;
use crate::card::command::data_object::get_data_by_number;
use crate::card::key::KeyKind;
use crate::channel::Channel;

/// DO FA.
const ALGORITHM_INFORMATION: u16 = 0xFA;
/// Most entries that are taken from a card.
const MOST: usize = 128;

/// Attributes that a key may get, as far as they are known here, in the card's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlgorithmInformation(Vec<(Key, Attributes)>);

impl AlgorithmInformation {
    /// GET DATA; `None` where the card does not have it, or says nothing that can be used.
    pub(super) fn read(channel: &mut Channel<'_>) -> Result<Option<Self>, CardError> {
        match get_data_by_number(channel, ALGORITHM_INFORMATION) {
            Ok(answer) => Ok(Self::parse(&answer)),
            Err(error @ CardError::Channel(_)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Reads the answer: the object with its tag or its content alone (opcard). One that is broken anywhere, or names no
    /// algorithm for one of the keys, is none.
    fn parse(answer: &[u8]) -> Option<Self> {
        let whole = Reader::new(answer);
        let content = match whole.find(Tag::new(u32::from(ALGORITHM_INFORMATION))).ok()? {
            Some(content) => Reader::new(content),
            None => whole,
        };
        let mut entries = Vec::new();
        for object in content.take(MOST) {
            let object = object.ok()?;
            // Others are of the attestation key (DA), of secure messaging, or of cards to come.
            let named = Key::ALL.into_iter().find(|key| object.tag == Tag::new(u32::from(key.attributes())));
            let Some(key) = named else { continue };
            entries.extend(Attributes::listed(key, object.value).map(|attributes| (key, attributes)));
        }
        let complete = Key::ALL.into_iter().all(|key| entries.iter().any(|(of, _)| *of == key));
        complete.then_some(Self(entries))
    }

    /// The attributes with which `key` may be of this kind.
    pub(super) fn attributes(&self, key: Key, kind: KeyKind) -> Option<Attributes> {
        let is_wanted = |(of, attributes): &&(Key, Attributes)| *of == key && attributes.kind == kind;
        self.0.iter().find(is_wanted).map(|(_, attributes)| *attributes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::algorithm::ImportFormat;
    use super::*;
    use crate::card::key::Curve;

    /// Signature RSA 1024 and P-256, decryption RSA 2048, authentication Ed25519, and an attestation key.
    const CONTENT: &str =
        "C106 010400001100 C10A 132A8648CE3D030107FF C206 010800002000 C30A 162B06010401DA470F01 DA03 990000";

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn each_key_has_the_algorithms_that_are_listed_for_it() {
        let content = bytes(CONTENT);
        let wrapped = [&[0xFA, u8::try_from(content.len()).unwrap()][..], &content].concat();
        for answer in [content, wrapped] {
            let information = AlgorithmInformation::parse(&answer).unwrap();
            let rsa = information.attributes(Key::Signature, KeyKind::Rsa { bits: 1024 }).unwrap();
            assert_eq!((rsa.exponent_bits, rsa.format), (17, ImportFormat::Standard));
            assert_eq!(information.attributes(Key::Decryption, KeyKind::Rsa { bits: 1024 }), None);
            let ec = information.attributes(Key::Signature, KeyKind::Ec(Curve::P256)).unwrap();
            assert_eq!(ec.format, ImportFormat::ScalarWithPublicKey);
            assert!(information.attributes(Key::Authentication, KeyKind::Ed25519).is_some());
            assert_eq!(information.attributes(Key::Authentication, KeyKind::Ec(Curve::P256)), None);
        }
    }

    #[test]
    fn x25519_is_found_where_a_card_lists_it_as_eddsa() {
        let content = format!("{CONTENT} C20B162B060104019755010501");
        let information = AlgorithmInformation::parse(&bytes(&content)).unwrap();
        assert_eq!(information.attributes(Key::Decryption, KeyKind::X25519).unwrap().kind, KeyKind::X25519);
        assert_eq!(information.attributes(Key::Decryption, KeyKind::Ed25519), None);
    }

    #[test]
    fn what_is_broken_or_leaves_a_key_without_algorithms_is_no_information() {
        let whole = bytes(CONTENT);
        for text in ["", "FA", "FA00", "C1", "C105", "C10601080000", "C106010800001100"] {
            assert_eq!(AlgorithmInformation::parse(&hex::decode(text).unwrap()), None, "{text}");
        }
        for end in [1, 9, whole.len() - 1] {
            assert_eq!(AlgorithmInformation::parse(whole.get(..end).unwrap()), None, "{end}");
        }
    }
}
