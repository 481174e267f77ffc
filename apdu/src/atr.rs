//! The answer to reset (ISO 7816-3 8).

use core::fmt;

use crate::historical::{Capabilities, HistoricalBytes};

/// The most bytes of an ATR: TS and 32 more (ISO 7816-3 8.2.1).
pub const ATR_MAX: usize = 33;

/// TS of the direct convention.
const TS_DIRECT: u8 = 0x3B;
/// TS of the inverse convention.
const TS_INVERSE: u8 = 0x3F;
/// The protocol number that introduces global interface bytes and is no protocol (ISO 7816-3 8.2.3).
const GLOBAL: u8 = 15;

/// Why bytes are not an ATR.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AtrError {
    /// The ATR ends before the byte at this position.
    #[error("ATR truncated at byte {position}")]
    Truncated {
        /// Where a byte is missing.
        position: usize,
    },
    /// TS is neither `3B` nor `3F`.
    #[error("initial character {0:02X} is neither 3B nor 3F")]
    InitialCharacter(u8),
    /// More than 33 bytes.
    #[error("ATR of {0} bytes, at most 33 are allowed")]
    TooLong(usize),
}

/// What the check byte TCK says (ISO 7816-3 8.2.5).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum CheckByte {
    /// Only T=0 is offered and there is none.
    NotRequired,
    /// It is there and right.
    Correct,
    /// It is there and wrong.
    Wrong,
    /// A protocol other than T=0 is offered, but there is none.
    Missing,
}

/// One group of interface bytes (ISO 7816-3 8.2.3).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct InterfaceBytes {
    /// TA of the group.
    pub ta: Option<u8>,
    /// TB of the group.
    pub tb: Option<u8>,
    /// TC of the group.
    pub tc: Option<u8>,
    /// TD of the group: the protocol of the next group, and which bytes it has.
    pub td: Option<u8>,
}

/// A parsed ATR. Cards with a wrong or missing check byte are in use, so that is a flag and not an error.
#[derive(Clone, PartialEq, Eq)]
pub struct Atr {
    bytes: Vec<u8>,
    groups: Vec<InterfaceBytes>,
    historical: Vec<u8>,
    check_byte: CheckByte,
}

impl Atr {
    /// Reads TS, T0, all groups of interface bytes, the historical bytes and TCK.
    ///
    /// Bytes after the end are kept in [`Atr::bytes`] and otherwise ignored.
    pub fn parse(bytes: &[u8]) -> Result<Self, AtrError> {
        if bytes.len() > ATR_MAX {
            return Err(AtrError::TooLong(bytes.len()));
        }
        let mut cursor = Cursor { bytes, position: 0 };
        let ts = cursor.byte()?;
        if ts != TS_DIRECT && ts != TS_INVERSE {
            return Err(AtrError::InitialCharacter(ts));
        }
        let t0 = cursor.byte()?;
        let groups = interface_bytes(t0, &mut cursor)?;
        let historical = cursor.take(usize::from(t0 & 0x0F))?.to_vec();
        let check_byte = check(bytes, cursor.position, &groups);
        Ok(Self { bytes: bytes.to_vec(), groups, historical, check_byte })
    }

    /// The ATR as received.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The groups of interface bytes, the first being TA1 to TD1; at least one, possibly empty.
    pub fn interface_bytes(&self) -> &[InterfaceBytes] {
        &self.groups
    }

    /// The protocols offered, in their order, each once; T=0 where no TD1 names one (ISO 7816-3 8.2.3).
    pub fn protocols(&self) -> Vec<u8> {
        protocols(&self.groups)
    }

    /// Whether this protocol is offered.
    pub fn offers(&self, protocol: u8) -> bool {
        self.protocols().contains(&protocol)
    }

    /// The protocol of the specific mode, in which nothing is negotiated: the low half of TA2 (ISO 7816-3 8.3).
    pub fn specific_mode(&self) -> Option<u8> {
        self.groups.get(1)?.ta.map(|ta2| ta2 & 0x0F)
    }

    /// The historical bytes, at most 15.
    pub fn historical_bytes(&self) -> &[u8] {
        &self.historical
    }

