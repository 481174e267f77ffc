//! The KDF data object F9 (OpenPGP card 4.3.2): what the card gets in place of a PIN.
//!
//! Iterated and salted S2K of RFC 4880 3.7.1.3: a hash over salt and PIN, repeated until `count` bytes are hashed. A card
//! with this object refuses PINs that are sent as they are, each at the price of a try; so an object that cannot be
//! followed stops the command before anything is sent.

use cardea_apdu::Tag;
use cardea_apdu::tlv::Reader;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use crate::card::CardError;
use crate::card::command::data_object::get_data_by_number;
use crate::channel::Channel;
use crate::secret::{Pin, SecretBytes};

/// Tag of the object in P1-P2.
const KDF: u16 = 0xF9;
/// KDF_ITERSALTED_S2K.
const ITERATED_SALTED: u8 = 0x03;
/// SHA-256 and SHA-512 (RFC 4880 9.4).
const SHA256: u8 = 0x08;
const SHA512: u8 = 0x0A;
/// Most bytes that are hashed for one PIN: the most that the coded count of RFC 4880 3.7.1.3 can say. A card that asks for
/// more keeps its user waiting without end.
pub(super) const MOST_BYTES: u32 = 65_011_712;
/// Longest salt taken from a card; the specification has 8 bytes.
const LONGEST_SALT: usize = 64;

const MALFORMED: CardError = CardError::Malformed { what: "KDF data object" };

/// Whose salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Salted {
    Pw1,
    /// The resetting code; PW1's where the object has one salt only.
    ResettingCode,
    /// PW3; PW1's where the object has one salt only.
    Pw3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha512,
}

/// How PINs become what the card takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Derivation {
    hash: Hash,
    count: u32,
    pw1_salt: Vec<u8>,
    resetting_salt: Vec<u8>,
    pw3_salt: Vec<u8>,
}

