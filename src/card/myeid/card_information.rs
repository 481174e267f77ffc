//! What the applet says of itself: card information (GET DATA 01A0) and capabilities (01AA).

use crate::card::CardError;
use crate::card::command::data_object::get_data_by_number;
use crate::channel::Channel;

/// Card information: name, version, serial number, change counter.
const CARD_INFORMATION: u16 = 0x01A0;
/// Capabilities, from version 4.0 on.
const CAPABILITIES: u16 = 0x01AA;
/// What the card information begins with.
pub(super) const NAME: &[u8] = b"MyEID";
/// Digits of the serial number that are shown: Cryptoki has room for 16. The last ones, as OpenSC shows it.
const SERIAL_DIGITS: usize = 16;

/// Version of the applet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u8, pub(super) u8, pub(super) u8);

impl Version {
    /// Session objects and unwrapping (OpenSC, card-myeid.c).
    pub(super) const SESSION_OBJECTS: Self = Self(4, 0, 10);
}

/// The applet's name aside, what GET DATA 01A0 gives. The change counter, its last two bytes, is not used: nobody
/// promises that it counts every change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Information {
    pub(super) version: Version,
    pub(super) serial: [u8; 10],
}

impl Information {
    /// Asks the current application; `None` where it is not MyEID's. It has no side effects.
    pub(super) fn read(channel: &mut Channel<'_>) -> Result<Option<Self>, CardError> {
        match get_data_by_number(channel, CARD_INFORMATION) {
            Ok(answer) => Ok(Self::parse(&answer)),
            Err(error @ CardError::Channel(_)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn parse(answer: &[u8]) -> Option<Self> {
        let rest = answer.strip_prefix(NAME)?;
        let (&[major, minor, build], rest) = rest.split_first_chunk()?;
        let (serial, [_, _]) = rest.split_first_chunk()? else { return None };
        Some(Self { version: Version(major, minor, build), serial: *serial })
    }

    /// Whether this is the card that gave `other`.
    pub(super) fn is_of_the_card_of(&self, other: &Self) -> bool {
        self.serial == other.serial
    }

    /// Serial number as Cryptoki shows it.
    pub(super) fn serial(&self) -> String {
        let digits = hex::encode_upper(self.serial);
        digits.get(digits.len().saturating_sub(SERIAL_DIGITS)..).unwrap_or_default().to_owned()
    }
}

/// Features and the most bits of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capabilities {
    features: u16,
    rsa: u16,
    des: u16,
    aes: u16,
    curve: u16,
}

impl Capabilities {
    /// RSA to 2048 bits and P-256, which every card has that does not say more (MyEID from 3.5).
    pub(super) const LEAST: Self = Self { features: Self::RSA | Self::CURVES, rsa: 2048, des: 0, aes: 0, curve: 256 };

    const RSA: u16 = 0x01;
    const TRIPLE_DES: u16 = 0x02;
    const AES: u16 = 0x04;
    const CURVES: u16 = 0x08;

    /// Asks the current application; `None` where it does not tell.
    pub(super) fn read(channel: &mut Channel<'_>) -> Result<Option<Self>, CardError> {
        match get_data_by_number(channel, CAPABILITIES) {
            Ok(answer) => Ok(Self::parse(&answer)),
            Err(error @ CardError::Channel(_)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn parse(answer: &[u8]) -> Option<Self> {
        let (_, numbers) = answer.split_first()?;
        match *numbers.as_chunks().0 {
            [features, rsa, des, aes, curve, ..] => {
                let [features, rsa, des, aes, curve] = [features, rsa, des, aes, curve].map(u16::from_be_bytes);
                Some(Self { features, rsa, des, aes, curve })
            }
            _ => None,
        }
    }

    /// Most bits of an RSA key, of a curve, of an AES key and of a DES key; 0 where there is none.
    pub(super) fn rsa_bits(&self) -> u16 {
        self.bits(Self::RSA, self.rsa)
    }

    /// Most bits of a curve; 0 where there is none.
    pub(super) fn curve_bits(&self) -> u16 {
        self.bits(Self::CURVES, self.curve)
    }

    /// Most bits of an AES key; 0 where there is none.
    pub(super) fn aes_bits(&self) -> u16 {
        self.bits(Self::AES, self.aes)
    }

    /// Most bits of a DES key; 0 where there is none.
    pub(super) fn des_bits(&self) -> u16 {
        self.bits(Self::TRIPLE_DES, self.des)
    }

    fn bits(&self, feature: u16, bits: u16) -> u16 {
        if self.features & feature == 0 { 0 } else { bits }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ANSWER: &str = "4D79454944 040505 00112233445566778899 0007";

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn the_card_information_has_version_and_serial_number() {
        let information = Information::parse(&bytes(ANSWER)).unwrap();
        assert_eq!(information.version, Version(4, 5, 5));
        assert_eq!(information.serial(), "2233445566778899");
    }

    #[test]
    fn another_name_or_length_is_not_the_card_information() {
        let whole = bytes(ANSWER);
        for length in 0..whole.len() {
            assert_eq!(Information::parse(whole.get(..length).unwrap()), None);
        }
        assert_eq!(Information::parse(&[whole.as_slice(), &[0]].concat()), None);
        assert_eq!(Information::parse(&bytes(&ANSWER.replace("4944", "4945"))), None);
    }

    #[test]
    fn a_feature_that_is_not_set_has_no_bits() {
        let capabilities = Capabilities::parse(&bytes("01 000D 1000 00C0 0100 0209")).unwrap();
        assert_eq!((capabilities.rsa_bits(), capabilities.curve_bits()), (4096, 521));
        assert_eq!((capabilities.aes_bits(), capabilities.des_bits()), (256, 0));
        assert_eq!(Capabilities::parse(&bytes("01 000D 1000 00C0 0100 02")), None);
    }
}
