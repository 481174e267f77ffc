//! Yubico's extensions of PIV (developers.yubico.com, "PIV extensions"), and the makers known by their ATR.

use cardea_apdu::tlv::Reader;
use cardea_apdu::{Atr, Command, Tag};

use crate::card::command::{accept, execute};
use crate::card::key::{Curve, KeyError, PublicKey};
use crate::card::{Authentication, CardError, Touch};
use crate::channel::Channel;
use crate::secret::SecretBytes;

use super::key_reference::PivKey;
use super::management::{Algorithm, MANAGEMENT_KEY};
use super::store::is_destroyed;

/// MOVE KEY, firmware 5.7 and later.
const INS_MOVE_KEY: u8 = 0xF6;
/// P1 of MOVE KEY that deletes the key.
const NOWHERE: u8 = 0xFF;
/// GET METADATA, firmware 5.3 and later.
const INS_GET_METADATA: u8 = 0xF7;
/// GET SERIAL, firmware 5.0 and later.
const INS_GET_SERIAL: u8 = 0xF8;
/// ATTEST, firmware 4.3 and later.
const INS_ATTEST: u8 = 0xF9;
/// SET PIN RETRIES.
const INS_SET_PIN_RETRIES: u8 = 0xFA;
/// RESET of the application, possible when PIN and PUK are blocked.
const INS_RESET: u8 = 0xFB;
/// GET VERSION.
const INS_GET_VERSION: u8 = 0xFD;
/// AID of the management application, which each YubiKey has and which has no PIN.
pub(super) const MANAGEMENT_AID: &[u8] = &[0xA0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];

/// Makers and models by a piece of their historical bytes, which are the same whether or not PIV is selected.
const MAKERS: [(&[u8], Maker); 5] = [
    (b"YubikeyNEO", Maker::new("Yubico", "YubiKey NEO")),
    (b"Yubikey", Maker::new("Yubico", "YubiKey")),
    (b"YubiKey", Maker::new("Yubico", "YubiKey")),
    (b"Nitrokey", Maker::new("Nitrokey", "Nitrokey")),
    (b"Canokey", Maker::new("CanoKeys", "CanoKey")),
];

/// Who made a card, as far as its ATR says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Maker {
    /// Maker's name.
    pub(super) name: &'static str,
    /// Model without a version.
    pub(super) model: &'static str,
}

impl Maker {
    /// A card that says nothing.
    pub(super) const UNKNOWN: Self = Self::new("NIST PIV", "PIV Card");

    const fn new(name: &'static str, model: &'static str) -> Self {
        Self { name, model }
    }

    /// The maker that the historical bytes name.
    pub(super) fn of(atr: &Atr) -> Self {
        let historical = atr.historical_bytes();
        let named = |piece: &[u8]| historical.windows(piece.len()).any(|window| window == piece);
        MAKERS.into_iter().find(|(piece, _)| named(piece)).map_or(Self::UNKNOWN, |(_, maker)| maker)
    }

    /// Whether it is a YubiKey, whose serial number is its own: other cards with these extensions make one up.
    pub(super) fn is_yubikey(self) -> bool {
        self.name == "Yubico"
    }
}

/// Firmware version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub u8, pub u8, pub u8);

impl Version {
    /// An empty VERIFY with an empty data field is a wrong PIN before this.
    pub(super) const EMPTY_VERIFY: Self = Self(4, 3, 2);
    /// GET SERIAL.
    pub(super) const SERIAL: Self = Self(5, 0, 0);
    /// P-384 keys, and policies for PIN and touch.
    pub(super) const POLICIES: Self = Self(4, 0, 0);
    /// GET METADATA.
    pub(super) const METADATA: Self = Self(5, 3, 0);
    /// Management keys of AES.
    pub(super) const AES: Self = Self(5, 4, 2);
    /// RSA-3072, RSA-4096, Ed25519 and X25519; MOVE KEY.
    pub(super) const MORE_KEYS: Self = Self(5, 7, 0);
}

/// The firmware version; `None` for a card without this extension.
pub(super) fn version(channel: &mut Channel<'_>) -> Result<Option<Version>, CardError> {
    let answer = optional(execute(channel, command(INS_GET_VERSION, 0x00, 0x00)))?;
    Ok(answer.and_then(|answer| match answer.as_slice() {
        [major, minor, patch] => Some(Version(*major, *minor, *patch)),
        _ => None,
    }))
}