impl Derivation {
    /// The derivation that the card wants at present; `None` where PINs are sent as they are.
    pub(super) fn read(channel: &mut Channel<'_>) -> Result<Option<Self>, CardError> {
        match get_data_by_number(channel, KDF) {
            Ok(content) => Self::parse(&content),
            Err(CardError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the object's content, with or without its tag; `None` for an empty one and for algorithm 00.
    fn parse(answer: &[u8]) -> Result<Option<Self>, CardError> {
        let whole = Reader::new(answer);
        let content = match whole.find(Tag::new(u32::from(KDF))).map_err(|_| MALFORMED)? {
            Some(content) => Reader::new(content),
            None => whole,
        };
        if content.remainder().is_empty() {
            return Ok(None);
        }
        let find = |tag: u32| content.find(Tag::new(tag)).map_err(|_| MALFORMED);
        match find(0x81)? {
            Some([0]) => return Ok(None),
            Some([ITERATED_SALTED]) => {}
            _ => return Err(MALFORMED),
        }
        let hash = match find(0x82)? {
            Some([SHA256]) => Hash::Sha256,
            Some([SHA512]) => Hash::Sha512,
            _ => return Err(MALFORMED),
        };
        let count = find(0x83)?.and_then(|count| count.try_into().ok()).map(u32::from_be_bytes).ok_or(MALFORMED)?;
        let salt = |salt: &[u8]| if salt.len() <= LONGEST_SALT { Ok(salt.to_vec()) } else { Err(MALFORMED) };
        let pw1_salt = salt(find(0x84)?.ok_or(MALFORMED)?)?;
        let resetting_salt = find(0x85)?.map_or_else(|| Ok(pw1_salt.clone()), salt)?;
        let pw3_salt = find(0x86)?.map_or_else(|| Ok(pw1_salt.clone()), salt)?;
        if count > MOST_BYTES {
            return Err(MALFORMED);
        }
        Ok(Some(Self { hash, count, pw1_salt, resetting_salt, pw3_salt }))
    }

    /// What the card takes in place of `pin`.
    pub(super) fn derive(&self, salted: Salted, pin: &Pin) -> Result<SecretBytes, CardError> {
        let salt = match salted {
            Salted::Pw1 => &self.pw1_salt,
            Salted::ResettingCode => &self.resetting_salt,
            Salted::Pw3 => &self.pw3_salt,
        };
        let count = usize::try_from(self.count).map_err(|_| MALFORMED)?;
        let mut once = Zeroizing::new(Vec::with_capacity(salt.len() + pin.len()));
        once.extend_from_slice(salt);
        once.extend_from_slice(pin.expose());
        Ok(match self.hash {
            Hash::Sha256 => iterate::<Sha256>(&once, count),
            Hash::Sha512 => iterate::<Sha512>(&once, count),
        })
    }
}

/// The hash of `once`, repeated to `count` bytes, but whole at least once.
fn iterate<D: Digest>(once: &[u8], count: usize) -> SecretBytes {
    let mut digest = D::new();
    let mut left = count.max(once.len());
    while left > 0 && !once.is_empty() {
        let part = once.get(..left).unwrap_or(once);
        digest.update(part);
        left -= part.len();
    }
    Zeroizing::new(digest.finalize().to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// The example of OpenPGP card 3.4, 4.3.2: PINs 123456 and 12345678, 100,000 bytes, SHA-256.
    const EXAMPLE: &str = "8101038201088304000186A08408303132333435363785083837363534333231\
        860841424344454647488720773784A602B6C81E3F092F4D7D00E17CC822D88F7360FCF2D2EF2D9D901F44B6\
        88202675D6164A0D4827D1D00C7EEA620D015C00030A1CAB38B4D0DD600B27DC9630";

    #[test]
    fn the_example_of_the_specification_derives_as_it_says() {
        let content = hex::decode(EXAMPLE).unwrap();
        let derivation = Derivation::parse(&content).unwrap().unwrap();
        let pw1 = derivation.derive(Salted::Pw1, &Pin::new(b"123456")).unwrap();
        let pw3 = derivation.derive(Salted::Pw3, &Pin::new(b"12345678")).unwrap();
        let expected = Reader::new(&content);
        assert_eq!(pw1.as_slice(), expected.find(Tag::new(0x87)).unwrap().unwrap());
        assert_eq!(pw3.as_slice(), expected.find(Tag::new(0x88)).unwrap().unwrap());
        let wrapped = [&[0xF9, content.len() as u8][..], &content].concat();
        assert_eq!(Derivation::parse(&wrapped).unwrap(), Some(derivation));
    }

    #[test]
    fn one_salt_serves_all_passwords() {
        let content = hex::decode("8101038201088304000000018408AAAAAAAAAAAAAAAA").unwrap();
        let derivation = Derivation::parse(&content).unwrap().unwrap();
        let pin = Pin::new(b"12345678");
        let expected = Sha256::digest([&[0xAA; 8][..], b"12345678"].concat());
        assert_eq!(derivation.derive(Salted::Pw1, &pin).unwrap().as_slice(), expected.as_slice());
        assert_eq!(derivation.derive(Salted::Pw3, &pin).unwrap().as_slice(), expected.as_slice());
    }

    #[test]
    fn nothing_and_algorithm_none_mean_that_pins_are_sent_as_they_are() {
        for text in ["", "F900", "810100", "F903810100"] {
            assert_eq!(Derivation::parse(&hex::decode(text).unwrap()), Ok(None), "{text}");
        }
    }

    #[test]
    fn an_object_that_cannot_be_followed_is_an_error_and_never_none() {
        let whole = hex::decode(EXAMPLE).unwrap();
        // Up to the end of PW1's salt, each end is one too early; an end between objects of later ones is a salt less.
        for end in 1..22 {
            assert!(Derivation::parse(&whole[..end]).is_err(), "{end}");
        }
        for text in [
            "810102",
            "8101FF",
            "81020300",
            "8200",
            "8101038201028304000186A08408AAAAAAAAAAAAAAAA",
            "81010382010883030186A08408AAAAAAAAAAAAAAAA",
            "810103820108830503000186A08408AAAAAAAAAAAAAAAA",
            // One byte hashed more than the bound.
            "810103820108830403E000018408AAAAAAAAAAAAAAAA",
            "8101038201088304FFFFFFFF8408AAAAAAAAAAAAAAAA",
            "8101038201088304000186A08408AAAA",
        ] {
            assert_eq!(Derivation::parse(&hex::decode(text).unwrap()), Err(MALFORMED), "{text}");
        }
    }
}
