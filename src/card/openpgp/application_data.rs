//! Application related data, DO 6E (OpenPGP card 4.4.1): nearly everything about the card in one answer.

use cardea_apdu::Tag;
use cardea_apdu::extended_length::{EXTENDED_LENGTH_INFORMATION, ExtendedLengthInformation};
use cardea_apdu::tlv::Reader;

use super::algorithm::Attributes;
use super::identifier::Identifier;
use super::key_reference::Key;
use super::password::Status;
use crate::card::command::data_object::get_data_by_number;
use crate::card::{CardError, KeyPolicy, Touch};
use crate::channel::Channel;

/// Tag of the object in P1-P2.
const APPLICATION_RELATED_DATA: u16 = 0x6E;
const FINGERPRINT: usize = 20;
const MALFORMED: CardError = CardError::Malformed { what: "application related data" };

/// What DO DE says of a key (from version 3.0 on).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// There is no key.
    None,
    /// Generated on the card.
    Generated,
    /// Imported.
    Imported,
}

/// What is said of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct KeyData {
    /// `None` for an algorithm that is not known here.
    pub(super) attributes: Option<Attributes>,
    /// `None` where the card does not say.
    pub(super) origin: Option<Origin>,
    /// Its fingerprint is not all zeros.
    pub(super) has_fingerprint: bool,
    /// When it was made, in seconds since 1970; 0 where the card does not say.
    pub(super) generation_time: u32,
    pub(super) policy: KeyPolicy,
}

/// Extended capabilities, DO C0 (OpenPGP card 4.4.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Capabilities {
    pub(super) challenge: bool,
    pub(super) key_import: bool,
    pub(super) changeable_status: bool,
    pub(super) private_data: bool,
    pub(super) changeable_attributes: bool,
    pub(super) aes: bool,
    pub(super) kdf: bool,
    /// Longest challenge.
    pub(super) challenge_length: usize,
    /// Longest certificate.
    pub(super) certificate_length: usize,
    /// Longest other data object.
    pub(super) data_length: usize,
}

/// The content of DO 6E.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ApplicationData {
    pub(super) identifier: Identifier,
    pub(super) capabilities: Capabilities,
    pub(super) passwords: Status,
    /// How long APDUs may be; only some cards tell.
    extended_length: Option<ExtendedLengthInformation>,
    /// In the order of [`Key::ALL`].
    keys: [KeyData; 3],
}

impl ApplicationData {
    /// GET DATA of 6E.
    pub(super) fn read(channel: &mut Channel<'_>) -> Result<Self, CardError> {
        let data = Self::parse(&get_data_by_number(channel, APPLICATION_RELATED_DATA)?)?;
        if let Some(lengths) = data.extended_length {
            channel.card_takes(lengths.command);
        }
        Ok(data)
    }

    /// Reads the answer. Cards give the object with its tag or its content alone (opcard); the discretionary data
    /// stand in 73 or, before version 2.0, beside it.
    pub(super) fn parse(answer: &[u8]) -> Result<Self, CardError> {
        let whole = Reader::new(answer);
        let content = match whole.find(Tag::new(0x6E)).map_err(|_| MALFORMED)? {
            Some(content) => Reader::new(content),
            None => whole,
        };
        let inner = content.find(Tag::new(0x73)).map_err(|_| MALFORMED)?.map(Reader::new);
        let find = |tag: u32| -> Result<Option<&[u8]>, CardError> {
            let inside = inner.as_ref().map_or(Ok(None), |inner| inner.find(Tag::new(tag)));
            match inside.map_err(|_| MALFORMED)? {
                Some(value) => Ok(Some(value)),
                None => content.find(Tag::new(tag)).map_err(|_| MALFORMED),
            }
        };
        let identifier = Identifier::parse(find(0x4F)?.ok_or(MALFORMED)?)?;
        let capabilities = Capabilities::parse(find(0xC0)?.ok_or(MALFORMED)?, &identifier)?;
        let passwords = Status::parse(find(0xC4)?.ok_or(MALFORMED)?)?;
        let extended_length = find(EXTENDED_LENGTH_INFORMATION.number())?;
        let extended_length = extended_length.and_then(|value| ExtendedLengthInformation::parse(value).ok());
        let fingerprints = find(0xC5)?.unwrap_or_default();
        let (times, _) = find(0xCD)?.unwrap_or_default().as_chunks::<4>();
        let origins = find(0xDE)?;
        let mut keys = [KeyData::default(); 3];
        for (key, data) in Key::ALL.into_iter().zip(&mut keys) {
            let fingerprint = fingerprints.chunks_exact(FINGERPRINT).nth(key.index());
            *data = KeyData {
                attributes: find(u32::from(key.attributes()))?.and_then(Attributes::parse),
                origin: origins.and_then(|origins| origin(origins, key)),
                generation_time: times.get(key.index()).map_or(0, |time| u32::from_be_bytes(*time)),
                has_fingerprint: fingerprint.is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)),
                policy: KeyPolicy { pin: None, touch: find(u32::from(key.interaction_flag()))?.and_then(touch) },
            };
        }
        Ok(Self { identifier, capabilities, passwords, extended_length, keys })
    }

    /// Of a card that tells no more than this, or nothing.
    pub(super) fn untold(identifier: Identifier) -> Self {
        Self { identifier, ..Self::default() }
    }

    /// Whether there is no key, as far as the card tells.
    pub(super) fn has_no_key(&self) -> bool {
        self.keys.iter().all(|key| key.origin.map_or(!key.has_fingerprint, |origin| origin == Origin::None))
    }

    /// What is said of one key.
    pub(super) fn key(&self, key: Key) -> KeyData {
        let [signature, decryption, authentication] = self.keys;
        match key {
            Key::Signature => signature,
            Key::Decryption => decryption,
            Key::Authentication => authentication,
        }
    }
}

