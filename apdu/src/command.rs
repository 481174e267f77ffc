//! The command APDU (ISO 7816-4 5.1, encodings of ISO 7816-3 12.1.3).

use core::fmt;

use zeroize::Zeroizing;

use crate::cla;

/// The most command data a short length field can announce.
const SHORT_LC_MAX: usize = 0xFF;
/// The most response data a short length field can ask for.
const SHORT_LE_MAX: usize = 0x100;
/// The most command data an extended length field can announce.
const EXTENDED_LC_MAX: usize = 0xFFFF;
/// The most response data an extended length field can ask for.
const EXTENDED_LE_MAX: usize = 0x1_0000;
/// CLA, INS, P1, P2, an extended Lc and an extended Le: the most that stands around command data.
const OVERHEAD_MAX: usize = 4 + 3 + 2;
/// The instruction of GET RESPONSE (ISO 7816-4 11.7.1).
const INS_GET_RESPONSE: u8 = 0xC0;

/// Why a command has no encoding.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommandError {
    /// The data does not fit the length field of the asked encoding; chain it or use the extended one.
    #[error("command data of {length} bytes, at most {limit} fit one command")]
    DataTooLong {
        /// Bytes of command data.
        length: usize,
        /// What the length field can announce.
        limit: usize,
    },
}

/// What the Le field asks for.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Expected {
    /// No Le field: no response data (cases 1 and 3).
    Nothing,
    /// At most this many bytes, 1..=65536.
    UpTo(usize),
    /// As much as the card has: 256 in the short encoding, 65536 in the extended one.
    Everything,
}

/// A command APDU: header, data and expected response length.
///
/// Owns its data, wipes it on drop and is deliberately not `Clone`. `Debug` never shows data.
pub struct Command {
    cla: u8,
    ins: u8,
    p1: u8,
    p2: u8,
    data: Zeroizing<Vec<u8>>,
    expected: Expected,
    secret_command: bool,
    secret_response: bool,
}

impl Command {
    /// [`Command::expected`] of a command that asks for as much as the card has.
    pub const EXPECTED_MAX: usize = EXTENDED_LE_MAX;

    /// A command without data and without Le (case 1).
    pub fn new(cla: u8, ins: u8, p1: u8, p2: u8) -> Self {
        Self {
            cla,
            ins,
            p1,
            p2,
            data: Zeroizing::new(Vec::new()),
            expected: Expected::Nothing,
            secret_command: false,
            secret_response: false,
        }
    }

    /// GET RESPONSE for what a `61xx` announced; `le` is its second byte, 0 for 256 (ISO 7816-4 11.7.1).
    ///
    /// The class is that of the command answered, without its chaining bit.
    pub fn get_response(cla: u8, le: u8) -> Self {
        let expected = if le == 0 { SHORT_LE_MAX } else { usize::from(le) };
        Self::new(cla & !cla::CHAINING, INS_GET_RESPONSE, 0, 0).le(expected)
    }

    /// With a copy of these bytes as command data.
    #[must_use]
    pub fn data(self, data: &[u8]) -> Self {
        self.data_zeroizing(Zeroizing::new(data.to_vec()))
    }

    /// With these bytes as command data, not copied.
    #[must_use]
    pub fn data_zeroizing(mut self, data: Zeroizing<Vec<u8>>) -> Self {
        self.data = data;
        self
    }

    /// Asking for at most this many response bytes, clamped to 1..=65536.
    #[must_use]
    pub fn le(mut self, length: usize) -> Self {
        self.expected = Expected::UpTo(length.clamp(1, EXTENDED_LE_MAX));
        self
    }

    /// Asking for as much as the card has: Le is `00` in the short encoding, `0000` in the extended one.
    #[must_use]
    pub fn le_max(mut self) -> Self {
        self.expected = Expected::Everything;
        self
    }

    /// Marks the command data as a PIN or key material, never to be traced.
    #[must_use]
    pub fn secret_command(mut self) -> Self {
        self.secret_command = true;
        self
    }

