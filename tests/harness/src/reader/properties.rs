//! What a reader says about itself: PC/SC part 10 properties and `SCARD_ATTR_…` attributes.

use super::Failure;

/// `CM_IOCTL_GET_FEATURE_REQUEST`: `SCARD_CTL_CODE(3400)`.
pub const GET_FEATURE_REQUEST: u32 = 0x4200_0000 + 3400;
/// The control code under which the virtual reader offers `FEATURE_GET_TLV_PROPERTIES`; libccid's choice.
pub const GET_TLV_PROPERTIES: u32 = feature_code(FEATURE_GET_TLV_PROPERTIES);
/// `FEATURE_GET_TLV_PROPERTIES` (PC/SC part 10 2.6).
const FEATURE_GET_TLV_PROPERTIES: u8 = 0x12;

/// The control code for `feature`, in libccid's scheme.
pub(super) const fn feature_code(feature: u8) -> u32 {
    0x4200_0000 + 0x0033_0000 + feature as u32
}

/// How commands travel between reader and card (CCID 1.1 5.1, dwFeatures).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeLevel {
    /// Short APDUs only: a command of extended length, or a response of more than 256 bytes of data, fails.
    Short,
    /// Short and extended APDUs.
    Extended,
}

/// What the reader is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties {
    /// USB vendor id (`wIdVendor`, property 0x0B).
    pub vendor_id: u16,
    /// USB product id (`wIdProduct`, property 0x0C).
    pub product_id: u16,
    /// Largest data field of a command, in bytes (`dwMaxAPDUDataSize`, property 0x0A); a longer one fails. libccid
    /// says 0x10000 for readers at extended APDU or TPDU level, and 0 for the others, which take 255 bytes.
    pub max_apdu_data: u32,
    /// Exchange level.
    pub exchange: ExchangeLevel,
    /// Whether the reader reports card movements itself, as a USB reader with an interrupt endpoint does, instead of
    /// being polled by pcscd. pcscd asks once, when it opens the reader.
    pub interrupts: bool,
    /// `SCARD_ATTR_VENDOR_NAME`.
    pub vendor_name: String,
    /// `SCARD_ATTR_VENDOR_IFD_SERIAL_NO`; absent when empty.
    pub serial: String,
    /// `sFirmwareID` (property 0x08); absent when empty.
    pub firmware: String,
}

impl Default for Properties {
    /// A reader for extended APDUs without PIN pad, polled. The ids are of pid.codes' range for testing.
    fn default() -> Self {
        Self {
            vendor_id: 0x1209,
            product_id: 0x0001,
            max_apdu_data: 0x1_0000,
            exchange: ExchangeLevel::Extended,
            interrupts: false,
            vendor_name: "Cardea".to_owned(),
            serial: String::new(),
            firmware: String::new(),
        }
    }
}

impl Properties {
    /// A reader at short APDU level.
    #[must_use]
    pub fn short() -> Self {
        Self { exchange: ExchangeLevel::Short, max_apdu_data: 0, ..Self::default() }
    }

    /// Whether the reader can carry the command.
    pub(super) fn check_command(&self, command: &[u8]) -> Result<(), Failure> {
        let extended = command.len() > 5 && command.get(4) == Some(&0);
        if extended && self.exchange == ExchangeLevel::Short {
            return Err(Failure::Communication);
        }
        let largest = if self.max_apdu_data == 0 { 255 } else { self.max_apdu_data };
        if command_data_length(command, extended) > largest as usize {
            return Err(Failure::Communication);
        }
        Ok(())
    }

    /// Whether the reader can carry the response.
    pub(super) fn check_response(&self, response: &[u8]) -> Result<(), Failure> {
        let limit = match self.exchange {
            ExchangeLevel::Short => 256 + 2,
            ExchangeLevel::Extended => 0x1_0000 + 2,
        };
        if response.len() > limit { Err(Failure::Communication) } else { Ok(()) }
    }

    /// The answer to `CM_IOCTL_GET_FEATURE_REQUEST`: tag, length 4, control code (PC/SC part 10 2.2), for the
    /// properties and for `features`.
    pub(super) fn feature_list(features: &[u8]) -> Vec<u8> {
        [FEATURE_GET_TLV_PROPERTIES]
            .iter()
            .chain(features)
            .flat_map(|feature| [&[*feature, 4][..], &feature_code(*feature).to_be_bytes()].concat())
            .collect()
    }