/// The device's serial number; `None` where it has none or hides it.
pub(super) fn serial(channel: &mut Channel<'_>) -> Result<Option<u32>, CardError> {
    let answer = optional(execute(channel, command(INS_GET_SERIAL, 0x00, 0x00)))?;
    Ok(answer
        .and_then(|answer| answer.as_slice().try_into().ok())
        .map(u32::from_be_bytes)
        .filter(|serial| *serial != 0))
}

/// The certificate that the attestation key makes for a key generated on the card.
pub(super) fn attest(channel: &mut Channel<'_>, reference: u8) -> Result<SecretBytes, CardError> {
    execute(channel, command(INS_ATTEST, reference, 0x00))
}

/// Deletes a key; `NotFound` where there is none.
pub(super) fn delete_key(channel: &mut Channel<'_>, key: PivKey) -> Result<(), CardError> {
    execute(channel, Command::new(0x00, INS_MOVE_KEY, NOWHERE, key.reference)).map(drop)
}

/// Moves a key to another reference.
pub(super) fn move_key(channel: &mut Channel<'_>, from: PivKey, to: PivKey) -> Result<(), CardError> {
    execute(channel, Command::new(0x00, INS_MOVE_KEY, to.reference, from.reference)).map(drop)
}

/// Sets the tries of PIN and PUK, which become those that the card was made with. It wants the management key and the PIN.
pub(super) fn set_pin_retries(channel: &mut Channel<'_>, pin: u8, puk: u8) -> Result<(), CardError> {
    execute(channel, Command::new(0x00, INS_SET_PIN_RETRIES, pin, puk)).map(drop)
}

/// Makes the application as it was made: without keys and objects, with default PIN, PUK and management key.
///
/// `SecurityStatus` as long as PIN or PUK have tries left (6985).
pub(super) fn reset(channel: &mut Channel<'_>) -> Result<(), CardError> {
    execute(channel, Command::new(0x00, INS_RESET, 0x00, 0x00)).map(drop).map_err(|error| match error {
        CardError::Status { status, .. } if status.0 == 0x6985 => CardError::SecurityStatus,
        error => error,
    })
}

/// What GET METADATA gave for the management key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ManagementMetadata {
    /// Its algorithm.
    pub(super) algorithm: Algorithm,
    /// Each authentication wants a touch.
    pub(super) touch: bool,
}

/// Metadata of the management key; `None` where the card does not tell.
pub(super) fn management_metadata(channel: &mut Channel<'_>) -> Result<Option<ManagementMetadata>, CardError> {
    let answer = optional(execute(channel, command(INS_GET_METADATA, 0x00, MANAGEMENT_KEY)))?;
    Ok(answer.and_then(|answer| {
        let reader = Reader::new(&answer);
        let Some([algorithm]) = reader.find(tag::ALGORITHM).ok()? else { return None };
        let policy = reader.find(tag::POLICY).ok().flatten().and_then(|policy| policy.get(1)).copied();
        Some(ManagementMetadata {
            algorithm: Algorithm::from_identifier(*algorithm)?,
            touch: policy.and_then(touch).is_some_and(|touch| touch != Touch::Never),
        })
    }))
}

/// Whether a PIN or PUK is the one that the card was made with; `None` where the card does not tell.
pub(super) fn is_default(channel: &mut Channel<'_>, reference: u8) -> Result<Option<bool>, CardError> {
    let answer = optional(execute(channel, command(INS_GET_METADATA, 0x00, reference)))?;
    Ok(answer.and_then(|answer| match Reader::new(&answer).find(tag::DEFAULT) {
        Ok(Some([default])) => Some(*default == 0x01),
        _ => None,
    }))
}

/// What GET METADATA gave for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyMetadata {
    /// The card has not this instruction, or does not fill its answer.
    Unsupported,
    /// There is no key under this reference.
    NoKey,
    /// The key.
    Key(Metadata),
}

