//! Extended length information, the data object `7F66` of EF.ATR/INFO (ISO 7816-4 12.7.1) and of OpenPGP cards.

use crate::tlv::{Reader, Tag, TlvError};

/// The tag of the extended length information.
pub const EXTENDED_LENGTH_INFORMATION: Tag = Tag::new(0x7F66);
/// The tag of each of its two integers.
const INTEGER: Tag = Tag::new(0x02);

/// The longest APDUs a card takes and gives, header and length fields counted, in bytes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ExtendedLengthInformation {
    /// The longest command APDU.
    pub command: usize,
    /// The longest response APDU.
    pub response: usize,
}

impl ExtendedLengthInformation {
    /// From the value of `7F66`: two integers, command first.
    pub fn parse(value: &[u8]) -> Result<Self, TlvError> {
        let mut reader = Reader::new(value);
        let command = unsigned(reader.expect_next(INTEGER)?.value);
        let response = unsigned(reader.expect_next(INTEGER)?.value);
        Ok(Self { command, response })
    }
}

/// A big-endian number, the largest there is where it does not fit.
fn unsigned(bytes: &[u8]) -> usize {
    bytes.iter().fold(0usize, |number, &byte| {
        number.checked_mul(0x100).map_or(usize::MAX, |shifted| shifted | usize::from(byte))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::tlv::TlvErrorKind;

    #[test]
    fn the_first_integer_is_the_command_and_the_second_the_response() {
        let value = [0x02, 0x02, 0x08, 0x00, 0x02, 0x03, 0x01, 0x00, 0x02];
        let expected = ExtendedLengthInformation { command: 2048, response: 65538 };
        assert_eq!(ExtendedLengthInformation::parse(&value), Ok(expected));
    }

    #[test]
    fn a_missing_integer_is_an_error() {
        let error = ExtendedLengthInformation::parse(&[0x02, 0x01, 0x10]).unwrap_err();
        assert_eq!(error.kind, TlvErrorKind::Missing(INTEGER));
    }

    #[test]
    fn numbers_beyond_the_machine_word_saturate() {
        let value = [&[0x02, 0x09][..], &[0xFF; 9], &[0x02, 0x01, 0x10]].concat();
        let expected = ExtendedLengthInformation { command: usize::MAX, response: 16 };
        assert_eq!(ExtendedLengthInformation::parse(&value), Ok(expected));
    }
}