    /// The historical bytes by their category; `None` if they are proprietary or malformed.
    pub fn historical(&self) -> Option<HistoricalBytes<'_>> {
        HistoricalBytes::parse(&self.historical)
    }

    /// What the card says it can do; nothing without a well-formed card capabilities object.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities::from_historical(&self.historical)
    }

    /// Whether the check byte is as it must be.
    pub fn check_byte(&self) -> CheckByte {
        self.check_byte
    }
}

impl fmt::Display for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.bytes.iter().enumerate() {
            if index != 0 {
                f.write_str(" ")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Atr({self}, check byte {:?})", self.check_byte)
    }
}

/// The groups that T0 and each TD announce; every group costs at least one byte, so the input bounds them.
fn interface_bytes(t0: u8, cursor: &mut Cursor<'_>) -> Result<Vec<InterfaceBytes>, AtrError> {
    let mut groups = Vec::new();
    let mut announced = Some(t0);
    while let Some(indicator) = announced {
        let mut byte_if = |bit: u8| (indicator & bit != 0).then(|| cursor.byte()).transpose();
        let group = InterfaceBytes { ta: byte_if(0x10)?, tb: byte_if(0x20)?, tc: byte_if(0x40)?, td: byte_if(0x80)? };
        groups.push(group);
        announced = group.td;
    }
    Ok(groups)
}

/// See [`Atr::protocols`].
fn protocols(groups: &[InterfaceBytes]) -> Vec<u8> {
    let mut offered = Vec::new();
    for protocol in groups.iter().filter_map(|group| group.td).map(|td| td & 0x0F) {
        if protocol != GLOBAL && !offered.contains(&protocol) {
            offered.push(protocol);
        }
    }
    if offered.is_empty() {
        offered.push(0);
    }
    offered
}

/// Judges TCK at this position: from T0 to TCK all bytes XOR to 0, and it is there unless T=0 alone is indicated.
fn check(bytes: &[u8], position: usize, groups: &[InterfaceBytes]) -> CheckByte {
    let required = groups.iter().filter_map(|group| group.td).any(|td| td & 0x0F != 0);
    if !required {
        return CheckByte::NotRequired;
    }
    match bytes.get(1..=position) {
        None => CheckByte::Missing,
        Some(checked) if checked.iter().fold(0, |sum, byte| sum ^ byte) == 0 => CheckByte::Correct,
        Some(_) => CheckByte::Wrong,
    }
}