    /// The answer to `FEATURE_GET_TLV_PROPERTIES`: tag, length, little-endian value, as libccid gives them.
    pub(super) fn tlv(&self) -> Vec<u8> {
        let mut answer = Vec::new();
        let mut put = |tag: u8, value: &[u8]| {
            answer.extend([tag, value.len() as u8]);
            answer.extend(value);
        };
        if !self.firmware.is_empty() {
            put(0x08, self.firmware.as_bytes());
        }
        put(0x0A, &self.max_apdu_data.to_le_bytes());
        put(0x0B, &self.vendor_id.to_le_bytes());
        put(0x0C, &self.product_id.to_le_bytes());
        answer
    }

    /// A `SCARD_ATTR_…` that does not depend on the card.
    pub(super) fn attribute(&self, tag: u32) -> Result<Vec<u8>, Failure> {
        match tag {
            // SCARD_ATTR_VENDOR_NAME
            0x0001_0100 => Ok(self.vendor_name.clone().into_bytes()),
            // SCARD_ATTR_VENDOR_IFD_VERSION: 0xMMmmbbbb
            0x0001_0102 => Ok(0x0100_0000_u32.to_le_bytes().to_vec()),
            // SCARD_ATTR_VENDOR_IFD_SERIAL_NO
            0x0001_0103 if !self.serial.is_empty() => Ok(self.serial.clone().into_bytes()),
            // SCARD_ATTR_MAXINPUT
            0x0007_A007 => Ok((self.max_apdu_data + 10).to_le_bytes().to_vec()),
            _ => Err(Failure::UnknownTag),
        }
    }
}

/// Length of the data field as the command states it (ISO 7816-4 5.1), 0 if it states none.
fn command_data_length(command: &[u8], extended: bool) -> usize {
    match command {
        [_, _, _, _, _, high, low, _, ..] if extended => usize::from(u16::from_be_bytes([*high, *low])),
        [_, _, _, _, length, _, ..] if !extended => usize::from(*length),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_reader_refuses_every_extended_case_and_carries_every_short_one() {
        let reader = Properties::short();
        let short: [&[u8]; 4] = [&[0, 1, 2, 3], &[0, 1, 2, 3, 0], &[0, 1, 2, 3, 1, 9], &[0, 1, 2, 3, 1, 9, 0]];
        for command in short {
            assert_eq!(reader.check_command(command), Ok(()), "{command:?}");
        }
        let extended: [&[u8]; 3] = [&[0, 1, 2, 3, 0, 0, 0], &[0, 1, 2, 3, 0, 0, 1, 9], &[0, 1, 2, 3, 0, 0, 1, 9, 0, 0]];
        for command in extended {
            assert_eq!(reader.check_command(command), Err(Failure::Communication), "{command:?}");
            assert_eq!(Properties::default().check_command(command), Ok(()), "{command:?}");
        }
    }

    #[test]
    fn a_command_longer_than_the_announced_maximum_fails() {
        let reader = Properties { max_apdu_data: 2, ..Properties::default() };
        assert_eq!(reader.check_command(&[0, 1, 2, 3, 2, 9, 9]), Ok(()));
        assert_eq!(reader.check_command(&[0, 1, 2, 3, 3, 9, 9, 9]), Err(Failure::Communication));
        assert_eq!(reader.check_command(&[0, 1, 2, 3, 0, 0, 3, 9, 9, 9]), Err(Failure::Communication));
    }

    #[test]
    fn properties_are_little_endian_and_features_big_endian() {
        let reader = Properties { vendor_id: 0x08E6, product_id: 0x3437, ..Properties::default() };
        assert_eq!(reader.tlv(), [0x0A, 4, 0, 0, 1, 0, 0x0B, 2, 0xE6, 0x08, 0x0C, 2, 0x37, 0x34]);
        assert_eq!(Properties::feature_list(&[0x06]), [0x12, 4, 0x42, 0x33, 0, 0x12, 0x06, 4, 0x42, 0x33, 0, 0x06]);
    }
}