    /// Marks the response data as plaintext or key material, never to be traced.
    #[must_use]
    pub fn secret_response(mut self) -> Self {
        self.secret_response = true;
        self
    }

    /// With another class byte; see [`cla::for_channel`].
    #[must_use]
    pub fn with_cla(mut self, cla: u8) -> Self {
        self.cla = cla;
        self
    }

    /// The class byte.
    pub fn cla(&self) -> u8 {
        self.cla
    }

    /// The instruction byte.
    pub fn ins(&self) -> u8 {
        self.ins
    }

    /// The first parameter byte.
    pub fn p1(&self) -> u8 {
        self.p1
    }

    /// The second parameter byte.
    pub fn p2(&self) -> u8 {
        self.p2
    }

    /// The command data, empty in cases 1 and 2.
    pub fn data_bytes(&self) -> &[u8] {
        &self.data
    }

    /// The most response bytes the command asks for: `None` without an Le field, [`Self::EXPECTED_MAX`] for all.
    pub fn expected(&self) -> Option<usize> {
        match self.expected {
            Expected::Nothing => None,
            Expected::UpTo(length) => Some(length),
            Expected::Everything => Some(Self::EXPECTED_MAX),
        }
    }

    /// Whether the command asks for as much as the card has, by [`Self::le_max`].
    pub fn expects_everything(&self) -> bool {
        self.expected == Expected::Everything
    }

    /// Whether the command data must not be traced.
    pub fn is_secret_command(&self) -> bool {
        self.secret_command
    }

    /// Whether the response data must not be traced.
    pub fn is_secret_response(&self) -> bool {
        self.secret_response
    }

    /// Whether the short encoding carries all the data (up to 255 bytes) and all that is asked for (up to 256).
    ///
    /// A command that asks for everything fits: the card continues with `61xx`.
    pub fn fits_short(&self) -> bool {
        let le_fits = match self.expected {
            Expected::Nothing | Expected::Everything => true,
            Expected::UpTo(length) => length <= SHORT_LE_MAX,
        };
        le_fits && self.data.len() <= SHORT_LC_MAX
    }