/// Where the reading of an ATR stands.
struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    /// The next byte.
    fn byte(&mut self) -> Result<u8, AtrError> {
        let byte = self.bytes.get(self.position).ok_or(AtrError::Truncated { position: self.position })?;
        self.position += 1;
        Ok(*byte)
    }

    /// The next bytes.
    fn take(&mut self, count: usize) -> Result<&'a [u8], AtrError> {
        let end = self.position + count;
        let taken = self.bytes.get(self.position..end).ok_or(AtrError::Truncated { position: self.bytes.len() })?;
        self.position = end;
        Ok(taken)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const YUBIKEY_5: &str = "3BFD1300008131FE158073C021C057597562694B657940";
    const OPENPGP_2_1: &str = "3BDA18FF81B1FE751F030031C573C0014000 90000C";
    const OPENPGP_3: &str = "3BDA18FF81B1FE751F030031F573C0016000 90001C";
    const GNUK: &str = "3BDA11FF81B1FE551F030031847380018000 9000E4";
    const SMARTCARD_HSM: &str = "3BFE1800008131FE45803181 5448534D31 73802140 8107FA";
    const ESTEID_2018: &str = "3BDB960080B1FE451F830012233F536549440F9000F1";
    const GERMAN_ID_CONTACTLESS: &str = "3B8A80018031F873F741E082900075";
    const JCOP_241: &str = "3BF81300008131FE454A434F5076323431B7";
    const T0_ONLY: &str = "3B6500009C02020702";

    fn atr(text: &str) -> Atr {
        Atr::parse(&hex::decode(text.replace(' ', "")).unwrap()).unwrap()
    }

    #[test]
    fn a_yubikey_5_offers_t1_and_has_chaining_and_extended_length() {
        let atr = atr(YUBIKEY_5);
        assert_eq!(atr.protocols(), [1]);
        assert_eq!(atr.check_byte(), CheckByte::Correct);
        assert_eq!(hex::encode_upper(atr.historical_bytes()), "8073C021C057597562694B6579");
        let groups = atr.interface_bytes();
        assert_eq!(groups.len(), 3);
        assert_eq!(groups[0], InterfaceBytes { ta: Some(0x13), tb: Some(0), tc: Some(0), td: Some(0x81) });
        assert_eq!(groups[1], InterfaceBytes { td: Some(0x31), ..Default::default() });
        assert_eq!(groups[2], InterfaceBytes { ta: Some(0xFE), tb: Some(0x15), ..Default::default() });
        let capabilities = atr.capabilities();
        assert!(capabilities.command_chaining && capabilities.extended_length);
        assert_eq!(capabilities.logical_channels, 1);
    }

    #[test]
    fn capabilities_of_known_cards_are_read_from_their_historical_bytes() {
        // ATR, chaining, extended length, logical channels.
        let cards = [
            (OPENPGP_2_1, false, true, 1),
            (OPENPGP_3, false, true, 1),
            (GNUK, true, false, 1),
            (SMARTCARD_HSM, false, true, 1),
            (GERMAN_ID_CONTACTLESS, true, true, 1),
            (ESTEID_2018, false, false, 0),
            (JCOP_241, false, false, 0),
            (T0_ONLY, false, false, 0),
        ];
        for (text, command_chaining, extended_length, logical_channels) in cards {
            let expected =
                Capabilities { extended_length, command_chaining, logical_channels, ..Capabilities::default() };
            assert_eq!(atr(text).capabilities(), expected, "{text}");
        }
    }

    #[test]
    fn check_bytes_of_real_atrs_are_correct() {
        for text in [YUBIKEY_5, OPENPGP_2_1, OPENPGP_3, GNUK, SMARTCARD_HSM, ESTEID_2018, JCOP_241] {
            assert_eq!(atr(text).check_byte(), CheckByte::Correct, "{text}");
        }
        assert_eq!(atr(GERMAN_ID_CONTACTLESS).check_byte(), CheckByte::Correct);
    }

    #[test]
    fn a_card_with_t0_only_has_no_check_byte() {
        let atr = atr(T0_ONLY);
        assert_eq!(atr.protocols(), [0]);
        assert_eq!(atr.check_byte(), CheckByte::NotRequired);
        assert_eq!(atr.historical_bytes(), [0x9C, 0x02, 0x02, 0x07, 0x02]);
    }

    #[test]
    fn a_wrong_or_missing_check_byte_is_a_flag() {
        let mut bytes = hex::decode(YUBIKEY_5).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(Atr::parse(&bytes).unwrap().check_byte(), CheckByte::Wrong);
        bytes.pop();
        assert_eq!(Atr::parse(&bytes).unwrap().check_byte(), CheckByte::Missing);
    }

    #[test]
    fn protocols_are_listed_once_and_t15_is_none() {
        assert_eq!(atr("3B 80 80 81 91 FE 1F 40 50").protocols(), [0, 1]);
        let global_only = atr("3B 80 1F 40 DF");
        assert_eq!(global_only.protocols(), [0]);
        assert_eq!(global_only.check_byte(), CheckByte::Correct);
    }

    #[test]
    fn ta2_names_the_protocol_of_the_specific_mode() {
        assert_eq!(atr("3B 80 91 81 31 FE 15").specific_mode(), Some(1));
        assert_eq!(atr(YUBIKEY_5).specific_mode(), None);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40), inverse in any::<bool>()) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = if inverse { TS_INVERSE } else { TS_DIRECT };
            }
            if let Ok(atr) = Atr::parse(&bytes) {
                prop_assert!(!atr.protocols().is_empty() && atr.historical_bytes().len() <= 15);
                prop_assert_eq!(atr.bytes(), &bytes[..]);
                let _ = (atr.capabilities(), atr.historical(), atr.specific_mode());
            }
        }
    }
}
