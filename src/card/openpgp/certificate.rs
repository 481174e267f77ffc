//! Cardholder certificates, DO 7F21 (OpenPGP card 4.4.3.5, 7.2.5): one in version 2, three from version 3.0 on.

use cardea_apdu::Tag;
use cardea_apdu::tlv::Reader;

use super::identifier::{Identifier, Version, YUBICO};
use super::key_reference::Key;
use crate::card::command::data_object::{get_data_by_number, put_data_by_number, select_data};
use crate::card::{CardError, Certificate};
use crate::channel::Channel;

/// DO 7F21.
const CERTIFICATE: u16 = 0x7F21;
/// General reference template with the tag list of DO 7F21.
const REFERENCE: &[u8] = &[0x60, 0x04, 0x5C, 0x02, 0x7F, 0x21];
/// YubiKeys before firmware 5.4.4 want the template's length before it (Yubico's ykman, 2021).
const REFERENCE_WITH_LENGTH: &[u8] = &[0x06, 0x60, 0x04, 0x5C, 0x02, 0x7F, 0x21];
/// Longest certificate that is taken from a card.
const LONGEST: usize = 32 * 1024;
/// SEQUENCE.
const SEQUENCE: Tag = Tag::new(0x30);

/// How certificates are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// There is one, the authentication key's.
    Single,
    /// By SELECT DATA.
    Selected,
    /// By SELECT DATA in Yubico's early form.
    SelectedWithLength,
}

impl Access {
    /// What a card of this version has.
    pub(super) fn of(identifier: &Identifier) -> Self {
        if identifier.version >= Version::THREE_CERTIFICATES { Self::Selected } else { Self::Single }
    }

    /// Whether `key` can have a certificate.
    pub(super) fn reaches(self, key: Key) -> bool {
        self != Self::Single || key == Key::Authentication
    }

    /// Makes DO 7F21 mean the certificate of `key`.
    fn choose(&mut self, channel: &mut Channel<'_>, identifier: &Identifier, key: Key) -> Result<(), CardError> {
        match self {
            Self::Single if key == Key::Authentication => return Ok(()),
            Self::Single => return Err(CardError::NotFound),
            Self::SelectedWithLength => return select_data(channel, key.occurrence(), REFERENCE_WITH_LENGTH),
            Self::Selected => {}
        }
        match select_data(channel, key.occurrence(), REFERENCE) {
            Err(error @ CardError::Channel(_)) => Err(error),
            Err(_) if identifier.manufacturer == YUBICO => {
                select_data(channel, key.occurrence(), REFERENCE_WITH_LENGTH)?;
                *self = Self::SelectedWithLength;
                Ok(())
            }
            result => result,
        }
    }

    /// The certificate of `key`, where the card has one that begins as a certificate does.
    pub(super) fn read(
        &mut self,
        channel: &mut Channel<'_>,
        identifier: &Identifier,
        key: Key,
    ) -> Result<Option<Vec<u8>>, CardError> {
        if !self.reaches(key) {
            return Ok(None);
        }
        let content = self.choose(channel, identifier, key).and_then(|()| get_data_by_number(channel, CERTIFICATE));
        match content {
            Ok(content) => Ok(certificate(&content)),
            Err(error @ CardError::Channel(_)) => Err(error),
            // The card has no such object, or none yet.
            Err(_) => Ok(None),
        }
    }

    /// The same before a write: what the card only does not show may be there.
    pub(super) fn read_before_write(
        &mut self,
        channel: &mut Channel<'_>,
        identifier: &Identifier,
        key: Key,
    ) -> Result<Option<Vec<u8>>, CardError> {
        self.choose(channel, identifier, key)?;
        match get_data_by_number(channel, CERTIFICATE) {
            Ok(content) => Ok(certificate(&content)),
            Err(CardError::NotFound | CardError::NotSupported) => Ok(None),
            Err(CardError::Status { status, .. }) if matches!(status.sw1(), 0x6A..=0x6B) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the certificate of `key`; an empty one deletes it.
    pub(super) fn write(
        &mut self,
        channel: &mut Channel<'_>,
        identifier: &Identifier,
        key: Key,
        der: &[u8],
    ) -> Result<(), CardError> {
        self.choose(channel, identifier, key)?;
        put_data_by_number(channel, CERTIFICATE, der.to_vec().into())
    }
}

/// The first SEQUENCE of the content; what is behind it is padding. The object's own tag may be around it.
fn certificate(content: &[u8]) -> Option<Vec<u8>> {
    let whole = Reader::new(content);
    let inside = match whole.clone().next()?.ok()? {
        object if object.tag == Tag::new(u32::from(CERTIFICATE)) => object.children(),
        _ => whole,
    };
    let object = inside.clone().expect_next(SEQUENCE).ok()?;
    (object.encoded().len() <= LONGEST).then(|| object.encoded().to_vec())
}

/// The object that Cryptoki shows.
pub(super) fn object(key: Key, der: Vec<u8>, belongs: bool) -> Certificate {
    let public = super::x509::fields(&der).and_then(|fields| fields.public);
    let id = if belongs { vec![key.number()] } else { Vec::new() };
    Certificate { reference: Some(key.certificate()), id, label: key.label().to_owned(), der, public }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Vec<u8>> {
        certificate(&hex::decode(text).unwrap())
    }

    #[test]
    fn a_certificate_is_found_bare_wrapped_and_padded() {
        let expected = hex::decode("3003020101").unwrap();
        for text in ["3003020101", "7F21053003020101", "30030201010000", "3003020101FFFF"] {
            assert_eq!(of(text).as_ref(), Some(&expected), "{text}");
        }
    }

    #[test]
    fn what_does_not_begin_as_a_certificate_is_none() {
        for text in ["", "30", "3080", "308203", "30030201", "0203010101", "7F2100", "7F2105300302", "FFFF"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