    /// The command with one-byte length fields (cases 1, 2S, 3S, 4S).
    ///
    /// More than 256 expected bytes are asked for as 256 (`00`): the card announces the rest with `61xx`.
    pub fn encode_short(&self) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let length = self.data.len();
        let lc = u8::try_from(length).map_err(|_| CommandError::DataTooLong { length, limit: SHORT_LC_MAX })?;
        let mut bytes = self.header();
        if lc != 0 {
            bytes.push(lc);
            bytes.extend_from_slice(&self.data);
        }
        if let Some(expected) = self.expected() {
            bytes.push(u8::try_from(expected).unwrap_or(0));
        }
        Ok(bytes)
    }

    /// The command with extended length fields (cases 1, 2E, 3E, 4E).
    ///
    /// Case 1 has no length field and so one encoding only.
    pub fn encode_extended(&self) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let length = self.data.len();
        let lc = u16::try_from(length).map_err(|_| CommandError::DataTooLong { length, limit: EXTENDED_LC_MAX })?;
        let mut bytes = self.header();
        if lc != 0 || self.expected != Expected::Nothing {
            bytes.push(0);
        }
        if lc != 0 {
            bytes.extend_from_slice(&lc.to_be_bytes());
            bytes.extend_from_slice(&self.data);
        }
        if let Some(expected) = self.expected() {
            bytes.extend_from_slice(&u16::try_from(expected).unwrap_or(0).to_be_bytes());
        }
        Ok(bytes)
    }

    /// The commands that carry the data in blocks of at most `block` bytes (ISO 7816-4 5.3.3).
    ///
    /// All but the last have the chaining bit and no Le. Data that fits one block, or none, gives one command
    /// without the bit. A `block` of 0 counts as 1.
    pub fn chain(&self, block: usize) -> Vec<Command> {
        let mut blocks = self.data.chunks(block.max(1)).peekable();
        if blocks.peek().is_none() {
            return vec![self.part(&[], true)];
        }
        let mut commands = Vec::with_capacity(blocks.len());
        while let Some(data) = blocks.next() {
            commands.push(self.part(data, blocks.peek().is_none()));
        }
        commands
    }

    /// One command of a chain.
    fn part(&self, data: &[u8], last: bool) -> Command {
        Command {
            cla: if last { self.cla } else { self.cla | cla::CHAINING },
            data: Zeroizing::new(data.to_vec()),
            expected: if last { self.expected } else { Expected::Nothing },
            ..*self
        }
    }

    /// CLA INS P1 P2 in a buffer that never grows, so that no unwiped copy of the data is left behind.
    fn header(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.data.len() + OVERHEAD_MAX));
        bytes.extend_from_slice(&[self.cla, self.ins, self.p1, self.p2]);
        bytes
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Command({:02X} {:02X} {:02X} {:02X}, {} bytes of data",
            self.cla,
            self.ins,
            self.p1,
            self.p2,
            self.data.len()
        )?;
        match self.expected {
            Expected::Nothing => f.write_str(", no Le)"),
            Expected::UpTo(length) => write!(f, ", Le {length})"),
            Expected::Everything => f.write_str(", Le max)"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn short(command: &Command) -> String {
        hex::encode_upper(&*command.encode_short().unwrap())
    }

    fn extended(command: &Command) -> String {
        hex::encode_upper(&*command.encode_extended().unwrap())
    }

    fn base() -> Command {
        Command::new(0x00, 0xA4, 0x04, 0x0C)
    }

    #[test]
    fn case_1_is_the_header_alone_in_both_encodings() {
        assert_eq!(short(&base()), "00A4040C");
        assert_eq!(extended(&base()), "00A4040C");
    }

    #[test]
    fn case_2s_appends_one_le_byte_with_00_for_256() {
        assert_eq!(short(&base().le(1)), "00A4040C01");
        assert_eq!(short(&base().le(255)), "00A4040CFF");
        assert_eq!(short(&base().le(256)), "00A4040C00");
        assert_eq!(short(&base().le_max()), "00A4040C00");
    }

    #[test]
    fn case_3s_puts_lc_before_the_data() {
        assert_eq!(short(&base().data(&[0xAA, 0xBB])), "00A4040C02AABB");
        let full = short(&base().data(&[0x55; 255]));
        assert_eq!(full, format!("00A4040CFF{}", "55".repeat(255)));
    }

    #[test]
    fn case_4s_has_lc_data_and_le() {
        assert_eq!(short(&base().data(&[0xAA]).le_max()), "00A4040C01AA00");
        assert_eq!(short(&base().data(&[0xAA]).le(16)), "00A4040C01AA10");
    }

    #[test]
    fn case_2e_has_a_zero_byte_and_two_le_bytes_with_0000_for_65536() {
        assert_eq!(extended(&base().le(1)), "00A4040C000001");
        assert_eq!(extended(&base().le(256)), "00A4040C000100");
        assert_eq!(extended(&base().le(65535)), "00A4040C00FFFF");
        assert_eq!(extended(&base().le(65536)), "00A4040C000000");
        assert_eq!(extended(&base().le_max()), "00A4040C000000");
    }

    #[test]
    fn case_3e_has_a_zero_byte_and_two_lc_bytes() {
        assert_eq!(extended(&base().data(&[0xAA])), "00A4040C000001AA");
        let full = extended(&base().data(&[0x55; 65535]));
        assert_eq!(full, format!("00A4040C00FFFF{}", "55".repeat(65535)));
    }

    #[test]
    fn case_4e_has_one_zero_byte_only() {
        assert_eq!(extended(&base().data(&[0xAA]).le(2)), "00A4040C000001AA0002");
        assert_eq!(extended(&base().data(&[0xAA]).le_max()), "00A4040C000001AA0000");
    }

    #[test]
    fn data_beyond_the_length_field_is_an_error() {
        assert_eq!(
            base().data(&[0; 256]).encode_short().unwrap_err(),
            CommandError::DataTooLong { length: 256, limit: 255 }
        );
        assert_eq!(
            base().data(&[0; 65536]).encode_extended().unwrap_err(),
            CommandError::DataTooLong { length: 65536, limit: 65535 }
        );
    }

    #[test]
    fn a_short_encoding_asks_for_256_where_more_is_expected() {
        assert_eq!(short(&base().le(257)), "00A4040C00");
        assert_eq!(short(&base().le(65536)), "00A4040C00");
    }

    #[test]
    fn fits_short_looks_at_data_and_expected_length() {
        assert!(base().fits_short());
        assert!(base().data(&[0; 255]).le(256).fits_short());
        assert!(base().data(&[0; 255]).le_max().fits_short());
        assert!(!base().data(&[0; 256]).fits_short());
        assert!(!base().le(257).fits_short());
    }

    #[test]
    fn le_is_clamped_to_what_a_length_field_can_say() {
        assert_eq!(base().expected(), None);
        assert_eq!(base().le(0).expected(), Some(1));
        assert_eq!(base().le(usize::MAX).expected(), Some(65536));
        assert_eq!(base().le_max().expected(), Some(Command::EXPECTED_MAX));
        assert!(base().le_max().expects_everything() && !base().le(65536).expects_everything());
    }

    #[test]
    fn a_chain_sets_the_bit_on_all_but_the_last_command_and_le_only_on_the_last() {
        let command = base().data(&[1, 2, 3, 4, 5]).le_max().secret_command().secret_response();
        let parts = command.chain(2);
        let encoded: Vec<_> = parts.iter().map(short).collect();
        assert_eq!(encoded, ["10A4040C020102", "10A4040C020304", "00A4040C010500"]);
        assert!(parts.iter().all(|part| part.is_secret_command() && part.is_secret_response()));
    }

    #[test]
    fn a_chain_on_a_logical_channel_keeps_the_channel() {
        let parts = base().with_cla(0x42).data(&[1, 2]).chain(1);
        assert_eq!(parts.iter().map(Command::cla).collect::<Vec<_>>(), [0x52, 0x42]);
    }

    #[test]
    fn data_that_fills_its_blocks_exactly_has_no_empty_last_command() {
        assert_eq!(base().data(&[7; 510]).chain(255).len(), 2);
        assert_eq!(base().data(&[7; 255]).chain(255).len(), 1);
        assert_eq!(base().data(&[7; 3]).chain(0).len(), 3);
    }

    #[test]
    fn a_command_without_data_chains_to_itself() {
        let parts = base().le(8).chain(255);
        assert_eq!(parts.iter().map(short).collect::<Vec<_>>(), ["00A4040C08"]);
    }

    #[test]
    fn get_response_keeps_the_channel_and_drops_the_chaining_bit() {
        assert_eq!(short(&Command::get_response(0x11, 0x20)), "01C0000020");
        assert_eq!(short(&Command::get_response(0x00, 0x00)), "00C0000000");
    }

    #[test]
    fn encodings_never_reallocate_so_no_secret_stays_behind() {
        let command = base().data(&[0x31; 300]).le_max();
        let bytes = command.encode_extended().unwrap();
        assert_eq!(bytes.capacity(), 300 + OVERHEAD_MAX);
        assert!(bytes.len() <= bytes.capacity());
    }

    #[test]
    fn debug_shows_header_and_lengths_but_no_data() {
        let command = Command::new(0x00, 0x20, 0x00, 0x81).data(b"123456").secret_command();
        assert_eq!(format!("{command:?}"), "Command(00 20 00 81, 6 bytes of data, no Le)");
    }
}