impl Capabilities {
    /// Reads C0. Lengths of two bytes stand in the same places in versions 2 and 3, but for the last: versions 2 have the
    /// longest command there.
    fn parse(content: &[u8], identifier: &Identifier) -> Result<Self, CardError> {
        let flags = *content.first().ok_or(MALFORMED)?;
        let number = |at: usize| match content.get(at..at + 2) {
            Some([high, low]) => usize::from(u16::from_be_bytes([*high, *low])),
            _ => 0,
        };
        let three = identifier.version.0 >= 3;
        Ok(Self {
            challenge: flags & 0x40 != 0,
            key_import: flags & 0x20 != 0,
            changeable_status: flags & 0x10 != 0,
            private_data: flags & 0x08 != 0,
            changeable_attributes: flags & 0x04 != 0,
            aes: three && flags & 0x02 != 0,
            // Gnuk has it in version 2.0 too.
            kdf: flags & 0x01 != 0,
            challenge_length: number(2),
            certificate_length: number(4),
            data_length: if three { number(6) } else { 254 },
        })
    }
}

/// The state of `key` in DO DE: pairs of key reference and state.
fn origin(pairs: &[u8], key: Key) -> Option<Origin> {
    let (pairs, _) = pairs.as_chunks::<2>();
    match pairs.iter().find(|[number, _]| *number == key.number())? {
        [_, 0] => Some(Origin::None),
        [_, 1] => Some(Origin::Generated),
        [_, 2] => Some(Origin::Imported),
        _ => None,
    }
}

/// The user interaction flag (OpenPGP card 4.4.3.6): 0 off, 1 on, 2 on until the card is reset; Yubico's 3 and 4 (firmware
/// 5.2.3, Yubico's OpenPGP extensions) ask again only after fifteen seconds.
fn touch(content: &[u8]) -> Option<Touch> {
    match content.first()? {
        0 => Some(Touch::Never),
        1 | 2 => Some(Touch::Always),
        3 | 4 => Some(Touch::Cached),
        _ => None,
    }
}

/// The first byte of the flag for it.
pub(super) fn touch_flag(touch: Touch) -> u8 {
    match touch {
        Touch::Never => 0,
        Touch::Always => 1,
        Touch::Cached => 3,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(super) mod tests {
    use super::*;
    use crate::card::key::KeyKind;

    /// A card like a Nitrokey 3 with keys under 1 and 3.
    pub(crate) fn example() -> Vec<u8> {
        let fingerprints = [&[0xAA; 20][..], &[0; 20], &[0xBB; 20]].concat();
        let discretionary = [
            &hex::decode("C00A7F000FFF0FFF0FFF0001C106010800002000C20B122B060104019755010501").unwrap()[..],
            &hex::decode("C30A162B06010401DA470F01C407007F7F7F030003C53C").unwrap(),
            &fingerprints,
            &hex::decode("CD0C650000010000000065000003").unwrap(),
            &hex::decode("DE06010102000302D6020120D7020020D8020320").unwrap(),
        ]
        .concat();
        let mut answer = hex::decode("4F10D2760001240103040006123456780000").unwrap();
        answer.extend_from_slice(&[0x73, 0x81, discretionary.len() as u8]);
        answer.extend_from_slice(&discretionary);
        answer
    }

    #[test]
    fn one_answer_tells_of_card_passwords_and_keys() {
        let data = ApplicationData::parse(&example()).unwrap();
        assert_eq!(data.identifier.serial, 0x1234_5678);
        assert!(data.capabilities.challenge && data.capabilities.kdf && data.capabilities.aes);
        assert_eq!(data.capabilities.certificate_length, 0x0FFF);
        let signature = data.key(Key::Signature);
        assert_eq!(signature.attributes.unwrap().kind, KeyKind::Rsa { bits: 2048 });
        assert_eq!(signature.origin, Some(Origin::Generated));
        assert_eq!(signature.policy.touch, Some(Touch::Always));
        assert_eq!(data.key(Key::Decryption).origin, Some(Origin::None));
        assert_eq!(data.key(Key::Authentication).policy.touch, Some(Touch::Cached));
        assert_eq!((signature.generation_time, data.key(Key::Decryption).generation_time), (0x6500_0001, 0));
        assert!(signature.has_fingerprint && !data.key(Key::Decryption).has_fingerprint);
    }

    #[test]
    fn the_answer_may_carry_its_own_tag() {
        let mut wrapped = vec![0x6E, 0x81, example().len() as u8];
        wrapped.extend_from_slice(&example());
        assert_eq!(ApplicationData::parse(&wrapped), ApplicationData::parse(&example()));
    }

    #[test]
    fn an_answer_that_ends_early_or_lies_about_lengths_is_refused_whole() {
        let whole = example();
        for end in 0..whole.len() {
            assert!(ApplicationData::parse(&whole[..end]).is_err(), "{end}");
        }
        for at in [1, 19, 20] {
            let mut lying = whole.clone();
            lying[at] = lying[at].wrapping_add(1);
            assert!(ApplicationData::parse(&lying).is_err(), "{at}");
        }
        // Nested without end, longer than the card can mean, indefinite.
        for text in ["6E", "6E80", "6E84FFFFFFFF", "73738180", "6E826E826E82"] {
            assert!(ApplicationData::parse(&hex::decode(text.repeat(200)).unwrap()).is_err(), "{text}");
        }
    }
}