/// Metadata of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    /// PIN policy; `None` for the reference's default.
    pub(super) authentication: Option<Authentication>,
    /// Touch policy, where the card tells.
    pub(super) touch: Option<Touch>,
    /// Generated on the card, not imported.
    pub(super) generated: Option<bool>,
    /// The public key, where its algorithm is known.
    pub(super) public: Option<PublicKey>,
}

/// Metadata of a key.
pub(super) fn key_metadata(channel: &mut Channel<'_>, key: PivKey) -> Result<KeyMetadata, CardError> {
    let response = channel.transmit(command(INS_GET_METADATA, 0x00, key.reference))?;
    match accept(INS_GET_METADATA, response) {
        Ok(answer) => Ok(Metadata::parse(&answer).map_or(KeyMetadata::Unsupported, KeyMetadata::Key)),
        Err(CardError::NotFound) => Ok(KeyMetadata::NoKey),
        Err(CardError::NotSupported) => Ok(KeyMetadata::Unsupported),
        Err(CardError::Status { status, .. }) if matches!(status.sw1(), 0x67 | 0x6A..=0x6E) => {
            Ok(KeyMetadata::Unsupported)
        }
        Err(error) => Err(error),
    }
}

/// Tries of a PIN or PUK after a success, and tries left; `None` where the card does not tell.
pub(super) fn pin_retries(channel: &mut Channel<'_>, reference: u8) -> Result<Option<(u8, u8)>, CardError> {
    let answer = optional(execute(channel, command(INS_GET_METADATA, 0x00, reference)))?;
    Ok(answer.and_then(|answer| match Reader::new(&answer).find(tag::RETRIES) {
        Ok(Some([total, left, ..])) => Some((*total, *left)),
        _ => None,
    }))
}

/// Elements of an answer to GET METADATA.
mod tag {
    use cardea_apdu::Tag;

    pub(super) const ALGORITHM: Tag = Tag::new(0x01);
    pub(super) const POLICY: Tag = Tag::new(0x02);
    pub(super) const ORIGIN: Tag = Tag::new(0x03);
    pub(super) const PUBLIC_KEY: Tag = Tag::new(0x04);
    pub(super) const DEFAULT: Tag = Tag::new(0x05);
    pub(super) const RETRIES: Tag = Tag::new(0x06);
}

impl Metadata {
    /// Whether the key is the one that stands for a destroyed one.
    pub(super) fn is_destroyed(&self) -> bool {
        self.public.as_ref().is_some_and(is_destroyed)
    }

    /// Reads an answer; `None` without an algorithm, which each key has.
    fn parse(answer: &[u8]) -> Option<Self> {
        let reader = Reader::new(answer);
        let element = |tag| reader.find(tag).ok().flatten();
        let [algorithm] = element(tag::ALGORITHM)? else {
            return None;
        };
        Some(Self {
            authentication: element(tag::POLICY)
                .and_then(|policy| policy.first())
                .and_then(|policy| authentication(*policy)),
            touch: element(tag::POLICY).and_then(|policy| policy.get(1)).and_then(|policy| touch(*policy)),
            generated: match element(tag::ORIGIN) {
                Some([0x01]) => Some(true),
                Some([0x02]) => Some(false),
                _ => None,
            },
            public: element(tag::PUBLIC_KEY).and_then(|key| public_key(*algorithm, key).ok()),
        })
    }
}

/// PIN policies: 1 never, 2 once, 3 always; 4 and 5 are "match once" and "match always" of the Bio series, where
/// the PIN stands in for the fingerprint; 0 is the reference's default.
fn authentication(policy: u8) -> Option<Authentication> {
    match policy {
        0x01 => Some(Authentication::Never),
        0x02 | 0x04 => Some(Authentication::Once),
        0x03 | 0x05 => Some(Authentication::Always),
        _ => None,
    }
}

/// The PIN policy for a key that is made.
pub(super) fn pin_policy(authentication: Authentication) -> u8 {
    match authentication {
        Authentication::Never => 0x01,
        Authentication::Once => 0x02,
        Authentication::Always => 0x03,
    }
}

/// Touch policies: 1 never, 2 always, 3 cached for 15 seconds; 0 is the default.
fn touch(policy: u8) -> Option<Touch> {
    match policy {
        0x01 => Some(Touch::Never),
        0x02 => Some(Touch::Always),
        0x03 => Some(Touch::Cached),
        _ => None,
    }
}

