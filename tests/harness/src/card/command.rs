//! Command APDUs as a card decodes them (ISO 7816-3 12.1.3).

/// Status words that the layer below the applications answers with.
pub mod status {
    /// 9000: success.
    pub const SUCCESS: u16 = 0x9000;
    /// 6700: wrong length.
    pub const WRONG_LENGTH: u16 = 0x6700;
    /// 6881: logical channel not supported.
    pub const LOGICAL_CHANNEL_NOT_SUPPORTED: u16 = 0x6881;
    /// 6882: secure messaging not supported.
    pub const SECURE_MESSAGING_NOT_SUPPORTED: u16 = 0x6882;
    /// 6883: last command of the chain expected.
    pub const LAST_COMMAND_OF_CHAIN_EXPECTED: u16 = 0x6883;
    /// 6983: authentication method blocked.
    pub const AUTHENTICATION_METHOD_BLOCKED: u16 = 0x6983;
    /// 6985: conditions of use not satisfied.
    pub const CONDITIONS_OF_USE_NOT_SATISFIED: u16 = 0x6985;
    /// 6A80: incorrect parameters in the command data field.
    pub const INCORRECT_DATA: u16 = 0x6A80;
    /// 6A82: file or application not found.
    pub const NOT_FOUND: u16 = 0x6A82;
    /// 6A86: incorrect parameters P1-P2.
    pub const INCORRECT_P1_P2: u16 = 0x6A86;
    /// 6A88: referenced data or reference data not found.
    pub const REFERENCED_DATA_NOT_FOUND: u16 = 0x6A88;
    /// 6D00: instruction code not supported or invalid.
    pub const INSTRUCTION_NOT_SUPPORTED: u16 = 0x6D00;
    /// 6E00: class not supported.
    pub const CLASS_NOT_SUPPORTED: u16 = 0x6E00;
    /// 6F00: no precise diagnosis.
    pub const NO_PRECISE_DIAGNOSIS: u16 = 0x6F00;
}

/// One command, after command chaining has been undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// CLA, with the chaining bit cleared once the chain is complete.
    pub class: u8,
    /// INS.
    pub instruction: u8,
    /// P1.
    pub p1: u8,
    /// P2.
    pub p2: u8,
    /// The command data field.
    pub data: Vec<u8>,
    /// Ne, the greatest response data length asked for: 256 when Le is absent, as this layer's cards treat it.
    pub expected: usize,
    /// Whether the length fields were extended ones.
    pub extended: bool,
}

impl Command {
    /// Decodes a command APDU; the error is the status word to answer with.
    pub fn decode(apdu: &[u8]) -> Result<Self, u16> {
        let [class, instruction, p1, p2, body @ ..] = apdu else {
            return Err(status::WRONG_LENGTH);
        };
        let (data, expected, extended): (&[u8], usize, bool) = match body {
            [] => (&[], 256, false),
            [le] => (&[], short_expected(*le), false),
            [0, high, low] => (&[], extended_expected(*high, *low), true),
            [0, high, low, rest @ ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                match rest.len().checked_sub(length) {
                    Some(0) if length > 0 => (rest, 256, true),
                    Some(2) if length > 0 => (&rest[..length], extended_expected(rest[length], rest[length + 1]), true),
                    _ => return Err(status::WRONG_LENGTH),
                }
            }
            [length, rest @ ..] => {
                let length = usize::from(*length);
                match rest.len().checked_sub(length) {
                    Some(0) if length > 0 => (rest, 256, false),
                    Some(1) if length > 0 => (&rest[..length], short_expected(rest[length]), false),
                    _ => return Err(status::WRONG_LENGTH),
                }
            }
        };
        Ok(Self { class: *class, instruction: *instruction, p1: *p1, p2: *p2, data: data.to_vec(), expected, extended })
    }

    /// Encodes the command with extended length fields wherever they are needed.
    pub fn encode(&self) -> Vec<u8> {
        let mut apdu = vec![self.class, self.instruction, self.p1, self.p2];
        let extended = self.data.len() > 255 || self.expected > 256;
        if !self.data.is_empty() {
            if extended {
                apdu.push(0);
                apdu.extend_from_slice(&(self.data.len() as u16).to_be_bytes());
            } else {
                apdu.push(self.data.len() as u8);
            }
            apdu.extend_from_slice(&self.data);
        }
        match (extended, self.data.is_empty()) {
            (false, _) => apdu.push(self.expected as u8),
            (true, true) => apdu.extend_from_slice(&[0, (self.expected >> 8) as u8, self.expected as u8]),
            (true, false) => apdu.extend_from_slice(&[(self.expected >> 8) as u8, self.expected as u8]),
        }
        apdu
    }
}

fn short_expected(le: u8) -> usize {
    if le == 0 { 256 } else { usize::from(le) }
}

fn extended_expected(high: u8, low: u8) -> usize {
    match u16::from_be_bytes([high, low]) {
        0 => 65536,
        le => usize::from(le),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn the_seven_cases_of_command_apdus_decode() {
        for (apdu, length, expected, extended) in [
            (hex!("00 A4 04 00").as_slice(), 0, 256, false),
            (&hex!("00 CB 3F FF 10"), 0, 16, false),
            (&hex!("00 CB 3F FF 02 5C 00"), 2, 256, false),
            (&hex!("00 CB 3F FF 02 5C 00 08"), 2, 8, false),
            (&hex!("00 CB 3F FF 00 01 02"), 0, 258, true),
            (&hex!("00 CB 3F FF 00 00 02 5C 00"), 2, 256, true),
            (&hex!("00 CB 3F FF 00 00 02 5C 00 00 00"), 2, 65536, true),
        ] {
            let command = Command::decode(apdu).unwrap();
            assert_eq!((command.data.len(), command.expected, command.extended), (length, expected, extended));
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_wrong_lengths() {
        for apdu in [
            hex!("00 A4 04").as_slice(),
            &hex!("00 A4 04 00 05 01"),
            &hex!("00 A4 04 00 01 01 02 03"),
            &hex!("00 A4 04 00 00 00 00 00"),
            &hex!("00 A4 04 00 00 00 05 01 02"),
        ] {
            assert_eq!(Command::decode(apdu), Err(status::WRONG_LENGTH));
        }
    }
}