/// The touch policy for a key that is made.
pub(super) fn touch_policy(touch: Touch) -> u8 {
    match touch {
        Touch::Never => 0x01,
        Touch::Always => 0x02,
        Touch::Cached => 0x03,
    }
}

/// The public key as GENERATE ASYMMETRIC KEY PAIR returns it, without its wrapping: 81 and 82 for RSA, 86 for others.
pub(super) fn public_key(algorithm: u8, content: &[u8]) -> Result<PublicKey, KeyError> {
    let reader = Reader::new(content);
    let element = |number| reader.expect(Tag::new(number)).map_err(|_| KeyError::Malformed);
    match algorithm {
        0x05 | 0x06 | 0x07 | 0x16 => PublicKey::from_rsa(element(0x81)?, element(0x82)?),
        0x11 => PublicKey::from_ec_point(Curve::P256, element(0x86)?),
        0x14 => PublicKey::from_ec_point(Curve::P384, element(0x86)?),
        0xE0 => PublicKey::from_ed25519(element(0x86)?),
        0xE1 => PublicKey::from_x25519(element(0x86)?),
        _ => Err(KeyError::Unsupported),
    }
}

fn command(instruction: u8, p1: u8, p2: u8) -> Command {
    Command::new(0x00, instruction, p1, p2).le_max()
}

/// Any refusal by the card is the absence of an extension; a failing channel is a failure.
fn optional(result: Result<SecretBytes, CardError>) -> Result<Option<SecretBytes>, CardError> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(error @ CardError::Channel(_)) => Err(error),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    fn maker(atr: &str) -> Maker {
        Maker::of(&Atr::parse(&bytes(atr)).unwrap())
    }

    #[test]
    fn makers_are_known_by_their_historical_bytes() {
        assert_eq!(maker("3BFD1300008131FE158073C021C057597562694B657940").model, "YubiKey");
        assert_eq!(maker("3BF81300008131FE15597562696B657934D4").model, "YubiKey");
        assert_eq!(maker("3BFC1300008131FE15597562696B65794E454F7233E1").model, "YubiKey NEO");
        assert_eq!(maker("3B8F01805D4E6974726F6B657900000000006A").name, "Nitrokey");
        assert_eq!(maker("3BDB960080B1FE451F830031C064C30801000F9000 9B").name, "NIST PIV");
    }

    #[test]
    fn metadata_of_a_generated_p256_key_is_read() {
        // Generator point of P-256 as the public key.
        let point = "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5";
        let answer = bytes(&format!("010111 02020301 030101 0443 8641 {point}"));
        let metadata = Metadata::parse(&answer).unwrap();
        assert_eq!(metadata.authentication, Some(Authentication::Always));
        assert_eq!(metadata.generated, Some(true));
        assert_eq!(metadata.public, Some(PublicKey::Ec { curve: Curve::P256, point: bytes(point) }));
    }

    #[test]
    fn policies_are_those_of_the_document() {
        let policy = |byte| Metadata::parse(&[0x01, 0x01, 0x07, 0x02, 0x02, byte, 0x01]).unwrap().authentication;
        assert_eq!(policy(0), None);
        assert_eq!(policy(1), Some(Authentication::Never));
        assert_eq!(policy(2), Some(Authentication::Once));
        assert_eq!(policy(3), Some(Authentication::Always));
        assert_eq!(policy(9), None);
    }

    #[test]
    fn an_answer_without_an_algorithm_is_no_metadata() {
        assert_eq!(Metadata::parse(&[]), None);
        assert_eq!(Metadata::parse(&[0x02, 0x02, 0x01, 0x00]), None);
    }

    #[test]
    fn no_truncation_or_bit_flip_panics() {
        let whole =
            bytes("0101E0 02020201 030102 0422 8620 D75A980182B10AB7D54BFED3C964073A0EE172F3DAA62325AF021A68F707511A");
        assert!(Metadata::parse(&whole).unwrap().public.is_some());
        for length in 0..whole.len() {
            let _ = Metadata::parse(&whole[..length]);
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = Metadata::parse(&flipped);
        }
    }
}
